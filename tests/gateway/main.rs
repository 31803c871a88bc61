//! The module gateway, from both sides: what goes in by raw sockets and by the go command run bare,
//! what comes out at a proxy and a checksum database of the tests' own.

#![allow(clippy::unwrap_used)]

mod database;
mod deadlines;
mod golang;
mod inside;
mod modules;
mod protocol;
mod proxy;
#[path = "../reachable/mod.rs"]
mod reachable;
mod rules;
mod sums;
mod trust;
mod tunnels;
mod upstreams;
mod way_out;
