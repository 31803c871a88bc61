//! Signals to the launcher and to its process group.

use std::process::{Child, Output, Stdio};

use super::launch::{Place, UNTIL_LET_GO, has_taken_its_signals, kill, settings};
use crate::support::wait::{ends, eventually};

/// Counts each signal that it gets until the one that ends the count. Perl counts two that come at one moment as two.
fn counter(last: &str) -> String {
    let counted: Vec<&str> = ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2"]
        .into_iter()
        .filter(|name| *name != last)
        .collect();
    format!(
        "$SIG{{$_}} = sub {{ $n++ }} for qw({}); $SIG{{{last}}} = sub {{ $over = 1 }}; $n = 0; \
         open F, '>', 'out/ready'; close F; select undef, undef, undef, 0.02 until $over; \
         print \"got $n\\n\"; exit 7",
        counted.join(" ")
    )
}

/// Ends the count when everything that came before has been passed on, and returns what was said.
fn counted(child: Child, last: i32) -> Output {
    let launcher = child.id() as i32;
    has_taken_its_signals(launcher);
    kill(launcher, last);
    ended(child)
}

fn ended(mut child: Child) -> Output {
    ends(&mut child);
    child.wait_with_output().unwrap()
}

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
            let child = place.start(&["-q", "--", "perl", "-e", &counter("USR2")]);
            place.wait_until_ready();
            kill(child.id() as i32, signal);
            let output = counted(child, libc::SIGUSR2);
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
            let child = place.start(&["-q", "--", "perl", "-e", &counter("USR1")]);
            place.wait_until_ready();
            kill(-(child.id() as i32), signal);
            let output = counted(child, libc::SIGUSR1);
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

fn state_of(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[test]
fn a_command_that_ignores_the_stop_does_not_stop_the_launcher() {
    for setting in settings() {
        let place = Place::new(setting);
        let script = format!("trap '' TSTP; touch out/ready; {UNTIL_LET_GO}; exit 4");
        let child = place.start(&["-q", "--", "sh", "-c", &script]);
        place.wait_until_ready();
        let launcher = child.id() as i32;
        kill(launcher, libc::SIGTSTP);
        has_taken_its_signals(launcher);
        assert_ne!(state_of(launcher), 'T', "{setting:?}");
        place.let_go();
        assert_eq!(ended(child).status.code(), Some(4), "{setting:?}");
    }
}

#[test]
fn the_launcher_stops_with_the_command_and_goes_on_with_it() {
    for setting in settings() {
        let place = Place::new(setting);
        let script = format!("touch out/ready; {UNTIL_LET_GO}; exit 5");
        let child = place.start(&["-q", "--", "sh", "-c", &script]);
        place.wait_until_ready();
        let launcher = child.id() as i32;
        kill(-launcher, libc::SIGSTOP);
        eventually("it stops", || state_of(launcher) == 'T');
        place.let_go();
        assert_eq!(state_of(launcher), 'T', "{setting:?}");
        kill(-launcher, libc::SIGCONT);
        assert_eq!(ended(child).status.code(), Some(5), "{setting:?}");
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
