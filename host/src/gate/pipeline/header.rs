//! Headers that are not a node's to set.
//!
//! A policy is about a method, an origin and a path. Servers and the proxies before them take other words for these from headers: a
//! `POST` with `X-HTTP-Method-Override: DELETE` is carried out as a `DELETE`, and `X-Original-URL` names the path that counts. The
//! same goes for who asks: the address that a request comes from, and the user whom a proxy has let in. What is decided about a
//! request has to be what is carried out, so none of these leaves.
//!
//! Names are compared as CGI and what came after it hand them on, where `-`, `_` and every other sign are one: `X_HTTP_METHOD_OVERRIDE` is
//! the same header to PHP, Rack and WSGI, and `X.HTTP.Method.Override` to some of the servers before them.
//!
//! What stands in a query, a body, or a header that is the service's own (`Destination`, `x-amz-copy-source`) cannot be seen here.

use std::borrow::Cow;

use http::HeaderName;
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

use super::Scope;

/// Headers of one connection, or of the host's own making: a node sets none of them.
const HOST_HEADERS: [&str; 4] = ["te", "trailer", "expect", "proxy-authentication-info"];

/// Set by the HTTP client; in another spelling they would go out beside what it sets.
const CLIENT_HEADERS: [&str; 2] = ["accept-encoding", "content-length"];

/// Refused wherever they stand in a name.
const ANYWHERE: [&str; 10] = [
    // `X-HTTP-Method-Override` (Rack, Rails, Symfony, Laravel, Express, ASP.NET), `X-Method-Override`, `X-HTTP-Host-Override`.
    "override",
    // `Forwarded` (RFC 7239) and all of `X-Forwarded-…`, of which `-Prefix`, `-Host` and `-Path` make URLs (Spring, Express, Symfony).
    "forward",
    // `X-Client-IP`, `True-Client-IP`, `Fastly-Client-IP`, `X-Cluster-Client-IP`, `WL-Proxy-Client-IP`.
    "client-ip",
    "clientip",
    // `CF-Connecting-IP`, `DO-Connecting-IP`.
    "connecting-ip",
    // Nginx's.
    "real-ip",
    "remote-ip",
    "remote-addr",
    "originating-ip",
    // `X-Azure-SocketIP`.
    "socketip",
];

/// Refused at the beginning of a name.
const BEGINNINGS: [&str; 27] = [
    // `X-HTTP-Method` (OData, SharePoint).
    "x-http-method",
    // `X-Original-URL` and `X-Rewrite-URL` (IIS, Symfony, Zend), `X-Original-URI`, `-Method` and `-Host` (ingress-nginx).
    "x-original-",
    "x-rewrite-",
    "x-proxy-",
    // Where Rack sends a file from.
    "x-accel-",
    "x-sendfile",
    // What Next.js tells itself: whether its middleware has been passed, and which path was meant.
    "x-middleware-",
    "x-invoke-",
    "x-matched-path",
    "x-now-route-",
    // What the proxies of Envoy, Azure, App Engine, Cloudflare and ASP.NET say of a request, and take from nobody else.
    "x-envoy-",
    "x-arr-",
    "x-appengine-",
    "cf-",
    "ms-aspnetcore-",
    // Who has logged in, as a proxy says: Authelia, Kubernetes, Grafana, oauth2-proxy, Authentik, Pomerium, Tailscale, Google, Azure, AWS.
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
    // A certificate that a proxy has seen.
    "x-ssl-",
];

/// Refused as whole names.
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
    // The path of an application, as gunicorn and its like take it.
    "script-name",
    "x-script-name",
    "path-info",
    "x-path-info",
    "request-uri",
    "x-request-uri",
    // `HTTP_PROXY` in the environment of CGI programs.
    "proxy",
    "via",
    "cdn-loop",
    "ssl-client-cert",
    "x-client-cert",
    "x-client-verify",
];

/// Whether a header belongs to one connection or to the host: a node sets it on no request and sees it of no answer.
pub(crate) fn is_of_connection(name: &HeaderName) -> bool {
    let folded = folded(name);
    DEFAULT_FORBIDDEN_HEADERS
        .iter()
        .any(|header| header.as_str() == folded)
        || HOST_HEADERS.contains(&&*folded)
        || folded.starts_with("proxy-")
        || name.as_str() != folded && CLIENT_HEADERS.contains(&&*folded)
}

/// Whether an instance may not set this header on a request. `Cookie` is a way to authenticate, and nothing that an executing
/// instance has to do with.
pub(super) fn is_forbidden(scope: Scope, name: &HeaderName) -> bool {
    is_forbidden_in_session(name) || scope == Scope::Operation && is_cookie(name)
}

/// Whether a session may not set this header on the requests that it is added to. It may set `Cookie`.
pub(crate) fn is_forbidden_in_session(name: &HeaderName) -> bool {
    if is_common(name) {
        return false;
    }
    let folded = folded(name);
    is_of_connection(name)
        || ANYWHERE.iter().any(|part| folded.contains(part))
        || BEGINNINGS.iter().any(|beginning| folded.starts_with(beginning))
        || NAMES.contains(&&*folded)
}

/// What most requests have, and none of what is refused: they are not looked for in the lists.
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

/// Whether two names differ, and not to a server that does not tell their signs apart.
pub(super) fn is_respelled(one: &HeaderName, other: &HeaderName) -> bool {
    one.as_str().len() == other.as_str().len() && one != other && folded(one) == folded(other)
}

fn is_cookie(name: &HeaderName) -> bool {
    ["cookie", "cookie2"].contains(&&*folded(name))
}

/// Names are in lower case already.
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
            assert!(is_forbidden(Scope::Operation, &name(text)), "{text}");
            assert!(is_forbidden(Scope::Authentication, &name(text)), "{text}");
            assert!(is_forbidden_in_session(&name(text)), "{text}");
        }
    }

    #[test]
    fn a_session_may_be_a_cookie_and_an_executing_node_sets_none() {
        for text in ["Cookie", "Cookie2"] {
            assert!(is_forbidden(Scope::Operation, &name(text)), "{text}");
            assert!(!is_forbidden(Scope::Authentication, &name(text)), "{text}");
            assert!(!is_forbidden_in_session(&name(text)), "{text}");
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
            assert!(!is_forbidden(Scope::Operation, &name(text)), "{text}");
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
