//! Certificates of a run. The request brings their texts: the server reads no file for it. Where a certificate is not
//! checked, the server's operator has to permit it, since whoever makes requests need not answer for the network.

use nodule::Tls;
use nodule::policy::{InsecureOrigin, Policy};

use super::problem::Answered;
use super::wire::TlsSettings;

/// The TLS of a run under this policy. `permitted` is where the operator lets certificates be left unchecked.
pub fn of(
    policy: &Policy,
    given: Option<&TlsSettings>,
    permitted: &[InsecureOrigin],
) -> Result<Tls, Answered> {
    if policy.tls().names_files() {
        let why = "`policy`: `[tls]` names files, and the server reads none for a run";
        return Err(Answered::request(why).hint("give their contents in `tls`"));
    }
    let tls = match given {
        Some(given) => read(given)?,
        None => Tls::default(),
    };
    let insecure = tls
        .insecure_origins()
        .iter()
        .chain(&policy.tls().insecure_origins);
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
        _ => {
            return Err(Answered::request(
                "`tls`: `clientCertificate` and `clientKey` go together",
            ));
        }
    };
    for text in &given.insecure_origins {
        let origin = InsecureOrigin::parse(text)
            .map_err(|error| Answered::request(format!("`tls`: `insecureOrigins`: {error}")))?;
        tls = tls.insecure_origin(origin);
    }
    Ok(tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> TlsSettings {
        serde_json::from_str(text).unwrap()
    }

    fn origin(text: &str) -> InsecureOrigin {
        InsecureOrigin::parse(text).unwrap()
    }

    #[test]
    fn a_certificate_is_left_unchecked_only_where_the_operator_permits_it() {
        let permitted = [origin("https://crm.internal:8443")];
        let in_policy = |origin: &str| {
            Policy::from_toml(&format!("[tls]\ninsecure-origins = [\"{origin}\"]"), "policy").unwrap()
        };
        let in_run = |origin: &str| given(&format!(r#"{{"insecureOrigins":["{origin}"]}}"#));
        for (origin, is_permitted) in [
            ("https://crm.internal:8443", true),
            ("https://CRM.internal.:8443", true),
            ("https://crm.internal", false),
            ("https://other.internal:8443", false),
        ] {
            let none = Policy::default();
            assert_eq!(
                of(&none, Some(&in_run(origin)), &permitted).is_ok(),
                is_permitted,
                "{origin}"
            );
            assert_eq!(
                of(&in_policy(origin), None, &permitted).is_ok(),
                is_permitted,
                "{origin}"
            );
            assert!(of(&none, Some(&in_run(origin)), &[]).is_err(), "{origin}");
        }
    }

    #[test]
    fn files_of_a_policy_and_halves_of_a_client_certificate_are_refused() {
        let files = Policy::from_toml("[tls]\nca = [\"/etc/passwd\"]", "policy").unwrap();
        for (policy, text, said) in [
            (&files, "{}", "names files, and the server reads none"),
            (&Policy::default(), r#"{"clientCertificate":"x"}"#, "go together"),
            (&Policy::default(), r#"{"clientKey":"hunter2"}"#, "go together"),
            (&Policy::default(), r#"{"ca":"x"}"#, "`tls`: `ca`: "),
            (
                &Policy::default(),
                r#"{"clientCertificate":"x","clientKey":"hunter2"}"#,
                "`tls`: `clientCertificate`: ",
            ),
            (
                &Policy::default(),
                r#"{"insecureOrigins":["http://x"]}"#,
                "with `https`",
            ),
        ] {
            let problem = format!("{:?}", of(policy, Some(&given(text)), &[]).unwrap_err());
            assert!(
                problem.contains(said) && !problem.contains("hunter2"),
                "{problem}"
            );
        }
    }
}
