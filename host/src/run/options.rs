//! The options of a run.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::files::FileStore;
use super::journal::Journal;
use nodule_core::outcome::{OnFailure, OnUnknown, ResultOrder};
use nodule_core::rate::Rate;
use nodule_core::retry::Retry;

/// Options of a run. Serde writes the run time in whole milliseconds, as `runTimeMs`, and omits the journal; absent
/// fields have their defaults.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RunOptions {
    /// How many items may be in flight at once.
    pub concurrency: NonZeroUsize,
    /// What a failed item does to the items after it.
    pub on_failure: OnFailure,
    /// The order in which results are given.
    pub order: ResultOrder,
    /// How often an item is tried. The default is once, because many engines retry by themselves.
    pub retry: Retry,
    /// The maximum rate of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How long the run may take. After that no item and no retry starts: waiting items fail with `limit`, and items in
    /// flight finish.
    #[serde(
        rename = "runTimeMs",
        with = "nodule_core::millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub run_time: Option<Duration>,
    /// The run's ID in events. The default is random; set it if your engine has its own ID for the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Whether rows are given while their item goes on, in results of their own ([`Part`](super::Part)), so that memory
    /// does not grow with them. An operation that emits rows then runs one item per call.
    pub stream_rows: bool,
    /// The most rows of each item; the node is not asked for more. `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Where the run records its progress, so that it can be resumed.
    #[serde(skip)]
    pub journal: Option<Arc<dyn Journal>>,
    /// Where files go that come out of items. An operation that gives files does not run without it.
    #[serde(skip)]
    pub files: Option<Arc<dyn FileStore>>,
    /// What happens to items of a plain write whose outcome an earlier run with the same journal does not know.
    pub on_unknown: OnUnknown,
}

/// Enough to hide the latency of a nearby service, few enough not to overload a small one.
pub const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            concurrency: DEFAULT_CONCURRENCY,
            on_failure: OnFailure::default(),
            order: ResultOrder::default(),
            retry: Retry::never(),
            rate: None,
            run_time: None,
            run_id: None,
            stream_rows: false,
            limit: None,
            journal: None,
            files: None,
            on_unknown: OnUnknown::default(),
        }
    }
}

impl RunOptions {
    /// Sets how many items may be in flight at once; 0 means 1.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets what a failed item does to the items after it.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Sets the order in which results are given.
    #[must_use]
    pub fn order(mut self, order: ResultOrder) -> Self {
        self.order = order;
        self
    }

    /// Sets how often an item is tried, as far as its operation's effect allows.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the maximum rate of requests.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Sets how long the run may take.
    #[must_use]
    pub fn run_time(mut self, time: Duration) -> Self {
        self.run_time = Some(time);
        self
    }

    /// Sets the run's ID in events and for an [`Observer`](crate::Observer).
    #[must_use]
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.run_id = Some(id.into());
        self
    }

    /// Sets whether rows are given while their item goes on.
    #[must_use]
    pub fn stream_rows(mut self, stream: bool) -> Self {
        self.stream_rows = stream;
        self
    }

    /// Sets the most rows of each item.
    #[must_use]
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Records the run's progress in a journal, and resumes where an earlier run with it stopped.
    #[must_use]
    pub fn journal(mut self, journal: impl Journal + 'static) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// Keeps the files that come out of items there.
    #[must_use]
    pub fn files(mut self, store: impl FileStore + 'static) -> Self {
        self.files = Some(Arc::new(store));
        self
    }

    /// Sets what happens to items of a plain write whose outcome an earlier run with the same journal does not know.
    #[must_use]
    pub fn on_unknown(mut self, on_unknown: OnUnknown) -> Self {
        self.on_unknown = on_unknown;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_and_read_without_the_journal() {
        let text = r#"{"concurrency":8,"onFailure":"stop","order":"completion","retry":{"tries":3,"firstWaitMs":200,"longestWaitMs":30000,"itemTimeMs":60000},"rate":"50/s","runTimeMs":1500,"runId":"run-7","streamRows":true,"limit":100,"onUnknown":"skip"}"#;
        let options: RunOptions = serde_json::from_str(text).unwrap();
        assert_eq!(options.concurrency.get(), 8);
        assert_eq!(options.on_failure, OnFailure::Stop);
        assert_eq!(options.order, ResultOrder::Completion);
        let retry = Retry::default().tries(3).item_time(Duration::from_mins(1));
        assert_eq!(options.retry, retry);
        assert_eq!(options.rate, "50/s".parse().ok());
        assert_eq!(options.run_time, Some(Duration::from_millis(1500)));
        assert_eq!(options.run_id.as_deref(), Some("run-7"));
        assert!(options.stream_rows);
        assert_eq!(options.limit, Some(100));
        assert_eq!(options.on_unknown, OnUnknown::Skip);
        assert_eq!(serde_json::to_string(&options).unwrap(), text);
    }

    #[test]
    fn absent_options_are_the_default_and_unknown_ones_are_refused() {
        let options: RunOptions = serde_json::from_str("{}").unwrap();
        let written = serde_json::to_string(&options).unwrap();
        assert_eq!(written, serde_json::to_string(&RunOptions::default()).unwrap());
        assert_eq!(options.retry, Retry::never());
        for key in ["journal", "run_time", "runTime", "tries"] {
            let error = serde_json::from_str::<RunOptions>(&format!(r#"{{"{key}":null}}"#)).unwrap_err();
            let said = format!("unknown field `{key}`");
            assert!(error.to_string().starts_with(&said), "{error}");
        }
        assert!(serde_json::from_str::<RunOptions>(r#"{"concurrency":0}"#).is_err());
    }
}
