//! A small reader of go.mod and go.work.
//!
//! It takes what `golang.org/x/mod/modfile` takes and keeps what the launcher needs: the go and
//! toolchain lines, and everything that names a folder or a program. Directives that it does not
//! know are left to the go command. It reads text only and follows no path.

mod tokens;

use std::fmt;

use thiserror::Error;

use self::tokens::{Token, tokens};
use super::visible;

/// A line that cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {cause}")]
pub struct ModFileError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: Cause,
}

/// What is wrong with a line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Cause {
    /// The file is not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// A string without its end.
    #[error("string without closing quote")]
    OpenString,
    /// An escape that Go does not know.
    #[error("invalid escape in {}", visible(.0))]
    Escape(String),
    /// A quote where none belongs.
    #[error("unquoted string cannot contain quote: {}", visible(.0))]
    StrayQuote(String),
    /// `/* */`.
    #[error("mod files must use // comments (not /* */ comments)")]
    BlockComment,
    /// A block that the file ends in.
    #[error("block without closing parenthesis")]
    OpenBlock,
    /// A parenthesis without its partner.
    #[error("unexpected closing parenthesis")]
    StrayClose,
    /// A directive with the wrong number of words.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// A directive that may be given once.
    #[error("repeated {0} statement")]
    Repeated(&'static str),
}

/// A word of the file, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Line number, from 1.
    pub line: usize,
    /// The text, unquoted.
    pub text: String,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.text))
    }
}

/// `replace PATH [VERSION] => TARGET [VERSION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    /// Line number, from 1.
    pub line: usize,
    /// The module replaced.
    pub module: String,
    /// What stands in: a folder or a module path.
    pub target: String,
    /// Whether the target is a folder on this machine.
    pub local: bool,
}

/// `require PATH VERSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Require {
    /// Line number, from 1.
    pub line: usize,
    /// The module.
    pub module: String,
    /// Its version.
    pub version: String,
}

/// What of a go.mod or go.work matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModFile {
    /// `module PATH`.
    pub module: Option<Word>,
    /// `go VERSION`.
    pub go: Option<Word>,
    /// `toolchain NAME`.
    pub toolchain: Option<Word>,
    /// `require`.
    pub requires: Vec<Require>,
    /// `replace`.
    pub replaces: Vec<Replace>,
    /// `use DIR` (go.work).
    pub uses: Vec<Word>,
    /// `tool PACKAGE`.
    pub tools: Vec<Word>,
    /// `godebug KEY=VALUE`.
    pub godebug: Vec<Word>,
    /// `ignore DIR`.
    pub ignores: Vec<Word>,
}

/// Whether a `replace` target is a folder rather than a module path (`modfile.IsDirectoryPath`).
fn is_directory(target: &str) -> bool {
    let bytes = target.as_bytes();
    matches!(target, "." | "..")
        || ["./", "../", "/", ".\\", "..\\", "\\"]
            .iter()
            .any(|p| target.starts_with(p))
        || (bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':')
}

impl ModFile {
    /// Reads `text`, the content of a go.mod or go.work.
    pub fn parse(text: &[u8]) -> Result<ModFile, ModFileError> {
        let text = std::str::from_utf8(text).map_err(|e| {
            let line = 1 + text[..e.valid_up_to()]
                .iter()
                .filter(|&&b| b == b'\n')
                .count();
            ModFileError {
                line,
                cause: Cause::NotUtf8,
            }
        })?;
        let mut file = ModFile::default();
        let mut block: Option<(usize, String)> = None;
        for (i, raw) in text.split('\n').enumerate() {
            let line = i + 1;
            let at = |cause| ModFileError { line, cause };
            let mut words = tokens(raw).map_err(at)?;
            match (&block, words.first()) {
                (_, None) => {}
                (Some(_), Some(first)) if words.len() == 1 && first.is(')') => block = None,
                (Some((_, verb)), Some(_)) => {
                    let verb = verb.clone();
                    file.directive(&verb, &words, line).map_err(at)?;
                }
                (None, Some(first)) if first.is(')') => return Err(at(Cause::StrayClose)),
                (None, Some(_)) => {
                    let verb = words.remove(0).text;
                    match words.as_slice() {
                        [open] if open.is('(') => block = Some((line, verb)),
                        [open, close] if open.is('(') && close.is(')') => {}
                        _ => file.directive(&verb, &words, line).map_err(at)?,
                    }
                }
            }
        }
        match block {
            Some((line, _)) => Err(ModFileError {
                line,
                cause: Cause::OpenBlock,
            }),
            None => Ok(file),
        }
    }

    fn directive(&mut self, verb: &str, words: &[Token], line: usize) -> Result<(), Cause> {
        match verb {
            "module" => once(
                &mut self.module,
                one(words, line, "module module/path")?,
                "module",
            ),
            "go" => once(&mut self.go, one(words, line, "go 1.23")?, "go"),
            "toolchain" => once(
                &mut self.toolchain,
                one(words, line, "toolchain go1.23.4")?,
                "toolchain",
            ),
            "use" => push(&mut self.uses, one(words, line, "use local/dir")?),
            "tool" => push(&mut self.tools, one(words, line, "tool module/path")?),
            "godebug" => push(&mut self.godebug, one(words, line, "godebug key=value")?),
            "ignore" => push(&mut self.ignores, one(words, line, "ignore local/dir")?),
            "require" => {
                let [module, version] = words else {
                    return Err(Cause::Usage("require module/path v1.2.3"));
                };
                self.requires.push(Require {
                    line,
                    module: module.text.clone(),
                    version: version.text.clone(),
                });
                Ok(())
            }
            "replace" => {
                self.replaces.push(replace(words, line)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn once(place: &mut Option<Word>, word: Word, what: &'static str) -> Result<(), Cause> {
    match place {
        Some(_) => Err(Cause::Repeated(what)),
        None => {
            *place = Some(word);
            Ok(())
        }
    }
}

fn push(place: &mut Vec<Word>, word: Word) -> Result<(), Cause> {
    place.push(word);
    Ok(())
}

fn one(words: &[Token], line: usize, usage: &'static str) -> Result<Word, Cause> {
    match words {
        [word] => Ok(Word {
            line,
            text: word.text.clone(),
        }),
        _ => Err(Cause::Usage(usage)),
    }
}

fn replace(words: &[Token], line: usize) -> Result<Replace, Cause> {
    const USAGE: Cause =
        Cause::Usage("replace module/path [v1.2.3] => other/module v1.4, or => ../local/directory");
    let arrow = words
        .iter()
        .position(|w| !w.quoted && w.text == "=>")
        .ok_or(USAGE)?;
    if !(1..=2).contains(&arrow) {
        return Err(USAGE);
    }
    let (target, version) = match &words[arrow + 1..] {
        [target] => (target, None),
        [target, version] => (target, Some(version)),
        _ => return Err(USAGE),
    };
    // With a version Go reads a module path; a folder with a version is Go's to refuse, and is
    // treated as a folder here lest it slip through.
    let local = version.is_none() || is_directory(&target.text);
    Ok(Replace {
        line,
        module: words[0].text.clone(),
        target: target.text.clone(),
        local,
    })
}

#[cfg(test)]
mod tests;
