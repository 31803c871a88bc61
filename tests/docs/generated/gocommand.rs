//! docs/generated/gocommand.md. `tests/gocommand/run` writes it.

use crate::examples::hold;

const PAGE: &str = "docs/generated/gocommand.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
