//! What an engine sees of its runs: events in its own span, with tenant and run, and an observer that counts and measures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use nodule::events::{AuthenticationEnded, ItemEnded, Observer, RequestEnded, Source};
use nodule::retry::Retry;
use nodule::{Credential, Engine, EngineConfig, RunOptions, Runner};
use serde_json::{Value, json};
use simulator::{Action, Config, Rule, Simulator};
use tracing::Instrument as _;
use tracing::field::{Field, Visit};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{component, credential, simulator};

async fn runner(config: EngineConfig, simulator: &Simulator) -> Runner {
    let engine = Engine::new(&config).unwrap();
    let component = engine.load_file(component()).await.unwrap();
    let credential = Credential::from_json(component.node(), &credential(simulator)).unwrap();
    let builder = component.runner().tenant("tenant-7");
    builder.credential(credential).build().unwrap()
}

fn items(count: usize) -> Vec<Value> {
    (0..count)
        .map(|item| json!({"cardNo": format!("M{item}")}))
        .collect()
}

/// The tries of a run that waits for nothing.
fn retried() -> RunOptions {
    let retry = Retry::default().waits(Duration::from_millis(1), Duration::from_millis(2));
    RunOptions::default().retry(retry)
}

/// The fields of an event, and the names of the spans that it is in.
type Event = (BTreeMap<String, String>, Vec<&'static str>);

/// The library's events on one thread: other tests are in the same process.
#[derive(Clone)]
struct Seen {
    thread: ThreadId,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Seen {
    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let value = format!("{value:?}").trim_matches('"').to_owned();
        self.0.insert(field.name().to_owned(), value);
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if std::thread::current().id() != self.thread {
            return;
        }
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter().flatten();
        let spans = spans.map(|span| span.name()).collect();
        self.events.lock().unwrap().push((fields.0, spans));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn every_event_is_in_the_span_of_the_caller_and_names_tenant_and_run() {
    let seen = Seen {
        thread: std::thread::current().id(),
        events: Arc::default(),
    };
    // For all threads: what a thread without a subscriber comes across first is taken for something that nobody wants.
    let wanted = filter_fn(|event| event.is_span() || event.target().starts_with("nodule::"));
    let subscriber = tracing_subscriber::registry().with(seen.clone().with_filter(wanted));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let simulator = simulator(Config::default());
    simulator
        .add_fault(
            Rule::new(Action::Status {
                code: 503,
                retry_after: None,
                body: None,
            })
            .path("/v1/member")
            .times(1),
        )
        .unwrap();
    let runner = runner(EngineConfig::default(), &simulator).await;
    let first = tracing::info_span!("first");
    let options = retried().run_id("run-1");
    let results = runner
        .execute("member", "getMember", items(3), &options)
        .instrument(first)
        .await
        .unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let events = seen.take();
    let messages: BTreeSet<&str> = events
        .iter()
        .map(|(fields, _)| fields["message"].as_str())
        .collect();
    assert_eq!(messages, BTreeSet::from(["authentication", "request", "retry"]));
    for (fields, spans) in &events {
        assert_eq!(spans, &["first"], "{fields:?}");
        assert_eq!(
            (fields["tenant"].as_str(), fields["run"].as_str()),
            ("tenant-7", "run-1")
        );
    }

    // Without a name of the caller's, each run has one of its own.
    for _ in 0..2 {
        let second = tracing::info_span!("second");
        let options = retried();
        let run = runner.execute("member", "getMember", items(2), &options);
        run.instrument(second).await.unwrap();
    }
    let events = seen.take();
    assert!(events.iter().all(|(_, spans)| spans == &["second"]));
    let runs: BTreeSet<&str> = events.iter().map(|(fields, _)| fields["run"].as_str()).collect();
    assert_eq!((events.len(), runs.len()), (4, 2), "{runs:?}");
    assert!(runs.iter().all(|run| run.len() == 16), "{runs:?}");

    // A test of the credential is no run.
    runner.forget_session();
    runner.check_credential().await.unwrap();
    let events = seen.take();
    assert_eq!(events.len(), 2);
    assert!(
        events
            .iter()
            .all(|(fields, _)| !fields.contains_key("run") && fields["tenant"] == "tenant-7")
    );
}

/// Counts what it is told, by name.
#[derive(Debug, Clone, Default)]
struct Counting(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counting {
    fn add(&self, source: Source<'_>, name: String, count: u64) {
        assert_eq!((source.node, source.tenant), ("socialHub", "tenant-7"));
        assert_eq!(source.run, Some("run-1"));
        *self.0.lock().unwrap().entry(name).or_default() += count;
    }
}

impl Observer for Counting {
    fn request(&self, source: Source<'_>, request: RequestEnded<'_>) {
        assert!(request.duration > Duration::ZERO);
        let (method, path, status) = (request.method, request.path, request.status);
        self.add(
            source,
            format!("{method} {path} {status:?} {}", request.outcome),
            1,
        );
    }

    fn denied(&self, source: Source<'_>, rule: &str) {
        self.add(source, format!("denied {rule}"), 1);
    }

    fn limit(&self, source: Source<'_>, key: &str) {
        self.add(source, format!("limit {key}"), 1);
    }

    fn authentication(&self, source: Source<'_>, authentication: AuthenticationEnded<'_>) {
        assert_eq!(source.operation, "authenticate");
        assert!(authentication.duration > Duration::ZERO);
        self.add(source, format!("authentication {}", authentication.outcome), 1);
    }

    fn retry(&self, source: Source<'_>, items: usize, reason: &str) {
        self.add(source, format!("retry {reason}"), items as u64);
    }

    fn item(&self, source: Source<'_>, item: ItemEnded<'_>) {
        assert_eq!(source.operation, "member.getMember");
        assert_eq!(item.duration.is_zero(), item.tries == 0);
        self.add(source, format!("item {} after {}", item.outcome, item.tries), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_is_told_of_each_request_item_retry_and_session() {
    let counting = Counting::default();
    let simulator = simulator(Config::default());
    simulator
        .add_fault(
            Rule::new(Action::Status {
                code: 503,
                retry_after: None,
                body: None,
            })
            .path("/v1/member")
            .times(1),
        )
        .unwrap();
    let runner = runner(EngineConfig::default().observer(counting.clone()), &simulator).await;
    let mut items = items(3);
    items.push(json!({"cardNo": 17, "unknown": true}));
    let results = runner
        .execute("member", "getMember", items, &retried().run_id("run-1"))
        .await
        .unwrap();
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        3,
        "{results:?}"
    );
    let counted = counting.0.lock().unwrap().clone();
    let expected = [
        ("GET /v1/member/{cardNo} Some(200) answered", 3),
        ("GET /v1/member/{cardNo} Some(503) answered", 1),
        ("POST … Some(200) answered", 1),
        ("authentication done", 1),
        ("item done after 1", 2),
        ("item done after 2", 1),
        ("item invalid-parameters after 1", 1),
        ("retry unavailable", 1),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counted, BTreeMap::from(expected));
}
