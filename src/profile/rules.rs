//! A resolved policy as a list of rules, each with its value and origin: what `policy show` prints.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::check::show_pin;
use super::{Key, Origin, Resolved, show_duration, show_size};
use crate::policy::{Modules, Pin, Policy, Runs};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key.
    pub key: Key,
    /// The item of a list or map, as [`super::Origins::of`] knows it.
    pub item: Option<String>,
    /// The value, as a profile would say it.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Every rule of a policy, sorted by section and key; an empty list has none.
pub fn rules(resolved: &Resolved) -> Vec<Shown> {
    Key::all().flat_map(|key| of_key(resolved, key)).collect()
}

fn of_key(resolved: &Resolved, key: Key) -> Vec<Shown> {
    let shown = |(item, value): (Option<String>, String)| Shown {
        key,
        origin: resolved.origins.of(key, item.as_deref()),
        item,
        value,
    };
    values(&resolved.policy, key)
        .into_iter()
        .map(shown)
        .collect()
}

/// Values of a key, with the item of a list or map that each is.
type Values = Vec<(Option<String>, String)>;

fn one(value: &str) -> Values {
    vec![(None, value.to_owned())]
}

fn words(list: &[String]) -> Values {
    let each = |word: &String| (Some(word.clone()), word.clone());
    list.iter().map(each).collect()
}

fn paths(list: &[PathBuf]) -> Values {
    let each = |path: &PathBuf| {
        let text = path.to_string_lossy().into_owned();
        (Some(text.clone()), text)
    };
    list.iter().map(each).collect()
}

fn switch(is_on: bool) -> Values {
    one(if is_on { "true" } else { "false" })
}

fn limit(value: Option<u64>, show: fn(u64) -> String) -> Values {
    one(&value.map_or_else(|| "none".to_owned(), show))
}

fn values(policy: &Policy, key: Key) -> Values {
    let (modules, limits) = (&policy.modules, &policy.limits);
    match key {
        Key::User => one(policy.identity.user.as_deref().unwrap_or("auto")),
        Key::Read => paths(&policy.files.read),
        Key::Write => paths(&policy.files.write),
        Key::Protected => paths(&policy.files.protected),
        Key::Test => one(policy.files.test.word()),
        Key::Run => one(policy.files.run.word()),
        Key::Command => one(policy.files.command.word()),
        Key::Stage => one(policy.files.stage.word()),
        Key::Direct => {
            let each = |runs: &Runs| (Some(runs.word().to_owned()), runs.word().to_owned());
            policy.files.direct.iter().map(each).collect()
        }
        Key::KeepStaged => one(&show_duration(policy.files.keep_staged)),
        Key::Execute => paths(&policy.programs.execute),
        Key::Cgo => one(policy.programs.cgo.word()),
        Key::Stamping => switch(policy.programs.stamping),
        Key::Race => switch(policy.programs.race),
        Key::Debug => switch(policy.programs.debug),
        Key::AllowFlags => words(&policy.programs.allow_flags),
        Key::Upstreams => one(&modules.upstreams),
        Key::ChecksumDatabase => one(&modules.checksum_database),
        Key::AllowModules => words(&modules.allow),
        Key::Deny => words(&modules.deny),
        Key::MinAge => limit(modules.min_age, show_duration),
        Key::Private => private(modules)
            .into_iter()
            .map(|(pattern, value)| (Some(pattern), value))
            .collect(),
        Key::Ca => paths(&modules.ca),
        Key::Pins => {
            let each = |(upstream, pin): (&String, &Pin)| {
                (
                    Some(upstream.clone()),
                    format!("{upstream} = {}", show_pin(pin)),
                )
            };
            modules.pins.iter().map(each).collect()
        }
        Key::Credentials => one(&match &modules.credentials {
            Some(file) => file.to_string_lossy().into_owned(),
            None => "netrc".to_owned(),
        }),
        Key::ModFlag => one(modules.mod_flag.as_deref().unwrap_or("default")),
        Key::Toolchains => one(&match &modules.toolchains {
            Some((oldest, newest)) => format!("{oldest} to {newest}"),
            None => "none".to_owned(),
        }),
        Key::Loose => one(policy.toolchain.loose.word()),
        Key::Allow => words(&policy.network.allow),
        Key::Programs => one(policy.network.programs.word()),
        Key::Services => words(&policy.network.services),
        Key::Publish => words(&policy.network.publish),
        Key::Pass => words(&policy.environment.pass),
        Key::Set => {
            let each =
                |(name, value): (&String, &String)| (Some(name.clone()), format!("{name}={value}"));
            policy.environment.set.iter().map(each).collect()
        }
        Key::Timeout => limit(limits.timeout, show_duration),
        Key::Memory => limit(limits.memory, show_size),
        Key::Pids => limit(limits.pids, |pids| pids.to_string()),
        Key::OpenFiles => limit(limits.open_files, |files| files.to_string()),
        Key::Apparmor => one(policy.mandatory.apparmor.as_deref().unwrap_or("off")),
        Key::Selinux => one(policy.mandatory.selinux.as_deref().unwrap_or("off")),
        Key::Layer(layer) => one(policy.layer(layer).word()),
        Key::Guarantee(guarantee) => one(policy.guarantee(guarantee).word()),
    }
}

/// The private patterns, and what holds for each.
fn private(modules: &Modules) -> BTreeMap<String, String> {
    let plain = modules.private.iter().map(|one| (one.clone(), one.clone()));
    let mut all: BTreeMap<String, String> = plain.collect();
    for (pattern, upstream) in &modules.private_upstreams {
        let applies = match all.contains_key(pattern) {
            true => "",
            false => ", in the checksum database",
        };
        all.insert(
            pattern.clone(),
            format!("{pattern} from {upstream}{applies}"),
        );
    }
    for (pattern, direct) in &modules.direct {
        let applies = match modules.private.contains(pattern) {
            true => "",
            false => ", in the checksum database",
        };
        let (hosts, word) = (direct.hosts.join(", "), direct.transport.word());
        all.insert(
            pattern.clone(),
            format!("{pattern} directly from {hosts} by {word}{applies}"),
        );
    }
    all
}
