//! Patterns of module paths, exactly as GOPRIVATE has them: `module.MatchPrefixPatterns` of
//! golang.org/x/mod, and `path.Match` beneath it.
//!
//! globset is no help: it knows `**` and braces, and lets classes match otherwise than Go does.

/// Whether `pattern` matches a prefix of path elements of `module`.
pub fn matches(pattern: &str, module: &str) -> bool {
    let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
    if pattern.is_empty() {
        return false;
    }
    let slashes = pattern.matches('/').count();
    let mut ends = module
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([module.len()]);
    ends.nth(slashes).is_some_and(|end| {
        let pattern: Vec<char> = pattern.chars().collect();
        let prefix: Vec<char> = module[..end].chars().collect();
        glob(&pattern, &prefix)
    })
}

/// Whether the pattern can be read as Go reads it; one that cannot matches nothing.
pub fn is_well_formed(pattern: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut rest = &pattern[..];
    while !rest.is_empty() {
        match piece(rest) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

/// Whether everything that `inner` matches is matched by `outer`; `false` where it is not certain.
pub fn covers(outer: &str, inner: &str) -> bool {
    let plain = |c: char| !"*?[]\\".contains(c);
    let outer = outer.strip_suffix('/').unwrap_or(outer);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let outer: Vec<&str> = outer.split('/').collect();
    let inner: Vec<&str> = inner.split('/').collect();
    outer.len() <= inner.len()
        && outer.iter().zip(&inner).all(|(outer, inner)| {
            *outer == "*" || outer == inner || (inner.chars().all(plain) && matches(outer, inner))
        })
}

/// What one piece of a pattern stands for.
enum Piece {
    /// `*`: any number of characters but `/`.
    Any,
    /// `?`: one character but `/`.
    One,
    /// One of some ranges, or none of them.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// Itself.
    Literal(char),
}

impl Piece {
    fn accepts(&self, c: char) -> bool {
        match self {
            Piece::Any | Piece::One => c != '/',
            Piece::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
            Piece::Literal(literal) => *literal == c,
        }
    }
}

/// The first piece of a pattern, and what follows; `None` where the pattern is malformed.
fn piece(pattern: &[char]) -> Option<(Piece, &[char])> {
    let (first, rest) = pattern.split_first()?;
    match first {
        '*' => Some((Piece::Any, rest)),
        '?' => Some((Piece::One, rest)),
        '\\' => rest
            .split_first()
            .map(|(literal, rest)| (Piece::Literal(*literal), rest)),
        '[' => class(rest),
        literal => Some((Piece::Literal(*literal), rest)),
    }
}

fn class(pattern: &[char]) -> Option<(Piece, &[char])> {
    let negated = pattern.first() == Some(&'^');
    let mut rest = if negated { &pattern[1..] } else { pattern };
    let mut ranges = Vec::new();
    loop {
        if rest.first() == Some(&']') && !ranges.is_empty() {
            return Some((Piece::Class { negated, ranges }, &rest[1..]));
        }
        let (low, after) = character(rest)?;
        let (high, after) = match after.first() {
            Some('-') => character(&after[1..])?,
            _ => (low, after),
        };
        ranges.push((low, high));
        rest = after;
    }
}

/// A character of a class, perhaps escaped.
fn character(pattern: &[char]) -> Option<(char, &[char])> {
    match pattern.split_first()? {
        ('-' | ']', _) => None,
        ('\\', rest) => rest.split_first().map(|(c, rest)| (*c, rest)),
        (c, rest) => Some((*c, rest)),
    }
}

/// `path.Match`, by going back to the last `*` only: no pattern takes more than n·m steps.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut back: Option<(&[char], &[char])> = None;
    loop {
        match piece(pattern) {
            Some((Piece::Any, rest)) => {
                back = Some((rest, text));
                pattern = rest;
                continue;
            }
            Some((one, rest)) if text.first().is_some_and(|c| one.accepts(*c)) => {
                pattern = rest;
                text = &text[1..];
                continue;
            }
            None if !pattern.is_empty() => return false,
            None if text.is_empty() => return true,
            _ => {}
        }
        match back {
            Some((rest, at)) if at.first().is_some_and(|c| *c != '/') => {
                back = Some((rest, &at[1..]));
                pattern = rest;
                text = &at[1..];
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_go_says() {
        // From module.MatchPrefixPatterns and path.Match of Go 1.26, run over these rows.
        for (pattern, module, expected) in [
            ("*", "golang.org/x/mod", true),
            ("golang.org", "golang.org/x/mod", true),
            ("golang.org/x", "golang.org/x/mod", true),
            ("golang.org/x/", "golang.org/x/mod", true),
            ("golang.org/x/mod/y", "golang.org/x/mod", false),
            ("golang.org/*", "golang.org", false),
            ("golang.or", "golang.org/x", false),
            ("*.example.com", "git.example.com/a", true),
            ("*.example.com", "example.com/a", false),
            ("*/x", "golang.org/x/mod", true),
            ("*/*/mod", "golang.org/x/mod", true),
            ("**", "a.b/c", true),
            ("a?c", "abc/d", true),
            ("a?c", "a/c", false),
            ("a[b-d]c", "acc/x", true),
            ("a[^b-d]c", "acc/x", false),
            ("a[^/]c", "abc/x", false),
            ("a\\*c", "a*c", true),
            ("a[", "a", false),
            ("a[]b]", "a]", false),
            ("", "a", false),
            ("/", "a", false),
        ] {
            assert_eq!(matches(pattern, module), expected, "{pattern} {module}");
        }
    }

    #[test]
    fn what_go_cannot_read_is_malformed() {
        for good in ["*", "a[b]c", "a[^b-d]", "a\\[", "a]"] {
            assert!(is_well_formed(good), "{good}");
        }
        for bad in ["a[", "a[]", "a[]b]", "a[b-]", "a\\", "[-a]", "[^]"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_time() {
        assert!(!matches(
            &"*a".repeat(40),
            &"a".repeat(400).replace("aa", "ab")
        ));
    }

    proptest! {
        #[test]
        fn what_a_covered_pattern_matches_its_cover_matches(
            outer in "[ab*?/]{1,6}", inner in "[ab*?/]{1,6}", module in "[ab]{1,2}(/[ab]{1,2}){0,3}",
        ) {
            if covers(&outer, &inner) && matches(&inner, &module) {
                prop_assert!(matches(&outer, &module));
            }
        }

        #[test]
        fn a_module_matches_itself_and_every_prefix_of_its_elements(module in "[a-z.]{1,5}(/[a-z]{1,4}){0,3}") {
            for (at, _) in module.match_indices('/').chain([(module.len(), "")]) {
                prop_assert!(matches(&module[..at], &module));
            }
        }

        #[test]
        fn no_pattern_makes_the_matcher_panic(pattern in "\\PC{0,20}", module in "\\PC{0,20}") {
            // A pattern without a meta character is its own prefix match.
            if !pattern.contains(['*', '?', '[', '\\']) && matches(&pattern, &module) {
                prop_assert!(module.starts_with(pattern.trim_end_matches('/')));
            }
        }
    }
}
