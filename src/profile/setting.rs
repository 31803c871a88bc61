//! A setting: what one key of a profile, or one option of the command line, says.

use std::path::PathBuf;

use super::Key;
use crate::policy::{
    Cgo, Direct, Guarantee, Layer, Loose, Pin, Reach, Requirement, Runs, Staging, TreeAccess,
};

/// A value, and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item<T> {
    pub(super) value: T,
    pub(super) line: u32,
}

/// What becomes of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit<T> {
    Replace(Vec<Item<T>>),
    Change {
        add: Vec<Item<T>>,
        remove: Vec<Item<T>>,
    },
}

impl<T> Edit<T> {
    /// Adds items that no file states.
    pub(super) fn add(values: impl IntoIterator<Item = T>) -> Edit<T> {
        let add = values
            .into_iter()
            .map(|value| Item { value, line: 0 })
            .collect();
        Edit::Change {
            add,
            remove: Vec::new(),
        }
    }
}

/// What the table form of `modules.private` says of one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Private {
    pub(super) pattern: String,
    /// Upstreams of its own.
    pub(super) upstream: Option<String>,
    /// No upstream: its own repository, at these hosts.
    pub(super) direct: Option<Direct>,
    /// Whether the checksum database applies.
    pub(super) checksum_database: bool,
}

/// What a key is set to; one variant a key and form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    User(Option<String>),
    Read(Edit<PathBuf>),
    Write(Edit<PathBuf>),
    Protected(Edit<PathBuf>),
    Test(TreeAccess),
    Run(TreeAccess),
    Command(TreeAccess),
    Stage(Staging),
    Direct(Edit<Runs>),
    KeepStaged(u64),
    Execute(Edit<PathBuf>),
    Cgo(Cgo),
    Stamping(bool),
    Race(bool),
    Debug(bool),
    AllowFlags(Edit<String>),
    Upstreams(String),
    ChecksumDatabase(String),
    AllowModules(Edit<String>),
    Deny(Edit<String>),
    MinAge(Option<u64>),
    /// The list form: patterns that the checksum database does not know.
    Private(Edit<String>),
    /// The table form, pattern by pattern.
    PrivateTable(Vec<Item<Private>>),
    Ca(Edit<PathBuf>),
    Pins(Vec<Item<(String, Pin)>>),
    Credentials(Option<PathBuf>),
    ModFlag(Option<String>),
    Toolchains(Option<(String, String)>),
    Loose(Loose),
    Allow(Edit<String>),
    Programs(Reach),
    Services(Edit<String>),
    Publish(Edit<String>),
    Pass(Edit<String>),
    Set(Vec<Item<(String, String)>>),
    Timeout(Option<u64>),
    Memory(Option<u64>),
    Pids(Option<u64>),
    OpenFiles(Option<u64>),
    Apparmor(Option<String>),
    Selinux(Option<String>),
    Layer(Layer, Requirement),
    Guarantee(Guarantee, Requirement),
}

impl Value {
    pub(super) fn key(&self) -> Key {
        match self {
            Value::User(_) => Key::User,
            Value::Read(_) => Key::Read,
            Value::Write(_) => Key::Write,
            Value::Protected(_) => Key::Protected,
            Value::Test(_) => Key::Test,
            Value::Run(_) => Key::Run,
            Value::Command(_) => Key::Command,
            Value::Stage(_) => Key::Stage,
            Value::Direct(_) => Key::Direct,
            Value::KeepStaged(_) => Key::KeepStaged,
            Value::Execute(_) => Key::Execute,
            Value::Cgo(_) => Key::Cgo,
            Value::Stamping(_) => Key::Stamping,
            Value::Race(_) => Key::Race,
            Value::Debug(_) => Key::Debug,
            Value::AllowFlags(_) => Key::AllowFlags,
            Value::Upstreams(_) => Key::Upstreams,
            Value::ChecksumDatabase(_) => Key::ChecksumDatabase,
            Value::AllowModules(_) => Key::AllowModules,
            Value::Deny(_) => Key::Deny,
            Value::MinAge(_) => Key::MinAge,
            Value::Private(_) | Value::PrivateTable(_) => Key::Private,
            Value::Ca(_) => Key::Ca,
            Value::Pins(_) => Key::Pins,
            Value::Credentials(_) => Key::Credentials,
            Value::ModFlag(_) => Key::ModFlag,
            Value::Toolchains(_) => Key::Toolchains,
            Value::Loose(_) => Key::Loose,
            Value::Allow(_) => Key::Allow,
            Value::Programs(_) => Key::Programs,
            Value::Services(_) => Key::Services,
            Value::Publish(_) => Key::Publish,
            Value::Pass(_) => Key::Pass,
            Value::Set(_) => Key::Set,
            Value::Timeout(_) => Key::Timeout,
            Value::Memory(_) => Key::Memory,
            Value::Pids(_) => Key::Pids,
            Value::OpenFiles(_) => Key::OpenFiles,
            Value::Apparmor(_) => Key::Apparmor,
            Value::Selinux(_) => Key::Selinux,
            Value::Layer(layer, _) => Key::Layer(*layer),
            Value::Guarantee(guarantee, _) => Key::Guarantee(*guarantee),
        }
    }

    /// The line on which an item of a list or map is added.
    pub(super) fn line_of(&self, item: &str) -> Option<u32> {
        fn find<T>(items: &[Item<T>], same: impl Fn(&T) -> bool) -> Option<u32> {
            items
                .iter()
                .find(|one| same(&one.value))
                .map(|one| one.line)
        }
        fn added<T>(edit: &Edit<T>) -> &[Item<T>] {
            match edit {
                Edit::Replace(items) | Edit::Change { add: items, .. } => items,
            }
        }
        match self {
            Value::Read(edit) | Value::Write(edit) | Value::Execute(edit) | Value::Ca(edit) => {
                find(added(edit), |path| path.to_str() == Some(item))
            }
            Value::AllowFlags(edit)
            | Value::AllowModules(edit)
            | Value::Deny(edit)
            | Value::Private(edit)
            | Value::Allow(edit)
            | Value::Services(edit)
            | Value::Publish(edit)
            | Value::Pass(edit) => find(added(edit), |word| word == item),
            Value::Direct(edit) => find(added(edit), |runs| runs.word() == item),
            Value::Set(items) => find(items, |(name, _)| name == item),
            Value::Pins(items) => find(items, |(upstream, _)| upstream == item),
            Value::PrivateTable(items) => find(items, |one| one.pattern == item),
            _ => None,
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) line: u32,
}
