//! Modules that come from their own repositories, and modules that the caller's environment withholds. All
//! hosts are the tests' own, in a net namespace with a name server of its own.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code)]
#[path = "../network/apart.rs"]
mod apart;
mod direct;
#[allow(dead_code)]
#[path = "../network/dns.rs"]
mod dns;
#[allow(dead_code)]
#[path = "../gateway/proxy.rs"]
mod proxy;
mod server;
mod ssh;
mod withheld;

use support::write;
