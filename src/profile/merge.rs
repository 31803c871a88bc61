//! Merging: a scalar replaces what was inherited; a list replaces it, or edits it where it is
//! written `{ add = […], remove = […] }`; tables merge key by key.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::origin::{Origins, Source};
use super::setting::{Edit, Item, Private, Setting, Value};
use super::{Key, Resolved};
use crate::policy::{Modules, Policy, Runs, protected};

/// Applies one setting.
pub(super) fn apply(resolved: &mut Resolved, setting: &Setting, source: &Source) {
    let Resolved { policy, origins } = resolved;
    let key = setting.value.key();
    match &setting.value {
        Value::Read(edit) => merge(&mut policy.files.read, edit, key, origins, source),
        Value::Write(edit) => merge(&mut policy.files.write, edit, key, origins, source),
        Value::Protected(edit) => {
            merge(&mut policy.files.protected, edit, key, origins, source);
            let replaces = matches!(edit, Edit::Replace(_));
            keep_protected(&mut policy.files.protected, replaces, origins);
        }
        Value::Direct(edit) => merge(&mut policy.files.direct, edit, key, origins, source),
        Value::Execute(edit) => merge(&mut policy.programs.execute, edit, key, origins, source),
        Value::AllowFlags(edit) => {
            merge(&mut policy.programs.allow_flags, edit, key, origins, source);
        }
        Value::AllowModules(edit) => merge(&mut policy.modules.allow, edit, key, origins, source),
        Value::Deny(edit) => merge(&mut policy.modules.deny, edit, key, origins, source),
        Value::Private(edit) => {
            match edit {
                Edit::Replace(_) => {
                    policy.modules.private_upstreams.clear();
                    policy.modules.direct.clear();
                }
                Edit::Change { remove, .. } => {
                    for Item { value, .. } in remove {
                        policy.modules.private_upstreams.remove(value);
                        policy.modules.direct.remove(value);
                    }
                }
            }
            merge(&mut policy.modules.private, edit, key, origins, source);
        }
        Value::PrivateTable(items) => {
            for item in items {
                private(&mut policy.modules, item, origins, source);
            }
        }
        Value::Ca(edit) => merge(&mut policy.modules.ca, edit, key, origins, source),
        Value::Pins(items) => {
            for Item { value, line } in items {
                let (upstream, pin) = value.clone();
                origins.set(key, Some(upstream.clone()), source.at(*line));
                policy.modules.pins.insert(upstream, pin);
            }
        }
        Value::Allow(edit) => merge(&mut policy.network.allow, edit, key, origins, source),
        Value::Services(edit) => merge(&mut policy.network.services, edit, key, origins, source),
        Value::Publish(edit) => merge(&mut policy.network.publish, edit, key, origins, source),
        Value::Pass(edit) => merge(&mut policy.environment.pass, edit, key, origins, source),
        Value::Set(items) => {
            for Item { value, line } in items {
                let (name, text) = value.clone();
                origins.set(key, Some(name.clone()), source.at(*line));
                policy.environment.set.insert(name, text);
            }
        }
        scalar => {
            origins.set(key, None, source.at(setting.line));
            replace(policy, scalar);
        }
    }
}

/// Applies one row of the table form of `modules.private`.
fn private(
    modules: &mut Modules,
    Item { value, line }: &Item<Private>,
    origins: &mut Origins,
    source: &Source,
) {
    let pattern = &value.pattern;
    modules.private.retain(|one| one != pattern);
    if !value.checksum_database {
        modules.private.push(pattern.clone());
    }
    match &value.upstream {
        Some(upstream) => modules
            .private_upstreams
            .insert(pattern.clone(), upstream.clone()),
        None => modules.private_upstreams.remove(pattern),
    };
    match &value.direct {
        Some(direct) => modules.direct.insert(pattern.clone(), direct.clone()),
        None => modules.direct.remove(pattern),
    };
    origins.set(Key::Private, Some(pattern.clone()), source.at(*line));
}

fn replace(policy: &mut Policy, value: &Value) {
    match value {
        Value::User(user) => policy.identity.user.clone_from(user),
        Value::Test(access) => policy.files.test = *access,
        Value::Run(access) => policy.files.run = *access,
        Value::Command(access) => policy.files.command = *access,
        Value::Stage(staging) => policy.files.stage = *staging,
        Value::KeepStaged(seconds) => policy.files.keep_staged = *seconds,
        Value::Cgo(cgo) => policy.programs.cgo = *cgo,
        Value::Stamping(on) => policy.programs.stamping = *on,
        Value::Race(on) => policy.programs.race = *on,
        Value::Debug(on) => policy.programs.debug = *on,
        Value::Upstreams(text) => policy.modules.upstreams.clone_from(text),
        Value::ChecksumDatabase(text) => policy.modules.checksum_database.clone_from(text),
        Value::MinAge(age) => policy.modules.min_age = *age,
        Value::Credentials(file) => policy.modules.credentials.clone_from(file),
        Value::ModFlag(flag) => policy.modules.mod_flag.clone_from(flag),
        Value::Toolchains(range) => policy.modules.toolchains.clone_from(range),
        Value::Loose(loose) => policy.toolchain.loose = *loose,
        Value::Programs(reach) => policy.network.programs = *reach,
        Value::Timeout(limit) => policy.limits.timeout = *limit,
        Value::Memory(limit) => policy.limits.memory = *limit,
        Value::Pids(limit) => policy.limits.pids = *limit,
        Value::OpenFiles(limit) => policy.limits.open_files = *limit,
        Value::Apparmor(name) => policy.mandatory.apparmor.clone_from(name),
        Value::Selinux(name) => policy.mandatory.selinux.clone_from(name),
        Value::Layer(layer, need) => {
            policy.layers.insert(*layer, *need);
        }
        Value::Guarantee(guarantee, need) => {
            policy.guarantees.insert(*guarantee, *need);
        }
        // Lists and maps are merged by `apply`.
        Value::Read(_)
        | Value::Write(_)
        | Value::Protected(_)
        | Value::Direct(_)
        | Value::Execute(_)
        | Value::AllowFlags(_)
        | Value::AllowModules(_)
        | Value::Deny(_)
        | Value::Private(_)
        | Value::PrivateTable(_)
        | Value::Ca(_)
        | Value::Pins(_)
        | Value::Allow(_)
        | Value::Services(_)
        | Value::Publish(_)
        | Value::Pass(_)
        | Value::Set(_) => {}
    }
}

/// What can be an item of a list.
trait Named: Clone {
    fn name(&self) -> String;
    /// Every value is in its shortest spelling, so that bytes decide; comparing paths by their
    /// components took half of the time of resolving a profile.
    fn bytes(&self) -> &[u8];
}

impl Named for String {
    fn name(&self) -> String {
        self.clone()
    }

    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Named for PathBuf {
    fn name(&self) -> String {
        self.to_string_lossy().into_owned()
    }

    fn bytes(&self) -> &[u8] {
        self.as_os_str().as_encoded_bytes()
    }
}

impl Named for Runs {
    fn name(&self) -> String {
        self.word().to_owned()
    }

    fn bytes(&self) -> &[u8] {
        self.word().as_bytes()
    }
}

fn merge<T: Named>(
    list: &mut Vec<T>,
    edit: &Edit<T>,
    key: Key,
    origins: &mut Origins,
    source: &Source,
) {
    let add = match edit {
        Edit::Replace(items) => {
            if !list.is_empty() {
                list.clear();
                origins.forget_items(key);
            }
            items
        }
        Edit::Change { add, remove } => {
            for Item { value, .. } in remove {
                list.retain(|one| one.bytes() != value.bytes());
                origins.forget(key, value.name());
            }
            add
        }
    };
    for Item { value, line } in add {
        if !list.iter().any(|one| one.bytes() == value.bytes()) {
            list.push(value.clone());
            origins.set(key, Some(value.name()), source.at(*line));
        }
    }
}

/// A list that replaces what was inherited stands beside the built-in names, which are there unless an
/// edit removes them. What is built in holds always, whoever says it again.
fn keep_protected(list: &mut Vec<PathBuf>, replaces: bool, origins: &mut Origins) {
    let there: HashSet<OsString> = list.iter().map(|path| path.clone().into()).collect();
    for entry in protected::built_in() {
        let is_there = there.contains(OsStr::new(entry.name));
        if is_there || replaces {
            origins.forget(Key::Protected, entry.name.to_owned());
        }
        if !is_there && replaces {
            list.push(PathBuf::from(entry.name));
        }
    }
}

/// Sorts the lists, so that the same rules make the same policy, whatever order they came in.
pub(super) fn canonical(policy: &mut Policy) {
    for paths in [
        &mut policy.files.read,
        &mut policy.files.write,
        &mut policy.files.protected,
        &mut policy.programs.execute,
        &mut policy.modules.ca,
    ] {
        paths.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    }
    for words in [
        &mut policy.programs.allow_flags,
        &mut policy.modules.allow,
        &mut policy.modules.deny,
        &mut policy.modules.private,
        &mut policy.network.allow,
        &mut policy.network.services,
        &mut policy.network.publish,
        &mut policy.environment.pass,
    ] {
        words.sort_unstable();
    }
    policy.files.direct.sort_unstable();
}
