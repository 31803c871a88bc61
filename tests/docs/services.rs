//! docs/services.md. `tests/services` holds it.

use crate::examples::hold;

const PAGE: &str = "docs/services.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
