//! docs/profiles.md.

use crate::examples::{examples, gosandbox, hold, text};

const PAGE: &str = "docs/profiles.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn built_in_profiles_are_on_the_page_and_an_unknown_key_is_refused_with_its_line() {
    let folder = examples();
    let page = text(PAGE);
    for profile in ["strict", "ci", "dev", "airgap"] {
        assert!(page.contains(&format!("`{profile}`")), "{profile}");
        let words = ["policy", "show", "-C", "hello", "--profile", profile];
        assert!(
            gosandbox(folder.path(), &words).status.success(),
            "{profile}"
        );
    }
    std::fs::write(
        folder.path().join("p.toml"),
        "extends = \"strict\"\n\n[file]\n",
    )
    .unwrap();
    let words = ["policy", "show", "-C", "hello", "--profile", "./p.toml"];
    let ended = gosandbox(folder.path(), &words);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        !ended.status.success() && said.contains("p.toml:3"),
        "{said}"
    );
}
