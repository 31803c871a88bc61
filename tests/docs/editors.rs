//! docs/editors.md. `tests/shim` holds what it says.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/editors.md");
}
