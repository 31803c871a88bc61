//! The C compiler that compiles Go's own packages: one of the system's.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::Session;
use crate::files::look;
use crate::go::toolchain::Toolchain;
use crate::go::trust::{Trust, Untrusted};
use crate::policy::compilers::is_compiler;
use crate::refusal::{Code, Refused};

/// What go calls where nothing is set.
const DEFAULT: &str = "gcc";
/// Where it is looked for. No folder of PATH counts: the user's and the work tree's are among them.
const FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// A C compiler that root alone can change.
pub(super) struct Compiler {
    /// The name that go calls it by, which is a part of the keys of what it compiles.
    pub name: String,
    /// Where that name is.
    pub path: PathBuf,
    /// Which file it is, and of which time.
    pub fingerprint: String,
}

impl Compiler {
    /// The one that go would call: by CC, in the environment or by `go env -w` or in GOROOT's go.env, else gcc.
    ///
    /// # Errors
    /// CC is no plain name of a C compiler, or the system has none of this name.
    pub fn find(session: &Session<'_>, toolchain: &Toolchain) -> anyhow::Result<Compiler> {
        let own = toolchain.settings.iter().find(|(name, _)| name == "CC");
        let own = own.map(|(_, value)| value.into());
        let named = session.go_variable("CC").or(own);
        let name = named.as_deref().unwrap_or(OsStr::new(DEFAULT));
        let name = name.to_string_lossy().into_owned();
        if !is_c_compiler(&name) {
            let text = format!(
                "cannot use CC={name} with -race: it is not the plain name of a C compiler of the system's, such as gcc or \
                 clang-17"
            );
            return Err(Refused::new(Code::RaceUnavailable, text)
                .words("env -u CC gosandbox --profile ci -- go test -race ./...")
                .words("go env -u CC")
                .into());
        }
        let mut distrusted = None;
        for folder in FOLDERS {
            let path = Path::new(folder).join(&name);
            match Trust::new(0, 0).resolve(&path) {
                Ok(real) => {
                    let fingerprint = fingerprint(&real)?;
                    return Ok(Compiler {
                        name,
                        path,
                        fingerprint,
                    });
                }
                Err(Untrusted::Unreadable { .. }) => {}
                Err(error) => distrusted = Some(error),
            }
        }
        let text = match distrusted {
            Some(error) => format!(
                "cannot prepare -race: the C compiler {name} is not the system's alone: {error}"
            ),
            None => format!(
                "cannot prepare -race: there is no C compiler {name} in {}, which Go's own C code is compiled with",
                FOLDERS.join(", ")
            ),
        };
        Err(Refused::new(Code::RaceUnavailable, text)
            .words(install())
            .into())
    }
}

/// Whether it is the name of a C compiler, and nothing else: no path, no arguments, no assembler or linker.
fn is_c_compiler(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    let unversioned = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let last = unversioned.rsplit('-').next().unwrap_or_default();
    name.bytes().all(is_plain)
        && is_compiler(Path::new(name))
        && matches!(last, "cc" | "gcc" | "clang")
}

/// What changes with each upgrade.
pub(super) fn fingerprint(file: &Path) -> anyhow::Result<String> {
    let found = look::metadata(file)?;
    Ok(format!(
        "{} {}:{} {} {}.{} {}.{}",
        file.display(),
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    ))
}

/// How a C compiler and the headers of the C library are installed here.
pub(super) fn install() -> String {
    let release = look::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    command_of(&format!("{} {}", value("ID="), value("ID_LIKE="))).to_owned()
}

fn command_of(systems: &str) -> &'static str {
    const COMMANDS: [(&[&str], &str); 5] = [
        (&["debian", "ubuntu"], "apt-get install gcc libc6-dev"),
        (&["fedora", "rhel", "centos"], "dnf install gcc glibc-devel"),
        (&["alpine"], "apk add gcc musl-dev"),
        (&["arch"], "pacman -S gcc"),
        (&["suse", "opensuse"], "zypper install gcc glibc-devel"),
    ];
    let found = COMMANDS
        .iter()
        .find(|(names, _)| systems.split(' ').any(|word| names.contains(&word)));
    found.map_or(
        "install gcc and the headers of the C library",
        |(_, command)| command,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_c_compilers_are_called() {
        for name in [
            "gcc",
            "gcc-12",
            "clang",
            "clang-17",
            "cc",
            "x86_64-linux-gnu-gcc-12",
        ] {
            assert!(is_c_compiler(name), "{name}");
        }
        for name in [
            "",
            "sh",
            "ld",
            "as",
            "./gcc",
            "/usr/bin/gcc",
            "gcc -m32",
            "../gcc",
            "ccache gcc",
            "gcc\n",
            "zig cc",
            "go",
            "gcc-ar",
            "g++",
            "evil",
            "cpp",
        ] {
            assert!(!is_c_compiler(name), "{name}");
        }
    }

    #[test]
    fn the_package_is_named_as_the_system_has_it() {
        assert!(command_of("ubuntu debian").starts_with("apt-get"));
        assert!(command_of("rocky rhel fedora").starts_with("dnf"));
        assert!(command_of("alpine ").starts_with("apk"));
        assert!(command_of("nixos ").starts_with("install gcc"));
    }
}
