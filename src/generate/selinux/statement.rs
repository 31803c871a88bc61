//! The statements of a policy, before they are written in one of its two languages.

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A comment of one line.
    Comment(&'static str),
    /// A type of our own, with the system's attributes that it has.
    Type(&'static str, &'static [&'static str]),
    /// A switch, and whether it is on.
    Boolean(&'static str, bool),
    /// A role that a domain may be entered in.
    Role(&'static str, &'static str),
    /// A permission: source, target (`self` too), class, permissions.
    Allow(
        &'static str,
        &'static str,
        &'static str,
        &'static [&'static str],
    ),
    /// What never may be, checked when the module is built.
    Never(&'static str, Target, &'static str, &'static [&'static str]),
    /// Which domain a program is executed in.
    Domain(&'static str, &'static str, &'static str),
    /// The type of a new file: source, folder, class, type.
    New(&'static str, &'static str, &'static str, &'static str),
    /// The type of a new file of a name: source, folder, class, name, type.
    Named(
        &'static str,
        &'static str,
        &'static str,
        String,
        &'static str,
    ),
    /// Statements that hold where a switch is on.
    If(&'static str, Vec<Statement>),
    /// Statements that are left out where the system's policy does not have what they name; with a
    /// name of their own.
    Optional(&'static str, Vec<Statement>),
}

/// Whom a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A type of our own.
    Type(&'static str),
    /// A domain itself.
    Itself,
    /// Every type but these.
    AllBut(&'static [&'static str]),
}
