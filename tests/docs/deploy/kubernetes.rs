//! docs/deploy/kubernetes.md. `tests/formats` holds the admission policy, `tests/cluster/run` follows the page.

use super::made;
use crate::examples::hold;

const PAGE: &str = "docs/deploy/kubernetes.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn its_format_is_made() {
    made(PAGE, "kubernetes");
}
