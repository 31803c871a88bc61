//! What help and the documentation list beside options and subcommands.

/// Subcommands of the contract that this version does not have.
pub const LATER: [&str; 6] = ["bundle", "explain", "goroot", "learn", "scan", "verify"];

/// Exit statuses, and what they mean.
pub const STATUSES: [(&str, &str); 5] = [
    ("N", "the command's own exit status"),
    ("128+N", "the command was ended by signal N"),
    ("125", "gosandbox refused or failed"),
    ("126", "the command cannot be executed"),
    ("127", "the command was not found"),
];
