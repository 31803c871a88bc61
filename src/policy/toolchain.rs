//! Which Go may run.

use serde::{Deserialize, Serialize};

/// Which Go may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Toolchain {
    /// What happens with a Go that other users could change.
    pub loose: Loose,
}

/// What happens with a Go that other users could change.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Loose {
    /// It does not run.
    #[default]
    Refuse,
    /// A private copy of it runs, if it is the published one.
    Verify,
    /// It runs as it is.
    Allow,
}

impl Loose {
    /// Every value, the tightest first.
    pub const ALL: [Loose; 3] = [Loose::Refuse, Loose::Verify, Loose::Allow];

    /// The word used in profiles, reports and messages.
    pub fn word(self) -> &'static str {
        match self {
            Loose::Refuse => "refuse",
            Loose::Verify => "verify",
            Loose::Allow => "allow",
        }
    }
}
