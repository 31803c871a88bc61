//! Go's own tools, and what each go command does.

/// Tools that are Go's own; `go tool` runs them from GOROOT or builds them from GOROOT's source. Where a
/// release has none of that name, go takes a module's: [`super::is_own_tool`].
pub const OWN_TOOLS: &[&str] = &[
    "addr2line",
    "asm",
    "buildid",
    "cgo",
    "compile",
    "covdata",
    "cover",
    "dist",
    "distpack",
    "doc",
    "fix",
    "link",
    "nm",
    "objdump",
    "pack",
    "pprof",
    "preprofile",
    "test2json",
    "trace",
    "vet",
];

/// Variables that no `go env -w` sets.
pub(super) const FIXED: [&str; 12] = [
    "GODEBUG",
    "GOENV",
    "GOEXE",
    "GOGCCFLAGS",
    "GOHOSTARCH",
    "GOHOSTOS",
    "GOMOD",
    "GOTELEMETRY",
    "GOTELEMETRYDIR",
    "GOTOOLDIR",
    "GOVERSION",
    "GOWORK",
];

/// What the go command calls its commands (`go help`), without `help`.
pub const COMMANDS: [&str; 19] = [
    "bug",
    "build",
    "clean",
    "doc",
    "env",
    "fix",
    "fmt",
    "generate",
    "get",
    "install",
    "list",
    "mod",
    "run",
    "telemetry",
    "test",
    "tool",
    "version",
    "vet",
    "work",
];

/// What the commands of these names do.
pub(super) struct Row {
    pub(super) names: &'static [&'static str],
    pub(super) fetches: bool,
    pub(super) writes_tree: bool,
    pub(super) stamps: bool,
}

/// What is not listed fetches, writes and stamps nothing.
pub(super) const TABLE: &[Row] = &[
    Row {
        names: &["build", "install"],
        fetches: true,
        writes_tree: true,
        stamps: true,
    },
    Row {
        names: &["list"],
        fetches: true,
        writes_tree: false,
        stamps: true,
    },
    Row {
        names: &["run", "test", "vet"],
        fetches: true,
        writes_tree: false,
        stamps: false,
    },
    Row {
        names: &["tool"],
        fetches: true,
        writes_tree: false,
        stamps: false,
    },
    Row {
        names: &["doc", "mod graph", "mod why"],
        fetches: true,
        writes_tree: false,
        stamps: false,
    },
    Row {
        names: &["generate", "get", "fix", "fmt", "clean"],
        fetches: true,
        writes_tree: true,
        stamps: false,
    },
    Row {
        names: &["mod download", "mod tidy", "mod vendor", "mod verify"],
        fetches: true,
        writes_tree: true,
        stamps: false,
    },
    Row {
        names: &["work sync", "work use", "work vendor"],
        fetches: true,
        writes_tree: true,
        stamps: false,
    },
    Row {
        names: &["mod edit", "mod init", "work edit", "work init"],
        fetches: false,
        writes_tree: true,
        stamps: false,
    },
];
