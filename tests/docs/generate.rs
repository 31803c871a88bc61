//! docs/generate.md. `tests/compat` (`programs`) holds which programs a directive finds.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/generate.md");
}
