//! What was planned and what was enforced, for a reader and as JSON.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::guarded::Guarded;
use super::stage;
use crate::cli::args::{Output, RunArgs};
use crate::cli::looks;
use crate::files;
use crate::launch::Outcome;
use crate::paths::Paths as _;
use crate::plan::{Holding, Isolation, Node, Plan, Way};
use crate::policy::{Layer, Policy};

/// Version of the report's schema: raised when a member changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Where `--report` goes, settled before the command can change what is there: it may write that folder.
pub(super) enum Place {
    /// Standard output.
    Standard,
    /// A device, or a descriptor of the caller's.
    Open(File, PathBuf),
    /// A file's name in a folder; no link that comes there meanwhile is followed.
    Named(files::Place),
}

impl Place {
    /// That of `--report`, if it is given.
    ///
    /// # Errors
    /// There is no such folder; a link of the work tree's, or of another user's, leads there; it is protected.
    pub(super) fn settle(args: &RunArgs, guarded: &Guarded<'_>) -> anyhow::Result<Option<Place>> {
        let place = args.report.as_ref().map(|output| match output {
            Output::Standard => Ok(Place::Standard),
            Output::File(path) => Place::of(path, guarded)
                .with_context(|| format!("cannot write the report {}", path.display())),
        });
        place.transpose()
    }

    fn of(path: &Path, guarded: &Guarded<'_>) -> anyhow::Result<Place> {
        if path.as_os_str().is_empty() {
            bail!("it names no file");
        }
        let place = guarded.find(path)?;
        let special = place.open_special()?;
        guarded.judge(&place, special.is_some())?;
        Ok(match special {
            Some(file) => Place::Open(file, path.to_owned()),
            None => Place::Named(place),
        })
    }

    fn write(self, value: &Value) -> anyhow::Result<()> {
        let text = format!("{value:#}\n");
        let (written, path) = match self {
            Place::Standard => return super::super::print(text.as_bytes()).map(drop),
            Place::Open(mut file, path) => {
                // A pipe or a terminal has no length.
                let _no_length = file.set_len(0);
                (file.write_all(text.as_bytes()), path)
            }
            Place::Named(place) => (place.replace(text.as_bytes()), place.path().to_owned()),
        };
        written.with_context(|| format!("cannot write the report {}", path.display()))
    }
}

/// Prints the plan, or with `--report` writes it as JSON.
pub(super) fn dry_run(place: Option<Place>, policy: &Policy, plan: &Plan) -> anyhow::Result<u8> {
    match place {
        Some(place) => place.write(&planned(policy, plan)).map(|()| 0),
        None => super::super::print(readable(policy, plan).as_bytes()),
    }
}

/// With `--report`, writes what was enforced.
pub(super) fn write(
    place: Option<Place>,
    policy: &Policy,
    plan: &Plan,
    outcome: &Outcome,
    changes: &stage::Ended,
) -> anyhow::Result<()> {
    let Some(place) = place else {
        return Ok(());
    };
    let mut report = planned(policy, plan);
    let layers = Layer::ALL.map(|layer| {
        (
            layer.word().to_owned(),
            json!(outcome.enforcement.has(layer)),
        )
    });
    report["enforced"] = layers.into_iter().collect();
    report["status"] = json!(outcome.status);
    report["timed-out"] = json!(outcome.timed_out);
    report["exceeded"] = json!({
        "memory": outcome.exceeded.memory,
        "pids": outcome.exceeded.pids,
    });
    report["changes"] = match &changes.landed {
        Some(landed) => json!(landed.changes().iter().collect::<Vec<_>>()),
        None => json!([]),
    };
    report["protected"] = match &changes.looked {
        Some(looked) => {
            json!({ "code": looks::CODE, "moved": looked.moved, "stayed": looked.stayed })
        }
        None => Value::Null,
    };
    report["gateway"] = match &outcome.gateway {
        None => Value::Null,
        Some(Err(error)) => json!({ "failed": error.to_string() }),
        Some(Ok(summary)) => json!({
            "fetched": summary.fetched,
            "bytes": summary.bytes,
            "refused": summary.refused,
        }),
    };
    place.write(&report)
}

fn planned(policy: &Policy, plan: &Plan) -> Value {
    let holdings = plan.guarantees.iter().map(|(guarantee, holding)| {
        let value = match holding {
            Holding::Held(layers) => json!({ "held-by": layers }),
            Holding::Missing { reason, remedy } => json!({ "missing": reason, "remedy": remedy }),
        };
        (guarantee.word().to_owned(), value)
    });
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "profile": policy.name,
        "command": plan.command.argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>(),
        "executable": plan.command.path.ones(),
        "folder": plan.command.folder.ones(),
        "cage": plan.cage,
        "way": plan.way,
        "identity": plan.identity,
        "isolation": plan.isolation,
        "landlock": plan.landlock,
        "filter": plan.filter,
        "limits": plan.limits,
        "environment": plan.command.environment.iter()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), json!(value.to_string_lossy())))
            .collect::<serde_json::Map<_, _>>(),
        "programs": plan.program,
        "guarantees": holdings.collect::<serde_json::Map<_, _>>(),
        "staged": plan.staged.as_ref().map(|tree| tree.ones()),
        "supervision": plan.supervision,
        "not-confined": plan.gaps,
    })
}

fn readable(policy: &Policy, plan: &Plan) -> String {
    let mut text = String::new();
    let words: Vec<_> = plan
        .command
        .argv
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let mut line = |entry: std::fmt::Arguments<'_>| {
        text.push_str(&format!(
            "{entry}
"
        ))
    };
    line(format_args!(
        "profile {}, {:?} cage",
        policy.name, plan.cage
    ));
    line(format_args!(
        "run {} as {}",
        plan.command.path.display(),
        words.join(" ")
    ));
    line(format_args!("in {}", plan.command.folder.display()));
    let Plan { identity, .. } = plan;
    let how = if identity.switch {
        "changed to from root"
    } else {
        "the caller"
    };
    line(format_args!(
        "user {} group {} ({how})",
        identity.uid, identity.gid
    ));
    match &plan.isolation {
        Isolation::Shared => line(format_args!(
            "no namespaces: the host's own file system, behind Landlock"
        )),
        Isolation::Namespaces(view) => {
            line(format_args!(
                "namespaces: mount, pid, net, ipc, uts, cgroup{}",
                if identity.switch { "" } else { ", user" }
            ));
            line(format_args!("root made of:"));
            for node in &view.nodes {
                line(format_args!("  {}", describe(node)));
            }
        }
    }
    let way = match plan.way {
        None => "no network but loopback",
        Some(Way::Modules) => "modules through the gateway, and no other network but loopback",
        Some(Way::Hosts) => "the hosts that the profile names, through the gateway",
    };
    line(format_args!("network: {way}"));
    match &plan.landlock {
        None => line(format_args!("no Landlock")),
        Some(ruleset) => {
            line(format_args!("Landlock ABI {}:", ruleset.abi));
            for rule in &ruleset.rules {
                line(format_args!(
                    "  {:<13} {}",
                    format!("{:?}", rule.access).to_lowercase(),
                    rule.path.display()
                ));
            }
        }
    }
    line(format_args!("seccomp: {:?}", plan.filter));
    line(format_args!("environment:"));
    for (name, value) in &plan.command.environment {
        line(format_args!(
            "  {}={}",
            name.to_string_lossy(),
            value.to_string_lossy()
        ));
    }
    for setting in &plan.command.settings {
        line(format_args!(
            "  {} saying \"{}\"",
            setting.path.display(),
            setting.content
        ));
    }
    line(format_args!("guarantees:"));
    for (guarantee, holding) in &plan.guarantees {
        match holding {
            Holding::Held(layers) => {
                let layers: Vec<_> = layers.iter().map(|layer| layer.word()).collect();
                line(format_args!(
                    "  {:<22} held by {}",
                    guarantee.word(),
                    layers.join(", ")
                ));
            }
            Holding::Missing { reason, .. } => {
                line(format_args!(
                    "  {:<22} NOT HELD: {reason}",
                    guarantee.word()
                ));
            }
        }
    }
    for gap in &plan.gaps {
        line(format_args!("not confined: {gap}"));
    }
    super::super::clean_lines(&text)
}

fn describe(node: &Node) -> String {
    let target = node.target().display();
    match node {
        Node::Folder { .. } => format!("folder    {target}"),
        Node::File { content, .. } => format!("file      {target} ({} bytes)", content.len()),
        Node::Symlink { to, .. } => format!("link      {target} -> {}", to.display()),
        Node::Cover(cover) => format!(
            "cover     {target} ({} bytes, without secrets)",
            cover.content.len()
        ),
        Node::Tmpfs { size, .. } => format!("tmpfs     {target} ({} MiB)", size >> 20),
        Node::Proc { .. } => format!("proc      {target}"),
        Node::Staged(overlay) => format!(
            "overlay   {target} (what is written goes to {})",
            overlay.upper.display()
        ),
        Node::Terminals { .. } => format!("devpts    {target}"),
        Node::Bind {
            source,
            target,
            writable,
            id_map,
        } => {
            let access = if *writable { "read-write" } else { "read-only" };
            let from = if source == target {
                String::new()
            } else {
                format!(" from {}", source.display())
            };
            let mapped = if *id_map {
                ", root's files as the sandbox user's"
            } else {
                ""
            };
            format!("bind      {} ({access}{mapped}){from}", target.display())
        }
    }
}
