//! Where GOCACHE, GOMODCACHE and the programs' own cache lie, and that they can be used.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{CWD, Dir, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::identity::Who;
use super::{Session, foreign, scratch};
use crate::paths::clean;

/// Caches of users without a home, when the launcher is root.
const SYSTEM: &str = "/var/cache/gosandbox";

/// The caches of a run. Canonical, existing folders.
#[derive(Clone, Debug)]
pub(super) struct Caches {
    pub gocache: PathBuf,
    pub gomodcache: PathBuf,
    pub gopath: PathBuf,
    pub programs: PathBuf,
    /// Caches on disk that belong to root and are to appear as the sandbox user's.
    pub of_root: Vec<PathBuf>,
}

/// Finds the caches, and makes those that are missing. `tree`: the project's, where there is one.
pub(super) fn find(
    session: &Session<'_>,
    who: &Who,
    tree: Option<&Path>,
) -> anyhow::Result<Caches> {
    let layout = layout(session, who)?;
    let place = tree.unwrap_or(&session.folder);
    let programs = layout.programs.join(key(place)).join("go-build");
    let folders = [&layout.gocache, &layout.gomodcache, &programs];
    for folder in folders {
        stays(tree, folder)?;
    }
    for (name, folder) in ["GOCACHE", "GOMODCACHE"].into_iter().zip(folders) {
        if session.args.cache_dir.is_none() && session.go_variable(name).is_some() {
            foreign::refuse(name, folder, &folders.map(PathBuf::as_path), tree)?;
        }
    }
    let mut real = Vec::new();
    for folder in folders {
        let made = make_in(tree, folder, who);
        made.with_context(|| {
            format!(
                "cannot make the cache {}; name another place with --cache-dir",
                folder.display()
            )
        })?;
        real.push(
            folder
                .canonicalize()
                .with_context(|| format!("cannot use {}", folder.display()))?,
        );
    }
    let [gocache, gomodcache, programs] = real
        .try_into()
        .map_err(|_| io::Error::other("three caches"))?;
    let mut of_root = Vec::new();
    for (path, named) in [
        (&gocache, &layout.gocache),
        (&gomodcache, &layout.gomodcache),
    ] {
        if who.identity.switch && path.metadata().is_ok_and(|m| m.uid() == 0) {
            if is_led_by_others(named) {
                bail!(
                    "cannot use the cache {}: it is {}, which belongs to root, and a link of another user's leads there; \
                     name another place with --cache-dir",
                    named.display(),
                    path.display()
                );
            }
            of_root.push(path.clone());
        }
    }
    Ok(Caches {
        gocache,
        gomodcache,
        gopath: layout.gopath,
        programs,
        of_root,
    })
}

/// Makes a cache that may lie in the work tree. Within root's own tree, which appears as the sandbox
/// user's, all is root's on disk.
fn make_in(tree: Option<&Path>, folder: &Path, who: &Who) -> io::Result<()> {
    let is_around = |tree: &Path| {
        folder.starts_with(tree) && tree.metadata().is_ok_and(|found| found.uid() == 0)
    };
    if who.identity.switch && tree.is_some_and(is_around) {
        fs::create_dir_all(folder)
    } else {
        make(folder, who)
    }
}

/// Makes the folder of GOCACHE in which fuzzing keeps its corpus; programs write there alone.
pub(super) fn make_corpus(caches: &Caches, who: &Who) -> anyhow::Result<()> {
    let folder = caches.gocache.join("fuzz");
    let made = match caches.of_root.contains(&caches.gocache) {
        // Root's on disk as all of that cache, and the sandbox user's inside.
        true => fs::create_dir_all(&folder),
        false => make(&folder, who),
    };
    made.with_context(|| format!("cannot make the folder {} for fuzzing", folder.display()))
}

/// Where go keeps what it has seen of the checksum database (`GOPATH/pkg/sumdb`), made if need be.
/// `None` where it cannot be: go says so if it needs it.
pub(super) fn sumdb(caches: &Caches, who: &Who, tree: Option<&Path>) -> Option<PathBuf> {
    let folder = caches.gopath.join("pkg/sumdb");
    stays(tree, &folder).ok()?;
    make_in(tree, &folder, who).ok()?;
    let real = folder.canonicalize().ok()?;
    let is_roots = who.identity.switch && real.metadata().ok()?.uid() == 0;
    (!is_roots || !is_led_by_others(&folder)).then_some(real)
}

/// Makes sure that no link of the work tree's own leads a cache out of it: `GOCACHE=$PWD/.cache` would grant
/// whatever folder the repository likes.
fn stays(tree: Option<&Path>, folder: &Path) -> anyhow::Result<()> {
    let mut there = folder.ancestors();
    let deepest = there.find(|path| path.symlink_metadata().is_ok());
    let (Some(tree), Some(deepest)) = (tree, deepest) else {
        return Ok(());
    };
    let real = deepest.canonicalize();
    if real.as_ref().is_ok_and(|real| real == deepest) {
        // No link at all: it is where its name says.
        return Ok(());
    }
    let is_in = |path: &Path| path.canonicalize().is_ok_and(|real| real.starts_with(tree));
    // Whoever goes in and out again (`..`) does not stay.
    let mut after = folder.ancestors().take_while(|path| !path.ends_with(".."));
    let enters = clean(folder).starts_with(tree) || after.any(is_in);
    if enters && !real.is_ok_and(|real| real.starts_with(tree)) {
        bail!(
            "cannot use the cache {}: a symbolic link in the work tree leads out of it; remove the link, or name \
             another place with --cache-dir",
            folder.display()
        );
    }
    Ok(())
}

/// Whether a link that is not root's, or that others may exchange, is on the way to a path: whoever has made
/// it chooses what is there.
fn is_led_by_others(path: &Path) -> bool {
    let mut todo = parts(path);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(next) = todo.pop() {
        if next == ".." {
            at.pop();
            continue;
        }
        let folder = at.symlink_metadata();
        at.push(&next);
        let found = at.symlink_metadata();
        let Ok(to) = at.read_link() else {
            continue;
        };
        let is_roots = |found: &fs::Metadata| found.uid() == 0;
        let is_closed = |folder: &fs::Metadata| folder.mode() & 0o022 == 0;
        links += 1;
        if links > 40
            || !found.is_ok_and(|found| is_roots(&found))
            || !folder.is_ok_and(|folder| is_roots(&folder) && is_closed(&folder))
        {
            return true;
        }
        at.pop();
        if to.is_absolute() {
            at = PathBuf::from("/");
        }
        todo.extend(parts(&to));
    }
    false
}

/// The names of a path, the last first.
fn parts(path: &Path) -> Vec<std::ffi::OsString> {
    let names = path.components().filter_map(|part| match part {
        std::path::Component::Normal(name) => Some(name.to_owned()),
        std::path::Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut names: Vec<_> = names.collect();
    names.reverse();
    names
}

struct Layout {
    gocache: PathBuf,
    gomodcache: PathBuf,
    gopath: PathBuf,
    programs: PathBuf,
}

/// `--cache-dir`, else what the caller's GOCACHE and GOMODCACHE say, else the user's own places.
fn layout(session: &Session<'_>, who: &Who) -> anyhow::Result<Layout> {
    if let Some(folder) = &session.args.cache_dir {
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
            bail!("cannot find a place for the caches: HOME is not set; set it, or use --cache-dir")
        }
    };
    let gopath = gopath_of(session, who).unwrap_or(gopath);
    let chosen = |name: &str| -> anyhow::Result<Option<PathBuf>> {
        match session.go_variable(name).map(PathBuf::from) {
            Some(path) if path.is_absolute() => Ok(Some(path)),
            Some(path) => bail!(
                "cannot use {name}={}: it must be an absolute path",
                path.display()
            ),
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
        programs: if is_system {
            base.join("programs")
        } else {
            base.join("gosandbox/programs")
        },
    })
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

fn gopath_of(session: &Session<'_>, who: &Who) -> Option<PathBuf> {
    if who.identity.switch {
        return None;
    }
    let list = session.go_variable("GOPATH")?;
    std::env::split_paths(&list)
        .next()
        .filter(|path| path.is_absolute())
}

/// The caller's GOMODCACHE, where a toolchain may lie; it may not exist.
pub(super) fn module_cache(session: &Session<'_>) -> Option<PathBuf> {
    if let Some(folder) = &session.args.cache_dir {
        return Some(std::path::absolute(folder).ok()?.join("mod"));
    }
    let named = session.go_variable("GOMODCACHE").map(PathBuf::from);
    let gopath = || {
        let list = session.go_variable("GOPATH");
        list.and_then(|list| std::env::split_paths(&list).next())
            .or_else(|| Some(session.home.as_ref()?.join("go")))
    };
    named
        .or_else(|| Some(gopath()?.join("pkg/mod")))
        .filter(|path| path.is_absolute())
}

/// Makes a folder and those above it; what is new belongs to the sandbox user.
fn make(folder: &Path, who: &Who) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        let system = parent == Path::new(SYSTEM) || parent == Path::new("/var/cache");
        if system {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(parent)?;
        } else {
            make(parent, who)?;
        }
    }
    if !who.identity.switch {
        return ignore_existing(fs::DirBuilder::new().mode(0o700).create(folder));
    }
    give(folder, who)
}

/// Makes a folder that belongs to the sandbox user, as root: not where a link of that user's leads to what is
/// another's.
fn give(folder: &Path, who: &Who) -> io::Result<()> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let within = rustix::fs::openat(CWD, parent, flags, Mode::empty())?;
    let owner = rustix::fs::fstat(&within)?.st_uid;
    if owner != who.identity.uid && is_led_by_others(parent) {
        return Err(io::Error::other(format!(
            "{} belongs to user {owner}, and a link of another user's leads there",
            parent.display()
        )));
    }
    // Under another name until it is the user's: a launcher that is killed leaves none that is not.
    let new = format!(".gosandbox-new-{}", scratch::unguessable()?);
    rustix::fs::mkdirat(&within, &new, Mode::RWXU)?;
    let made = rustix::fs::openat(&within, &new, flags | OFlags::NOFOLLOW, Mode::empty())
        .and_then(|made| hand_over(made.as_fd(), who))
        .and_then(|()| rustix::fs::renameat(&within, &new, &within, name));
    if made.is_err() {
        let flags = rustix::fs::AtFlags::REMOVEDIR;
        let _another_run_was_first = rustix::fs::unlinkat(&within, &new, flags);
    }
    if folder.is_dir() { Ok(()) } else { Ok(made?) }
}

/// Gives a new folder to the sandbox user.
///
/// # Errors
/// ENOTEMPTY: it is another one of root's, which the user has put in its place.
fn hand_over(folder: BorrowedFd<'_>, who: &Who) -> Result<(), Errno> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Err(Errno::NOTEMPTY);
        }
    }
    let (uid, gid) = (who.identity.uid, who.identity.gid);
    rustix::fs::fchown(folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

fn ignore_existing(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Names a project's own cache.
fn key(tree: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let hash = Sha256::digest(tree.as_os_str().as_bytes());
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
