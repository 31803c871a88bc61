//! Where GOCACHE, GOMODCACHE and the programs' own cache lie, and that they can be used.
//!
//! Each is opened once. Root walks there by descriptors, as far as nobody else decides where the path leads; from there on
//! a helper process walks, and makes what is missing, that has become the sandbox user.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::identity::Who;
use super::place::{Finder, Found};
use super::{Session, cache, foreign, refused};
use crate::files::{FileId, Judged, look};
use crate::plan::Identity;
use crate::refusal::{Code, Refused, shell_path};
use anyhow::Context;

/// Caches of users without a home, when the launcher is root.
pub(super) const SYSTEM: &str = "/var/cache/gosandbox";

/// The caches of a run, by canonical paths. They exist, unless they were only to be found.
#[derive(Clone, Debug)]
pub(super) struct Caches {
    pub gocache: PathBuf,
    pub gomodcache: PathBuf,
    /// GOMODCACHE as it is named, which may be a link.
    pub named_modules: PathBuf,
    pub gopath: PathBuf,
    /// What XDG_CACHE_HOME is for programs: [`of_programs`] is in it.
    pub programs: PathBuf,
    /// Caches on disk that belong to root and are to appear as the sandbox user's.
    pub of_root: Vec<PathBuf>,
    /// Which folder each of them was.
    pub judged: Vec<Judged>,
    /// Whether all of them are there.
    pub are_there: bool,
    /// Keeps them what they are: an inode that is open is not used again.
    opened: Vec<Rc<OwnedFd>>,
}

impl Caches {
    /// Marks those as in use that are the launcher's own: what plain go uses too is for `go clean`. Whether none of
    /// them is just being removed.
    pub fn hold(&self, session: &Session<'_>) -> bool {
        let is_own = |path: &Path| path == self.programs || is_launchers(session, path);
        let all = self.judged.iter().zip(&self.opened);
        let own = all.filter(|(judged, _)| is_own(&judged.path));
        let held = own.map(|(judged, opened)| match cache::hold(&**opened, ".") {
            Some((held, found)) => {
                session.held.borrow_mut().push(held);
                judged.id == FileId::of(&found)
            }
            None => false,
        });
        // All of them, whatever one says.
        held.fold(true, |all, one| all & one)
    }

    fn judge(&mut self, found: Found) -> PathBuf {
        self.are_there &= found.opened.is_some();
        if let Some((id, opened)) = found.opened {
            let path = found.real.clone();
            self.judged.push(Judged { path, id });
            self.opened.push(Rc::new(opened));
        }
        found.real
    }
}

/// Whether what is missing is made: just before the launch, and never before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Leave,
}

/// Finds the caches. `tree`: the project's, where there is one.
pub(super) fn find(
    session: &Session<'_>,
    who: &Who,
    tree: Option<&Path>,
    missing: Missing,
) -> anyhow::Result<Caches> {
    let layout = layout(session, who)?;
    let place = tree.unwrap_or(&session.folder);
    let programs = layout.programs.join(cache::key(place));
    let named = [&layout.gocache, &layout.gomodcache, &programs];
    let finder = Finder { who, tree, missing };
    let mut found = Vec::new();
    for (variable, folder) in ["GOCACHE", "GOMODCACHE", ""].into_iter().zip(named) {
        let is_named =
            session.request.cache_dir.is_none() && session.go_variable(variable).is_some();
        let check = |opened: &OwnedFd, real: &Path| match is_named {
            true => foreign::refuse(variable, folder, opened, real, &named, tree),
            false => Ok(()),
        };
        let home = who.home.as_ref().map(|home| home.join(".cache/gosandbox"));
        let is_home_usable = home.is_some_and(|home| can_make(&home, who));
        let unusable = |error| unusable(&error, folder, is_home_usable);
        found.push(finder.find(folder, &check).map_err(unusable)?);
    }
    let of_root = found.iter().take(2).filter(|found| found.of_root);
    let mut caches = Caches {
        gocache: PathBuf::new(),
        gomodcache: PathBuf::new(),
        named_modules: layout.gomodcache,
        gopath: layout.gopath,
        programs: PathBuf::new(),
        of_root: of_root.map(|found| found.real.clone()).collect(),
        judged: Vec::new(),
        are_there: true,
        opened: Vec::new(),
    };
    let real: Vec<_> = found.into_iter().map(|found| caches.judge(found)).collect();
    if let Ok([gocache, gomodcache, programs]) = <[PathBuf; 3]>::try_from(real) {
        caches.gocache = gocache;
        caches.gomodcache = gomodcache;
        caches.programs = programs;
    }
    Ok(caches)
}

/// The refusal of a folder that cannot be a cache, for whatever reason.
fn unusable(error: &anyhow::Error, folder: &Path, is_home_usable: bool) -> Refused {
    let refused = refused(error).within(&format!("cannot use the cache {}", folder.display()));
    match refused.code() {
        Code::SystemError => {
            Refused::new(Code::CacheUnusable, refused.message()).option(match is_home_usable {
                true => "--cache-dir \"$HOME/.cache/gosandbox\"",
                false => "--cache-dir /var/tmp/gosandbox-cache",
            })
        }
        _ => refused,
    }
}

/// GOCACHE of go commands that programs run: where it is by default.
pub(super) fn of_programs(caches: &Caches) -> PathBuf {
    caches.programs.join("go-build")
}

/// Makes the folder of GOCACHE in which fuzzing keeps its corpus; programs write there alone.
pub(super) fn make_corpus(caches: &Caches, who: &Who) -> anyhow::Result<()> {
    let folder = caches.gocache.join("fuzz");
    let finder = Finder {
        who,
        // Root's on disk as all of that cache, and the sandbox user's inside.
        tree: caches
            .of_root
            .contains(&caches.gocache)
            .then_some(&caches.gocache),
        missing: Missing::Make,
    };
    let found = finder.find(&folder, &|_, _| Ok(()));
    found.with_context(|| format!("cannot make the folder {} for fuzzing", folder.display()))?;
    Ok(())
}

/// Where go keeps what it has seen of the checksum database (`GOPATH/pkg/sumdb`).
/// `None` where it cannot be: go says so if it needs it.
pub(super) fn sumdb(
    caches: &mut Caches,
    who: &Who,
    tree: Option<&Path>,
    missing: Missing,
) -> Option<PathBuf> {
    let folder = caches.gopath.join("pkg/sumdb");
    let finder = Finder { who, tree, missing };
    let found = finder.find(&folder, &|_, _| Ok(())).ok()?;
    Some(caches.judge(found))
}

struct Layout {
    gocache: PathBuf,
    gomodcache: PathBuf,
    gopath: PathBuf,
    programs: PathBuf,
}

/// `--cache-dir`, else what the caller's GOCACHE and GOMODCACHE say, else the user's own places.
fn layout(session: &Session<'_>, who: &Who) -> anyhow::Result<Layout> {
    check_gopath(session)?;
    if let Some(folder) = &session.request.cache_dir {
        let folder = std::path::absolute(folder)?;
        return Ok(Layout {
            gocache: folder.join("go-build"),
            gomodcache: folder.join("mod"),
            programs: folder.join("programs"),
            gopath: folder,
        });
    }
    let own = who
        .home
        .as_deref()
        .filter(|_| !who.identity.switch || who.home.is_some());
    let (base, gopath) = match own {
        Some(home) => (cache_home(session, who, home), home.join("go")),
        None if who.identity.switch => {
            let folder = Path::new(SYSTEM).join(who.identity.uid.to_string());
            (folder.clone(), folder)
        }
        None => {
            return Err(Refused::new(
                Code::CacheUnusable,
                "cannot find a place for the caches: HOME is not set",
            )
            .option("--cache-dir /var/tmp/gosandbox-cache")
            .into());
        }
    };
    let gopath = gopath_of(session, who).unwrap_or(gopath);
    let chosen = |name: &str| -> anyhow::Result<Option<PathBuf>> {
        match session.go_variable(name).map(PathBuf::from) {
            Some(path) if path.is_absolute() => Ok(Some(path)),
            Some(path) => {
                let text = format!("cannot use {name}={}: it is not absolute", path.display());
                let whole = std::path::absolute(&path).unwrap_or(path);
                Err(Refused::new(Code::CacheUnusable, text)
                    .words(format!("export {name}={}", shell_path(&whole)))
                    .into())
            }
            None => Ok(None),
        }
    };
    let is_system = own.is_none();
    let module_default = if is_system {
        base.join("mod")
    } else {
        gopath.join("pkg/mod")
    };
    Ok(Layout {
        gocache: chosen("GOCACHE")?.unwrap_or_else(|| base.join("go-build")),
        gomodcache: chosen("GOMODCACHE")?.unwrap_or(module_default),
        gopath,
        programs: match (is_system, chosen("GOCACHE")?) {
            (true, _) => base.join("programs"),
            // As in a container whose user has no home of its own, and caches that variables name.
            (false, Some(named)) if !can_make(&base, who) => beside(&named),
            (false, _) => base.join("gosandbox/programs"),
        },
    })
}

/// A folder of the launcher's beside another one.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push("-gosandbox");
    name.into()
}

/// Whether a user may make a folder, by the permission bits of what is there of the way to it.
fn can_make(folder: &Path, who: &Who) -> bool {
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

/// Where the launcher keeps what nothing inside may write. `None` where no home is known.
pub(super) fn launchers(session: &Session<'_>) -> Option<PathBuf> {
    if let Some(folder) = &session.request.cache_dir {
        return std::path::absolute(folder).ok();
    }
    if session.host.is_root() {
        return Some(SYSTEM.into());
    }
    let named = session.variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = named
        .filter(|path| path.is_absolute())
        .or_else(|| Some(session.home.as_ref()?.join(".cache")))?;
    Some(cache.join("gosandbox"))
}

/// Whether a cache is the launcher's own, and none that plain go uses too.
pub(super) fn is_launchers(session: &Session<'_>, path: &Path) -> bool {
    launchers(session).is_some_and(|own| path.starts_with(own))
}

/// GOCACHE and GOMODCACHE of an ordinary user, which plain go uses too.
pub(super) fn of_go(session: &Session<'_>) -> Vec<(PathBuf, cache::Kind)> {
    let found = layout(session, &of_caller(session));
    let found = found.map(|found| {
        vec![
            (found.gocache, cache::Kind::GoBuild),
            (found.gomodcache, cache::Kind::GoModules),
        ]
    });
    found.unwrap_or_default()
}

/// Where the programs' caches are if the caller's own place for them cannot be made.
pub(super) fn beside_named(session: &Session<'_>) -> Option<PathBuf> {
    let named = PathBuf::from(session.go_variable("GOCACHE")?);
    named.is_absolute().then(|| beside(&named))
}

/// An ordinary caller.
fn of_caller(session: &Session<'_>) -> Who {
    Who {
        identity: Identity {
            uid: session.host.uid,
            gid: session.host.gid,
            switch: false,
        },
        name: String::new(),
        home: session.home.clone(),
    }
}

/// `$XDG_CACHE_HOME` is the caller's own, not that of a user it changes to.
fn cache_home(session: &Session<'_>, who: &Who, home: &Path) -> PathBuf {
    let named = session
        .variable("XDG_CACHE_HOME")
        .filter(|_| !who.identity.switch)
        .map(PathBuf::from);
    named
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| home.join(".cache"))
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

/// The first entry of the caller's GOPATH; it may not exist.
pub(super) fn own_gopath(session: &Session<'_>) -> Option<PathBuf> {
    let list = session.go_variable("GOPATH");
    let first = list.and_then(|list| std::env::split_paths(&list).next());
    first
        .or_else(|| Some(session.home.as_ref()?.join("go")))
        .filter(|path| path.is_absolute())
}

/// The caller's GOMODCACHE, where a toolchain may lie; it may not exist.
pub(super) fn module_cache(session: &Session<'_>) -> Option<PathBuf> {
    if let Some(folder) = &session.request.cache_dir {
        return Some(std::path::absolute(folder).ok()?.join("mod"));
    }
    let named = session.go_variable("GOMODCACHE").map(PathBuf::from);
    named
        .or_else(|| Some(own_gopath(session)?.join("pkg/mod")))
        .filter(|path| path.is_absolute())
}
