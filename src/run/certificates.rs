//! The system's certificates, for programs: those that reach hosts by name need them, others may read them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Session;
use crate::files::look;

/// Where distributions have them, as Go looks for them (`crypto/x509`, root_linux.go).
const PLACES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The caller's `SSL_CERT_FILE`, where the program reaches hosts and that is a file of the system's, else the system's
/// own: by its real path.
pub(super) fn find(session: &Session<'_>, reaches_hosts: bool) -> Option<PathBuf> {
    let named = session.variable("SSL_CERT_FILE").filter(|_| reaches_hosts);
    let named = named.map(PathBuf::from);
    let named = named.filter(|path| path.is_absolute()).into_iter();
    let all = named.chain(PLACES.map(PathBuf::from));
    all.filter_map(|path| look::canonicalize(&path).ok())
        .find(|path| is_public(path))
}

/// Whether everybody may read a file of root's. A variable must not show the source another file.
fn is_public(path: &Path) -> bool {
    let is_public = |found: std::fs::Metadata| found.uid() == 0 && found.mode() & 0o004 != 0;
    look::is_file(path) && look::metadata(path).is_ok_and(is_public)
}
