//! The admission policy, evaluated by the CEL implementation of Kubernetes' API server: it admits the Pod that is generated,
//! and none that says less.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gosandbox::generate::{self, Model};
use serde_json::{Value, json};

use crate::{folder, policy, site, support};

/// Changes to the Pod: where, and what is put there; `null` takes it away.
type Change = (&'static str, Value);

/// What takes something away from a container, wherever it stands.
fn weaker_container() -> Vec<Change> {
    vec![
        ("securityContext", json!(null)),
        ("securityContext", json!({})),
        ("securityContext/allowPrivilegeEscalation", json!(true)),
        ("securityContext/allowPrivilegeEscalation", json!(null)),
        ("securityContext/privileged", json!(true)),
        ("securityContext/readOnlyRootFilesystem", json!(false)),
        ("securityContext/readOnlyRootFilesystem", json!(null)),
        ("securityContext/capabilities", json!(null)),
        ("securityContext/capabilities/drop", json!([])),
        ("securityContext/capabilities/drop", json!(["NET_RAW"])),
        ("securityContext/capabilities/add", json!(["SYS_ADMIN"])),
        ("securityContext/runAsNonRoot", json!(false)),
        ("securityContext/runAsUser", json!(0)),
        ("securityContext/procMount", json!("Unmasked")),
        (
            "securityContext/windowsOptions",
            json!({"hostProcess": true}),
        ),
        (
            "securityContext/seccompProfile",
            json!({"type": "Unconfined"}),
        ),
        (
            "securityContext/seccompProfile",
            json!({"type": "RuntimeDefault"}),
        ),
        (
            "securityContext/seccompProfile",
            json!({"type": "Localhost", "localhostProfile": "other.json"}),
        ),
        (
            "securityContext/appArmorProfile",
            json!({"type": "Unconfined"}),
        ),
        (
            "securityContext/appArmorProfile",
            json!({"type": "Localhost", "localhostProfile": "other"}),
        ),
        (
            "securityContext/seLinuxOptions",
            json!({"level": "s0:c1,c2"}),
        ),
        ("securityContext/seLinuxOptions", json!({"type": "spc_t"})),
    ]
}

/// What takes something away from the pod.
fn weaker_pod() -> Vec<Change> {
    let token =
        json!({"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}});
    vec![
        ("spec/securityContext", json!(null)),
        ("spec/securityContext/seccompProfile", json!(null)),
        (
            "spec/securityContext/seccompProfile",
            json!({"type": "Unconfined"}),
        ),
        ("spec/securityContext/appArmorProfile", json!(null)),
        ("spec/securityContext/seLinuxOptions", json!(null)),
        (
            "spec/securityContext/seLinuxOptions",
            json!({"type": "spc_t"}),
        ),
        ("spec/hostNetwork", json!(true)),
        ("spec/hostPID", json!(true)),
        ("spec/hostIPC", json!(true)),
        ("spec/automountServiceAccountToken", json!(null)),
        ("spec/automountServiceAccountToken", json!(true)),
        (
            "spec/volumes/0",
            json!({"name": "work", "hostPath": {"path": "/"}}),
        ),
        ("spec/volumes/0", token),
        (
            "metadata/annotations",
            json!({"container.apparmor.security.beta.kubernetes.io/build": "unconfined"}),
        ),
    ]
}

/// What leaves the pod as strict as it was.
fn no_weaker() -> Vec<Change> {
    vec![
        ("metadata/annotations", json!({"team": "builds"})),
        ("spec/hostNetwork", json!(null)),
        ("spec/volumes", json!(null)),
        ("spec/securityContext/runAsUser", json!(1000)),
        ("spec/securityContext/runAsNonRoot", json!(null)),
        (
            "spec/containers/0/securityContext/runAsNonRoot",
            json!(null),
        ),
        ("spec/containers/0/securityContext/privileged", json!(null)),
        ("spec/containers/0/image", json!("another")),
    ]
}

/// The pod with one thing changed.
fn changed(pod: &Value, path: &str, value: &Value) -> Value {
    let mut pod = pod.clone();
    let mut at = &mut pod;
    let (folders, name) = path
        .rsplit_once('/')
        .map_or((None, path), |(f, n)| (Some(f), n));
    for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        };
    }
    match (at, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (Value::Object(fields), value) => drop(fields.insert(name.to_owned(), value.clone())),
        (Value::Array(items), value) => items[name.parse::<usize>().unwrap()] = value.clone(),
        (at, _) => panic!("{path}: {at}"),
    }
    pod
}

/// The evaluator, built once.
fn evaluator() -> PathBuf {
    let out = folder("admission").join("admission");
    let done = Command::new("go")
        .args(["build", "-o"])
        .arg(&out)
        .arg(".")
        .current_dir(support::checkout().join("tests/schemas/admission"))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    out
}

fn said(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn no_pod_that_says_less_than_the_generated_one_is_admitted() {
    let evaluator = evaluator();
    let folder = evaluator.parent().unwrap();
    let (policy, site) = (policy(), site(Path::new("/work")));
    for form in [None, Some("apparmor"), Some("selinux"), Some("plain")] {
        let mut model = Model::new(&policy, &site).unwrap();
        model.form = form.map(str::to_owned);
        let backend = generate::backend("kubernetes").unwrap();
        for file in backend.render(&model).unwrap() {
            fs::write(folder.join(file.name), file.content).unwrap();
        }
        let pod = said(
            Command::new(&evaluator)
                .arg("json")
                .arg(folder.join("pod.yaml")),
            "",
        );
        let mut pod: Value = serde_json::from_str(&pod).unwrap();
        // Beside it one of every other kind of container.
        let container = pod["spec"]["containers"][0].clone();
        for kind in ["initContainers", "ephemeralContainers"] {
            pod["spec"][kind] = json!([container, container]);
        }
        let places = [
            "spec/containers/0",
            "spec/initContainers/1",
            "spec/ephemeralContainers/1",
        ];
        let weaker: Vec<Value> = places
            .iter()
            .flat_map(|place| {
                let pod = &pod;
                weaker_container().into_iter().map(move |(path, value)| {
                    (
                        format!("{place}/{path}"),
                        changed(pod, &format!("{place}/{path}"), &value),
                    )
                })
            })
            .chain(
                weaker_pod()
                    .into_iter()
                    .map(|(path, value)| (path.to_owned(), changed(&pod, path, &value))),
            )
            // Of a guard that the pod does not name, nothing is taken away.
            .filter(|(path, _)| {
                let names = |guard| form == Some(guard);
                (names("apparmor") || !path.contains("appArmor") && !path.contains("annotations"))
                    && (names("selinux") || !path.contains("seLinux"))
            })
            .map(|(_, pod)| pod)
            .collect();
        let strict: Vec<Value> = std::iter::once(pod.clone())
            .chain(
                no_weaker()
                    .iter()
                    .map(|(path, value)| changed(&pod, path, value)),
            )
            .collect();
        let judge = |pods: &[Value]| {
            let mut command = Command::new(&evaluator);
            command.arg("judge").arg(folder.join("admission.yaml"));
            let lines = said(&mut command, &serde_json::to_string(pods).unwrap());
            let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
            assert_eq!(lines.len(), pods.len());
            lines
        };
        for (pod, verdict) in strict.iter().zip(judge(&strict)) {
            assert_eq!(verdict, "admitted", "{form:?}: {pod:#}");
        }
        for (pod, verdict) in weaker.iter().zip(judge(&weaker)) {
            assert_ne!(verdict, "admitted", "{form:?}: {pod:#}");
            assert!(!verdict.contains("error: "), "{form:?}: {verdict}: {pod:#}");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}
