//! The checksum database's word on a module, verified here.
//!
//! The go command verifies what it asks the database itself. Where the go command in question is
//! what is judged, its own answer proves nothing: the launcher asks, and verifies the signature of
//! the log's head and that the record is in the log (RFC 6962, <https://go.dev/design/25530-sumdb>).
//! Who fetches, and from where, is the caller's.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// Keys that the go command knows by the database's name.
const KNOWN: [(&str, &str); 1] = [(
    "sum.golang.org",
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
)];

/// Of an Ed25519 key.
const ALGORITHM: u8 = 1;

/// Hashes in a full tile: its height is 8.
const WIDTH: u64 = 256;

/// No log has more records: numbers of tiles stay far from the end of `u64`.
const MOST: u64 = 1 << 48;

type Hash = [u8; 32];

/// Why the database's word does not count.
#[derive(Debug, thiserror::Error)]
pub enum SumError {
    /// The setting names no key.
    #[error("`{0}` names no key of a checksum database")]
    NoKey(String),
    /// It could not be asked.
    #[error("{0}")]
    Fetch(String),
    /// What it answers is not what a database says.
    #[error("the checksum database's answer {0}")]
    Answer(&'static str),
}

/// Fetches a path below the database's name.
pub type Fetch<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Who signs a database's log.
#[derive(Clone, Debug)]
pub struct Verifier {
    name: String,
    hash: [u8; 4],
    key: Vec<u8>,
}

impl Verifier {
    /// Reads what GOSUMDB begins with: a known name, or `NAME+HASH+KEY`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Verifier, SumError> {
        let known = KNOWN.iter().find(|(name, _)| *name == text);
        let full = known.map_or(text, |(_, key)| key);
        let wrong = || SumError::NoKey(text.to_owned());
        let mut parts = full.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| wrong())?;
        let expected = Sha256::new()
            .chain_update(format!("{name}\n"))
            .chain_update(&key)
            .finalize();
        let digits = crate::text::hex(&expected[..4]);
        match key.split_first() {
            Some((&ALGORITHM, key)) if key.len() == 32 && digits == hash => Ok(Verifier {
                name: name.to_owned(),
                hash: [expected[0], expected[1], expected[2], expected[3]],
                key: key.to_owned(),
            }),
            _ => Err(wrong()),
        }
    }

    /// The `h1:` hash of a module's zip (`module`: `path@version`), as the log has it.
    ///
    /// # Errors
    /// The database cannot be asked, does not know the module, or what it says is not verified.
    pub fn sum(&self, module: &str, fetch: Fetch<'_>) -> Result<String, SumError> {
        let answer = get(fetch, &format!("lookup/{module}"))?;
        let answer = String::from_utf8(answer).map_err(|_| SumError::Answer("is no text"))?;
        let (number, rest) = answer
            .split_once('\n')
            .ok_or(SumError::Answer("has no record"))?;
        let number: u64 = number
            .parse()
            .map_err(|_| SumError::Answer("has no record's number"))?;
        let (record, note) = rest
            .split_once("\n\n")
            .ok_or(SumError::Answer("has no record"))?;
        let record = format!("{record}\n");
        let head = self.head(note)?;
        if number >= head.size {
            return Err(SumError::Answer("names a record that its log has not"));
        }
        let leaf = digest(&[&[0], record.as_bytes()]);
        let log = Log {
            size: head.size,
            fetch,
        };
        if log.root(0, head.size, number, leaf)? != head.root {
            return Err(SumError::Answer("is not in its log"));
        }
        let (path, version) = module.split_once('@').unwrap_or((module, ""));
        let start = format!("{path} {version} h1:");
        let line = record.lines().find_map(|line| line.strip_prefix(&start));
        line.map(|sum| format!("h1:{sum}"))
            .ok_or(SumError::Answer("is about another module"))
    }

    /// The signed head of the log.
    fn head(&self, note: &str) -> Result<Head, SumError> {
        let (text, signatures) = note
            .split_once("\n\n")
            .ok_or(SumError::Answer("is not signed"))?;
        let text = format!("{text}\n");
        if !signatures.lines().any(|line| self.signs(&text, line)) {
            return Err(SumError::Answer("is not signed by the database's key"));
        }
        let mut lines = text.lines();
        let head = (|| {
            (lines.next()? == "go.sum database tree").then_some(())?;
            let size: u64 = lines.next()?.parse().ok()?;
            let root = BASE64_STANDARD.decode(lines.next()?).ok()?;
            let root = root.try_into().ok()?;
            (size <= MOST).then_some(Head { size, root })
        })();
        head.ok_or(SumError::Answer("has no head of its log"))
    }

    /// Whether a line is this verifier's signature of a text.
    fn signs(&self, text: &str, line: &str) -> bool {
        let start = format!("\u{2014} {} ", self.name);
        let signature = line
            .strip_prefix(&start)
            .and_then(|signature| BASE64_STANDARD.decode(signature).ok());
        let signature = signature.and_then(|it| Some(it.strip_prefix(&self.hash)?.to_owned()));
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        signature.is_some_and(|signature| key.verify(text.as_bytes(), &signature).is_ok())
    }
}

struct Head {
    size: u64,
    root: Hash,
}

/// A log whose hashes are fetched as they are needed. None of them is believed: together they must
/// give the signed root.
struct Log<'a> {
    size: u64,
    fetch: Fetch<'a>,
}

impl Log<'_> {
    /// The hash over the records from `low` to `high`, one of which is `leaf`.
    fn root(&self, low: u64, high: u64, number: u64, leaf: Hash) -> Result<Hash, SumError> {
        if high - low == 1 {
            return Ok(leaf);
        }
        let middle = low + split(high - low);
        let (left, right) = match number < middle {
            true => (
                self.root(low, middle, number, leaf)?,
                self.hash(middle, high)?,
            ),
            false => (
                self.hash(low, middle)?,
                self.root(middle, high, number, leaf)?,
            ),
        };
        Ok(node(&left, &right))
    }

    /// The hash over the records from `low` to `high`.
    fn hash(&self, low: u64, high: u64) -> Result<Hash, SumError> {
        let count = high - low;
        if count.is_power_of_two() {
            return self.stored(count.trailing_zeros(), low / count);
        }
        let middle = low + split(count);
        Ok(node(&self.hash(low, middle)?, &self.hash(middle, high)?))
    }

    /// The hash that the log keeps over 2^level records.
    fn stored(&self, level: u32, index: u64) -> Result<Hash, SumError> {
        let (row, height) = (level / 8, level % 8);
        let first = index << height;
        let (tile, first) = (first / WIDTH, (first % WIDTH) as usize);
        let width = WIDTH.min((self.size >> (8 * row)).saturating_sub(tile * WIDTH));
        let content = get(self.fetch, &tile_path(row, tile, width))?;
        let wrong = SumError::Answer("has a part of its log that is too short");
        if content.len() as u64 != width * 32 {
            return Err(wrong);
        }
        let hashes: Vec<Hash> = content
            .chunks_exact(32)
            .filter_map(|chunk| chunk.try_into().ok())
            .collect();
        hashes
            .get(first..first + (1 << height))
            .map(over)
            .ok_or(wrong)
    }
}

/// The path of a tile, whose number is written in groups of three digits.
fn tile_path(row: u32, tile: u64, width: u64) -> String {
    let mut number = format!("{:03}", tile % 1000);
    let mut rest = tile / 1000;
    while rest > 0 {
        number = format!("x{:03}/{number}", rest % 1000);
        rest /= 1000;
    }
    match width {
        WIDTH => format!("tile/8/{row}/{number}"),
        width => format!("tile/8/{row}/{number}.p/{width}"),
    }
}

/// The hash over hashes, whose number is a power of two.
fn over(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node(&over(left), &over(right))
        }
    }
}

/// The largest power of two below a number above 1.
fn split(count: u64) -> u64 {
    count.next_power_of_two() / 2
}

fn node(left: &Hash, right: &Hash) -> Hash {
    digest(&[&[1], left, right])
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn get(fetch: Fetch<'_>, path: &str) -> Result<Vec<u8>, SumError> {
    fetch(path).map_err(SumError::Fetch)
}

#[cfg(test)]
mod tests;
