//! docs/toolchains.md. `tests/network` (`loose`, `toolchain`) and `src/go/select` hold it.

use crate::examples::hold;

const PAGE: &str = "docs/toolchains.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}
