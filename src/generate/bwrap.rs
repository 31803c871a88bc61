//! bubblewrap's command line that comes closest, for comparison: one cage, and no Landlock within.

use std::path::Path;

use super::matching::{Fit, Point};
use super::rules::{Kind, Rights, Role, Subject};
use super::{Artifact, Backend, Error, Model, Site};

/// The backend.
#[derive(Debug)]
pub struct Bwrap;

const FORMAT: &str = "bwrap";

impl Backend for Bwrap {
    fn format(&self) -> &'static str {
        FORMAT
    }

    fn fit(&self, point: Point) -> Fit {
        match point {
            Point::GorootUnwritable
            | Point::SecretsUnreadable
            | Point::Named
            | Point::ProtectedThere
            | Point::UnixSockets
            | Point::Capabilities
            | Point::PrivateTemporary
            | Point::Environment
            | Point::Processes => Fit::Exact,
            Point::CachesUnpoisonable | Point::WorkOfOthers | Point::Testdata => {
                Fit::Wider("one cage: programs may write what go may")
            }
            Point::ProtectedMissing => Fit::Missing("they can be made"),
            Point::Executables => Fit::Wider("everything that is seen, compilers among it"),
            Point::ToolNetwork => Fit::Narrower("no network at all: fetch modules first"),
            Point::ProgramLoopback => Fit::Wider("one loopback for both cages"),
            Point::Services | Point::Published => {
                Fit::Narrower("none: the loopback leads nowhere else")
            }
            Point::AllowedHosts => Fit::Missing("no host can be reached"),
            Point::SetId => Fit::Missing("set-id bits can be set on files of the work tree"),
            Point::Namespaces => Fit::Exact,
            Point::SystemCalls => Fit::Missing(
                "bubblewrap takes a compiled filter by --seccomp, which is not made here",
            ),
            Point::Metadata => Fit::Exact,
            Point::Limits => Fit::Missing("no limits; use systemd-run or ulimit"),
        }
    }

    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        let mut text = "#!/bin/sh\n".to_owned();
        for line in model.header(self) {
            text += &format!("# {line}\n");
        }
        // bubblewrap binds only what is there.
        let Site {
            gocache,
            gomodcache,
            program_cache,
            sumdb,
            ..
        } = model.site;
        let caches = [gocache, gomodcache, program_cache].into_iter();
        let caches = caches.chain(sumdb).map(|cache| quoted(cache));
        let caches = caches.collect::<Result<Vec<_>, _>>()?;
        text += &format!("mkdir -p {} || exit\n", caches.join(" "));
        text += "exec bwrap \\\n";
        for words in options(model)? {
            text += &format!("  {words} \\\n");
        }
        text += "  -- \"$@\"\n";
        Ok(vec![Artifact::script("gosandbox-bwrap", text)])
    }
}

fn options(model: &Model<'_>) -> Result<Vec<String>, Error> {
    let site = model.site;
    let mut words: Vec<String> = [
        "--unshare-all",
        "--disable-userns",
        "--unshare-user",
        "--die-with-parent",
        "--new-session",
        "--cap-drop ALL",
        "--clearenv",
        "--proc /proc",
        "--dev /dev",
        "--tmpfs /tmp",
        "--dir /tmp/home",
        "--ro-bind /usr /usr",
    ]
    .map(str::to_owned)
    .to_vec();
    for (link, to) in [
        ("bin", "usr/bin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib64"),
    ] {
        words.push(format!("--symlink {to} /{link}"));
    }
    for path in [
        "/etc/passwd",
        "/etc/group",
        "/etc/localtime",
        "/etc/alternatives",
        "/etc/ld.so.cache",
    ] {
        words.push(format!("--ro-bind-try {path} {path}"));
    }
    words.extend(binds(model)?);
    let path = quoted(&site.goroot.join("bin"))?;
    words.push(format!("--setenv PATH {path}:/usr/local/bin:/usr/bin:/bin"));
    words.push("--setenv HOME /tmp/home".to_owned());
    for (name, path) in [("GOCACHE", &site.gocache), ("GOMODCACHE", &site.gomodcache)] {
        words.push(format!("--setenv {name} {}", quoted(path)?));
    }
    for setting in [
        "CGO_ENABLED 0",
        "GOENV off",
        "GOTOOLCHAIN local",
        "GOPROXY off",
        "GOVCS '*:off'",
        "GOAUTH off",
        "GOFLAGS -buildvcs=false",
    ] {
        words.push(format!("--setenv {setting}"));
    }
    words.push(format!("--chdir {}", quoted(&site.tree)?));
    Ok(words)
}

/// The project's files, each at its own place.
fn binds(model: &Model<'_>) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let mut binds: Vec<(&Path, bool)> = Vec::new();
    for rule in model
        .rules
        .iter()
        .filter(|rule| rule.subject == Subject::Tool)
    {
        let is_own = !matches!(
            rule.role,
            Role::Protected | Role::Temporary | Role::System | Role::SystemProgram | Role::Launcher
        );
        if is_own && (rule.kind == Kind::Folder || rule.role == Role::Named) {
            let writable = rule.rights.meets(Rights::CHANGE);
            match binds.iter_mut().find(|(path, _)| *path == rule.path) {
                Some((_, known)) => *known |= writable,
                None => binds.push((&rule.path, writable)),
            }
        }
    }
    // A folder comes before what lies in it.
    binds.sort();
    for (path, writable) in binds {
        let path = quoted(path)?;
        let option = if writable { "--bind" } else { "--ro-bind" };
        words.push(format!("{option} {path} {path}"));
    }
    for rule in model
        .rules
        .iter()
        .filter(|rule| rule.subject == Subject::Tool && rule.role == Role::Protected)
    {
        let path = quoted(&rule.path)?;
        words.push(format!("--ro-bind-try {path} {path}"));
    }
    Ok(words)
}

/// One word of a shell's command line.
fn quoted(path: &Path) -> Result<String, Error> {
    let refused = |why| Error::Path {
        path: path.to_owned(),
        format: FORMAT,
        why,
    };
    let text = path.to_str().ok_or_else(|| refused("it is not UTF-8"))?;
    if text.contains('\0') {
        return Err(refused("it has a NUL"));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}
