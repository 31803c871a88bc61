//! Where the run's own folders lie.

use std::path::{Path, PathBuf};

use super::inputs::Project;
use crate::policy::{Cage, Files};

/// Where the sandbox keeps its own files inside.
pub const OWN_FOLDER: &str = "/run/gosandbox";

/// The root of programs that the `-exec` wrapper starts, in a folder that only the wrapper enters.
pub const PROGRAM_ROOT: &str = "/run/gosandbox/programs/root";

/// The part of it, and of the run's folder on disk where there is no view, that is [`OwnFiles::tool_home`].
pub const TOOL_HOME: &str = "tool-home";

/// Where the run's own folders are, inside.
///
/// No grant may lie below a wider one: Landlock decides by the whole way up to the root, mount
/// points included, so what is writable stays writable below. HOME, `$WORK` and the temporary folder
/// therefore lie apart from everything that is bound at its own place.
#[derive(Clone, Debug)]
pub struct OwnFiles {
    /// Programs' temporary folder.
    pub tmp: PathBuf,
    /// go's `$WORK`.
    pub work: PathBuf,
    /// Programs' HOME.
    pub home: PathBuf,
    /// HOME of the go command and its tools.
    pub tool_home: PathBuf,
    /// The launcher, to be used as `-exec` wrapper; `None` where it is used in its own place.
    pub wrapper: Option<PathBuf>,
}

impl OwnFiles {
    /// With a view they have fixed places, without they are where they are on disk.
    /// `files`: what is granted by name.
    pub fn new(view: bool, project: &Project, files: &Files) -> OwnFiles {
        let own = if view {
            Path::new(OWN_FOLDER)
        } else {
            &project.scratch
        };
        let granted = [
            &project.goroot,
            &project.gocache,
            &project.gomodcache,
            &project.program_cache,
        ];
        let named = project
            .tree
            .iter()
            .chain(&project.read)
            .chain(&project.write)
            .chain(&files.read)
            .chain(&files.write);
        let in_tmp = granted
            .into_iter()
            .chain(named)
            .any(|path| path.starts_with("/tmp"));
        OwnFiles {
            tmp: if view && !in_tmp {
                "/tmp".into()
            } else {
                own.join("tmp")
            },
            work: own.join("work"),
            home: own.join("home"),
            tool_home: own.join(TOOL_HOME),
            wrapper: view.then(|| own.join("gosandbox")),
        }
    }

    /// HOME and TMPDIR of a cage's processes. Those of the tool cage are where programs, which run beside them,
    /// cannot write: the go command keeps a compiler's arguments in its TMPDIR where they are long, and its
    /// tools write counters where HOME says.
    pub fn of_cage(&self, cage: Cage) -> (PathBuf, PathBuf) {
        match cage {
            Cage::Tool => (self.tool_home.clone(), self.work.clone()),
            Cage::Program => (self.home.clone(), self.tmp.clone()),
        }
    }
}
