//! `--stage review` on a terminal: shows the changes of a run and asks what becomes of them.

use std::io::{self, IsTerminal, Write};

use rustix::termios::{QueueSelector, tcflush};

use super::changes::text;
use crate::changes::Stage;
use crate::policy::Staging;

const QUESTION: &[u8] = b"Apply these changes? [y]es, [n]o and remove them, [l]ater: ";

/// Whether somebody can be asked: standard input and error are terminals, and the launcher is in the
/// foreground. In the background a read would stop it (SIGTTIN, termios(3)).
pub(super) fn can_ask() -> bool {
    let (stdin, stderr) = (io::stdin(), io::stderr());
    let in_front = rustix::termios::tcgetpgrp(&stdin);
    stdin.is_terminal() && stderr.is_terminal() && in_front == Ok(rustix::process::getpgrp())
}

/// Shows the changes on standard error and asks. Without an answer they stay staged.
///
/// # Errors
/// The changes cannot be listed.
pub(super) fn ask(stage: &Stage) -> anyhow::Result<Staging> {
    let (changes, differences) = stage.differences()?;
    let tree = stage.record().tree.display().to_string();
    let mut text = format!(
        "gosandbox: the run changed {}:\n{}\n",
        crate::text::visible(&tree),
        text::shown(&changes, &differences)
    );
    loop {
        let mut stderr = io::stderr().lock();
        let shown = stderr.write_all(text.as_bytes());
        // Keys that were pressed before the question are no answer, and those that are pressed as soon as it
        // is there are one. A terminal that is gone gives none.
        let _no_answer_comes = tcflush(io::stdin(), QueueSelector::IFlush);
        // Nobody can answer a question that was not shown.
        if shown.and_then(|()| stderr.write_all(QUESTION)).is_err() {
            return Ok(Staging::Review);
        }
        drop(stderr);
        let mut answer = String::new();
        let length = io::stdin().read_line(&mut answer);
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(Staging::Apply),
            "n" | "no" => return Ok(Staging::Discard),
            "" | "l" | "later" => return Ok(Staging::Review),
            _ if !matches!(length, Ok(1..)) => return Ok(Staging::Review),
            _ => text.clear(),
        }
    }
}
