//! What programs do to init, and to whoever answers their calls where there are no namespaces.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::support::Env::{Container, Restricted, Root, User};
use crate::support::in_environments;
use crate::support::wait::{closed, ends, eventually};
use crate::support::{Ended, Env, Site, in_child};

const DESCRIPTORS: &str = include_str!("../fixtures/supervisor/descriptors.go");
const LIMITS: &str = include_str!("../fixtures/supervisor/limits.go");
const WAITS: &str = include_str!("../fixtures/supervisor/waits.go");
const NAMES: &str = include_str!("../fixtures/supervisor/names.go");

fn what_uses_up_the_supervisors_descriptors_ends_with_the_command(env: Env) {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    site.file("main.go", DESCRIPTORS);
    let goes_on = site.file("goes-on", "");
    site.settle();
    let words = ["go", "run", "main.go"];
    let commands = [site.bare(&words), site.gosandbox(&[], &words)];
    for (mut command, lives) in commands.into_iter().zip([true, false]) {
        // Few, so that few processes can use them up.
        let few = Some(200);
        in_child(&mut command, move || {
            let limit = Rlimit {
                current: few,
                maximum: few,
            };
            setrlimit(Resource::Nofile, limit).map_err(io::Error::from)
        });
        fs::write(&goes_on, "").unwrap();
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        ends(&mut child);
        let status = child.wait().unwrap();
        assert!(status.success(), "{env:?}: {status}");
        fs::remove_file(&goes_on).unwrap();
        // Whoever lives says so, and lets go of the pipe at its end.
        let said = closed(child.stdout.take().unwrap());
        let alive = if lives { 4 } else { 0 };
        assert_eq!(said.lines().count(), alive, "{env:?}: {command:?}: {said}");
    }
}

in_environments!(what_uses_up_the_supervisors_descriptors_ends_with_the_command: restricted Restricted, container Container);

#[test]
fn a_path_that_is_exchanged_makes_no_socket_of_the_hosts_the_programs_own() {
    for env in [Restricted, Container]
        .into_iter()
        .filter(|env| env.is_here())
    {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
        site.file("main.go", NAMES);
        for folder in ["theirs", "own"] {
            fs::create_dir(site.work.join(folder)).unwrap();
        }
        site.settle();
        let path = site.work.join("theirs/s");
        let _host = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let words = ["go", "run", "main.go"];
        Ended::of(&mut site.bare(&words)).expect(0).says("REACHED");
        fs::remove_dir_all(site.work.join("own")).unwrap();
        fs::create_dir(site.work.join("own")).unwrap();
        site.settle();
        let words = [&words[..], &["4000"]].concat();
        let inside = site.run(&[], &words).expect(0).says("made true");
        assert!(!inside.stdout.contains("REACHED"), "{env:?}: {inside:?}");
    }
}

fn a_call_that_is_made_to_wait_keeps_nothing_alive(env: Env) {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    site.file("main.go", WAITS);
    let left = site.file("left", "");
    site.settle();
    let has = |word: &str| fs::read_to_string(&left).unwrap().contains(word);
    let words = ["go", "run", "main.go"];
    let commands = [
        (site.gosandbox(&[], &words), "waits", false),
        (site.bare(&words), "alive", true),
    ];
    for (mut command, sign, lives) in commands {
        fs::write(&left, "").unwrap();
        let mut launcher = command.stdout(Stdio::piped()).spawn().unwrap();
        eventually(sign, || has(sign));
        launcher.kill().unwrap();
        launcher.wait().unwrap();
        let output = launcher.stdout.take().unwrap();
        if lives {
            fs::write(&left, "").unwrap();
            eventually("it lives on", || has("alive"));
        } else {
            // They hold the pipe until they end, which they do not do by themselves.
            closed(output);
        }
    }
}

in_environments!(a_call_that_is_made_to_wait_keeps_nothing_alive: restricted Restricted, container Container);

#[test]
fn a_program_takes_no_limits_from_init_nor_from_its_children() {
    for env in [User, Root].into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
        site.file("main.go", LIMITS);
        site.settle();
        for process in [&[][..], &["1"]] {
            let words = [&["go", "run", "main.go"], process].concat();
            site.run(&[], &words).expect(0).says("taken false");
        }
        let words = ["go", "run", "main.go"];
        Ended::of(&mut site.bare(&words)).says("taken true");
    }
}
