//! docs/glossary.md.

use crate::examples::{hold, text};

const PAGE: &str = "docs/glossary.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn words_stand_once_each_in_order() {
    let text = text(PAGE);
    let lines = text.lines().filter_map(|line| line.strip_prefix("| "));
    let words: Vec<&str> = lines
        .skip(1)
        .map(|line| line.split(" | ").next().unwrap())
        .collect();
    assert!(words.len() > 20, "{words:?}");
    assert!(words.is_sorted_by(|one, next| one < next), "{words:?}");
}
