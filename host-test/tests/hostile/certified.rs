//! Certificates, and a server by TLS that asks for one and whose own nobody has vouched for.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use nodule::Tls;
use nodule::policy::InsecureOrigin;
use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

use crate::server::{Server, ok};

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// A certificate that is signed by itself, and its key, as PEM.
pub struct Made {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

/// For this name or address.
pub fn made(name: &str) -> Made {
    made_with(&CertificateParams::new(vec![name.to_owned()]).unwrap())
}

pub fn made_with(params: &CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    let key_der = key.serialize_der();
    Made {
        certificate: pem("CERTIFICATE", &der),
        key: pem("PRIVATE KEY", &key_der),
        der,
        key_der,
    }
}

impl Made {
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key_der.clone()).unwrap()
    }
}

/// Asks for a client certificate, takes any or none, and notes those that are shown.
#[derive(Debug)]
struct Noting {
    shown: Arc<Mutex<Vec<CertificateDer<'static>>>>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Noting {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.shown.lock().unwrap().push(shown.clone().into_owned());
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A server by TLS whose certificate, for `127.0.0.1`, nobody has vouched for.
pub struct Service {
    pub server: Server,
    pub origin: String,
    pub made: Made,
    shown: Arc<Mutex<Vec<CertificateDer<'static>>>>,
}

impl Service {
    pub async fn start() -> Self {
        let made = made("127.0.0.1");
        let provider = Arc::new(ring::default_provider());
        let shown = Arc::default();
        let noting = Noting {
            shown: Arc::clone(&shown),
            provider: Arc::clone(&provider),
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::new(noting))
            .with_single_cert(vec![made.der.clone()], made.private_key())
            .unwrap();
        let server = Server::start_tls(config, |_| ok("{}")).await;
        Self {
            origin: format!("https://{}", server.address()),
            server,
            made,
            shown,
        }
    }

    /// The client certificates that it was shown since the last time, one for each connection with one.
    pub fn take_shown(&self) -> Vec<CertificateDer<'static>> {
        std::mem::take(&mut *self.shown.lock().unwrap())
    }

    pub fn insecure(&self) -> InsecureOrigin {
        InsecureOrigin::parse(&self.origin).unwrap()
    }

    pub fn trusting(&self) -> Tls {
        Tls::default().extra_roots_pem(&self.made.certificate).unwrap()
    }
}
