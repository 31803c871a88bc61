//! Where the run's own folders lie.

use std::path::{Path, PathBuf};

use super::inputs::Project;
use crate::policy::places::{OF_PROGRAMS, OWN_FOLDER, OWN_MOUNT, TOOL_HOME, WRAPPER};
use crate::policy::{Cage, Files};

/// A file in [`OWN_FOLDER`] that everybody might read by its mode, and nobody is granted: that opening it is refused
/// shows that Landlock is in force.
pub const CLOSED_FILE: &str = "closed";

/// Where the temporary folder is found too: by programs that do not look at TMPDIR.
pub const USUAL_TMP: &str = "/tmp";

/// The root of programs that the `-exec` wrapper starts, in a folder that only the wrapper enters.
pub const PROGRAM_ROOT: &str = "/run/gosandbox/programs/root";

/// Where the run's own folders are, inside.
///
/// No grant may lie below a wider one: Landlock decides by the whole way up to the root, mount
/// points included, so what is writable stays writable below. HOME, `$WORK` and the temporary folder
/// therefore lie apart from everything that is bound at its own place, and beside each other in one mount.
#[derive(Clone, Debug)]
pub struct OwnFiles {
    /// Programs' temporary folder.
    pub tmp: PathBuf,
    /// Whether the view shows it at [`USUAL_TMP`] too.
    pub shows_tmp: bool,
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
        let (programs, own) = match view {
            true => (Path::new(OWN_MOUNT), Path::new(OWN_FOLDER)),
            false => (project.scratch.as_path(), project.scratch.as_path()),
        };
        let [work, tmp, home] = OF_PROGRAMS;
        OwnFiles {
            tmp: programs.join(tmp),
            shows_tmp: view && !grants_below_tmp(project, files),
            work: programs.join(work),
            home: programs.join(home),
            tool_home: own.join(TOOL_HOME),
            wrapper: view.then(|| own.join(WRAPPER)),
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

/// Whether something is granted that lies there.
fn grants_below_tmp(project: &Project, files: &Files) -> bool {
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
    let mut all = granted.into_iter().chain(named);
    all.any(|path| path.starts_with(USUAL_TMP))
}
