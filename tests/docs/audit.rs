//! docs/audit.md. `tests/audit` holds what is found and what is put right.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/audit.md");
}
