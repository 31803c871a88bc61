//! What the attacks aim at: files, sockets and a process that exist for them alone.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::json;

use crate::support::{self, Env, Site, base, checkout, goroot, in_child, is_root, write};

/// The attacker's project with all that it aims at.
pub struct Decoys {
    pub site: Site,
    victim: Child,
    tcp: TcpListener,
    tcp6: Option<TcpListener>,
    udp: UdpSocket,
    _unix: (UnixListener, UnixListener, UnixDatagram),
    _abstract: (UnixListener, UnixDatagram),
    word: String,
}

impl Decoys {
    pub fn new(env: Env) -> Decoys {
        let site = Site::new(env);
        site.copy(&checkout().join("tests/fixtures/attacker"));
        crate::support::reachable::copy_executable(attacker(), &site.work.join("attacker.bin"));
        files(&site);
        let word = site
            .root
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let (unix, dgram) = (site.outside.join("s"), site.outside.join("d"));
        let within = site.work.join("s");
        let abstract_address = |kind: &str| {
            SocketAddr::from_abstract_name(format!("{word}-{kind}").as_bytes()).unwrap()
        };
        let decoys = Decoys {
            victim: victim(&site),
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            tcp6: TcpListener::bind("[::1]:0").ok(),
            udp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            _unix: (
                UnixListener::bind(&unix).unwrap(),
                UnixListener::bind(&within).unwrap(),
                UnixDatagram::bind(&dgram).unwrap(),
            ),
            _abstract: (
                UnixListener::bind_addr(&abstract_address("stream")).unwrap(),
                UnixDatagram::bind_addr(&abstract_address("dgram")).unwrap(),
            ),
            site,
            word,
        };
        let echo = decoys.udp.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 16];
            while let Ok((length, from)) = echo.recv_from(&mut bytes) {
                if echo.send_to(&bytes[..length], from).is_err() {
                    return;
                }
            }
        });
        decoys.site.settle();
        for socket in [unix, within, dgram] {
            fs::set_permissions(socket, fs::Permissions::from_mode(0o777)).unwrap();
        }
        decoys
    }

    /// Tells the attacker where things are. `cache` is the folder of the caches in use.
    pub fn aim(&self, cache: &Path) {
        let Site {
            work,
            home,
            outside,
            root,
            ..
        } = &self.site;
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let targets = json!({
            "work": work,
            "goroot": goroot(),
            "gocache": cache.join("go-build"),
            "gomodcache": cache.join("mod"),
            "home": home,
            "outside": outside,
            "path_dir": root.join("bin"),
            "github_env": outside.join("github_env"),
            "victim": self.victim.id(),
            "tcp": port(&self.tcp),
            "tcp6": self.tcp6.as_ref().map_or(1, port),
            "udp": self.udp.local_addr().unwrap().port(),
            "unix": outside.join("s"),
            "unix_dgram": outside.join("d"),
            "abstract": format!("{}-stream", self.word),
            "abstract_dgram": format!("{}-dgram", self.word),
            "straggler": self.straggler(),
        });
        write(&work.join("targets.json"), &targets.to_string());
        let module = cache.join("mod/example.com/dep@v1.0.0/dep.go");
        if !module.exists() {
            write(&module, "package dep\n");
            let owner = fs::metadata(cache).unwrap();
            use std::os::unix::fs::MetadataExt;
            for path in module.ancestors().take_while(|path| *path != cache) {
                if is_root() {
                    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
                }
            }
        }
    }

    pub fn straggler(&self) -> std::path::PathBuf {
        self.site.work.join("testdata/straggler")
    }

    /// Variables and an open folder, as a careless CI job hands them on.
    pub fn expose(&self, command: &mut Command) {
        let Site { outside, root, .. } = &self.site;
        let path = format!(
            "{}:{}/bin:/usr/local/bin:/usr/bin:/bin",
            goroot().join("bin").display(),
            root.display()
        );
        command
            .env("PATH", path)
            .env("GITHUB_TOKEN", "decoy-secret-1")
            .env("GITHUB_ENV", outside.join("github_env"))
            .env("AWS_SECRET_ACCESS_KEY", "decoy-secret-2")
            .env("NPM_CONFIG__AUTHTOKEN", "decoy-secret-3")
            .env("SSH_AUTH_SOCK", outside.join("s"))
            .env("GIT_SSH_COMMAND", "/bin/false")
            .env("CC", "gcc")
            .env("LD_LIBRARY_PATH", "/nonexistent");
        let folder = fs::File::open(outside).unwrap();
        assert_ne!(
            folder.as_raw_fd(),
            LENT,
            "dup2 would leave FD_CLOEXEC as it is"
        );
        in_child(command, move || lend(&folder, LENT));
    }
}

/// The descriptor that the attacks look for. Above those of a test process with many threads: a lower number could be
/// the folder itself, or the pipe by which the child says that it could not execute.
const LENT: RawFd = 957;

/// Leaves a folder open at a number across the execution.
fn lend(folder: &fs::File, number: RawFd) -> std::io::Result<()> {
    // SAFETY: dup2 has no memory to look at, and replaces no descriptor that the child needs.
    #[allow(unsafe_code)]
    if unsafe { libc::dup2(folder.as_raw_fd(), number) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

impl Drop for Decoys {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        // Ends the echo: an empty datagram to itself would do, a shutdown does not on UDP.
        let _ = self.udp.set_nonblocking(true);
    }
}

fn files(site: &Site) {
    for (name, content) in [
        (".git/HEAD", "ref: refs/heads/main\n"),
        (
            ".git/config",
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n",
        ),
        (".git/hooks/README", ""),
        (".git/objects/README", ""),
        (".git/refs/README", ""),
        (".github/workflows/ci.yml", "on: push\n"),
        (".gosandbox.toml", ""),
        (".envrc", ""),
        ("sub/.git/HEAD", "ref: refs/heads/main\n"),
        ("sub/.git/config", ""),
        ("sub/.git/hooks/README", ""),
        (
            "withcgo/withcgo.go",
            "package main\n\n// int one(void) { return 1; }\nimport \"C\"\n\nfunc main() { println(C.one()) }\n",
        ),
        ("withcgo/go.mod", "module example.com/withcgo\n\ngo 1.21\n"),
    ] {
        site.file(name, content);
    }
    for (name, content) in [
        (
            ".netrc",
            "machine example.com login decoy password decoy-secret\n",
        ),
        (".ssh/id_ed25519", "decoy\n"),
        (".ssh/authorized_keys", "decoy\n"),
        (".git-credentials", "decoy\n"),
        (".bashrc", "# decoy\n"),
        (".config/go/env", "GOFLAGS=\n"),
    ] {
        write(&site.home.join(name), content);
    }
    for name in ["secret.txt", "target.txt", "remove-me", "github_env"] {
        write(&site.outside.join(name), "decoy\n");
    }
    fs::create_dir_all(site.root.join("bin")).unwrap();
    std::os::unix::fs::symlink(&site.outside, site.work.join("leads-out")).unwrap();
}

/// A process of the user that runs inside.
fn victim(site: &Site) -> Child {
    let mut command = Command::new("sleep");
    command.arg("600").stdin(Stdio::null()).process_group(0);
    let uid = match site.env {
        Env::Root => 65534,
        _ => support::ORDINARY,
    };
    if is_root() {
        command.uid(uid).gid(uid);
    }
    command.spawn().unwrap()
}

/// The attacker as an executable, built once without gosandbox.
fn attacker() -> &'static Path {
    static BUILT: OnceLock<std::path::PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let place = base().join(format!("attacker-{}", std::process::id()));
        let status = Command::new(goroot().join("bin/go"))
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&place)
            .current_dir(checkout().join("tests/fixtures/attacker"))
            .env("CGO_ENABLED", "0")
            .env("GOTOOLCHAIN", "local")
            .env("GOCACHE", base().join("build-cache"))
            .status()
            .unwrap();
        assert!(status.success());
        place
    })
}
