//! Headers that a node may not set, and that no credential becomes.
//!
//! A policy decides on a method, an origin and a path. Servers and the proxies in front of them take other values for
//! these from headers: they carry out a `POST` with `X-HTTP-Method-Override: DELETE` as a `DELETE`, and use the path in
//! `X-Original-URL`. The same applies to the client: the address that a request comes from, and the user whom a proxy
//! authenticated. The service has to carry out what the policy decided on, so a request with such a header is refused.
//!
//! Names are compared as CGI and its successors pass them on: `-`, `_` and every other sign are the same. PHP, Rack and
//! WSGI read `X_HTTP_METHOD_OVERRIDE` as the same header, and some servers in front of them `X.HTTP.Method.Override`.
//!
//! This cannot see overrides in a query, in a body, or in headers of a particular service (`Destination`,
//! `x-amz-copy-source`).

use std::borrow::Cow;

use http::HeaderName;

/// Headers of one connection.
const CONNECTION_HEADERS: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "host",
    "http2-settings",
];

/// Headers of one connection, and headers that only the host makes.
const HOST_HEADERS: [&str; 4] = ["te", "trailer", "expect", "proxy-authentication-info"];

/// The HTTP client sets these. In another spelling they would be sent in addition to the client's.
const CLIENT_HEADERS: [&str; 2] = ["accept-encoding", "content-length"];

/// Refused anywhere in a name.
const ANYWHERE: [&str; 10] = [
    // `X-HTTP-Method-Override` (Rack, Rails, Symfony, Laravel, Express, ASP.NET), `X-Method-Override`,
    // `X-HTTP-Host-Override`.
    "override",
    // `Forwarded` (RFC 7239) and all of `X-Forwarded-…`: `-Prefix`, `-Host` and `-Path` become part of URLs (Spring,
    // Express, Symfony).
    "forward",
    // `X-Client-IP`, `True-Client-IP`, `Fastly-Client-IP`, `X-Cluster-Client-IP`, `WL-Proxy-Client-IP`.
    "client-ip",
    "clientip",
    // `CF-Connecting-IP`, `DO-Connecting-IP`.
    "connecting-ip",
    // Nginx.
    "real-ip",
    "remote-ip",
    "remote-addr",
    "originating-ip",
    // `X-Azure-SocketIP`.
    "socketip",
];

/// Refused at the start of a name.
const BEGINNINGS: [&str; 27] = [
    // `X-HTTP-Method` (OData, SharePoint).
    "x-http-method",
    // `X-Original-URL` and `X-Rewrite-URL` (IIS, Symfony, Zend), `X-Original-URI`, `-Method` and `-Host` (ingress-nginx).
    "x-original-",
    "x-rewrite-",
    "x-proxy-",
    // Tells Rack where to find a file to send.
    "x-accel-",
    "x-sendfile",
    // Next.js sends these to itself: whether its middleware has run, and which path was matched.
    "x-middleware-",
    "x-invoke-",
    "x-matched-path",
    "x-now-route-",
    // Internal headers of the proxies of Envoy, Azure, App Engine, Cloudflare and ASP.NET.
    "x-envoy-",
    "x-arr-",
    "x-appengine-",
    "cf-",
    "ms-aspnetcore-",
    // The user whom a proxy has authenticated: Authelia, Kubernetes, Grafana, oauth2-proxy, Authentik, Pomerium,
    // Tailscale, Google, Azure, AWS.
    "remote-",
    "x-remote-",
    "x-webauth-",
    "x-auth-request-",
    "x-authentik-",
    "x-pomerium-",
    "tailscale-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-amzn-oidc-",
    // A certificate that a proxy has verified.
    "x-ssl-",
];

/// Refused as complete names.
const NAMES: [&str; 21] = [
    "x-method",
    "x-url",
    "x-uri",
    "x-host",
    "x-http-host",
    "x-backend-host",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    // The path of an application, as gunicorn and similar servers read it.
    "script-name",
    "x-script-name",
    "path-info",
    "x-path-info",
    "request-uri",
    "x-request-uri",
    // Becomes `HTTP_PROXY` in the environment of CGI programs.
    "proxy",
    "via",
    "cdn-loop",
    "ssl-client-cert",
    "x-client-cert",
    "x-client-verify",
];

/// Whether a header belongs to one connection or to the host: a node cannot set it in a request or see it in a
/// response.
#[must_use]
pub fn is_of_connection(name: &HeaderName) -> bool {
    let folded = folded(name);
    CONNECTION_HEADERS.contains(&&*folded)
        || HOST_HEADERS.contains(&&*folded)
        || folded.starts_with("proxy-")
        || name.as_str() != folded && CLIENT_HEADERS.contains(&&*folded)
}

/// Whether a session may not set this header on requests. `Cookie` is allowed.
#[must_use]
pub fn is_forbidden_in_session(name: &HeaderName) -> bool {
    if is_common(name) {
        return false;
    }
    let folded = folded(name);
    is_of_connection(name)
        || ANYWHERE.iter().any(|part| folded.contains(part))
        || BEGINNINGS.iter().any(|beginning| folded.starts_with(beginning))
        || NAMES.contains(&&*folded)
}

/// Frequent names that are never refused, so the lists need not be searched for them.
fn is_common(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "accept"
            | "accept-encoding"
            | "accept-language"
            | "authorization"
            | "content-length"
            | "content-type"
            | "idempotency-key"
            | "if-modified-since"
            | "if-none-match"
            | "user-agent"
            | "x-api-key"
            | "x-request-id"
    )
}

/// Whether a credential of the scheme `fixed` may become this header: one that a session may set, and that says nothing
/// about the body.
#[must_use]
pub fn carries_access(name: &HeaderName) -> bool {
    let folded = folded(name);
    !(is_forbidden_in_session(name) || CLIENT_HEADERS.contains(&&*folded) || folded.starts_with("content-"))
}

/// Whether two different names are the same to a server that treats all signs alike.
#[must_use]
pub fn is_respelled(one: &HeaderName, other: &HeaderName) -> bool {
    one.as_str().len() == other.as_str().len() && one != other && folded(one) == folded(other)
}

/// Whether it is a cookie, in any spelling.
#[must_use]
pub fn is_cookie(name: &HeaderName) -> bool {
    ["cookie", "cookie2"].contains(&&*folded(name))
}

/// Replaces every sign in a name with `-`. Header names are in lower case already.
fn folded(name: &HeaderName) -> Cow<'_, str> {
    let name = name.as_str();
    let is_sign = |c: char| !c.is_ascii_alphanumeric();
    if name.contains(|c| c != '-' && is_sign(c)) {
        Cow::Owned(name.replace(is_sign, "-"))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_stands_for_method_path_host_or_client_is_refused() {
        for text in [
            "X-HTTP-Method-Override",
            "x_http_method_override",
            "X-Http_Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "Http-Method-Override",
            "X-Original-URL",
            "X_Original_URL",
            "X.Original.URL",
            "X~Original~URL",
            "X-Original-Method",
            "X-Original-Host",
            "X-Rewrite-URL",
            "X-Forwarded-For",
            "X-Forwarded-Prefix",
            "X-Forwarded",
            "Forwarded",
            "Forwarded-For",
            "X-Vercel-Forwarded-For",
            "X-Real-IP",
            "X-Host",
            "X-Client-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "Via",
            "Front-End-Https",
            "X-ARR-ClientCert",
            "X-Envoy-Original-Path",
            "X-Amzn-Oidc-Data",
            "X-Middleware-Subrequest",
            "SCRIPT_NAME",
            "Remote-User",
            "Proxy",
            "Proxy-Authorization",
            "Proxy_Authorization",
            "Transfer_Encoding",
            "Content_Length",
            "Host",
            "TE",
        ] {
            assert!(is_forbidden_in_session(&name(text)), "{text}");
            assert!(!carries_access(&name(text)), "{text}");
        }
    }

    #[test]
    fn access_may_be_a_cookie_and_says_nothing_about_the_body() {
        for text in [
            "Authorization",
            "X-API-Key",
            "Cookie",
            "Private-Token",
            "Notion-Version",
        ] {
            assert!(carries_access(&name(text)), "{text}");
        }
        for text in [
            "Content-Length",
            "content_type",
            "Content-Encoding",
            "Accept-Encoding",
        ] {
            assert!(!carries_access(&name(text)), "{text}");
        }
    }

    #[test]
    fn what_services_ask_for_is_allowed() {
        for text in [
            "Accept",
            "Accept-Language",
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-None-Match",
            "Range",
            "Referer",
            "Origin",
            "User-Agent",
            "X-API-Key",
            "api_key",
            "X-Client-Id",
            "X-Client-Secret",
            "X-Request-Id",
            "X-Requested-With",
            "X-CSRF-Token",
            "X-Amz-Date",
            "X-Amz-Target",
            "X-Goog-Api-Key",
            "X-Goog-User-Project",
            "X-MS-Version",
            "Fastly-Key",
            "X-Shopify-Access-Token",
            "X-Auth-Token",
            "X-User-Id",
            "Prefer",
            "traceparent",
        ] {
            assert!(!is_forbidden_in_session(&name(text)), "{text}");
        }
    }

    #[test]
    fn what_an_answer_says_of_its_way_is_for_a_node_to_see() {
        for text in ["Via", "CF-Ray", "X-Amzn-ErrorType", "Set-Cookie"] {
            assert!(!is_of_connection(&name(text)), "{text}");
        }
        assert!(is_of_connection(&name("Transfer-Encoding")));
    }

    #[test]
    fn a_name_with_underscores_is_another_spelling() {
        assert!(is_respelled(&name("X-API-Key"), &name("x_api-key")));
        assert!(!is_respelled(&name("X-API-Key"), &name("x-api-key")));
        assert!(!is_respelled(&name("X-API-Key"), &name("x_api_kex")));
        assert!(!is_respelled(&name("X-API-Key"), &name("x_api_keys")));
    }
}
