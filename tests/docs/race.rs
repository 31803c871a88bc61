//! docs/race.md. `tests/race` holds it.

use crate::examples::hold;

#[test]
fn what_it_shows_holds() {
    hold("docs/race.md");
}
