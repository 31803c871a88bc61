//! docs/protected.md. `tests/changes` and `tests/look` hold that the names are not written.

use crate::examples::{examples, gosandbox, hold};

const PAGE: &str = "docs/protected.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn names_of_version_control_cannot_be_removed() {
    let folder = examples();
    for name in [".git", ".hg", ".gosandbox.toml"] {
        let text = format!("extends = \"dev\"\n[files]\nprotected = {{ remove = [{name:?}] }}\n");
        std::fs::write(folder.path().join("p.toml"), text).unwrap();
        let words = ["policy", "show", "-C", "hello", "--profile", "./p.toml"];
        let ended = gosandbox(folder.path(), &words);
        assert!(!ended.status.success(), "{name}: {ended:?}");
    }
}
