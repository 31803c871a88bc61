//! The seccomp layer: a system call table compiled to classic BPF, and loaded.
//!
//! [`compile`] is pure; [`install`] confines the calling thread and everything it starts, for
//! good. The caller must have set `no_new_privs`, and must have one thread.

use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

pub use compile::compile;
pub use restrict::{is_in_force, restrict, restrict_further};

mod assemble;
mod compile;
#[cfg(test)]
mod judge;
mod restrict;

/// One instruction of classic BPF, laid out as the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// Instructions skipped where a comparison holds.
    pub jump_true: u8,
    /// Instructions skipped where it does not.
    pub jump_false: u8,
    /// Constant, offset or distance.
    pub constant: u32,
}

/// A filter ready to load. Serialised as one string of 16 hexadecimal digits an instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Program {
    instructions: Vec<Instruction>,
    notifies: bool,
}

/// A filter that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("cannot read seccomp filter: not a string of 16 hexadecimal digits an instruction")]
pub struct MalformedProgram;

/// A filter that cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The kernel refused it.
    #[error("cannot load seccomp filter of {instructions} instructions: {source}{hint}")]
    Load {
        /// Length of the filter.
        instructions: usize,
        /// What may help.
        hint: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A filter that hands calls to a supervisor came back without the descriptor for it.
    #[error("cannot load seccomp filter: the kernel returned no descriptor for notifications")]
    NoListener,
}

impl Program {
    /// The instructions, first to last.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Whether any call is handed to a supervisor, so that loading yields a descriptor.
    pub fn notifies(&self) -> bool {
        self.notifies
    }

    /// The same, for a process under a filter that hands these calls to a supervisor already: of two
    /// filters the stricter answer counts, and the kernel allows one supervisor (EBUSY).
    pub fn under_supervision(self) -> Program {
        let allow = |mut instruction: Instruction| {
            if is_notification(&instruction) {
                instruction.constant = libc::SECCOMP_RET_ALLOW;
            }
            instruction
        };
        Program::new(self.instructions.into_iter().map(allow).collect())
    }

    fn new(instructions: Vec<Instruction>) -> Program {
        let notifies = instructions.iter().any(is_notification);
        Program {
            instructions,
            notifies,
        }
    }
}

fn is_notification(instruction: &Instruction) -> bool {
    instruction.code == assemble::RETURN && instruction.constant == libc::SECCOMP_RET_USER_NOTIF
}

impl From<Program> for String {
    fn from(program: Program) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(program.instructions.len() * 16);
        for i in &program.instructions {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "{:04x}{:02x}{:02x}{:08x}",
                i.code, i.jump_true, i.jump_false, i.constant
            );
        }
        text
    }
}

impl TryFrom<String> for Program {
    type Error = MalformedProgram;

    fn try_from(text: String) -> Result<Program, MalformedProgram> {
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(16) || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(MalformedProgram);
        }
        let instruction = |chunk: &[u8]| {
            let text = std::str::from_utf8(chunk).ok()?;
            let word = u64::from_str_radix(text, 16).ok()?;
            Some(Instruction {
                code: (word >> 48) as u16,
                jump_true: (word >> 40) as u8,
                jump_false: (word >> 32) as u8,
                constant: word as u32,
            })
        };
        digits
            .chunks(16)
            .map(instruction)
            .collect::<Option<Vec<_>>>()
            .map(Program::new)
            .ok_or(MalformedProgram)
    }
}

/// Confines the calling thread, and all it starts from now on. Yields the descriptor on which a
/// supervisor receives notified calls, if the program has such calls.
pub fn install(program: &Program) -> Result<Option<OwnedFd>, InstallError> {
    let filter: Vec<libc::sock_filter> = program
        .instructions
        .iter()
        .map(|i| libc::sock_filter {
            code: i.code,
            jt: i.jump_true,
            jf: i.jump_false,
            k: i.constant,
        })
        .collect();
    let listener = load(&filter, program.notifies).map_err(|source| InstallError::Load {
        instructions: filter.len(),
        hint: hint(&source),
        source,
    })?;
    if program.notifies && listener.is_none() {
        return Err(InstallError::NoListener);
    }
    Ok(listener)
}

/// A call that the supervisor has received is not interrupted by a handled signal (Linux 5.19), or it
/// would be made, and be performed, a second time: Go's runtime signals its threads all the time.
fn load(filter: &[libc::sock_filter], notifies: bool) -> io::Result<Option<OwnedFd>> {
    const WAIT_KILLABLE_RECEIVED: libc::c_ulong = 1 << 5;
    if !notifies {
        return crate::sys::seccomp_load(filter, 0);
    }
    let listens = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    match crate::sys::seccomp_load(filter, listens | WAIT_KILLABLE_RECEIVED) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            crate::sys::seccomp_load(filter, listens)
        }
        loaded => loaded,
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EACCES) => "; no_new_privs must be set first",
        Some(libc::EBUSY) => "; another supervisor already answers this process's calls",
        Some(libc::EINVAL) => "; this needs a kernel with CONFIG_SECCOMP_FILTER",
        _ => "",
    }
}
