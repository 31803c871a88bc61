//! The life of a run, from outside: signals, job control, its end, its limits.
//!
//! Each behaviour is tried as an ordinary user and, where the tests run as root, as root too; with
//! namespaces and under a filter that refuses them, as a container's does.
#![allow(unsafe_code, missing_docs, clippy::unwrap_used)]

mod entrypoint;
mod jobs;
mod launch;
mod limits;
mod progress;
mod pty;
mod review;
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod survivors;

use support::reachable;
