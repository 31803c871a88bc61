//! What is left when a run has ended: nothing.

use std::process::{Child, Output};

use super::launch::{Place, Setting, UNTIL_LET_GO, child_of, kill, marked_sleep, settings};
use crate::support::killed::{at_call, moments, send};
use crate::support::wait::{ends, eventually, processes_with};

/// Children that ignore signals, in process groups of their own, with a parent that is gone. What comes then waits
/// until the test has seen them.
fn escape(seconds: &str) -> String {
    format!(
        "trap '' TERM HUP INT; (bash -c 'set -m; sleep {seconds} & sleep {seconds} &' &) ; \
         (sh -c '(sleep {seconds} &)' &); {UNTIL_LET_GO}; "
    )
}

/// Waits until so many have escaped.
fn see(word: &str, least: usize) {
    eventually("they have escaped", || processes_with(word).len() >= least);
}

fn ended(mut child: Child) -> Output {
    ends(&mut child);
    child.wait_with_output().unwrap()
}

#[test]
fn a_killed_launcher_leaves_nothing_alive() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(1, setting);
        let mut child = place.start(&["-q", "--", "sh", "-c", &escape(&seconds)]);
        see(&seconds, 3);
        kill(child.id() as i32, libc::SIGKILL);
        child.wait().unwrap();
        eventually("everything ends", || processes_with(&seconds).is_empty());
    }
}

/// Ends a launcher before it has started the command, at moments that are spread over its system calls, and once more
/// while the command runs.
fn end_at_moments(place: &Place, seconds: &str, signal: i32) {
    let words = ["-q", "--", "sleep", seconds];
    for moment in moments(&mut place.command(&words), 12) {
        let (ended, calls) = at_call(&mut place.command(&words), moment, |it| send(it, signal));
        assert_ne!(ended.status, 0, "{signal} {moment}: {ended:?}");
        assert!(calls > 0, "{ended:?}");
        eventually("everything ends", || processes_with(seconds).is_empty());
    }
    let mut child = place.start(&words);
    eventually("it has started", || {
        let sleeps = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm"));
        processes_with(seconds)
            .iter()
            .any(|pid| sleeps(pid).is_ok_and(|name| name == "sleep\n"))
    });
    kill(child.id() as i32, signal);
    ends(&mut child);
    eventually("everything ends", || processes_with(seconds).is_empty());
}

fn place_and_seconds(setting: Setting) -> (Place, String) {
    (Place::new(setting), marked_sleep(5, setting))
}

#[test]
fn a_launcher_that_is_interrupted_at_any_time_leaves_nothing_alive() {
    for setting in settings() {
        let (place, seconds) = place_and_seconds(setting);
        end_at_moments(&place, &seconds, libc::SIGINT);
        assert!(place.output(&["-q", "--", "true"]).status.success());
    }
}

#[test]
fn a_launcher_that_is_killed_at_any_moment_leaves_nothing_alive_and_its_folder_is_swept() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(7, setting);
        end_at_moments(&place, &seconds, libc::SIGKILL);
        let own = std::fs::read_dir(place.tmp()).unwrap().flatten().next();
        let left = std::fs::read_dir(own.unwrap().path()).unwrap().flatten();
        for folder in left {
            let aged = std::process::Command::new("touch")
                .args(["-d", "@1000000"])
                .arg(folder.path())
                .status();
            assert!(aged.unwrap().success());
        }
        // The kernel may still be busy with the last init, which holds the lock of its stage.
        eventually("the folders are swept", || {
            let next = place.output(&["-q", "--", "true"]);
            assert!(next.status.success(), "{setting:?}: {next:?}");
            place.is_clean()
        });
    }
}

#[test]
fn a_run_that_is_refused_leaves_nothing_alive() {
    for setting in settings() {
        let place = Place::new(setting);
        let word = format!("absent-{}", marked_sleep(6, setting));
        let output = place.output(&["-q", "--", &word]);
        assert_eq!(output.status.code(), Some(127), "{setting:?}");
        assert!(processes_with(&word).is_empty(), "{setting:?}");
        let made = std::fs::read_dir(place.tmp()).unwrap().count();
        assert!(made == 0 || place.is_clean());
    }
}

#[test]
fn a_command_that_ends_leaves_nothing_alive() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(2, setting);
        let child = place.start(&["-q", "--", "sh", "-c", &(escape(&seconds) + "exit 3")]);
        see(&seconds, 3);
        place.let_go();
        let output = ended(child);
        assert_eq!(output.status.code(), Some(3), "{setting:?}");
        assert!(processes_with(&seconds).is_empty(), "{setting:?}");
        assert!(place.is_clean());
    }
}

#[test]
fn processes_that_fork_while_they_are_killed_end_too() {
    for setting in settings() {
        let place = Place::new(setting);
        let word = format!("breeds-{}", marked_sleep(3, setting));
        let breed = format!(
            "cat > out/b.sh <<'E'\nn=$1; while [ $n -gt 0 ]; do sh out/b.sh $((n-1)) {word} & n=$((n-1)); \
             sleep 0.02; done; sleep 600\nE\nsh out/b.sh 6 {word} & {UNTIL_LET_GO}; exit 2"
        );
        let child = place.start(&["-q", "--", "sh", "-c", &breed]);
        // There will be more of them, unless they are killed.
        see(&word, 8);
        place.let_go();
        let output = ended(child);
        assert_eq!(output.status.code(), Some(2), "{setting:?}");
        assert!(processes_with(&word).is_empty(), "{setting:?}");
    }
}

#[test]
fn the_time_runs_out_for_everything() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(4, setting);
        let script = escape(&seconds);
        // On a slow machine a short time runs out before anything has escaped, which shows nothing.
        let has_escaped = [1, 4, 16, 64].into_iter().any(|time| {
            let option = format!("{time}s");
            let words = ["--timeout", &option, "--", "sh", "-c", &script];
            let mut child = place.start(&words);
            let mut has_escaped = false;
            while child.try_wait().unwrap().is_none() {
                has_escaped = has_escaped || processes_with(&seconds).len() >= 3;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(137), "{setting:?}");
            let errors = String::from_utf8_lossy(&output.stderr);
            let told = format!("the time of {time} s ran out");
            assert!(errors.contains(&told), "{errors}");
            assert!(processes_with(&seconds).is_empty(), "{setting:?}");
            assert!(place.is_clean());
            has_escaped
        });
        assert!(has_escaped, "{setting:?}");
    }
}

#[test]
fn folders_that_were_made_unwritable_are_removed() {
    for setting in settings() {
        let place = Place::new(setting);
        let script = "mkdir -p $TMPDIR/a/b/c && touch $TMPDIR/a/b/f && chmod 0 $TMPDIR/a/b/c && chmod 500 $TMPDIR/a/b $TMPDIR/a";
        let output = place.output(&["-q", "--", "sh", "-c", script]);
        assert!(output.status.success(), "{output:?}");
        assert!(place.is_clean(), "{setting:?}");
    }
}

#[test]
fn launcher_and_init_tell_nothing_and_are_small() {
    for setting in settings() {
        let place = Place::new(setting);
        let script = format!("touch out/ready; {UNTIL_LET_GO}");
        let child = place.start(&["-q", "--", "sh", "-c", &script]);
        place.wait_until_ready();
        let launcher = child.id();
        let init = child_of(launcher as i32).to_string();
        for pid in [launcher.to_string(), init.clone()] {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let line = status
                .lines()
                .find(|line| line.starts_with("VmRSS"))
                .unwrap();
            let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            println!("{setting:?} {pid} {kib} KiB");
            // Without optimisation the code itself takes five times as much.
            let most = if cfg!(debug_assertions) { 24 } else { 4 };
            assert!(kib < most << 10, "{setting:?}: {line}");
        }
        if let Ok(environment) = std::fs::read(format!("/proc/{init}/environ")) {
            assert!(!String::from_utf8_lossy(&environment).contains("in-the-environment"));
        }
        place.let_go();
        assert!(ended(child).status.success(), "{setting:?}");
    }
}
