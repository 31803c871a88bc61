//! What programs may write in the work tree, and what becomes of their changes.

use serde::{Deserialize, Serialize};

/// Which files code of the source may write in the work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeAccess {
    /// Nothing.
    Read,
    /// Only the `testdata` folder of the package under test.
    Testdata,
    /// All of it, less the protected paths.
    Write,
}

impl TreeAccess {
    /// Every access, the tightest first.
    pub const ALL: [TreeAccess; 3] = [TreeAccess::Read, TreeAccess::Testdata, TreeAccess::Write];

    /// The word used in profiles, reports and messages.
    pub fn word(self) -> &'static str {
        match self {
            TreeAccess::Read => "read",
            TreeAccess::Testdata => "testdata",
            TreeAccess::Write => "write",
        }
    }
}

/// What becomes of the changes that programs make to the work tree.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Staging {
    /// They are dropped.
    Discard,
    /// They stay staged until somebody applies them.
    Review,
    /// They are applied when every process has ended, except refused ones.
    #[default]
    Apply,
    /// Nothing is staged: programs write the live work tree, except protected paths.
    Direct,
}

impl Staging {
    /// Every value, the tightest first.
    pub const ALL: [Staging; 4] = [
        Staging::Discard,
        Staging::Review,
        Staging::Apply,
        Staging::Direct,
    ];

    /// The word used in profiles, `--stage`, reports and messages.
    pub fn word(self) -> &'static str {
        match self {
            Staging::Discard => "discard",
            Staging::Review => "review",
            Staging::Apply => "apply",
            Staging::Direct => "direct",
        }
    }
}

/// What runs code of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runs {
    /// `go test`.
    Test,
    /// `go run`.
    Run,
    /// `go generate`.
    Generate,
    /// Any other command, `go tool` of the source's own tools among them.
    Command,
}

impl Runs {
    /// All of them.
    pub const ALL: [Runs; 4] = [Runs::Test, Runs::Run, Runs::Generate, Runs::Command];

    /// The word used in profiles.
    pub fn word(self) -> &'static str {
        match self {
            Runs::Test => "test",
            Runs::Run => "run",
            Runs::Generate => "generate",
            Runs::Command => "command",
        }
    }
}
