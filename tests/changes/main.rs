//! Changes of programs are staged by a real overlay, judged and applied.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod overlay;

mod command;
mod conflicts;
mod hostile;
mod identity;
mod kills;
mod marks;
mod moments;
mod property;
mod refused;
