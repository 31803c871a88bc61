//! docs/life-cycle.md. `tests/lifecycle` holds signals, job control and the end of a run, `tests/look` the look after it.

use crate::examples::hold;

const PAGE: &str = "docs/life-cycle.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
