//! The exit statuses of a run, as help and the documentation list them.

/// Exit statuses, and what they mean.
pub const STATUSES: [(&str, &str); 5] = [
    ("N", "the command's own exit status"),
    ("128+N", "the command was ended by signal N"),
    ("125", "gosandbox refused or failed"),
    ("126", "the command cannot be executed"),
    ("127", "the command was not found"),
];
