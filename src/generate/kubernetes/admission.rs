//! A ValidatingAdmissionPolicy that admits no pod which says less than the one that is generated.
//!
//! What a container says for itself takes the place of what the pod says, as a whole and not field by field: a container
//! that names a profile's type without its file is not the pod's.

use super::{FILE, Model, SELINUX, asks_for, json};

/// What an admitted pod must say, and what its author is told. CEL, Kubernetes 1.30 and later.
const DEMANDS: [(&str, &str); 13] = [
    (
        "variables.containers.all(c, c.?securityContext.?allowPrivilegeEscalation.orValue(true) == false)",
        "every container must set allowPrivilegeEscalation: false",
    ),
    (
        "variables.containers.all(c, c.?securityContext.?privileged.orValue(false) == false)",
        "no container may be privileged",
    ),
    (
        "variables.containers.all(c, c.?securityContext.?readOnlyRootFilesystem.orValue(false))",
        "every container must set readOnlyRootFilesystem: true",
    ),
    (
        "variables.containers.all(c, 'ALL' in c.?securityContext.?capabilities.?drop.orValue([]))",
        "every container must drop ALL capabilities",
    ),
    (
        "variables.containers.all(c, c.?securityContext.?capabilities.?add.orValue([]).size() == 0)",
        "no container may add a capability",
    ),
    (
        "variables.containers.all(c, c.?securityContext.?runAsNonRoot.orValue(object.spec.?securityContext.?runAsNonRoot.orValue(false)))",
        "every container must run as a user that is not root (runAsNonRoot: true)",
    ),
    (
        "variables.containers.all(c, c.?securityContext.?runAsUser.orValue(object.spec.?securityContext.?runAsUser.orValue(1)) != 0)",
        "no container may run as user 0",
    ),
    (
        "variables.containers.all(c, c.?securityContext.?procMount.orValue('Default') == 'Default')",
        "no container may unmask /proc",
    ),
    (
        "variables.containers.all(c, !c.?securityContext.?windowsOptions.hasValue())",
        "no container may have options of Windows",
    ),
    (
        "!object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false) && !object.spec.?hostIPC.orValue(false)",
        "the pod may share no namespace of the host",
    ),
    (
        "object.spec.?automountServiceAccountToken.orValue(true) == false",
        "the pod must not mount a service account token",
    ),
    (
        "object.spec.?volumes.orValue([]).all(v, v.?projected.?sources.orValue([]).all(s, !s.?serviceAccountToken.hasValue()))",
        "no volume may hold a service account token",
    ),
    (
        "object.spec.?volumes.orValue([]).all(v, !v.?hostPath.hasValue())",
        "no volume may be a folder of the host",
    ),
];

/// Of the container's own or else the pod's `context`, the field must be `value`.
fn named(context: &str, field: &str, value: &str) -> String {
    format!(
        "variables.containers.all(c, c.?securityContext.?{context}.or(object.spec.?securityContext.?{context}).?{field}.orValue('') == '{value}')"
    )
}

fn demands(model: &Model<'_>) -> Vec<(String, &'static str)> {
    let mut demands: Vec<(String, &str)> = DEMANDS
        .iter()
        .map(|(expression, message)| ((*expression).to_owned(), *message))
        .collect();
    demands.push((
        named("seccompProfile", "localhostProfile", FILE),
        "every container must have gosandbox's seccomp profile",
    ));
    if asks_for(model, "apparmor") {
        demands.push((
            named("appArmorProfile", "type", "RuntimeDefault"),
            "every container must have the engine's AppArmor profile",
        ));
        demands.push((
            "object.metadata.?annotations.orValue({}).all(k, !k.startsWith('container.apparmor.security.beta.kubernetes.io/'))"
                .to_owned(),
            "no annotation may name an AppArmor profile",
        ));
    }
    if asks_for(model, "selinux") {
        demands.push((
            named("seLinuxOptions", "type", SELINUX),
            "every container must have gosandbox's SELinux type",
        ));
    }
    demands
}

pub(super) fn policy(model: &Model<'_>) -> String {
    let validations: String = demands(model)
        .iter()
        .map(|(expression, message)| {
            format!(
                "    - expression: {}\n      message: {}\n",
                json(expression),
                json(message)
            )
        })
        .collect();
    format!(
        r#"# Holds in namespaces that carry the label gosandbox: required.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: gosandbox-pods
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [""]
        apiVersions: ["v1"]
        operations: ["CREATE", "UPDATE"]
        resources: ["pods", "pods/ephemeralcontainers"]
  variables:
    - name: containers
      expression: {containers}
  validations:
{validations}---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: gosandbox-pods
spec:
  policyName: gosandbox-pods
  validationActions: [Deny, Audit]
  matchResources:
    namespaceSelector:
      matchLabels:
        gosandbox: required
"#,
        containers = json(
            "object.spec.containers + object.spec.?initContainers.orValue([]) + object.spec.?ephemeralContainers.orValue([])"
        ),
    )
}
