//! Paths in what is serialised: text, and where they are not UTF-8 the array of their bytes, so that none is
//! lost and none is refused. For `#[serde(with = "crate::paths")]`. And what a path says by its words alone.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `path` without `.`, `..` and doubled slashes, by its text alone as Go's `filepath.Clean`.
pub fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                cleaned.pop();
            }
            Component::CurDir => {}
            other => cleaned.push(other),
        }
    }
    cleaned
}

/// What stands for itself in a `file:` URL's path (RFC 3986, `pchar`), except `,` and `|`: GOPROXY is a list.
const KEPT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The URL of an absolute path.
pub fn file_url(path: &Path) -> String {
    let path = percent_encode(path.as_os_str().as_bytes(), &KEPT);
    format!("file://{path}")
}

/// The path of a `file:` URL. `None` for other URLs, and for one with a host.
pub fn of_file_url(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://")?;
    let bytes = percent_decode_str(path).collect();
    let path = PathBuf::from(OsString::from_vec(bytes));
    (path.is_absolute() && !path.as_os_str().as_bytes().contains(&0)).then_some(path)
}

/// A module path or a version as it stands in a path of the module cache and of the GOPROXY protocol: an
/// upper-case letter is `!` and the lower-case one.
pub(crate) fn escape_module(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

/// One path as it is serialised; a format for no reader (postcard) has its bytes always.
pub struct One<'a>(pub Cow<'a, Path>);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) if serializer.is_human_readable() => text.serialize(serializer),
            _ => self.0.as_os_str().as_bytes().serialize(serializer),
        }
    }
}

/// One path as a reader's format has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Text(String),
    Bytes(Vec<u8>),
}

impl<'de> Deserialize<'de> for One<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match deserializer.is_human_readable() {
            true => match Either::deserialize(deserializer)? {
                Either::Text(text) => text.into_bytes(),
                Either::Bytes(bytes) => bytes,
            },
            false => Vec::deserialize(deserializer)?,
        };
        Ok(One(Cow::Owned(OsString::from_vec(bytes).into())))
    }
}

/// A path, or several.
pub trait Paths {
    /// The same of [`One`].
    type Ones<'a>: Serialize
    where
        Self: 'a;

    /// To be serialised.
    fn ones(&self) -> Self::Ones<'_>;
    /// As they were read.
    fn of(ones: Self::Ones<'static>) -> Self;
}

impl Paths for PathBuf {
    type Ones<'a> = One<'a>;

    fn ones(&self) -> One<'_> {
        One(self.into())
    }

    fn of(one: One<'static>) -> PathBuf {
        one.0.into_owned()
    }
}

impl Paths for Vec<PathBuf> {
    type Ones<'a> = Vec<One<'a>>;

    fn ones(&self) -> Vec<One<'_>> {
        self.iter().map(Paths::ones).collect()
    }

    fn of(ones: Vec<One<'static>>) -> Self {
        ones.into_iter().map(PathBuf::of).collect()
    }
}

impl Paths for Option<PathBuf> {
    type Ones<'a> = Option<One<'a>>;

    fn ones(&self) -> Option<One<'_>> {
        self.as_ref().map(Paths::ones)
    }

    fn of(one: Option<One<'static>>) -> Self {
        one.map(PathBuf::of)
    }
}

/// Serialises a path, or several.
pub fn serialize<T: Paths, S: Serializer>(paths: &T, serializer: S) -> Result<S::Ok, S::Error> {
    paths.ones().serialize(serializer)
}

/// The reverse.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Paths<Ones<'static>: DeserializeOwned> + 'static,
    D: Deserializer<'de>,
{
    T::Ones::<'static>::deserialize(deserializer).map(T::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Held {
        #[serde(with = "super")]
        one: PathBuf,
        #[serde(with = "super")]
        many: Vec<PathBuf>,
        #[serde(with = "super")]
        perhaps: Option<PathBuf>,
    }

    #[test]
    fn paths_come_back_from_urls_and_break_no_list() {
        for bytes in [&b"/srv/mod"[..], b"/a,b|c d%20\"?#/x", b"/\xff\xc3\xa9"] {
            let path = PathBuf::from(OsString::from_vec(bytes.to_vec()));
            let url = file_url(&path);
            assert!(!url.contains([',', '|', ' ', '?', '#']), "{url}");
            assert_eq!(of_file_url(&url), Some(path));
        }
        for url in ["file://host/x", "file:///a%00b", "https:///x", "file://"] {
            assert_eq!(of_file_url(url), None, "{url}");
        }
    }

    #[test]
    fn every_path_comes_back_and_those_that_are_text_are_text() {
        let odd = PathBuf::from(OsString::from_vec(b"/a\xff/b".to_vec()));
        let held = Held {
            one: "/ünï".into(),
            many: vec!["/a b".into(), odd.clone()],
            perhaps: Some(odd),
        };
        let json = serde_json::to_string(&held).unwrap();
        assert!(
            json.contains("\"/ünï\"") && json.contains("\"/a b\""),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Held>(&json).unwrap(), held);
        let bytes = postcard::to_stdvec(&held).unwrap();
        assert_eq!(postcard::from_bytes::<Held>(&bytes).unwrap(), held);
        let none = Held {
            perhaps: None,
            ..held
        };
        let bytes = postcard::to_stdvec(&none).unwrap();
        assert_eq!(postcard::from_bytes::<Held>(&bytes).unwrap(), none);
    }
}
