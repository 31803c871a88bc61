//! Flags that are not let through: all of a command line at once.

use thiserror::Error;

use super::visible;

/// Flags that are not let through.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("cannot pass flags of {place} to go: {}", all(refused))]
pub struct FlagError {
    /// Where they were given: `the command line`, `GOFLAGS`.
    pub place: String,
    /// Each of them.
    pub refused: Vec<RefusedFlag>,
}

/// One flag that is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFlag {
    /// The flag, as `-name` or `-name=value`.
    pub flag: String,
    /// What it does.
    pub why: String,
    /// What to do instead.
    pub instead: Instead,
}

/// What to do instead of giving a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Leave it out, or have the profile allow it.
    Allow,
    /// Something else that does the same, or have the profile allow it.
    AllowOr(&'static str),
    /// Have the profile allow the race detector.
    Race,
    /// Something else. No profile allows it.
    Only(&'static str),
}

impl RefusedFlag {
    /// The name as a profile lists it.
    pub(super) fn name(&self) -> &str {
        match self.flag.as_str() {
            // Other values of it need no leave.
            "-mod=mod" => &self.flag,
            flag => flag.split('=').next().unwrap_or(flag),
        }
    }
}

fn all(refused: &[RefusedFlag]) -> String {
    let each = refused.iter().map(|one| {
        let RefusedFlag { flag, why, .. } = one;
        format!("{} {why}", visible(flag))
    });
    each.collect::<Vec<_>>().join("; ")
}
