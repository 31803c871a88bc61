//! `gosandbox audit`: what weakens builds on this machine, and what of that can be put right.

use std::fmt::Write as _;

use super::low::{AuditArgs, Mending};
use super::{findings, print, terminal};
use crate::audit::mend::{self, Mend, MendError};
use crate::audit::{self, Machine};
use crate::finding::Finding;
use crate::refusal::{Code, Refused};
use crate::run;
use crate::text::visible_lines;

/// The exit status where the audit itself fails.
const FAILED: u8 = 2;

/// Examines the machine, and mends what is asked for.
pub(super) fn work(args: &AuditArgs) -> anyhow::Result<u8> {
    let done = match args.mend {
        Some(Mending::Undo) => undo(),
        _ => examine(args),
    };
    done.or_else(|error| {
        terminal::refused(&run::refused(&error), &[]);
        Ok(FAILED)
    })
}

fn examine(args: &AuditArgs) -> anyhow::Result<u8> {
    let folder = run::start_folder(args.directory.as_deref())?;
    let machine = Machine::here(&folder);
    let mut found = audit::examine(&machine);
    if args.mend == Some(Mending::Fix) {
        let mends = mend::mends(&found, machine.who.uid);
        fix(&mends)?;
        found = audit::examine(&machine);
    }
    let found = found.iter().map(Finding::from).collect();
    findings::show("audit", found, &args.findings)
}

/// Shows each change, and makes them all. What is said goes to standard error: findings are on standard output.
fn fix(mends: &[Mend]) -> anyhow::Result<()> {
    let mut said = String::new();
    for mend in mends {
        // A String takes everything.
        let _ = match mend {
            Mend::Comment { path, line } => {
                writeln!(said, "mends {}:{line}: now a comment", path.display())
            }
            Mend::Mode { path, from, to } => writeln!(
                said,
                "mends {}: mode {from:o} is now {to:o}",
                path.display()
            ),
        };
    }
    if mends.is_empty() {
        super::print_lines("nothing that can be put right safely");
        return Ok(());
    }
    let state = state()?;
    let kept = mend::fix(mends, &state).map_err(refused)?;
    let _ = write!(
        said,
        "copies of what was there are in {}; gosandbox audit --undo takes this back",
        kept.display()
    );
    super::print_lines(&said);
    Ok(())
}

fn undo() -> anyhow::Result<u8> {
    let back = mend::undo(&state()?).map_err(refused)?;
    let lines = back
        .iter()
        .map(|path| format!("as before: {}\n", path.display()));
    print(visible_lines(&lines.collect::<String>()).as_bytes())
}

fn state() -> anyhow::Result<std::path::PathBuf> {
    audit::state().ok_or_else(|| {
        let text = "cannot keep copies: neither XDG_STATE_HOME nor HOME is an absolute path";
        Refused::new(Code::MendRefused, text).into()
    })
}

fn refused(error: MendError) -> Refused {
    Refused::new(Code::MendRefused, error.to_string())
}
