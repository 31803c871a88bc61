//! Whether a project's own files import "C", told from their import sections alone, as go's own scan does.
//!
//! A cheap look: it starts nothing, and says nothing of build constraints. Where it finds something, go is asked which
//! packages of a build have cgo files.

use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::files::look;

/// Of most files the import section ends before this.
const BEGINNING: usize = 8 << 10;
/// More of a file is not read.
const LARGEST: u64 = 1 << 20;
/// Folders lie in each other so deep at most.
const DEEPEST: usize = 64;

/// A file below one of these folders that imports "C", if there is one. Folders of go's that no pattern matches are
/// passed over, and links.
pub fn first(folders: &[PathBuf]) -> Option<PathBuf> {
    folders
        .iter()
        .find_map(|folder| look::with_rights_of(folder, || in_folder(folder, 0)))
}

fn in_folder(folder: &Path, depth: usize) -> Option<PathBuf> {
    let mut below = Vec::new();
    for entry in look::read_dir(folder).ok()? {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(b".") || name.starts_with(b"_") {
            continue;
        }
        if entry.kind() == FileType::Directory {
            if name != b"testdata" && depth < DEEPEST {
                below.push(entry.path());
            }
        } else if name.ends_with(b".go")
            && entry.kind() == FileType::RegularFile
            && file_imports_c(&entry.path())
        {
            return Some(entry.path());
        }
    }
    below.iter().find_map(|folder| in_folder(folder, depth + 1))
}

fn file_imports_c(path: &Path) -> bool {
    let Ok(file) = look::open_unlinked(path) else {
        return false;
    };
    let mut text = Vec::with_capacity(BEGINNING);
    let read = |upto: u64, text: &mut Vec<u8>| (&file).take(upto).read_to_end(text).is_ok();
    if !read(BEGINNING as u64, &mut text) {
        return false;
    }
    match imports_c(&text) {
        Some(found) => found,
        None if text.len() < BEGINNING => false,
        None => read(LARGEST, &mut text) && imports_c(&text) == Some(true),
    }
}

/// Whether the import section of a file imports "C". Nothing where the text ends before the section does.
fn imports_c(text: &[u8]) -> Option<bool> {
    let mut scan = Scan { rest: text };
    if scan.word()? != b"package" {
        return Some(false);
    }
    scan.word()?;
    loop {
        if scan.word()? != b"import" {
            return Some(false);
        }
        if scan.symbol()? != b'(' {
            if scan.import()? {
                return Some(true);
            }
            continue;
        }
        scan.advance();
        while scan.symbol()? != b')' {
            if scan.import()? {
                return Some(true);
            }
        }
        scan.advance();
    }
}

/// What is left of a text.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// The next byte that is neither blank nor comment nor `;`.
    fn symbol(&mut self) -> Option<u8> {
        loop {
            match self.rest {
                [b'/', b'/', ..] => self.skip_past(b"\n")?,
                [b'/', b'*', ..] => {
                    self.rest = self.rest.get(2..)?;
                    self.skip_past(b"*/")?;
                }
                // A byte order mark may begin a file.
                [0xef, 0xbb, 0xbf, rest @ ..] => self.rest = rest,
                [byte, rest @ ..] if byte.is_ascii_whitespace() || *byte == b';' => {
                    self.rest = rest
                }
                [byte, ..] => return Some(*byte),
                [] => return None,
            }
        }
    }

    fn advance(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn skip_past(&mut self, end: &[u8]) -> Option<()> {
        let at = self
            .rest
            .windows(end.len())
            .position(|window| window == end)?;
        self.rest = self.rest.get(at + end.len()..)?;
        Some(())
    }

    /// The next word; empty where something else comes.
    fn word(&mut self) -> Option<&'a [u8]> {
        self.symbol()?;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
        let length = self.rest.iter().position(|byte| !is_part(byte));
        let (word, rest) = self.rest.split_at_checked(length?)?;
        self.rest = rest;
        Some(word)
    }

    /// Passes over one import, with its name where it has one. Whether it is of "C".
    fn import(&mut self) -> Option<bool> {
        if !matches!(self.symbol()?, b'"' | b'`') {
            if self.symbol()? == b'.' {
                self.advance();
            } else if self.word()?.is_empty() {
                // No import: the compiler says so.
                self.advance();
                return Some(false);
            }
        }
        let quote = self.symbol()?;
        if !matches!(quote, b'"' | b'`') {
            return Some(false);
        }
        self.advance();
        let end = self.rest.iter().position(|byte| *byte == quote)?;
        let (path, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(path == b"C")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_of_c_is_found_wherever_go_would_find_it() {
        for text in [
            "package p\nimport \"C\"\n",
            "package p; import \"C\";",
            "// a comment\n\npackage p\n\n/*\nint f(void);\n*/\nimport \"C\"\n\nfunc f() {}\n",
            "package p\nimport (\n\t\"fmt\"\n)\nimport (\n\t_ \"os\"\n\t. \"io\"\n\tx `net`\n\t\"C\"\n)\n",
            "//go:build cgo\n\npackage p\n\nimport \"fmt\"\n// #include <x.h>\nimport \"C\"\nvar x int\n",
            "\u{feff}package p\nimport \"C\"\n",
        ] {
            assert_eq!(imports_c(text.as_bytes()), Some(true), "{text}");
        }
        for text in [
            "package p\n\nimport \"fmt\"\n\nvar c = `import \"C\"`\n",
            "package p\n// import \"C\"\n/* import \"C\" */\nfunc f() {}\n",
            "package p\nimport \"c\"\nimport \"C/x\"\nconst C = \"C\"\n",
            "no go file\n",
        ] {
            assert_eq!(imports_c(text.as_bytes()), Some(false), "{text}");
        }
        for text in [
            "package p\nimport",
            "package p\n/* import \"C\"",
            "package p\nimport (\n\"fmt\"\n",
            "",
        ] {
            assert_eq!(imports_c(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_project_is_walked_as_patterns_are() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let c = "package p\nimport \"C\"\n";
        for place in ["testdata/a.go", "_x/a.go", ".x/a.go", "_a.go", "a.txt"] {
            let path = base.join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, c).unwrap();
        }
        std::os::unix::fs::symlink(base.join("a.txt"), base.join("link.go")).unwrap();
        assert_eq!(first(std::slice::from_ref(&base)), None);
        let deep = base.join("a/b/c.go");
        std::fs::create_dir_all(deep.parent().unwrap()).unwrap();
        let long = format!(
            "package p\n/*\n{}\n*/\nimport \"C\"\n",
            "x\n".repeat(BEGINNING)
        );
        std::fs::write(&deep, long).unwrap();
        assert_eq!(first(&[base]), Some(deep));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_or_hangs(text in "[package import(\"C\")/*`;\\n_.a-]{0,80}") {
            let _ = imports_c(text.as_bytes());
        }
    }
}
