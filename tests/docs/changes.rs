//! docs/changes.md. `tests/changes` holds what is applied and refused, `tests/staged` what programs of a run see and leave.

use crate::examples::hold;

const PAGE: &str = "docs/changes.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
