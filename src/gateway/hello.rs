//! The first message of TLS, looked at as it passes: which name does a client ask for?

/// What is seen in the first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// Its end has not come yet.
    Partial,
    /// A ClientHello that asks for this name.
    Name(String),
    /// A ClientHello without a name.
    Nameless,
    /// A ClientHello with another one, encrypted, inside (ECH): its name cannot be known.
    Encrypted,
    /// Something else.
    Other,
}

/// No ClientHello is longer, with its records' headers.
pub(super) const LONGEST: usize = 32 * 1024;

/// The first byte of a TLS record that holds a handshake message.
pub(super) const HANDSHAKE: u8 = 22;

const SERVER_NAME: u16 = 0;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// Looks at the first bytes that a client sends.
pub(super) fn read(bytes: &[u8]) -> Hello {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        // A record: content type 22 (handshake), version 3.x, length.
        match rest {
            [] => break,
            [HANDSHAKE] | [HANDSHAKE, 3, ..] => {}
            _ => return Hello::Other,
        }
        let [_, _, _, high, low, ..] = rest else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length == 0 || length > 16384 {
            return Hello::Other;
        }
        let fragment = rest[5..].get(..length);
        message.extend_from_slice(fragment.unwrap_or(&rest[5..]));
        match client_hello(&message) {
            Some(hello) => return hello,
            None if fragment.is_none() => break,
            None => rest = &rest[5 + length..],
        }
    }
    match bytes.len() >= LONGEST {
        true => Hello::Other,
        false => Hello::Partial,
    }
}

/// Reads a handshake message; `None` where its end has not come yet.
fn client_hello(message: &[u8]) -> Option<Hello> {
    let (kind, rest) = message.split_first()?;
    if *kind != 1 {
        return Some(Hello::Other);
    }
    let length = usize::try_from(u32::from_be_bytes([
        0,
        *rest.first()?,
        *rest.get(1)?,
        *rest.get(2)?,
    ]));
    let length = length.unwrap_or(usize::MAX);
    if length > LONGEST {
        return Some(Hello::Other);
    }
    let body = rest[3..].get(..length)?;
    Some(extensions(body).and_then(name).unwrap_or(Hello::Other))
}

/// The extensions of a ClientHello; none is an empty list.
fn extensions(body: &[u8]) -> Option<&[u8]> {
    let body = body.get(2 + 32..)?; // version, random
    let (_, body) = prefixed_u8(body)?; // session
    let (_, body) = prefixed_u16(body)?; // cipher suites
    let (_, body) = prefixed_u8(body)?; // compression
    if body.is_empty() {
        return Some(body);
    }
    let (extensions, rest) = prefixed_u16(body)?;
    rest.is_empty().then_some(extensions)
}

/// The name in the extensions; `None` where they are malformed.
fn name(mut extensions: &[u8]) -> Option<Hello> {
    let mut found = Hello::Nameless;
    while !extensions.is_empty() {
        let (kind, rest) = u16_of(extensions)?;
        let (value, rest) = prefixed_u16(rest)?;
        extensions = rest;
        match kind {
            ENCRYPTED_CLIENT_HELLO => return Some(Hello::Encrypted),
            // Twice is against the rules, and could be read in two ways.
            SERVER_NAME if found != Hello::Nameless => return None,
            SERVER_NAME => found = Hello::Name(server_name(value)?),
            _ => {}
        }
    }
    Some(found)
}

/// A list of exactly one host name.
fn server_name(value: &[u8]) -> Option<String> {
    let (list, rest) = prefixed_u16(value)?;
    let (kind, entry) = list.split_first()?;
    let (name, more) = prefixed_u16(entry)?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
    let fits = *kind == 0 && rest.is_empty() && more.is_empty() && !name.is_empty();
    (fits && name.iter().all(plain)).then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
}

fn u16_of(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

fn prefixed_u8(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn prefixed_u16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = u16_of(bytes)?;
    rest.split_at_checked(usize::from(length))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::pki_types::ServerName;

    use super::*;

    /// What rustls itself sends first.
    fn hello(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut client =
            rustls::ClientConnection::new(Arc::new(config), name).expect("a connection");
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("written");
        bytes
    }

    #[test]
    fn the_name_of_a_real_hello_is_found_at_its_end_and_not_before() {
        let bytes = hello("A.Example");
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Hello::Partial, "{cut}");
        }
        assert_eq!(read(&bytes), Hello::Name("a.example".to_owned()));
        assert_eq!(read(&hello("1.2.3.4")), Hello::Nameless);
    }

    #[test]
    fn a_hello_in_many_records_is_put_together() {
        let bytes = hello("a.example");
        let mut split = Vec::new();
        for piece in bytes[5..].chunks(7) {
            split.extend([22, 3, 1, 0, u8::try_from(piece.len()).expect("short")]);
            split.extend(piece);
        }
        assert_eq!(read(&split), Hello::Name("a.example".to_owned()));
    }

    /// A ClientHello with these extensions.
    fn with(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let prefix = |bytes: &[u8]| {
            let length = u16::try_from(bytes.len()).expect("short");
            [&length.to_be_bytes(), bytes].concat()
        };
        let list: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, value)| [kind.to_be_bytes().to_vec(), prefix(value)].concat())
            .collect();
        let mut body = vec![3, 3];
        body.extend([0; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend(prefix(&list));
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        let message = [&[1, length[1], length[2], length[3]], &body[..]].concat();
        [&[22, 3, 1], &prefix(&message)[..]].concat()
    }

    #[test]
    fn what_hides_its_name_or_has_two_is_seen() {
        let one = [0, 4, 0, 0, 1, b'a'];
        assert_eq!(read(&with(&[(0, &one)])), Hello::Name("a".to_owned()));
        assert_eq!(read(&with(&[])), Hello::Nameless);
        assert_eq!(read(&with(&[(0, &one), (0xfe0d, &[0])])), Hello::Encrypted);
        assert_eq!(read(&with(&[(0, &one), (0, &one)])), Hello::Other);
        let two = [0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'];
        assert_eq!(read(&with(&[(0, &two)])), Hello::Other);
        assert_eq!(read(&with(&[(0, &[0, 4, 0, 0, 1, 0])])), Hello::Other);
    }

    #[test]
    fn what_is_not_tls_is_something_else() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"SSH-2.0-x",
            &[22, 2],
            &[22, 3, 1, 0, 0],
            &[21],
        ] {
            assert_eq!(read(bytes), Hello::Other, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>, flips in prop::collection::vec((0usize..600, any::<u8>()), 0..4)) {
            read(&bytes);
            bytes = hello("a.example");
            for (at, value) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            read(&bytes);
        }
    }
}
