//! The work tree's own `.gosandbox.toml`. It comes with the source, so that it can be hostile.

use std::io::ErrorKind::{NotADirectory, NotFound};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::Error;
use super::load::{self, Identity, opened};
use super::parse::Document;
use crate::files::look;

/// The name of the file in a work tree that tightens the profile.
pub const TREE_FILE: &str = ".gosandbox.toml";

/// Whether the work tree has such a file, or something else in its place. A socket is none: it stands
/// there while a run lasts in a tree that has no such file, so that none can be made. Where nobody can tell, there may be
/// one that tightens the profile.
pub(super) fn is_there(folder: &Path) -> bool {
    match look::symlink_metadata(folder.join(TREE_FILE)) {
        Ok(found) => !found.file_type().is_socket(),
        Err(error) => !matches!(error.kind(), NotFound | NotADirectory),
    }
}

/// Reads the work tree's file, unless there is none or it is the profile itself.
///
/// A symbolic link is refused: it could show, in an error, a file that is not the repository's.
pub(super) fn read(folder: &Path, profile: Option<Identity>) -> Result<Option<Document>, Error> {
    if !is_there(folder) {
        return Ok(None);
    }
    let path = folder.join(TREE_FILE);
    let Some(file) = opened(&path, look::open_unlinked(&path))? else {
        return Ok(None);
    };
    let (document, identity) = load::read(&path, file)?;
    Ok((profile != Some(identity)).then_some(document))
}
