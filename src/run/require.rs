//! What the policy requires and a plan cannot hold.

use super::{Console, mandatory};
use crate::launch::streams;
use crate::plan::{Holding, Plan};
use crate::policy::{Guarantee, Layer, Policy, Requirement};
use crate::refusal::{Code, Refused};

/// Refuses to go on where the policy requires what the plan cannot hold.
pub(super) fn require(policy: &Policy, plan: &Plan, console: &dyn Console) -> anyhow::Result<()> {
    guarantees(policy, plan, console)?;
    if let (Some((layer, label)), Some(stream)) = (plan.labels.first(), streams::into_a_file()) {
        let text = format!(
            "cannot hand on {stream}: it is a file, which {} would take away in {label}",
            layer.word()
        );
        return Err(Refused::new(Code::StreamRefused, text)
            .words("gosandbox -- go build ./... 2>&1 | cat >FILE")
            .into());
    }
    mandatory::labels(policy, plan)?;
    let is_missing = |layer: &Layer, needed: &Requirement| {
        *needed == Requirement::Required && !plan.has_layer(*layer)
    };
    let layers = policy.layers.iter();
    let missing = layers.filter(|(layer, needed)| is_missing(layer, needed));
    let missing: Vec<_> = missing.map(|(layer, _)| layer.word()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "cannot put {} in force, which is required: this host does not offer it",
        missing.join(", ")
    );
    Err(Refused::new(Code::LayerMissing, text).into())
}

/// Refuses where a required guarantee does not hold, and names all that do not.
fn guarantees(policy: &Policy, plan: &Plan, console: &dyn Console) -> anyhow::Result<()> {
    let (mut missing, mut remedies) = (Vec::new(), Vec::new());
    for guarantee in Guarantee::ALL {
        let Some(Holding::Missing { reason, remedy }) = plan.guarantees.get(&guarantee) else {
            continue;
        };
        let word = guarantee.word();
        match policy.guarantee(guarantee) {
            Requirement::Required => {
                missing.push(format!("{word} ({reason})"));
                remedies.push(remedy.as_str());
            }
            Requirement::Preferred => console.warn(&format!("{word} does not hold here: {reason}")),
            Requirement::Off => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "cannot hold what profile {} requires: {}",
        policy.name,
        missing.join("; ")
    );
    remedies.dedup();
    let refused = Refused::new(Code::GuaranteeMissing, text);
    let refused = remedies.into_iter().fold(refused, Refused::words);
    Err(refused.option("--best-effort").into())
}
