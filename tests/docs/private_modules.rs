//! docs/private-modules.md. `tests/private` holds what is fetched, from where, and what is told to nobody.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/private-modules.md");
}
