//! What is known of Go's own packages in a build cache: that they are compiled, and what the compiler has said of itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::Project;
use super::super::plan::Prepared;
use super::super::verify::Record;
use super::compiler::{Compiler, fingerprint};
use crate::files::look;
use crate::go::toolchain::Toolchain;
use crate::plan::compiler::Answer;

/// What is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// The compiler's fingerprint, and that of the go command.
    pub made_by: (String, String),
    /// What the compiler has said.
    pub answers: Vec<Answer>,
    /// Its library.
    pub library: Option<PathBuf>,
    /// Files in the build cache without which a package would be compiled again.
    pub files: Vec<PathBuf>,
}

/// Where it is kept.
pub(super) struct Place(Record);

impl Place {
    /// `None` where nothing can be kept.
    pub fn open(
        project: &Project<'_>,
        prepared: &Prepared<'_>,
        toolchain: &Toolchain,
        compiler: &Compiler,
        words: &[OsString],
    ) -> Option<Place> {
        let session = project.session;
        let targets = session.environment.iter().filter(|(name, _)| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"GO") && name != b"GOFLAGS"
        });
        let of = (
            (&toolchain.goroot, prepared.build_cache(), &compiler.name),
            (
                words,
                targets.collect::<Vec<_>>(),
                prepared.who().identity.uid,
            ),
        );
        let about = format!("{of:?}");
        Record::of(session, "race", about.as_bytes(), &project.workspace.root).map(Place)
    }

    /// What is known, if it is still so.
    pub fn read(&self, uid: u32, compiler: &Compiler, toolchain: &Toolchain) -> Option<Known> {
        let known: Known = serde_json::from_str(&self.0.read(uid)?).ok()?;
        let is_same = known.made_by == made_by(compiler, toolchain).ok()?;
        let are_there = known.files.iter().all(look::exists);
        (is_same && are_there && !known.files.is_empty()).then_some(known)
    }

    /// Keeps it. Without it the packages are looked at again.
    pub fn write(&self, known: &Known) {
        if let Ok(text) = serde_json::to_string(known) {
            let _written = self.0.write(&text);
        }
    }

    /// Forgets it.
    pub fn forget(&self) {
        self.write(&Known::default());
    }
}

/// Which compiler and which go command.
pub(super) fn made_by(
    compiler: &Compiler,
    toolchain: &Toolchain,
) -> anyhow::Result<(String, String)> {
    let go = fingerprint(&toolchain.on_disk().go)?;
    Ok((compiler.fingerprint.clone(), go))
}

/// The files of an entry of a build cache: the package, and by whose name it is found.
pub(super) fn files(entry: &str, file: &Path) -> Option<Vec<PathBuf>> {
    let cache = file.parent()?.parent()?;
    let folder = cache.join(entry.get(..2)?);
    let named = look::read_dir(&folder).ok()?.into_iter().find(|found| {
        let name = found.file_name();
        let name = name.to_string_lossy();
        name.starts_with(entry) && name.ends_with("-a")
    })?;
    Some(vec![named.path(), file.to_owned()])
}
