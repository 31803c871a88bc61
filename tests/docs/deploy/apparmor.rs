//! docs/deploy/apparmor.md. `tests/generate` holds what the profile grants, `tests/vm/run` loads it.

use super::made;
use crate::examples::hold;

const PAGE: &str = "docs/deploy/apparmor.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn its_format_is_made() {
    made(PAGE, "apparmor");
}
