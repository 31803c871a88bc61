//! `--report` in the work tree: what the command puts in its place is not written through.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::in_environments;
use crate::support::user_project::UserProject;
use crate::support::{Ended, Env, Site, gosandbox, held, write};

const OWN: &str = "the user's own\n";

/// Puts a link to the user's own file in the place of the report.
const EXCHANGE: &str = "rm -f own/report.json; ln -s ../../outside/profile own/report.json";

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("own/README", "");
    write(&site.outside.join("profile"), OWN);
    site.settle();
    site
}

fn kept(site: &Site) -> bool {
    fs::read_to_string(site.outside.join("profile")).is_ok_and(|text| text == OWN)
}

fn a_link_that_the_command_puts_in_the_place_of_the_report_is_not_followed(env: Env) {
    let site = site(env);
    let options = ["--report", "own/report.json"];
    site.run(&options, &["true"]).expect(0);
    let text = fs::read_to_string(site.work.join("own/report.json")).unwrap();
    assert!(text.contains("\"enforced\""), "{env:?}: {text}");
    let ended = site.run(&options, &["sh", "-c", EXCHANGE]);
    assert!(kept(&site), "{env:?}: {ended:?}");
    match env.has_namespaces() {
        // The link leads out of the work tree, and does not land.
        true => ended.expect(125).says("link-leaves-tree"),
        false => ended.expect(125).refused("report-refused"),
    };
    let direct = [&options[..], &["--stage", "direct"]].concat();
    let ended = site.run(&direct, &["sh", "-c", EXCHANGE]);
    assert!(kept(&site), "{env:?}: {ended:?}");
    ended.expect(125).refused("report-refused");
    fs::remove_file(site.work.join("own/report.json")).unwrap();
    let script = "mv own away; mkdir -p own; ln -s ../outside own/x; mv own/x own2";
    let ended = site.run(&options, &["sh", "-c", script]);
    assert!(kept(&site), "{env:?}: {ended:?}");
}

in_environments!(a_link_that_the_command_puts_in_the_place_of_the_report_is_not_followed);

#[test]
fn a_fifo_in_its_place_makes_nobody_wait() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let script = "rm -f own/report.json; mkfifo own/report.json";
        let options = ["--stage", "direct", "--report", "own/report.json"];
        site.run(&options, &["sh", "-c", script])
            .expect(125)
            .refused("report-refused");
    }
}

#[test]
fn a_link_of_the_repository_does_not_choose_where_the_report_goes() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        symlink("../../outside/profile", site.work.join("own/report.json")).unwrap();
        symlink("../outside", site.work.join("folder")).unwrap();
        for place in ["own/report.json", "folder/profile"] {
            let ended = site.run(&["--report", place], &["true"]);
            assert!(kept(&site), "{env:?}: {ended:?}");
            ended.expect(125).refused("report-refused");
        }
    }
}

/// A line of it has what the repository makes gosandbox say, and a shell would execute some of that.
#[test]
fn a_link_of_the_repository_does_not_choose_where_the_audit_log_goes() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        symlink("../../outside/profile", site.work.join("own/log")).unwrap();
        symlink("../../outside/new", site.work.join("own/nowhere")).unwrap();
        symlink("../outside", site.work.join("folder")).unwrap();
        for place in ["own/log", "folder/profile", "own/nowhere"] {
            let options = ["--audit-log", place];
            let ended = site.run(&options, &["true"]);
            assert!(kept(&site), "{env:?}: {ended:?}");
            ended.expect(125).refused("audit-log-refused");
            // Nor before it is known whose link it is.
            write(&site.work.join(".gosandbox.toml"), "nonsense");
            site.run(&options, &["true"]).expect(125);
            assert!(kept(&site), "{env:?} {place}");
            fs::remove_file(site.work.join(".gosandbox.toml")).unwrap();
        }
        assert!(!site.outside.join("new").exists(), "{env:?}");
        let link = site.outside.join("link");
        symlink("profile", &link).unwrap();
        let ended = site
            .run(&["--audit-log", link.to_str().unwrap()], &["gcc"])
            .expect(125);
        if env == Env::Container {
            // In a folder of another user's than the launcher's.
            ended.refused("audit-log-refused");
            assert!(kept(&site));
            continue;
        }
        let text = fs::read_to_string(site.outside.join("profile")).unwrap();
        assert!(text.contains("run-refused"), "the user's own: {text}");
    }
}

/// Protected paths are judged before anything is made: in any letter case, deep in the tree, behind links of the tree's.
fn neither_report_nor_audit_log_is_a_protected_path(env: Env) {
    let site = site(env);
    site.file(".git/hooks/README", "");
    site.file("sub/.git/hooks/README", "");
    symlink("../sub/.git/hooks", site.work.join("own/hooks")).unwrap();
    symlink("sub/.git/hooks/post-merge", site.work.join("dangling")).unwrap();
    site.settle();
    let before = site.listing();
    for place in [
        ".git/hooks/pre-commit",
        ".git/hooks/README",
        ".GIT/hooks/pre-commit",
        "sub/.git/hooks/pre-commit",
        "own/hooks/pre-commit",
        "dangling",
        ".envrc",
        ".Envrc",
    ] {
        if place.starts_with(".GIT") {
            fs::create_dir_all(site.work.join(".GIT/hooks")).unwrap();
        }
        for option in ["--report", "--audit-log"] {
            for words in [&["true"][..], &["gcc"]] {
                site.run(&[option, place], words).expect(125);
                site.run(&[option, place, "--dry-run"], words);
            }
        }
        let _ = fs::remove_dir_all(site.work.join(".GIT"));
        assert_eq!(site.listing(), before, "{env:?} {place}");
        let readme = fs::read(site.work.join(".git/hooks/README")).unwrap();
        assert!(readme.is_empty(), "{env:?} {place}");
    }
}

in_environments!(neither_report_nor_audit_log_is_a_protected_path);

/// In a tree that another user can change, root's report lands in no folder of root's. tests/staged/windows.rs looks
/// at more than that folder.
#[test]
fn a_folder_that_is_exchanged_for_a_link_has_root_write_nowhere_else() {
    let Some(project) = UserProject::new(&["report.json"]) else {
        return;
    };
    let (work, root_folder) = (&project.site.work, &project.root_folder);
    let (folder, link) = (work.join("own"), work.join("link"));
    project.site.file("own/README", "");
    project.site.settle();
    project.link(&link, "");
    let exchange = || renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
    let command = || {
        let mut words = vec![gosandbox().to_str().unwrap()];
        words.extend(["--report", "own/report.json", "--", "true"]);
        project.command(&words)
    };
    let site = project.site.root.file_name().unwrap();
    let place = Path::new(site).join("work/own");
    let at = |window| {
        let (ended, windows) = held::at_window(&mut command(), &place, window, exchange);
        assert!(project.is_kept(), "{window:?} of {windows}: {ended:?}");
        if folder.is_symlink() {
            exchange();
        }
        (ended, windows)
    };
    let (ended, windows) = at(None);
    ended.expect(0);
    assert_ne!(windows, 0);
    for window in 0..windows {
        let (ended, _) = at(Some(window));
        assert!([0, 125].contains(&ended.status), "{window}: {ended:?}");
    }
    // The link is there from the start.
    exchange();
    Ended::of(&mut command()).expect(125);
    assert!(project.is_kept());
    // By its path, as root, it is written over.
    fs::write(folder.join("report.json"), "report").unwrap();
    let written = fs::read(root_folder.join("report.json")).unwrap();
    assert_eq!(written, b"report");
}

#[test]
fn it_goes_where_the_users_own_links_and_devices_lead() {
    let site = site(Env::User);
    let link = site.outside.join("link");
    symlink("target.json", &link).unwrap();
    write(&site.outside.join("target.json"), "longer than nothing");
    site.settle();
    site.run(&["--report", link.to_str().unwrap()], &["true"])
        .expect(0);
    let text = fs::read_to_string(site.outside.join("target.json")).unwrap();
    assert!(text.starts_with('{') && text.ends_with("}\n"), "{text}");
    // A pipe of the user's own.
    let script = format!(
        "{} --report /dev/stdout -- true | cat",
        gosandbox().display()
    );
    let mut command = site.bare(&["sh", "-c", &script]);
    // Attacks that succeed bare write into the caches that bare runs share.
    for (name, folder) in [("GOCACHE", "builds"), ("GOMODCACHE", "modules")] {
        command.env(name, site.outside.join(folder));
    }
    let ended = Ended::of(&mut command).expect(0);
    assert!(ended.stdout.contains("\"enforced\""), "{ended:?}");
}

#[test]
fn it_is_written_through_without_gosandbox() {
    let site = site(Env::User);
    let script = format!("{EXCHANGE}; echo report > own/report.json");
    Ended::of(&mut site.bare(&["sh", "-c", &script])).expect(0);
    assert!(!kept(&site));
}
