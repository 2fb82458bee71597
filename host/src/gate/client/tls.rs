//! Trusts the certificates of the public web's authorities and those that the operator adds, for an engine or for one
//! runner. A runner may also show a client certificate, and leave certificates unchecked at origins that it names.
//!
//! A certificate that the operator adds may be a service's own, self-signed one. Tools that make such a certificate
//! mostly mark it as an authority's, and webpki accepts no authority's certificate for a server. As it is the very
//! certificate that the operator trusts, only its name and its validity period remain to be checked.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use webpki::EndEntityCert;

use crate::error;
use crate::gate::tls::Tls;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::policy::InsecureOrigin;

/// The certificate is self-signed.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is signed by itself")]
pub(crate) struct SelfSigned;

/// The TLS of one runner's connections.
pub(crate) struct RunnerTls {
    /// Checks certificates and shows none.
    config: ClientConfig,
    unchecked: Arc<Verifier>,
    client: Option<Arc<SingleCertAndKey>>,
    insecure: Vec<InsecureOrigin>,
}

/// How a connection uses it. Connections that differ in this are never exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TlsManner {
    /// Whether the service's certificate is checked.
    is_checked: bool,
    /// Whether the client certificate is shown.
    shows_client: bool,
}

impl TlsManner {
    /// That of a runner without settings of its own.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self {
        is_checked: true,
        shows_client: false,
    };
}

impl RunnerTls {
    /// `engine` are the certificates that all runners trust.
    pub(super) fn new(engine: &[Vec<u8>], tls: &Tls) -> Result<Self, error::Error> {
        let engine = engine.iter().cloned().map(CertificateDer::from);
        let own = engine.chain(tls.roots().iter().cloned()).collect();
        let verifier = Verifier::new(own)?;
        Ok(Self {
            config: config(&verifier)?,
            unchecked: Arc::new(Verifier {
                is_unchecked: true,
                ..verifier
            }),
            client: tls.client().cloned().map(|client| Arc::new(client.into())),
            insecure: tls.insecure_origins().to_vec(),
        })
    }

    /// The manner of a request's connection. A client certificate is part of the access, so it is shown only where the
    /// access goes.
    pub(crate) fn manner(&self, url: &CanonicalUrl, has_access: bool) -> TlsManner {
        TlsManner {
            is_checked: !self.insecure.iter().any(|origin| origin.matches(url)),
            shows_client: has_access && self.client.is_some(),
        }
    }

    /// The configuration of connections of this manner.
    pub(super) fn config(&self, manner: TlsManner) -> ClientConfig {
        let mut config = self.config.clone();
        if let Some(client) = self.client.as_ref().filter(|_| manner.shows_client) {
            config.client_auth_cert_resolver = Arc::clone(client) as _;
        }
        if !manner.is_checked {
            let verifier = Arc::clone(&self.unchecked);
            config.dangerous().set_certificate_verifier(verifier);
        }
        config
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn broken(error: impl std::fmt::Display) -> error::Error {
    error::Error::Engine {
        message: error.to_string(),
    }
}

/// A configuration that checks certificates, and shows none.
fn config(verifier: &Verifier) -> Result<ClientConfig, error::Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(broken)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.clone()))
        .with_no_client_auth())
}

#[derive(Debug, Clone)]
struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    /// The operator's certificates.
    own: Vec<CertificateDer<'static>>,
    /// Whether it accepts every certificate, for origins where the operator has none checked. The service still has to
    /// hold its key.
    is_unchecked: bool,
}

impl Verifier {
    /// Trusts the public web's authorities and these certificates.
    fn new(own: Vec<CertificateDer<'static>>) -> Result<Self, error::Error> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for root in &own {
            roots.add(root.clone()).map_err(broken)?;
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(broken)?;
        Ok(Self {
            webpki,
            own,
            is_unchecked: false,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_unchecked {
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            self.webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match &verified {
            // webpki checks the validity period before it checks the purpose, so the period is fine here.
            Err(Error::InvalidCertificate(reason))
                if is_authority(reason) && self.own.contains(end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            Err(Error::InvalidCertificate(reason))
                if is_not_vouched_for(reason) && is_signed_by_itself(end_entity) =>
            {
                let reason = OtherError(Arc::new(SelfSigned));
                Err(Error::InvalidCertificate(CertificateError::Other(reason)))
            }
            _ => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Whether a certificate was refused because it is an authority's.
fn is_authority(reason: &CertificateError) -> bool {
    matches!(reason, CertificateError::Other(OtherError(why))
        if why.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity))
}

/// Whether a certificate was refused because of its issuer. A trusted certificate may have the same name and another
/// key.
fn is_not_vouched_for(reason: &CertificateError) -> bool {
    is_authority(reason)
        || matches!(
            reason,
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        )
}

fn is_signed_by_itself(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}

/// Describes what is wrong with a certificate to the person who has to renew or trust it. It contains no text from the
/// certificate, which the server chose.
pub(crate) fn trouble(reason: &CertificateError) -> String {
    use CertificateError as E;
    const TRUST: &str = "to trust it, add it or its authority's to the host's trusted certificates (`EngineConfig::extra_roots`)";
    let words = match reason {
        E::Expired | E::ExpiredContext { .. } => "it has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet",
        E::NotValidForName | E::NotValidForNameContext { .. } => "it is for another name",
        E::UnknownIssuer => return format!("it is not signed by an authority that is trusted; {TRUST}"),
        E::Other(OtherError(why)) if why.is::<SelfSigned>() => {
            return format!(
                "it is signed by itself, and not signed by an authority that is trusted; {TRUST}"
            );
        }
        E::Revoked => "it was revoked",
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "it is not for servers",
        E::BadEncoding => "it cannot be read",
        E::BadSignature => "its signature is wrong",
        other if is_authority(other) => "it is an authority's, and not a server's",
        _ => "it is not acceptable",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_meets_a_certificate_that_is_not_trusted_is_told_where_to_add_it() {
        let self_signed = CertificateError::Other(OtherError(Arc::new(SelfSigned)));
        for reason in [CertificateError::UnknownIssuer, self_signed] {
            let words = trouble(&reason);
            assert!(words.contains("`EngineConfig::extra_roots`"), "{words}");
        }
        assert_eq!(trouble(&CertificateError::Expired), "it has expired");
    }
}
