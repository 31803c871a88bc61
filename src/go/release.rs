//! What of a Go distribution's files the published toolchain module holds, and under which names.
//!
//! The module `golang.org/toolchain` is the distribution without `api`, `doc`, `misc` and `test`,
//! and with each `go.mod` renamed `_go.mod` (cmd/distpack). Everything else that lies in a GOROOT
//! is not needed to build, and is left out of a copy.

use super::host_arch;

/// Files at the top.
const TOP: [&str; 8] = [
    "CONTRIBUTING.md",
    "LICENSE",
    "PATENTS",
    "README.md",
    "SECURITY.md",
    "VERSION",
    "codereview.cfg",
    "go.env",
];

/// The settings of `go.env` as they are published.
const SETTINGS: [(&str, &str); 3] = [
    ("GOPROXY", "https://proxy.golang.org,direct"),
    ("GOSUMDB", "sum.golang.org"),
    ("GOTOOLCHAIN", "auto"),
];

/// The module that holds a version, as `path@version`.
pub fn module(version: &str) -> String {
    format!(
        "golang.org/toolchain@v0.0.1-go{version}.linux-{}",
        host_arch()
    )
}

/// The name that a file of GOROOT has in the module; `None` where it is not in there.
pub fn published(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.contains(&".DS_Store") {
        return None;
    }
    let tools = format!("linux_{}", host_arch());
    let is_in = match parts.as_slice() {
        [top] => TOP.contains(top),
        ["bin", program] => matches!(*program, "go" | "gofmt"),
        ["pkg", "include", _, ..] => true,
        ["pkg", "tool", platform, _, ..] => *platform == tools,
        ["lib" | "src", _, ..] => true,
        _ => false,
    };
    let renamed = || match name.strip_suffix("go.mod") {
        Some(folder) if folder.ends_with('/') || folder.is_empty() => format!("{folder}_go.mod"),
        _ => name.to_owned(),
    };
    is_in.then(renamed)
}

/// Whether a folder of GOROOT can hold a file that is published.
pub fn is_searched(name: &str) -> bool {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["bin" | "pkg"] | ["pkg", "include" | "tool"] | ["lib" | "src", ..] => true,
        ["pkg", _, _, ..] => published(&format!("{name}/x")).is_some(),
        _ => false,
    }
}

/// Whether a file is a program.
pub fn is_program(name: &str) -> bool {
    name.starts_with("bin/") || name.starts_with("pkg/tool/")
}

/// `go.env` with the settings that distributors and images change as they are published.
pub fn original_settings(text: &str) -> String {
    let line = |line: &str| {
        let name = line.split('=').next().unwrap_or_default();
        let known = SETTINGS.iter().find(|(known, _)| *known == name);
        match known {
            Some((name, value)) => format!("{name}={value}\n"),
            None => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distributions_files_have_the_modules_names() {
        let tool = format!("pkg/tool/linux_{}/compile", host_arch());
        for (name, expected) in [
            ("VERSION", Some("VERSION")),
            ("bin/go", Some("bin/go")),
            (&tool, Some(tool.as_str())),
            ("pkg/include/textflag.h", Some("pkg/include/textflag.h")),
            ("src/go.mod", Some("src/_go.mod")),
            ("src/cmd/go.mod", Some("src/cmd/_go.mod")),
            ("src/cmd/go.modx", Some("src/cmd/go.modx")),
            ("src/a/xgo.mod", Some("src/a/xgo.mod")),
            ("lib/time/zoneinfo.zip", Some("lib/time/zoneinfo.zip")),
            ("bin/godoc", None),
            ("setup.sh", None),
            ("VERSION.cache", None),
            ("misc/wasm/x", None),
            ("pkg/tool/plan9_mips/compile", None),
            ("pkg/linux_amd64_race/runtime.a", None),
            ("src/a/.gitattributes", Some("src/a/.gitattributes")),
            (".gitattributes", None),
            ("src/.DS_Store", None),
        ] {
            assert_eq!(published(name).as_deref(), expected, "{name}");
        }
        for folder in [
            "src",
            "src/cmd",
            "pkg",
            "pkg/tool",
            "lib",
            "bin",
            "pkg/include",
        ] {
            assert!(is_searched(folder), "{folder}");
        }
        for folder in ["test", "api", "pkg/mod", "pkg/tool/plan9_mips", "bin/x"] {
            assert!(!is_searched(folder), "{folder}");
        }
    }

    #[test]
    fn settings_are_put_back_and_nothing_else_is() {
        let changed = "# c\nGOPROXY=direct\n\n# d\nGOTOOLCHAIN=local\nGOFLAGS=-x\n";
        let expected =
            "# c\nGOPROXY=https://proxy.golang.org,direct\n\n# d\nGOTOOLCHAIN=auto\nGOFLAGS=-x\n";
        assert_eq!(original_settings(changed), expected);
    }
}
