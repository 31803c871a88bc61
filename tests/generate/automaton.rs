//! Reads what apparmor_parser has compiled, and walks its automata as the kernel does.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a profile lets be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub read: bool,
    pub write: bool,
    pub execute: bool,
    /// Whether it is executed in the profile of the process.
    pub inherits: bool,
}

/// How a file is executed: an index of the profile to go to, or this.
const EXEC_KIND: u32 = 0x3f00;
const INHERIT: u32 = 0x0200;

/// The automata for files of every profile.
pub struct Compiled(BTreeMap<String, Automaton>);

impl Compiled {
    pub fn read(bytes: &[u8]) -> Compiled {
        const PROFILE: &[u8] = b"\x04\x08\x00profile\x00\x07\x05";
        let starts: Vec<usize> = find(bytes, PROFILE);
        let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
        let profiles = starts.iter().zip(ends).map(|(start, end)| {
            let at = start + PROFILE.len();
            let length = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
            let name = String::from_utf8_lossy(&bytes[at + 2..at + 1 + length]).into_owned();
            // The first is for what is not a file; the one for files comes last.
            let part = &bytes[*start..end];
            let last = *find(part, &[0x1b, 0x5e, 0x78, 0x3d]).last().unwrap();
            (name, Automaton::read(&part[last..]))
        });
        Compiled(profiles.collect())
    }

    pub fn permissions(&self, profile: &str, path: &Path, own: bool) -> Permissions {
        let automaton = self.0.get(profile).unwrap_or_else(|| panic!("no {profile} in {:?}", self.0.keys()));
        let accept = automaton.walk(path.as_os_str().as_bytes());
        let bits = if own { accept } else { accept >> 14 };
        Permissions {
            execute: bits & 1 != 0,
            write: bits & 2 != 0,
            read: bits & 4 != 0,
            inherits: bits & 1 != 0 && bits & EXEC_KIND == INHERIT,
        }
    }
}

struct Automaton {
    accept: Vec<u32>,
    base: Vec<u32>,
    check: Vec<u32>,
    default: Vec<u32>,
    next: Vec<u32>,
    classes: Vec<u32>,
}

impl Automaton {
    fn read(bytes: &[u8]) -> Automaton {
        let u32_at = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let u16_at = |at: usize| u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap());
        let size = u32_at(8) as usize;
        let mut tables: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        let mut at = u32_at(4) as usize;
        while at + 12 <= size {
            let (id, width, count) = (u16_at(at), usize::from(u16_at(at + 2)), u32_at(at + 8) as usize);
            let data = &bytes[at + 12..at + 12 + width * count];
            let values = data.chunks(width).map(|one| one.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)));
            tables.insert(id, values.collect());
            at += (12 + width * count).div_ceil(8) * 8;
        }
        let mut take = |id| tables.remove(&id).unwrap_or_default();
        Automaton {
            accept: take(1),
            base: take(2),
            check: take(3),
            default: take(4),
            classes: take(5),
            next: take(8),
        }
    }

    fn walk(&self, path: &[u8]) -> u32 {
        let mut state = 1_usize;
        for byte in path {
            let class = self.classes.get(usize::from(*byte)).copied().unwrap_or(u32::from(*byte));
            let at = (self.base[state] & 0x00ff_ffff) as usize + class as usize;
            state = match self.check.get(at) {
                Some(owner) if *owner as usize == state => self.next[at] as usize,
                _ => self.default[state] as usize,
            };
        }
        self.accept[state]
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    (0..bytes.len().saturating_sub(what.len()))
        .filter(|at| bytes[*at..].starts_with(what))
        .collect()
}
