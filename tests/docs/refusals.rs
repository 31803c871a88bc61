//! docs/refusals.md. `tests/refusals` holds that every code is described.

use crate::examples::hold;

const PAGE: &str = "docs/refusals.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
