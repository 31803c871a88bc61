//! The C compiler's part in the go command's environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::Session;
use super::Prepared;
use crate::go::environment::Environment;
use crate::go::quoted;
use crate::plan::compiler::{COMPILER_VARIABLE, Part};
use crate::plan::own::OwnFiles;
use crate::refusal::{Code, Refused};

/// What steers C compilers and the tools beside them: go has its own defaults instead.
const STEERS: [&str; 7] = [
    "AR",
    "CC",
    "CXX",
    "FC",
    "GCCGO",
    "GO_EXTLINK_ENABLED",
    "PKG_CONFIG",
];

/// Whether a variable steers a C compiler, or what go hands it.
pub(in crate::run) fn steers(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    STEERS.iter().any(|known| known.as_bytes() == name) || name.starts_with(b"CGO_")
}

/// What a run has to do with cgo, which is off in most.
pub(super) struct Cgo {
    /// Whether go sees packages as with it, to list them.
    pub shows: bool,
    /// What a C compiler is for.
    pub part: Option<Part>,
}

impl Cgo {
    pub fn of(session: &Session<'_>) -> Cgo {
        Cgo {
            shows: false,
            part: session.compiler.map(|_| Part::Compiles),
        }
    }
}

impl Prepared<'_> {
    /// Has the launcher stand in for the C compiler.
    pub fn set_compiler(&mut self, part: Part) {
        self.cgo.part = Some(part);
    }

    /// The folder in which the go command finds who stands in for it.
    pub(super) fn compiler_folder(&self, own: &OwnFiles) -> Option<PathBuf> {
        self.cgo.part.as_ref()?.folder(own)
    }

    /// Has go use cgo, and find the compiler, or who stands in for it.
    pub(super) fn add_compiler(
        &self,
        made: &mut Environment,
        own: &OwnFiles,
    ) -> anyhow::Result<()> {
        let Some(part) = &self.cgo.part else {
            return Ok(());
        };
        if matches!(part, Part::StandsIn { .. }) && part.folder(own).is_none() {
            let text = "cannot prepare -race: there is no folder that only the caller can change, for the name by which go \
                        calls a C compiler";
            return Err(Refused::new(Code::RaceUnavailable, text)
                .option("--cache-dir /var/tmp/gosandbox-cache")
                .into());
        }
        made.pairs.retain(|(name, _)| !steers(name));
        let mut set = |name: &str, value: OsString| {
            made.pairs.retain(|(known, _)| known != name);
            made.pairs.push((name.into(), value));
        };
        set("CGO_ENABLED", "1".into());
        match part {
            Part::Compiles => {
                let compiler = self.session.compiler.unwrap_or(Path::new(""));
                set("CC", compiler.file_name().unwrap_or_default().into());
                let mut path = compiler.parent().unwrap_or(compiler).as_os_str().to_owned();
                path.push(":/usr/bin:/bin");
                set("PATH", path);
            }
            Part::StandsIn { stand_in, .. } => {
                let said = serde_json::to_string(stand_in)
                    .context("cannot write down what the C compiler has said")?;
                set(COMPILER_VARIABLE, said.into());
                set("CC", stand_in.name.clone().into());
            }
        }
        let path = made.pairs.iter_mut().find(|(name, _)| name == "PATH");
        if let (Some((_, path)), Some(folder)) = (path, part.folder(own)) {
            let mut longer = folder.into_os_string();
            longer.push(":");
            longer.push(&path);
            *path = longer;
        }
        made.pairs.sort();
        Ok(())
    }
}

/// Takes from the environment of programs what [`Prepared::add_compiler`] has put into the go command's: what they build
/// is built without cgo.
pub(in crate::run) fn take_back(programs: &mut BTreeMap<OsString, OsString>, folder: &Path) {
    programs.remove(OsStr::new(COMPILER_VARIABLE));
    programs.remove(OsStr::new("CC"));
    programs.insert("CGO_ENABLED".into(), "0".into());
    if let Some(path) = programs.get_mut(OsStr::new("PATH")) {
        let rest: Vec<_> = std::env::split_paths(path)
            .filter(|entry| entry != folder)
            .collect();
        // They were joined before.
        *path = std::env::join_paths(rest).unwrap_or_default();
    }
    if let Some(flags) = programs.get_mut(OsStr::new("GOFLAGS")) {
        let words = quoted::split(&flags.to_string_lossy()).unwrap_or_default();
        let is_race = |word: &String| {
            let word = word.trim_start_matches('-');
            word == "race" || word.starts_with("race=")
        };
        let rest: Vec<String> = words.into_iter().filter(|word| !is_race(word)).collect();
        // They were quoted before.
        *flags = quoted::join(&rest).unwrap_or_default().into();
    }
}
