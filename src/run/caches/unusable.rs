//! Caches that cannot be had: which commands do without them, and what the go command is told of them.

use std::ffi::OsString;

use super::super::what::What;
use crate::go::command::Programs;
use crate::policy::Cage;
use crate::refusal::Refused;

/// Why a cache cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Cause {
    /// go refuses what the variable says (`GOCACHE=off`, a relative path), where it needs the cache.
    Setting,
    /// No variable names it, and no home is known.
    NoPlace,
    /// It cannot be made, or not be reached.
    Unmade,
}

/// A cache that cannot be had.
#[derive(Clone, Debug)]
pub(in crate::run) struct Unusable {
    /// The variable that names it; empty for the programs' own.
    pub name: &'static str,
    pub cause: Cause,
    /// What the variable says.
    pub value: OsString,
    /// The refusal of what cannot do without it.
    pub refused: Refused,
}

impl Unusable {
    pub fn new(cause: Cause, value: OsString, refused: Refused) -> Unusable {
        Unusable {
            name: "",
            cause,
            value,
            refused,
        }
    }

    /// Whether a command cannot do without it, and go would not say so in words that help as much.
    fn is_needed(&self, what: &What) -> bool {
        let go = match what {
            What::Go(go) if go.cage == Cage::Tool => go,
            What::Gofmt => return false,
            _ => return true,
        };
        match (self.name, self.cause) {
            ("", _) => go.programs != Programs::None,
            // A relative path would be go's to remove, and it is the launcher that does so.
            ("GOMODCACHE", _) if go.cleans_modules.is_some() => true,
            (_, Cause::Setting) => false,
            ("GOPATH", _) => go.subcommand == "install",
            ("GOMODCACHE", Cause::NoPlace) => false,
            _ => go.fetches,
        }
    }
}

/// Whether a command can do without the caches that cannot be had.
///
/// # Errors
/// It needs one of them.
pub(super) fn check(unusable: &[Unusable], what: &What) -> anyhow::Result<()> {
    match unusable.iter().find(|one| one.is_needed(what)) {
        Some(one) => Err(one.refused.clone().into()),
        None => Ok(()),
    }
}
