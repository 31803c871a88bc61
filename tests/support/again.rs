//! Starting a test binary again, for what must happen in a process of its own.
#![allow(dead_code)]

use std::path::Path;
use std::process::Command;

/// Runs one ignored test of an executable, in a process with no other test.
pub fn again(executable: &Path, test: &str) -> Command {
    let mut command = Command::new(executable);
    command.args([
        "--exact",
        "--ignored",
        test,
        "--nocapture",
        "--test-threads=1",
    ]);
    command
}
