//! Keys on a terminal: Ctrl-C, Ctrl-Z and `fg`, Ctrl-\, a change of size.

use super::launch::{Place, settings};
use super::pty::Terminal;

/// The launcher's path, to be written into scripts.
struct Launcher;

const GOSANDBOX: Launcher = Launcher;

impl std::fmt::Display for Launcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::reachable::gosandbox().display().fmt(f)
    }
}

#[test]
fn ctrl_c_reaches_the_command_once_and_its_status_comes_back() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        terminal.send(&format!(
            "{GOSANDBOX} -q -- sh -c 'n=0; trap \"n=\\$((n+1))\" INT; echo star''ted; sleep 5; sleep 0.4; \
             echo got=$n; exit 3'; echo status=$?\n"
        ));
        terminal.expect("started");
        terminal.send("\x03");
        assert!(terminal.expect("status=3").contains("got=1"), "{setting:?}");
        terminal.send(&format!(
            "{GOSANDBOX} -q -- sh -c 'echo star''ted; sleep 50'; echo status=$?\n"
        ));
        terminal.expect("started");
        terminal.press_until("\x03", "status=130");
    }
}

/// Waits without a child: one that vfork(2) has made and that is stopped before it executes anything
/// keeps its parent from being stopped, and a shell without a sandbox hangs just so.
fn waits_for_a_second() -> String {
    let script = r#"$| = 1; print "star", "ted\n"; select undef, undef, undef, 1; print "all done\n"; exit 4"#;
    format!("{GOSANDBOX} -q -- perl -e '{script}'\n")
}

#[test]
fn ctrl_z_and_fg_stop_and_go_on() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        terminal.send(&waits_for_a_second());
        terminal.expect("started");
        terminal.send("\x1a");
        terminal.expect("Stopped");
        terminal.send("echo stat''us=$?; bg\n");
        assert!(terminal.expect("status=148").len() < 400, "{setting:?}");
        terminal.expect("all done");
        terminal.send(&waits_for_a_second());
        terminal.expect("started");
        terminal.send("\x1a");
        terminal.expect("Stopped");
        terminal.send("fg; echo stat''us=$?\n");
        terminal.expect("all done");
        terminal.expect("status=4");
    }
}

#[test]
fn ctrl_backslash_makes_go_print_its_goroutines() {
    for setting in settings() {
        let place = Place::new(setting);
        let program = "package main\n\nimport \"time\"\n\nfunc main() {\n\tprintln(\"started\")\n\ttime.Sleep(time.Minute)\n}\n";
        std::fs::write(place.tree().join("main.go"), program).unwrap();
        let mut terminal = Terminal::open(&place);
        terminal.send(&format!("{GOSANDBOX} -q -- go run . ; echo stat''us=$?\n"));
        terminal.expect("started");
        terminal.send("\x1c");
        terminal.expect("SIGQUIT: quit");
        terminal.expect("goroutine 1");
        terminal.expect("status=");
    }
}

#[test]
fn a_change_of_size_is_seen() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        terminal.send(&format!(
            "{GOSANDBOX} -q -- sh -c 'n=0; trap \"n=\\$((n+1))\" WINCH; echo star''ted; \
             for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done; stty size; echo got=$n'; echo stat''us=$?\n"
        ));
        terminal.expect("started");
        terminal.resize(33, 99);
        let seen = terminal.expect("status=");
        assert!(
            seen.contains("33 99") && seen.contains("got=1"),
            "{setting:?} {seen}"
        );
    }
}
