//! What is said where the program itself is wrong, in each of its processes.

use std::panic;
use std::process;

use super::REFUSED;

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
        super::print_error(&anyhow::anyhow!(
            "internal error at {}: {cause}; this is a fault of gosandbox's own, please report it",
            place.unwrap_or_default()
        ));
        process::exit(i32::from(REFUSED));
    }));
}
