//! What programs do to init, and to whoever answers their calls where there are no namespaces.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::support::Env::{Container, Restricted, Root, User};
use crate::support::in_environments;
use crate::support::{Ended, Env, Site, in_child};

const DESCRIPTORS: &str = include_str!("../fixtures/supervisor/descriptors.go");
const LIMITS: &str = include_str!("../fixtures/supervisor/limits.go");
const WAITS: &str = include_str!("../fixtures/supervisor/waits.go");
const NAMES: &str = include_str!("../fixtures/supervisor/names.go");

fn what_uses_up_the_supervisors_descriptors_ends_with_the_command(env: Env) {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    site.file("main.go", DESCRIPTORS);
    let left = site.file("left", "");
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
        fs::write(&left, "").unwrap();
        Ended::of(&mut command).expect(0);
        std::thread::sleep(Duration::from_secs(3));
        let text = fs::read_to_string(&left).unwrap();
        assert_eq!(!text.is_empty(), lives, "{env:?}: {command:?}");
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
        let mut launcher = command.spawn().unwrap();
        let begin = Instant::now();
        while !has(sign) {
            assert!(
                begin.elapsed() < Duration::from_secs(35),
                "{env:?}: not seen: {sign}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        launcher.kill().unwrap();
        launcher.wait().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        fs::write(&left, "").unwrap();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(has("alive"), lives, "{env:?}: {command:?}");
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
