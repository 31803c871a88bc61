//! docs/limits.md. `tests/lifecycle` holds the limits of memory and processes.

use crate::examples::{examples, gosandbox, hold};

const PAGE: &str = "docs/limits.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn a_run_whose_time_runs_out_ends_as_the_page_says() {
    let folder = examples();
    let words = ["-C", "hello", "--timeout", "1s", "--", "sleep", "3600"];
    let ended = gosandbox(folder.path(), &words);
    assert_eq!(ended.status.code(), Some(137), "{ended:?}");
}
