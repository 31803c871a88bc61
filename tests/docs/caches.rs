//! docs/caches.md. `tests/caches` holds what it says is removed, and what stays.

use gosandbox::run::cache::Kind;

use crate::examples::{hold, text};

const PAGE: &str = "docs/caches.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn every_kind_is_on_the_page() {
    let page = text(PAGE);
    for kind in Kind::ALL {
        let word = format!("`{}`", kind.word());
        assert!(page.contains(&word), "{word} is not on the page");
    }
}
