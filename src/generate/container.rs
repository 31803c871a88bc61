//! A container image with gosandbox as its entry point, and how engines are told to run it.
//!
//! Everything has a fixed place in the image, so that no path of this machine is in it.

use super::matching::{Fit, Point};
use super::oci::FILE;
use super::{Artifact, Backend, Error, Model};

/// The backend.
#[derive(Debug)]
pub struct Container;

/// GOROOT in the image.
pub const GOROOT: &str = "/usr/local/go";
/// The work tree in the image.
pub const WORK: &str = "/work";
/// Caches in the image, a volume.
pub const CACHE: &str = "/cache";
/// The user in the image: the one that is nobody's on every host.
pub const USER: u32 = 65532;

impl Backend for Container {
    fn format(&self) -> &'static str {
        "container"
    }

    fn fit(&self, point: Point) -> Fit {
        match point {
            Point::GorootUnwritable | Point::Capabilities | Point::SetId | Point::Namespaces => {
                Fit::Exact
            }
            Point::SecretsUnreadable => Fit::Exact,
            Point::Named => {
                Fit::Narrower("nothing of the host is shown; give the container a volume")
            }
            Point::Services => Fit::Narrower(
                "a port alone is one on the container's own loopback: name the service's host, as in \"db:5432\"",
            ),
            Point::Published => Fit::Narrower(
                "on the container's own loopback, where a container beside it reaches them and the host does not",
            ),
            Point::PrivateTemporary | Point::UnixSockets => Fit::Exact,
            Point::Limits => Fit::Exact,
            Point::SystemCalls => Fit::Wider(
                "oci-seccomp's filter for the container, the launcher's inside are exact",
            ),
            Point::Processes => {
                Fit::Wider("every process of the container, less what the launcher inside refuses")
            }
            Point::ToolNetwork => {
                Fit::Wider("the container's network, in which the gateway fetches")
            }
            _ => Fit::Missing("the launcher, the container's entry point"),
        }
    }

    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        Ok(vec![
            Artifact::file("Containerfile", containerfile(model, self)),
            Artifact::script("run-container", script(model, self)),
        ])
    }
}

fn containerfile(model: &Model<'_>, backend: &Container) -> String {
    let head: String = model
        .header(backend)
        .iter()
        .map(|line| format!("# {line}\n"))
        .collect();
    format!(
        r#"{head}# Build it where the static gosandbox executable lies:
#   podman build -t gosandbox-go -f Containerfile .
ARG GO_IMAGE=docker.io/library/golang:1.26
FROM ${{GO_IMAGE}} AS go
# GOROOT is root's, and nobody can write it: made so before it is copied, which keeps it one layer; the copy makes the folder itself.
RUN chmod -R a-w,a+rX {GOROOT}

FROM docker.io/library/debian:stable-slim
# git is for version control stamping.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/*
COPY --from=go --chown=0:0 {GOROOT} {GOROOT}
COPY --chown=0:0 --chmod=0755 gosandbox /usr/local/bin/gosandbox
{copied}RUN chmod a-w {GOROOT} \
 && groupadd --gid {USER} gosandbox \
 && useradd -K UID_MAX={USER} --uid {USER} --gid {USER} --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin gosandbox \
 && install -d -o {USER} -g {USER} -m 0700 {CACHE} \
 && install -d -o {USER} -g {USER} -m 0755 {WORK}
ENV PATH={GOROOT}/bin:/usr/local/bin:/usr/bin:/bin
USER {USER}:{USER}
WORKDIR {WORK}
VOLUME ["{CACHE}"]
ENTRYPOINT ["gosandbox", "--profile", {profile}, "--cache-dir", "{CACHE}", "--"]
CMD ["go", "build", "./..."]
"#,
        profile = json(profile(model)),
        copied = match profile(model) {
            PROFILE => format!(
                "# The policy's own file, beside this one.\nCOPY --chown=0:0 --chmod=0644 profile.toml {PROFILE}\n"
            ),
            _ => String::new(),
        },
    )
}

/// Where a profile that is no built-in one lies in the image.
const PROFILE: &str = "/etc/gosandbox/profile.toml";

/// What names the profile in the image.
pub fn profile<'a>(model: &'a Model<'_>) -> &'a str {
    // As `--profile` tells files and names apart.
    match &model.policy.name {
        name if name.contains('/') || name.ends_with(".toml") => PROFILE,
        name => name,
    }
}

fn script(model: &Model<'_>, backend: &Container) -> String {
    let head: String = model
        .header(backend)
        .iter()
        .map(|line| format!("# {line}\n"))
        .collect();
    let limits = &model.policy.limits;
    let mut options = vec![
        "--rm".to_owned(),
        "--read-only".to_owned(),
        format!("--user {USER}:{USER}"),
        "--cap-drop ALL".to_owned(),
        "--security-opt no-new-privileges".to_owned(),
        format!("--security-opt \"seccomp=$here/{FILE}\""),
        "--tmpfs /tmp:rw,exec,nosuid,nodev,mode=1777".to_owned(),
        format!("--volume gosandbox-cache:{CACHE}"),
        format!("--volume \"$PWD:{WORK}\""),
    ];
    options.extend(
        limits
            .memory
            .map(|bytes| format!("--memory {bytes} --memory-swap {bytes}")),
    );
    options.extend(limits.pids.map(|number| format!("--pids-limit {number}")));
    options.extend(
        limits
            .open_files
            .map(|number| format!("--ulimit nofile={number}:{number}")),
    );
    format!(
        r#"#!/bin/sh
{head}# The work tree is the folder this is started in; {FILE} (gosandbox profile oci-seccomp) lies beside this script.
# ENGINE is docker or podman, IMAGE what was built, OPTIONS more words for the engine's run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
engine=${{ENGINE:-docker}}
case $PWD in
  *:*) echo "run-container: cannot mount $PWD: engines take a colon for the end of the path; rename the folder" >&2; exit 125 ;;
esac
# Podman without root: the caller is the image's user inside, and the work tree that user's.
case $("$engine" info --format '{{{{.Host.Security.Rootless}}}}' 2>/dev/null || true) in
  true) OPTIONS="--userns=keep-id:uid={USER},gid={USER} ${{OPTIONS:-}}" ;;
esac
exec "$engine" run {} \
  ${{OPTIONS:-}} "${{IMAGE:-gosandbox-go}}" "$@"
"#,
        options.join(" \\\n  ")
    )
}

/// A string as JSON has it, which YAML and Containerfiles read too.
pub fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
