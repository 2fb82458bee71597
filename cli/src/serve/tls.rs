//! Certificates of a run. The request brings their texts: the server reads no file for it. Where a certificate is not
//! checked, the server's operator has to permit it, since whoever makes requests need not answer for the network.

use nodule::Tls;
use nodule::policy::{InsecureOrigin, Policy};

use super::problem::Answered;
use super::wire::TlsSettings;

/// The TLS of a run under this policy. `permitted` is where the operator lets certificates be left unchecked.
pub fn of(policy: &Policy, given: Option<&TlsSettings>, permitted: &[InsecureOrigin]) -> Result<Tls, Answered> {
    if policy.tls().names_files() {
        let why = "`policy`: `[tls]` names files, and the server reads none for a run";
        return Err(Answered::request(why).hint("give their contents in `tls`"));
    }
    let tls = match given {
        Some(given) => read(given)?,
        None => Tls::default(),
    };
    let insecure = tls.insecure_origins().iter().chain(&policy.tls().insecure_origins);
    for origin in insecure {
        if !permitted.contains(origin) {
            return Err(Answered::request(format!(
                "the certificate of {origin} has to be checked: the server's operator does not permit otherwise"
            ))
            .hint("trust its certificate by `ca`, or add the origin to `insecureOrigins` of the server's settings"));
        }
    }
    Ok(tls)
}

fn read(given: &TlsSettings) -> Result<Tls, Answered> {
    let wrong = |key: &str, error: &nodule::Error| {
        Answered::request(format!("`tls`: `{key}`: {error}")).hinted(error.hint())
    };
    let mut tls = Tls::default();
    if let Some(pem) = &given.ca {
        tls = tls.extra_roots_pem(pem).map_err(|error| wrong("ca", &error))?;
    }
    tls = match (&given.client_certificate, &given.client_key) {
        (Some(certificate), Some(key)) => tls
            .client_certificate(certificate, key)
            .map_err(|error| wrong("clientCertificate", &error))?,
        (None, None) => tls,
        _ => return Err(Answered::request("`tls`: `clientCertificate` and `clientKey` go together")),
    };
    for text in &given.insecure_origins {
        let origin = InsecureOrigin::parse(text)
            .map_err(|error| Answered::request(format!("`tls`: `insecureOrigins`: {error}")))?;
        tls = tls.insecure_origin(origin);
    }
    Ok(tls)
}
