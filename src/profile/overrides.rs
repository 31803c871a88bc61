//! What the command line says of the policy: the last word.

use std::path::PathBuf;

use super::origin::Source;
use super::setting::{Edit, Item, Setting, Value};
use super::{Resolved, merge};
use crate::policy::{Guarantee, Layer, Requirement, Staging};

/// What the command line says of the policy. Every value has been checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--ro`: absolute paths.
    pub read: Vec<PathBuf>,
    /// `--rw`: absolute paths.
    pub write: Vec<PathBuf>,
    /// `--allow-host`.
    pub allow_host: Vec<String>,
    /// `--allow-program`: names, or absolute paths.
    pub allow_program: Vec<PathBuf>,
    /// `--service`: as [`crate::policy::Service`] writes them.
    pub services: Vec<String>,
    /// `--publish`.
    pub publish: Vec<String>,
    /// `--env NAME`.
    pub pass: Vec<String>,
    /// `--env NAME=VALUE`.
    pub set: Vec<(String, String)>,
    /// `--user`.
    pub user: Option<String>,
    /// `--timeout`, seconds.
    pub timeout: Option<u64>,
    /// `--memory`, bytes.
    pub memory: Option<u64>,
    /// `--pids`.
    pub pids: Option<u64>,
    /// `--stage`. It also decides for what `files.direct` names.
    pub stage: Option<Staging>,
    /// `--require`.
    pub require: Vec<Layer>,
    /// `--best-effort`: what the host cannot hold is reported, not refused.
    pub best_effort: bool,
}

impl Overrides {
    pub(super) fn apply(&self, resolved: &mut Resolved) {
        let mut say = |flag: &'static str, value: Value| {
            merge::apply(resolved, &Setting { value, line: 0 }, &Source::Flag(flag));
        };
        if !self.read.is_empty() {
            say("--ro", Value::Read(Edit::add(self.read.iter().cloned())));
        }
        if !self.write.is_empty() {
            say("--rw", Value::Write(Edit::add(self.write.iter().cloned())));
        }
        if !self.allow_host.is_empty() {
            say(
                "--allow-host",
                Value::Allow(Edit::add(self.allow_host.iter().cloned())),
            );
        }
        if !self.allow_program.is_empty() {
            say(
                "--allow-program",
                Value::Execute(Edit::add(self.allow_program.iter().cloned())),
            );
        }
        if !self.services.is_empty() {
            say(
                "--service",
                Value::Services(Edit::add(self.services.iter().cloned())),
            );
        }
        if !self.publish.is_empty() {
            say(
                "--publish",
                Value::Publish(Edit::add(self.publish.iter().cloned())),
            );
        }
        if !self.pass.is_empty() {
            say("--env", Value::Pass(Edit::add(self.pass.iter().cloned())));
        }
        if !self.set.is_empty() {
            let items = self
                .set
                .iter()
                .cloned()
                .map(|value| Item { value, line: 0 });
            say("--env", Value::Set(items.collect()));
        }
        if let Some(user) = &self.user {
            say("--user", Value::User(Some(user.clone())));
        }
        if self.timeout.is_some() {
            say("--timeout", Value::Timeout(self.timeout));
        }
        if self.memory.is_some() {
            say("--memory", Value::Memory(self.memory));
        }
        if self.pids.is_some() {
            say("--pids", Value::Pids(self.pids));
        }
        if let Some(stage) = self.stage {
            say("--stage", Value::Stage(stage));
            if stage != Staging::Direct {
                say("--stage", Value::Direct(Edit::Replace(Vec::new())));
            }
        }
        if self.best_effort {
            best_effort(resolved);
        }
        // After --best-effort: a layer named on the same line is meant.
        for layer in &self.require {
            let value = Value::Layer(*layer, Requirement::Required);
            merge::apply(
                resolved,
                &Setting { value, line: 0 },
                &Source::Flag("--require"),
            );
        }
    }
}

/// Makes what is required preferred.
fn best_effort(resolved: &mut Resolved) {
    let needed = |need| need == Requirement::Required;
    let layers = Layer::by_need()
        .filter(|layer| needed(resolved.policy.layer(*layer)))
        .map(|layer| Value::Layer(layer, Requirement::Preferred));
    let guarantees = Guarantee::ALL
        .into_iter()
        .filter(|guarantee| needed(resolved.policy.guarantee(*guarantee)))
        .map(|guarantee| Value::Guarantee(guarantee, Requirement::Preferred));
    let values: Vec<Value> = layers.chain(guarantees).collect();
    for value in values {
        merge::apply(
            resolved,
            &Setting { value, line: 0 },
            &Source::Flag("--best-effort"),
        );
    }
}
