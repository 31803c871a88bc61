//! A Go that other users could change: a verified copy of it runs, or it is refused with the one command that helps.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use crate::proxy::Proxy;
use crate::support::is_root;
use crate::toolchain::{database, honest_files, module_of, serve, tree_of};
use crate::{Ended, Env, Scene, write};

/// Who owns the tool cache: neither root nor anybody that tests run as.
const STRANGER: u32 = 4343;

/// A Go in a tool cache, as hosted runners have it.
struct Loose {
    scene: Scene,
    goroot: PathBuf,
    /// What is in a file of it, and in no other test's.
    mark: String,
    _proxy: Proxy,
}

impl Loose {
    fn new(env: Env, name: &str) -> Loose {
        let scene = Scene::new(env);
        let mark = format!("package runtime // {name} {env:?} {}\n", std::process::id());
        let files = honest_files(&mark);
        let published = tree_of(&module_of(&files));
        let database = database(&published);
        let mut served = published.clone();
        database.add_to(&mut served);
        let proxy = serve(served);
        let ca = scene.site.root.join("ca.pem");
        fs::copy(&proxy.ca, &ca).unwrap();
        fs::set_permissions(&ca, Permissions::from_mode(0o644)).unwrap();
        let text = format!(
            "extends = \"strict\"\n\n[modules]\nupstreams = \"{}\"\nca = [\"{}\"]\nchecksum-database = \"{}\"\n",
            proxy.address,
            ca.display(),
            database.verifier()
        );
        write(&scene.profile, &text);
        fs::remove_file(scene.site.work.join("main.go")).unwrap();
        scene
            .site
            .file("go.mod", "module example.test/main\n\ngo 1.21\n");
        scene.settle();
        let goroot = scene.site.root.join("tools/go/1.98.7/x64");
        for (name, content) in &files {
            let path = goroot.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        // What lies beside a distribution, and what an image has set.
        write(&goroot.join("setup.sh"), "#!/bin/sh\n");
        write(&goroot.join("test/x.go"), "package x\n");
        std::os::unix::fs::symlink("/etc/passwd", goroot.join("misc")).unwrap();
        let settings = goroot.join("go.env");
        let local = fs::read_to_string(&settings)
            .unwrap()
            .replace("=auto", "=local");
        write(&settings, &local);
        let loose = Loose {
            goroot,
            mark,
            _proxy: proxy,
            scene,
        };
        loose.open();
        loose
    }

    /// Opens everything to everybody.
    fn open(&self) {
        let tools = self.scene.site.root.join("tools");
        let chmod = Command::new("chmod")
            .args(["-R", "777"])
            .arg(&tools)
            .status();
        assert!(chmod.unwrap().success());
        if is_root() {
            let owner = STRANGER.to_string();
            let chown = Command::new("chown")
                .args(["-hR", &owner])
                .arg(&tools)
                .status();
            assert!(chown.unwrap().success());
        }
    }

    fn run(&self, options: &[&str]) -> Ended {
        let goroot = ["--goroot", self.goroot.to_str().unwrap()];
        let mut command = self
            .scene
            .command(&[&goroot, options].concat(), &["go", "version"]);
        Ended::of(command.env("GOTOOLCHAIN", "local"))
    }

    fn profile(&self, line: &str) {
        let text = fs::read_to_string(&self.scene.profile).unwrap();
        write(&self.scene.profile, &format!("{text}\n{line}\n"));
        self.scene.settle();
    }

    /// The copies of this Go.
    fn copies(&self) -> Vec<PathBuf> {
        let folder = match self.scene.site.caller() {
            0 => PathBuf::from("/var/cache/gosandbox/toolchains"),
            _ => self.scene.site.home.join(".cache/gosandbox/toolchains"),
        };
        let entries = fs::read_dir(folder).into_iter().flatten();
        let copies = entries.map(|entry| entry.unwrap().path());
        let has_mark = |copy: &PathBuf| {
            let text = fs::read_to_string(copy.join("src/runtime/runtime.go"));
            text.is_ok_and(|text| text.trim_end() == self.mark.trim_end())
        };
        copies.filter(has_mark).collect()
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        for copy in self.copies() {
            let _removed = fs::remove_dir_all(copy);
        }
    }
}

#[test]
fn a_verified_copy_of_a_go_that_others_could_change_runs() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let loose = Loose::new(env, "copy");
        let report = loose.scene.site.root.join("home/report.json");
        let options = ["--report", report.to_str().unwrap()];
        for _ in 0..2 {
            let ended = loose.run(&options).expect(0);
            assert_eq!(ended.stdout, "the other go [version]\n", "{env:?}");
            let warnings = ended.stderr.lines().filter(|line| line.contains("warning"));
            assert_eq!(warnings.count(), 1, "{env:?}: {}", ended.stderr);
        }
        let copies = loose.copies();
        assert_eq!(copies.len(), 1, "{env:?}");
        let copy = copies[0].to_str().unwrap();
        let report = fs::read_to_string(&report).unwrap();
        assert!(report.contains(copy), "{env:?}: {report}");
        // Its own settings are the published ones, and what is not published is not in it.
        let settings = fs::read_to_string(copies[0].join("go.env")).unwrap();
        assert!(settings.contains("GOTOOLCHAIN=auto"));
        assert!(!copies[0].join("setup.sh").exists() && !copies[0].join("test").exists());
        if env.has_namespaces() {
            let place = format!("\"{}\"", loose.goroot.display());
            assert!(report.contains(&place), "{env:?}: {report}");
        }
    }
}

#[test]
fn a_go_that_was_changed_is_refused_before_and_after_it_was_copied() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let loose = Loose::new(env, "changed");
        let file = loose.goroot.join("src/runtime/runtime.go");
        let honest = fs::read(&file).unwrap();
        for round in 0..2 {
            fs::write(&file, "package evil\n").unwrap();
            let refused = loose.run(&[]).expect(125).refused("goroot-writable");
            assert_eq!(refused.stdout, "", "{env:?} {round}");
            assert_eq!(loose.copies().len(), round, "{env:?}");
            refused.says("it cannot be verified");
            fs::write(&file, &honest).unwrap();
            loose.run(&[]).expect(0);
        }
    }
}

/// What an attacker puts where the launcher reads: links, a FIFO, and what it must not read.
#[test]
fn nothing_but_plain_files_is_copied() {
    for env in [Env::User, Env::Root]
        .into_iter()
        .filter(|env| env.is_here())
    {
        let loose = Loose::new(env, "plain");
        let file = loose.goroot.join("src/runtime/more.go");
        let fifo = || {
            let made = Command::new("mkfifo").arg(&file).status();
            assert!(made.unwrap().success());
        };
        let link = || std::os::unix::fs::symlink("/etc/shadow", &file).unwrap();
        let folder = || std::os::unix::fs::symlink("/etc", &file).unwrap();
        let make: [&dyn Fn(); 3] = [&fifo, &link, &folder];
        for (number, make) in make.into_iter().enumerate() {
            make();
            let refused = loose.run(&[]).expect(125).refused("goroot-writable");
            assert_eq!(refused.stdout, "", "{env:?} {number}");
            fs::remove_file(&file).unwrap();
        }
        loose.run(&[]).expect(0);
    }
}

#[test]
fn the_one_command_of_the_refusal_closes_all_of_it() {
    let loose = Loose::new(Env::User, "closes");
    loose.profile("[toolchain]\nloose = \"refuse\"");
    if is_root() {
        // What another user owns no command makes better.
        loose.open();
        let refused = loose.run(&[]).expect(125).refused("goroot-writable");
        assert!(!refused.stderr.contains("chmod"), "{}", refused.stderr);
        let tools = loose.scene.site.root.join("tools");
        let chown = Command::new("chown").args(["-hR", "0"]).arg(tools).status();
        assert!(chown.unwrap().success());
    }
    let refused = loose.run(&[]).expect(125).refused("goroot-writable");
    let help = refused
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("help: "));
    let done = Command::new("sh").args(["-c", help.unwrap()]).status();
    assert!(done.unwrap().success());
    let ended = loose.run(&[]).expect(0);
    assert_eq!(ended.stderr, "");
    assert_eq!(loose.copies().len(), 0);
}

#[test]
fn the_profile_says_whether_a_loose_go_runs() {
    let loose = Loose::new(Env::User, "profile");
    loose.profile("[toolchain]\nloose = \"allow\"");
    write(
        &loose.goroot.join("src/runtime/runtime.go"),
        "package mine\n",
    );
    let ended = loose
        .run(&[])
        .expect(0)
        .says("warning: other users could change");
    assert_eq!(ended.stdout, "the other go [version]\n");
    assert_eq!(loose.copies().len(), 0);
    // Where nobody can be asked, that is said.
    let text = fs::read_to_string(&loose.scene.profile).unwrap();
    let text = text.replace("\"allow\"", "\"verify\"");
    let off = text.replace("upstreams = \"", "upstreams = \"off\" #");
    write(&loose.scene.profile, &off);
    loose.scene.settle();
    let refused = loose.run(&[]).expect(125).refused("goroot-writable");
    refused.says("has no upstream");
}

/// The control: what root or the caller owns in a sticky folder is theirs, as in /tmp.
#[test]
fn a_go_below_a_sticky_folder_runs_as_it_is() {
    let loose = Loose::new(Env::User, "sticky");
    let tools = loose.scene.site.root.join("tools");
    let run = |command: &str| {
        let done = Command::new("sh").args(["-c", command]).status();
        assert!(done.unwrap().success());
    };
    let path = tools.display();
    run(&format!("chmod -R go-w {path} && chmod 1777 {path}"));
    if is_root() {
        run(&format!("chown -hR 0 {path}"));
    }
    assert_eq!(loose.run(&[]).expect(0).stderr, "");
    if is_root() {
        chown(tools.join("go"), Some(STRANGER), None).unwrap();
        loose.run(&[]).expect(0).says("a verified copy");
    }
}
