//! The beginning of a go command line: the command's name, and the folder it changes to.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The subcommand, and `-C` before or after it.
pub(super) struct Head {
    pub subcommand: String,
    /// What `-C` names, as written.
    pub chdir: Option<OsString>,
    /// How many words it takes.
    pub end: usize,
}

impl Head {
    pub fn of(words: &[OsString]) -> Head {
        let mut head = Head {
            subcommand: String::new(),
            chdir: None,
            end: 0,
        };
        head.take_chdir(words);
        head.take_name(words);
        if head.chdir.is_none() && !head.subcommand.is_empty() {
            head.take_chdir(words);
        }
        head
    }

    fn take_chdir(&mut self, words: &[OsString]) {
        let Some(word) = words.get(self.end) else {
            return;
        };
        if word == "-C" || word == "--C" {
            if let Some(folder) = words.get(self.end + 1) {
                self.chdir = Some(folder.clone());
                self.end += 2;
            }
        } else if let Some(folder) = ["-C=", "--C="].iter().find_map(|p| strip(word, p)) {
            self.chdir = Some(folder);
            self.end += 1;
        }
    }

    fn take_name(&mut self, words: &[OsString]) {
        let word = |i: usize| {
            words
                .get(i)
                .map(|w| w.to_string_lossy())
                .unwrap_or_default()
        };
        let first = word(self.end);
        if first.is_empty() || first.starts_with('-') {
            return;
        }
        let second = word(self.end + 1);
        let known: &[&str] = match &*first {
            "mod" => &[
                "download", "edit", "graph", "init", "tidy", "vendor", "verify", "why",
            ],
            "work" => &["edit", "init", "sync", "use", "vendor"],
            _ => &[],
        };
        if known.contains(&&*second) {
            self.subcommand = format!("{first} {second}");
            self.end += 2;
        } else {
            self.subcommand = first.into_owned();
            self.end += 1;
        }
    }
}

pub(super) fn strip(word: &OsStr, prefix: &str) -> Option<OsString> {
    word.as_bytes()
        .strip_prefix(prefix.as_bytes())
        .map(|rest| OsStr::from_bytes(rest).to_owned())
}
