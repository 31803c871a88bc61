//! Which modules of a module cache import "C". What a version of a module holds never changes, so each is looked through
//! once, and the answer is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstat, openat, renameat};
use sha2::{Digest, Sha256};

use super::super::{Project, Session, token};
use crate::go::{cgo, missing};
use crate::text::hex;

/// The file of the answers.
const NAME: &str = "modules";
/// A longer one is begun anew.
const LONGEST: u64 = 4 << 20;

/// Whether one of the project's modules that are there imports "C".
pub(super) fn import_c(project: &Project<'_>, module_cache: &Path) -> bool {
    let (modules, _) = missing::extracted(project.workspace, module_cache);
    if modules.is_empty() {
        return false;
    }
    let kept = Kept::open(project.session, &project.workspace.root);
    let mut known = kept
        .as_ref()
        .map(|kept| kept.read(project.session.host.uid))
        .unwrap_or_default();
    let (before, mut found) = (known.len(), false);
    for (_, folder) in &modules {
        let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
        let imports = known
            .entry(hex(&digest[..16]))
            .or_insert_with(|| cgo::first(std::slice::from_ref(folder)).is_some());
        found |= *imports;
    }
    if let (Some(kept), true) = (&kept, known.len() > before) {
        // Without it they are looked through again.
        let _written = kept.write(&known);
    }
    found
}

/// Where the answers are kept: out of reach of what runs inside.
struct Kept(OwnedFd);

impl Kept {
    /// `None` where there can be none, or where whoever writes the work tree could write it.
    fn open(session: &Session<'_>, tree: &Path) -> Option<Kept> {
        let folder = token::open(&token::state(session)?.join("cgo"))?;
        let is_apart = !folder.real().starts_with(tree);
        is_apart.then(|| folder.open_folder().ok().map(Kept))?
    }

    fn read(&self, uid: u32) -> BTreeMap<String, bool> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(&self.0, NAME, flags, Mode::empty()) else {
            return BTreeMap::new();
        };
        let file = File::from(file);
        let is_own = fstat(&file).is_ok_and(|found| {
            found.st_uid == uid
                && found.st_mode & 0o022 == 0
                && found.st_size < LONGEST.cast_signed()
        });
        let mut text = String::new();
        if !is_own || file.take(LONGEST).read_to_string(&mut text).is_err() {
            return BTreeMap::new();
        }
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines
            .map(|(key, imports)| (key.to_owned(), imports == "1"))
            .collect()
    }

    fn write(&self, known: &BTreeMap<String, bool>) -> std::io::Result<()> {
        let new = format!("{NAME}.{}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.0, &new, flags, Mode::RUSR | Mode::WUSR)?;
        let lines = known
            .iter()
            .map(|(key, imports)| format!("{key} {}\n", u8::from(*imports)));
        File::from(file).write_all(lines.collect::<String>().as_bytes())?;
        Ok(renameat(&self.0, &new, &self.0, NAME)?)
    }
}
