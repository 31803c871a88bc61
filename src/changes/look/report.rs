//! What a look has found, for a reader.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::refusal::Code;

/// As many of each kind are named. The others are counted.
const MOST_NAMED: usize = 1_000;
/// A longer path is cut, in bytes.
const LONGEST: usize = 4_096;

/// Something that was moved away. Paths are relative to the work tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moved {
    /// The protected path.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// The place where it is now. `None`: it was only looked at.
    #[serde(with = "crate::paths")]
    pub place: Option<PathBuf>,
}

/// Something that may be at a protected path and could not be moved away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stayed {
    /// The path, relative to the work tree.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// Why.
    pub cause: String,
}

/// What a look has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was moved away.
    pub moved: Vec<Moved>,
    /// What could not be moved or looked at. The look is to be done again.
    pub stayed: Vec<Stayed>,
    /// How much more of each there is.
    pub more: (u64, u64),
}

impl Report {
    /// The stable code of reports, for what has come at protected paths.
    pub const CODE: Code = Code::ProtectedPath;

    /// What was found, a line each, after a line break.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        let mut add = |line: String| {
            text.push_str("\n  ");
            text.push_str(&crate::text::visible(&line));
        };
        for moved in &self.moved {
            let path = moved.path.display();
            match &moved.place {
                Some(place) => add(format!("{path} was moved away (now {})", place.display())),
                None => add(format!("{path} has come or was replaced")),
            }
        }
        for stayed in &self.stayed {
            add(format!("{} stays: {}", stayed.path.display(), stayed.cause));
        }
        let (moved, stayed) = self.more;
        for (number, what) in [(moved, "came"), (stayed, "stay")] {
            if number > 0 {
                add(format!("and {number} more that {what}"));
            }
        }
        text
    }

    /// Whether nothing had come, and everything could be looked at.
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.stayed.is_empty()
    }

    pub(super) fn moved(&mut self, path: PathBuf, place: Option<PathBuf>) {
        match self.moved.len() < MOST_NAMED {
            true => self.moved.push(Moved {
                path: shortened(path),
                place: place.map(shortened),
            }),
            false => self.more.0 += 1,
        }
    }

    pub(super) fn stayed(&mut self, path: PathBuf, cause: &dyn std::fmt::Display) {
        match self.stayed.len() < MOST_NAMED {
            true => self.stayed.push(Stayed {
                path: shortened(path),
                cause: cause.to_string(),
            }),
            false => self.more.1 += 1,
        }
    }
}

/// A path of thousands of names, by its end.
fn shortened(path: PathBuf) -> PathBuf {
    let bytes = path.as_os_str().as_encoded_bytes();
    match bytes.len().checked_sub(LONGEST) {
        None | Some(0) => path,
        Some(start) => {
            let end = String::from_utf8_lossy(&bytes[start..]).into_owned();
            format!("...{end}").into()
        }
    }
}
