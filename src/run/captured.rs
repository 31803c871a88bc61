//! What an errand prints, kept from the caller's terminal.

use std::fs::File;
use std::io::{Read, Seek};

use anyhow::Context as _;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};

/// How it has ended, and what was printed.
pub(super) struct Captured {
    /// The exit status.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs something whose standard output and error go to files in memory meanwhile. What is no UTF-8 is replaced.
///
/// # Errors
/// It cannot be started, or there are no such files.
pub(super) fn captured(run: impl FnOnce() -> anyhow::Result<i32>) -> anyhow::Result<Captured> {
    let file = |name| {
        let made = memfd_create(name, MemfdFlags::CLOEXEC);
        made.map(File::from).context("make a file in memory")
    };
    let (mut out, mut error) = (file(c"errand-output")?, file(c"errand-errors")?);
    let saved = (rustix::io::dup(stdout())?, rustix::io::dup(stderr())?);
    dup2_stdout(&out)?;
    dup2_stderr(&error)?;
    let ended = run();
    dup2_stdout(&saved.0)?;
    dup2_stderr(&saved.1)?;
    let status = ended?;
    Ok(Captured {
        status,
        stdout: text(&mut out)?,
        stderr: text(&mut error)?,
    })
}

fn text(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
