//! Where a run's own folders lie in its view: launcher, wrapper and generated profiles name the same places.

/// Where the sandbox keeps its own files inside.
pub const OWN_FOLDER: &str = "/run/gosandbox";

/// The place of a cache that a run does without. Nothing is ever there.
pub const NO_CACHE: &str = "/run/gosandbox/no-cache";

/// The mount that has HOME, the temporary folder and `$WORK`: link(2) and rename(2) work within one mount only.
/// Its name is short, since the path of a unix socket has 107 bytes at most.
pub const OWN_MOUNT: &str = "/run/box";

/// go's `$WORK`, the temporary folder and HOME of programs, in [`OWN_MOUNT`].
pub const OF_PROGRAMS: [&str; 3] = ["work", "tmp", "home"];

/// HOME of the go command and its tools: in [`OWN_FOLDER`], or in the run's folder on disk where there is no view.
pub const TOOL_HOME: &str = "tool-home";

/// What a go command that programs start reads as its settings: `.config/go` of HOME is a link to it. A link in HOME costs
/// less than folders and a file, which lie on disk.
pub const SETTINGS: &str = "/run/gosandbox/config";

/// The launcher in [`OWN_FOLDER`], as the `-exec` wrapper.
pub const WRAPPER: &str = "gosandbox";

/// The folder in [`OWN_FOLDER`] in which go finds what stands in for a C compiler.
pub const COMPILER: &str = "compiler";

/// Name of the file that tells the wrapper what to do.
pub const PROGRAM_PLAN: &str = "program.json";
