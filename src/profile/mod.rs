//! Profiles: TOML that a person writes, resolved into a [`Policy`] that knows where each of its
//! rules comes from.
//!
//! The order is: the profile and what it extends, then the work tree's `.gosandbox.toml`, which
//! can only tighten, then the command line. Files are read here; the kernel is not asked anything.

mod builtin;
mod check;
mod error;
mod key;
mod load;
mod merge;
mod nearest;
mod origin;
mod overrides;
mod parse;
mod rules;
mod setting;
mod tighten;
mod tree;
mod units;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::builtin::{BUILT_IN, BuiltIn};
pub use self::check::{Problem, host, is_own_host, path, port, program, service, user, variable};
pub use self::error::Error;
pub use self::key::Key;
pub use self::load::{Listed, list};
pub use self::nearest::nearest;
pub use self::origin::{Origin, Origins, Rule};
pub use self::overrides::Overrides;
pub use self::rules::{Shown, rules};
pub use self::tighten::{Loosening, is_at_least_as_tight};
pub use self::tree::TREE_FILE;
pub use self::units::{count, duration, show_duration, show_size, size};

use crate::policy::Policy;

/// The profile that holds where none is named.
pub const DEFAULT: &str = "strict";

/// Which profile is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A name: built in, or `NAME.toml` in one of the profile folders.
    Name(String),
    /// A file, relative to the caller's folder or absolute.
    File(PathBuf),
}

impl Selection {
    /// Reads `NAME|FILE`: what holds a `/` or ends in `.toml` is a file.
    pub fn parse(text: &Path) -> Selection {
        match text.to_str() {
            Some(name) if !name.contains('/') && !name.ends_with(".toml") => {
                Selection::Name(name.to_owned())
            }
            _ => Selection::File(text.to_owned()),
        }
    }
}

impl Default for Selection {
    fn default() -> Selection {
        Selection::Name(DEFAULT.to_owned())
    }
}

/// On whose behalf profiles are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user id: a profile file belongs to it or to root.
    pub uid: u32,
    /// `$XDG_CONFIG_HOME`, or `~/.config`.
    pub config_home: Option<PathBuf>,
    /// The folder of the source, as a real path. A name finds no profile in there, wherever the configuration is.
    pub source: Option<PathBuf>,
}

/// What a policy is resolved from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The profile.
    pub profile: &'a Selection,
    /// The folder whose `.gosandbox.toml` tightens it.
    pub work_tree: Option<&'a Path>,
    /// What the command line adds.
    pub overrides: &'a Overrides,
    /// On whose behalf.
    pub caller: &'a Caller,
}

/// A policy, and where each of its rules comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The rules.
    pub policy: Policy,
    /// Where they come from.
    pub origins: Origins,
}

/// The default profile's policy, resolved beforehand: reading its TOML takes a fifth of a start.
const STRICT: &str = include_str!("../../profiles/strict.json");

/// The policy alone, for a run: what [`resolve`] gives, without the origins.
pub fn policy(request: &Request<'_>) -> Result<Policy, Error> {
    let is_default = matches!(request.profile, Selection::Name(name) if name == DEFAULT);
    if is_default && *request.overrides == Overrides::default() {
        load::refuse_shadow(DEFAULT, request.caller)?;
        let tightened = request.work_tree.is_some_and(tree::is_there);
        // The text is the crate's own, and a test reads it.
        if !tightened && let Ok(policy) = serde_json::from_str(STRICT) {
            return Ok(policy);
        }
    }
    Ok(resolve(request)?.policy)
}

/// Resolves a profile, what the work tree tightens, and the command line into one policy.
pub fn resolve(request: &Request<'_>) -> Result<Resolved, Error> {
    let (mut resolved, file) = load::profile(request.profile, request.caller)?;
    if let Some(folder) = request.work_tree
        && let Some(tree) = tree::read(folder, file)?
    {
        tighten::tighten(&mut resolved, &tree)?;
    }
    request.overrides.apply(&mut resolved);
    merge::canonical(&mut resolved.policy);
    resolved.policy.modules.places = places(&resolved);
    Ok(resolved)
}

/// Where those rules stand that the module gateway refuses by, which sees the policy alone.
fn places(resolved: &Resolved) -> BTreeMap<String, String> {
    let (modules, network) = (&resolved.policy.modules, &resolved.policy.network);
    let scalars = [Key::Upstreams, Key::ChecksumDatabase, Key::MinAge];
    let items = modules.deny.iter().map(|item| (Key::Deny, item));
    let private = modules
        .private
        .iter()
        .chain(modules.private_upstreams.keys())
        .chain(modules.direct.keys());
    let items = items
        .chain(private.map(|item| (Key::Private, item)))
        .chain(network.allow.iter().map(|item| (Key::Allow, item)))
        .map(|(key, item)| (key, Some(item)));
    scalars
        .into_iter()
        .map(|key| (key, None))
        .chain(items)
        .filter_map(|(key, item)| {
            let origin = resolved.origins.of(key, item.map(String::as_str));
            let rule = item.map_or_else(|| key.to_string(), |item| format!("{key} {item}"));
            (origin != Origin::Always).then(|| (rule, origin.to_string()))
        })
        .chain(modules.allow.first().map(|item| {
            // What no pattern allows is refused by the list, which stands where its items do.
            let origin = resolved.origins.of(Key::AllowModules, Some(item));
            (Key::AllowModules.to_string(), origin.to_string())
        }))
        .collect()
}
