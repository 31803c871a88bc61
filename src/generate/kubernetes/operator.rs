//! The security-profiles-operator's resources.
//!
//! Its SeccompProfile has no default error number, so that what the filter answers with ENOSYS is named
//! here. Its AppArmorProfile knows neither a second cage nor a refusal that wins over a grant, so that the
//! policy cannot be said in it: load the file of `profile apparmor` on the nodes instead. Its
//! SelinuxProfile is the container's confined domain with nothing added; the module of `profile selinux`
//! says more and is loaded on the nodes too, since the operator takes no file contexts.

use serde_json::{Value, json};

use crate::generate::Model;
use crate::generate::oci;

pub(super) fn profiles(model: &Model<'_>) -> String {
    let filter = oci::filter(model, false);
    let spec = json!({
        "defaultAction": filter["defaultAction"],
        "architectures": filter["architectures"],
        "syscalls": with_absent(&filter),
    });
    let resource = json!({
        "apiVersion": "security-profiles-operator.x-k8s.io/v1",
        "kind": "SeccompProfile",
        "metadata": {"name": "gosandbox-seccomp"},
        "spec": spec,
    });
    // JSON is YAML.
    let seccomp = format!("{resource:#}");
    format!(
        r#"# SeccompProfile: what is refused is refused with ENOSYS where it has a name, else with the
# operator's EPERM. Its pods name it as operator/gosandbox-seccomp.json. For the operator 1.0 and later.
# AppArmorProfile: none, it cannot say the policy (no second cage, no refusal that wins over a grant);
# load the file of `gosandbox profile apparmor` on the nodes.
{seccomp}
---
# The container's confined domain and nothing more. `gosandbox profile selinux` tells the cages apart and
# has file contexts, which the operator does not take: load it on the nodes.
apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SelinuxProfile
metadata:
  name: gosandbox-container
spec:
  mode: Enforcing
  inherit:
    - kind: System
      name: container
  allow: {{}}
"#
    )
}

/// The rules, with one that names the calls which the default answers.
fn with_absent(filter: &Value) -> Value {
    let mut rules = filter["syscalls"].as_array().cloned().unwrap_or_default();
    let names = oci::answered_by_default();
    rules.push(json!({
        "names": names,
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": filter["defaultErrnoRet"],
    }));
    Value::Array(rules)
}
