//! docs/network.md. `tests/network` holds it.

use crate::examples::hold;

const PAGE: &str = "docs/network.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
