//! docs/command-line.md.

use crate::examples::{examples, gosandbox, hold, known_options, text};

const PAGE: &str = "docs/command-line.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn every_option_of_the_help_is_on_the_page() {
    let page = text(PAGE);
    let options = known_options();
    assert!(options.len() > 20, "{options:?}");
    for option in options {
        assert!(page.contains(&option), "{option} is not on the page");
    }
}

#[test]
fn exit_statuses_are_those_of_the_table() {
    let folder = examples();
    for (script, status) in [("exit 3", 3), ("kill -TERM $$", 128 + libc::SIGTERM)] {
        let words = ["-C", "hello", "--", "sh", "-c", script];
        let ended = gosandbox(folder.path(), &words);
        assert_eq!(ended.status.code(), Some(status), "{script}: {ended:?}");
    }
    for (words, status) in [
        (&["--nonsense", "--", "true"][..], 125),
        (&["--", "./go.mod"], 126),
        (&["--", "there-is-no-such-command"], 127),
    ] {
        let ended = gosandbox(folder.path(), &[&["-C", "hello"], words].concat());
        assert_eq!(ended.status.code(), Some(status), "{words:?}: {ended:?}");
    }
    let ended = gosandbox(folder.path(), &["doctor", "--profile", "ci"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
}
