//! Where the caches are to be, by variables, options and accounts. Nothing is looked at on disk but whether the launcher's
//! own folder can be made.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::Session;
use super::super::identity::Who;
use super::SYSTEM;
use super::unusable::{Cause, Unusable};
use crate::files::look;
use crate::policy::places::NO_CACHE;
use crate::refusal::{Code, Refused, shell_path};

pub(super) struct Layout {
    pub gocache: PathBuf,
    pub gomodcache: PathBuf,
    pub gopath: PathBuf,
    pub programs: PathBuf,
    /// Those that have no place: [`NO_CACHE`] is theirs.
    pub unusable: Vec<Unusable>,
}

impl Layout {
    /// Takes the place that there is, or notes that there is none.
    fn take(&mut self, name: &'static str, place: Result<PathBuf, Unusable>) -> PathBuf {
        place.unwrap_or_else(|unusable| {
            self.unusable.push(Unusable { name, ..unusable });
            NO_CACHE.into()
        })
    }
}

/// `--cache-dir`, else what the caller's GOCACHE and GOMODCACHE say, else the user's own places.
pub(super) fn layout(session: &Session<'_>, who: &Who) -> anyhow::Result<Layout> {
    check_gopath(session)?;
    let mut layout = Layout {
        gocache: PathBuf::new(),
        gomodcache: PathBuf::new(),
        gopath: PathBuf::new(),
        programs: PathBuf::new(),
        unusable: Vec::new(),
    };
    if let Some(folder) = &session.request.cache_dir {
        let folder = std::path::absolute(folder)?;
        layout.gocache = folder.join("go-build");
        layout.gomodcache = folder.join("mod");
        layout.programs = folder.join("programs");
        layout.gopath = folder;
        return Ok(layout);
    }
    // Root's launcher keeps those of a user without a home.
    let system = (who.identity.switch && who.home.is_none())
        .then(|| Path::new(SYSTEM).join(who.identity.uid.to_string()));
    let base = system.clone().or_else(|| cache_home(session, who));
    let gopath = || {
        system
            .clone()
            .or_else(|| Some(who.home.as_ref()?.join("go")))
    };
    let gopath = gopath_of(session, who).or_else(gopath);
    let named = |name| chosen(session, name);
    let gocache = named("GOCACHE").unwrap_or_else(|| {
        let base = base.as_ref().map(|base| base.join("go-build"));
        base.ok_or_else(no_place)
    });
    let gomodcache = named("GOMODCACHE").unwrap_or_else(|| match (&system, &gopath) {
        (Some(system), _) => Ok(system.join("mod")),
        (None, Some(gopath)) => Ok(gopath.join("pkg/mod")),
        (None, None) => Err(no_place()),
    });
    let programs = match (&system, &base, named("GOCACHE")) {
        (Some(system), ..) => Ok(system.join("programs")),
        (None, None, Some(Ok(named))) => Ok(beside(&named)),
        (None, None, _) => Err(no_place()),
        // As in a container whose user has no home of its own, and caches that variables name.
        (None, Some(base), Some(Ok(named))) if !can_make(base, who) => Ok(beside(&named)),
        (None, Some(base), _) => Ok(base.join("gosandbox/programs")),
    };
    layout.gocache = layout.take("GOCACHE", gocache);
    layout.gomodcache = layout.take("GOMODCACHE", gomodcache);
    layout.gopath = layout.take("GOPATH", gopath.ok_or_else(no_place));
    layout.programs = layout.take("", programs);
    Ok(layout)
}

/// What a variable names; an error where go itself refuses the value, as it does with a relative path.
fn chosen(session: &Session<'_>, name: &str) -> Option<Result<PathBuf, Unusable>> {
    let value = session.go_variable(name)?;
    let path = PathBuf::from(&value);
    if path.is_absolute() {
        return Some(Ok(path));
    }
    let given = path.display();
    let (text, help) = match (name, path.to_str()) {
        ("GOCACHE", Some("off")) => (
            "cannot do without the build cache, as GOCACHE=off asks".to_owned(),
            "unset GOCACHE".to_owned(),
        ),
        _ => {
            let text = format!("cannot use {name}={given}: it is not absolute");
            let whole = std::path::absolute(&path).unwrap_or(path);
            (text, format!("export {name}={}", shell_path(&whole)))
        }
    };
    let refused = Refused::new(Code::CacheUnusable, text).words(help);
    Some(Err(Unusable::new(Cause::Setting, value, refused)))
}

fn no_place() -> Unusable {
    let text = "cannot find a place for the caches: HOME is not set";
    let refused =
        Refused::new(Code::CacheUnusable, text).option("--cache-dir /var/tmp/gosandbox-cache");
    Unusable::new(Cause::NoPlace, "".into(), refused)
}

/// Where the programs' caches are if the caller's own place for them cannot be made.
pub(in crate::run) fn beside_named(session: &Session<'_>) -> Option<PathBuf> {
    let named = PathBuf::from(session.go_variable("GOCACHE")?);
    named.is_absolute().then(|| beside(&named))
}

/// A folder of the launcher's beside another one.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push("-gosandbox");
    name.into()
}

/// Whether a user may make a folder, by the permission bits of what is there of the way to it.
pub(super) fn can_make(folder: &Path, who: &Who) -> bool {
    let mut there = folder.ancestors().filter_map(|at| look::metadata(at).ok());
    there.next().is_some_and(|found| {
        let shift = match (
            found.uid() == who.identity.uid,
            found.gid() == who.identity.gid,
        ) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        found.mode() >> shift & 3 == 3
    })
}

/// `$XDG_CACHE_HOME` is the caller's own, not that of a user it changes to.
fn cache_home(session: &Session<'_>, who: &Who) -> Option<PathBuf> {
    let named = session
        .variable("XDG_CACHE_HOME")
        .filter(|_| !who.identity.switch)
        .map(PathBuf::from);
    named
        .filter(|path| path.is_absolute())
        .or_else(|| Some(who.home.as_ref()?.join(".cache")))
}

/// As go refuses it.
fn check_gopath(session: &Session<'_>) -> anyhow::Result<()> {
    let list = session.go_variable("GOPATH").unwrap_or_default();
    let mut entries = std::env::split_paths(&list);
    let is_relative = |entry: &PathBuf| !entry.as_os_str().is_empty() && !entry.is_absolute();
    let Some(entry) = entries.find(is_relative) else {
        return Ok(());
    };
    let text = format!(
        "cannot use GOPATH: its entry {} is not absolute",
        entry.display()
    );
    let whole = std::path::absolute(&entry).unwrap_or(entry);
    Err(Refused::new(Code::CacheUnusable, text)
        .words(format!("export GOPATH={}", shell_path(&whole)))
        .into())
}

fn gopath_of(session: &Session<'_>, who: &Who) -> Option<PathBuf> {
    if who.identity.switch {
        return None;
    }
    let list = session.go_variable("GOPATH")?;
    std::env::split_paths(&list)
        .next()
        .filter(|path| path.is_absolute())
}
