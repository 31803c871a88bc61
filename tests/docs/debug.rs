//! docs/debug.md. `tests/debug` holds it.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/debug.md");
}
