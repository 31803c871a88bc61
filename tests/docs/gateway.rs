//! docs/gateway.md. `tests/gateway` holds it.

use crate::examples::hold;

const PAGE: &str = "docs/gateway.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
