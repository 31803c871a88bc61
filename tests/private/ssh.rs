//! Modules from their own repositories by ssh, with a real sshd.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::apart;
use crate::direct::{DEP, Repositories, project, resolve, run};
use crate::server::{Behaviour, Host};
use crate::support::{Env, Site, is_root, needs_program, wait, write};

/// An sshd at the host's address, and the key that opens it.
struct Sshd {
    process: Child,
    folder: tempfile::TempDir,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn key(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status();
    assert!(made.unwrap().success());
}

impl Sshd {
    fn start() -> Sshd {
        let folder = tempfile::tempdir().unwrap();
        key(&folder.path().join("host"));
        key(&folder.path().join("user"));
        let place = |name: &str| folder.path().join(name).display().to_string();
        let lines = [
            "ListenAddress 127.0.0.1:22".to_owned(),
            format!("HostKey {}", place("host")),
            format!("AuthorizedKeysFile {}", place("user.pub")),
            "PermitRootLogin yes".to_owned(),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PidFile none".to_owned(),
            "AcceptEnv GIT_PROTOCOL".to_owned(),
        ];
        write(&folder.path().join("config"), &lines.join("\n"));
        fs::create_dir_all("/run/sshd").unwrap();
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f", &place("config")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait::eventually("sshd listens", || {
            std::net::TcpStream::connect("127.0.0.1:22").is_ok()
        });
        Sshd { process, folder }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Puts the key and the host's key where the caller's ssh looks.
    fn introduce(&self, site: &Site, knows: bool) {
        let folder = site.home.join(".ssh");
        write(&folder.join("id_ed25519"), &self.text("user"));
        let known = format!("git.example.test {}", self.text("host.pub"));
        write(&folder.join("known_hosts"), if knows { &known } else { "" });
        // What a user's own configuration would do counts for nothing.
        let mark = site.home.join("ran");
        let own = format!("Host *\n  ProxyCommand touch {}\n", mark.display());
        write(&folder.join("config"), &own);
        for name in ["", "id_ed25519", "known_hosts", "config"] {
            let path = folder.join(name);
            let mode = if name.is_empty() { 0o700 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            if is_root() {
                chown(&path, Some(site.caller()), None).unwrap();
            }
        }
    }
}

/// A host that says that its repositories are at ssh, by an absolute path.
fn host(repositories: &Path) -> Host {
    let path = repositories.join("team/dep.git");
    let behaviour = Behaviour {
        repository: Some(format!("ssh://root@git.example.test{}", path.display())),
        ..Behaviour::default()
    };
    Host::start("git.example.test", "127.0.0.1", repositories, behaviour)
}

const BY_SSH: &str = "\"git.example.test/team/*\" = { direct = \"ssh\" }";
const GET: [&str; 3] = ["go", "get", "git.example.test/team/dep@v1.0.0"];

fn fetched(site: &Site) -> PathBuf {
    site.home
        .join("caches/mod/git.example.test/team/dep@v1.0.0/dep.go")
}

#[test]
fn a_module_comes_by_ssh_with_a_key_that_stays_outside() {
    if !needs_program("sshd", "openssh-server")
        || !apart::is("ssh::a_module_comes_by_ssh_with_a_key_that_stays_outside")
    {
        return;
    }
    resolve();
    let repositories = Repositories::new();
    repositories.commit("dep", &DEP, Some("v1.0.0"));
    let (sshd, host) = (Sshd::start(), host(&repositories.0));
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, profile) = project(env, &host.ca, BY_SSH, "");
        sshd.introduce(&site, false);
        let ended = run(&site, &profile, &GET).expect(1);
        ended.says("Host key verification failed");
        sshd.introduce(&site, true);
        run(&site, &profile, &GET).expect(0);
        assert_eq!(fs::read_to_string(fetched(&site)).unwrap(), DEP[1].1);
        assert!(!site.home.join("ran").exists(), "{env:?}");
        // By https alone it is not fetched: the profile names the transport.
        let https = BY_SSH.replace("ssh", "https");
        let (site, profile) = project(env, &host.ca, &https, "");
        sshd.introduce(&site, true);
        run(&site, &profile, &GET).expect(1);
        assert!(!fetched(&site).exists(), "{env:?}");
    }
}
