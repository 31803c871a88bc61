//! docs/deploy/selinux.md. `tests/generate` compiles the policy, `tests/vm/run` loads it.

use super::made;
use crate::examples::hold;

const PAGE: &str = "docs/deploy/selinux.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn its_format_is_made() {
    made(PAGE, "selinux");
}
