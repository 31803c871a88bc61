//! Programs that never run inside, by name: C compilers, assemblers, linkers.

use std::path::Path;

/// Whether a program's name is that of a C compiler, assembler or linker, cross ones
/// (`aarch64-linux-gnu-gcc-12`) included.
pub fn is_compiler(program: &Path) -> bool {
    let Some(name) = program.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let unversioned = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let bare = match unversioned.rsplit_once('-') {
        // `gcc-ar`, `clang-cpp` start with the compiler, `x86_64-linux-gnu-gcc` ends with it.
        Some((front, last)) if !is_compiler_word(front) => last,
        Some((front, _)) => front,
        None => unversioned,
    };
    is_compiler_word(name)
        || is_compiler_word(bare)
        || matches!(bare, "ld.bfd" | "ld.gold" | "ld.lld" | "ld.mold")
}

fn is_compiler_word(word: &str) -> bool {
    const WORDS: [&str; 30] = [
        "ar",
        "as",
        "bcc",
        "c++",
        "c89",
        "c99",
        "cc",
        "cc1",
        "cc1plus",
        "clang",
        "clang++",
        "collect2",
        "cpp",
        "f951",
        "g++",
        "gas",
        "gcc",
        "gccgo",
        "gfortran",
        "gold",
        "ld",
        "ld.bfd",
        "lld",
        "lto-wrapper",
        "lto1",
        "mold",
        "nasm",
        "pkg-config",
        "tcc",
        "yasm",
    ];
    WORDS.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_known_by_their_canonical_names() {
        for name in [
            "x86_64-linux-gnu-gcc-12",
            "gcc",
            "clang-17",
            "x86_64-linux-gnu-ld.bfd",
            "ld.lld",
            "tcc",
            "x86_64-linux-gnu-as",
            "c99",
            "ld.gold",
            "cc1",
            "gcc-ar",
            "pkg-config",
            "x86_64-w64-mingw32-gcc",
        ] {
            assert!(is_compiler(&Path::new("/usr/bin").join(name)), "{name}");
        }
        for name in [
            "dash", "basename", "sed", "tac", "git", "bash", "go", "ls", "install",
        ] {
            assert!(!is_compiler(&Path::new("/usr/bin").join(name)), "{name}");
        }
    }
}
