//! Parses, calls, exits. Without the standard library's start-up, which would change how SIGPIPE is
//! handled and cost more than all that is done here.
#![no_main]

use std::ffi::{c_char, c_int};

/// The C library's entry; `std::env::args_os` knows the arguments without these.
#[allow(unsafe_code)]
// SAFETY: no other item of this name exists: `#![no_main]` leaves the symbol to this crate.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    gosandbox::cli::bug::ends_the_process();
    c_int::from(gosandbox::cli::main(std::env::args_os().skip(1)))
}
