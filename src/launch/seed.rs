//! Fills the programs' own build cache with what the go command has built before.
//!
//! Programs cannot write the trusted cache, and have one for each project. Empty, it would have the go commands that a
//! Makefile, a linter or `go generate` runs compile the standard library anew. So Go's own packages are copied, once for
//! each version of Go, and nothing that other projects have built. Hard links would let programs write the trusted files. An overlay would copy each file that is used,
//! since the go command sets its time, and cannot be shared by two runs.
//!
//! Init does this, as the sandbox user and in the view: it can read and write no more than that user.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use crate::plan::Seed;
use crate::sys::no_links;

/// What is copied at most. All of the standard library has 150 MB.
const MOST_BYTES: u64 = 256 << 20;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Copies entries, the newest first. What cannot be copied is compiled anew.
pub(super) fn fill(seed: &Seed) {
    let _compiled_anew = try_to_fill(seed);
}

fn try_to_fill(seed: &Seed) -> io::Result<()> {
    let from = no_links::open_absolute(&seed.from, FOLDER)?;
    make_folder(
        no_links::open_absolute(parent(&seed.to)?, FOLDER)?.as_fd(),
        &seed.to,
    )?;
    let to = no_links::open_absolute(&seed.to, FOLDER)?;
    let (mut left, mut copied) = (MOST_BYTES, 0);
    for name in seed.entries.iter().filter_map(|it| find(from.as_fd(), it)) {
        let Some(entry) = Entry::read(from.as_fd(), &name) else {
            continue;
        };
        let Some(rest) = left.checked_sub(entry.size) else {
            break;
        };
        match entry.copy(from.as_fd(), to.as_fd()) {
            Ok(()) => (left, copied) = (rest, copied + 1),
            // There is no room.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Err(error),
            // It was removed meanwhile, or is there already.
            Err(_) => {}
        }
    }
    if copied > 0 {
        make_file(to.as_fd(), &seed.stamp)?;
    }
    Ok(())
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| Errno::INVAL.into())
}

fn make_folder(within: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    match mkdirat(within, path.file_name().unwrap_or_default(), Mode::RWXU) {
        Err(Errno::EXIST) => Ok(()),
        made => made,
    }
}

/// The entry of an action (`XX/HASH-a`) whose name begins like this.
fn find(cache: BorrowedFd<'_>, start: &str) -> Option<PathBuf> {
    let name = start.get(..2)?;
    let folder = openat(cache, name, FOLDER, Mode::empty()).ok()?;
    let mut entries = Dir::read_from(&folder).ok()?;
    entries.find_map(|entry| {
        let entry = entry.ok()?;
        let file = entry.file_name().to_bytes();
        let is_entry = is_hash(file.strip_suffix(b"-a")?) && file.starts_with(start.as_bytes());
        is_entry.then(|| Path::new(name).join(std::ffi::OsStr::from_bytes(file)))
    })
}

fn is_hash(text: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.iter().all(is_digit)
}

/// What an action has given.
struct Entry<'n> {
    /// The file that says so.
    name: &'n Path,
    content: Vec<u8>,
    /// The file that holds what was given (`XX/HASH-d`), and its size.
    output: PathBuf,
    size: u64,
}

impl<'n> Entry<'n> {
    /// As the go command writes it (cmd/go/internal/cache): `v1 ACTION OUTPUT SIZE TIME`.
    fn read(cache: BorrowedFd<'_>, name: &'n Path) -> Option<Entry<'n>> {
        const LONGEST: u64 = 512;
        let mut content = Vec::new();
        let file = File::from(open(cache, name).ok()?);
        file.take(LONGEST).read_to_end(&mut content).ok()?;
        let text = std::str::from_utf8(&content).ok()?;
        let mut words = text.split_ascii_whitespace();
        let (version, output) = (words.next()?, words.nth(1)?);
        let size = words.next()?.parse().ok()?;
        if version != "v1" || !is_hash(output.as_bytes()) {
            return None;
        }
        Some(Entry {
            name,
            output: Path::new(&output[..2]).join(format!("{output}-d")),
            size,
            content,
        })
    }

    /// As the go command does: first what was given, so that an entry never names what is not there.
    fn copy(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
        // A folder, which holds a program that go has linked, is not opened.
        let source = open(from, &self.output)?;
        if u64::try_from(rustix::fs::fstat(&source)?.st_size) != Ok(self.size) {
            return Err(Errno::INVAL.into());
        }
        let mut source = File::from(source);
        match make_file(to, &self.output) {
            Ok(mut made) => drop(io::copy(&mut source, &mut made)?),
            // Several entries may have the same. What an earlier run has begun is made anew by the go command.
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut made = make_file(to, self.name)?;
        io::Write::write_all(&mut made, &self.content)
    }
}

fn open(cache: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let file = no_links::open(
        cache,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
    )?;
    match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file),
        _ => Err(Errno::INVAL),
    }
}

/// Makes a file in a folder that programs of earlier runs could write: nothing there is followed.
fn make_file(cache: BorrowedFd<'_>, path: &Path) -> Result<File, Errno> {
    let folder = match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(name) => {
            make_folder(cache, name)?;
            Some(openat(cache, name, FOLDER, Mode::empty())?)
        }
        None => None,
    };
    let within = folder.as_ref().map_or(cache, |folder| folder.as_fd());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = path.file_name().unwrap_or_default();
    Ok(openat(within, name, flags, Mode::from_raw_mode(0o644))?.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn entry(cache: &Path, number: u64, content: &str) -> (String, String) {
        let (action, output) = (
            format!("{number:064x}"),
            format!("{:064x}", number + (1 << 40)),
        );
        let text = format!("v1 {action} {output} {:>20} {:>20}\n", content.len(), 1);
        for (name, content) in [
            (format!("{action}-a"), text.as_str()),
            (format!("{output}-d"), content),
        ] {
            fs::create_dir_all(cache.join(&name[..2])).unwrap();
            fs::write(cache.join(&name[..2]).join(&name), content).unwrap();
        }
        (action, output)
    }

    #[test]
    fn entries_are_copied_with_what_they_name_and_no_link_is_followed() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let (from, to, outside) = (base.join("from"), base.join("to"), base.join("outside"));
        fs::create_dir(&outside).unwrap();
        let mut actions: Vec<String> = (0..3).map(|number| entry(&from, number, "x").0).collect();
        // What it names has another size, or is missing; a link stands for it.
        let (action, cut) = entry(&from, 1000, "whole");
        fs::write(from.join("00").join(format!("{cut}-d")), "cut").unwrap();
        actions.push(action);
        let (action, missing) = entry(&from, 1001, "y");
        fs::remove_file(from.join("00").join(format!("{missing}-d"))).unwrap();
        actions.push(action);
        let (action, linked) = entry(&from, 1002, "secret");
        let linked = from.join("00").join(format!("{linked}-d"));
        fs::rename(&linked, outside.join("secret")).unwrap();
        symlink(outside.join("secret"), &linked).unwrap();
        actions.push(action);
        // Another project's.
        entry(&from, 2000, "private");
        let seed = Seed {
            from,
            to: to.clone(),
            stamp: "stamp".into(),
            entries: actions,
        };
        fill(&seed);
        let count = fs::read_dir(to.join("00")).unwrap().count();
        assert_eq!(count, 6);
        assert!(to.join("stamp").exists());
        // A program of an earlier run has put a link in the place of a folder.
        fs::remove_dir_all(&to).unwrap();
        fs::create_dir(&to).unwrap();
        symlink(&outside, to.join("00")).unwrap();
        fill(&seed);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(!to.join("stamp").exists());
    }
}
