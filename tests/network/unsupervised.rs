//! Hosts that have neither namespaces nor a supervisor of notified calls: no network at all, and that is said.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;

use crate::support::confined::{self, NoListener};
use crate::{Ended, Env, Scene, gosandbox, write};

const ATTACK: &str = include_str!("../fixtures/network/unsupervised_test.go");

/// Where nothing of it can be had: each way, in both environments without namespaces.
fn scenes() -> impl Iterator<Item = (Scene, NoListener)> {
    let here = [Env::Restricted, Env::Container]
        .into_iter()
        .filter(|env| env.is_here());
    here.flat_map(|env| NoListener::ALL.map(|why| (Scene::new(env), why)))
}

fn run(scene: &Scene, why: NoListener, options: &[&str], words: &[&str]) -> Ended {
    let mut command = scene.command(options, words);
    confined::without_listener(&mut command, why);
    Ended::of(&mut command)
}

/// `go build` of what is not in the module cache yet, though its sums are known.
fn build(scene: &Scene, why: NoListener, options: &[&str]) -> Ended {
    let words = ["go", "build", "-buildvcs=false", "-o", "/dev/null", "."];
    scene.forget();
    run(scene, why, options, &words)
}

/// Gives the profile these lines under `[modules]`.
fn add(scene: &Scene, lines: &str) {
    let text = fs::read_to_string(&scene.profile).unwrap();
    write(&scene.profile, &format!("{text}{lines}\n"));
    scene.settle();
}

#[test]
fn without_the_gateway_a_folder_serves_modules_only_where_no_rule_and_no_log_wants_it() {
    // A kernel that cannot answer is found out when the command runs: nothing is fetched there at all.
    for (scene, why) in scenes().filter(|(_, why)| *why != NoListener::Speechless) {
        let env = scene.site.env;
        scene.run(&[], &["go", "mod", "tidy"]).expect(0);
        build(&scene, why, &[]).expect(0);
        assert!(scene.has_fetched());
        let log = scene.site.home.join("audit.jsonl");
        let options = ["--audit-log", log.to_str().unwrap()];
        let refused = |ended: Ended| {
            let ended = ended.expect(1).says("nothing can be fetched here");
            assert!(!scene.has_fetched(), "{env:?} {why:?}: {ended:?}");
        };
        refused(build(&scene, why, &options));
        add(&scene, "deny = [\"example.test/dep\"]");
        refused(build(&scene, why, &[]));
    }
}

/// What the attack finds of the host, and the report where there is one.
struct Attacked {
    scene: Scene,
    options: Vec<String>,
}

impl Attacked {
    fn new(scene: Scene, tcp: &str, name: &str) -> Attacked {
        fs::remove_file(scene.site.work.join("main.go")).unwrap();
        let go_mod = "module example.test/main\n\ngo 1.21\n";
        scene.site.file("go.mod", go_mod);
        scene.site.file("a_test.go", ATTACK);
        scene.settle();
        let options = [("HOST_TCP", tcp), ("HOST_ABSTRACT", name)];
        let options = options.map(|(variable, value)| format!("--env={variable}={value}"));
        Attacked {
            scene,
            options: options.into(),
        }
    }

    fn command(&self, more: &[&str], why: NoListener) -> Command {
        let mut options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        options.extend(more);
        let words = ["go", "test", "-v", "-count=1", "-buildvcs=false", "."];
        let mut command = self.scene.command(&options, &words);
        confined::without_listener(&mut command, why);
        command
    }
}

/// Services of the host, and each scene with the attack on them.
fn attacked() -> impl Iterator<Item = (Attacked, NoListener)> {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("gosandbox-unsupervised-{}", std::process::id());
    let name = format!("{name}-{}", tcp.local_addr().unwrap().port());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let unix = UnixListener::bind_addr(&address).unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    scenes().map(move |(scene, why)| {
        let _held = (&tcp, &unix);
        (Attacked::new(scene, &address, &name), why)
    })
}

#[test]
fn programs_have_no_network_and_the_report_says_so() {
    for (attacked, why) in attacked() {
        let env = attacked.scene.site.env;
        let report = attacked.scene.site.home.join("report.json");
        let options = ["--report", report.to_str().unwrap()];
        let ended = Ended::of(&mut attacked.command(&options, why)).expect(0);
        let ended = ended.says("DONE");
        let reached = ended.stdout.contains("REACHED");
        assert!(!reached, "{env:?} {why:?}: {ended:?}");
        let text = fs::read_to_string(&report).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        if why != NoListener::Speechless {
            let network = &report["filter"]["options"]["network"];
            assert_eq!(network, "none", "{env:?} {why:?}");
            let gaps = report["not-confined"].to_string();
            assert!(gaps.contains("no modules can be fetched"), "{gaps}");
        }
    }
}

#[test]
fn without_landlock_either_strict_refuses_and_best_effort_has_no_network_all_the_same() {
    for (attacked, why) in attacked() {
        let env = attacked.scene.site.env;
        let run = |options: &[&str]| {
            let mut command = attacked.command(options, why);
            confined::without_landlock_either(&mut command);
            Ended::of(&mut command)
        };
        let ended = run(&[]).expect(125).refused("guarantee-missing");
        assert!(ended.stdout.is_empty(), "{env:?} {why:?}: {ended:?}");
        let ended = run(&["--best-effort"]).says("does not hold here");
        assert!(
            !ended.stdout.contains("REACHED"),
            "{env:?} {why:?}: {ended:?}"
        );
        ended.expect(0).says("DONE");
    }
}

#[test]
fn doctor_says_that_there_is_no_supervisor_and_why() {
    for (scene, why) in scenes() {
        let mut command = Command::new(gosandbox());
        command.arg("doctor");
        scene.site.prepare(&mut command);
        confined::enter(&mut command, scene.site.env, scene.site.caller());
        confined::without_listener(&mut command, why);
        let ended = Ended::of(&mut command);
        let line = ended.stdout.lines().find(|l| l.starts_with("notification"));
        let expected = match why {
            NoListener::Another => "another supervisor is there already: Device or resource busy",
            NoListener::Unknown => "load a filter that notifies: Invalid argument",
            NoListener::Forbidden => "load a filter that notifies: Operation not permitted",
            NoListener::Pretended => "load a filter that notifies: Function not implemented",
            NoListener::Speechless => "answer a call with a socket: Operation not permitted",
        };
        let said = line.is_some_and(|line| line.contains(" NO: ") && line.contains(expected));
        assert!(said, "{why:?}: {}", ended.stdout);
    }
}
