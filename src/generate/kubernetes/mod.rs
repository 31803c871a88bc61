//! Kubernetes: a Pod, a Tekton task, the security-profiles-operator's resources, and a policy that admits
//! nothing less.
//!
//! The image is the one of `profile container`; every path is the image's own.

mod admission;
mod operator;

use super::container::{CACHE, Container, USER, WORK, json, profile};
use super::matching::{Fit, Point};
use super::oci::FILE;
use super::{Artifact, Backend, Error, Model};
use crate::text::visible;

/// The backend.
#[derive(Debug)]
pub struct Kubernetes;

/// The SELinux type of the container.
const SELINUX: &str = "gosandbox_t";

/// Whether the pods are to name a guard of the node's. By default none: a node without AppArmor refuses a pod
/// that names a profile of it, and Pod Security a type of SELinux.
fn asks_for(model: &Model<'_>, guard: &str) -> bool {
    model.form.as_deref() == Some(guard)
}

impl Backend for Kubernetes {
    fn format(&self) -> &'static str {
        "kubernetes"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["apparmor", "selinux", "plain"]
    }

    fn fit(&self, point: Point) -> Fit {
        match point {
            Point::ToolNetwork => {
                Fit::Wider("the pod's network; keep it to the module proxy with a NetworkPolicy")
            }
            Point::Limits => {
                Fit::Wider("processes are limited by the node's kubelet, not by the pod")
            }
            _ => Container.fit(point),
        }
    }

    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        let head: String = model
            .header(self)
            .iter()
            .map(|line| format!("# {line}\n"))
            .collect();
        let file = |name: &str, text: String| Artifact::file(name, head.clone() + &text);
        Ok(vec![
            file("pod.yaml", pod(model)),
            file("task.yaml", task(model)),
            file("admission.yaml", admission::policy(model)),
            file("profiles.yaml", operator::profiles(model)),
        ])
    }
}

/// Which guard of the node the pod asks for besides seccomp.
fn guards(model: &Model<'_>, indent: &str) -> String {
    // The engine's own profile: in the one of `profile apparmor` that stands alone no launcher starts.
    let apparmor = format!("{indent}appArmorProfile:\n{indent}  type: RuntimeDefault\n");
    let selinux = format!("{indent}seLinuxOptions:\n{indent}  type: {SELINUX}\n");
    [("apparmor", apparmor), ("selinux", selinux)]
        .into_iter()
        .filter(|(guard, _)| asks_for(model, guard))
        .map(|(_, text)| text)
        .collect()
}

fn seccomp(indent: &str) -> String {
    format!(
        "{indent}seccompProfile:\n{indent}  type: Localhost\n{indent}  localhostProfile: {FILE}\n"
    )
}

/// What a container's securityContext says, in the pod and in the task.
fn container_context(indent: &str) -> String {
    [
        "allowPrivilegeEscalation: false",
        "privileged: false",
        "readOnlyRootFilesystem: true",
        "runAsNonRoot: true",
        &format!("runAsUser: {USER}"),
        &format!("runAsGroup: {USER}"),
        "procMount: Default",
        "capabilities:",
        "  drop: [ALL]",
    ]
    .map(|line| format!("{indent}{line}\n"))
    .concat()
}

fn arguments(model: &Model<'_>) -> String {
    let words = ["--profile", profile(model), "--cache-dir", CACHE, "--"];
    words.map(json).join(", ")
}

fn resources(model: &Model<'_>, indent: &str) -> String {
    match model.policy.limits.memory {
        Some(bytes) => {
            format!("{indent}resources:\n{indent}  limits:\n{indent}    memory: \"{bytes}\"\n")
        }
        None => String::new(),
    }
}

fn deadline(model: &Model<'_>) -> String {
    let seconds = model.policy.limits.timeout;
    seconds.map_or_else(String::new, |seconds| {
        format!("  activeDeadlineSeconds: {seconds}\n")
    })
}

fn pod(model: &Model<'_>) -> String {
    format!(
        r#"# The source comes into the volume `work`: by an init container, a persistent volume, or CI.
apiVersion: v1
kind: Pod
metadata:
  name: gosandbox-build
  labels:
    app.kubernetes.io/name: gosandbox
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  hostNetwork: false
  hostPID: false
  hostIPC: false
  shareProcessNamespace: false
{deadline}  securityContext:
    runAsNonRoot: true
    runAsUser: {USER}
    runAsGroup: {USER}
    fsGroup: {USER}
    fsGroupChangePolicy: OnRootMismatch
{seccomp}{guards}  containers:
    - name: build
      image: gosandbox-go
      workingDir: {WORK}
      command: ["gosandbox"]
      args: [{arguments}, "go", "build", "./..."]
      securityContext:
{context}{resources}      volumeMounts:
        - name: work
          mountPath: {WORK}
        - name: cache
          mountPath: {CACHE}
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: work
      emptyDir: {{}}
    - name: cache
      emptyDir: {{}}
    - name: tmp
      emptyDir: {{}}
"#,
        deadline = deadline(model),
        seccomp = seccomp("    "),
        guards = guards(model, "    "),
        arguments = arguments(model),
        context = container_context("        "),
        resources = resources(model, "      "),
    )
}

fn task(model: &Model<'_>) -> String {
    format!(
        r#"# Tekton runs a step's own command through its entry point, which the step's container executes.
apiVersion: tekton.dev/v1
kind: Task
metadata:
  name: gosandbox-go
spec:
  description: {description}
  params:
    - name: args
      description: the arguments of the go command
      type: array
      default: ["build", "./..."]
    - name: image
      description: the image of `gosandbox profile container`
      type: string
      default: gosandbox-go
  workspaces:
    - name: source
      description: the work tree
      mountPath: {WORK}
    - name: cache
      description: GOCACHE and GOMODCACHE, kept between runs
      mountPath: {CACHE}
      optional: true
  steps:
    - name: go
      image: $(params.image)
      workingDir: {WORK}
      command: ["gosandbox"]
      args: [{arguments}, "go", "$(params.args[*])"]
      securityContext:
{context}{seccomp}{guards}{resources}      volumeMounts:
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: tmp
      emptyDir: {{}}
"#,
        description = json(&format!(
            "Runs a go command in gosandbox, with profile {}.",
            visible(&model.policy.name)
        )),
        arguments = arguments(model),
        context = container_context("        "),
        seccomp = seccomp("        "),
        guards = guards(model, "        "),
        resources = resources(model, "      ").replace("resources:", "computeResources:"),
    )
}
