//! gosandbox runs the go command, and what it builds, in a cage.
//!
//! One way through the code: argv ([`cli`]) → [`profile`] → [`policy`] → [`plan`] → [`enforce`]
//! → exec. Nothing flows back. `policy` imports nothing of the rest, only `enforce` and `launch`
//! see `sys`, nobody imports `cli`; `tests/layout` holds this.
//!
//! | room | what it holds |
//! |---|---|
//! | [`cli`] | a file a subcommand; the only code that prints |
//! | [`profile`] | TOML: schema, loading, merging, the built-in profiles |
//! | [`policy`] | the resolved rules as pure data: files, network, system calls, environment, limits |
//! | [`host`] | what this kernel and account offer, probed once |
//! | [`go`] | toolchain, workspace, environment, command table |
//! | [`plan`] | policy + host + toolchain → ordered steps |
//! | [`enforce`] | one file a layer; its `mod.rs` is the order |
//! | [`notify`] | the supervisor of notified calls, where there are no user namespaces |
//! | [`generate`] | what deployments load: AppArmor, SELinux, from the same policy |
//! | [`gateway`] | the module gateway and the tunnel: the side that faces the sandbox |
//! | `web` | the outer side of the gateway: upstreams, TLS, proxies, credentials |
//! | [`launch`] | fork, init, signals, exit status, the `-exec` wrapper |

pub mod changes;
pub mod cli;
pub mod enforce;
pub mod files;
pub mod gateway;
pub mod generate;
pub mod go;
pub mod host;
pub mod launch;
pub mod notify;
mod paths;
pub mod plan;
pub mod policy;
pub mod profile;
mod sys;
mod text;
mod web;
