//! What operators see: the one list of `tracing` events, with stable names and fields.
//!
//! | target | message | level | fields beside `node`, `digest` and `operation` |
//! | --- | --- | --- | --- |
//! | `nodule::request` | `request` | info | `method`, `origin`, `path`, `status`, `outcome`, `ms`, `sent`, `received` |
//! | `nodule::audit` | `denied` | warn | `method`, `origin`, `rule` |
//! | `nodule::audit` | `limit` | warn | `key`, the limit's key in a policy file |
//! | `nodule::audit` | `silence` | warn | further denials and limits of this call are not shown |
//! | `nodule::session` | `authentication` | info | `renewal`, `outcome`, `ms` |
//! | `nodule::run` | `retry` | info | `items`, `reason` |
//! | `nodule::run` | `trap` | warn | |
//! | `nodule::run` | `notice` | warn | `kind` alone: `service-down`, `service-back`, `given-up`, `throttled`, `out-of-time` |
//!
//! No secret, no item data and no word of a node or a service is in them. A `path` is the operation's own template, with
//! names where the values stand, or `…` where the node asked for another path than it declared; a `method` outside of the
//! usual ones is `other`; an authenticating node, which knows the secret, chooses nothing of what is shown, so that `sent` is
//! 0 there. One thing is a node's to choose: the host in the `origin` of a denied request, since an operator has to see
//! who was to be reached.

use std::time::Instant;

use http::Method;

use nodule_core::canonical::CanonicalUrl;
use nodule_core::path_template::PathTemplate;

/// Whose event it is.
#[derive(Debug)]
pub(crate) struct Label {
    /// The node's name, as its checked description has it.
    pub(crate) node: String,
    /// The component's digest.
    pub(crate) digest: String,
    /// `group.name`, or `authenticate`.
    pub(crate) operation: String,
    /// The path that the operation declares, `/v1/things/{code}`.
    pub(crate) path: Option<PathTemplate>,
}

/// What is shown in the place of a path that no operation declares.
const UNDECLARED: &str = "…";

impl Label {
    /// A path without its values.
    pub(crate) fn path(&self, base: Option<&CanonicalUrl>, url: &CanonicalUrl) -> &str {
        let prefix = base.map_or("", |base| base.path().trim_end_matches('/'));
        let path = url.path().strip_prefix(prefix);
        let template = self.path.as_ref();
        template
            .filter(|template| path.is_some_and(|path| template.matches(path)))
            .map_or(UNDECLARED, PathTemplate::as_str)
    }
}

/// One request, answered or not.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    /// Absent where a node that knows the secret chose it.
    pub(crate) origin: Option<String>,
    pub(crate) path: &'a str,
    /// 0: there was no answer.
    pub(crate) status: u16,
    pub(crate) outcome: &'static str,
    pub(crate) since: Instant,
    /// 0 where a node that knows the secret chose it.
    pub(crate) sent: usize,
    pub(crate) received: usize,
}

/// Whether anybody listens to [`request`]: putting one together costs more than asking.
pub(crate) fn wants_requests() -> bool {
    tracing::enabled!(target: "nodule::request", tracing::Level::INFO)
}

pub(crate) fn request(label: &Label, request: &Request<'_>) {
    let Label {
        node,
        digest,
        operation,
        ..
    } = label;
    let Request {
        method,
        origin,
        path,
        status,
        outcome,
        since,
        sent,
        received,
    } = request;
    tracing::info!(
        target: "nodule::request",
        node, digest, operation,
        method = usual(method), origin, path, status, outcome, ms = millis(*since), sent, received,
        "request"
    );
}

pub(crate) fn denied(label: &Label, method: Option<&Method>, origin: Option<&str>, rule: &str) {
    let Label {
        node,
        digest,
        operation,
        ..
    } = label;
    let method = method.map(usual);
    tracing::warn!(target: "nodule::audit", node, digest, operation, method, origin, rule, "denied");
}

pub(crate) fn limit(label: &Label, key: &str) {
    let Label {
        node,
        digest,
        operation,
        ..
    } = label;
    tracing::warn!(target: "nodule::audit", node, digest, operation, key, "limit");
}

/// More denials and limits of this call than are told one by one.
pub(crate) fn silence(label: &Label) {
    let Label {
        node,
        digest,
        operation,
        ..
    } = label;
    tracing::warn!(target: "nodule::audit", node, digest, operation, "silence");
}

pub(crate) fn authentication(label: &Label, renewal: bool, outcome: &str, since: Instant) {
    let Label {
        node,
        digest,
        operation,
        ..
    } = label;
    let ms = millis(since);
    tracing::info!(target: "nodule::session", node, digest, operation, renewal, outcome, ms, "authentication");
}

pub(crate) fn retry(label: &Label, items: usize, reason: &str) {
    let Label {
        node,
        digest,
        operation,
        ..
    } = label;
    tracing::info!(target: "nodule::run", node, digest, operation, items, reason, "retry");
}

/// What a person who watches is told in words, which may be the service's.
pub(crate) fn notice(kind: &'static str) {
    tracing::warn!(target: "nodule::run", kind, "notice");
}

pub(crate) fn trap(label: &Label) {
    let Label {
        node,
        digest,
        operation,
        ..
    } = label;
    tracing::warn!(target: "nodule::run", node, digest, operation, "trap");
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A method is any word, so it could be a message.
fn usual(method: &Method) -> &str {
    const USUAL: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    if USUAL.contains(method) {
        method.as_str()
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests {
    use nodule_core::description::DeclaredRequest;

    use super::*;

    #[test]
    fn a_path_is_shown_as_it_was_declared_and_never_with_its_values() {
        let declared: DeclaredRequest = "GET /v1/member/{memberCode}/tags".parse().unwrap();
        let label = Label {
            node: String::new(),
            digest: String::new(),
            operation: String::new(),
            path: Some(declared.path().clone()),
        };
        let base = CanonicalUrl::parse("https://api.example.com/openapi").unwrap();
        let shown = |url: &str| {
            label
                .path(Some(&base), &CanonicalUrl::parse(url).unwrap())
                .to_owned()
        };
        assert_eq!(
            shown("https://api.example.com/openapi/v1/member/M17/tags?phone=1"),
            "/v1/member/{memberCode}/tags"
        );
        for other in [
            "/openapi/v1/member/M17",
            "/openapi/v1/member/M17/x",
            "/v1/member/M17/tags",
            "/openapi/M17",
        ] {
            assert_eq!(shown(&format!("https://api.example.com{other}")), "…", "{other}");
        }
    }

    #[test]
    fn a_method_of_a_nodes_own_making_is_not_shown() {
        assert_eq!(usual(&Method::PATCH), "PATCH");
        assert_eq!(usual(&Method::from_bytes(b"S3CR3T").unwrap()), "other");
    }
}
