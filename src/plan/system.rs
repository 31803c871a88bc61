//! The host's own files that a cage needs: devices, `/etc`, libraries, sh and the base tools. `programs`
//! and `libraries` find the last three.
//!
//! Executables are granted one by one, and compilers, assemblers and linkers among them never: a
//! folder such as `/usr/bin` is not granted, so what is not named can be neither executed nor read
//! (the dynamic loader would run what can be read).

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::libraries::{LOADERS, Resolver, libraries, of_interpreters};
pub use super::programs::{Found, PROGRAM_FOLDERS, find, folders, in_one_folder, links};
use super::way::{OWN_ADDRESS, RESOLVER};
use super::{Node, Rule};
use crate::policy::Access;

/// How much of the system a cage sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// What GOROOT's static tools need.
    Static,
    /// That, and dynamic programs: sh, git, the base tools, and their libraries.
    Dynamic,
}

/// Who is who inside, for `/etc/passwd`.
#[derive(Clone, Debug)]
pub struct Account<'a> {
    /// Name of the user.
    pub name: &'a str,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Home folder.
    pub home: &'a Path,
    /// The machine's own name, and hosts of services, for `/etc/hosts`.
    pub hosts: Hosts<'a>,
}

/// What is in `/etc/hosts` beside localhost.
#[derive(Clone, Debug, Default)]
pub struct Hosts<'a> {
    /// The machine's own name.
    pub own: &'a str,
    /// Names of hosts whose services programs find on their own loopback.
    pub services: Vec<&'a str>,
}

impl Hosts<'_> {
    /// The file. A name that the file could not hold is left out.
    fn text(&self) -> String {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let is_name = |name: &&&str| {
            let named = !name.is_empty() && name.bytes().all(fits);
            named && **name != "localhost" && name.parse::<IpAddr>().is_err()
        };
        let mut text = "127.0.0.1\tlocalhost\n::1\tlocalhost\n".to_owned();
        for name in self.services.iter().filter(is_name) {
            text += &format!("127.0.0.1\t{name}\n");
        }
        let is_service = self.services.contains(&self.own);
        if let (Some(name), false) = (Some(&self.own).filter(is_name), is_service) {
            text += &format!("{OWN_ADDRESS}\t{name}\n");
        }
        text
    }
}

/// Files that the view's own `/etc` has where the host has them.
const COPIED: [&str; 5] = [
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/protocols",
    "/etc/services",
];
/// What dynamic programs read beside libraries.
const READ: [&str; 11] = [
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/usr/share/i18n",
    "/usr/share/locale",
    "/usr/lib/locale",
    "/usr/share/mime",
    "/usr/share/zoneinfo",
    "/usr/share/terminfo",
    "/usr/share/git-core",
    "/lib/terminfo",
    "/usr/share/misc",
];
/// Larger files are not what they are taken for.
const LIMIT: u64 = 256 << 10;
/// Larger files cost more to copy than a mount does.
const COPY_LIMIT: u64 = 16 << 10;
const HUGE_PAGE_SIZE: &str = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];
/// The controlling terminal of whoever opens it (tty(4)): the caller's, or one that a program has made itself.
const TERMINAL: &str = "/dev/tty";
/// Top-level folders that most hosts have as links into `/usr`.
const TOP: [&str; 5] = ["/bin", "/lib", "/lib32", "/lib64", "/sbin"];

/// The nodes of the view.
///
/// `whole` binds `/usr` as it is, for a Landlock domain to narrow. Without one the view itself must
/// hold no more than what is granted, program by program. `terminal`: with [`TERMINAL`].
pub fn nodes(system: System, account: &Account<'_>, whole: bool, terminal: bool) -> Vec<Node> {
    let mut nodes = vec![
        Node::Proc {
            target: "/proc".into(),
        },
        file("/etc/passwd", passwd(account)),
        file("/etc/group", group(account)),
        file("/etc/hosts", account.hosts.text()),
        file(
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files [NOTFOUND=return] dns\n",
        ),
        file("/etc/resolv.conf", resolv_conf()),
        Node::Symlink {
            target: "/dev/fd".into(),
            to: "/proc/self/fd".into(),
        },
        Node::Symlink {
            target: "/dev/stdin".into(),
            to: "/proc/self/fd/0".into(),
        },
        Node::Symlink {
            target: "/dev/stdout".into(),
            to: "/proc/self/fd/1".into(),
        },
        Node::Symlink {
            target: "/dev/stderr".into(),
            to: "/proc/self/fd/2".into(),
        },
    ];
    let devices = if system == System::Static {
        &DEVICES[..1]
    } else {
        &DEVICES[..]
    };
    nodes.extend(devices.iter().map(|device| Node::bind(*device, true)));
    if let Ok(content) = fs::read(HUGE_PAGE_SIZE) {
        nodes.push(file(HUGE_PAGE_SIZE, content));
    }
    let copied = if system == System::Static {
        &COPIED[..1]
    } else {
        &COPIED[..]
    };
    nodes.extend(copied.iter().filter_map(|path| copy(path)));
    if system == System::Dynamic {
        nodes.extend(dynamic_nodes(whole));
        if terminal && Path::new(TERMINAL).exists() {
            nodes.push(Node::bind(TERMINAL, true));
        }
    }
    nodes
}

fn dynamic_nodes(whole: bool) -> Vec<Node> {
    let mut nodes = vec![
        Node::Tmpfs {
            target: "/dev/shm".into(),
            mode: 0o1777,
            size: 1 << 30,
            owner: None,
        },
        Node::Terminals {
            target: "/dev/pts".into(),
        },
        Node::Symlink {
            target: "/dev/ptmx".into(),
            to: "pts/ptmx".into(),
        },
    ];
    if whole {
        nodes.push(Node::bind("/usr", false));
    }
    for path in TOP {
        match fs::read_link(path) {
            Ok(to) => nodes.push(Node::Symlink {
                target: path.into(),
                to,
            }),
            Err(_) if Path::new(path).is_dir() => nodes.push(Node::bind(path, false)),
            Err(_) => {}
        }
    }
    for path in ["/etc/alternatives", "/etc/ld.so.cache"] {
        if let Ok(path) = fs::canonicalize(path) {
            nodes.push(Node::bind(path, false));
        }
    }
    nodes
}

/// The Landlock rules that go with the nodes; `view` tells whether there is a view of our own.
pub fn rules(system: System, execute: &[PathBuf], view: bool, terminal: bool) -> Vec<Rule> {
    // Writing below /proc is for a process's own files (its id maps among them). Among the host's processes
    // it is for nobody: the kernel lets a user write files of all that are the same user's (oom_score_adj).
    let proc = match view {
        true => Access::Write,
        false => Access::Read,
    };
    let mut rules = vec![
        Rule::optional("/proc", proc),
        Rule::optional("/dev/null", Access::Write),
        Rule::optional("/sys/kernel/mm/transparent_hugepage", Access::Read),
    ];
    if view {
        rules.push(Rule::new("/etc", Access::Read));
        // Folders above the tree are looked through by file name patterns. In the view they hold nothing but what leads to
        // something that is granted. Of the rest this shows names below /usr, and stat(2) tells of these anyway.
        rules.push(Rule::new("/", Access::List));
    } else {
        let etc = [
            "/etc/passwd",
            "/etc/group",
            "/etc/hosts",
            "/etc/nsswitch.conf",
            "/etc/resolv.conf",
        ];
        rules.extend(
            etc.iter()
                .chain(&COPIED)
                .filter_map(|path| real(path))
                .map(|p| Rule::new(p, Access::Read)),
        );
    }
    if system == System::Static {
        return rules;
    }
    for device in &DEVICES[1..] {
        rules.push(Rule::optional(*device, Access::Write));
    }
    if terminal {
        rules.push(Rule::optional(TERMINAL, Access::Write));
    }
    if view {
        rules.push(Rule::new("/dev/pts", Access::Write));
        rules.push(Rule::new("/dev/shm", Access::WriteExecute));
    }
    let mut resolver = Resolver::default();
    rules.extend(
        READ.iter()
            .filter_map(|path| resolver.real(path))
            .map(|path| Rule::new(path, Access::Read)),
    );
    rules.extend(
        libraries(&mut resolver)
            .into_iter()
            .chain(of_interpreters(execute))
            .map(|path| Rule::new(path, Access::Read)),
    );
    rules.extend(
        LOADERS
            .iter()
            .chain(&["/usr/lib/git-core"])
            .filter_map(|path| resolver.real(path))
            .map(|path| Rule::new(path, Access::Execute)),
    );
    rules.extend(execute.iter().map(|path| Rule::new(path, Access::Execute)));
    rules.sort_by(|a, b| {
        let paths = a.path.as_os_str().cmp(b.path.as_os_str());
        paths.then(b.access.cmp(&a.access))
    });
    rules.dedup_by(|a, b| a.path.as_os_str() == b.path.as_os_str());
    rules
}

fn real(path: &str) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

fn copy(path: &str) -> Option<Node> {
    let size = fs::metadata(path).ok()?.len();
    if size <= COPY_LIMIT {
        return Some(file(path, fs::read(path).ok()?));
    }
    if size > LIMIT {
        return None;
    }
    Some(Node::Bind {
        source: real(path)?,
        target: path.into(),
        writable: false,
        id_map: false,
    })
}

fn file(target: &str, content: impl Into<Vec<u8>>) -> Node {
    Node::File {
        target: target.into(),
        content: content.into(),
    }
}

/// Whoever is asked says that there is no such name.
fn resolv_conf() -> String {
    format!("# no name is resolved in here but those of /etc/hosts\nnameserver {RESOLVER}\n")
}

fn passwd(account: &Account<'_>) -> String {
    let Account {
        name,
        uid,
        gid,
        home,
        ..
    } = account;
    let mut text = "root:x:0:0:root:/root:/usr/sbin/nologin\n".to_owned();
    text += &format!("{name}:x:{uid}:{gid}::{}:/bin/sh\n", home.display());
    if *uid != 65534 {
        text += "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
    }
    text
}

fn group(account: &Account<'_>) -> String {
    let Account { name, gid, .. } = account;
    let mut text = format!("root:x:0:\n{name}:x:{gid}:\n");
    if *gid != 65534 {
        text += "nogroup:x:65534:\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_name_and_hosts_of_services_are_in_etc_hosts_and_nothing_that_breaks_it() {
        let localhost = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
        let text = |own, services: &[&'static str]| {
            let services = services.to_vec();
            Hosts { own, services }.text()
        };
        assert_eq!(text("", &[]), localhost);
        assert_eq!(
            text("box", &["redis"]),
            format!("{localhost}127.0.0.1\tredis\n192.0.2.1\tbox\n")
        );
        assert_eq!(
            text("redis", &["redis"]),
            format!("{localhost}127.0.0.1\tredis\n")
        );
        for odd in ["localhost", "10.0.0.1", "a b", "a\nb", "a#", "\u{e9}"] {
            assert_eq!(text(odd, &[odd]), localhost, "{odd:?}");
        }
    }
}
