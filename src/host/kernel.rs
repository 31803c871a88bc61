//! The kernel's release, and the version in it.

/// The release, such as `6.8.0-31-generic` (uname(2)).
pub fn release() -> String {
    let system = rustix::system::uname();
    system.release().to_string_lossy().into_owned()
}

/// The machine's own name (uname(2)).
pub fn node() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

/// The version, such as `(6, 8)`. `None` if the release does not begin with one.
pub fn version() -> Option<(u32, u32)> {
    parse(&release())
}

fn parse(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_releases() {
        for (release, version) in [
            ("6.8.0-31-generic", Some((6, 8))),
            ("5.14-rc1", Some((5, 14))),
            ("5.15+", Some((5, 15))),
            ("6.1", Some((6, 1))),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(parse(release), version, "{release}");
        }
        assert!(parse("5.9.1") < Some((5, 14)));
    }
}
