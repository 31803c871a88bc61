//! docs/refusals.md and the table of codes: each code has a section, is reached by a test, and
//! what its `help:` lines say works.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod help;
mod keys;
mod page;
mod rare;
mod reached;
mod scenes;
