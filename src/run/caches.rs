//! Where GOCACHE, GOMODCACHE and the programs' own cache lie, and that they can be used.
//!
//! Each is opened once. Root walks there by descriptors, as far as nobody else decides where the path leads; from there on
//! a helper process walks, and makes what is missing, that has become the sandbox user.

mod layout;
mod unusable;

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub(super) use self::layout::beside_named;
use self::layout::{can_make, layout};
use self::unusable::{Cause, Unusable};
use super::identity::Who;
use super::place::{Finder, Found};
use super::what::What;
use super::{Session, cache, foreign, refused};
use crate::files::{FileId, Judged};
use crate::plan::Identity;
use crate::policy::places::NO_CACHE;
use crate::refusal::{Code, Refused};
use anyhow::Context;

/// Caches of users without a home, when the launcher is root.
pub(super) const SYSTEM: &str = "/var/cache/gosandbox";

/// The caches of a run, by canonical paths. They exist, unless they were only to be found. One that cannot be had is
/// [`NO_CACHE`].
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
    unusable: Vec<Unusable>,
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

    /// Makes sure that what is to be run has the caches that it needs.
    ///
    /// # Errors
    /// It needs one that cannot be had.
    pub fn check(&self, what: &What) -> anyhow::Result<()> {
        unusable::check(&self.unusable, what)
    }

    /// Makes sure that a folder in the work tree which GOMODCACHE names is one, before it is removed. One outside the tree
    /// was looked at when it was found.
    ///
    /// # Errors
    /// It holds something else, such as the work tree.
    pub fn check_modules(&self, session: &Session<'_>) -> anyhow::Result<()> {
        let real = &self.gomodcache;
        let mut all = self.judged.iter().zip(&self.opened);
        let found = all.find(|(judged, _)| judged.path == *real);
        let is_named = session.request.cache_dir.is_none();
        let (Some((_, opened)), Some(_), true) =
            (found, session.go_variable("GOMODCACHE"), is_named)
        else {
            return Ok(());
        };
        let caches = [&self.gocache, &self.programs];
        match foreign::held("GOMODCACHE", real, opened, &caches)? {
            Some(held) => {
                let text = format!("cannot remove the module cache {}: {held}", real.display());
                Err(foreign::not_a_cache("GOMODCACHE", text).into())
            }
            None => Ok(()),
        }
    }

    /// All of them.
    ///
    /// # Errors
    /// One cannot be had.
    pub fn all(self) -> anyhow::Result<Caches> {
        match self.unusable.into_iter().next() {
            Some(one) => Err(one.refused.into()),
            None => Ok(Caches {
                unusable: Vec::new(),
                ..self
            }),
        }
    }

    /// What the variable of a cache that cannot be had says: go says what is wrong with it.
    pub fn says(&self, name: &str) -> Option<&OsStr> {
        let mut all = self.unusable.iter().filter(|one| one.name == name);
        all.next().map(|one| one.value.as_os_str())
    }

    /// The variables of those that have no place at all, and HOME, from which go would make one up.
    pub fn unset(&self) -> Vec<&'static str> {
        let all = self
            .unusable
            .iter()
            .filter(|one| one.cause == Cause::NoPlace);
        let named: Vec<_> = all
            .map(|one| one.name)
            .filter(|name| !name.is_empty())
            .collect();
        match named.is_empty() {
            true => named,
            false => [&named[..], &["HOME"]].concat(),
        }
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
    let programs = match layout.programs == Path::new(NO_CACHE) {
        true => layout.programs,
        false => layout.programs.join(cache::key(place)),
    };
    let named = [&layout.gocache, &layout.gomodcache, &programs];
    let finder = Finder { who, tree, missing };
    let mut caches = Caches {
        gocache: PathBuf::new(),
        gomodcache: PathBuf::new(),
        named_modules: layout.gomodcache.clone(),
        gopath: layout.gopath,
        programs: PathBuf::new(),
        of_root: Vec::new(),
        judged: Vec::new(),
        are_there: true,
        unusable: layout.unusable,
        opened: Vec::new(),
    };
    let mut real = Vec::new();
    for (variable, folder) in ["GOCACHE", "GOMODCACHE", ""].into_iter().zip(named) {
        if folder == Path::new(NO_CACHE) {
            real.push(folder.clone());
            continue;
        }
        let is_named =
            session.request.cache_dir.is_none() && session.go_variable(variable).is_some();
        let check = |opened: &OwnedFd, real: &Path| match is_named {
            true => foreign::refuse(variable, folder, opened, real, &named, tree),
            false => Ok(()),
        };
        match finder.find(folder, &check) {
            Ok(found) => {
                if found.of_root && !variable.is_empty() {
                    caches.of_root.push(found.real.clone());
                }
                real.push(caches.judge(found));
            }
            Err(error) => {
                let unusable = unmade(&error, folder, who)?;
                caches.unusable.push(Unusable {
                    name: variable,
                    ..unusable
                });
                real.push(NO_CACHE.into());
            }
        }
    }
    if let Ok([gocache, gomodcache, programs]) = <[PathBuf; 3]>::try_from(real) {
        caches.gocache = gocache;
        caches.gomodcache = gomodcache;
        caches.programs = programs;
    }
    Ok(caches)
}

/// A folder that cannot be made or reached.
///
/// # Errors
/// It is refused for what it is or what leads there.
fn unmade(error: &anyhow::Error, folder: &Path, who: &Who) -> Result<Unusable, Refused> {
    let refused = refused(error).within(&format!("cannot use the cache {}", folder.display()));
    if refused.code() != Code::SystemError {
        return Err(refused);
    }
    let home = who.home.as_ref().map(|home| home.join(".cache/gosandbox"));
    let refused = Refused::new(Code::CacheUnusable, refused.message()).option(match home {
        Some(home) if can_make(&home, who) => "--cache-dir \"$HOME/.cache/gosandbox\"",
        _ => "--cache-dir /var/tmp/gosandbox-cache",
    });
    Ok(Unusable::new(Cause::Unmade, folder.into(), refused))
}

/// GOCACHE of go commands that programs run: where it is by default.
pub(super) fn of_programs(caches: &Caches) -> PathBuf {
    caches.programs.join("go-build")
}

/// Makes the folder of GOCACHE in which fuzzing keeps its corpus; programs write there alone. Without a GOCACHE go says
/// itself that it needs one.
pub(super) fn make_corpus(caches: &Caches, who: &Who) -> anyhow::Result<()> {
    if caches.gocache == Path::new(NO_CACHE) {
        return Ok(());
    }
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
    if caches.gopath == Path::new(NO_CACHE) {
        return None;
    }
    let folder = caches.gopath.join("pkg/sumdb");
    let finder = Finder { who, tree, missing };
    let found = finder.find(&folder, &|_, _| Ok(())).ok()?;
    Some(caches.judge(found))
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
        let both = [
            (found.gocache, cache::Kind::GoBuild),
            (found.gomodcache, cache::Kind::GoModules),
        ];
        let is_there = |path: &Path| path != Path::new(NO_CACHE);
        both.into_iter()
            .filter(|(path, _)| is_there(path))
            .collect()
    });
    found.unwrap_or_default()
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
