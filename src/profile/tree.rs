//! The work tree's own `.gosandbox.toml`. It comes with the source, so that it can be hostile.

use std::path::Path;

use super::Error;
use super::load::{self, Identity, open};
use super::parse::Document;

/// The name of the file in a work tree that tightens the profile.
pub const TREE_FILE: &str = ".gosandbox.toml";

/// Reads the work tree's file, unless there is none or it is the profile itself.
///
/// A symbolic link is refused: it could show, in an error, a file that is not the repository's.
pub(super) fn read(folder: &Path, profile: Option<Identity>) -> Result<Option<Document>, Error> {
    let path = folder.join(TREE_FILE);
    let Some(file) = open(&path, rustix::fs::OFlags::NOFOLLOW.bits())? else {
        return Ok(None);
    };
    let (document, identity) = load::read(&path, file)?;
    Ok((profile != Some(identity)).then_some(document))
}
