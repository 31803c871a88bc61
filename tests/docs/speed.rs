//! docs/speed.md. The figures are those of one machine; the benchmarks are run by CI in short.

use crate::examples::{hold, root, text};

const PAGE: &str = "docs/speed.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn the_benchmarks_that_it_names_are_there() {
    let text = text(PAGE);
    let names: Vec<&str> = text
        .split("benches/")
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap()
        })
        .collect();
    assert!(!names.is_empty());
    for name in names {
        let benches = root().join("benches");
        let is_there = benches.join(name).exists() || benches.join(format!("{name}.rs")).exists();
        assert!(is_there, "benches/{name}");
    }
}
