//! docs/ci.md. `tests/ci` holds what it says.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/ci.md");
}
