//! Launchers that are killed, or get signals while they look.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::mount::mount_bind;

use crate::support::killed::{at_call, moments, send};
use crate::support::mounts::among_own_mounts;
use crate::support::wait::{DEADLINE, closed, wait_for_file};
use crate::support::{self, Ended, Env, Site, held, in_environments, needs_root};
use crate::{DIRECT, changes, environments, listed, planted, site};

/// Plants again and again, and does not end.
const SCRIPT: &str =
    "mkdir there; while :; do mkdir -p a/.git b/c; ln -s ../a b/.git 2>/dev/null; sleep 0.01; done";

/// How often the next script plants.
const MANY: usize = 100;

const PLANT_MANY: &str = "all=$(seq 100); mkdir -p $(for i in $all; do echo $i/.git/refs $i/.git/objects; done); \
    for i in $all; do echo planted > $i/.git/HEAD; done; : > done";

fn command(site: &Site) -> Command {
    site.gosandbox(&DIRECT, &["sh", "script.sh", "own"])
}

fn start(site: &Site) -> Child {
    let mut command = command(site);
    command.stderr(Stdio::null()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn wait_for(site: &Site, path: &str) {
    wait_for_file(&site.work.join(path));
}

/// Kills a launcher, and waits until what it has started is dead too: whatever lives would go on planting.
fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
    closed(child.stdout.take().unwrap());
}

/// A site whose launcher was killed when something was planted.
fn killed(env: Env) -> Site {
    let site = site(env, SCRIPT);
    site.file("kept/.git/HEAD", "kept\n");
    site.settle();
    let mut child = start(&site);
    wait_for(&site, "own/b/.git");
    kill(&mut child);
    site
}

/// What is planted, except what was there.
fn new(site: &Site) -> Vec<String> {
    let found = planted(site).into_iter();
    found.filter(|path| path != "./kept/.git").collect()
}

#[test]
fn the_next_run_looks_after_one_that_was_killed() {
    for env in environments() {
        let site = killed(env);
        assert_eq!(new(&site).len(), 2, "{env:?}");
        let ended = site.run(&DIRECT, &["true"]).expect(0);
        let ended = ended.says("own/a/.git was moved away (now own/a/gosandbox-quarantine-git-");
        ended.says("was killed").says("help: ");
        assert_eq!(new(&site), [""; 0], "{env:?}");
        assert!(site.work.join("kept/.git/HEAD").exists());
        let ended = site.run(&DIRECT, &["true"]).expect(0);
        assert_eq!(ended.stderr, "", "{env:?}");
        assert_eq!(listed(&site), None, "{env:?}");
    }
}

/// A run that is staged, or runs no code of the source, looks as well.
#[test]
fn any_next_run_looks() {
    for env in environments() {
        let site = killed(env);
        site.run(&[], &["go", "version"])
            .expect(0)
            .says("moved away");
        assert_eq!(new(&site), [""; 0], "{env:?}");
    }
}

#[test]
fn changes_lists_shows_and_applies_the_look() {
    for env in environments() {
        let site = killed(env);
        let line = listed(&site).unwrap();
        assert!(
            line.contains("unchecked") && line.contains("not looked at yet"),
            "{line}"
        );
        let run = line.split_whitespace().next().unwrap();
        changes(&site, &["show", run])
            .expect(0)
            .says("own/a/.git has come");
        assert_eq!(new(&site).len(), 2, "{env:?}");
        changes(&site, &["apply"])
            .expect(0)
            .says("own/b/.git was moved away (now own/b/gos");
        assert_eq!(new(&site), [""; 0], "{env:?}");
        assert!(site.work.join("kept/.git/HEAD").exists());
        changes(&site, &["show", run]).expect(125);
        assert_eq!(listed(&site), None);
    }
}

#[test]
fn a_look_that_is_given_up_is_not_done() {
    for env in environments() {
        let site = killed(env);
        changes(&site, &["drop", "--all"]).expect(0);
        assert!(listed(&site).is_some(), "{env:?}");
        changes(&site, &["drop"])
            .expect(0)
            .says("was not looked at");
        assert_eq!(listed(&site), None, "{env:?}");
        site.run(&DIRECT, &["true"]).expect(0);
        assert_eq!(new(&site).len(), 2, "{env:?}");
    }
}

/// Before the script runs, at moments that are spread over the system calls until then, and when it has planted.
fn a_launcher_that_is_killed_at_any_moment_leaves_nothing_to_the_next(env: Env) {
    let is_left_to_the_next = |site: &Site, moment: usize| {
        site.run(&DIRECT, &["true"]).expect(0);
        assert_eq!(planted(site), [""; 0], "{env:?} {moment}");
        assert_eq!(listed(site), None, "{env:?} {moment}");
    };
    let made = || {
        let site = site(env, SCRIPT);
        site.settle();
        site
    };
    for moment in moments(&mut command(&made()), 10) {
        let site = made();
        at_call(&mut command(&site), moment, |launcher| {
            send(launcher, libc::SIGKILL);
        });
        is_left_to_the_next(&site, moment);
    }
    let site = made();
    let mut child = start(&site);
    wait_for(&site, "own/b/.git");
    kill(&mut child);
    assert_ne!(planted(&site), [""; 0], "{env:?}: nothing was planted");
    is_left_to_the_next(&site, usize::MAX);
}

in_environments!(a_launcher_that_is_killed_at_any_moment_leaves_nothing_to_the_next);

/// Kills a launcher before one of its moves.
fn kill_before(site: &Site, moves: usize) {
    let (mut launcher, mut number) = (None, 0);
    let mut command = command(site);
    let ended = held::run(&mut command, |call| {
        let launcher = *launcher.get_or_insert(call.process);
        let is_move = [libc::SYS_renameat, libc::SYS_renameat2].contains(&call.number);
        if is_move && call.through(Path::new(".git")).is_some() {
            if number == moves {
                // Root's launcher moves in another process, with its owner's rights.
                send(launcher, libc::SIGKILL);
                send(call.process, libc::SIGKILL);
            }
            number += 1;
        }
    });
    let killed = 128 + libc::SIGKILL;
    assert_eq!(ended.status, killed, "{:?} {moves}: {ended:?}", site.env);
    let left = planted(site).len();
    let least = 2 * (MANY - moves);
    assert!(left >= least, "{:?} {moves}: {left} left", site.env);
}

/// As [`kill_before`], about then: an ordinary user reads no paths of a launcher's, which is not dumpable.
fn kill_about(site: &Site, moves: usize) {
    let mut child = start(site);
    wait_for(site, "own/done");
    let is_left = |number: &usize| site.work.join(format!("own/{number}/.git")).exists();
    while child.try_wait().unwrap().is_none() && (1..=MANY).filter(is_left).count() > MANY - moves {
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A look that is killed before one of its moves is done by the next run.
fn a_look_that_is_killed_is_finished(env: Env) {
    for moves in [0, 1, 10, 50, 99] {
        let site = site(env, PLANT_MANY);
        site.settle();
        match support::is_root() {
            true => kill_before(&site, moves),
            false => kill_about(&site, moves),
        }
        site.run(&DIRECT, &["true"]).expect(0);
        assert_eq!(planted(&site), [""; 0], "{env:?} {moves}");
    }
}

in_environments!(a_look_that_is_killed_is_finished);

fn signals_do_not_keep_the_launcher_from_looking(env: Env) {
    for round in 0..4 {
        let site = site(env, PLANT_MANY);
        site.settle();
        let mut child = start(&site);
        wait_for(&site, "own/done");
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            let signal = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP][round % 3];
            send(child.id().cast_signed(), signal);
            std::thread::sleep(Duration::from_micros(500));
            assert!(begin.elapsed() < DEADLINE, "{env:?}");
        }
        assert_eq!(planted(&site), [""; 0], "{env:?} {round}");
    }
}

in_environments!(signals_do_not_keep_the_launcher_from_looking);

/// What nobody looks at stays: the kill is no excuse that the kernel finds.
#[test]
fn without_a_next_run_it_stays() {
    for env in environments() {
        let site = killed(env);
        assert_eq!(new(&site).len(), 2, "{env:?}");
        Ended::of(&mut site.bare(&["true"])).expect(0);
        assert_eq!(new(&site).len(), 2, "{env:?}");
        changes(&site, &["drop"]).expect(0);
    }
}

/// What stands in a repository's place cannot be moved away while something is mounted there.
#[test]
fn what_cannot_be_moved_away_refuses_the_next_run() {
    if !needs_root("mounts below the work tree need root") {
        return;
    }
    for env in environments() {
        let site = killed(env);
        among_own_mounts(|| {
            mount_bind(&site.outside, site.work.join("own/a/.git")).unwrap();
            let ended = site.run(&DIRECT, &["true"]).expect(125);
            ended.says(".git stays: ").refused("left-by-killed-run");
            let run = listed(&site).unwrap();
            let run = run.split_whitespace().next().unwrap();
            let apply = changes(&site, &["apply", run]);
            apply.expect(125).refused("left-by-killed-run");
        });
        // It is looked at again until nothing is left.
        site.run(&DIRECT, &["true"]).expect(0).says("moved away");
        assert_eq!(new(&site), [""; 0], "{env:?}");
    }
}
