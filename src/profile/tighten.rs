//! The order on policies: which is at least as tight as which. A file in the work tree may only go
//! down this order.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::path::PathBuf;

use super::parse::Document;
use super::{Error, Key, Resolved, merge, show_duration, show_size};
use crate::policy::{Policy, Requirement, TreeAccess, pattern};

/// What one policy grants and another does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loosening {
    /// The key that is looser.
    pub key: Key,
    /// The item of a list or map.
    pub item: Option<String>,
    /// What it does, as in "grants `/x`".
    pub what: String,
}

/// Whether `new` grants nothing that `base` does not; the first loosening where it does.
pub fn is_at_least_as_tight(new: &Policy, base: &Policy) -> Result<(), Loosening> {
    Key::all().try_for_each(|key| looser(key, new, base).map_or(Ok(()), Err))
}

/// Applies a work tree's file, or says which of its keys loosens.
pub(super) fn tighten(resolved: &mut Resolved, tree: &Document) -> Result<(), Error> {
    if let Some(extends) = &tree.extends {
        return Err(Error::Loosens {
            at: tree.source.at(extends.line),
            key: "extends".to_owned(),
            what: format!("chooses `{}` as the base", extends.value),
            flag: None,
        });
    }
    let base = resolved.policy.clone();
    for setting in &tree.settings {
        merge::apply(resolved, setting, &tree.source);
    }
    for setting in &tree.settings {
        let key = setting.value.key();
        if let Some(Loosening { key, item, what }) = looser(key, &resolved.policy, &base) {
            let line = item.and_then(|item| setting.value.line_of(&item));
            return Err(Error::Loosens {
                at: tree.source.at(line.unwrap_or(setting.line)),
                key: key.to_string(),
                what,
                flag: key.flag().filter(|flag| *flag != "--require"),
            });
        }
    }
    Ok(())
}

/// How `key` is looser in `new` than in `base`.
fn looser(key: Key, new: &Policy, base: &Policy) -> Option<Loosening> {
    let pair = Pair { key, new, base };
    match key.section() {
        "files" => pair.files(),
        "modules" => pair.modules(),
        "limits" => pair.limits(),
        _ => pair.others(),
    }
}

/// A key of two policies.
#[derive(Clone, Copy)]
struct Pair<'a> {
    key: Key,
    new: &'a Policy,
    base: &'a Policy,
}

impl Pair<'_> {
    fn found(self, item: Option<String>, what: String) -> Option<Loosening> {
        let key = self.key;
        Some(Loosening { key, item, what })
    }

    fn scalar(self, is_looser: bool, what: String) -> Option<Loosening> {
        is_looser.then(|| self.found(None, what)).flatten()
    }

    fn path(
        self,
        new: &[PathBuf],
        is_granted: impl Fn(&PathBuf) -> bool,
        verb: &str,
    ) -> Option<Loosening> {
        let extra = new.iter().find(|path| !is_granted(path))?;
        let item = extra.to_string_lossy().into_owned();
        self.found(Some(item.clone()), format!("{verb} `{item}`"))
    }

    fn word(self, new: &[String], base: &[String], verb: &str) -> Option<Loosening> {
        let extra = new.iter().find(|word| !base.contains(word))?;
        self.found(Some(extra.clone()), format!("{verb} `{extra}`"))
    }

    fn limit(
        self,
        new: Option<u64>,
        base: Option<u64>,
        show: fn(u64) -> String,
    ) -> Option<Loosening> {
        let is_looser = base.is_some_and(|base| new.is_none_or(|new| new > base));
        let value = new.map_or_else(|| "no limit".to_owned(), show);
        self.scalar(is_looser, format!("allows {value}"))
    }

    fn need(self, new: Requirement, base: Requirement) -> Option<Loosening> {
        self.scalar(new < base, format!("asks only for `{}`", new.word()))
    }

    fn tree(self, new: TreeAccess, base: TreeAccess) -> Option<Loosening> {
        self.scalar(new > base, format!("grants `{}`", new.word()))
    }

    /// A key that no rule is for loosens whatever it says.
    fn unknown(self) -> Option<Loosening> {
        self.found(None, "sets what cannot be compared".to_owned())
    }

    fn files(self) -> Option<Loosening> {
        let (new, base) = (&self.new.files, &self.base.files);
        match self.key {
            Key::Read => {
                let is_granted =
                    |path: &PathBuf| base.read.contains(path) || base.write.contains(path);
                self.path(&new.read, is_granted, "grants")
            }
            Key::Write => self.path(&new.write, |path| base.write.contains(path), "grants"),
            Key::Protected => {
                let kept: HashSet<&OsStr> = new.protected.iter().map(|it| it.as_os_str()).collect();
                let mut protected = base.protected.iter();
                let lost = protected.find(|path| !kept.contains(path.as_os_str()))?;
                self.found(None, format!("leaves `{}` unprotected", lost.display()))
            }
            Key::Test => self.tree(new.test, base.test),
            Key::Run => self.tree(new.run, base.run),
            Key::Command => self.tree(new.command, base.command),
            Key::Stage => self.scalar(
                new.stage > base.stage,
                format!("sets `{}`", new.stage.word()),
            ),
            Key::Direct => {
                let extra = new.direct.iter().find(|runs| !base.direct.contains(runs))?;
                let word = extra.word();
                self.found(
                    Some(word.to_owned()),
                    format!("lets `{word}` write the live work tree"),
                )
            }
            Key::KeepStaged => self.scalar(
                new.keep_staged > base.keep_staged,
                format!(
                    "keeps staged changes for {}",
                    show_duration(new.keep_staged)
                ),
            ),
            _ => self.unknown(),
        }
    }

    fn modules(self) -> Option<Loosening> {
        let (new, base) = (&self.new.modules, &self.base.modules);
        match self.key {
            // Leaving one upstream out is no tightening: names that it answered for would be asked of
            // the next one.
            Key::Upstreams => self.scalar(
                new.upstreams != base.upstreams && new.upstreams != "off",
                format!("fetches from `{}`", new.upstreams),
            ),
            Key::ChecksumDatabase => self.scalar(
                new.checksum_database != base.checksum_database
                    && (base.checksum_database != "off"
                        || new.checksum_database != "sum.golang.org"),
                format!("trusts `{}`", new.checksum_database),
            ),
            Key::AllowModules => {
                let covered =
                    |new: &&String| base.allow.iter().any(|base| pattern::covers(base, new));
                let extra = new.allow.iter().find(|new| !covered(new))?;
                self.found(Some(extra.clone()), format!("allows `{extra}`"))
            }
            Key::Deny => {
                let lost = base.deny.iter().find(|one| !new.deny.contains(one))?;
                self.found(None, format!("no longer denies `{lost}`"))
            }
            Key::MinAge => {
                let age = new
                    .min_age
                    .map_or_else(|| "any age".to_owned(), show_duration);
                self.scalar(
                    new.min_age.unwrap_or(0) < base.min_age.unwrap_or(0),
                    format!("allows versions of {age}"),
                )
            }
            Key::Private => self.private(),
            Key::Ca => self.path(&new.ca, |path| base.ca.contains(path), "trusts"),
            Key::Pins => {
                let changed = first_change(&new.pins, &base.pins)?;
                self.found(Some(changed.clone()), format!("pins `{changed}` otherwise"))
            }
            Key::Credentials => self.scalar(
                new.credentials != base.credentials,
                "reads credentials from elsewhere".to_owned(),
            ),
            // vendor/ is not checked against go.sum.
            Key::ModFlag => self.scalar(
                new.mod_flag != base.mod_flag && new.mod_flag.as_deref() != Some("readonly"),
                format!("sets `{}`", new.mod_flag.as_deref().unwrap_or("default")),
            ),
            Key::Toolchains => self.scalar(
                !within(new.toolchains.as_ref(), base.toolchains.as_ref()),
                "allows more versions of Go".to_owned(),
            ),
            _ => self.unknown(),
        }
    }

    /// Taking an upstream away is no tightening: others would learn the private names, and could answer for
    /// them.
    fn private(self) -> Option<Loosening> {
        let (new, base) = (&self.new.modules, &self.base.modules);
        let exempted = self.word(&new.private, &base.private, "exempts");
        exempted.or_else(|| {
            let changed = first_change(&new.private_upstreams, &base.private_upstreams)
                .or_else(|| first_change(&new.direct, &base.direct))?;
            self.found(
                Some(changed.clone()),
                format!("fetches `{changed}` from elsewhere"),
            )
        })
    }

    fn limits(self) -> Option<Loosening> {
        let (new, base) = (&self.new.limits, &self.base.limits);
        let number = |number: u64| number.to_string();
        match self.key {
            Key::Timeout => self.limit(new.timeout, base.timeout, show_duration),
            Key::Memory => self.limit(new.memory, base.memory, show_size),
            Key::Pids => self.limit(new.pids, base.pids, number),
            Key::OpenFiles => self.limit(new.open_files, base.open_files, number),
            _ => self.unknown(),
        }
    }

    fn others(self) -> Option<Loosening> {
        let (new, base) = (self.new, self.base);
        match self.key {
            Key::User => {
                let user = new.identity.user.as_deref().unwrap_or("auto");
                self.scalar(new.identity != base.identity, format!("runs as `{user}`"))
            }
            Key::Execute => {
                let is_granted = |path: &PathBuf| base.programs.execute.contains(path);
                self.path(&new.programs.execute, is_granted, "lets programs execute")
            }
            Key::Cgo => self.scalar(
                new.programs.cgo > base.programs.cgo,
                "lets builds leave cgo files out".to_owned(),
            ),
            Key::Stamping => self.scalar(
                new.programs.stamping && !base.programs.stamping,
                "lets git run".to_owned(),
            ),
            Key::Race => self.scalar(
                new.programs.race && !base.programs.race,
                "lets builds use the race detector".to_owned(),
            ),
            Key::Debug => self.scalar(
                new.programs.debug && !base.programs.debug,
                "lets programs trace others".to_owned(),
            ),
            Key::AllowFlags => {
                let (new, base) = (&new.programs.allow_flags, &base.programs.allow_flags);
                self.word(new, base, "allows")
            }
            Key::Allow => self.word(&new.network.allow, &base.network.allow, "opens"),
            Key::Programs => self.scalar(
                new.network.programs > base.network.programs,
                format!("lets programs reach `{}`", new.network.programs.word()),
            ),
            Key::Services => self.word(&new.network.services, &base.network.services, "opens"),
            Key::Publish => self.word(&new.network.publish, &base.network.publish, "publishes"),
            Key::Pass => self.word(&new.environment.pass, &base.environment.pass, "passes"),
            Key::Set => {
                let set = &base.environment.set;
                let mut pairs = new.environment.set.iter();
                let (name, _) = pairs.find(|(name, value)| set.get(*name) != Some(value))?;
                self.found(Some(name.clone()), format!("sets `{name}`"))
            }
            // Which profile is the tighter one only the kernel knows.
            Key::Loose => self.scalar(
                new.toolchain.loose > base.toolchain.loose,
                format!("sets `{}`", new.toolchain.loose.word()),
            ),
            Key::Apparmor => self.scalar(
                new.mandatory.apparmor != base.mandatory.apparmor,
                "chooses another AppArmor profile".to_owned(),
            ),
            Key::Selinux => self.scalar(
                new.mandatory.selinux != base.mandatory.selinux,
                "chooses another SELinux domain".to_owned(),
            ),
            Key::Layer(layer) => self.need(new.layer(layer), base.layer(layer)),
            Key::Guarantee(guarantee) => {
                self.need(new.guarantee(guarantee), base.guarantee(guarantee))
            }
            _ => self.unknown(),
        }
    }
}

/// The first key that has another value in one map than in the other.
fn first_change<'m, V: PartialEq>(
    new: &'m BTreeMap<String, V>,
    base: &'m BTreeMap<String, V>,
) -> Option<&'m String> {
    let mut keys = new.keys().chain(base.keys());
    keys.find(|key| new.get(*key) != base.get(*key))
}

/// Whether one range of versions lies within another; no range holds no version.
fn within(new: Option<&(String, String)>, base: Option<&(String, String)>) -> bool {
    let parts = |text: &String| -> Vec<u32> {
        text.split('.')
            .map(|part| part.parse().unwrap_or(u32::MAX))
            .collect()
    };
    match (new, base) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((oldest, newest)), Some((first, last))) => {
            parts(oldest) >= parts(first) && parts(newest) <= parts(last)
        }
    }
}
