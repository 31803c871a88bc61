//! A module proxy of the tests' own: HTTPS with its own authority, or plain HTTP, on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};

/// What the proxy was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub headers: Vec<String>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ").to_ascii_lowercase();
        let found = self
            .headers
            .iter()
            .find(|line| line.to_ascii_lowercase().starts_with(&prefix));
        found.map(|line| &line[prefix.len()..])
    }
}

/// What it answers.
pub enum Answer {
    Whole(Vec<u8>),
    /// In chunks, without a length.
    Chunked(Vec<u8>),
    Status(u16, String),
    /// A status, and headers.
    Headers(u16, String),
    /// A length, fewer bytes than it says, and the end.
    Cut(usize, Vec<u8>),
    /// One chunk, and the end before the last one.
    CutChunked(Vec<u8>),
    /// A byte, or a few, at a time.
    Drip(Vec<u8>),
    /// What comes before the client has that, and what comes then.
    Halves(Vec<u8>, Vec<u8>, Arc<Barrier>),
    /// Nothing at all.
    Dead,
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A name that nothing resolves, and that the proxy has a certificate for.
pub const NAME: &str = "modules.example.invalid";

/// The proxy.
pub struct Proxy {
    pub address: String,
    pub port: u16,
    /// The authority's certificate, PEM.
    pub ca: PathBuf,
    /// SHA-256 of the server's public key.
    pub key: [u8; 32],
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Makes an authority, and a certificate of it for some names.
pub fn identity(names: &[&str]) -> (String, Arc<rustls::ServerConfig>, [u8; 32]) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let digest = Sha256::digest(key.subject_public_key_info());
    (ca.pem(), Arc::new(config), digest.into())
}

impl Proxy {
    /// Starts one that speaks HTTPS.
    pub fn https(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Proxy {
        Proxy::start(true, Arc::new(handler))
    }

    /// Starts one that speaks plain HTTP.
    pub fn http(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Proxy {
        Proxy::start(false, Arc::new(handler))
    }

    /// Starts one that shows the certificate of its authority as its own.
    pub fn authority_itself() -> Proxy {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let digest = Sha256::digest(key.subject_public_key_info());
        let own = (certificate.pem(), Arc::new(config), digest.into());
        Proxy::start_as(own, true, Arc::new(|_: &Asked| Answer::Dead))
    }

    fn start(https: bool, handler: Arc<Handler>) -> Proxy {
        Proxy::start_as(identity(&["127.0.0.1", "localhost", NAME]), https, handler)
    }

    fn start_as(
        (pem, config, key): (String, Arc<rustls::ServerConfig>, [u8; 32]),
        https: bool,
        handler: Arc<Handler>,
    ) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, pem).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (log, ended) = (Arc::clone(&asked), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (log, handler, config) =
                    (Arc::clone(&log), Arc::clone(&handler), config.clone());
                std::thread::spawn(move || {
                    let Ok(stream) = stream else { return };
                    if https {
                        let Ok(tls) = rustls::ServerConnection::new(config) else {
                            return;
                        };
                        serve(
                            rustls::StreamOwned::new(tls, stream),
                            &log,
                            &handler,
                            |stream| {
                                stream.conn.send_close_notify();
                                let _sent = stream.flush();
                            },
                        );
                    } else {
                        serve(stream, &log, &handler, |_| {});
                    }
                });
            }
        });
        let scheme = if https { "https" } else { "http" };
        Proxy {
            address: format!("{scheme}://127.0.0.1:{port}"),
            port,
            ca,
            key,
            asked,
            stop,
            _folder: folder,
        }
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).collect()
    }
}

/// Serves requests until the answer says that the connection ends.
fn serve<S: Read + Write>(
    mut stream: S,
    log: &Mutex<Vec<Asked>>,
    handler: &Arc<Handler>,
    close: fn(&mut S),
) {
    while let Some(asked) = read(&mut stream) {
        log.lock().unwrap().push(asked.clone());
        match answer(&mut stream, handler(&asked)) {
            Ok(true) => {}
            Ok(false) => return close(&mut stream),
            Err(_) => return,
        }
    }
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" if lines.is_empty() => return None,
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines[0].split(' ').nth(1)?.to_owned();
    Some(Asked {
        path,
        headers: lines.split_off(1),
    })
}

/// Answers, and says whether the connection goes on.
fn answer(stream: &mut impl Write, answer: Answer) -> std::io::Result<bool> {
    let goes_on = match answer {
        Answer::Whole(body) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            stream.write_all(&body)?;
            true
        }
        Answer::Chunked(body) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            )?;
            for piece in body.chunks(1000) {
                write!(stream, "{:x}\r\n", piece.len())?;
                stream.write_all(piece)?;
                write!(stream, "\r\n")?;
            }
            write!(stream, "0\r\n\r\n")?;
            true
        }
        Answer::Status(status, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: {length}\r\n\r\n{body}"
            )?;
            true
        }
        Answer::Headers(status, headers) => {
            write!(
                stream,
                "HTTP/1.1 {status} X\r\n{headers}Content-Length: 0\r\n\r\n"
            )?;
            true
        }
        Answer::Cut(length, body) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(&body)?;
            false
        }
        Answer::CutChunked(body) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            )?;
            write!(stream, "{:x}\r\n", body.len())?;
            stream.write_all(&body)?;
            write!(stream, "\r\n")?;
            false
        }
        Answer::Drip(body) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            for piece in body.chunks(body.len() / 20 + 1) {
                stream.write_all(piece)?;
                stream.flush()?;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            true
        }
        Answer::Halves(first, second, client) => {
            let length = first.len() + second.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(&first)?;
            stream.flush()?;
            client.wait();
            stream.write_all(&second)?;
            true
        }
        Answer::Dead => false,
    };
    stream.flush()?;
    Ok(goes_on)
}
