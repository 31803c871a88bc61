//! What went wrong with a connection, in words for somebody who has not read rustls: what it means and what can be done.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// An error of a connection.
pub(super) fn words(error: &io::Error) -> String {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => of_tls(error),
        None => error.to_string(),
    }
}

fn of_tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(why) => of_certificate(why),
        Error::NoCertificatesPresented => "it shows no certificate".to_owned(),
        Error::InvalidMessage(_) => {
            "it does not speak TLS there: look at the scheme and the port of its address".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it does not know its own name: look at the host of its address".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants a certificate of its client's, which gosandbox does not have".to_owned()
        }
        Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        )
        | Error::PeerIncompatible(_) => {
            "it speaks no TLS that is safe today (TLS 1.2 or 1.3)".to_owned()
        }
        Error::AlertReceived(alert) => format!("it ends the TLS handshake: {alert:?}"),
        other => other.to_string(),
    }
}

fn of_certificate(why: &CertificateError) -> String {
    use CertificateError as It;
    let text = match why {
        It::Expired | It::ExpiredContext { .. } => "its certificate has expired",
        It::NotValidYet | It::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is this machine's clock right?"
        }
        It::UnknownIssuer => {
            "its certificate is signed by no authority that this machine knows: name the authority's file in modules.ca"
        }
        It::NotValidForName | It::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        It::Revoked => "its certificate was revoked",
        It::BadEncoding => "its certificate cannot be read",
        It::BadSignature => "its certificate is not signed by whom it names",
        It::InvalidPurpose | It::InvalidPurposeContext { .. } => {
            "its certificate is not one of a server"
        }
        // webpki's own word, which has no variant here.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it shows the certificate of an authority as its own: give it one that the authority has signed"
        }
        other => return format!("its certificate is not accepted: {other}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn certificates_are_judged_in_words() {
        let said = |why: CertificateError| {
            words(&io::Error::new(
                io::ErrorKind::InvalidData,
                Error::InvalidCertificate(why),
            ))
        };
        assert!(said(CertificateError::UnknownIssuer).contains("modules.ca"));
        assert!(said(CertificateError::Expired).contains("has expired"));
        let inner = io::Error::other("CaUsedAsEndEntity");
        let other = rustls::OtherError(Arc::new(inner));
        let text = said(CertificateError::Other(other));
        assert!(text.contains("of an authority as its own") && !text.contains("EndEntity"));
        let plain = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(words(&plain), plain.to_string());
    }
}
