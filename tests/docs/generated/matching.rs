//! docs/generated/matching.md. `tests/generate` compares it with the formats.

use crate::examples::hold;

const PAGE: &str = "docs/generated/matching.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
