//! A path of the GOPROXY protocol, asked of upstreams in their order.

use std::io::{self, Read};

use ureq::http::header;

use super::client::{Client, Failed};
use super::folder;
use super::upstream::{Next, Upstream, Upstreams};
use crate::text::clean;

/// What an upstream says of a failure is no longer.
const DETAIL: u64 = 4 * 1024;

/// What an upstream answers.
pub(crate) struct Answer {
    /// How many bytes follow, where the upstream says so.
    pub(crate) length: Option<u64>,
    pub(crate) body: Box<dyn Read + Send>,
    /// The upstream, for the log.
    pub(crate) upstream: String,
}

/// No upstream has it, or none could be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The status that go is given.
    pub(crate) status: u16,
    /// The reason phrase that go prints.
    pub(crate) reason: String,
    /// What the upstream said, which go prints below.
    pub(crate) detail: Option<String>,
    pub(crate) upstream: Option<String>,
}

impl Failure {
    /// Whether there is no such thing, as 404 and 410 say.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.status, 404 | 410)
    }

    fn missing(upstream: &str) -> Failure {
        Failure {
            status: 404,
            reason: "Not Found".to_owned(),
            detail: None,
            upstream: Some(upstream.to_owned()),
        }
    }

    /// Something that the gateway itself has to say.
    pub(crate) fn own(status: u16, reason: String, upstream: Option<String>) -> Failure {
        Failure {
            status,
            reason: clean(&reason),
            detail: None,
            upstream,
        }
    }
}

/// Asks each upstream in order, as long as what the last one said leads to the next.
pub(crate) fn get(client: &Client, upstreams: &Upstreams, path: &str) -> Result<Answer, Failure> {
    let mut worst: Option<Failure> = None;
    for (upstream, next) in &upstreams.0 {
        if *upstream == Upstream::Off {
            break;
        }
        let failure = match one(client, upstream, path) {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let goes_on = *next == Next::OnError || failure.is_missing();
        // An error says more than that another one has not got it.
        if worst.as_ref().is_none_or(Failure::is_missing) {
            worst = Some(failure);
        }
        if !goes_on {
            break;
        }
    }
    Err(worst.unwrap_or_else(|| {
        Failure::own(
            403,
            "refused by gosandbox: modules.upstreams is off".to_owned(),
            None,
        )
    }))
}

/// Asks one upstream.
pub(crate) fn one(client: &Client, upstream: &Upstream, path: &str) -> Result<Answer, Failure> {
    match upstream {
        Upstream::Off => Err(Failure::missing("off")),
        Upstream::Folder(folder) => {
            let name = format!("file://{}", folder.display());
            match folder::open(folder, path) {
                Ok(Some((file, length))) => Ok(Answer {
                    length: Some(length),
                    body: Box::new(file.take(length)),
                    upstream: name,
                }),
                Ok(None) => Err(Failure::missing(&name)),
                Err(error) => {
                    let reason = format!("gosandbox cannot read {name}/{path}: {error}");
                    Err(Failure::own(502, reason, Some(name)))
                }
            }
        }
        Upstream::Web(address) => web(client, address, path),
    }
}

fn web(client: &Client, address: &str, path: &str) -> Result<Answer, Failure> {
    let response = client.get(&format!("{address}/{path}")).map_err(|failed| {
        let reason = format!("gosandbox cannot fetch from {address}: {failed}");
        let status = match failed {
            Failed::Refused(_) | Failed::Redirect(_) | Failed::Redirects => 403,
            Failed::Request(_) => 502,
        };
        Failure::own(status, reason, Some(address.to_owned()))
    })?;
    let status = response.status();
    let is_text = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/plain"));
    let (parts, body) = response.into_parts();
    if status.as_u16() != 200 {
        let mut failure = Failure::own(
            // A success without a body, or a redirect, is no answer to this protocol.
            if status.as_u16() < 400 {
                502
            } else {
                status.as_u16()
            },
            status.canonical_reason().unwrap_or("Unknown").to_owned(),
            Some(address.to_owned()),
        );
        if !failure.is_missing() {
            failure.reason = clean(&format!("{} (from {address})", failure.reason));
        }
        failure.detail = is_text.then(|| detail(body.into_reader())).flatten();
        return Err(failure);
    }
    let has = |name| parts.headers.contains_key(name);
    let chunked = has(header::TRANSFER_ENCODING);
    // An empty body has no length for ureq.
    let empty = !chunked && has(header::CONTENT_LENGTH);
    let length = body.content_length().or(empty.then_some(0));
    if length.is_none() && !chunked && address.starts_with("http://") {
        // Where the end of the connection is the end of the file, a broken one looks whole; TLS
        // tells the two apart.
        let reason = format!("gosandbox cannot fetch from {address}: it gives no length");
        return Err(Failure::own(502, reason, Some(address.to_owned())));
    }
    Ok(Answer {
        length,
        body: Box::new(body.into_reader()),
        upstream: address.to_owned(),
    })
}

/// What an upstream says, as far as a terminal can be shown it.
fn detail(body: impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    body.take(DETAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(clean).collect::<Vec<_>>().join("\n");
    (!lines.trim().is_empty()).then_some(lines)
}

impl Answer {
    /// The whole body, where it must be read before it can be answered with.
    pub(crate) fn read(self, most: u64) -> Result<(Vec<u8>, String), Failure> {
        let mut bytes = Vec::new();
        let expected = self.length;
        let outcome = self.body.take(most + 1).read_to_end(&mut bytes);
        let error = match outcome {
            Ok(_) if bytes.len() as u64 > most => {
                io::Error::other(format!("it is longer than {most} bytes"))
            }
            Ok(read) if expected.is_some_and(|length| length != read as u64) => {
                io::ErrorKind::UnexpectedEof.into()
            }
            Ok(_) => return Ok((bytes, self.upstream)),
            Err(error) => error,
        };
        let reason = format!("gosandbox cannot fetch from {}: {error}", self.upstream);
        Err(Failure::own(502, reason, Some(self.upstream)))
    }
}
