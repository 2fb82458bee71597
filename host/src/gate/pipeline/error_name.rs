//! The names of transport errors in recordings, and their words.

use std::error::Error as StdError;

use wasmtime_wasi_http::Error as HttpError;

type Named = (&'static str, fn() -> HttpError);

/// Names and errors, without the errors' data: a replay has to fail in the same way, not with the same text.
const NAMES: [Named; 16] = [
    ("dns-timeout", || HttpError::DnsTimeout),
    ("dns-error", || HttpError::DnsError {
        rcode: None,
        info_code: None,
    }),
    ("destination-ip-prohibited", || HttpError::DestinationIpProhibited),
    ("connection-refused", || HttpError::ConnectionRefused),
    ("connection-terminated", || HttpError::ConnectionTerminated),
    ("connection-timeout", || HttpError::ConnectionTimeout),
    ("connection-read-timeout", || HttpError::ConnectionReadTimeout),
    ("connection-limit-reached", || HttpError::ConnectionLimitReached),
    ("tls-protocol-error", || HttpError::TlsProtocolError),
    ("tls-certificate-error", || HttpError::TlsCertificateError),
    ("http-request-denied", || HttpError::HttpRequestDenied),
    ("http-response-header-section-size", || {
        HttpError::HttpResponseHeaderSectionSize(None)
    }),
    ("http-response-body-size", || {
        HttpError::HttpResponseBodySize(None)
    }),
    ("http-response-content-coding", || {
        HttpError::HttpResponseContentCoding(None)
    }),
    ("http-response-timeout", || HttpError::HttpResponseTimeout),
    ("http-protocol-error", || HttpError::HttpProtocolError),
];

/// The name of an error in a recording.
pub(super) fn of(error: &HttpError) -> &'static str {
    NAMES
        .iter()
        .find(|(_, make)| std::mem::discriminant(&make()) == std::mem::discriminant(error))
        .map_or("http-protocol-error", |(name, _)| name)
}

/// The error with this name; `None` for the text of another tool.
pub(super) fn parse(name: &str) -> Option<HttpError> {
    let mut names = NAMES.iter();
    let (_, make) = names.find(|(known, _)| *known == name)?;
    Some(make())
}

/// The message of the root cause.
pub(super) fn cause(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_failure_and_back() {
        for (name, make) in NAMES {
            assert_eq!(of(&make()), name);
            assert_eq!(of(&parse(name).unwrap()), name);
        }
    }
}
