//! Differences between staged files and the work tree, for a reader.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{self, Mode, OFlags};
use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::change::{Dropped, Entry, Kind, Verdict, What, path};
use super::error::Error;
use super::folders::{self, Folders};
use super::journal::Journal;
use super::{Changes, Stage, owner};

/// Files that are larger are not compared line by line.
const LARGEST: u64 = 256 << 10;
/// All differences together have at most so many bytes.
const MOST: usize = 4 << 20;
/// Lines that are shown around a difference.
const CONTEXT: usize = 3;

/// How a file differs from the work tree's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Diff {
    /// In the format of `diff -u`. It holds whatever the program wrote.
    Text(String),
    /// One of the files is no text.
    Binary,
    /// A file is too large, or enough is shown already.
    TooLarge,
    /// A file cannot be read.
    Unreadable(String),
}

impl Stage {
    /// The changes, and how files differ from the work tree's. Files of refused folders are among
    /// them.
    ///
    /// # Errors
    /// Where the stage or the work tree cannot be read.
    pub fn differences(&self) -> Result<(Changes, Vec<(super::Change, Diff)>), Error> {
        if self.is_untouched()? {
            return Ok((Changes::default(), Vec::new()));
        }
        let journal = self.journal()?;
        let (changes, diffs) = owner::as_user(self.record().identity, || {
            let changes = self.listed(&journal)?;
            let diffs = diffs(&changes, self.upper.as_fd(), self.tree.as_fd(), &journal);
            Ok((changes, diffs))
        })?;
        let shown = diffs.into_iter();
        let shown = shown
            .map(|(index, diff)| (changes.change(index), diff))
            .collect();
        Ok((changes, shown))
    }
}

fn diffs(
    changes: &Changes,
    upper: BorrowedFd<'_>,
    tree: BorrowedFd<'_>,
    journal: &Journal,
) -> Vec<(u32, Diff)> {
    let entries = changes.entries.as_slice();
    let mut upper = Folders::of_stage(upper, journal);
    let mut tree = Folders::of_tree(tree);
    let mut shown = 0;
    let is_shown = |entry: &Entry| {
        let is_content = matches!(
            entry.what,
            What::Added | What::Modified | What::Replaced | What::Deleted
        );
        entry.kind == Kind::File
            && is_content
            && !matches!(entry.verdict, Verdict::Drop(Dropped::Equal))
    };
    let mut diffs = Vec::new();
    let listed = changes.ordered();
    for index in listed.filter(|index| is_shown(&entries[*index as usize])) {
        if shown > MOST {
            diffs.push((index, Diff::TooLarge));
            continue;
        }
        let diff = one(entries, index, &mut upper, &mut tree, journal);
        let diff = diff.unwrap_or_else(|error| Diff::Unreadable(error.to_string()));
        if let Diff::Text(text) = &diff {
            shown += text.len();
        }
        diffs.push((index, diff));
    }
    diffs
}

fn one(
    entries: &[Entry],
    index: u32,
    upper: &mut Folders<'_>,
    tree: &mut Folders<'_>,
    journal: &Journal,
) -> io::Result<Diff> {
    let entry = &entries[index as usize];
    let old = match entry.real {
        Some(Kind::File) => {
            let folder = tree.at(entries, entry.parent)?;
            Some(read(real_file(folder, &entry.name)?)?)
        }
        _ => None,
    };
    let new = match entry.what {
        What::Deleted => None,
        _ => {
            let folder = upper.at(entries, entry.parent)?;
            Some(read(folders::staged_file(journal, folder, &entry.name)?)?)
        }
    };
    let text = |side: &Option<Option<Vec<u8>>>| match side {
        None => Ok(String::new()),
        Some(None) => Err(Diff::TooLarge),
        Some(Some(bytes)) if bytes.contains(&0) => Err(Diff::Binary),
        Some(Some(bytes)) => String::from_utf8(bytes.clone()).map_err(|_| Diff::Binary),
    };
    let (before, after) = match (text(&old), text(&new)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(diff), _) | (_, Err(diff)) => return Ok(diff),
    };
    let path = path(entries, index);
    let header = |side: &Option<_>, letter: char| match side {
        Some(_) => format!("{letter}/{}", path.display()),
        None => "/dev/null".to_owned(),
    };
    let mut config = TextDiff::configure();
    config.timeout(Duration::from_millis(500));
    let compared = config.diff_lines(&before, &after);
    let mut unified = compared.unified_diff();
    unified.context_radius(CONTEXT);
    // A line break in a name must not look like a line of the difference.
    let shown = |name: String| crate::text::visible(&name).into_owned();
    unified.header(&shown(header(&old, 'a')), &shown(header(&new, 'b')));
    Ok(Diff::Text(unified.to_string()))
}

fn real_file(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(fs::openat(folder, name, flags, Mode::empty())?)
}

/// The content of a file that is not too large.
fn read(file: OwnedFd) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    File::from(file)
        .take(LARGEST + 1)
        .read_to_end(&mut content)?;
    Ok((content.len() as u64 <= LARGEST).then_some(content))
}
