//! Paths in what is serialised: text, and where they are not UTF-8 the array of their bytes, so that none is
//! lost and none is refused. For `#[serde(with = "crate::paths")]`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path, or several.
pub trait Paths: Sized {
    /// What it is serialised as.
    type Shape<'a>: Serialize
    where
        Self: 'a;
    /// What is read for a reader's formats (JSON).
    type Read: for<'de> Deserialize<'de>;
    /// What is read for others.
    type Exact: for<'de> Deserialize<'de>;

    /// Text where it is UTF-8, for a format that tells text from bytes.
    fn shape(&self, readable: bool) -> Self::Shape<'_>;
    /// From what was read.
    fn read(read: Self::Read) -> Self;
    /// From its bytes.
    fn exact(exact: Self::Exact) -> Self;
}

/// One path as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Written<'a> {
    /// UTF-8.
    Text(&'a str),
    /// Anything else.
    Bytes(&'a [u8]),
}

/// One path as it is read.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Either {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Paths for PathBuf {
    type Shape<'a> = Written<'a>;
    type Read = Either;
    type Exact = Vec<u8>;

    fn shape(&self, readable: bool) -> Written<'_> {
        match self.to_str() {
            Some(text) if readable => Written::Text(text),
            _ => Written::Bytes(self.as_os_str().as_bytes()),
        }
    }

    fn read(read: Either) -> PathBuf {
        match read {
            Either::Text(text) => text.into(),
            Either::Bytes(bytes) => Self::exact(bytes),
        }
    }

    fn exact(bytes: Vec<u8>) -> PathBuf {
        OsString::from_vec(bytes).into()
    }
}

impl<T: Paths> Paths for Vec<T> {
    type Shape<'a>
        = Vec<T::Shape<'a>>
    where
        Self: 'a;
    type Read = Vec<T::Read>;
    type Exact = Vec<T::Exact>;

    fn shape(&self, readable: bool) -> Self::Shape<'_> {
        self.iter().map(|one| one.shape(readable)).collect()
    }

    fn read(read: Self::Read) -> Self {
        read.into_iter().map(T::read).collect()
    }

    fn exact(exact: Self::Exact) -> Self {
        exact.into_iter().map(T::exact).collect()
    }
}

impl<T: Paths> Paths for Option<T> {
    type Shape<'a>
        = Option<T::Shape<'a>>
    where
        Self: 'a;
    type Read = Option<T::Read>;
    type Exact = Option<T::Exact>;

    fn shape(&self, readable: bool) -> Self::Shape<'_> {
        self.as_ref().map(|one| one.shape(readable))
    }

    fn read(read: Self::Read) -> Self {
        read.map(T::read)
    }

    fn exact(exact: Self::Exact) -> Self {
        exact.map(T::exact)
    }
}

/// Serialises a path, or several.
pub fn serialize<T: Paths, S: Serializer>(paths: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let readable = serializer.is_human_readable();
    paths.shape(readable).serialize(serializer)
}

/// The reverse.
pub fn deserialize<'de, T: Paths, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    match deserializer.is_human_readable() {
        true => T::Read::deserialize(deserializer).map(T::read),
        false => T::Exact::deserialize(deserializer).map(T::exact),
    }
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
    fn every_path_comes_back_and_those_that_are_text_are_text() {
        let odd = PathBuf::exact(b"/a\xff/b".to_vec());
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
