//! Commands that turn out to need a newer Go: `go get`, `go install X@v`, `go mod tidy`, `go work use` and their like.
//!
//! Plain go changes to that Go by itself. Inside it is `GOTOOLCHAIN=local`, and the command ends with an error that names
//! the version. So the launcher has such a command say once more why it failed, fetches that Go within the policy's range,
//! and runs the command again with it.

use super::captured::captured;
use super::errand::Errand;
use super::plan::Prepared;
use super::start::{Ran, start};
use super::{Command, Project, fetch, scratch, toolchain};
use crate::go::command::GoCommand;
use crate::go::toolchain::Toolchain;
use crate::go::version::Version;
use crate::host::Host;
use crate::plan::Plan;

/// go's exit status where it has failed itself.
const FAILED: i32 = 1;

/// Runs a command again that has failed for want of a newer Go; else yields what there is.
///
/// # Errors
/// That Go is not in the policy's range or cannot be fetched, or the sandbox cannot be started.
pub(super) fn again(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &Prepared<'_>,
    found: &Toolchain,
    command: &Command,
    (plan, ran): (Plan, Ran),
) -> anyhow::Result<(Plan, Ran)> {
    let changes_itself = prepared.go().is_some_and(changes_toolchain);
    if ran.outcome.status != FAILED
        || ran.outcome.timed_out
        || !changes_itself
        || !toolchain::may_change(project.session, found)?
    {
        return Ok((plan, ran));
    }
    let Some(needed) = needed(project, host, prepared, found, command) else {
        return Ok((plan, ran));
    };
    let who = prepared.who();
    let newer = toolchain::at_least(project, host, who, command, &needed)?;
    project.session.console.warn(&format!(
        "the command runs again with go{}, which it asks for",
        newer.version
    ));
    let mut prepared = Prepared::new(
        project.session,
        project.workspace,
        project.policy,
        who.clone(),
        &newer,
        command,
        &scratch::name()?,
    )?;
    fetch::missing(project, host, &prepared, &newer)?;
    let (plan, ended) = start(project, host, &mut prepared, None)?;
    Ok((plan, ended.map_err(super::start::refused)?))
}

/// Whether the go command changes to a newer Go where modules ask for one, beyond the project's own lines.
fn changes_toolchain(go: &GoCommand) -> bool {
    match go.subcommand.as_str() {
        "get" | "mod download" | "mod tidy" | "work sync" | "work use" => true,
        "install" | "run" => go.versioned,
        _ => false,
    }
}

/// The version that the command names when it is asked once more.
fn needed(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &Prepared<'_>,
    found: &Toolchain,
    command: &Command,
) -> Option<Version> {
    let words = command.arguments.iter().map(|word| word.to_str());
    let words: Vec<&str> = words.collect::<Option<_>>()?;
    let errand = Errand {
        project: *project,
        who: prepared.who().clone(),
        toolchain: found,
        words: &words,
        cgo: false,
    };
    let said = captured(|| errand.run(host)).ok()?;
    let version = named(&said.stderr).filter(|version| *version > found.version)?;
    match version.is_language() {
        // No release has its name; the first one has this.
        true => format!("{}.0", version.as_str()).parse().ok(),
        false => Some(version),
    }
}

/// The newest version of which go says that something requires it.
fn named(text: &str) -> Option<Version> {
    const REQUIRES: &str = "requires go >= ";
    let found = text.match_indices(REQUIRES).filter_map(|(at, found)| {
        let rest = &text[at + found.len()..];
        let version = rest.split_whitespace().next()?;
        rest[version.len()..]
            .starts_with(" (running go ")
            .then(|| version.parse().ok())?
    });
    found.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_counts_that_is_required() {
        let named = |text| named(text).map(|version: Version| version.as_str().to_owned());
        assert_eq!(
            named(
                "go: a@v1 requires go >= 1.27.0 (running go 1.26.8; GOTOOLCHAIN=local)\n\
                 go: b@v1 requires go >= 1.28 (running go 1.26.8; GOTOOLCHAIN=local)\n"
            )
            .as_deref(),
            Some("1.28")
        );
        assert_eq!(
            named("go: a@v1 requires go >= nonsense (running go 1.26.8)"),
            None
        );
        assert_eq!(named("requires go >= 1.27.0 in prose"), None);
        assert_eq!(named(""), None);
    }
}
