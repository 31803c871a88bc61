//! docs/environments.md. `tests/attacks` runs in every environment, `tests/shared` and `tests/notify` where calls are
//! notified, `tests/vm/run` on other kernels.

use crate::examples::hold;

const PAGE: &str = "docs/environments.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
