//! The page and the table say the same.

use gosandbox::finding::FindingCode;
use gosandbox::refusal::Code;

use crate::support::checkout;

/// A page's sections: a code, and the text below it in one line.
fn sections(page: &str) -> Vec<(String, String)> {
    let page = std::fs::read_to_string(checkout().join(page)).unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    for line in page.lines() {
        match (line.strip_prefix("### "), found.last_mut()) {
            (Some(code), _) => found.push((code.to_owned(), String::new())),
            (None, Some((_, text))) => text.push_str(&format!("{line} ")),
            (None, None) => {}
        }
    }
    found
}

#[test]
fn every_code_has_a_section_and_every_section_a_code() {
    let on_page: Vec<String> = sections("docs/refusals.md")
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    let in_table = Code::ALL.map(|code| code.word().to_owned());
    assert_eq!(on_page, in_table);
}

#[test]
fn every_finding_has_a_section_and_every_section_a_finding() {
    let on_page = sections("docs/findings.md").into_iter();
    let on_page: Vec<String> = on_page.map(|(code, _)| code).collect();
    let in_table = FindingCode::ALL.iter().map(|code| code.word());
    assert!(on_page.iter().eq(in_table), "{on_page:?}");
}

#[test]
fn each_section_says_what_the_table_says() {
    for (word, text) in sections("docs/refusals.md") {
        let code = Code::of_word(&word).unwrap();
        let meaning = code.meaning().to_lowercase();
        assert!(text.to_lowercase().contains(&meaning), "{word}: {text}");
        assert!(text.contains(code.remedy()), "{word}: {text}");
    }
}
