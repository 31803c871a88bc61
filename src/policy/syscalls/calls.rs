//! The names of Linux's system calls, with their numbers on each architecture: the type.
//!
//! `call_table` holds the names and numbers.

use super::Arch;
use super::call_table::with_calls;

macro_rules! number {
    (_) => {
        None
    };
    ($number:literal) => {
        Some($number)
    };
}

macro_rules! calls {
    ($($name:ident $x86_64:tt $aarch64:tt;)*) => {
        /// A system call, by the kernel's name for it.
        #[allow(missing_docs, non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Call {
            $($name,)*
        }

        impl Call {
            /// Every call, in the order of x86-64's numbers.
            pub const ALL: &'static [Call] = &[$(Call::$name,)*];

            /// The kernel's name of the call.
            pub fn name(self) -> &'static str {
                const NAMES: &[&str] = &[$(stringify!($name),)*];
                NAMES[self as usize]
            }

            /// The call's number; `None` where the architecture does not have it.
            pub fn number(self, arch: Arch) -> Option<u32> {
                const X86_64: &[Option<u32>] = &[$(number!($x86_64),)*];
                const AARCH64: &[Option<u32>] = &[$(number!($aarch64),)*];
                match arch {
                    Arch::X86_64 => X86_64[self as usize],
                    Arch::Aarch64 => AARCH64[self as usize],
                }
            }
        }
    };
}

with_calls!(calls);
