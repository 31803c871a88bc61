//! What other sandboxes got wrong: every attack is made from a Go test, a `go run` program, a
//! `go generate` command and a plain command, in every environment, and bare, where it must succeed.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod decoys;
mod table;
mod tokens;

mod arguments;
mod between;
mod caches;
mod cgo;
mod contained;
mod disk;
mod exchanges;
mod granted;
mod grants;
mod hostile;
mod in_force;
mod inputs;
mod linked;
mod links;
mod litter;
mod looked_up;
mod names;
mod outputs;
mod races;
mod readers;
mod reports;
mod repositories;
mod stamping;
mod streams;
mod supervisor;
mod windows;
mod work_tree;
