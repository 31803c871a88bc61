//! What is left when a run has ended: nothing.

use super::launch::{
    Place, eventually, kill, marked_sleep, processes_with, settings, wait_for_file,
};

/// Children that ignore signals, in process groups of their own, with a parent that is gone.
fn escape(seconds: &str) -> String {
    format!(
        "trap '' TERM HUP INT; (bash -c 'set -m; sleep {seconds} & sleep {seconds} &' &) ; \
         (sh -c '(sleep {seconds} &)' &); sleep 0.4; touch out/ready; "
    )
}

#[test]
fn a_killed_launcher_leaves_nothing_alive() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(1, setting);
        let script = escape(&seconds) + "sleep 60";
        let mut child = place.start(&["-q", "--", "sh", "-c", &script]);
        wait_for_file(&place.tree().join("out/ready"));
        assert!(processes_with(&seconds).len() >= 3, "{setting:?}");
        kill(child.id() as i32, libc::SIGKILL);
        child.wait().unwrap();
        eventually("everything ends", || processes_with(&seconds).is_empty());
    }
}

#[test]
fn a_launcher_that_is_ended_at_any_time_leaves_nothing_alive() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(5, setting);
        for signal in [libc::SIGKILL, libc::SIGINT] {
            // Before init is cloned, while it waits for the plan, while it works, and after that.
            for after in 0..30 {
                let mut child = place.start(&["-q", "--", "sleep", &seconds]);
                std::thread::sleep(std::time::Duration::from_micros(after * 250));
                kill(child.id() as i32, signal);
                let ended = child.wait().unwrap();
                assert!(!ended.success(), "{setting:?} {signal} {after} {ended}");
                eventually("everything ends", || processes_with(&seconds).is_empty());
            }
        }
        assert!(place.output(&["-q", "--", "true"]).status.success());
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
        let output = place.output(&["-q", "--", "sh", "-c", &(escape(&seconds) + "exit 3")]);
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
             sleep 0.02; done; sleep 60\nE\nsh out/b.sh 5 {word} & sleep 0.3; exit 2"
        );
        let output = place.output(&["-q", "--", "sh", "-c", &breed]);
        assert_eq!(output.status.code(), Some(2), "{setting:?}");
        assert!(processes_with(&word).is_empty(), "{setting:?}");
    }
}

#[test]
fn the_time_runs_out_for_everything() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(4, setting);
        let script =
            escape(&seconds) + &format!("trap 'echo told' TERM; sleep {seconds}; sleep {seconds}");
        let begin = std::time::Instant::now();
        let output = place.output(&["--timeout", "1s", "--", "sh", "-c", &script]);
        assert_eq!(output.status.code(), Some(137), "{setting:?}");
        assert!(begin.elapsed().as_secs() < 8);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("the time of 1 s ran out"), "{errors}");
        assert!(processes_with(&seconds).is_empty(), "{setting:?}");
        assert!(place.is_clean());
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
        let mut child = place.start(&["-q", "--", "sh", "-c", "touch out/ready; sleep 3"]);
        wait_for_file(&place.tree().join("out/ready"));
        let launcher = child.id();
        let children = format!("/proc/{launcher}/task/{launcher}/children");
        let init = std::fs::read_to_string(children).unwrap().trim().to_owned();
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
        child.wait().unwrap();
    }
}

#[test]
fn a_launcher_killed_at_any_moment_leaves_nothing_alive_and_its_folder_is_swept() {
    for setting in settings() {
        let place = Place::new(setting);
        let seconds = marked_sleep(5, setting);
        for delay in (0..40).step_by(2) {
            let mut child = place.start(&["-q", "--", "sleep", &seconds]);
            std::thread::sleep(std::time::Duration::from_millis(delay));
            kill(child.id() as i32, libc::SIGKILL);
            child.wait().unwrap();
        }
        eventually("everything ends", || processes_with(&seconds).is_empty());
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
