//! Exports runs to OpenTelemetry: the library's events in the embedder's spans, and durations by node, operation and
//! tenant.
//!
//! ```text
//! cargo run --release -p nodule --example opentelemetry -- node.wasm credential.json member getMember '{"cardNo":"M1"}'
//! ```
//!
//! This example keeps what it exports in memory and prints it when the run has finished. A service replaces the two
//! exporters with those of its collector. Copy [`Metrics`] and [`spans`].

use std::error::Error;
use std::io::Write as _;

use nodule::events::{AuthenticationEnded, ItemEnded, Observer, RequestEnded, Source};
use nodule::{Credential, Engine, EngineConfig, RunOptions};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing::{Instrument as _, Subscriber};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Histograms of durations in seconds, which also count, and counters of events without a duration.
#[derive(Debug)]
pub struct Metrics {
    requests: Histogram<f64>,
    items: Histogram<f64>,
    sessions: Histogram<f64>,
    retries: Counter<u64>,
    refusals: Counter<u64>,
}

impl Metrics {
    /// Creates the instruments in this meter.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let seconds = |name| meter.f64_histogram(name).with_unit("s").build();
        Self {
            requests: seconds("nodule.request.duration"),
            items: seconds("nodule.item.duration"),
            sessions: seconds("nodule.session.duration"),
            retries: meter.u64_counter("nodule.item.retries").build(),
            refusals: meter.u64_counter("nodule.refusals").build(),
        }
    }
}

/// The attributes of a metric. The run's ID is not among them: it has too many values.
fn attributes(source: Source<'_>, name: &'static str, value: &str) -> [KeyValue; 4] {
    let attribute = |name, value: &str| KeyValue::new(name, value.to_owned());
    [
        attribute("nodule.node", source.node),
        attribute("nodule.operation", source.operation),
        attribute("nodule.tenant", source.tenant),
        attribute(name, value),
    ]
}

impl Observer for Metrics {
    fn request(&self, source: Source<'_>, request: RequestEnded<'_>) {
        let status = request.status.map(|status| status.to_string());
        let outcome = status.as_deref().unwrap_or(request.outcome);
        let seconds = request.duration.as_secs_f64();
        self.requests
            .record(seconds, &attributes(source, "outcome", outcome));
    }

    fn item(&self, source: Source<'_>, item: ItemEnded<'_>) {
        let seconds = item.duration.as_secs_f64();
        self.items
            .record(seconds, &attributes(source, "outcome", item.outcome));
    }

    fn authentication(&self, source: Source<'_>, authentication: AuthenticationEnded<'_>) {
        let seconds = authentication.duration.as_secs_f64();
        let attributes = attributes(source, "outcome", authentication.outcome);
        self.sessions.record(seconds, &attributes);
    }

    fn retry(&self, source: Source<'_>, items: usize, reason: &str) {
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        self.retries.add(items, &attributes(source, "reason", reason));
    }

    fn denied(&self, source: Source<'_>, rule: &str) {
        self.refusals.add(1, &attributes(source, "rule", rule));
    }

    fn limit(&self, source: Source<'_>, key: &str) {
        self.refusals.add(1, &attributes(source, "rule", key));
    }
}

/// Exports spans with their events.
#[must_use]
pub fn spans<S: Subscriber + for<'a> LookupSpan<'a>>(tracers: &SdkTracerProvider) -> impl Layer<S> {
    tracing_opentelemetry::layer().with_tracer(tracers.tracer("nodule"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [component, credential, group, operation, item] = arguments.as_slice() else {
        return Err("expected COMPONENT CREDENTIAL GROUP OPERATION ITEM".into());
    };
    let (exported, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(exported.clone())
        .build();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics.clone())
        .build();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(spans(&tracers)))?;

    let observer = Metrics::new(&meters.meter("nodule"));
    let engine = Engine::new(&EngineConfig::default().observer(observer))?;
    let component = engine.load_file(component).await?;
    let credential = Credential::from_json(component.node(), &std::fs::read_to_string(credential)?)?;
    let runner = component
        .runner()
        .credential(credential)
        .tenant("tenant-7")
        .build()?;
    // The events of the run are in this span, and carry its name.
    let workflow = tracing::info_span!("workflow", workflow = "demo");
    let options = RunOptions::default().run_id("demo-1");
    let items = vec![serde_json::from_str::<nodule::json::Json>(item)?];
    let results = runner
        .execute(group, operation, items, &options)
        .instrument(workflow)
        .await?;

    meters.force_flush()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{results:?}")?;
    writeln!(out, "{:#?}", exported.get_finished_spans()?)?;
    writeln!(out, "{:#?}", metrics.get_finished_metrics()?)?;
    Ok(())
}
