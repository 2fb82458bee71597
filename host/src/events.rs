//! What operators see. This is the only list of the library's `tracing` events and of the calls to an [`Observer`].
#![doc = include_str!("events/events.md")]

mod observer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;

use nodule_core::canonical::CanonicalUrl;
use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;
use nodule_core::path_template::PathTemplate;

pub use observer::{AuthenticationEnded, ItemEnded, Observer, RequestEnded, Source};

/// The fields that all events of a run or an authentication share, and the observer to call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Label {
    /// The node's name, from its validated description.
    pub(crate) node: String,
    /// The component's digest.
    pub(crate) digest: String,
    /// `group.name`, or `authenticate`.
    pub(crate) operation: String,
    /// The path that the operation declares, `/v1/things/{code}`.
    pub(crate) path: Option<PathTemplate>,
    /// Empty if the runner has no tenant.
    pub(crate) tenant: String,
    /// The run's ID; absent outside of a run.
    pub(crate) run: Option<Arc<str>>,
    /// The engine's observer.
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// Shown instead of a path that the operation does not declare.
const UNDECLARED: &str = "…";

impl Label {
    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            node: &self.node,
            digest: &self.digest,
            operation: &self.operation,
            tenant: &self.tenant,
            run: self.run.as_deref(),
        }
    }

    fn tell(&self, tell: impl FnOnce(&dyn Observer, Source<'_>)) {
        if let Some(observer) = &self.observer {
            tell(observer.as_ref(), self.source());
        }
    }

    /// The declared template if the path matches it, so that no value in a path is shown.
    pub(crate) fn path(&self, base: Option<&CanonicalUrl>, url: &CanonicalUrl) -> &str {
        let prefix = base.map_or("", |base| base.path().trim_end_matches('/'));
        let path = url.path().strip_prefix(prefix);
        let template = self.path.as_ref();
        template
            .filter(|template| path.is_some_and(|path| template.matches(path)))
            .map_or(UNDECLARED, PathTemplate::as_str)
    }
}

/// One finished request, with or without a response.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    /// `None` for an authenticating node: it knows the secret and could encode it here.
    pub(crate) origin: Option<String>,
    pub(crate) path: &'a str,
    /// 0 if there was no response.
    pub(crate) status: u16,
    pub(crate) outcome: &'static str,
    pub(crate) since: Instant,
    /// Always 0 for an authenticating node: it knows the secret and could encode it here.
    pub(crate) sent: usize,
    pub(crate) received: usize,
}

/// Emits an event with its own fields and those that all events have.
macro_rules! event {
    ($level:ident, $target:literal, $label:expr, $message:literal, { $($fields:tt)* }) => {{
        let Source { node, digest, operation, tenant, run, .. } = $label.source();
        let tenant = Some(tenant).filter(|tenant| !tenant.is_empty());
        tracing::event!(
            target: $target,
            tracing::Level::$level,
            { node, digest, operation, tenant, run, $($fields)* },
            $message
        );
    }};
}

/// Whether anyone listens to [`request`]: building one costs more than this check.
pub(crate) fn wants_requests(label: &Label) -> bool {
    label.observer.is_some() || tracing::enabled!(target: "nodule::request", tracing::Level::INFO)
}

pub(crate) fn request(label: &Label, request: &Request<'_>) {
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
    let (method, origin, duration) = (usual(method), origin.as_deref(), since.elapsed());
    let ms = millis(duration);
    event!(INFO, "nodule::request", label, "request", {
        method, origin, path, status, outcome, ms, sent, received
    });
    label.tell(|observer, source| {
        let ended = RequestEnded {
            method,
            origin,
            path,
            status: Some(*status).filter(|status| *status > 0),
            outcome,
            duration,
            sent: *sent,
            received: *received,
        };
        observer.request(source, ended);
    });
}

pub(crate) fn denied(label: &Label, method: Option<&Method>, origin: Option<&str>, rule: &str) {
    let method = method.map(usual);
    event!(WARN, "nodule::audit", label, "denied", { method, origin, rule });
    label.tell(|observer, source| observer.denied(source, rule));
}

pub(crate) fn limit(label: &Label, key: &str) {
    event!(WARN, "nodule::audit", label, "limit", { key });
    label.tell(|observer, source| observer.limit(source, key));
}

/// Reports an origin whose certificate is not checked.
pub(crate) fn insecure(label: &Label, origin: &str) {
    event!(WARN, "nodule::audit", label, "insecure", { origin });
}

/// Says that this call's further denials and limits, or what else its node prints, are not reported.
pub(crate) fn silence(label: &Label) {
    event!(WARN, "nodule::audit", label, "silence", {});
}

pub(crate) fn authentication(label: &Label, renewal: bool, outcome: &str, since: Instant) {
    let duration = since.elapsed();
    let ms = millis(duration);
    event!(INFO, "nodule::session", label, "authentication", { renewal, outcome, ms });
    label.tell(|observer, source| {
        let ended = AuthenticationEnded {
            renewal,
            outcome,
            duration,
        };
        observer.authentication(source, ended);
    });
}

pub(crate) fn retry(label: &Label, items: usize, reason: &str) {
    event!(INFO, "nodule::run", label, "retry", { items, reason });
    label.tell(|observer, source| observer.retry(source, items, reason));
}

/// Reports a notice's kind only: its message may be the service's.
pub(crate) fn notice(label: &Label, kind: &'static str) {
    event!(WARN, "nodule::run", label, "notice", { kind });
    label.tell(|observer, source| observer.notice(source, kind));
}

pub(crate) fn trap(label: &Label) {
    event!(WARN, "nodule::run", label, "trap", {});
    label.tell(|observer, source| observer.trap(source));
}

/// Reports an item's result to the observer. There may be millions, so there is no event for it.
pub(crate) fn item(label: &Label, result: &ItemResult, tries: u32, duration: Duration) {
    label.tell(|observer, source| {
        let outcome = match result {
            Ok(_) => "done",
            // The node may have chosen this failure's kind.
            Err(Failure::Other { .. }) => "other",
            Err(failure) => failure.kind(),
        };
        let ended = ItemEnded {
            outcome,
            tries,
            duration,
        };
        observer.item(source, ended);
    });
}

/// Reports a line that the node printed, made safe to show.
pub(crate) fn printed(label: &Label, stream: &'static str, text: &str) {
    event!(INFO, "nodule::node", label, "printed", { stream, text });
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A node may use any token as a method, so an unusual one could carry a message.
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
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::thread::ThreadId;

    use nodule_core::description::DeclaredRequest;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    #[test]
    fn a_path_is_shown_as_it_was_declared_and_never_with_its_values() {
        let declared: DeclaredRequest = "GET /v1/member/{memberCode}/tags".parse().unwrap();
        let label = Label {
            path: Some(declared.path().clone()),
            ..Label::default()
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

    /// Collects the events of one thread: target, message, level and fields.
    #[derive(Clone)]
    struct Collector {
        thread: ThreadId,
        rows: Arc<Mutex<BTreeSet<String>>>,
    }

    /// The fields of one event that the table names.
    #[derive(Default)]
    struct Fields {
        message: String,
        names: Vec<&'static str>,
    }

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            match field.name() {
                "message" => self.message = format!("{value:?}"),
                "node" | "digest" | "operation" | "tenant" | "run" => {}
                name => self.names.push(name),
            }
        }
    }

    impl Subscriber for Collector {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            if std::thread::current().id() != self.thread {
                return;
            }
            let mut fields = Fields::default();
            event.record(&mut fields);
            let common = ["node", "digest", "operation", "tenant", "run"];
            let all = event.metadata().fields();
            assert!(common.iter().all(|name| all.field(name).is_some()), "{all}");
            let quoted = |name: &&str| format!("`{name}`");
            let names: Vec<String> = fields.names.iter().map(quoted).collect();
            let (target, level) = (event.metadata().target(), event.metadata().level());
            let level = level.to_string().to_lowercase();
            self.rows.lock().unwrap().insert(format!(
                "| `{target}` | `{}` | {level} | {} |",
                fields.message,
                names.join(", ")
            ));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn the_table_has_every_event_with_its_fields() {
        let collector = Collector {
            thread: std::thread::current().id(),
            rows: Arc::default(),
        };
        let label = Label {
            tenant: "tenant".to_owned(),
            run: Some("run".into()),
            ..Label::default()
        };
        // The collector is global, because `tracing` caches whether anyone wants an event: a thread without a
        // subscriber that emits the event first would disable it for all.
        tracing::subscriber::set_global_default(collector.clone()).unwrap();
        let now = Instant::now();
        let ended = Request {
            method: &Method::GET,
            origin: Some("https://api.example.com".to_owned()),
            path: "/",
            status: 200,
            outcome: "answered",
            since: now,
            sent: 0,
            received: 0,
        };
        request(&label, &ended);
        denied(
            &label,
            Some(&Method::GET),
            Some("https://api.example.com"),
            "rule",
        );
        limit(&label, "key");
        insecure(&label, "https://crm.internal");
        silence(&label);
        authentication(&label, false, "done", now);
        retry(&label, 1, "reason");
        notice(&label, "kind");
        trap(&label);
        printed(&label, "stdout", "text");
        let lines = include_str!("events/events.md").lines();
        let rows = lines.filter(|line| line.starts_with("| `"));
        let table: BTreeSet<String> = rows.map(|row| row.replace("| |", "|  |")).collect();
        assert_eq!(*collector.rows.lock().unwrap(), table);
    }
}
