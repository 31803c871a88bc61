//! gosandbox runs the go command, and what it builds, in a cage.
//!
//! One way through the code: argv ([`cli`]) → [`run`] → [`profile`] → [`policy`] → [`plan`] → [`enforce`]
//! → exec. Nothing flows back. `policy` imports nothing of the rest, only `enforce` and `launch`
//! see `sys`, nobody imports `cli`; `tests/layout` holds this.
//!
//! | room | what it holds |
//! |---|---|
//! | [`cli`] | a file a subcommand; the only code that prints |
//! | [`profile`] | TOML: schema, loading, merging, the built-in profiles |
//! | [`policy`] | the resolved rules as pure data: files, network, system calls, environment, limits |
//! | [`host`] | what this kernel and account offer, probed once |
//! | [`grants`] | policy + places → who may touch what, derived once |
//! | [`go`] | toolchain, workspace, environment, command table |
//! | [`plan`] | policy + host + toolchain → ordered steps |
//! | [`enforce`] | one file a layer; its `mod.rs` is the order |
//! | [`notify`] | the supervisor of notified calls, where there are no user namespaces |
//! | [`generate`] | what deployments load: AppArmor, SELinux, from the same policy |
//! | [`gateway`] | the module gateway and the tunnel: the side that faces the sandbox |
//! | `web` | the outer side of the gateway: upstreams, TLS, proxies, credentials |
//! | [`run`] | one run as a library: from what is asked for to how it has ended |
//! | [`launch`] | fork, init, signals, exit status, the `-exec` wrapper |

#[forbid(unsafe_code)]
pub mod audit;
#[forbid(unsafe_code)]
pub mod changes;
#[forbid(unsafe_code)]
pub mod cli;
#[forbid(unsafe_code)]
pub mod enforce;
#[forbid(unsafe_code)]
pub mod files;
#[forbid(unsafe_code)]
pub mod finding;
#[forbid(unsafe_code)]
pub mod gateway;
#[forbid(unsafe_code)]
pub mod generate;
#[forbid(unsafe_code)]
pub mod go;
#[forbid(unsafe_code)]
pub mod grants;
#[forbid(unsafe_code)]
pub mod host;
#[forbid(unsafe_code)]
pub mod launch;
#[forbid(unsafe_code)]
pub mod notify;
#[forbid(unsafe_code)]
mod paths;
#[forbid(unsafe_code)]
pub mod plan;
#[forbid(unsafe_code)]
pub mod policy;
#[forbid(unsafe_code)]
pub mod profile;
#[forbid(unsafe_code)]
pub mod record;
#[forbid(unsafe_code)]
pub mod refusal;
#[forbid(unsafe_code)]
pub mod run;
/// The tests' one definition of a skip.
#[cfg(test)]
#[forbid(unsafe_code)]
#[path = "../tests/support/skip.rs"]
mod skip;
mod sys;
#[forbid(unsafe_code)]
mod text;
#[forbid(unsafe_code)]
mod web;
