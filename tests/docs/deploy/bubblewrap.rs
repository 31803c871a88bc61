//! docs/deploy/bubblewrap.md. `tests/formats` builds with the script.

use super::made;
use crate::examples::hold;

const PAGE: &str = "docs/deploy/bubblewrap.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn its_format_is_made() {
    made(PAGE, "bwrap");
}
