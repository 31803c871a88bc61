//! Everything gosandbox knows about the go command, as values.
//!
//! Toolchains, workspaces, flags, the environment and what each subcommand fetches, runs and
//! writes. Nothing here prints, and nothing here runs the go command: what a repository or a
//! `PATH` says is read and judged, never executed.

pub mod cgo;
pub mod command;
pub mod directives;
pub mod dirhash;
pub mod environment;
pub mod flags;
pub mod goenv;
pub mod goflags;
pub mod hooks;
pub mod missing;
pub mod modfile;
pub mod quoted;
pub mod race;
pub mod redact;
pub mod release;
pub mod select;
pub mod sumdb;
pub mod toolchain;
pub mod toolflags;
pub mod trust;
pub mod vcs;
pub mod version;
pub mod workspace;

mod flag_error;
mod gitconfig;
mod gitdirs;
mod gitkeys;
pub mod gitlinked;
pub mod gitsettings;
mod gitwords;
mod outputs;
mod refusals;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::files::look;

/// What is in a plain file of a sensible size. Names that a repository or a variable has chosen may lead to a
/// FIFO, whose other end nobody opens, or to `/dev/zero`.
pub(crate) fn read_plain(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    read_opened(look::open(path)?, largest)
}

fn read_opened(file: File, largest: u64) -> io::Result<Vec<u8>> {
    let found = file.metadata()?;
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    if found.len() > largest {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut content = Vec::new();
    file.take(largest).read_to_end(&mut content)?;
    Ok(content)
}

/// The same of a path in which no link is followed: the file that is read is the one that was named.
pub(crate) fn read_in_place(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    read_opened(look::open_in_place(path)?, largest)
}

/// The largest file of the go command's own (go.mod, go.sum, `go env -w`) that is read.
const LARGEST: u64 = 16 << 20;

/// As [`crate::text::visible`], owned.
pub(crate) fn visible(text: &str) -> String {
    crate::text::visible(text).into_owned()
}

/// `path` as [`visible`] text.
pub(crate) fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy())
}

/// Go's name for the architecture this launcher was built for.
pub const fn host_arch() -> &'static str {
    match std::env::consts::ARCH.as_bytes() {
        b"x86_64" => "amd64",
        b"aarch64" => "arm64",
        b"x86" => "386",
        b"loongarch64" => "loong64",
        b"powerpc64" => "ppc64le",
        _ => std::env::consts::ARCH,
    }
}

#[cfg(test)]
mod real;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_and_what_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).expect("a FIFO");
        assert!(read_plain(&fifo, 9).is_err());
        assert!(read_plain(Path::new("/dev/zero"), 9).is_err());
        assert!(read_plain(folder.path(), 9).is_err());
        let file = folder.path().join("file");
        std::fs::write(&file, "0123456789").expect("a file");
        assert!(read_plain(&file, 9).is_err());
        assert_eq!(read_plain(&file, 10).expect("read"), b"0123456789");
    }
}
