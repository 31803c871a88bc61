//! Modules from their own repositories by https.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::server::{Behaviour, Host, LOGIN};
use crate::support::{Ended, Env, Site, is_root, root_folder};
use crate::{apart, dns, write};

const HOST: &str = "git.example.test";
const OTHER: &str = "other.example.test";
const PROXY: &str = "proxy.example.test";

/// The address of [`HOST`].
static LED_TO: Mutex<String> = Mutex::new(String::new());

fn lead_to(address: &str) {
    *LED_TO.lock().unwrap() = address.to_owned();
}

/// The names of the tests' own hosts.
pub fn resolve() {
    lead_to("127.0.0.1");
    apart::set_up(&["127.0.0.2/8", "127.0.0.3/8"]);
    apart::resolve(Arc::new(|name, kind| {
        let address = match (name, kind) {
            (HOST, dns::A) => return vec![LED_TO.lock().unwrap().parse().unwrap()],
            (OTHER, dns::A) => "127.0.0.2",
            (PROXY, dns::A) => "127.0.0.3",
            _ => return Vec::new(),
        };
        vec![address.parse().unwrap()]
    }));
}

/// Repositories that a host serves.
pub struct Repositories(pub PathBuf);

impl Drop for Repositories {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

impl Repositories {
    pub fn new() -> Repositories {
        Repositories(root_folder())
    }

    /// Commits files to `team/NAME.git`, and tags the commit.
    pub fn commit(&self, name: &str, files: &[(&str, &str)], tag: Option<&str>) {
        let work = self.0.join("work").join(name);
        for (file, content) in files {
            write(&work.join(file), content);
        }
        git(&work, &["init", "-q", "-b", "main"]);
        self.push(name, tag);
    }

    /// Commits what lies in the work tree of a repository, and serves it.
    pub fn push(&self, name: &str, tag: Option<&str>) {
        let work = self.0.join("work").join(name);
        git(&work, &["add", "-A", "-f"]);
        git(&work, &["commit", "-q", "--allow-empty", "-m", "a change"]);
        if let Some(tag) = tag {
            git(&work, &["tag", tag]);
        }
        let served = self.0.join("team").join(format!("{name}.git"));
        fs::create_dir_all(&served).unwrap();
        git(&served, &["init", "-q", "--bare", "-b", "main"]);
        let served = served.to_str().unwrap();
        git(&work, &["push", "-q", "--all", served]);
        git(&work, &["push", "-q", "--tags", served]);
    }

    pub fn work(&self, name: &str) -> PathBuf {
        self.0.join("work").join(name)
    }
}

pub fn git(folder: &Path, words: &[&str]) {
    let status = Command::new("git")
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Somebody")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "s@example.test")))
        .status();
    assert!(status.unwrap().success(), "git {words:?}");
}

pub const DEP: [(&str, &str); 2] = [
    ("go.mod", "module git.example.test/team/dep\n\ngo 1.21\n"),
    (
        "dep.go",
        "package dep\n\nfunc Word() string { return \"from its repository\" }\n",
    ),
];

const MAIN: &str =
    "package main\n\nimport \"git.example.test/team/dep\"\n\nfunc main() { println(dep.Word()) }\n";

/// A project that needs a private module, and the profile that says where it is.
pub fn project(env: Env, ca: &Path, private: &str, netrc: &str) -> (Site, PathBuf) {
    // A proxy that has nothing.
    with_upstreams(env, ca, "file:///srv/none", private, netrc)
}

/// The same with general upstreams.
pub fn with_upstreams(
    env: Env,
    ca: &Path,
    upstreams: &str,
    private: &str,
    netrc: &str,
) -> (Site, PathBuf) {
    let site = Site::new(env);
    site.file("go.mod", "module example.test/main\n\ngo 1.21\n");
    site.file("main.go", MAIN);
    let shown = site.outside.join("ca.pem");
    fs::copy(ca, &shown).unwrap();
    let own = site.home.join(".netrc");
    write(&own, netrc);
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).unwrap();
    site.settle();
    let profile = site.profile(&format!(
        "extends = \"strict\"\n\n[modules]\nupstreams = \"{upstreams}\"\nca = [{shown:?}]\n\n\
         [modules.private]\n{private}\n"
    ));
    (site, profile)
}

pub fn run(site: &Site, profile: &Path, words: &[&str]) -> Ended {
    let options = ["--profile", profile.to_str().unwrap(), "--cache-dir"];
    let caches = site.home.join("caches");
    let options = [&options[..], &[caches.to_str().unwrap()]].concat();
    let mut command = site.gosandbox_apart(&options, words);
    Ended::of(&mut command)
}

const DIRECT: &str = "\"git.example.test/team/*\" = { direct = \"https\" }";

#[test]
fn a_module_comes_from_its_own_repository_by_https_with_credentials_that_nothing_inside_sees() {
    if !apart::is(
        "direct::a_module_comes_from_its_own_repository_by_https_with_credentials_that_nothing_inside_sees",
    ) {
        return;
    }
    resolve();
    let repositories = Repositories::new();
    repositories.commit("dep", &DEP, Some("v1.2.0"));
    let closed = Behaviour {
        is_closed: true,
        ..Behaviour::default()
    };
    let host = Host::start(HOST, "127.0.0.1", &repositories.0, closed);
    let stranger = Host::start(HOST, "127.0.0.2", &repositories.0, Behaviour::default());
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let words = ["go", "get", "git.example.test/team/dep@v1.2.0"];
        // Without credentials the host says nothing.
        let (site, profile) = project(env, &host.ca, DIRECT, "");
        let denied = run(&site, &profile, &words).expect(1);
        let denied = denied
            .says("401 Unauthorized")
            .says(&format!("machine {HOST} login"));
        assert!(!site.work.join("go.sum").exists(), "{denied:?}");
        let (login, password) = LOGIN;
        let entry = format!("machine {HOST} login {login} password {password}\n");
        // Nor is one believed whose authority nobody has named.
        let (site, profile) = project(env, &stranger.ca, DIRECT, &entry);
        let untrusted = run(&site, &profile, &words).expect(1);
        untrusted.says("unknown authority").says("[modules] ca = [");
        let (site, profile) = project(env, &host.ca, DIRECT, &entry);
        run(&site, &profile, &words).expect(0);
        let listed = ["go", "list", "-f", "{{.Dir}}", "git.example.test/team/dep"];
        let listed = run(&site, &profile, &listed).expect(0);
        let source = fs::read_to_string(Path::new(listed.stdout.trim()).join("dep.go"));
        assert_eq!(source.unwrap(), DEP[1].1);
        let versions = ["go", "list", "-m", "-versions", "git.example.test/team/dep"];
        run(&site, &profile, &versions).expect(0).says("dep v1.2.0");
        let sum = fs::read_to_string(site.work.join("go.sum")).unwrap();
        assert!(
            sum.contains("git.example.test/team/dep v1.2.0 h1:"),
            "{sum}"
        );
    }
}

/// A project whose user has these settings of git's, and what came of `go get`.
fn attacked(host: &Host, module: &str) -> (Site, Ended) {
    let (login, password) = LOGIN;
    let entry = format!(
        "machine {HOST} login {login} password {password}\n\
         machine {OTHER} login {login} password {password}\n"
    );
    let (site, profile) = project(Env::User, &host.ca, DIRECT, &entry);
    let mark = site.home.join("ran");
    let mark = mark.display();
    write(
        &site.home.join(".gitconfig"),
        &format!(
            "[url \"https://{OTHER}/\"]\n\tinsteadOf = https://{HOST}/\n[credential]\n\thelper = \"!touch {mark}\"\n\
             [core]\n\tsshCommand = touch {mark}\n\taskPass = touch {mark}\n[protocol]\n\tallow = always\n\
             [filter \"evil\"]\n\tsmudge = touch {mark}\n\tclean = touch {mark}\n\tprocess = touch {mark}\n\
             [init]\n\ttemplateDir = {mark}\n"
        ),
    );
    if is_root() {
        chown(site.home.join(".gitconfig"), Some(site.caller()), None).unwrap();
    }
    let ended = run(&site, &profile, &["go", "get", module]);
    assert!(!site.home.join("ran").exists(), "{module}: {ended:?}");
    (site, ended)
}

#[test]
fn a_hostile_repository_runs_nothing_and_leads_nowhere_else() {
    if !apart::is("direct::a_hostile_repository_runs_nothing_and_leads_nowhere_else") {
        return;
    }
    resolve();
    let repositories = Repositories::new();
    repositories.commit("dep", &DEP, None);
    let work = repositories.work("dep");
    let files = [
        (
            ".gitattributes",
            "* filter=evil diff=evil\n*.go ident export-subst filter=lfs\n",
        ),
        (
            ".gitmodules",
            "[submodule \"m\"]\n\tpath = m\n\turl = ext::sh -c touch% /tmp/ran\n\tupdate = !touch ran\n",
        ),
        (
            ".lfsconfig",
            "[lfs]\n\turl = https://other.example.test/lfs\n",
        ),
        (".git/hooks/post-checkout", "#!/bin/sh\ntouch ran\n"),
    ];
    for (name, content) in files {
        write(&work.join(name), content);
    }
    std::os::unix::fs::symlink("/etc/passwd", work.join("passwd.go")).unwrap();
    std::os::unix::fs::symlink("../../../../../../../home", work.join("up")).unwrap();
    repositories.push("dep", Some("v1.0.0"));
    let other = Host::start(OTHER, "127.0.0.2", &repositories.0, Behaviour::default());
    let module = "git.example.test/team/dep@v1.0.0";
    let plain = Host::start(HOST, "127.0.0.1", &repositories.0, Behaviour::default());
    let (site, ended) = attacked(&plain, module);
    ended.expect(0);
    let zip = site
        .home
        .join("caches/mod/git.example.test/team/dep@v1.0.0");
    assert!(zip.join("dep.go").exists());
    for link in ["passwd.go", "up", "m"] {
        assert!(fs::symlink_metadata(zip.join(link)).is_err(), "{link}");
    }
    // Only the patterns: a go.mod that names a path beside them has nobody asked for it.
    let before = plain.asked().len();
    let (_, ended) = attacked(&plain, "git.example.test/teams/dep@v1.0.0");
    ended.expect(1);
    assert_eq!(plain.asked().len(), before);
    assert_eq!(other.asked(), [""; 0]);
}

#[test]
fn a_host_that_sends_elsewhere_is_not_followed() {
    if !apart::is("direct::a_host_that_sends_elsewhere_is_not_followed") {
        return;
    }
    resolve();
    let repositories = Repositories::new();
    repositories.commit("dep", &DEP, Some("v1.0.0"));
    let other = Host::start(OTHER, "127.0.0.2", &repositories.0, Behaviour::default());
    let elsewhere = format!("https://{OTHER}/team/dep.git");
    let moved = |from: &str, to: &str| Behaviour {
        redirects: vec![(from.to_owned(), to.to_owned())],
        ..Behaviour::default()
    };
    let says = |repository: &str| Behaviour {
        repository: Some(repository.to_owned()),
        ..Behaviour::default()
    };
    let good = Host::start(HOST, "127.0.0.1", &repositories.0, Behaviour::default());
    let (_, ended) = attacked(&good, "git.example.test/team/dep@v1.0.0");
    ended.expect(0);
    for (at, behaviour) in [
        moved("/team/dep.git", &elsewhere),
        moved("/team/dep", &format!("https://{OTHER}/team/dep")),
        moved("/team/dep.git", "http://127.0.0.2/team/dep.git"),
        says(&elsewhere),
        says("ext::sh -c touch% ran"),
        says("file:///srv/dep.git"),
        says("http://git.example.test/team/dep.git"),
        says("git://git.example.test/team/dep.git"),
        says("ssh://git@git.example.test/team/dep.git"),
        says("https://git.example.test:8443/team/dep.git"),
        says("-oProxyCommand=touch"),
    ]
    .into_iter()
    .enumerate()
    {
        // A name server that leads to another address each time would do the same.
        let address = format!("127.0.1.{}", at + 1);
        lead_to(&address);
        let host = Host::start(HOST, &address, &repositories.0, behaviour.clone());
        let (_, ended) = attacked(&host, "git.example.test/team/dep@v1.0.0");
        assert_eq!(ended.status, 1, "{behaviour:?}: {ended:?}");
        assert!(!host.asked().is_empty(), "{behaviour:?}: {ended:?}");
        assert_eq!(other.asked(), [""; 0], "{behaviour:?}: {ended:?}");
    }
}

#[test]
fn a_file_in_the_work_tree_makes_no_module_direct() {
    let site = Site::new(Env::User);
    site.file("go.mod", "module example.test/main\n\ngo 1.21\n");
    site.file(
        ".gosandbox.toml",
        "[modules.private]\n\"git.example.test/*\" = { direct = \"https\", checksum-database = true }\n",
    );
    site.settle();
    let refused = site.run(&[], &["go", "list", "-m"]).expect(125);
    refused.refused("profile-loosens").says("from elsewhere");
}
