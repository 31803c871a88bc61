//! docs/deploy/auto.md. `tests/vm/run` installs and takes back.

use crate::examples::hold;

const PAGE: &str = "docs/deploy/auto.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
