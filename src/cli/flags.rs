//! The table of options and subcommands. Parsing, help, the manual page, completions and the test
//! of docs/command-line.md all read it, so that they cannot disagree.

/// What an option means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the table says what each is
pub enum Id {
    Profile,
    Directory,
    ReadOnly,
    ReadWrite,
    AllowHost,
    AllowProgram,
    Service,
    Publish,
    Env,
    User,
    CacheDir,
    Goroot,
    Timeout,
    Memory,
    Pids,
    Require,
    BestEffort,
    DryRun,
    Report,
    AuditLog,
    Stage,
    All,
    Older,
    Project,
    Json,
    FailOn,
    Baseline,
    WriteBaseline,
    Fix,
    Undo,
    Output,
    Mode,
    Form,
    Install,
    Uninstall,
    Verbose,
    Quiet,
    Help,
    Version,
}

pub mod place;
mod subs;
mod words;

use place::*;
pub use subs::{SUBS, Sub};
pub use words::{LATER, STATUSES};

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// What it means.
    pub id: Id,
    /// Its long name, without dashes; empty for `-C`.
    pub long: &'static str,
    /// Its short name.
    pub short: Option<char>,
    /// What its value is called, if it takes one.
    pub value: Option<&'static str>,
    /// Whether it may be given more than once.
    pub repeats: bool,
    /// The forms of the command line that it goes with.
    pub place: u32,
    /// What it does, in one line.
    pub help: &'static str,
}

impl Flag {
    /// The name as it is shown: `--profile`, or `-C`.
    pub fn shown(&self) -> String {
        match self.short {
            Some(short) if self.long.is_empty() => format!("-{short}"),
            _ => format!("--{}", self.long),
        }
    }
}

const fn flag(id: Id, long: &'static str, place: u32, help: &'static str) -> Flag {
    Flag {
        id,
        long,
        short: None,
        value: None,
        repeats: false,
        place,
        help,
    }
}

impl Flag {
    const fn short(mut self, short: char) -> Flag {
        self.short = Some(short);
        self
    }

    const fn takes(mut self, value: &'static str) -> Flag {
        self.value = Some(value);
        self
    }

    const fn many(mut self) -> Flag {
        self.repeats = true;
        self
    }
}

/// Every option.
pub const FLAGS: [Flag; 39] = [
    flag(
        Id::Profile,
        "profile",
        RULES | SHIM_INSTALL,
        "Use this profile: strict (the default), ci, dev, airgap, a name of your own, or a file",
    )
    .takes("NAME|FILE"),
    flag(
        Id::Directory,
        "",
        RULES | ADVICE | UNINSTALL | CHANGES_HERE | INIT | AUDIT,
        "Run in this folder",
    )
        .short('C')
        .takes("DIR"),
    flag(
        Id::ReadOnly,
        "ro",
        RULES,
        "Let both cages read this file or folder",
    )
    .takes("PATH")
    .many(),
    flag(
        Id::ReadWrite,
        "rw",
        RULES,
        "Let both cages write this file or folder",
    )
    .takes("PATH")
    .many(),
    flag(
        Id::AllowHost,
        "allow-host",
        RULES,
        "Let the go command reach this host by name",
    )
    .takes("HOST[:PORT]")
    .many(),
    flag(
        Id::AllowProgram,
        "allow-program",
        RULES,
        "Let programs execute this one, by its name or path",
    )
    .takes("NAME|PATH")
    .many(),
    flag(
        Id::Service,
        "service",
        RULES,
        "Let programs reach this port of the host's loopback, or of that host",
    )
    .takes("[HOST:]PORT")
    .many(),
    flag(
        Id::Publish,
        "publish",
        RULES,
        "Show the host this port of a program on its own loopback",
    )
    .takes("PORT")
    .many(),
    flag(Id::Env, "env", RULES, "Pass a variable on, or set it")
        .takes("NAME[=VALUE]")
        .many(),
    flag(Id::User, "user", RULES, "As root: run as this user").takes("USER[:GROUP]"),
    flag(
        Id::CacheDir,
        "cache-dir",
        SITE | CACHE,
        "Keep GOCACHE and GOMODCACHE in this folder",
    )
    .takes("DIR"),
    flag(
        Id::Goroot,
        "goroot",
        SITE | SHIM_INSTALL,
        "Use the toolchain in this folder",
    )
    .takes("DIR"),
    flag(
        Id::Stage,
        "stage",
        RULES,
        "What becomes of changes that programs make in the work tree",
    )
    .takes("apply|review|discard|direct"),
    flag(
        Id::Timeout,
        "timeout",
        RULES,
        "End everything inside after this time, such as 10m",
    )
    .takes("DURATION"),
    flag(
        Id::Memory,
        "memory",
        RULES,
        "Limit the memory of everything inside, such as 4GiB",
    )
    .takes("SIZE"),
    flag(
        Id::Pids,
        "pids",
        RULES,
        "Limit the number of processes and threads inside",
    )
    .takes("N"),
    flag(
        Id::Require,
        "require",
        RULES,
        "Refuse to run without this layer",
    )
    .takes("LAYER")
    .many(),
    flag(
        Id::BestEffort,
        "best-effort",
        RULES,
        "Run where the host cannot hold a guarantee, and report it",
    ),
    flag(
        Id::DryRun,
        "dry-run",
        RUN | CACHE_CLEAN,
        "Print what would be done, and do nothing",
    ),
    flag(
        Id::Report,
        "report",
        RUN,
        "Write what was enforced to this file as JSON; with --dry-run, - is standard output",
    )
    .takes("FILE"),
    flag(
        Id::AuditLog,
        "audit-log",
        RUN,
        "Append refusals and fetched modules to this file as JSON lines",
    )
    .takes("FILE"),
    flag(
        Id::All,
        "all",
        CHANGES_ALL | CACHE_CLEAN,
        "With `changes drop`: drop those of every run; with `cache clean`: remove every cache of gosandbox's",
    ),
    flag(
        Id::Older,
        "older",
        CACHE_CLEAN,
        "With `cache clean`: remove what no run has used for this time too, such as 30d",
    )
    .takes("DURATION"),
    flag(
        Id::Project,
        "project",
        CACHE_CLEAN,
        "With `cache clean`: remove the cache of the project here, or in DIR, and nothing else",
    ),
    flag(Id::Json, "json", POLICY | DOCTOR | CHANGES | CACHE, "Print JSON"),
    flag(
        Id::FailOn,
        "fail-on",
        AUDIT,
        "End with status 1 where something is found that is so bad or worse: low, medium, high (the default), critical, never",
    )
    .takes("SEVERITY"),
    flag(
        Id::Baseline,
        "baseline",
        AUDIT,
        "Leave out what this file has, which --write-baseline wrote",
    )
    .takes("FILE"),
    flag(
        Id::WriteBaseline,
        "write-baseline",
        AUDIT,
        "Write what is found into this file, to be accepted from now on",
    )
    .takes("FILE"),
    flag(
        Id::Fix,
        "fix",
        AUDIT,
        "Put right what is safe to put right, and keep a copy of each file",
    ),
    flag(Id::Undo, "undo", AUDIT, "Take back what --fix did last"),
    flag(
        Id::Output,
        "output",
        PROFILE,
        "Write to this file, or every file of the format to this folder",
    )
    .short('o')
    .takes("FILE|DIR"),
    flag(
        Id::Mode,
        "mode",
        PROFILE | INSTALL,
        "Whether what is not granted is refused or only logged: enforce (the default) or complain",
    )
    .takes("enforce|complain"),
    flag(
        Id::Form,
        "format",
        PROFILE | INSTALL | CACHE | AUDIT | DOCTOR,
        "Another form of the format: te (selinux), attached (apparmor), bare (oci-seccomp), apparmor, selinux or plain (kubernetes); with `cache`, `audit` and `doctor`: human or json; with `audit` and `doctor`: sarif",
    )
    .takes("FORM"),
    flag(
        Id::Install,
        "install",
        INSTALL,
        "With `profile auto`, as root: load what this host's guard takes",
    ),
    flag(
        Id::Uninstall,
        "uninstall",
        UNINSTALL,
        "With `profile auto`, as root: take back what --install loaded",
    ),
    flag(Id::Verbose, "verbose", RUN, "Say by which rules, as whom, with which Go and caches the command runs")
        .short('v')
        .many(),
    flag(
        Id::Quiet,
        "quiet",
        SITE | UNINSTALL,
        "Print no warnings, only errors",
    )
    .short('q'),
    flag(Id::Help, "help", ALL, "Print help").short('h'),
    flag(Id::Version, "version", RUN, "Print the version").short('V'),
];

#[cfg(test)]
mod tests;
