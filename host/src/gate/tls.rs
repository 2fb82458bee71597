//! TLS of one runner: which certificates it trusts beside the engine's, which one it shows, and where it checks none.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use zeroize::Zeroize as _;

use crate::error::Error;
use crate::gate::sha256::sha256;
use nodule_core::policy::InsecureOrigin;
use nodule_core::secret::Secret;

/// TLS of one runner, beside the engine's: certificates to trust, the client certificate to show, and origins whose
/// certificate is not checked. Runners with different settings share neither connections nor sessions.
///
/// ```no_run
/// use nodule::policy::InsecureOrigin;
/// use nodule::secret::Secret;
/// use nodule::Tls;
///
/// let key = Secret::new(std::fs::read_to_string("client.key")?);
/// let tls = Tls::default()
///     .extra_roots_pem(&std::fs::read_to_string("our-ca.pem")?)?
///     .client_certificate(&std::fs::read_to_string("client.pem")?, &key)?
///     .insecure_origin(InsecureOrigin::parse("https://crm.internal:8443")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    roots: Vec<CertificateDer<'static>>,
    client: Option<Arc<CertifiedKey>>,
    insecure: Vec<InsecureOrigin>,
}

/// Shows no key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("has_client_certificate", &self.client.is_some())
            .field("insecure", &self.insecure)
            .finish()
    }
}

impl Tls {
    /// Trusts every certificate in this text (PEM), which may be a bundle, beside the engine's.
    ///
    /// # Errors
    ///
    /// The text contains no certificate, or an invalid one.
    pub fn extra_roots_pem(mut self, pem: &str) -> Result<Self, Error> {
        self.roots.extend(trusted_certificates(pem)?);
        Ok(self)
    }

    /// Shows this client certificate where the credential's access goes, below its base URL and at granted origins that
    /// name it, and nowhere else. The text (PEM) has the certificate first, then those between it and its authority. The
    /// key (PEM) is unencrypted: PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    ///
    /// A certificate or the key cannot be read, or the key belongs to another certificate. No error shows the key.
    pub fn client_certificate(mut self, certificates: &str, key: &Secret) -> Result<Self, Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect();
        let chain = chain.map_err(|error| refused(format!("the certificate: {error}")))?;
        if chain.is_empty() {
            return Err(refused(
                "the certificate: expected one between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`, found none",
            ));
        }
        let mut der = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
            // The parser's message could repeat a line of the key.
            .map_err(|_| {
                refused(
                    "the key: expected an unencrypted one between `-----BEGIN PRIVATE KEY-----` and `-----END PRIVATE KEY-----`, \
                     found none",
                )
            })?;
        let signing = any_supported_type(&der);
        der.zeroize();
        let signing = signing
            .map_err(|_| refused("the key: expected RSA, ECDSA (P-256, P-384) or Ed25519, found another"))?;
        let client = CertifiedKey::new(chain, signing);
        match client.keys_match() {
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(TlsError::InconsistentKeys(_)) => {
                return Err(refused("the key belongs to another certificate"));
            }
            Err(error) => return Err(refused(format!("the certificate: {error}"))),
        }
        self.client = Some(Arc::new(client));
        Ok(self)
    }

    /// Checks no certificate at this origin, and at no other. Everybody on the way there can read and change what is
    /// sent, secrets included. Each run reports it by an event.
    #[must_use]
    pub fn insecure_origin(mut self, origin: InsecureOrigin) -> Self {
        if !self.insecure.contains(&origin) {
            self.insecure.push(origin);
        }
        self
    }

    /// Where no certificate is checked.
    #[must_use]
    pub fn insecure_origins(&self) -> &[InsecureOrigin] {
        &self.insecure
    }

    /// Whether there is a client certificate.
    pub(crate) fn has_client_certificate(&self) -> bool {
        self.client.is_some()
    }

    /// Whether it changes nothing.
    pub(crate) fn is_default(&self) -> bool {
        self.roots.is_empty() && self.client.is_none() && self.insecure.is_empty()
    }

    pub(crate) fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    pub(crate) fn client(&self) -> Option<&Arc<CertifiedKey>> {
        self.client.as_ref()
    }

    /// A component's digest together with these settings: whatever is kept for runners under it is shared with none
    /// whose settings differ. A client certificate stands for its key.
    pub(crate) fn bound_to(&self, digest: &str) -> String {
        if self.is_default() {
            return digest.to_owned();
        }
        let mut settings = Vec::new();
        let chain = self.client.iter().flat_map(|client| &client.cert);
        for (kind, certificate) in self
            .roots
            .iter()
            .map(|root| (0, root))
            .chain(chain.map(|one| (1, one)))
        {
            settings.push(kind);
            settings.extend(certificate.len().to_le_bytes());
            settings.extend_from_slice(certificate);
        }
        for origin in &self.insecure {
            settings.push(2);
            settings.extend(origin.to_string().into_bytes());
        }
        format!("{digest} {}", sha256(&settings))
    }
}

/// Every certificate in a text (PEM), at least one, each usable as an authority.
pub(crate) fn trusted_certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let broken = |number: usize, message: String| Error::Certificate {
        number: Some(number),
        message,
    };
    let mut found = Vec::new();
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem.as_bytes())) {
        let certificate = certificate.map_err(|error| broken(number, error.to_string()))?;
        rustls::RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|error| broken(number, error.to_string()))?;
        found.push(certificate);
    }
    if found.is_empty() {
        return Err(Error::Certificate {
            number: None,
            message: "expected at least one between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`, found none"
                .to_owned(),
        });
    }
    Ok(found)
}

fn refused(message: impl Into<String>) -> Error {
    Error::ClientCertificate {
        message: message.into(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    pub(crate) fn pem(label: &str, der: &[u8]) -> String {
        let text = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    }

    const ORIGIN: &str = "https://crm.internal:8443";

    fn made() -> (String, Secret) {
        let made = rcgen::generate_simple_self_signed(vec!["client.example".to_owned()]).unwrap();
        let key = pem("PRIVATE KEY", &made.signing_key.serialize_der());
        (pem("CERTIFICATE", made.cert.der()), Secret::new(key))
    }

    #[test]
    fn a_client_certificate_comes_with_its_own_key() {
        let ((certificate, key), (_, other)) = (made(), made());
        let tls = Tls::default().client_certificate(&certificate, &key).unwrap();
        assert!(tls.has_client_certificate());
        let body = key.expose().lines().nth(1).unwrap().to_owned();
        assert!(!format!("{tls:?}").contains(&body));
        let encrypted = Secret::new(key.expose().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
        let cut = Secret::new(key.expose().replace("-----END PRIVATE KEY-----", ""));
        let no_key = Secret::new("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned());
        for (certificate, key, said) in [
            (
                certificate.as_str(),
                &other,
                "the key belongs to another certificate",
            ),
            ("", &key, "the certificate: expected one"),
            (key.expose(), &key, "the certificate: expected one"),
            (&certificate, &encrypted, "the key: expected an unencrypted one"),
            (&certificate, &cut, "the key: expected an unencrypted one"),
            (&certificate, &no_key, "the key: expected RSA"),
        ] {
            let error = Tls::default().client_certificate(certificate, key).unwrap_err();
            let message = error.to_string();
            assert!(
                message.starts_with("client certificate: ") && message.contains(said),
                "{message}"
            );
            assert!(
                !format!("{message} {error:?} {:?}", error.hint()).contains(&body),
                "{message}"
            );
        }
    }

    #[test]
    fn settings_that_differ_are_bound_to_a_component_differently() {
        let ((one, key), (two, _)) = (made(), made());
        let origin = || InsecureOrigin::parse(ORIGIN).unwrap();
        let all = [
            Tls::default(),
            Tls::default().extra_roots_pem(&one).unwrap(),
            Tls::default().extra_roots_pem(&two).unwrap(),
            Tls::default().client_certificate(&one, &key).unwrap(),
            Tls::default().insecure_origin(origin()),
            Tls::default()
                .extra_roots_pem(&one)
                .unwrap()
                .insecure_origin(origin()),
        ];
        let bound: std::collections::BTreeSet<String> =
            all.iter().map(|tls| tls.bound_to("sha256:0")).collect();
        assert_eq!(bound.len(), all.len());
        assert!(
            bound.contains("sha256:0"),
            "without settings, it is the component alone"
        );
        let again = Tls::default().extra_roots_pem(&one).unwrap();
        assert!(bound.contains(&again.bound_to("sha256:0")));
    }
}
