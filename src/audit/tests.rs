//! A machine with planted faults, each beside what it must not be confused with.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A file system of its own, and an account on it.
struct Scene {
    _root: TempDir,
    machine: Machine,
}

const HOME: &str = "/home/gopher";

impl Scene {
    fn new() -> Scene {
        let root = tempfile::tempdir().unwrap();
        let uid = rustix::process::getuid().as_raw();
        let gid = rustix::process::getgid().as_raw();
        let variables = [("HOME", HOME), ("PATH", "/usr/bin:/usr/local/go/bin")];
        let machine = Machine {
            root: root.path().to_owned(),
            environment: variables
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            checkout: Some("/home/gopher/project".into()),
            goroot: Some("/usr/local/go".into()),
            release: Some("go1.26.8".into()),
            who: Who {
                uid,
                gid,
                groups: vec![gid, 998],
            },
        };
        let scene = Scene {
            _root: root,
            machine,
        };
        scene.file("/usr/local/go/bin/go", "");
        scene.file(
            "/usr/local/go/go.env",
            "GOPROXY=https://proxy.golang.org,direct\nGOSUMDB=sum.golang.org\n",
        );
        scene.file("/usr/bin/git", "");
        scene.file("/home/gopher/project/go.mod", "module x\n");
        scene.file("/etc/group", "root:x:0:\nusers:x:998:\n");
        scene
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.machine.at(Path::new(path))
    }

    fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn found(&self) -> BTreeSet<FindingCode> {
        examine(&self.machine)
            .iter()
            .map(|found| found.code)
            .collect()
    }
}

#[test]
fn a_machine_without_faults_has_no_findings() {
    let scene = Scene::new();
    scene.file(
        "/etc/profile",
        "PATH=/usr/bin\nexport PATH\n# export http_proxy=http://old:1\n",
    );
    scene.file(
        "/home/gopher/.bashrc",
        "alias ll='ls -l'\nexport EDITOR=vi\n",
    );
    scene.file(
        "/home/gopher/.gitconfig",
        "[user]\n\tname = Gopher\n[credential]\n\thelper = cache\n",
    );
    scene.file(
        "/home/gopher/project/.git/config",
        "[remote \"origin\"]\n\turl = ssh://git@example.com/x\n",
    );
    scene.file(
        "/home/gopher/.config/go/env",
        "GOPRIVATE=git.example.com\nGOFLAGS=-trimpath\n",
    );
    scene.file(
        "/home/gopher/.npmrc",
        "strict-ssl=true\nregistry=https://registry.example.com\n",
    );
    scene.file("/proc/sys/kernel/yama/ptrace_scope", "1\n");
    scene.file(
        "/proc/sys/kernel/core_pattern",
        "|/usr/lib/systemd/systemd-coredump %P\n",
    );
    assert_eq!(examine(&scene.machine), []);
}

/// A fault, and the code of what is found.
type Fault = (&'static str, fn(&mut Scene), FindingCode);

#[rustfmt::skip]
const FAULTS: [Fault; 47] = [
    ("a profile's proxy", |s| s.file("/etc/profile", "export http_proxy=http://old.example.com:3128\n"), FindingCode::ProxySet),
    ("one in profile.d", |s| s.file("/etc/profile.d/proxy.sh", "export https_proxy=http://old.example.com\n"), FindingCode::ProxySet),
    ("one in /etc/environment", |s| s.file("/etc/environment", "HTTPS_PROXY=\"http://old.example.com\"\n"), FindingCode::ProxySet),
    ("one of systemd's manager", |s| s.file("/etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=\"http_proxy=http://x\"\n"), FindingCode::ProxySet),
    ("one of a unit's", |s| s.file("/etc/systemd/system/docker.service.d/proxy.conf", "[Service]\nEnvironment=HTTP_PROXY=http://x\n"), FindingCode::ProxySet),
    ("one of the user's units", |s| s.file("/home/gopher/.config/environment.d/p.conf", "all_proxy=socks5://x\n"), FindingCode::ProxySet),
    ("one in .bashrc", |s| s.file("/home/gopher/.bashrc", "  export ALL_PROXY=socks5h://localhost:9050\n"), FindingCode::ProxySet),
    ("one in .zshrc", |s| s.file("/home/gopher/.zshrc", "http_proxy=x:1 https_proxy=x:1\n"), FindingCode::ProxySet),
    ("one of fish's", |s| s.file("/home/gopher/.config/fish/config.fish", "set -gx https_proxy http://x\n"), FindingCode::ProxySet),
    ("curl's", |s| s.file("/home/gopher/.curlrc", "proxy = \"http://x:1\"\n"), FindingCode::ProxySet),
    ("wget's", |s| s.file("/etc/wgetrc", "https_proxy = http://x:1\n"), FindingCode::ProxySet),
    ("git's", |s| s.file("/home/gopher/.gitconfig", "[http]\n\tproxy = http://x:1\n"), FindingCode::ProxySet),
    ("npm's", |s| s.file("/home/gopher/.npmrc", "https-proxy=http://x:1\n"), FindingCode::ProxySet),
    ("pip's", |s| s.file("/home/gopher/.config/pip/pip.conf", "[global]\nproxy = http://x:1\n"), FindingCode::ProxySet),
    ("git in an include", |s| {
        s.file("/home/gopher/.gitconfig", "[include]\n\tpath = ~/more\n");
        s.file("/home/gopher/more", "[http \"https://example.com\"]\n\tsslVerify = false\n");
    }, FindingCode::TlsUnverified),
    ("curl without verification", |s| s.file("/home/gopher/.curlrc", "# here\ninsecure\n"), FindingCode::TlsUnverified),
    ("wget without verification", |s| s.file("/home/gopher/.wgetrc", "check_certificate = off\n"), FindingCode::TlsUnverified),
    ("npm without verification", |s| s.file("/home/gopher/.npmrc", "strict-ssl=false\n"), FindingCode::TlsUnverified),
    ("pip's trusted host", |s| s.file("/etc/pip.conf", "[global]\ntrusted-host = pypi.example.com\n"), FindingCode::TlsUnverified),
    ("git's URLs to plain http", |s| s.file("/etc/gitconfig", "[url \"http://mirror.example.com/\"]\n\tinsteadOf = https://github.com/\n"), FindingCode::TlsUnverified),
    ("git's URLs", |s| s.file("/home/gopher/.config/git/config", "[url \"https://mirror.example.com/\"]\n\tinsteadOf = https://github.com/\n"), FindingCode::GitUrlRewritten),
    ("git's passwords", |s| s.file("/home/gopher/.gitconfig", "[credential]\n\thelper = store\n"), FindingCode::GitCredentialHelper),
    ("a checkout's header", |s| s.file("/home/gopher/project/.git/config", "[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic c2VjcmV0\n"), FindingCode::CredentialsInCheckout),
    ("a remote's password", |s| s.file("/home/gopher/project/.git/config", "[remote \"origin\"]\n\turl = https://u:secret@github.com/x\n"), FindingCode::CredentialsInCheckout),
    ("GOPROXY of the user's file", |s| s.file("/home/gopher/.config/go/env", "GOPROXY=http://proxy.example.com\n"), FindingCode::GoProxyInsecure),
    ("GOPROXY of GOROOT", |s| s.file("/usr/local/go/go.env", "GOPROXY=https://proxy.example.com\n"), FindingCode::GoProxyUnknown),
    ("GOPROXY of the environment", |s| s.set("GOPROXY", "https://proxy.golang.org|direct"), FindingCode::GoProxyFallback),
    ("GOSUMDB in .profile", |s| s.file("/home/gopher/.profile", "export GOSUMDB=off\n"), FindingCode::GoChecksumsOff),
    ("another GOSUMDB", |s| s.set("GOSUMDB", "sum.example.com"), FindingCode::GoChecksumsForeign),
    ("GONOSUMDB", |s| s.set("GONOSUMDB", "github.com"), FindingCode::GoPatternWide),
    ("GOPRIVATE", |s| s.set("GOPRIVATE", "*"), FindingCode::GoPatternWide),
    ("GOINSECURE", |s| s.set("GOINSECURE", "git.example.com"), FindingCode::GoInsecure),
    ("GOVCS", |s| s.set("GOVCS", "*:all"), FindingCode::GoVcsWide),
    ("GOFLAGS", |s| s.file("/home/gopher/.config/go/env", "GOFLAGS=-toolexec=/tmp/x\n"), FindingCode::GoFlagsDangerous),
    ("GOTOOLCHAIN", |s| s.set("GOTOOLCHAIN", "path"), FindingCode::GoToolchainPath),
    ("GOAUTH", |s| s.set("GOAUTH", "/tmp/auth"), FindingCode::GoRunsProgram),
    ("LD_PRELOAD", |s| s.file("/home/gopher/.pam_environment", "LD_PRELOAD DEFAULT=/tmp/x.so\n"), FindingCode::LoadedEverywhere),
    ("a password in GOPROXY", |s| s.set("GOPROXY", "https://u:p@proxy.golang.org"), FindingCode::CredentialsInSetting),
    ("GOROOT's file", |s| s.mode("/usr/local/go/bin/go", 0o777), FindingCode::WritableByOthers),
    ("a folder on PATH", |s| s.mode("/usr/bin", 0o777), FindingCode::WritableByOthers),
    ("a relative PATH entry", |s| s.set("PATH", "/usr/bin::bin"), FindingCode::PathEntryRelative),
    ("a set-id program of go install", |s| {
        s.file("/home/gopher/go/bin/tool", "");
        s.mode("/home/gopher/go/bin/tool", 0o4755);
    }, FindingCode::SetIdProgram),
    ("a group", |s| {
        s.file("/etc/group", "docker:x:998:gopher\n");
        s.machine.who.uid = 1000;
    }, FindingCode::GroupLikeRoot),
    ("sudo", |s| s.file("/etc/sudoers.d/gopher", "gopher ALL=(ALL) NOPASSWD: ALL\n"), FindingCode::SudoWithoutPassword),
    ("yama", |s| s.file("/proc/sys/kernel/yama/ptrace_scope", "0\n"), FindingCode::KernelSetting),
    ("a handler of crashes", |s| s.file("/proc/sys/kernel/core_pattern", "|/tmp/handler %p\n"), FindingCode::KernelSetting),
    ("an old Go", |s| s.machine.release = Some("go1.25.3".into()), FindingCode::GoReleaseVulnerable),
];

impl Scene {
    fn set(&mut self, name: &str, value: &str) {
        self.machine.environment.retain(|(one, _)| one != name);
        self.machine.environment.push((name.into(), value.into()));
    }
}

#[test]
fn each_planted_fault_is_found_and_nothing_else() {
    for (what, plant, code) in FAULTS {
        let mut scene = Scene::new();
        plant(&mut scene);
        let mut found = scene.found();
        // Files of a test belong to the test, which another user's account sees as wrong.
        if scene.machine.who.uid == 1000 {
            found.remove(&FindingCode::WrongOwner);
        }
        let mut expected = BTreeSet::from([code]);
        if what == "GOINSECURE" || what == "a password in GOPROXY" {
            expected = found
                .intersection(&BTreeSet::from([code]))
                .copied()
                .collect();
        }
        assert!(found.contains(&code), "{what}: {found:?}");
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn a_socket_within_reach_is_named() {
    let mut scene = Scene::new();
    scene.file("/run/agent/x", "");
    let listener = UnixListener::bind(scene.at("/run/agent/sock")).unwrap();
    scene.set("SSH_AUTH_SOCK", "/run/agent/sock");
    // An ordinary user's: everything is within root's reach.
    scene.machine.who.uid = 1000;
    scene.mode("/run/agent/sock", 0o777);
    assert!(scene.found().contains(&FindingCode::SocketWithinReach));
    scene.machine.who.uid = 0;
    assert!(!scene.found().contains(&FindingCode::SocketWithinReach));
    drop(listener);
}

#[test]
fn hostile_files_are_named_and_hold_nothing_up() {
    let scene = Scene::new();
    fs::create_dir_all(scene.at("/home/gopher/.config/go")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scene.at("/home/gopher/.bashrc"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    symlink("/dev/zero", scene.at("/home/gopher/.curlrc")).unwrap();
    symlink(".profile", scene.at("/home/gopher/.profile")).unwrap();
    scene.file("/home/gopher/.wgetrc", vec![b'x'; 2 << 20]);
    scene.file("/home/gopher/.npmrc", b"proxy=http://x\xff\x1b]0;t\x07\n");
    scene.file(
        "/home/gopher/.gitconfig",
        "[include]\n\tpath = .gitconfig\n[broken\n",
    );
    fs::create_dir_all(scene.at("/home/gopher/.zshrc")).unwrap();
    let all = examine(&scene.machine);
    let unreadable: Vec<_> = all
        .iter()
        .filter(|found| found.code == FindingCode::Unreadable)
        .collect();
    for name in [
        ".bashrc",
        ".curlrc",
        ".profile",
        ".wgetrc",
        ".gitconfig",
        ".zshrc",
    ] {
        let path = Path::new(HOME).join(name);
        assert!(
            unreadable
                .iter()
                .any(|found| found.path.as_deref() == Some(&*path)),
            "{name}: {all:#?}"
        );
    }
    assert!(all.iter().any(|found| found.code == FindingCode::ProxySet));
}

#[test]
fn no_secret_is_in_what_is_found() {
    let mut scene = Scene::new();
    scene.set(
        "GOPROXY",
        "https://u:hunter2@a.example.com,http://u:hunter2@b.example.com",
    );
    scene.file("/home/gopher/.curlrc", "proxy = http://u:hunter2@x:1\n");
    scene.file(
        "/home/gopher/.gitconfig",
        "[url \"https://u:hunter2@x/\"]\n\tinsteadOf = https://y/\n[http]\nproxy=u:hunter2@z:1\n",
    );
    let checkout = "[http]\n\textraheader = AUTHORIZATION: basic hunter2\n[remote \"o\"]\nurl = https://u:hunter2@x\n[url \"https://u:hunter2@q/\"]\ninsteadof = https://r/\n";
    scene.file("/home/gopher/project/.git/config", checkout);
    let all = examine(&scene.machine);
    assert!(all.len() >= 7, "{all:#?}");
    let shown = format!("{all:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
