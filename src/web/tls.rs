//! TLS to upstreams: the system's roots and the policy's own, or what an upstream is pinned to.
//!
//! Roots are read when the first https upstream is connected to, never before.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use rustls_native_certs::CertificateResult;
use sha2::{Digest, Sha256};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::upstream::Origin;
use crate::files::look;
use crate::policy::Pin;

/// Wraps connections in TLS.
#[derive(Debug)]
pub(crate) struct Tls {
    ca: Vec<PathBuf>,
    pins: BTreeMap<(String, u16), (Pin, OnceLock<Made>)>,
    system: OnceLock<Made>,
}

/// A configuration, or why there is none; it is made once.
type Made = Result<Arc<ClientConfig>, Unfit>;

/// Why no connection can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(String);

impl Tls {
    pub(crate) fn new(ca: &[PathBuf], pins: BTreeMap<Origin, Pin>) -> Tls {
        Tls {
            ca: ca.to_vec(),
            pins: pins
                .into_iter()
                .map(|(origin, pin)| ((origin.host, origin.port), (pin, OnceLock::new())))
                .collect(),
            system: OnceLock::new(),
        }
    }

    fn config(&self, host: &str, port: u16) -> Made {
        match self.pins.get(&(host.to_owned(), port)) {
            None => self.system.get_or_init(|| configure(self.roots()?, None)),
            Some((Pin::Key(key), made)) => {
                made.get_or_init(|| configure(self.roots()?, Some(*key)))
            }
            Some((Pin::Authority(file), made)) => made.get_or_init(|| {
                let mut roots = RootCertStore::empty();
                add(&mut roots, file)?;
                configure(roots, None)
            }),
        }
        .clone()
    }

    /// The system's roots, and the policy's own.
    fn roots(&self) -> Result<RootCertStore, Unfit> {
        let mut roots = RootCertStore::empty();
        let system = system_roots();
        roots.add_parsable_certificates(system.certs);
        for file in &self.ca {
            add(&mut roots, file)?;
        }
        match roots.is_empty() {
            false => Ok(roots),
            true => Err(Unfit(
                "there are no root certificates here: install the ca-certificates package, or name a file in modules.ca".to_owned(),
            )),
        }
    }
}

/// The environment may name a file in another user's folder.
fn system_roots() -> CertificateResult {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .find_map(std::env::var_os);
    match named.and_then(|named| std::path::absolute(named).ok()) {
        Some(named) => look::with_rights_of(&named, rustls_native_certs::load_native_certs),
        None => rustls_native_certs::load_native_certs(),
    }
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), Unfit> {
    let unfit = |why: String| Unfit(format!("certificates in {}: {why}", file.display()));
    let text = look::read(file).map_err(|error| unfit(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unfit(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unfit("there are none".to_owned()));
    }
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| unfit(error.to_string()))?;
    }
    Ok(())
}

fn configure(roots: RootCertStore, key: Option<[u8; 32]>) -> Made {
    let unfit = |error: &dyn fmt::Display| Unfit(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| unfit(&error))?;
    let verifier: Arc<dyn ServerCertVerifier> = match key {
        None => verifier,
        Some(key) => Arc::new(Pinned {
            inner: verifier,
            key,
        }),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&error))?
        .dangerous() // the name for any verifier that is given by hand
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Verifies as usual, and that the certificate is for one key.
///
/// Only the server's own certificate is looked at: any other could be put beside it by whoever
/// answers, without being part of the chain that was verified.
#[derive(Debug)]
struct Pinned {
    inner: Arc<WebPkiServerVerifier>,
    key: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if Sha256::digest(key.as_ref())[..] != self.key {
            return Err(rustls::Error::General(
                "its key is not the one that modules.pins names".to_owned(),
            ));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let origin = Origin::of(details.uri)
            .ok_or_else(|| ureq::Error::BadUri("no host to verify".to_owned()))?;
        let config = self
            .config(&origin.host, origin.port)
            .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        let name = ServerName::try_from(origin.host)
            .map_err(|_| ureq::Error::Tls("the host's name cannot be verified"))?;
        let failed = |error: rustls::Error| ureq::Error::Other(Box::new(error));
        let mut connection = ClientConnection::new(config, name).map_err(failed)?;
        let mut socket = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport {
            buffers,
            stream: StreamOwned::new(connection, socket),
        })))
    }
}

/// A connection in TLS.
pub(crate) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.stream.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
