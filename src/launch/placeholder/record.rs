//! What a run has made in folders that are not its own, written down for a later run in case this one
//! is killed.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file or folder that was made, with its identity on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub dev: u64,
    pub ino: u64,
}

/// The record of the run with this folder: beside it, where nothing inside can reach it.
pub(super) fn of_run(folder: &Path) -> PathBuf {
    folder.with_extension("made")
}

/// Writes a line each, ended by a NUL since a path may hold anything else.
pub(super) fn write<'a>(record: &Path, entries: impl Iterator<Item = &'a Entry>) -> io::Result<()> {
    let mut content = Vec::new();
    for Entry { path, dev, ino } in entries {
        content.extend(format!("{dev} {ino} ").bytes());
        content.extend(path.as_os_str().as_bytes());
        content.push(0);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(record)?;
    file.write_all(&content)
}

/// What was written; a line that was cut short is left out.
pub(super) fn read(content: &[u8]) -> Vec<Entry> {
    let line = |line: &[u8]| {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
        let (dev, ino) = (number()?, number()?);
        let path = PathBuf::from(OsStr::from_bytes(fields.next()?));
        path.is_absolute().then_some(Entry { path, dev, ino })
    };
    let (whole, _cut_short) = match content.iter().rposition(|byte| *byte == 0) {
        Some(end) => content.split_at(end),
        None => return Vec::new(),
    };
    whole.split(|byte| *byte == 0).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again_whatever_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let record = of_run(&folder.path().join("00000000000000aa"));
        let entries = ["/a b/\n1 2 /x", "/plain"].map(|path| Entry {
            path: path.into(),
            dev: 7,
            ino: u64::MAX,
        });
        write(&record, entries.iter()).unwrap();
        assert_eq!(read(&std::fs::read(&record).unwrap()), entries);
        assert!(write(&record, entries.iter()).is_err(), "it is there");
        assert_eq!(read(b"nonsense\x001 2\x001 2 relative\x001 2 /cut/sho"), []);
        assert_eq!(read(b"1 2 /cut/sho"), []);
    }
}
