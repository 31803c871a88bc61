//! Keys on a terminal: Ctrl-C, Ctrl-Z and `fg`, Ctrl-\, a change of size.

use std::fs;
use std::process::{Command, Stdio};

use super::launch::{Place, has_taken_its_signals, kill, settings};
use super::pty::Terminal;

/// The launcher's path, to be written into scripts.
struct Launcher;

const GOSANDBOX: Launcher = Launcher;

impl std::fmt::Display for Launcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::reachable::gosandbox().display().fmt(f)
    }
}

/// Has the shell count a signal. The count is said when USR1 has come.
fn count(signal: &str, before: &str) -> String {
    format!(
        "{GOSANDBOX} -q -- perl -e '$SIG{{{signal}}} = sub {{ $n++ }}; $SIG{{USR1}} = sub {{ $over = 1 }}; $n = 0; \
         $| = 1; print \"star\", \"ted\\n\"; select undef, undef, undef, 0.02 until $n; print \"came\\n\"; \
         select undef, undef, undef, 0.02 until $over; {before} \
         print \"got=$n\\n\"; exit 3'; echo stat''us=$?\n"
    )
}

/// Ends the count when the signal has come and the launcher, which got it too, has dealt with it.
fn end_the_count(terminal: &mut Terminal) {
    terminal.expect("came");
    let launcher = terminal.foreground();
    has_taken_its_signals(launcher);
    kill(launcher, libc::SIGUSR1);
}

#[test]
fn ctrl_c_reaches_the_command_once_and_its_status_comes_back() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        terminal.send(&count("INT", ""));
        terminal.expect("started");
        terminal.send("\x03");
        end_the_count(&mut terminal);
        assert!(terminal.expect("status=3").contains("got=1"), "{setting:?}");
        terminal.send(&format!(
            "{GOSANDBOX} -q -- sh -c 'echo star''ted; sleep 600'; echo status=$?\n"
        ));
        terminal.expect("started");
        terminal.press_until("\x03", "status=130");
    }
}

/// Waits without a child: one that vfork(2) has made and that is stopped before it executes anything
/// keeps its parent from being stopped, and a shell without a sandbox hangs just so.
fn waits(place: &Place) -> String {
    let _none_yet = fs::remove_file(place.tree().join("out/go"));
    let script = r#"$| = 1; print "star", "ted\n"; select undef, undef, undef, 0.02 until -e "out/go"; print "all done\n"; exit 4"#;
    format!("{GOSANDBOX} -q --rw out -- perl -e '{script}'\n")
}

#[test]
fn ctrl_z_and_fg_stop_and_go_on() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        terminal.send(&waits(&place));
        terminal.expect("started");
        terminal.send("\x1a");
        terminal.expect("Stopped");
        place.let_go();
        terminal.send("echo stat''us=$?; bg\n");
        assert!(terminal.expect("status=148").len() < 400, "{setting:?}");
        terminal.expect("all done");
        terminal.send(&waits(&place));
        terminal.expect("started");
        terminal.send("\x1a");
        terminal.expect("Stopped");
        place.let_go();
        terminal.send("fg; echo stat''us=$?\n");
        terminal.expect("all done");
        terminal.expect("status=4");
    }
}

#[test]
fn ctrl_backslash_makes_go_print_its_goroutines() {
    for setting in settings() {
        let place = Place::new(setting);
        let program = "package main\n\nimport \"time\"\n\nfunc main() {\n\tprintln(\"started\")\n\ttime.Sleep(time.Hour)\n}\n";
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
        terminal.send(&count("WINCH", "system \"stty size\";"));
        terminal.expect("started");
        terminal.resize(33, 99);
        end_the_count(&mut terminal);
        let seen = terminal.expect("status=");
        assert!(
            seen.contains("33 99") && seen.contains("got=1"),
            "{setting:?} {seen}"
        );
    }
}

/// Says `reached` on the controlling terminal, wherever the standard descriptors lead.
const TO_TERMINAL: &str = "if echo reached >/dev/tty; then echo opened; else echo shut; fi";

#[test]
fn the_terminal_can_be_opened_by_name_where_a_standard_descriptor_is_that_terminal() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        for redirected in ["", ">out/file 2>&1", "</dev/null 2>/dev/null"] {
            terminal.send(&format!(
                "{GOSANDBOX} -q -- sh -c '{TO_TERMINAL}' {redirected}; echo status=$?\n"
            ));
            let seen = terminal.expect("status=0");
            assert!(seen.contains("reached"), "{setting:?} {redirected}: {seen}");
        }
    }
}

#[test]
fn the_terminal_of_one_who_has_sent_all_of_them_elsewhere_is_out_of_reach() {
    for setting in settings() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        // One that can be read alone is no way to write to it either.
        for input in ["/dev/null", "/dev/tty"] {
            let script = format!("sh -c '{TO_TERMINAL}' <{input} >out/file 2>&1; cat out/file");
            terminal.send(&format!("{GOSANDBOX} -q -- {script}; echo status=$?\n"));
            let seen = terminal.expect("status=0");
            let is_out = seen.contains("shut") && !seen.contains("reached");
            assert!(is_out, "{setting:?} {input}: {seen}");
            terminal.send(&format!("{script}; echo bare status=$?\n"));
            assert!(terminal.expect("bare status=0").contains("reached"));
        }
    }
}

/// Makes a terminal, and says something on it by its name, in a session of its own.
const OWN_TERMINAL: &str = r#"package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

func main() {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	var number, unlocked int32
	syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlocked)))
	syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		panic(err)
	}
	command := exec.Command("sh", "-c", "echo reached >/dev/tty")
	command.Stdin, command.Stderr = terminal, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Run(); err != nil {
		panic(err)
	}
	seen := make([]byte, 100)
	n, _ := master.Read(seen)
	fmt.Printf("seen %q\n", seen[:n])
}
"#;

#[test]
fn a_program_can_open_a_terminal_that_it_has_made_itself_by_name() {
    // Without a view of its own nothing has a terminal of its own.
    for setting in settings().into_iter().filter(|it| it.namespaces) {
        let place = Place::new(setting);
        fs::write(place.tree().join("main.go"), OWN_TERMINAL).unwrap();
        let program = crate::reachable::gosandbox();
        // As a CI service starts it: in a session that has no terminal.
        let mut command = Command::new("setsid");
        command
            .arg("-w")
            .arg(program)
            .args(["--", "go", "run", "main.go"]);
        place.settle(&mut command);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("seen \"reached"), "{setting:?}: {output:?}");
    }
}
