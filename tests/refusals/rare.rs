//! Codes of what seldom happens, each by what makes it happen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, mount};

use crate::support::mounts::among_own_mounts;
use crate::support::{
    Ended, Env, ORDINARY, Site, give_tree, gosandbox, held, in_child, needs_program, needs_root,
};

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.stage_apart();
    site.file("go.mod", "module example.test/m\n\ngo 1.21\n");
    site
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The stage of a run whose change was refused, and the run's name.
fn refused_change(site: &Site) -> (PathBuf, String) {
    let ended = site.run(&[], &["sh", "-c", "mkdir .github"]).expect(125);
    ended.says("(protected-path)");
    let folder = site.root.with_extension("tmp");
    let folder = folder.join(format!("gosandbox-{}", site.caller()));
    let names = fs::read_dir(&folder).unwrap().flatten();
    let stage = names
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|it| it == "stage"))
        .unwrap();
    let run = stage.file_stem().unwrap().to_str().unwrap().to_owned();
    (stage, run)
}

#[test]
fn root_that_cannot_become_another_user() {
    if !needs_root("only root can lack a capability of root's") {
        return;
    }
    let site = site(Env::Root);
    site.settle();
    let mut command = site.gosandbox(&[], &["true"]);
    in_child(&mut command, || {
        const CAP_SETUID: libc::c_ulong = 7;
        // SAFETY: it takes plain numbers. Root gets what is left of the bounding set when it executes.
        #[allow(unsafe_code)]
        match unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SETUID, 0, 0, 0) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    });
    Ended::of(&mut command)
        .expect(125)
        .refused("root-cannot-switch");
}

#[test]
fn a_layer_that_the_kernel_refuses() {
    if !needs_program("strace", "strace") {
        return;
    }
    let site = site(Env::User);
    site.settle();
    let launcher = site.gosandbox(&[], &["true"]);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    command.args(["-e", "inject=landlock_restrict_self:error=ENOMEM"]);
    command.arg(gosandbox()).args(launcher.get_args());
    site.prepare(&mut command);
    crate::support::confined::enter(&mut command, site.env, site.caller());
    Ended::of(&mut command)
        .expect(125)
        .refused("sandbox-failed")
        .says("Cannot allocate memory");
}

#[test]
fn a_record_that_nobody_understands() {
    let site = site(Env::User);
    site.settle();
    let (stage, run) = refused_change(&site);
    fs::write(stage.join("record.json"), "{\"schema\": 99}").unwrap();
    let list = Ended::of(&mut site.subcommand(&["changes", "list"]));
    list.expect(0).says(&run).says("unreadable");
    let show = Ended::of(&mut site.subcommand(&["changes", "show", &run]));
    show.expect(125).refused("changes-unreadable");
}

#[test]
fn changes_of_another_users_tree() {
    if !needs_root("root stages for another user") {
        return;
    }
    let site = site(Env::Root);
    site.settle();
    // Root's run, by a user that is neither the tree's owner nor the one that asks afterwards.
    give_tree(&site.work, 65534);
    set_mode(&site.root, 0o755);
    let (stage, run) = refused_change(&site);
    let theirs = stage
        .parent()
        .unwrap()
        .with_file_name(format!("gosandbox-{ORDINARY}"));
    fs::create_dir(&theirs).unwrap();
    set_mode(&theirs, 0o700);
    let moved = theirs.join(stage.file_name().unwrap());
    fs::rename(&stage, &moved).unwrap();
    give_tree(&theirs, ORDINARY);
    set_mode(theirs.parent().unwrap(), 0o711);
    let mut command = Command::new(gosandbox());
    command.args(["changes", "apply", &run]);
    site.prepare(&mut command);
    crate::support::confined::enter(&mut command, Env::User, ORDINARY);
    Ended::of(&mut command)
        .expect(125)
        .refused("changes-of-other-user")
        .says("help: setpriv --reuid 65534 ");
}

#[test]
fn a_folder_that_its_owner_cannot_read() {
    let site = site(Env::User);
    fs::create_dir(site.work.join("closed")).unwrap();
    site.settle();
    set_mode(&site.work.join("closed"), 0o000);
    let script = "chmod 700 closed; echo new >closed/file";
    let ended = site.run(&[], &["sh", "-c", script]).expect(125);
    ended.says("closed: ").says("(unreadable-folder)");
    set_mode(&site.work.join("closed"), 0o700);
    assert_eq!(fs::read_dir(site.work.join("closed")).unwrap().count(), 0);
}

/// The file system of the work tree has less room than that of the stage.
#[test]
fn a_change_that_does_not_fit() {
    if !needs_root("mounts below the work tree need root") {
        return;
    }
    let site = site(Env::User);
    among_own_mounts(|| {
        let small = Some(c"size=128k,mode=755");
        mount("tmpfs", &site.work, "tmpfs", MountFlags::empty(), small).unwrap();
        site.file("go.mod", "module example.test/m\n\ngo 1.21\n");
        site.settle();
        let script = "head -c 1000000 /dev/zero >large; echo small >small";
        let ended = site.run(&[], &["sh", "-c", script]).expect(125);
        ended.says("large: ").says("(not-applied)");
        assert!(!site.work.join("large").exists());
        assert!(site.work.join("small").exists());
    });
}

/// Another user exchanges the work tree, before each call of root's launcher that comes through it.
#[test]
fn a_work_tree_that_is_exchanged() {
    if !needs_root("a launcher that runs as root") {
        return;
    }
    let mut found = false;
    for window in 0.. {
        let site = Site::new(Env::User);
        site.file("go.mod", "module example.test/m\n\ngo 1.21\n");
        site.settle();
        let (work, other) = (site.work.clone(), site.root.join("other"));
        fs::create_dir(&other).unwrap();
        let mut command = Command::new(gosandbox());
        command.args(["--", "sh", "-c", "echo new >file"]);
        site.prepare(&mut command);
        let place = Path::new(site.root.file_name().unwrap()).join("work");
        let (ended, calls) = held::at_window(&mut command, &place, Some(window), || {
            fs::rename(&work, site.root.join("old")).unwrap();
            fs::rename(&other, &work).unwrap();
        });
        if ended.stderr.contains("(tree-exchanged)") {
            ended.expect(125).refused("tree-exchanged");
            found = true;
        }
        if found || calls <= window {
            break;
        }
    }
    assert!(found, "no moment was noticed");
}
