//! docs/findings.md.

use crate::examples::hold;

const PAGE: &str = "docs/findings.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
