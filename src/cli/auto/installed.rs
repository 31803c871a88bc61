//! What `profile auto --install` has loaded: the scripts that take it back, a file each.
//!
//! A script labels the folders of the project that it was made for. Only a copy of it can take that
//! back from another folder. As root they are read and executed: a folder that another user can
//! change is refused.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};
use sha2::{Digest, Sha256};

use crate::files::{Follow, Keeper, Place, Step, Stop, make_folders};
use crate::refusal::{Code, Refused, shell_path};
use crate::text::hex;

/// A folder of such scripts.
pub(super) struct Installed {
    path: PathBuf,
    folder: OwnedFd,
}

impl Installed {
    /// The folder; `None` where nothing was ever installed.
    pub(super) fn open(path: &Path) -> anyhow::Result<Option<Installed>> {
        let failed = || format!("cannot look at {}", path.display());
        let mut step = Step::start(path).with_context(failed)?;
        let keeper = Keeper::caller();
        match step.walk(Follow::Kept(keeper), None).with_context(failed)? {
            Stop::Missing => return Ok(None),
            Stop::There if keeper.closes(step.found()) => {}
            _ => {
                let text = format!(
                    "cannot use {}: another user can change what lies there",
                    path.display()
                );
                let folder = shell_path(path);
                return Err(Refused::new(Code::GuardFailed, text)
                    .words(format!("chown root: {folder} && chmod go-w {folder}"))
                    .into());
            }
        }
        Ok(Some(Installed {
            path: path.to_owned(),
            folder: step.open_folder().with_context(failed)?,
        }))
    }

    /// The folder, which is made if it is missing.
    pub(super) fn make(path: &Path) -> anyhow::Result<Installed> {
        make_folders(path, Keeper::caller())
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        let made = Installed::open(path)?;
        made.with_context(|| format!("cannot find {}, which was made", path.display()))
    }

    /// Keeps a script. Its name, and whether it was not there yet.
    pub(super) fn keep(&self, script: &str) -> anyhow::Result<(String, bool)> {
        let name = hex(&Sha256::digest(script)[..8]);
        let is_new = !self.names()?.contains(&name);
        let path = self.path.join(&name);
        let place = Place::find(&path, Keeper::caller(), None);
        let written = place.and_then(|place| place.replace_with(script.as_bytes(), 0o600));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok((name, is_new))
    }

    /// The names of all scripts.
    pub(super) fn names(&self) -> anyhow::Result<Vec<String>> {
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.folder)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        list().with_context(|| format!("cannot list {}", self.path.display()))
    }

    /// A script.
    pub(super) fn read(&self, name: &str) -> anyhow::Result<String> {
        let read = || -> io::Result<String> {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let mut file = File::from(openat(&self.folder, name, flags, Mode::empty())?);
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text)
        };
        read().with_context(|| format!("cannot read {}", self.path.join(name).display()))
    }

    /// Removes a script.
    pub(super) fn drop(&self, name: &str) -> anyhow::Result<()> {
        unlinkat(&self.folder, name, AtFlags::empty())
            .with_context(|| format!("cannot remove {}", self.path.join(name).display()))
    }
}
