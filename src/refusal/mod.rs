//! A refusal: what gosandbox does not do, with a stable code and with what the user can do instead.
//!
//! Pure values. Every room can refuse. [`crate::run::refused`] finds the refusal in an error, and
//! the command line alone prints it.

mod code;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::policy::secrets::is_secret;

pub use self::code::Code;

/// What is refused, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    code: Code,
    message: String,
    help: Vec<Help>,
}

/// One thing that the user can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Help {
    /// Options to be added to the command line, in a shell's words. They replace an option of the
    /// same name that can be given only once.
    Option(String),
    /// An option to be taken out of the command line.
    Without(String),
    /// A word to be put before the command: `go` or `--`.
    Before(String),
    /// Options in the place of one that is in the way.
    Instead {
        /// The option that is taken out, with its value.
        of: String,
        /// What is added.
        options: String,
    },
    /// A line of a profile.
    Profile(String),
    /// A command, or what is to be done outside gosandbox.
    Words(String),
}

impl Help {
    /// An option that grants a path. A source that asks for the place of secrets is not answered by a line that
    /// gives it to it.
    pub fn grant(option: &str, path: &Path) -> Help {
        let shown = shell_path(path);
        match is_secret(path) {
            true => Help::Words(format!(
                "find out why the source asks for {shown}, where secrets lie"
            )),
            false => Help::Option(format!("{option} {shown}")),
        }
    }

    /// In words, for reports and logs: an option, a line of a profile or a command.
    pub fn text(&self) -> String {
        match self {
            Help::Option(text) | Help::Profile(text) | Help::Words(text) => text.clone(),
            Help::Without(option) => format!("leave out {option}"),
            Help::Before(word) => format!("put {word} before the command"),
            Help::Instead { of, options } => format!("{options} instead of {of}"),
        }
    }
}

impl Refused {
    /// A refusal that has only its code's general help.
    pub fn new(code: Code, message: impl Into<String>) -> Refused {
        Refused {
            code,
            message: message.into(),
            help: Vec::new(),
        }
    }

    /// That of a typed error.
    pub fn of(error: &impl Refuse) -> Refused {
        Refused {
            code: error.code(),
            message: error.to_string(),
            help: error.help(),
        }
    }

    /// With options that would allow it.
    pub fn option(self, options: impl Into<String>) -> Refused {
        self.and(Help::Option(options.into()))
    }

    /// With an option that is in the way.
    pub fn without(self, option: impl Into<String>) -> Refused {
        self.and(Help::Without(option.into()))
    }

    /// With a line of a profile that would allow it.
    pub fn profile(self, line: impl Into<String>) -> Refused {
        self.and(Help::Profile(line.into()))
    }

    /// With a command, or what is to be done outside gosandbox.
    pub fn words(self, words: impl Into<String>) -> Refused {
        self.and(Help::Words(words.into()))
    }

    /// With one more thing that helps.
    pub fn and(mut self, help: Help) -> Refused {
        self.help.push(help);
        self
    }

    /// The same as the cause of what else could not be done.
    pub fn within(mut self, action: &str) -> Refused {
        self.message = format!("{action}: {}", self.message);
        self
    }

    /// The same with another message.
    pub fn saying(mut self, message: String) -> Refused {
        self.message = message;
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is refused and why, without what helps.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What helps: never empty.
    pub fn help(&self) -> Vec<Help> {
        match self.help.is_empty() {
            true => vec![Help::Words(self.code.remedy().to_owned())],
            false => self.help.clone(),
        }
    }

    /// What helps, in words.
    pub fn remedies(&self) -> Vec<String> {
        self.help().iter().map(Help::text).collect()
    }
}

/// A typed error that is a refusal. Its message does not say what helps.
pub trait Refuse: std::error::Error {
    /// The stable code.
    fn code(&self) -> Code;

    /// What helps in this case. Where it is empty the code's general help counts.
    fn help(&self) -> Vec<Help> {
        Vec::new()
    }
}

/// Makes refusals of errors that have no code of their own.
pub trait OrRefuse<T> {
    /// The refusal with this code, whose cause is the error.
    ///
    /// # Errors
    /// That of the result.
    fn or_refuse(self, code: Code, action: impl FnOnce() -> String) -> Result<T, Refused>;
}

impl<T, E: std::fmt::Display> OrRefuse<T> for Result<T, E> {
    fn or_refuse(self, code: Code, action: impl FnOnce() -> String) -> Result<T, Refused> {
        self.map_err(|cause| Refused::new(code, format!("{}: {cause:#}", action())))
    }
}

/// A path as one word of a shell.
pub fn shell_path(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// A text as one word of a shell.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// A text as a TOML string.
pub fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_has_a_word_a_meaning_and_a_remedy_of_its_own() {
        let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
        for code in Code::ALL {
            let is_kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(code.word().chars().all(is_kebab), "{code:?}");
            assert_eq!(Code::of_word(code.word()), Some(code));
            assert!(!code.meaning().ends_with('.'), "{code:?}");
            assert!(!code.meaning().is_empty() && !code.remedy().is_empty());
            let json = serde_json::to_string(&code).expect("JSON");
            assert_eq!(json, format!("\"{}\"", code.word()));
            let read: Code = serde_json::from_str(&json).expect("a code");
            assert_eq!(read, code);
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
        assert_eq!(Code::of_word("no-such-code"), None);
    }

    #[test]
    fn a_refusal_always_says_what_helps() {
        let plain = Refused::new(Code::FlagRefused, "no");
        assert_eq!(
            plain.help(),
            [Help::Words(Code::FlagRefused.remedy().into())]
        );
        let own = plain.option("--ro /x").without("--user");
        assert_eq!(own.remedies(), ["--ro /x", "leave out --user"]);
    }

    proptest! {
        #[test]
        fn a_shell_reads_a_word_back(text in "[^\0]*") {
            let script = format!("printf %s {}", shell_word(&text));
            let done = std::process::Command::new("/bin/sh").args(["-c", &script]).output();
            prop_assert_eq!(done.expect("a shell").stdout, text.into_bytes());
        }
    }
}
