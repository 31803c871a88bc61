//! What the policy requires and a plan cannot hold.

use anyhow::bail;

use super::{Console, mandatory};
use crate::launch::streams;
use crate::plan::{Holding, Plan};
use crate::policy::{Guarantee, Policy, Requirement};

/// Refuses to go on where the policy requires what the plan cannot hold.
pub(super) fn require(policy: &Policy, plan: &Plan, console: &dyn Console) -> anyhow::Result<()> {
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
            Requirement::Preferred => console.warn(&format!("{word} does not hold here: {reason}")),
            Requirement::Off => {}
        }
    }
    if let (Some((layer, label)), Some(stream)) = (plan.labels.first(), streams::into_a_file()) {
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
