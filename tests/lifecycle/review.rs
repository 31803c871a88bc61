//! `--stage review` on a terminal.

use std::process::Command;

use super::launch::{Place, Setting, settings};
use super::pty::Terminal;
use crate::reachable::needs_program;

/// Writes a file and a protected one, and says so. Keys that come before the question are no answer.
fn run(terminal: &mut Terminal, file: &str, ending: &str) {
    run_traced(terminal, "", file, ending);
}

/// As above, with a tracer's words in front.
fn run_traced(terminal: &mut Terminal, tracer: &str, file: &str, ending: &str) {
    let launcher = crate::reachable::gosandbox();
    terminal.send(&format!(
        "{tracer} {} --stage review -- sh -c 'echo new > {file}; mkdir -p .github; echo star''ted; read line'{ending}; \
         echo status=$?\n",
        launcher.display()
    ));
    terminal.expect("started");
    terminal.send("go on\ny\n");
}

/// What is listed of the place's own runs, a line each: others may be of the same user's.
fn staged(place: &Place) -> Vec<String> {
    let mut list = Command::new(crate::reachable::gosandbox());
    list.args(["changes", "list"]);
    place.settle(&mut list);
    let text = String::from_utf8(list.output().unwrap().stdout).unwrap();
    let tree = place.tree().display().to_string();
    let own = text.lines().filter(|line| line.contains(&tree));
    own.map(str::to_owned).collect()
}

fn with_namespaces() -> impl Iterator<Item = Setting> {
    settings().into_iter().filter(|setting| setting.namespaces)
}

#[test]
fn changes_for_review_are_shown_and_asked_for() {
    for setting in with_namespaces() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        let has = |name: &str| place.tree().join(name).exists();

        run(&mut terminal, "yes.txt", "");
        let shown = terminal.expect("[l]ater: ");
        assert!(shown.contains("apply     added     yes.txt"), "{shown}");
        assert!(shown.contains("refused   added     .github"), "{shown}");
        assert!(shown.contains("+new"), "{shown}");
        terminal.send("what?\n");
        terminal.expect("[l]ater: ");
        assert!(!has("yes.txt"), "{setting:?}");
        terminal.send("y\n");
        // What is refused stays refused, whoever is asked.
        terminal.expect("status=125");
        assert!(has("yes.txt") && !has(".github"), "{setting:?}");
        let refused = staged(&place);
        assert!(
            refused.iter().any(|line| line.contains("refused")),
            "{refused:?}"
        );

        run(&mut terminal, "no.txt", "");
        terminal.expect("[l]ater: ");
        let before = staged(&place).len();
        terminal.send("no\n");
        terminal.expect("status=0");
        assert!(!has("no.txt"), "{setting:?}");
        assert_eq!(staged(&place).len(), before - 1, "{setting:?}");
    }
}

#[test]
fn without_an_answer_changes_stay_staged() {
    for setting in with_namespaces() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        for (number, (keys, status)) in [("\n", 0), ("\x04", 0), ("\x03", 130)]
            .into_iter()
            .enumerate()
        {
            run(&mut terminal, "later.txt", "");
            terminal.expect("[l]ater: ");
            terminal.send(keys);
            // After a command that an interrupt has ended, bash leaves the rest of its line.
            if keys == "\x03" {
                terminal.expect("\n");
                terminal.send("echo status=$?\n");
            }
            terminal.expect(&format!("status={status}"));
            assert!(!place.tree().join("later.txt").exists(), "{setting:?}");
            let list = staged(&place);
            let for_review = list.iter().filter(|line| line.contains("review"));
            assert_eq!(for_review.count(), number + 1, "{list:?}");
        }
        // Nobody is there to be asked.
        run(&mut terminal, "later.txt", " 2>err.txt");
        terminal.expect("status=0");
        let told = std::fs::read_to_string(place.tree().join("err.txt")).unwrap();
        assert!(told.contains("gosandbox changes apply"), "{told}");
    }
}

/// Each ioctl of the launcher's takes long, that which takes away what was typed before the question among them.
#[test]
fn an_answer_that_comes_with_the_question_counts() {
    if !needs_program("strace", "strace") {
        return;
    }
    for setting in with_namespaces() {
        let place = Place::new(setting);
        let mut terminal = Terminal::open(&place);
        let tracer = "strace -qq -o /dev/null -e trace=ioctl -e inject=ioctl:delay_enter=200000";
        run_traced(&mut terminal, tracer, "answered.txt", "");
        terminal.expect("[l]ater: ");
        terminal.send("n\n");
        terminal.expect("status=0");
        assert!(!place.tree().join("answered.txt").exists(), "{setting:?}");
        assert_eq!(staged(&place).len(), 0, "{setting:?}");
    }
}
