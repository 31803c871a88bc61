//! What the policy requires and a plan cannot hold.

use anyhow::bail;

use super::mandatory;
use crate::cli::args::Verbosity;
use crate::cli::warn;
use crate::plan::{Holding, Plan};
use crate::policy::{Guarantee, Policy, Requirement};

/// Refuses to go on where the policy requires what the plan cannot hold.
pub(super) fn require(policy: &Policy, plan: &Plan, verbosity: Verbosity) -> anyhow::Result<()> {
    for guarantee in Guarantee::ALL {
        let Some(Holding::Missing { reason, remedy }) = plan.guarantees.get(&guarantee) else {
            continue;
        };
        let word = guarantee.word();
        match policy.guarantee(guarantee) {
            Requirement::Required => bail!(
                "cannot hold {word}, which profile {} requires: {reason}; {remedy}, or run with --best-effort",
                policy.name
            ),
            Requirement::Preferred => {
                warn(verbosity, &format!("{word} does not hold here: {reason}"))
            }
            Requirement::Off => {}
        }
    }
    if let (Some((layer, label)), Some(stream)) = (plan.labels.first(), into_a_file()) {
        bail!(
            "cannot hand on {stream}: it is a file, which {} would take away in {label}; use a pipe (| cat >FILE)",
            layer.word()
        );
    }
    mandatory::labels(policy, plan)?;
    for (layer, requirement) in &policy.layers {
        if *requirement == Requirement::Required && !plan.has_layer(*layer) {
            bail!(
                "cannot put {} in force, which is required: this host does not offer it (gosandbox doctor says why)",
                layer.word()
            );
        }
    }
    Ok(())
}

/// A standard stream that leads into a file: a profile or domain that does not grant the file closes it at
/// exec, and the output would be lost.
fn into_a_file() -> Option<&'static str> {
    let is_file = |stream: std::os::fd::BorrowedFd<'_>| {
        rustix::fs::fstat(stream).is_ok_and(|found| {
            rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::RegularFile
        })
    };
    match (
        is_file(rustix::stdio::stdout()),
        is_file(rustix::stdio::stderr()),
    ) {
        (true, _) => Some("standard output"),
        (_, true) => Some("standard error"),
        _ => None,
    }
}
