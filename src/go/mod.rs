//! Everything gosandbox knows about the go command, as values.
//!
//! Toolchains, workspaces, flags, the environment and what each subcommand fetches, runs and
//! writes. Nothing here prints, and nothing here runs the go command: what a repository or a
//! `PATH` says is read and judged, never executed.

pub mod command;
pub mod dirhash;
pub mod environment;
pub mod flags;
pub mod goenv;
pub mod goflags;
pub mod hooks;
pub mod missing;
pub mod modfile;
pub mod quoted;
pub mod select;
pub mod toolchain;
pub mod toolflags;
pub mod trust;
pub mod vcs;
pub mod version;
pub mod workspace;

mod gitconfig;
mod outputs;

use std::path::Path;

/// As [`crate::text::visible`], owned.
pub(crate) fn visible(text: &str) -> String {
    crate::text::visible(text).into_owned()
}

/// `path` as [`visible`] text.
pub(crate) fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy())
}

/// Go's name for the architecture this launcher was built for.
pub const fn host_arch() -> &'static str {
    match std::env::consts::ARCH.as_bytes() {
        b"x86_64" => "amd64",
        b"aarch64" => "arm64",
        b"x86" => "386",
        b"loongarch64" => "loong64",
        b"powerpc64" => "ppc64le",
        _ => std::env::consts::ARCH,
    }
}

#[cfg(test)]
mod real;
