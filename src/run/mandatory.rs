//! Whether the profile or domain that a policy asks for can be in force here, before anything starts.
//!
//! The child verifies the switch itself; what its label lets pass only the loaded policy knows, which a
//! view of the system without `/sys` does not show.

use crate::host::mandatory::{self, Domain};
use crate::plan::Plan;
use crate::policy::{Cage, Layer, Policy};
use crate::refusal::{Code, Refused};

/// Refuses to go on where a guard is missing, or would let everything pass.
pub(super) fn labels(policy: &Policy, plan: &Plan) -> anyhow::Result<()> {
    for (layer, label) in &plan.labels {
        let here = match layer {
            Layer::Apparmor => mandatory::apparmor().map(drop),
            _ => domains(policy),
        };
        if let Err(reason) = here {
            let text = format!(
                "cannot put {} in force, which profile {} asks for with \"{label}\": {reason}",
                layer.word(),
                policy.name
            );
            return Err(Refused::new(Code::LabelUnusable, text)
                .words(format!(
                    "gosandbox profile {0} shows what to load here; gosandbox doctor says what is missing",
                    layer.word()
                ))
                .words(format!("take `{}` out of [layers] in the profile", layer.word()))
                .into());
        }
    }
    Ok(())
}

/// SELinux enforces, and enforces the domains of both cages: a single one can be permissive.
fn domains(policy: &Policy) -> Result<(), String> {
    mandatory::selinux()?;
    for cage in [Cage::Tool, Cage::Program] {
        let labels = policy.mandatory.labels(cage);
        for (_, name) in labels.iter().filter(|(layer, _)| *layer == Layer::Selinux) {
            match mandatory::domain(name)? {
                Domain::Enforced => {}
                Domain::Permissive => {
                    return Err(format!(
                        "the domain {name} is permissive, and refuses nothing (semanage permissive -d {name})"
                    ));
                }
                Domain::Unknown => {
                    return Err(format!(
                        "the loaded policy does not have the domain {name}, or not for this user's role \
                         (gosandbox profile selinux makes its module)"
                    ));
                }
            }
        }
    }
    Ok(())
}
