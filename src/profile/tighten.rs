//! The order on policies: which is at least as tight as which. A file in the work tree may only go
//! down this order.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use super::parse::Document;
use super::{Error, Key, Resolved, TREE_FILE, merge, show_duration, show_size};
use crate::policy::{Policy, Requirement, pattern};

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
            remedy: remedy(None),
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
                remedy: remedy(Some(key)),
            });
        }
    }
    Ok(())
}

fn remedy(key: Option<Key>) -> String {
    let knowingly = format!("if you trust it, use it with `--profile {TREE_FILE}`");
    match key.and_then(Key::flag) {
        Some("--require") | None => knowingly,
        Some(flag) => format!("say it with `{flag}`, or, {knowingly}"),
    }
}

/// How `key` is looser in `new` than in `base`.
fn looser(key: Key, new: &Policy, base: &Policy) -> Option<Loosening> {
    let found = |item: Option<String>, what: String| Some(Loosening { key, item, what });
    let scalar = |looser: bool, what: String| looser.then_some(()).and_then(|()| found(None, what));
    let path = |new: &[PathBuf], granted: &dyn Fn(&PathBuf) -> bool, verb: &str| {
        let extra = new.iter().find(|path| !granted(path))?;
        let item = extra.to_string_lossy().into_owned();
        found(Some(item.clone()), format!("{verb} `{item}`"))
    };
    let word = |new: &[String], base: &[String], verb: &str| {
        let extra = new.iter().find(|word| !base.contains(word))?;
        found(Some(extra.clone()), format!("{verb} `{extra}`"))
    };
    let limit = |new: Option<u64>, base: Option<u64>, show: fn(u64) -> String| {
        let looser = base.is_some_and(|base| new.is_none_or(|new| new > base));
        let value = new.map_or_else(|| "no limit".to_owned(), show);
        scalar(looser, format!("allows {value}"))
    };
    let need = |new: Requirement, base: Requirement| {
        scalar(new < base, format!("asks only for `{}`", new.word()))
    };
    let (files, modules) = (&new.files, &new.modules);
    match key {
        Key::User => scalar(
            new.identity != base.identity,
            format!(
                "runs as `{}`",
                new.identity.user.as_deref().unwrap_or("auto")
            ),
        ),
        Key::Read => path(
            &files.read,
            &|path| base.files.read.contains(path) || base.files.write.contains(path),
            "grants",
        ),
        Key::Write => path(
            &files.write,
            &|path| base.files.write.contains(path),
            "grants",
        ),
        Key::Protected => {
            let kept: HashSet<&OsStr> = files.protected.iter().map(|it| it.as_os_str()).collect();
            let mut protected = base.files.protected.iter();
            let lost = protected.find(|path| !kept.contains(path.as_os_str()))?;
            found(None, format!("leaves `{}` unprotected", lost.display()))
        }
        Key::Test => scalar(
            files.test > base.files.test,
            format!("grants `{}`", files.test.word()),
        ),
        Key::Run => scalar(
            files.run > base.files.run,
            format!("grants `{}`", files.run.word()),
        ),
        Key::Command => scalar(
            files.command > base.files.command,
            format!("grants `{}`", files.command.word()),
        ),
        Key::Stage => scalar(
            files.stage > base.files.stage,
            format!("sets `{}`", files.stage.word()),
        ),
        Key::Direct => {
            let extra = files
                .direct
                .iter()
                .find(|runs| !base.files.direct.contains(runs))?;
            let word = extra.word();
            found(
                Some(word.to_owned()),
                format!("lets `{word}` write the live work tree"),
            )
        }
        Key::KeepStaged => scalar(
            files.keep_staged > base.files.keep_staged,
            format!(
                "keeps staged changes for {}",
                show_duration(files.keep_staged)
            ),
        ),
        Key::Execute => path(
            &new.programs.execute,
            &|path| base.programs.execute.contains(path),
            "lets programs execute",
        ),
        Key::Stamping => scalar(
            new.programs.stamping && !base.programs.stamping,
            "lets git run".to_owned(),
        ),
        Key::AllowFlags => word(
            &new.programs.allow_flags,
            &base.programs.allow_flags,
            "allows",
        ),
        // Leaving one upstream out is no tightening: names that it answered for would be asked of
        // the next one.
        Key::Upstreams => scalar(
            modules.upstreams != base.modules.upstreams && modules.upstreams != "off",
            format!("fetches from `{}`", modules.upstreams),
        ),
        Key::ChecksumDatabase => scalar(
            modules.checksum_database != base.modules.checksum_database
                && (base.modules.checksum_database != "off"
                    || modules.checksum_database != "sum.golang.org"),
            format!("trusts `{}`", modules.checksum_database),
        ),
        Key::AllowModules => {
            let base = &base.modules.allow;
            let covered = |new: &&String| base.iter().any(|base| pattern::covers(base, new));
            let extra = modules.allow.iter().find(|new| !covered(new))?;
            found(Some(extra.clone()), format!("allows `{extra}`"))
        }
        Key::Deny => {
            let lost = base
                .modules
                .deny
                .iter()
                .find(|one| !modules.deny.contains(one))?;
            found(None, format!("no longer denies `{lost}`"))
        }
        Key::MinAge => scalar(
            modules.min_age.unwrap_or(0) < base.modules.min_age.unwrap_or(0),
            format!(
                "allows versions of {}",
                modules
                    .min_age
                    .map_or_else(|| "any age".to_owned(), show_duration)
            ),
        ),
        // Taking an upstream away is no tightening: others would learn the private names, and could
        // answer for them.
        Key::Private => word(&modules.private, &base.modules.private, "exempts").or_else(|| {
            let (new, base) = (&modules.private_upstreams, &base.modules.private_upstreams);
            let mut patterns = new.keys().chain(base.keys());
            let changed = patterns.find(|one| new.get(*one) != base.get(*one))?;
            found(
                Some(changed.clone()),
                format!("fetches `{changed}` from elsewhere"),
            )
        }),
        Key::Ca => path(
            &modules.ca,
            &|path| base.modules.ca.contains(path),
            "trusts",
        ),
        Key::Pins => {
            let (new, base) = (&modules.pins, &base.modules.pins);
            let mut upstreams = new.keys().chain(base.keys());
            let changed = upstreams.find(|one| new.get(*one) != base.get(*one))?;
            found(Some(changed.clone()), format!("pins `{changed}` otherwise"))
        }
        Key::Credentials => scalar(
            modules.credentials != base.modules.credentials,
            "reads credentials from elsewhere".to_owned(),
        ),
        // vendor/ is not checked against go.sum.
        Key::ModFlag => scalar(
            modules.mod_flag != base.modules.mod_flag
                && modules.mod_flag.as_deref() != Some("readonly"),
            format!(
                "sets `{}`",
                modules.mod_flag.as_deref().unwrap_or("default")
            ),
        ),
        Key::Toolchains => scalar(
            !within(
                modules.toolchains.as_ref(),
                base.modules.toolchains.as_ref(),
            ),
            "allows more versions of Go".to_owned(),
        ),
        Key::Allow => word(&new.network.allow, &base.network.allow, "opens"),
        Key::Programs => scalar(
            new.network.programs && !base.network.programs,
            "lets programs reach the allowed hosts".to_owned(),
        ),
        Key::Pass => word(&new.environment.pass, &base.environment.pass, "passes"),
        Key::Set => {
            let set = &base.environment.set;
            let (name, _) = new
                .environment
                .set
                .iter()
                .find(|(name, value)| set.get(*name) != Some(value))?;
            found(Some(name.clone()), format!("sets `{name}`"))
        }
        Key::Timeout => limit(new.limits.timeout, base.limits.timeout, show_duration),
        Key::Memory => limit(new.limits.memory, base.limits.memory, show_size),
        Key::Pids => limit(new.limits.pids, base.limits.pids, |pids| pids.to_string()),
        Key::OpenFiles => limit(new.limits.open_files, base.limits.open_files, |n| {
            n.to_string()
        }),
        // Which profile is the tighter one only the kernel knows.
        Key::Apparmor => scalar(
            new.mandatory.apparmor != base.mandatory.apparmor,
            "chooses another AppArmor profile".to_owned(),
        ),
        Key::Selinux => scalar(
            new.mandatory.selinux != base.mandatory.selinux,
            "chooses another SELinux domain".to_owned(),
        ),
        Key::Layer(layer) => need(new.layer(layer), base.layer(layer)),
        Key::Guarantee(guarantee) => need(new.guarantee(guarantee), base.guarantee(guarantee)),
    }
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
