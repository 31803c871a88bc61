//! The plan of a dry run, for a reader.

use std::fmt::Write as _;

use crate::plan::{Holding, Isolation, Node, Plan, Way};
use crate::policy::Policy;
use crate::text::visible_lines;

/// The plan, in lines.
pub(super) fn readable(policy: &Policy, plan: &Plan) -> String {
    let mut text = String::new();
    let _writing_to_a_string_succeeds = command(&mut text, policy, plan)
        .and_then(|()| files(&mut text, plan))
        .and_then(|()| environment(&mut text, plan))
        .and_then(|()| guarantees(&mut text, plan));
    visible_lines(&text)
}

fn command(text: &mut String, policy: &Policy, plan: &Plan) -> std::fmt::Result {
    let words = plan.command.argv.iter().map(|word| word.to_string_lossy());
    let words = words.collect::<Vec<_>>().join(" ");
    let identity = &plan.identity;
    let how = match identity.switch {
        true => "changed to from root",
        false => "the caller",
    };
    writeln!(text, "profile {}, {:?} cage", policy.name, plan.cage)?;
    writeln!(text, "run {} as {words}", plan.command.path.display())?;
    writeln!(text, "in {}", plan.command.folder.display())?;
    writeln!(text, "user {} group {} ({how})", identity.uid, identity.gid)
}

fn files(text: &mut String, plan: &Plan) -> std::fmt::Result {
    match &plan.isolation {
        Isolation::Shared => writeln!(
            text,
            "no namespaces: the host's own file system, behind Landlock"
        )?,
        Isolation::Namespaces(view) => {
            let user = if plan.identity.switch { "" } else { ", user" };
            writeln!(
                text,
                "namespaces: mount, pid, net, ipc, uts, cgroup{user}\nroot made of:"
            )?;
            for node in &view.nodes {
                writeln!(text, "  {}", describe(node))?;
            }
        }
    }
    let way = match plan.way {
        None => "no network but loopback",
        Some(Way::Modules) => "modules through the gateway, and no other network but loopback",
        Some(Way::Hosts) => "the hosts that the profile names, through the gateway",
    };
    writeln!(text, "network: {way}")?;
    let Some(ruleset) = &plan.landlock else {
        return writeln!(text, "no Landlock");
    };
    writeln!(text, "Landlock ABI {}:", ruleset.abi)?;
    for rule in &ruleset.rules {
        let access = format!("{:?}", rule.access).to_lowercase();
        writeln!(text, "  {access:<13} {}", rule.path.display())?;
    }
    Ok(())
}

fn environment(text: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(text, "seccomp: {:?}\nenvironment:", plan.filter)?;
    for (name, value) in &plan.command.environment {
        writeln!(
            text,
            "  {}={}",
            name.to_string_lossy(),
            value.to_string_lossy()
        )?;
    }
    for setting in &plan.command.settings {
        writeln!(
            text,
            "  {} saying \"{}\"",
            setting.path.display(),
            setting.content
        )?;
    }
    Ok(())
}

fn guarantees(text: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(text, "guarantees:")?;
    for (guarantee, holding) in &plan.guarantees {
        let held = match holding {
            Holding::Held(layers) => {
                let layers: Vec<_> = layers.iter().map(|layer| layer.word()).collect();
                format!("held by {}", layers.join(", "))
            }
            Holding::Missing { reason, .. } => format!("NOT HELD: {reason}"),
        };
        writeln!(text, "  {:<22} {held}", guarantee.word())?;
    }
    for gap in &plan.gaps {
        writeln!(text, "not confined: {gap}")?;
    }
    Ok(())
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
        Node::Programs { links, .. } => format!("programs  {target} ({} names)", links.len()),
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
