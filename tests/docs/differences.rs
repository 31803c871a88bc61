//! docs/differences.md. `tests/compat` and `tests/std.sh` hold that everything else is as without gosandbox.

use crate::examples::hold;

const PAGE: &str = "docs/differences.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
