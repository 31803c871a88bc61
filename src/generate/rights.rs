//! What a rule lets its subject do.

use crate::policy::Access;

/// What may be done; combined by [`Rights::and`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rights(u8);

impl Rights {
    /// Nothing.
    pub const NONE: Rights = Rights(0);
    /// Read files.
    pub const READ: Rights = Rights(1);
    /// List folders.
    pub const LIST: Rights = Rights(2);
    /// Write to files that are there.
    pub const WRITE: Rights = Rights(4);
    /// Make files and folders.
    pub const CREATE: Rights = Rights(8);
    /// Delete and rename.
    pub const DELETE: Rights = Rights(16);
    /// Execute.
    pub const EXEC: Rights = Rights(32);
    /// Map with PROT_EXEC.
    pub const MAP: Rights = Rights(64);
    /// Read and list.
    pub const LOOK: Rights = Rights(1 | 2);
    /// All that changes files.
    pub const CHANGE: Rights = Rights(4 | 8 | 16);

    /// Both.
    pub const fn and(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// These, less `other`.
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is among them.
    pub const fn meets(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }
}

impl From<Access> for Rights {
    fn from(access: Access) -> Rights {
        let execute = Rights::EXEC.and(Rights::MAP);
        match access {
            Access::List => Rights::LIST,
            Access::Read => Rights::LOOK,
            Access::Execute => Rights::LOOK.and(execute),
            Access::Write => Rights::LOOK.and(Rights::CHANGE),
            Access::WriteExecute => Rights::LOOK.and(Rights::CHANGE).and(execute),
        }
    }
}
