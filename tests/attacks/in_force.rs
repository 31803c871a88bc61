//! Layers and folders that are not what they should be when a run starts.

use std::fs;

use crate::grants::site;
use crate::support::Env;

/// A profile may name what is there on some hosts only.
#[test]
fn a_path_that_a_profile_lets_be_read_may_be_missing() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let file = site.outside.join("file");
        let missing = site.outside.join("missing");
        let text = format!("[files]\nread = [{file:?}, {missing:?}]\n");
        site.settle();
        let profile = site.profile(&text);
        let options = ["--profile", profile.to_str().unwrap()];
        site.run(&options, &["cat", file.to_str().unwrap()])
            .expect(0)
            .says("text");
        assert!(!missing.exists());
    }
}

#[test]
fn a_layer_that_is_required_and_not_there_is_named_with_its_reason_and_nothing_runs() {
    let site = site(Env::Restricted);
    let ended = site.run(&["--require", "namespaces"], &["touch", "started"]);
    assert!(ended.stderr.contains("namespaces"), "{ended:?}");
    ended
        .expect(125)
        .refused("layer-missing")
        .says("gosandbox doctor");
    assert!(!site.work.join("started").exists());
    let ended = site.run(&["--require", "landlock"], &["cat", "go.mod"]);
    ended.expect(0);
    let e5 = Env::NoLandlock;
    let site = self::site(e5);
    site.run(&["--require", "landlock"], &["touch", "started"])
        .expect(125)
        .refused("layer-missing")
        .says("landlock");
    assert!(!site.work.join("started").exists());
}

/// The command's process shows itself that it is confined: what was asked for may not have happened.
#[test]
fn a_landlock_that_is_not_in_force_is_noticed_and_nothing_runs() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.file("own/README", "");
        site.settle();
        for words in [&["touch", "own/started"][..], &["go", "version"]] {
            let mut command = site.gosandbox(&[], words);
            crate::support::confined::with_landlock_pretended(&mut command);
            crate::support::Ended::of(&mut command)
                .expect(125)
                .says("cannot show that");
        }
        assert!(!site.work.join("own/started").exists(), "{env:?}");
    }
}

/// What is granted cannot be what shows that the domain is in force.
#[test]
fn a_temporary_folder_that_is_granted_is_no_reason_to_refuse() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let place = site.outside.to_str().unwrap();
        for option in ["--ro", "--rw"] {
            let mut command = site.gosandbox(&[option, place], &["cat", "go.mod"]);
            crate::support::Ended::of(command.env("TMPDIR", &site.outside)).expect(0);
        }
    }
}

/// Root gives the run's folders to the sandbox user by name: another user must not have put others in their place.
#[test]
fn a_temporary_folder_in_which_others_can_rename_is_not_used() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let folder = site.outside.join("tmp");
        std::fs::create_dir(&folder).unwrap();
        site.settle();
        let is_own = site.root.metadata().unwrap().uid() == site.caller();
        for (mode, is_used) in [(0o777, false), (0o755, is_own)] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
            let mut command = site.gosandbox(&[], &["cat", "go.mod"]);
            crate::support::Ended::of(command.env("TMPDIR", &folder)).expect(0);
            let found = std::fs::read_dir(&folder).unwrap().count();
            assert_eq!(found, usize::from(is_used), "{env:?} {mode:o}");
        }
    }
}

/// The user's own launcher, in a folder of the user's, while it is the wrapper of the program (CVE-2019-5736).
#[test]
fn the_launchers_own_executable_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    const TEST: &str = "package p\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestExchange(t *testing.T) {\n\t\
        for _, path := range []string{\"LAUNCHER\", \"/run/gosandbox/gosandbox\"} {\n\t\tos.Chmod(path, 0o777)\n\t\t\
        os.Rename(path, path+\"-moved\")\n\t\tos.Remove(path)\n\t\tos.WriteFile(path, []byte(\"planted\"), 0o755)\n\t}\n}\n";
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let launcher = site.root.join("own/gosandbox");
        let make = || {
            fs::create_dir_all(launcher.parent().unwrap()).unwrap();
            crate::support::reachable::copy_executable(crate::support::gosandbox(), &launcher);
            fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).unwrap();
            site.file(
                "p_test.go",
                &TEST.replace("LAUNCHER", launcher.to_str().unwrap()),
            );
            site.settle();
        };
        make();
        let before = fs::read(&launcher).unwrap();
        let is_kept = || {
            let mode = fs::metadata(&launcher).map(|found| found.permissions().mode() & 0o777);
            mode.is_ok_and(|mode| mode == 0o755) && fs::read(&launcher).unwrap() == before
        };
        let mut command = std::process::Command::new(&launcher);
        let cache = site.cache();
        command
            .arg("--cache-dir")
            .arg(cache)
            .args(["--", "go", "test", "-count=1", "."]);
        site.prepare(&mut command);
        crate::support::confined::enter(&mut command, env, site.caller());
        let ended = crate::support::Ended::of(&mut command);
        assert!(is_kept(), "{env:?}: {ended:?}");
        ended.expect(0);
        crate::support::Ended::of(&mut site.bare(&["go", "test", "-count=1", "."]));
        assert!(!is_kept(), "{env:?}: it stays bare, too");
    }
}
