//! systemd's own reader of units.

use std::fs;
use std::path::Path;
use std::process::Command;

use gosandbox::generate::{self, Model};

use crate::support::{self, Env, needs_program, reachable};
use crate::{folder, launcher, policy, site};

#[test]
fn systemd_takes_the_unit_and_the_drop_in_without_a_warning() {
    if !needs_program("systemd-analyze", "systemd") {
        return;
    }
    let folder = folder("systemd");
    let (policy, mut site) = (policy(), site(Path::new("/tmp")));
    site.launcher = reachable::gosandbox().to_owned();
    let model = Model::new(&policy, &site).unwrap();
    let files = generate::backend("systemd")
        .unwrap()
        .render(&model)
        .unwrap();
    let unit = folder.join("gosandbox-build.service");
    fs::write(&unit, &files[0].content).unwrap();
    let own = folder.join("own.service");
    let service = "[Service]\nExecStart=/bin/true\nUser=daemon\n";
    fs::write(&own, format!("{service}{}", files[1].content)).unwrap();
    for (file, most) in [(&unit, 35), (&own, 20)] {
        let done = Command::new("systemd-analyze")
            .arg("verify")
            .arg(file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.trim().is_empty(), "{said}");
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", &format!("--threshold={most}")]);
        let done = security.arg(file).output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stdout)
        );
    }
    fs::remove_dir_all(folder).unwrap();
}

/// The unit starts in another folder than the one that its profile was named in.
#[test]
fn a_profile_that_is_a_file_is_named_by_its_whole_path() {
    let site = support::Site::new(Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    fs::write(site.outside.join("mine.toml"), "extends = \"strict\"\n").unwrap();
    site.settle();
    let work = site.work.to_str().unwrap();
    let words = [
        "profile",
        "systemd",
        "-q",
        "--profile",
        "mine.toml",
        "-C",
        work,
    ];
    let made = launcher(&site, &site.outside, &words);
    let (said, told) = (
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr),
    );
    assert!(made.status.success(), "{told}");
    let file = site.outside.join("mine.toml");
    assert!(
        said.contains(&format!(" --profile {} ", file.display())),
        "{said}"
    );
}

/// Every system call of a staged run is one that the unit answers: one that is missing has the launcher fall back.
#[test]
fn the_unit_lets_the_launcher_make_all_of_its_calls() {
    if !needs_program("strace", "strace") {
        return;
    }
    let site = support::Site::new(Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file(
        "m_test.go",
        "package m\n\nimport \"testing\"\n\nfunc TestM(*testing.T) {}\n",
    );
    site.settle();
    let unit = launcher(&site, &site.work, &["profile", "systemd", "-q"]);
    let unit = String::from_utf8(unit.stdout).unwrap();
    let listed = unit
        .lines()
        .find_map(|line| line.strip_prefix("SystemCallFilter="));
    let listed: Vec<&str> = listed.unwrap().split_whitespace().collect();
    let log = site.outside.join("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    command
        .arg(reachable::gosandbox())
        .arg("--cache-dir")
        .arg(site.cache());
    command.args(["--", "go", "test", "./..."]);
    site.prepare(&mut command);
    support::confined::enter(&mut command, Env::User, site.caller());
    support::Ended::of(&mut command).expect(0);
    let log = fs::read_to_string(log).unwrap();
    let called = log.lines().filter_map(|line| {
        let (call, _) = line.split_whitespace().nth(1)?.split_once('(')?;
        call.bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
            .then_some(call)
    });
    let called: std::collections::BTreeSet<&str> = called.collect();
    assert!(
        called.contains("fspick") && called.contains("pivot_root"),
        "{called:?}"
    );
    let missing: Vec<_> = called
        .iter()
        .filter(|call| !listed.contains(call))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
