//! What an error of `wasi:http` says about the request that met it.

use crate::bindings::exports::workflow::node::turns::ErrorCode;
use crate::bindings::wasi::http::types::ErrorCode as WasiCode;
use crate::http::Broken;

/// What an error says about the request. `NotDone` only for codes that surely come before the first byte of the request:
/// a reset, for one, is `HTTP-protocol-error` in one host and `connection-terminated` in another, and may come at any time.
pub(super) fn broken(code: ErrorCode) -> Broken {
    use ErrorCode as E;
    let not_done = |why| (Broken::NotDone as fn(String) -> Broken, why);
    let unknown = |why| (Broken::Unknown as fn(String) -> Broken, why);
    let limit = |why| (Broken::Limit as fn(String) -> Broken, why);
    let denied = |why| (Broken::Denied as fn(String) -> Broken, why);
    let unsendable = |why| (Broken::Unsendable as fn(String) -> Broken, why);
    let (broken, why) = match code {
        // The operator said no, by a rule about the request or about the address that its host resolves to.
        E::HttpRequestDenied => denied("the host's policy refused the request"),
        E::DestinationIpProhibited => denied("the host's policy forbids the address of the service"),
        // No address, and so no connection.
        E::DnsTimeout => not_done("looking up its name took too long"),
        E::DnsError => not_done("its name cannot be looked up"),
        E::DestinationNotFound => not_done("there is no such host"),
        // No connection.
        E::DestinationUnavailable => not_done("it is unavailable"),
        E::DestinationIpUnroutable => not_done("its address cannot be reached"),
        E::ConnectionRefused => not_done("the connection was refused"),
        E::ConnectionTimeout => not_done("connecting took too long"),
        E::ConnectionLimitReached => not_done("the host has no connection to spare"),
        // A connection, but none that a request may be trusted to.
        E::TlsProtocolError => not_done("TLS: the two sides do not understand each other"),
        E::TlsCertificateError => not_done("TLS: its certificate is not trusted"),
        E::TlsAlertReceived => not_done("TLS: it refused the connection"),
        // The host finds the request itself wrong, before it connects.
        E::HttpRequestMethodInvalid | E::HttpRequestUriInvalid | E::HttpRequestLengthRequired => {
            unsendable("the host does not accept the form of the request")
        }
        E::HttpRequestBodySize => limit("the request's body is larger than the host allows"),
        E::HttpRequestUriTooLong => limit("the request's URL is longer than the host allows"),
        E::HttpRequestHeaderSectionSize
        | E::HttpRequestHeaderSize
        | E::HttpRequestTrailerSectionSize
        | E::HttpRequestTrailerSize => limit("the request's headers are larger than the host allows"),
        // The answer is there, but too large to be let in.
        E::HttpResponseBodySize => limit(BODY_LIMIT),
        E::HttpResponseHeaderSectionSize
        | E::HttpResponseHeaderSize
        | E::HttpResponseTrailerSectionSize
        | E::HttpResponseTrailerSize => limit("the answer's headers are larger than the host allows"),
        // From here on the request may have arrived.
        E::ConnectionTerminated => unknown("the connection broke"),
        E::ConnectionReadTimeout | E::HttpResponseTimeout => unknown("waiting for the answer took too long"),
        E::ConnectionWriteTimeout => unknown("sending the request took too long"),
        E::HttpResponseIncomplete => unknown("the answer broke off"),
        // Asked again, it answers in the same way.
        E::HttpResponseTransferCoding | E::HttpResponseContentCoding => (
            Broken::Undecodable as fn(String) -> Broken,
            "the answer's body is in a coding that cannot be undone",
        ),
        E::HttpUpgradeFailed | E::HttpProtocolError => unknown("the exchange broke the rules of HTTP"),
        E::LoopDetected => unknown("the request came back to a proxy that it had passed"),
        E::ConfigurationError => unknown("the host is not configured to send it"),
        E::InternalError => unknown("the host failed to carry out the exchange"),
    };
    broken(why.to_owned())
}

/// What a recording calls by this name; the name is the host's (`nodule check`).
#[cfg(feature = "cases")]
pub(crate) fn recorded(name: &str) -> Broken {
    use ErrorCode as E;
    broken(match name {
        "dns-timeout" => E::DnsTimeout,
        "dns-error" => E::DnsError,
        "destination-ip-prohibited" => E::DestinationIpProhibited,
        "connection-refused" => E::ConnectionRefused,
        "connection-timeout" => E::ConnectionTimeout,
        "connection-read-timeout" => E::ConnectionReadTimeout,
        "connection-limit-reached" => E::ConnectionLimitReached,
        "tls-protocol-error" => E::TlsProtocolError,
        "tls-certificate-error" => E::TlsCertificateError,
        "http-request-denied" => E::HttpRequestDenied,
        "http-response-header-section-size" => E::HttpResponseHeaderSectionSize,
        "http-response-body-size" => E::HttpResponseBodySize,
        "http-response-content-coding" => E::HttpResponseContentCoding,
        "http-response-timeout" => E::HttpResponseTimeout,
        "http-protocol-error" => E::HttpProtocolError,
        _ => E::ConnectionTerminated,
    })
}

const BODY_LIMIT: &str = "the answer's body is larger than the host allows";

/// What a body broke by. Hosts differ in whether they still know the code here; its name stands in the debug text.
pub(super) fn broken_body(debug: &str) -> Broken {
    let letters: String = debug
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect::<String>()
        .to_ascii_lowercase();
    // A search made for long texts would be most of this function.
    let holds = |word: &str| {
        letters
            .as_bytes()
            .windows(word.len())
            .any(|letters| letters == word.as_bytes())
    };
    if holds("httpresponsebodysize") {
        Broken::Limit(BODY_LIMIT.to_owned())
    } else if holds("timeout") || holds("timedout") {
        Broken::Unknown("the rest of the answer took too long".to_owned())
    } else {
        Broken::Unknown("the answer broke off".to_owned())
    }
}

/// The code without what it carries.
pub(super) fn bare(code: &WasiCode) -> ErrorCode {
    use ErrorCode as E;
    use WasiCode as W;
    match code {
        W::DnsTimeout => E::DnsTimeout,
        W::DnsError(_) => E::DnsError,
        W::DestinationNotFound => E::DestinationNotFound,
        W::DestinationUnavailable => E::DestinationUnavailable,
        W::DestinationIpProhibited => E::DestinationIpProhibited,
        W::DestinationIpUnroutable => E::DestinationIpUnroutable,
        W::ConnectionRefused => E::ConnectionRefused,
        W::ConnectionTerminated => E::ConnectionTerminated,
        W::ConnectionTimeout => E::ConnectionTimeout,
        W::ConnectionReadTimeout => E::ConnectionReadTimeout,
        W::ConnectionWriteTimeout => E::ConnectionWriteTimeout,
        W::ConnectionLimitReached => E::ConnectionLimitReached,
        W::TlsProtocolError => E::TlsProtocolError,
        W::TlsCertificateError => E::TlsCertificateError,
        W::TlsAlertReceived(_) => E::TlsAlertReceived,
        W::HttpRequestDenied => E::HttpRequestDenied,
        W::HttpRequestLengthRequired => E::HttpRequestLengthRequired,
        W::HttpRequestBodySize(_) => E::HttpRequestBodySize,
        W::HttpRequestMethodInvalid => E::HttpRequestMethodInvalid,
        W::HttpRequestUriInvalid => E::HttpRequestUriInvalid,
        W::HttpRequestUriTooLong => E::HttpRequestUriTooLong,
        W::HttpRequestHeaderSectionSize(_) => E::HttpRequestHeaderSectionSize,
        W::HttpRequestHeaderSize(_) => E::HttpRequestHeaderSize,
        W::HttpRequestTrailerSectionSize(_) => E::HttpRequestTrailerSectionSize,
        W::HttpRequestTrailerSize(_) => E::HttpRequestTrailerSize,
        W::HttpResponseIncomplete => E::HttpResponseIncomplete,
        W::HttpResponseHeaderSectionSize(_) => E::HttpResponseHeaderSectionSize,
        W::HttpResponseHeaderSize(_) => E::HttpResponseHeaderSize,
        W::HttpResponseBodySize(_) => E::HttpResponseBodySize,
        W::HttpResponseTrailerSectionSize(_) => E::HttpResponseTrailerSectionSize,
        W::HttpResponseTrailerSize(_) => E::HttpResponseTrailerSize,
        W::HttpResponseTransferCoding(_) => E::HttpResponseTransferCoding,
        W::HttpResponseContentCoding(_) => E::HttpResponseContentCoding,
        W::HttpResponseTimeout => E::HttpResponseTimeout,
        W::HttpUpgradeFailed => E::HttpUpgradeFailed,
        W::HttpProtocolError => E::HttpProtocolError,
        W::LoopDetected => E::LoopDetected,
        W::ConfigurationError => E::ConfigurationError,
        W::InternalError(_) => E::InternalError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_that_come_before_the_request_say_that_nothing_was_done() {
        use ErrorCode as E;
        let not_done = [
            E::DnsTimeout,
            E::DnsError,
            E::DestinationNotFound,
            E::DestinationUnavailable,
            E::DestinationIpUnroutable,
            E::ConnectionRefused,
            E::ConnectionTimeout,
            E::ConnectionLimitReached,
            E::TlsProtocolError,
            E::TlsCertificateError,
            E::TlsAlertReceived,
        ];
        let unknown = [
            E::ConnectionTerminated,
            E::ConnectionReadTimeout,
            E::ConnectionWriteTimeout,
            E::HttpResponseIncomplete,
            E::HttpResponseTimeout,
            E::HttpUpgradeFailed,
            E::HttpProtocolError,
            E::LoopDetected,
            E::ConfigurationError,
            E::InternalError,
        ];
        let undecodable = [E::HttpResponseTransferCoding, E::HttpResponseContentCoding];
        let limit = [
            E::HttpRequestBodySize,
            E::HttpRequestUriTooLong,
            E::HttpRequestHeaderSectionSize,
            E::HttpRequestHeaderSize,
            E::HttpRequestTrailerSectionSize,
            E::HttpRequestTrailerSize,
            E::HttpResponseHeaderSectionSize,
            E::HttpResponseHeaderSize,
            E::HttpResponseBodySize,
            E::HttpResponseTrailerSectionSize,
            E::HttpResponseTrailerSize,
        ];
        let unsendable = [
            E::HttpRequestLengthRequired,
            E::HttpRequestMethodInvalid,
            E::HttpRequestUriInvalid,
        ];
        let denied = [E::HttpRequestDenied, E::DestinationIpProhibited];
        assert!(
            not_done
                .iter()
                .all(|code| matches!(broken(*code), Broken::NotDone(_)))
        );
        assert!(
            unknown
                .iter()
                .all(|code| matches!(broken(*code), Broken::Unknown(_)))
        );
        assert!(limit.iter().all(|code| matches!(broken(*code), Broken::Limit(_))));
        assert!(
            unsendable
                .iter()
                .all(|code| matches!(broken(*code), Broken::Unsendable(_)))
        );
        assert!(
            denied
                .iter()
                .all(|code| matches!(broken(*code), Broken::Denied(_)))
        );
        assert!(
            undecodable
                .iter()
                .all(|code| matches!(broken(*code), Broken::Undecodable(_)))
        );
        for code in not_done
            .iter()
            .chain(&unknown)
            .chain(&undecodable)
            .chain(&limit)
            .chain(&unsendable)
            .chain(&denied)
        {
            let shown = format!("{:?}", broken(*code));
            assert!(!shown.contains("::"), "{shown}");
        }
    }

    #[test]
    fn a_body_that_breaks_says_by_what_and_never_how_a_library_calls_it() {
        for debug in [
            "ErrorCode::HttpResponseBodySize(Some(10))",
            "HTTP-response-body-size",
            "http_response_body_size",
        ] {
            assert_eq!(
                broken_body(debug),
                Broken::Limit(BODY_LIMIT.to_owned()),
                "{debug}"
            );
        }
        for debug in ["ConnectionReadTimeout", "operation timed out"] {
            assert_eq!(
                broken_body(debug),
                Broken::Unknown("the rest of the answer took too long".into()),
                "{debug}"
            );
        }
        for debug in ["", "hyper::Error(IncompleteMessage)"] {
            assert_eq!(
                broken_body(debug),
                Broken::Unknown("the answer broke off".into()),
                "{debug}"
            );
        }
    }
}
