//! A toolchain from a module cache is what the checksum database says it is.
//!
//! Go compares a toolchain when it downloads it, and never again; what was extracted may have been written
//! since. So its hash is computed here, and go itself looks the hash of the zip up. Both are done once, and
//! again when any file of it has changed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat, renameat};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::identity::Who;
use super::{Project, Session, fetch, refused, token};
use crate::files::{self, Follow, Keeper, Step, Stop, look};
use crate::go::toolchain::Toolchain;
use crate::go::{self, dirhash};
use crate::host::Host;
use crate::refusal::{Code, Refused, shell_path};

/// A toolchain in a module cache.
pub(super) struct Cached<'a> {
    /// Its GOROOT.
    pub goroot: &'a Path,
    /// The module cache that it lies in.
    pub cache: &'a Path,
    /// The sandbox user's module cache, in which go looks it up.
    pub confirmed_in: &'a Path,
}

/// Compares it, unless that was done and nothing has changed since.
///
/// # Errors
/// It is another, or cannot be compared.
pub(super) fn check(
    project: &Project<'_>,
    host: &mut Host,
    who: &Who,
    found: &Toolchain,
    cached: &Cached<'_>,
) -> anyhow::Result<()> {
    let session = project.session;
    if session.request.dry_run {
        return Ok(());
    }
    let goroot = cached.goroot;
    let fingerprint = theirs(who, goroot, || {
        dirhash::fingerprint(goroot).map_err(anyhow::Error::from)
    })?;
    let record = Record::open(session, goroot, &project.workspace.root);
    if record
        .as_ref()
        .is_some_and(|record| record.says(session.host.uid, &fingerprint))
    {
        return Ok(());
    }
    let module = goroot
        .strip_prefix(cached.cache)
        .unwrap_or(goroot)
        .to_string_lossy()
        .into_owned();
    let hash = theirs(who, goroot, || {
        let hash = dirhash::h1(goroot, &module)?;
        compare(cached.cache, &module, goroot, &hash)?;
        Ok(hash)
    })?;
    let status = fetch::download(project, host, who, found, &module)?;
    if status != 0 {
        let text = format!(
            "cannot use the toolchain in {}: the checksum database does not confirm it (go mod download {module} \
             ended with status {status})",
            goroot.display()
        );
        return Err(changed(goroot, text).into());
    }
    theirs(who, cached.confirmed_in, || {
        compare(cached.confirmed_in, &module, goroot, &hash)
    })?;
    if let Some(record) = record {
        // Without it the next run compares again.
        let _written = record.write(&fingerprint);
    }
    Ok(())
}

/// Does `work`, which reads what is in `folder`, as the sandbox user where others than root decide what is there: no link
/// of theirs has root read a file of its own.
pub(super) fn theirs<T: Serialize + DeserializeOwned>(
    who: &Who,
    folder: &Path,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if !who.identity.switch || is_roots(folder)? {
        return work();
    }
    let (done, _) = files::as_user(who.user(), || {
        let done = work().map_err(|error| refused(&error));
        (done, Vec::new())
    })?;
    Ok(done?)
}

/// Whether nobody but root decides what a path leads to, and what is there is root's.
fn is_roots(folder: &Path) -> std::io::Result<bool> {
    let mut step = Step::start(folder)?;
    let is_kept = step.walk(Follow::Kept(Keeper::ROOT), None)? == Stop::There;
    Ok(is_kept && Keeper::ROOT.closes(step.found()))
}

/// With the hash of the zip that it was extracted from.
fn compare(cache: &Path, module: &str, goroot: &Path, hash: &str) -> anyhow::Result<()> {
    let version = module
        .rsplit_once('@')
        .map_or(module, |(_, version)| version);
    let file = cache
        .join("cache/download/golang.org/toolchain/@v")
        .join(format!("{version}.ziphash"));
    let known = read_hash(&file).map_err(|error| {
        let text = format!(
            "cannot use the toolchain in {}: what it must be is not known: {}: {error}",
            goroot.display(),
            file.display()
        );
        changed(goroot, text)
    })?;
    if known.trim() != hash {
        let text = format!(
            "cannot use the toolchain in {}: its hash is {hash}, and the module's is {}: it was changed after it was \
             extracted",
            goroot.display(),
            crate::text::visible(known.trim())
        );
        return Err(changed(goroot, text).into());
    }
    Ok(())
}

/// The refusal of a toolchain that is not what it must be. What is removed is fetched again.
fn changed(goroot: &Path, text: String) -> Refused {
    let folder = shell_path(goroot);
    Refused::new(Code::ToolchainChanged, text)
        .words(format!("chmod -R u+w {folder} && rm -r {folder}"))
}

/// What a file of a module cache says, which the work tree may have brought along. It is shown where it is not
/// what it must be, so that no link is followed.
fn read_hash(file: &Path) -> std::io::Result<String> {
    const LONGEST: u64 = 1024;
    if look::symlink_metadata(file)?.is_symlink() {
        return Err(std::io::Error::other("it is a symbolic link"));
    }
    let content = go::read_plain(file, LONGEST)?;
    String::from_utf8(content).map_err(std::io::Error::other)
}

/// Of what is noted.
const LONGEST_RECORD: u64 = 64 << 10;

/// What was found out of a toolchain, such as that it was compared, is noted out of reach of what runs inside.
pub(super) struct Record {
    folder: OwnedFd,
    name: String,
}

impl Record {
    /// `None` where there can be none. Where the work tree has it, whoever may write that could have written it.
    pub fn open(session: &Session<'_>, goroot: &Path, tree: &Path) -> Option<Record> {
        let about = goroot.as_os_str().as_encoded_bytes();
        Record::of(session, "toolchains", about, tree)
    }

    /// As [`Record::open`], in another folder of the launcher's, of what these bytes name.
    pub fn of(session: &Session<'_>, kind: &str, about: &[u8], tree: &Path) -> Option<Record> {
        let digest = Sha256::digest(about);
        let name = crate::text::hex(&digest[..16]);
        let folder = token::open(&token::state(session)?.join(kind))?;
        if folder.real().starts_with(tree) {
            return None;
        }
        Some(Record {
            folder: folder.open_folder().ok()?,
            name,
        })
    }

    fn says(&self, uid: u32, fingerprint: &str) -> bool {
        self.read(uid).is_some_and(|text| text == fingerprint)
    }

    /// What was noted, if nobody else could have.
    pub fn read(&self, uid: u32) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.folder, &self.name, flags, Mode::empty()).ok()?;
        let file = File::from(file);
        let own = file
            .metadata()
            .is_ok_and(|found| found.is_file() && found.uid() == uid && found.mode() & 0o022 == 0);
        let mut text = String::new();
        let read = own && file.take(LONGEST_RECORD).read_to_string(&mut text).is_ok();
        read.then_some(text)
    }

    /// Notes it.
    pub fn write(&self, fingerprint: &str) -> std::io::Result<()> {
        let new = format!("{}.{}", self.name, std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.folder, &new, flags, Mode::RUSR | Mode::WUSR)?;
        File::from(file).write_all(fingerprint.as_bytes())?;
        Ok(renameat(&self.folder, &new, &self.folder, &self.name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_hash_that_is_a_link_to_a_file_of_the_users_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "decoysecret").unwrap();
        let hash = folder.path().join("v0.0.1.ziphash");
        std::os::unix::fs::symlink(&secret, &hash).unwrap();
        assert!(read_hash(&hash).is_err());
        assert_eq!(read_hash(&secret).unwrap(), "decoysecret");
    }
}
