//! What an engine sees of its runs: events in its own span, with tenant and run, and an observer that counts and
//! measures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::ThreadId;
use std::time::Duration;

use nodule::events::{AuthenticationEnded, ItemEnded, Observer, RequestEnded, Source};
use nodule::retry::Retry;
use nodule::{Credential, Engine, EngineConfig, RunOptions, Runner};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use serde_json::{Value, json};
use simulator::{Action, Config, Rule, Simulator};
use tracing::Instrument as _;
use tracing::field::{Field, Visit};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{component, credential, simulator};

#[allow(dead_code, reason = "the program's `main`")]
#[path = "../../../host/examples/opentelemetry.rs"]
mod example;

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

/// Options with almost no wait between tries.
fn retried() -> RunOptions {
    let retry = Retry::default().waits(Duration::from_millis(1), Duration::from_millis(2));
    RunOptions::default().retry(retry)
}

/// The fields of an event, and the names of the spans around it.
type Event = (BTreeMap<String, String>, Vec<&'static str>);

/// The library's events, by thread, because other tests run in the same process.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(ThreadId, Event)>>>);

impl Seen {
    /// Removes and returns the events of this thread.
    fn take(&self) -> Vec<Event> {
        let thread = std::thread::current().id();
        let mut events = self.0.lock().unwrap();
        let mine = events.extract_if(.., |(other, _)| *other == thread);
        mine.map(|(_, event)| event).collect()
    }
}

/// A subscriber for all threads: `tracing` would cache an event as uninteresting if a thread without a subscriber met
/// it first.
fn listening() -> &'static (Seen, InMemorySpanExporter) {
    static LISTENING: OnceLock<(Seen, InMemorySpanExporter)> = OnceLock::new();
    LISTENING.get_or_init(|| {
        let (seen, traces) = (Seen::default(), InMemorySpanExporter::default());
        let tracers = SdkTracerProvider::builder()
            .with_simple_exporter(traces.clone())
            .build();
        let wanted = filter_fn(|event| event.is_span() || event.target().starts_with("nodule::"));
        let layers = example::spans(&tracers).and_then(seen.clone());
        let subscriber = tracing_subscriber::registry().with(layers.with_filter(wanted));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        (seen, traces)
    })
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
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter().flatten();
        let spans = spans.map(|span| span.name()).collect();
        let thread = std::thread::current().id();
        self.0.lock().unwrap().push((thread, (fields.0, spans)));
    }
}

/// A simulator whose first response about a member is a 503.
fn failing_once() -> Simulator {
    let simulator = simulator(Config::default());
    let unavailable = Action::Status {
        code: 503,
        retry_after: None,
        body: None,
    };
    let once = Rule::new(unavailable).path("/v1/member").times(1);
    simulator.add_fault(once).unwrap();
    simulator
}

#[tokio::test(flavor = "current_thread")]
async fn every_event_is_in_the_span_of_the_caller_and_names_tenant_and_run() {
    let (seen, _) = listening();
    let simulator = failing_once();
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

    // Without a name from the caller, each run gets its own.
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

    // Checking the credential is not a run.
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

/// Counts what it receives, by name.
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
    let simulator = failing_once();
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

/// How often each instrument recorded a value.
fn counts(metrics: &[ResourceMetrics]) -> BTreeMap<String, u64> {
    let scopes = metrics.last().unwrap().scope_metrics();
    let metrics = scopes.flat_map(|scope| scope.metrics());
    let count = |data: &AggregatedMetrics| match data {
        AggregatedMetrics::F64(MetricData::Histogram(all)) => {
            all.data_points().map(|point| point.count()).sum()
        }
        AggregatedMetrics::U64(MetricData::Sum(all)) => all.data_points().map(|point| point.value()).sum(),
        other => panic!("{other:?}"),
    };
    metrics
        .map(|metric| (metric.name().to_owned(), count(metric.data())))
        .collect()
}

#[tokio::test(flavor = "current_thread")]
async fn the_example_exports_events_in_spans_and_durations() {
    let (_, traces) = listening();
    let exported = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(exported.clone())
        .build();
    let observer = example::Metrics::new(&meters.meter("nodule"));
    let simulator = simulator(Config::default());
    let once = Action::Status {
        code: 503,
        retry_after: None,
        body: None,
    };
    simulator
        .add_fault(Rule::new(once).path("/v1/member").times(1))
        .unwrap();
    let runner = runner(EngineConfig::default().observer(observer), &simulator).await;
    let options = retried().run_id("exported");
    let workflow = tracing::info_span!("exported workflow");
    let results = runner
        .execute("member", "getMember", items(3), &options)
        .instrument(workflow)
        .await
        .unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");

    let spans = traces.get_finished_spans().unwrap();
    let span = spans
        .iter()
        .find(|span| span.name == "exported workflow")
        .unwrap();
    let mut names: Vec<&str> = span.events.iter().map(|event| event.name.as_ref()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "authentication",
            "request",
            "request",
            "request",
            "request",
            "request",
            "retry"
        ]
    );
    for event in &span.events.events {
        let has = |key: &str, value: &str| {
            let mut attributes = event.attributes.iter();
            attributes.any(|found| found.key.as_str() == key && found.value.as_str() == value)
        };
        assert!(has("tenant", "tenant-7") && has("run", "exported"), "{event:?}");
    }

    meters.force_flush().unwrap();
    let expected = [
        ("nodule.item.duration", 3),
        ("nodule.item.retries", 1),
        ("nodule.request.duration", 5),
        ("nodule.session.duration", 1),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(
        counts(&exported.get_finished_metrics().unwrap()),
        BTreeMap::from(expected)
    );
}
