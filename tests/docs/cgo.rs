//! docs/cgo.md. `tests/attacks` (`cgo`) holds which builds are told about.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/cgo.md");
}
