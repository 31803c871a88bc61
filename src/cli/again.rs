//! The command line once more, with the options that would help: what a user can copy.

use std::ffi::OsString;
use std::path::Path;

use super::flags::{FLAGS, Flag, Id};
use crate::refusal::{Help, shell_word};

/// A line that says what helps, for a command line with these words. `None` where it takes out an
/// option that is not there.
pub(super) fn line(help: &Help, words: &[OsString]) -> Option<String> {
    match help {
        Help::Words(text) => Some(text.clone()),
        Help::Profile(line) => Some(format!("in a profile of your own: {line}")),
        Help::Option(options) if words.is_empty() => Some(options.clone()),
        Help::Before(word) => {
            let (mut left, command) = without(words, |_, _| false);
            left.insert(command, word.clone());
            Some(format!("gosandbox {}", left.join(" ")))
        }
        Help::Option(options) => {
            let once = |flag: &Flag| !flag.repeats;
            let names = options.split(' ').filter(|word| word.starts_with("--"));
            let replaced: Vec<&Flag> = names.filter_map(named).filter(|flag| once(flag)).collect();
            let (left, _) = without(words, |flag, _| {
                replaced.iter().any(|other| other.id == flag.id)
            });
            Some(format!("gosandbox {options} {}", left.join(" ")))
        }
        Help::Instead { of, options } => {
            let taken = Help::Without(of.clone());
            let rest = line(&taken, words)?;
            let rest = rest.strip_prefix("gosandbox ")?;
            Some(format!("gosandbox {options} {rest}"))
        }
        Help::Without(option) => {
            let (name, value) = option.split_once(' ').unwrap_or((option, ""));
            let flag = named(name)?;
            let (left, _) = without(words, |other, given| {
                let is_same_path =
                    || std::path::absolute(given).is_ok_and(|it| it == Path::new(value));
                let is_meant = given.split('=').next() == Some(value) || is_same_path();
                other.id == flag.id && (value.is_empty() || is_meant)
            });
            (left.len() < words.len()).then(|| format!("gosandbox {}", left.join(" ")))
        }
    }
}

/// The value of `--env`, of which only the name is shown: a message may end in a log that others read.
fn variable(given: &str) -> String {
    match given.split_once('=') {
        Some((name, _)) => format!("{}=\"${name}\"", shell_word(name)),
        None => shell_word(given),
    }
}

/// The option that a word is.
fn named(word: &str) -> Option<&'static Flag> {
    static TABLE: &[Flag] = &FLAGS;
    let name = word.split('=').next().unwrap_or(word);
    TABLE.iter().find(|flag| {
        let is_short = |short: char| name.strip_prefix('-') == Some(short.encode_utf8(&mut [0; 4]));
        name.strip_prefix("--") == Some(flag.long) || flag.short.is_some_and(is_short)
    })
}

/// The words as a shell takes them, except some options of gosandbox's own with their values; and the place of the first
/// that is no option, which is a command or a subcommand.
fn without(words: &[OsString], is_cut: impl Fn(&Flag, &str) -> bool) -> (Vec<String>, usize) {
    let mut left = Vec::new();
    let mut command = None;
    let mut rest = words.iter().map(|word| word.to_string_lossy());
    while let Some(text) = rest.next() {
        if text == "--" || text == "go" {
            command.get_or_insert(left.len());
            left.push(text.into_owned());
            break;
        }
        let Some(flag) = named(&text) else {
            command.get_or_insert(left.len());
            left.push(shell_word(&text));
            continue;
        };
        // `-C DIR` and `--ro DIR` have their value in the next word, `--ro=DIR` in the same.
        let (name, same) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (&*text, None),
        };
        let next = match flag.value.is_some() && same.is_none() {
            true => rest.next().map(|next| next.into_owned()),
            false => None,
        };
        let value = same.as_ref().or(next.as_ref());
        if is_cut(flag, value.map_or("", String::as_str)) {
            continue;
        }
        let shown = |value: &String| match flag.id {
            Id::Env => variable(value),
            _ => shell_word(value),
        };
        match &same {
            Some(value) => left.push(format!("{name}={}", shown(value))),
            None => left.push(name.to_owned()),
        }
        left.extend(next.as_ref().map(shown));
    }
    left.extend(rest.map(|word| shell_word(&word)));
    let command = command.unwrap_or(left.len());
    (left, command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(help: Help, words: &str) -> Option<String> {
        let words: Vec<_> = words.split(' ').map(OsString::from).collect();
        line(&help, &words)
    }

    fn option(text: &str) -> Help {
        Help::Option(text.to_owned())
    }

    #[test]
    fn options_are_added_and_replace_what_can_be_given_once() {
        let said = again(option("--ro /x"), "--ro /y -- go build ./...");
        assert_eq!(
            said.as_deref(),
            Some("gosandbox --ro /x --ro /y -- go build ./...")
        );
        for given in ["--stage review", "--stage=review"] {
            let said = again(option("--stage apply"), &format!("{given} go test"));
            assert_eq!(said.as_deref(), Some("gosandbox --stage apply go test"));
        }
        let said = again(option("--stage apply"), "-- x --stage review");
        assert_eq!(
            said.as_deref(),
            Some("gosandbox --stage apply -- x --stage review")
        );
        let quoted = line(&option("--ro /x"), &["--".into(), "a b".into()]);
        assert_eq!(quoted.as_deref(), Some("gosandbox --ro /x -- 'a b'"));
    }

    #[test]
    fn options_are_taken_out_where_they_are() {
        let user = || Help::Without("--user".to_owned());
        let said = again(user(), "-C dir --user me -- go build");
        assert_eq!(said.as_deref(), Some("gosandbox -C dir -- go build"));
        assert_eq!(again(user(), "-- go build --user me"), None);
        let variable = Help::Without("--env LD_PRELOAD".to_owned());
        let said = again(variable, "--env A=b --env LD_PRELOAD=x go build");
        assert_eq!(said.as_deref(), Some("gosandbox --env A=\"$A\" go build"));
    }

    #[test]
    fn a_word_is_put_before_the_command() {
        for (given, expected) in [
            ("build -o app .", "gosandbox go build -o app ."),
            (
                "--ro /x -C dir test ./...",
                "gosandbox --ro /x -C dir go test ./...",
            ),
            ("--ro=/x vet", "gosandbox --ro=/x go vet"),
        ] {
            let said = again(Help::Before("go".to_owned()), given);
            assert_eq!(said.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_path_is_exchanged_however_it_was_written() {
        let here = std::env::current_dir().unwrap();
        let instead = |of: &str| Help::Instead {
            of: format!("--ro {of}"),
            options: "--ro /real".to_owned(),
        };
        let written = here.join("link").display().to_string();
        for given in [
            "--ro link",
            "--ro=link",
            "--ro ./link",
            &format!("--ro {written}"),
        ] {
            let said = again(
                instead(&written),
                &format!("{given} --ro other -- go build"),
            );
            let expected = "gosandbox --ro /real --ro other -- go build";
            assert_eq!(said.as_deref(), Some(expected), "{given}");
        }
        assert_eq!(again(instead("/absent"), "--ro link -- go build"), None);
    }

    #[test]
    fn no_value_of_a_variable_is_shown() {
        for given in ["--env TOKEN=decoysecret", "--env=TOKEN=decoysecret"] {
            let said = again(option("--ro /x"), &format!("{given} --env PLAIN -- true"));
            let said = said.expect("a line");
            assert!(!said.contains("decoysecret"), "{said}");
            assert!(
                said.contains("TOKEN=\"$TOKEN\" --env PLAIN -- true"),
                "{said}"
            );
        }
    }
}
