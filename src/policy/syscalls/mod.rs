//! The system calls of the two cages, as pure data: which are answered, which are refused and how.
//!
//! A [`Table`] holds a [`Verdict`] a call; [`table`] makes it for a cage and for what is at hand
//! ([`Options`]). [`rows`] is what holds everywhere, [`arguments`] the checks on arguments,
//! [`cages`] what differs. A call that nobody names is answered with ENOSYS, as by a kernel that
//! does not know it, so that callers fall back; what is known and forbidden gets EPERM.

use serde::{Deserialize, Serialize};

pub use calls::Call;

pub mod arguments;
pub mod cages;
mod call_table;
mod calls;
pub mod rows;

use super::Cage;

/// A machine's system call convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// 64-bit x86; x32 and i386 programs are not among it.
    X86_64,
    /// 64-bit ARM; 32-bit ARM programs are not among it.
    Aarch64,
}

impl Arch {
    /// The architecture this program was built for, if there is a table for it.
    pub const HOST: Option<Arch> = if cfg!(target_arch = "x86_64") {
        Some(Arch::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Arch::Aarch64)
    } else {
        None
    };
}

/// What the kernel does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The call goes on.
    Allow,
    /// The call fails with this error number.
    Errno(u16),
    /// The supervisor decides, and performs the call itself.
    Notify,
}

/// How much of an argument register the kernel looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// The low half, as for an `int`: the kernel ignores the high one, so a check that compared
    /// it could be passed by setting a bit there (CVE-2019-10063).
    Int,
    /// All of it, as for a `long` or a pointer.
    Long,
}

/// A test of one argument: whether, of the bits in `mask`, it equals one of `values`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// Which argument, from 0.
    pub argument: u8,
    /// How much of it counts.
    pub width: Width,
    /// The bits that count.
    pub mask: u64,
    /// The values looked for.
    pub values: &'static [u64],
    /// Whether the test holds when none of the values is found, rather than when one is.
    pub negated: bool,
}

/// Holds when the `int` in `argument` is one of `values`.
pub const fn int(argument: u8, values: &'static [u64]) -> Test {
    masked(argument, u32::MAX as u64, values)
}

/// Holds when the `int` in `argument`, of the bits in `mask`, is one of `values`.
pub const fn masked(argument: u8, mask: u64, values: &'static [u64]) -> Test {
    Test {
        argument,
        width: Width::Int,
        mask,
        values,
        negated: false,
    }
}

/// Holds when the `int` in `argument` has any of the bits in `mask`.
pub const fn any_bit(argument: u8, mask: u64) -> Test {
    Test {
        negated: true,
        ..masked(argument, mask, &[0])
    }
}

/// Holds when the whole register of `argument` is one of `values`.
pub const fn long(argument: u8, values: &'static [u64]) -> Test {
    Test {
        width: Width::Long,
        mask: u64::MAX,
        ..int(argument, values)
    }
}

impl Test {
    /// Whether the test holds for these arguments.
    pub fn holds(&self, arguments: &[u64; 6]) -> bool {
        let register = arguments[usize::from(self.argument)];
        let seen = match self.width {
            Width::Int => register & u64::from(u32::MAX),
            Width::Long => register,
        };
        self.values.contains(&(seen & self.mask)) != self.negated
    }
}

/// An action that applies where every test holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// All of these must hold.
    pub tests: &'static [Test],
    /// What is done then.
    pub action: Action,
}

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same whatever the arguments are; the kernel caches an `Allow` of this kind.
    Always(Action),
    /// The first clause that applies decides.
    Checked {
        /// Tried in this order.
        clauses: &'static [Clause],
        /// What is done where none applies.
        otherwise: Action,
    },
}

impl Verdict {
    /// The action for a call with these arguments.
    pub fn decide(&self, arguments: &[u64; 6]) -> Action {
        match self {
            Verdict::Always(action) => *action,
            Verdict::Checked { clauses, otherwise } => clauses
                .iter()
                .find(|clause| clause.tests.iter().all(|test| test.holds(arguments)))
                .map_or(*otherwise, |clause| clause.action),
        }
    }
}

/// The network that a cage's sockets see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A net namespace of its own: internet sockets reach nothing but its loopback.
    Namespace,
    /// The host's, so that internet sockets are refused.
    None,
    /// The host's, and the supervisor decides about every socket.
    Notify,
}

/// Whom a signal sent inside can reach, apart from what the filter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signals {
    /// Only processes inside: Landlock scopes signals, or nothing outside shares the group.
    Scoped,
    /// Through `kill(0, …)` the caller's process group: that one is refused.
    Group,
    /// Any process of the same user: the supervisor decides.
    Notify,
}

/// What is at hand where a filter is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Options {
    /// Whether the `-exec` wrapper, in the tool cage, makes namespaces for the program.
    pub nesting: bool,
    /// The network.
    pub network: Network,
    /// Whether datagram internet sockets are answered like stream ones, or refused.
    pub udp: bool,
    /// Whom signals reach.
    pub signals: Signals,
    /// Whether there is a pid namespace of its own.
    pub pid_namespace: bool,
    /// Whether there is an ipc namespace of its own.
    pub ipc_namespace: bool,
    /// Whether programs may trace others. Which ones, user namespaces and Landlock decide: a process of the same
    /// domain, so that neither the go command nor init nor another program of the wrapper's is among them.
    pub debug: bool,
}

impl Options {
    /// Where there are no namespaces, and a supervisor decides in their place.
    pub const SUPERVISED: Options = Options {
        nesting: false,
        network: Network::Notify,
        udp: true,
        signals: Signals::Notify,
        pid_namespace: false,
        ipc_namespace: false,
        debug: false,
    };
}

/// A verdict for every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    verdicts: [Verdict; Call::ALL.len()],
}

impl Table {
    /// What is done with a call that has no name here.
    pub const UNKNOWN: Action = Action::Errno(libc::ENOSYS as u16);

    /// What is done with this call.
    pub fn verdict(&self, call: Call) -> &Verdict {
        &self.verdicts[call as usize]
    }

    /// Whether any call is handed to the supervisor.
    pub fn notifies(&self) -> bool {
        self.verdicts.iter().any(|verdict| match verdict {
            Verdict::Always(action) => *action == Action::Notify,
            Verdict::Checked { clauses, otherwise } => {
                *otherwise == Action::Notify || clauses.iter().any(|c| c.action == Action::Notify)
            }
        })
    }
}

/// The table of a cage, given what is at hand.
pub fn table(cage: Cage, options: &Options) -> Table {
    let mut table = Table {
        verdicts: rows::EVERYWHERE,
    };
    for (call, verdict) in cages::differences(cage, options) {
        table.verdicts[call as usize] = verdict;
    }
    table
}
