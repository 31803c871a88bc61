//! The host's own files that a cage needs: devices, `/etc`, libraries, sh and the base tools.
//!
//! Executables are granted one by one, and compilers, assemblers and linkers among them never: a
//! folder such as `/usr/bin` is not granted, so what is not named can be neither executed nor read
//! (the dynamic loader would run what can be read).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Node, Rule};
use crate::files::look;
use crate::policy::Access;
use crate::policy::compilers::is_compiler;

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
}

/// Files that the view's own `/etc` has where the host has them.
const COPIED: [&str; 4] = [
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
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
        file("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
        file(
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        ),
        file("/etc/resolv.conf", "# no name is resolved in here\n"),
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
    let read = [
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
    let mut resolver = Resolver::default();
    rules.extend(
        read.iter()
            .filter_map(|path| resolver.real(path))
            .map(|path| Rule::new(path, Access::Read)),
    );
    rules.extend(
        libraries(&mut resolver)
            .into_iter()
            .map(|path| Rule::new(path, Access::Read)),
    );
    let executed = LOADERS.iter().chain(&["/usr/lib/git-core"]);
    rules.extend(
        executed
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

/// Folders of shared libraries. With Debian's multiarch layout only these, since compilers keep
/// their own programs beside them (`/usr/lib/gcc`, `/usr/lib/llvm-*`).
fn libraries(resolver: &mut Resolver) -> Vec<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let old = format!("/lib/{}-linux-gnu", std::env::consts::ARCH);
    if Path::new(&multiarch).is_dir() {
        return [multiarch.as_str(), old.as_str(), "/usr/lib64", "/lib64"]
            .iter()
            .filter_map(|path| resolver.real(path))
            .collect();
    }
    let mut found: Vec<PathBuf> = ["/lib64", "/usr/lib64"]
        .iter()
        .filter_map(|path| resolver.real(path))
        .collect();
    for folder in ["/lib", "/usr/lib"] {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        let is_library = |name: &str| name.starts_with("lib") || name.starts_with("ld-");
        found.extend(
            entries
                .flatten()
                .filter(|entry| entry.file_name().to_str().is_some_and(is_library))
                .filter_map(|entry| fs::canonicalize(entry.path()).ok())
                .filter(|path| path.is_file()),
        );
    }
    found
}

/// Dynamic loaders: execve(2) opens them for execution beside the program.
const LOADERS: [&str; 5] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-linux.so.2",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// Where the names of programs are looked up, in the order of the PATH inside.
const PROGRAM_FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// A folder that programs are looked up in.
struct ProgramFolder {
    path: PathBuf,
    /// What is in it, where that is little: `/usr/local/bin` holds few of the hundred names.
    names: Option<BTreeSet<OsString>>,
}

impl ProgramFolder {
    fn look(path: PathBuf) -> ProgramFolder {
        const LITTLE: usize = 32;
        let is_local = path.starts_with("/usr/local");
        let entries = is_local.then(|| fs::read_dir(&path).ok()).flatten();
        let names = entries.and_then(|entries| {
            let mut names = BTreeSet::new();
            for entry in entries {
                names.insert(entry.ok()?.file_name());
                if names.len() > LITTLE {
                    return None;
                }
            }
            Some(names)
        });
        ProgramFolder { path, names }
    }

    fn may_hold(&self, name: &Path) -> bool {
        let names = self.names.as_ref();
        names.is_none_or(|names| names.contains(name.as_os_str()) || name.components().count() > 1)
    }
}

/// Finds the programs that a policy names: canonical paths, sorted, each once. Missing ones are left out.
pub fn programs(names: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders: Vec<ProgramFolder> = PROGRAM_FOLDERS
        .iter()
        .filter_map(|path| real(path))
        .map(ProgramFolder::look)
        .collect();
    folders.dedup_by(|a, b| a.path == b.path);
    let mut found: Vec<PathBuf> = names
        .iter()
        .flat_map(|name| match name.is_absolute() {
            true => Vec::from_iter(look::canonicalize(name)),
            false => folders
                .iter()
                .filter(|folder| folder.may_hold(name))
                .filter_map(|folder| canonical(&folder.path.join(name)))
                .collect(),
        })
        .filter(|path| !is_compiler(path))
        .collect();
    found.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    found.dedup();
    found
}

/// Links by whose names programs are called (`sh`, `awk`), for a view that does not hold their folder.
pub fn links(names: &[PathBuf]) -> Vec<Node> {
    let folders: Vec<PathBuf> = PROGRAM_FOLDERS
        .iter()
        .filter_map(|path| real(path))
        .collect();
    let mut found = std::collections::BTreeMap::new();
    for name in names.iter().filter(|name| !name.is_absolute()) {
        for target in folders.iter().map(|folder| folder.join(name)) {
            let is_link = fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink());
            if let (true, Ok(to)) = (is_link, fs::canonicalize(&target)) {
                found.insert(target, to);
            }
        }
    }
    found
        .into_iter()
        .filter(|(_, to)| !is_compiler(to))
        .map(|(target, to)| Node::Symlink { target, to })
        .collect()
}

/// The canonical path of a program in a canonical folder: one system call unless it is a link.
fn canonical(path: &Path) -> Option<PathBuf> {
    let found = fs::symlink_metadata(path).ok()?;
    if found.is_file() {
        return Some(path.to_owned());
    }
    fs::canonicalize(path).ok().filter(|path| path.is_file())
}

fn real(path: &str) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// Makes paths canonical that lie in few folders: the way to each of these is looked at once.
#[derive(Default)]
struct Resolver(BTreeMap<PathBuf, Option<PathBuf>>);

impl Resolver {
    /// The canonical path, where there is anything.
    fn real(&mut self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return fs::canonicalize(path).ok();
        };
        let way = self
            .0
            .entry(folder.to_owned())
            .or_insert_with(|| fs::canonicalize(folder).ok());
        let path = way.as_ref()?.join(name);
        match fs::symlink_metadata(&path).ok()?.is_symlink() {
            true => fs::canonicalize(path).ok(),
            false => Some(path),
        }
    }
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

fn passwd(account: &Account<'_>) -> String {
    let Account {
        name,
        uid,
        gid,
        home,
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
