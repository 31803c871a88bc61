use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::skip::{Lacks, skip};

type Pairs = Vec<(String, Option<Vec<u8>>)>;

fn read(text: &[u8]) -> Result<Pairs, usize> {
    let name = |it: &Setting| {
        let mut parts = vec![it.section.clone().into_bytes()];
        parts.extend((!it.subsection.is_empty()).then(|| it.subsection.clone()));
        parts.push(it.key.clone().into_bytes());
        String::from_utf8_lossy(&parts.join(&b'.')).into_owned()
    };
    let settings = parse(text)?;
    Ok(settings
        .iter()
        .map(|it| (name(it), it.value.clone()))
        .collect())
}

/// What git itself reads; `None` where it reads nothing for an error.
fn git(text: &[u8]) -> Option<Pairs> {
    let mut command = Command::new("git");
    command.args(["config", "--file", "-", "--list", "--null"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("git");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(text)
        .expect("written");
    let ended = child.wait_with_output().expect("ended");
    let pairs = ended
        .stdout
        .split(|byte| *byte == 0)
        .filter(|one| !one.is_empty());
    let pair = |one: &[u8]| match one.iter().position(|byte| *byte == b'\n') {
        Some(at) => (
            String::from_utf8_lossy(&one[..at]).into_owned(),
            Some(one[at + 1..].to_vec()),
        ),
        None => (String::from_utf8_lossy(one).into_owned(), None),
    };
    ended.status.success().then(|| pairs.map(pair).collect())
}

fn has_git() -> bool {
    let is_there = Command::new("git").arg("version").output().is_ok();
    if !is_there {
        skip(Lacks::Host, "git is not installed");
    }
    is_there
}

/// Before version 2.45 git reads a tab between words as a space. A setting before the first section has no dot.
fn comparable(pairs: Pairs) -> Pairs {
    let value = |value: Vec<u8>| {
        value
            .iter()
            .map(|b| if b"\t\r".contains(b) { b' ' } else { *b })
            .collect()
    };
    pairs
        .into_iter()
        .map(|(name, text)| (name.trim_start_matches('.').to_owned(), text.map(value)))
        .collect()
}

#[test]
fn sections_values_and_continuations_are_read() {
    let text = b"\xef\xbb\xbf[core]\r\n\tbare = false ; no\n\tFsMonitor\n[remote \"a \\\"b\"] url = \"x;y\" # c\n\
        [old.Sub]k=1\\\n 2\n[user]\nname = J\xfcrgen\n";
    let value = |v: &[u8]| Some(v.to_owned());
    assert_eq!(
        read(text),
        Ok(vec![
            ("core.bare".to_owned(), value(b"false")),
            ("core.fsmonitor".to_owned(), None),
            ("remote.a \"b.url".to_owned(), value(b"x;y")),
            ("old.sub.k".to_owned(), value(b"1 2")),
            ("user.name".to_owned(), value(b"J\xfcrgen")),
        ])
    );
}

#[test]
fn a_setting_knows_where_it_stands() {
    let text = b"[a] b = c\\\n d # e\r\n\tf\n[g]h=i";
    let spans = parse(text)
        .expect("read")
        .into_iter()
        .map(|it| &text[it.span]);
    let found: Vec<_> = spans.map(String::from_utf8_lossy).collect();
    assert_eq!(found, ["b = c\\\n d # e\r\n", "f\n", "h=i"]);
}

const TABLE: [&[u8]; 44] = [
    b"",
    b"x=1",
    b"[core]\n=1",
    b"[core\nx=1",
    b"[core]\nx=\"1",
    b"[core]\nx=\\q",
    b"[core]\nx y",
    b"[core]\nx # y",
    b"[core]\nx= # y",
    b"[core]\nx = a # y \\\nz = b",
    b"[core]\n# a \\\nx = b",
    b"[core]\nx = a \\",
    b"[core]\nx = a\\\n",
    b"[core]\nx = \"a\\\nb\"",
    b"[core]\nx = \"a\nb\"",
    b"[core]\nx = a\"b c\"d",
    b"[core]\nx = a \"\"",
    b"[core]\nx = \"\" a",
    b"[core]\nx = \" a \" ",
    b"[core]\nx = a;b",
    b"[core]\nx = \"a;b\"",
    b"[core]\nx = a\\tb\\nc\\\\\\\"\\b",
    b"[core]\nx = \xff\xfe",
    b"[core \"\xff\"]\nx = 1",
    b"[core]\n\xffx = 1",
    b"[core]\nx\xff = 1",
    b"\xef\xbb\xbf[core]\nx = 1",
    b"\xef\xbb[core]\nx = 1",
    b"[core]\nx = 1\r\ny = 2\r\n",
    b"[core]\rx = 1",
    b"[core]\nx = a\rb",
    b"[core]\x0bx = 1",
    b"[core]\nx = 1\x0b",
    b"[.a]\nx = 1",
    b"[a.B.c]\nx = 1",
    b"[a.B \"C\"]\nx = 1",
    b"[a \"b\" ]\nx = 1",
    b"[a  \t\"b\"]x = 1",
    b"[a \"b]\"]\nx = 1",
    b"[a \"b\\]\\\"\"]\nx = 1",
    b"[a \"b\\\nc\"]\nx = 1",
    b"[a_b]\nx = 1",
    b"[a]\n-x = 1\n",
    b"[a]\n1x = 1\n",
];

#[test]
fn a_table_of_texts_is_read_as_git_reads_it() {
    if !has_git() {
        return;
    }
    for text in TABLE {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(
            read(text).ok().map(comparable),
            git(text).map(comparable),
            "{shown:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_names_the_line() {
    for (text, line) in [
        (&b"[core]\n=1"[..], 2),
        (b"[core\nx=1", 2),
        (b"[core]\nx=\"1", 2),
        (b"[core]\n\nx=\\q", 3),
        (b"[core]\nx = a\0b", 2),
    ] {
        assert_eq!(read(text), Err(line), "{text:?}");
    }
}

/// Texts that look like configurations, and some that nearly do.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"[core]",
        b"[a \"b\"]",
        b"[a.b]",
        b"[remote \"o\\\"r\"]",
        b"\n",
        b"\r\n",
        b"\n\t",
        b" ",
        b"\t",
        b"x",
        b"key-1",
        b"=",
        b" = ",
        b"value",
        b"\"",
        b"\\",
        b"\\n",
        b"\\\n",
        b"#",
        b";",
        b"\xfc",
        b"]",
        b"[",
        b".",
        b"-",
        b"/bin/x",
        b"\r",
        b"\x0c",
        b"\xef\xbb\xbf",
        b"include",
        b"[include]\n\tpath = x\n",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_git_reads_of_random_texts_is_read(text in texts()) {
        if has_git() && let Some(pairs) = git(&text) {
            prop_assert_eq!(read(&text).map(comparable), Ok(comparable(pairs)));
        }
    }

    #[test]
    fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let settings = parse(&text).unwrap_or_default();
        for setting in settings {
            prop_assert!(setting.span.end <= text.len() && setting.span.start < setting.span.end);
        }
    }
}
