//! /etc/hosts, hosts(5): an address a line, and its names.

use std::net::IpAddr;

/// Every address of a name, in the file's order. A line that cannot be read has none.
pub(super) fn addresses(content: &[u8], name: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in content.split(|b| *b == b'\n') {
        let line = line.split(|b| *b == b'#').next().unwrap_or_default();
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let mut words = line.split_ascii_whitespace();
        let address = words.next().and_then(|word| word.parse().ok());
        let is_named = words.any(|word| {
            let word = word.strip_suffix('.').unwrap_or(word);
            word.eq_ignore_ascii_case(name)
        });
        if let Some(address) = address
            && is_named
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::addresses;

    const HOSTS: &[u8] = b"# 10.0.0.9 proxy\n\
        127.0.0.1\tlocalhost  loop\n\
        ::1 localhost ip6-localhost\n\
        10.0.0.1 proxy.example Proxy # proxy.old\r\n\
        10.0.0.2 \xff proxy\n\
        10.0.0.3 proxy\n\
        10.0.0.3 proxy\n\
        fe80::1%eth0 proxy\n\
        nowhere proxy\n\
        10.0.0.4\n\
        10.0.0.5 absolute.example.";

    #[test]
    fn a_name_has_the_addresses_of_every_line_that_names_it() {
        for (name, expected) in [
            ("localhost", &["127.0.0.1", "::1"][..]),
            ("loop", &["127.0.0.1"]),
            ("ip6-localhost", &["::1"]),
            ("proxy", &["10.0.0.1", "10.0.0.3"]),
            ("proxy.example", &["10.0.0.1"]),
            ("absolute.example", &["10.0.0.5"]),
            ("proxy.old", &[]),
            ("example", &[]),
        ] {
            let found = addresses(HOSTS, name);
            let expected: Vec<std::net::IpAddr> =
                expected.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
