//! The text of the profiles.

use std::path::Path;

use super::denials::{denials, mechanisms};
use super::path::literal;
use super::{ALONE, Abi, AppArmor, LAUNCHED, LAUNCHER};
use crate::generate::rules::{Kind, Rights, Role, Rule, Subject};
use crate::generate::{Error, Mode, Model};
use crate::policy::Reach;
use crate::policy::places::{
    COMPILER, OF_PROGRAMS, OWN_FOLDER, OWN_MOUNT, PROGRAM_PLAN, SETTINGS, TOOL_HOME, WRAPPER,
};

/// Which of the two families of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// For the launcher, inside its namespaces.
    Launched,
    /// For aa-exec and container runtimes.
    Alone,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Family::Launched => LAUNCHED,
            Family::Alone => ALONE,
        }
    }
}

/// A file with both families.
pub fn file(model: &Model<'_>, backend: &AppArmor, abi: Abi) -> Result<String, Error> {
    let mut text = head(model, backend, abi);
    text += &variables(model)?;
    for family in [Family::Launched, Family::Alone] {
        text += &profiles(model, family, abi)?;
    }
    Ok(text)
}

/// The profile of the launcher's own executable: it confines itself, and needs user namespaces for
/// it where AppArmor restricts them (Ubuntu 24.04).
pub fn launcher(model: &Model<'_>, backend: &AppArmor) -> Result<String, Error> {
    let mut text = head(model, backend, Abi::V4);
    text += &format!(
        "\nprofile {LAUNCHER} {}\" flags=(unconfined) {{\n  userns,\n}}\n",
        format_args!("\"{}", literal(&model.site.launcher)?)
    );
    Ok(text)
}

fn head(model: &Model<'_>, backend: &AppArmor, abi: Abi) -> String {
    let mut text: String = model
        .header(backend)
        .iter()
        .map(|line| format!("# {line}\n"))
        .collect();
    text += match abi {
        Abi::V3 => "abi <abi/3.0>,\n",
        Abi::V4 => "abi <abi/4.0>,\n",
        Abi::V5 => "abi <abi/5.0>,\n",
    };
    text
}

/// The places, by name.
fn variables(model: &Model<'_>) -> Result<String, Error> {
    let site = model.site;
    let mut text = String::from("\n");
    for (name, path) in [
        ("GOROOT", &site.goroot),
        ("GOCACHE", &site.gocache),
        ("GOMODCACHE", &site.gomodcache),
        ("WORK", &site.tree),
    ] {
        text += &format!("@{{{name}}} = \"{}\"\n", literal(path)?);
    }
    Ok(text)
}

fn profiles(model: &Model<'_>, family: Family, abi: Abi) -> Result<String, Error> {
    let name = family.name();
    let flags = match model.mode {
        Mode::Enforce => "",
        Mode::Complain => " flags=(complain)",
    };
    let attached = match (family, model.form.as_deref()) {
        (Family::Alone, Some("attached")) => " \"@{GOROOT}/bin/go\"",
        _ => "",
    };
    let mut text = format!("\nprofile {name}{attached}{flags} {{\n");
    text += &body(model, family, abi, Subject::Tool)?;
    for subject in [Subject::Program, Subject::Test] {
        text += &format!("\n  profile {}{flags} {{\n", subject.word());
        for line in body(model, family, abi, subject)?.lines() {
            match line.is_empty() {
                true => text += "\n",
                false => text += &format!("  {line}\n"),
            }
        }
        text += "  }\n";
    }
    text += "}\n";
    Ok(text)
}

fn body(model: &Model<'_>, family: Family, abi: Abi, subject: Subject) -> Result<String, Error> {
    let mut lines = Vec::new();
    base(&mut lines);
    if family == Family::Launched {
        launched(&mut lines, subject);
    }
    for rule in model.rules.iter().filter(|rule| rule.subject == subject) {
        grant(&mut lines, model, family, rule)?;
    }
    match model.mode {
        Mode::Enforce => {
            denials(&mut lines, model, subject)?;
            mechanisms(&mut lines, family, abi, subject);
        }
        // Refusals are enforced in complain mode, too: there what would be refused is only not granted.
        Mode::Complain => {}
    }
    rest(&mut lines, model, family, abi, subject);
    Ok(lines.iter().map(|line| format!("  {line}\n")).collect())
}

/// Devices, and what every process may know of itself.
fn base(lines: &mut Vec<String>) {
    let fixed = [
        "/ r,",
        "/dev/{null,zero,full} rw,",
        "/dev/{random,urandom} r,",
        "/dev/{tty,ptmx} rw,",
        "owner /dev/pts/* rw,",
        "owner /dev/shm/** rwk,",
        "/etc/ r,",
        "/etc/{hosts,localtime,resolv.conf,nsswitch.conf,passwd,group,mime.types,protocols,services} r,",
        "/proc/ r,",
        "/proc/sys/{kernel/{ngroups_max,pid_max,osrelease,cap_last_cap},net/core/somaxconn,vm/overcommit_memory} r,",
        "/proc/{cpuinfo,filesystems,loadavg,meminfo,stat,uptime,version} r,",
        "owner /proc/[0-9]*/{,task/[0-9]*/}{cgroup,cmdline,comm,limits,maps,mountinfo,mounts,stat,statm,status} r,",
        "owner /proc/[0-9]*/{,task/[0-9]*/}attr/{,apparmor/}{current,exec} r,",
        "owner /proc/[0-9]*/{,fd/,task/,task/[0-9]*/} r,",
        "owner /proc/[0-9]*/{net/,}{route,if_inet6,tcp,tcp6,udp,udp6,unix} r,",
        "/sys/fs/cgroup/{,**/}cpu* r,",
        "/sys/devices/system/cpu/{,online,possible} r,",
        "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size r,",
    ];
    lines.extend(fixed.map(str::to_owned));
}

/// The launcher's own folder inside, and what its `-exec` wrapper does before it executes a program.
fn launched(lines: &mut Vec<String>, subject: Subject) {
    let of_programs = format!("{OWN_MOUNT}/{{{}}}", OF_PROGRAMS.join(","));
    lines.push(format!("{OWN_FOLDER}/ r,"));
    lines.push(format!("{SETTINGS}/{{,**}} r,"));
    lines.push(format!("owner {of_programs}/{{,**}} rwkl,"));
    match subject {
        Subject::Tool => {
            lines.push(format!("owner {OWN_FOLDER}/{TOOL_HOME}/{{,**}} rwkl,"));
            lines.push(format!("{OWN_FOLDER}/{{{WRAPPER},{COMPILER}/*}} mrix,"));
            lines.push(format!("{OWN_FOLDER}/{PROGRAM_PLAN} r,"));
            lines.push("# The wrapper's own user namespace; in the host's the launcher has dropped every capability.".into());
            lines.push("capability sys_admin,".into());
            lines.push("capability net_admin,".into());
            lines.push("capability setpcap,".into());
            lines.push("owner /proc/[0-9]*/{setgroups,uid_map,gid_map} rw,".into());
            lines.extend(leave(Family::Launched, "", &of_programs, "/"));
        }
        Subject::Program | Subject::Test => lines.push(format!("{of_programs}/** mix,")),
    }
}

/// How the tool cage executes what is not the toolchain's own.
fn enter(family: Family, subject: Subject) -> String {
    let name = family.name();
    format!("px -> {name}//&{name}//{}", subject.word())
}

/// Names that do not end with `.test`: rules with different transitions may not overlap.
const NO_TEST: &str = "**{[^t],[^s]t,[^e]st,[^t]est,[^.]test}";

/// The two rules by which the tool cage executes what was built: tests, and everything else.
fn leave(family: Family, quote: &str, path: &str, at: &str) -> [String; 2] {
    let line = |names: &str, subject| {
        format!(
            "{quote}{path}{at}{names}{quote} {},",
            enter(family, subject)
        )
    };
    [
        line(NO_TEST, Subject::Program),
        line("**.test", Subject::Test),
    ]
}

/// A path under the name it has among the variables.
fn named(model: &Model<'_>, path: &Path) -> Result<String, Error> {
    let site = model.site;
    for (name, root) in [
        ("GOROOT", &site.goroot),
        ("GOMODCACHE", &site.gomodcache),
        ("GOCACHE", &site.gocache),
        ("WORK", &site.tree),
    ] {
        if let Ok(below) = path.strip_prefix(root) {
            let rest = literal(&Path::new("/").join(below))?;
            return Ok(format!("@{{{name}}}{rest}"));
        }
    }
    literal(path)
}

fn grant(
    lines: &mut Vec<String>,
    model: &Model<'_>,
    family: Family,
    rule: &Rule,
) -> Result<(), Error> {
    let path = named(model, &rule.path)?;
    let owner = if rule.owner { "owner " } else { "" };
    let beneath = match (rule.role, rule.kind) {
        (Role::Protected, _) => return Ok(()),
        (Role::Testdata, _) => "/{,**/}testdata/{,**}",
        (Role::CachedProgram, _) => "/*/*-d/*",
        (_, Kind::Folder) => "/{,**}",
        (_, Kind::File) => "",
    };
    let letters = letters(rule.rights);
    let inherits =
        rule.subject != Subject::Tool || matches!(rule.role, Role::GorootTool | Role::Launcher);
    let executes = rule.rights.has(Rights::EXEC);
    if rule.owner {
        // The folder itself is root's.
        lines.push(format!("\"{path}/\" r,"));
    }
    let mut line =
        |beneath: &str, letters: &str| lines.push(format!("{owner}\"{path}{beneath}\" {letters},"));
    match (executes, rule.role) {
        (true, Role::CachedProgram) if inherits => line(beneath, "mrix"),
        (true, Role::CachedProgram) => {}
        (true, _) if inherits => line(beneath, &format!("{letters}ix")),
        _ => line(beneath, letters),
    }
    if !executes || inherits {
        return Ok(());
    }
    match (rule.role, rule.kind) {
        (Role::SystemProgram, Kind::File) => {
            lines.push(format!("\"{path}\" {},", enter(family, Subject::Program)));
        }
        (Role::SystemProgram, Kind::Folder) => {
            lines.push(format!(
                "\"{path}/**\" {},",
                enter(family, Subject::Program)
            ));
        }
        (Role::CachedProgram, _) => lines.extend(leave(family, "\"", &path, "/*/*-d/")),
        _ => lines.extend(leave(family, "\"", &path, "/")),
    }
    Ok(())
}

/// The letters of a right but x, which has its own rules.
fn letters(rights: Rights) -> &'static str {
    match (
        rights.meets(Rights::CHANGE),
        rights.has(Rights::MAP),
        rights.has(Rights::READ),
    ) {
        (true, true, _) => "mrwkl",
        (true, false, _) => "rwkl",
        (false, true, _) => "mrk",
        (false, false, true) => "rk",
        _ => "",
    }
}

/// Network, signals, and the mechanisms that the abi knows.
fn rest(lines: &mut Vec<String>, model: &Model<'_>, family: Family, abi: Abi, subject: Subject) {
    let name = family.name();
    let inside = family == Family::Launched;
    let hosts = !model.policy.network.allow.is_empty()
        && (subject == Subject::Tool || model.policy.network.programs == Reach::Hosts);
    if inside || hosts {
        lines.push("network inet stream,".into());
        lines.push("network inet6 stream,".into());
    }
    if inside {
        lines.push("network inet dgram,".into());
        lines.push("network inet6 dgram,".into());
        lines.push("network netlink raw,".into());
    }
    if inside || subject != Subject::Tool {
        lines.push("network unix stream,".into());
        lines.push("network unix dgram,".into());
        lines.push("network unix seqpacket,".into());
    }
    lines.push(format!("signal peer={name}{{,//**}},"));
    lines.push("signal receive peer=unconfined,".into());
    lines.push(format!("ptrace (read, readby) peer={name}{{,//**}},"));
    lines.push(format!("unix peer=(label=\"{name}{{,//**}}\"),"));
    lines.push("unix (create, bind, listen, getattr, setattr, getopt, setopt, shutdown),".into());
    if abi >= Abi::V4 && inside && subject == Subject::Tool {
        lines.push("userns,".into());
    }
}
