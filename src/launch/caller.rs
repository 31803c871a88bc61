//! What the caller set for signals: kept from the launcher while it waits, handed on to the command.

use std::io;

use crate::sys::signal;

/// The caller's signal mask, and the one disposition that the launcher cannot wait with.
#[derive(Clone, Copy)]
pub struct Caller {
    mask: signal::Mask,
    ignores_children: bool,
}

impl Caller {
    /// Blocks every signal, for a descriptor to read them; all dispositions stay as they are, but
    /// that of SIGCHLD: with it ignored there would be no exit status (waitpid(2)).
    pub fn set_aside() -> io::Result<Caller> {
        let mask = signal::block_all()?;
        let ignores_children = signal::set_default(libc::SIGCHLD)?;
        Ok(Caller {
            mask,
            ignores_children,
        })
    }

    /// Whether the caller ignored SIGCHLD.
    pub fn ignores_children(&self) -> bool {
        self.ignores_children
    }

    /// Puts both back.
    pub fn restore(&self) -> io::Result<()> {
        if self.ignores_children {
            signal::ignore(libc::SIGCHLD)?;
        }
        signal::restore(&self.mask)
    }
}
