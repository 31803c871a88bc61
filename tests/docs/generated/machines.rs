//! docs/generated/machines.md. `tests/vm/run` writes it.

use crate::examples::hold;

const PAGE: &str = "docs/generated/machines.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
