//! Where a rule comes from: a line of a profile, or an option of the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::Key;

/// One rule: a key, and for lists and maps the item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The key.
    pub key: Key,
    /// The item of a list or map.
    pub item: Option<String>,
}

/// Where a rule comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It holds whatever a profile says.
    Always,
    /// A line of a profile that is compiled in.
    BuiltIn(&'static str, u32),
    /// A line of a file.
    File(Arc<Path>, u32),
    /// An option of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Always => f.write_str("always"),
            Origin::BuiltIn(name, line) => write!(f, "built-in {name}:{line}"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

/// The text that settings were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    BuiltIn(&'static str),
    File(Arc<Path>),
    Flag(&'static str),
}

impl Source {
    pub(super) fn at(&self, line: u32) -> Origin {
        match self {
            Source::BuiltIn(name) => Origin::BuiltIn(name, line),
            Source::File(path) => Origin::File(Arc::clone(path), line),
            Source::Flag(flag) => Origin::Flag(flag),
        }
    }
}

/// The origin of every rule of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<Rule, Origin>);

impl Origins {
    /// Where the rule comes from; what no profile states holds always.
    pub fn of(&self, key: Key, item: Option<&str>) -> Origin {
        let rule = Rule {
            key,
            item: item.map(str::to_owned),
        };
        self.0.get(&rule).cloned().unwrap_or(Origin::Always)
    }

    pub(super) fn set(&mut self, key: Key, item: Option<String>, origin: Origin) {
        self.0.insert(Rule { key, item }, origin);
    }

    pub(super) fn forget(&mut self, key: Key, item: String) {
        let rule = Rule {
            key,
            item: Some(item),
        };
        self.0.remove(&rule);
    }

    pub(super) fn forget_items(&mut self, key: Key) {
        self.0.retain(|rule, _| rule.key != key);
    }
}
