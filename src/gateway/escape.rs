//! Module paths and versions as they stand in the paths of the GOPROXY protocol: an upper-case
//! letter is `!` and the lower-case one. What Go would not ask for is no module.

/// Device names that Windows keeps; Go refuses them everywhere.
const WINDOWS: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// `github.com/!azure/x` → `github.com/Azure/x`; `None` where Go's rules do not hold.
pub(super) fn module(escaped: &str) -> Option<String> {
    let module = unescape(escaped)?;
    let first = module.split('/').next()?;
    let domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let fits = module.len() <= 1024
        && module.split('/').all(is_element)
        && first.contains('.')
        && !first.starts_with('-')
        && first.bytes().all(domain);
    fits.then_some(module)
}

/// An element of a module path, as `module.CheckPath` wants it.
fn is_element(element: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if element.is_empty() || !element.bytes().all(fits) {
        return false;
    }
    if element.starts_with('.') || element.ends_with('.') {
        return false;
    }
    let short = element.split('.').next().unwrap_or_default();
    if WINDOWS.iter().any(|name| short.eq_ignore_ascii_case(name)) {
        return false;
    }
    // `~1` at the end is how Windows abbreviates names.
    short
        .rsplit_once('~')
        .is_none_or(|(_, digits)| digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A version, or what a query such as `@main` asks for.
pub(super) fn version(escaped: &str) -> Option<String> {
    let version = unescape(escaped)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+".contains(&b);
    // Nothing, or nothing but dots.
    let empty = version.bytes().all(|b| b == b'.');
    (!empty && version.len() <= 256 && version.bytes().all(fits)).then_some(version)
}

fn unescape(escaped: &str) -> Option<String> {
    let mut text = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        match c {
            '!' => text.push(
                chars
                    .next()
                    .filter(char::is_ascii_lowercase)?
                    .to_ascii_uppercase(),
            ),
            'A'..='Z' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

/// A version in its full form, as `.mod` and `.zip` are asked for: `v1.2.3`, with what may follow.
pub(super) fn is_canonical(version: &str) -> bool {
    let Some(rest) = version.strip_prefix('v') else {
        return false;
    };
    let rest = rest.strip_suffix("+incompatible").unwrap_or(rest);
    let (numbers, pre) = match rest.split_once('-') {
        Some((numbers, pre)) => (numbers, Some(pre)),
        None => (rest, None),
    };
    let number = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && pre.is_none_or(|pre| pre.split('.').all(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::paths::escape_module;

    #[test]
    fn module_paths_are_decoded_and_checked_as_go_does() {
        assert_eq!(
            module("github.com/!azure/azure-sdk").as_deref(),
            Some("github.com/Azure/azure-sdk")
        );
        for good in [
            "a.b",
            "golang.org/x/mod",
            "example.com/a_b~c/v2",
            "gopkg.in/yaml.v3",
        ] {
            assert_eq!(module(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "a",
            "a/b.c",
            "github.com/Azure",
            "github.com/!!a",
            "github.com/!1",
            "a.b/!",
            "a.b/",
            "/a.b",
            "a.b//c",
            "a.b/../c",
            "a.b/.",
            "a.b/.git",
            "a.b/c.",
            "a.b/c d",
            "a.b/é",
            "a.b/c:d",
            "-a.b/c",
            "!a.b/c",
            "a.b/con",
            "a.b/nul.txt",
            "a.b/x~1",
            "a.b/c%2e",
            "a.b/c\\d",
        ] {
            assert_eq!(module(bad), None, "{bad}");
        }
    }

    #[test]
    fn versions_are_checked_and_full_ones_are_told_apart() {
        for (text, canonical) in [
            ("v1.2.3", true),
            ("v0.0.0-20200101000000-abcdefabcdef", true),
            ("v2.0.0+incompatible", true),
            ("v1.0.0-rc.1", true),
            ("v0.0.1-go1.26.1.linux-amd64", true),
            ("v1", false),
            ("v1.02.3", false),
            ("main", false),
            ("v1.0.0-", false),
        ] {
            assert_eq!(version(text).as_deref(), Some(text));
            assert_eq!(is_canonical(text), canonical, "{text}");
        }
        for bad in ["..", ".", "v1/2", "", "v1 ", "v1%", "V1"] {
            assert_eq!(version(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_can_be_read_again(text in "[a-z]{1,4}\\.[a-z]{2}(/[A-Za-z]{1,6}){0,3}") {
            let known = module(&escape_module(&text));
            if let Some(known) = known {
                prop_assert_eq!(known, text);
            }
        }

        #[test]
        fn no_path_of_dots_or_odd_bytes_is_a_module(text in "[a-zA-Z./!%~ \\\\-]{0,24}") {
            if let Some(module) = module(&text) {
                prop_assert!(!module.contains("..") || !module.split('/').any(|e| e == ".."));
                prop_assert_eq!(escape_module(&module), text);
            }
        }
    }
}
