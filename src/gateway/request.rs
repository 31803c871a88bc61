//! Requests from inside, read strictly: what two readers could understand in two ways is refused.
//!
//! No body is ever read, so that nothing can hide in one.

/// The gateway's name, as the go command asks a proxy for it.
const MODULES: &str = "http://modules.gosandbox";

/// A request's line and headers are no longer than this together.
pub(super) const LONGEST: usize = 16 * 1024;

const HEADERS: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Connect,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// A path that begins with `/`, decoded; for CONNECT a host and a port, as it stands.
    pub(super) target: String,
    /// Whether the path stood below the gateway's name, as a proxy is asked.
    pub(super) by_name: bool,
    /// Whether the connection is used again afterwards.
    pub(super) keep_alive: bool,
    /// `Proxy-Authorization`.
    pub(super) authorization: Option<String>,
    /// The repository that a CONNECT is for, where it is by ssh.
    pub(super) repository: Option<String>,
    /// Git's own protocol there.
    pub(super) git_protocol: Option<String>,
}

/// The header of a CONNECT that names a repository: a user, and a path.
pub(super) const REPOSITORY: &str = "Gosandbox-Repository";

/// Why a request is not answered. The connection ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    TooLarge,
    Malformed,
    Method,
    Version,
}

impl Bad {
    pub(super) fn status(self) -> (u16, &'static str) {
        match self {
            Bad::TooLarge => (431, "Request Header Fields Too Large"),
            Bad::Malformed => (400, "Bad Request"),
            Bad::Method => (405, "Method Not Allowed"),
            Bad::Version => (505, "HTTP Version Not Supported"),
        }
    }
}

/// The request at the start of `bytes`, and its length; `None` where its end has not come yet.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Bad> {
    let Some(length) = check_bytes(bytes)? else {
        return match bytes.len() >= LONGEST {
            true => Err(Bad::TooLarge),
            false => Ok(None),
        };
    };
    if length > LONGEST {
        return Err(Bad::TooLarge);
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(&bytes[..length]) {
        Ok(httparse::Status::Complete(used)) if used == length => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Bad::TooLarge),
        Err(httparse::Error::Version) => return Err(Bad::Version),
        _ => return Err(Bad::Malformed),
    }
    if parsed.version != Some(1) {
        return Err(Bad::Version);
    }
    let method = match parsed.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("CONNECT") => Method::Connect,
        _ => return Err(Bad::Method),
    };
    let headers = Headers::read(parsed.headers)?;
    let target = parsed.path.unwrap_or_default();
    let named = target.strip_prefix(MODULES);
    let by_name = named.is_some() && method != Method::Connect;
    let target = match method {
        Method::Connect => target.to_owned(),
        Method::Get | Method::Head => path(named.unwrap_or(target)).ok_or(Bad::Malformed)?,
    };
    let request = Request {
        method,
        target,
        by_name,
        keep_alive: !headers.close,
        authorization: headers.authorization,
        repository: headers.repository,
        git_protocol: headers.git_protocol,
    };
    Ok(Some((request, length)))
}

/// Line ends are CR LF and nothing else, there are no other control bytes, and no empty lines are
/// skipped before a request; httparse is more lenient. Returns where the empty line ends, if it has come:
/// what follows is the next request's, or a tunnel's.
fn check_bytes(bytes: &[u8]) -> Result<Option<usize>, Bad> {
    if bytes
        .first()
        .is_some_and(|first| !first.is_ascii_uppercase())
    {
        return Err(Bad::Malformed);
    }
    let mut line = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let fits = match byte {
            b'\n' => at > 0 && bytes[at - 1] == b'\r',
            b'\r' => bytes.get(at + 1).is_none_or(|next| *next == b'\n'),
            b'\t' => true,
            byte => !byte.is_ascii_control(),
        };
        if !fits {
            return Err(Bad::Malformed);
        }
        if *byte == b'\n' {
            if at == line + 1 {
                return Ok(Some(at + 1));
            }
            line = at + 1;
        }
    }
    Ok(None)
}

/// The headers that matter here.
#[derive(Default)]
struct Headers {
    close: bool,
    authorization: Option<String>,
    repository: Option<String>,
    git_protocol: Option<String>,
}

impl Headers {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Headers, Bad> {
        let mut read = Headers::default();
        let mut hosts = 0;
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            let value = header.value;
            if is("transfer-encoding") || (is("content-length") && value != b"0") {
                return Err(Bad::Malformed);
            }
            if is("host") {
                hosts += 1;
            }
            if is("connection") {
                let value = String::from_utf8_lossy(value);
                read.close |= value
                    .split(',')
                    .any(|word| word.trim().eq_ignore_ascii_case("close"));
            }
            let once = [
                ("proxy-authorization", &mut read.authorization),
                (REPOSITORY, &mut read.repository),
                ("git-protocol", &mut read.git_protocol),
            ];
            if let Some((_, place)) = once.into_iter().find(|(name, _)| is(name)) {
                let value = std::str::from_utf8(value).map_err(|_| Bad::Malformed)?;
                if place.replace(value.to_owned()).is_some() {
                    return Err(Bad::Malformed);
                }
            }
        }
        match hosts {
            1 => Ok(read),
            _ => Err(Bad::Malformed),
        }
    }
}

/// The path of a request's target, decoded; `None` for what no client of this gateway asks for.
///
/// Go escapes `!` and the like (`%21`). Letters, digits, dots and slashes it never does, so that an
/// escaped one is an attempt to be read in two ways.
fn path(target: &str) -> Option<String> {
    let mut decoded = String::with_capacity(target.len());
    let mut bytes = target.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => escaped(bytes.next()?, bytes.next()?)?,
            b'?' | b'#' | b'\\' => return None,
            byte if byte.is_ascii_graphic() => byte,
            _ => return None,
        };
        decoded.push(char::from(byte));
    }
    let elements = decoded.strip_prefix('/')?.split('/');
    let fit = |element: &str| !matches!(element, "" | "." | "..");
    elements.into_iter().all(fit).then_some(decoded)
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    let fits = byte.is_ascii_punctuation() && !b"./%?#\\".contains(&byte);
    fits.then_some(byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get(target: &str) -> Result<Option<(Request, usize)>, Bad> {
        parse(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
    }

    fn target(text: &str) -> Option<String> {
        get(text).ok().flatten().map(|(request, _)| request.target)
    }

    #[test]
    fn a_request_is_read_to_its_end_and_no_further() {
        let text = b"GET /t/a.b/@v/list HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\nGET /";
        let (request, length) = parse(text).expect("good").expect("whole");
        assert_eq!(request.method, Method::Get);
        assert_eq!(request.target, "/t/a.b/@v/list");
        assert!(!request.keep_alive);
        assert_eq!(&text[length..], b"GET /");
        for cut in 0..length {
            assert_eq!(parse(&text[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn a_path_may_stand_below_the_gateways_own_name_and_no_other() {
        let text = b"GET http://modules.gosandbox/a.b/@v/list HTTP/1.1\r\nHost: h\r\n\r\n";
        let (request, _) = parse(text).expect("good").expect("whole");
        assert!(request.by_name && request.target == "/a.b/@v/list");
        for bad in [
            "http://modules.gosandbox",
            "http://modules.gosandbox:80/a",
            "http://modules.gosandbox.example/a",
            "http://modules.gosandbox@example/a",
            "http://MODULES.gosandbox/a",
            "https://modules.gosandbox/a",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
        assert!(get("/a").is_ok_and(|it| it.is_some_and(|(it, _)| !it.by_name)));
    }

    #[test]
    fn odd_paths_are_refused() {
        assert_eq!(target("/a/%21b@v1+x~y").as_deref(), Some("/a/!b@v1+x~y"));
        for bad in [
            "a",
            "*",
            "http://h/a",
            "//a",
            "/a//b",
            "/a/",
            "/a/../b",
            "/a/./b",
            "/..",
            "/%2e%2e/a",
            "/a%2Fb",
            "/a%00",
            "/a%0a",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a?b",
            "/a#b",
            "/a\\b",
            "/%61",
            "/a%25b",
            "/é",
            "/%c3%a9",
            "/",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_could_hide_a_second_request_is_refused() {
        let with = |headers: &str| {
            parse(format!("GET /a HTTP/1.1\r\nHost: h\r\n{headers}\r\n").as_bytes())
        };
        assert!(with("").is_ok() && with("Content-Length: 0\r\n").is_ok());
        for headers in [
            "Content-Length: 5\r\n",
            "Content-Length: 0, 5\r\n",
            "Content-Length: 00\r\n",
            "Content-Length: +0\r\n",
            "content-length : 0\r\n",
            "Content-Length: 0\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "transfer-encoding: identity\r\n",
            "Transfer-Encoding:\r\n",
            "Host: other\r\n",
            "A: b\r\n c\r\n",
            "A: b\nC: d\r\n",
            "A: b\rC: d\r\n",
            "A: \0\r\n",
            "A b\r\n",
            ": b\r\n",
            "A: \x0b\r\n",
            "Proxy-Authorization: a\r\nProxy-Authorization: b\r\n",
        ] {
            assert_eq!(with(headers), Err(Bad::Malformed), "{headers:?}");
        }
        for text in [
            "GET /a HTTP/1.1\r\n\r\n",
            "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET  /a HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET\t/a HTTP/1.1\r\nHost: h\r\n\r\n",
            "get /a HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn other_methods_and_versions_are_named() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PRI"] {
            let text = format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(parse(text.as_bytes()), Err(Bad::Method), "{method}");
        }
        for version in ["1.0", "2.0", "0.9"] {
            let text = format!("GET /a HTTP/{version}\r\nHost: h\r\n\r\n");
            assert_eq!(parse(text.as_bytes()), Err(Bad::Version), "{version}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_its_end() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(LONGEST));
        assert_eq!(parse(&long.as_bytes()[..LONGEST]), Err(Bad::TooLarge));
        assert_eq!(parse(long.as_bytes()), Err(Bad::TooLarge));
        let many = format!(
            "GET /a HTTP/1.1\r\nHost: h\r\n{}\r\n",
            "A: b\r\n".repeat(HEADERS + 1)
        );
        assert_eq!(parse(many.as_bytes()), Err(Bad::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic_or_read_too_far(bytes: Vec<u8>) {
            if let Ok(Some((_, length))) = parse(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn what_is_read_is_read_the_same_whatever_follows(
            head in "(GET|HEAD|POST) /[a-z%0-9./]{0,12} HTTP/1.1\r\n(Host: h\r\n)?([A-C]: [ -~]{0,5}\r\n){0,2}\r\n",
            tail: Vec<u8>,
        ) {
            let mut whole = head.clone().into_bytes();
            whole.extend(&tail);
            prop_assert_eq!(parse(&whole), parse(head.as_bytes()));
        }

        #[test]
        fn every_accepted_path_is_plain(text in "/[!-~]{0,20}") {
            if let Some(path) = target(&text) {
                prop_assert!(path.bytes().all(|b| b.is_ascii_graphic()));
                prop_assert!(!path.split('/').any(|e| e == ".." || e == "."));
                prop_assert!(!path[1..].split('/').any(str::is_empty));
            }
        }
    }
}
