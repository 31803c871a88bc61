//! Signals to the launcher and to its process group.

use std::process::Stdio;

use super::launch::{Place, eventually, kill, settings, wait_for_file};

/// Counts each signal that it gets, for a second after the first.
const COUNT: &str = r#"
n=0; trap 'n=$((n+1))' TERM HUP INT QUIT USR1 USR2
touch out/ready
i=0; while [ $i -lt 200 ] && [ $n -eq 0 ]; do sleep 0.05; i=$((i+1)); done
i=0; while [ $i -lt 12 ]; do sleep 0.05; i=$((i+1)); done
echo "got $n"; exit 7"#;

#[test]
fn a_signal_to_the_launcher_alone_reaches_the_command_once() {
    for setting in settings() {
        for signal in [
            libc::SIGTERM,
            libc::SIGHUP,
            libc::SIGUSR1,
            libc::SIGQUIT,
            libc::SIGINT,
        ] {
            let place = Place::new(setting);
            let child = place.start(&["-q", "--", "sh", "-c", COUNT]);
            wait_for_file(&place.tree().join("out/ready"));
            kill(child.id() as i32, signal);
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text, "got 1\n", "{setting:?} {signal}");
            assert_eq!(output.status.code(), Some(7));
            assert!(place.is_clean(), "{setting:?}");
        }
    }
}

#[test]
fn a_signal_to_the_group_reaches_the_command_once() {
    for setting in settings() {
        for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR2, libc::SIGINT] {
            let place = Place::new(setting);
            let child = place.start(&["-q", "--", "sh", "-c", COUNT]);
            wait_for_file(&place.tree().join("out/ready"));
            kill(-(child.id() as i32), signal);
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text, "got 1\n", "{setting:?} {signal}");
            assert_eq!(output.status.code(), Some(7));
        }
    }
}

#[test]
fn the_status_is_128_and_the_signal_that_ended_the_command() {
    for setting in settings() {
        for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV] {
            let place = Place::new(setting);
            let output = place.output(&["-q", "--", "sh", "-c", &format!("kill -{signal} $$")]);
            assert_eq!(output.status.code(), Some(128 + signal), "{setting:?}");
        }
    }
}

#[test]
fn ignored_and_blocked_signals_are_the_commands_as_they_are_the_callers() {
    let masks = "grep -E 'SigBlk|SigIgn' /proc/self/status";
    for setting in settings() {
        let place = Place::new(setting);
        let shell = |words: &str| {
            let mut command = std::process::Command::new("sh");
            place.settle(&mut command);
            let script = format!("trap '' INT HUP CHLD; exec {words}");
            let output = command
                .args(["-c", &script])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            (
                String::from_utf8_lossy(&output.stdout).into_owned(),
                output.status.code(),
            )
        };
        let bare = shell(&format!("sh -c \"{masks}; exit 3\""));
        let inside = shell(&format!(
            "{} -q -- sh -c \"{masks}; exit 3\"",
            crate::reachable::gosandbox().display()
        ));
        assert!(bare.0.contains("SigIgn"), "{bare:?}");
        assert_eq!(inside, bare, "{setting:?}");
    }
}

#[test]
fn a_command_that_ignores_the_stop_does_not_stop_the_launcher() {
    for setting in settings() {
        let place = Place::new(setting);
        let script = "trap '' TSTP; touch out/ready; i=0; while [ $i -lt 10 ]; do sleep 0.1; i=$((i+1)); done; exit 4";
        let mut child = place.start(&["-q", "--", "sh", "-c", script]);
        wait_for_file(&place.tree().join("out/ready"));
        kill(child.id() as i32, libc::SIGTSTP);
        assert_eq!(child.wait().unwrap().code(), Some(4), "{setting:?}");
    }
}

#[test]
fn the_launcher_stops_with_the_command_and_goes_on_with_it() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut child = place.start(&["-q", "--", "sh", "-c", "touch out/ready; sleep 1; exit 5"]);
        wait_for_file(&place.tree().join("out/ready"));
        let pid = child.id() as i32;
        let state = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
        };
        kill(-pid, libc::SIGSTOP);
        eventually("it stops", || state() == 'T');
        kill(-pid, libc::SIGCONT);
        assert_eq!(child.wait().unwrap().code(), Some(5), "{setting:?}");
    }
}

#[test]
fn a_signal_to_its_own_group_stays_inside() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut command = std::process::Command::new("sh");
        place.settle(&mut command);
        let script = format!(
            "{} -q -- sh -c 'kill -KILL 0; exit 9' | cat; echo reader survived; exit 6",
            crate::reachable::gosandbox().display()
        );
        let output = command
            .args(["-c", &script])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, "reader survived\n", "{setting:?}");
        assert_eq!(output.status.code(), Some(6));
    }
}
