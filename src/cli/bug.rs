//! What is said where the program itself is wrong, in each of its processes.

use std::panic;
use std::process;

use super::REFUSED;
use crate::refusal::{Code, Refused};

/// Ends the process at the first panic, with a message and the status of a refusal. A signal, which is the default, does not
/// end pid 1 of a pid namespace under a tracer, and says nothing of gosandbox.
pub fn ends_the_process() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let payload = info.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let cause = text
            .or(payload.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        let text = format!(
            "cannot go on: internal error at {}: {cause}",
            place.unwrap_or_default()
        );
        super::terminal::refused(&Refused::new(Code::InternalError, text), &[]);
        process::exit(i32::from(REFUSED));
    }));
}
