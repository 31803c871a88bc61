//! docs/deploy/systemd.md. `tests/formats` has systemd judge the unit.

use super::made;
use crate::examples::hold;

const PAGE: &str = "docs/deploy/systemd.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn its_format_is_made() {
    made(PAGE, "systemd");
}
