//! The supervisor of notified calls, for hosts without user namespaces.
//!
//! It makes every socket for the processes inside, tied to the loopback device, keeps a duplicate,
//! and performs on the duplicate what takes an address: it reads the address once and never lets
//! a call with pointers go on by itself, so that nothing can be exchanged after the check. Where
//! it does not know, or fails, the call is refused. It runs as the sandbox's user in init, the
//! subreaper of everything inside, which nothing inside may signal or trace: the caller sees to that.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub use handover::Handover;
pub use supervisor::Supervisor;

mod address;
mod caller;
mod connect;
mod destination;
mod diag;
mod handover;
mod messages;
mod metadata;
mod names;
mod ports;
mod sending;
mod signals;
mod sockets;
mod supervisor;

/// What processes inside may do with notified calls.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Folders, without symbolic links in their paths, beneath which unix sockets may be made.
    pub socket_folders: Vec<PathBuf>,
    /// Paths beneath these, and beneath every `testdata`, in which they may not.
    pub protected: Vec<PathBuf>,
    /// Where the command, and what it starts without the wrapper, may change modes, owners and times.
    pub command_writes: Vec<PathBuf>,
    /// Where programs that the wrapper starts may.
    pub program_writes: Vec<PathBuf>,
    /// A folder in which those may beneath every `testdata`, too.
    pub testdata_in: Option<PathBuf>,
    /// How many filters the command has; whoever has more is a program.
    pub filters: u32,
    /// The gateway's port on the host's loopback, for the command and what it starts without the
    /// wrapper; programs do not reach it.
    pub gateway: Option<u16>,
    /// A port of the loopback that leads to the tunnel, unless somebody inside listens on it, and the port
    /// that this has.
    pub tunnel: Option<(u16, u16)>,
    /// Ports of the loopback that lead to services, unless somebody inside listens on them, and the ports at
    /// which the launcher listens for these. For programs alone.
    pub services: Vec<(u16, u16)>,
    /// Whether the command itself is a program.
    pub command_is_program: bool,
}

impl Rules {
    /// The same for a command that is under its filter now.
    fn of_command(self, process: i32) -> Rules {
        let filters = caller::status(process.cast_unsigned(), caller::FILTERS, 10);
        Rules {
            // A kernel that does not say: everything counts as a program.
            filters: filters.unwrap_or(0),
            ..self
        }
    }

    /// Whether modes, owners and times of this file, by its real path, may be changed.
    fn may_change(&self, path: &Path, is_program: bool) -> bool {
        let beneath = |folders: &[PathBuf]| folders.iter().any(|folder| path.starts_with(folder));
        if !is_program {
            return beneath(&self.command_writes);
        }
        let in_testdata = self.testdata_in.as_ref().is_some_and(|tree| {
            path.strip_prefix(tree)
                .is_ok_and(|rest| rest.components().any(|part| part.as_os_str() == "testdata"))
                && !beneath(&self.protected)
        });
        beneath(&self.program_writes) || in_testdata
    }
}

/// Why a supervisor ends before the last process inside does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The descriptor could not be handed from the sandbox to the supervisor.
    #[error("cannot hand over the seccomp listener: {0}")]
    Handover(#[source] std::io::Error),
    /// No address, path or message of a caller's could be read.
    #[error("cannot read the memory of a process inside: {0}")]
    Memory(#[source] std::io::Error),
    /// No further call can be received or answered.
    #[error("cannot {doing} notified calls: {source}; they are refused from now on")]
    Listener {
        /// What was being done.
        doing: &'static str,
        /// The kernel's reason.
        source: std::io::Error,
    },
}

/// An error number for the caller.
type Errno = i32;

/// The kernel's error number of a call that was performed for a caller; EPERM where there is none.
fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().unwrap_or(libc::EPERM)
}

/// A socket that was made for a process inside.
#[derive(Debug)]
struct Held {
    socket: OwnedFd,
    domain: i32,
    kind: i32,
}
