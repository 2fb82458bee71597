//! One call of `execute`, and the results of its items: each item gets exactly one result, whatever the node does.

use std::sync::{Arc, Mutex, PoisonError};

use crate::events;
use crate::gate::pipeline::Pipeline;
use crate::run::batch::Manner;
use crate::run::files;
use crate::run::item::Item;
use crate::run::outputs::{self, READ_HERE, output_item};
use crate::run::rows::{CallRows, End, Outlet};
use crate::run::runner::{BoundOperation, Inner};
use crate::runtime::bindings::{execution, files_by_turns, turns, types};
use crate::runtime::clock_and_rng::ClockAndRng;
use crate::runtime::instance::{InstanceStore, Stop};
use crate::runtime::session::Session;
use nodule_core::credential::Credential;
use nodule_core::failure::Failure;
use nodule_core::outcome::{self, Changing, ItemResult, OnFailure};

impl Stop {
    /// The failure that the call's items get.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Stop::Limit(limit) => Failure::Limit(limit),
            Stop::Cut(failure) => *failure,
            Stop::Trap(_) => Failure::Other {
                kind: "trap".into(),
                message: self.to_string(),
                detail: None,
            },
        }
    }
}

/// Runs a chunk of items, in one call if the node behaves.
///
/// - Items whose session was refused run again, with a new session: once, or once more whenever they gave rows since.
/// - A call that traps, reaches a limit or returns the wrong number of results yields none. Its items run again, one
///   per call, so that only the one that traps fails. An item of a `write` operation is always alone in its call, and
///   never runs again.
pub(crate) async fn run_chunk(
    inner: &Inner,
    operation: &BoundOperation,
    items: &[&Item],
    on_failure: OnFailure,
    in_flight: u32,
    stream: Option<&Outlet>,
) -> (Vec<ItemResult>, Option<Manner>) {
    let clock_and_rng = match items {
        [item] => inner.clock_and_rng(item.index),
        _ => ClockAndRng::Real,
    };
    let chunk = Chunk {
        inner,
        operation,
        clock_and_rng,
        on_failure,
        stream,
        manner: Mutex::default(),
    };
    let results = chunk.with_session(items, in_flight).await;
    if let [item] = items
        && let Some(result) = results.first()
    {
        if item.files.is_empty() || !inner.is_sequential() {
            inner.keep(item.index, &item.parameters, clock_and_rng, result);
        } else {
            let parameters = files::recorded(&item.parameters, &item.files, inner.recorded_files()).await;
            inner.keep(item.index, &parameters, clock_and_rng, result);
        }
    }
    (results, chunk.manner.into_inner().ok().flatten())
}

/// What all calls for a chunk share.
struct Chunk<'a> {
    inner: &'a Inner,
    operation: &'a BoundOperation,
    clock_and_rng: ClockAndRng,
    on_failure: OnFailure,
    /// Where rows go while their item goes on; `None`: they come with its result.
    stream: Option<&'a Outlet>,
    /// What the last call with several items showed.
    manner: Mutex<Option<Manner>>,
}

impl Chunk<'_> {
    async fn with_session(&self, items: &[&Item], in_flight: u32) -> Vec<ItemResult> {
        let Self {
            inner,
            operation,
            clock_and_rng,
            ..
        } = *self;
        let session = match inner.session(None, clock_and_rng, operation.run()).await {
            Ok(session) => session,
            Err(failure) => return items.iter().map(|_| Err(failure.clone())).collect(),
        };
        let mut results = self.checked(items, session.clone(), in_flight).await;
        let Some(mut session) = session else {
            return results;
        };
        operation.stats.session(session.generation());
        // A long listing may outlive several sessions.
        let mut rows_before = None;
        loop {
            let refused = refused(&results);
            let rows: u64 = items.iter().map(|item| item.rows()).sum();
            if refused.is_empty() || !inner.renews_sessions() || rows_before == Some(rows) {
                return results;
            }
            rows_before = Some(rows);
            events::retry(&operation.label, refused.len(), "unauthenticated");
            let renewed = match inner
                .session(Some(session.generation()), clock_and_rng, operation.run())
                .await
            {
                Ok(renewed) => renewed,
                // The reason why there is no new session tells more than the refusal.
                Err(failure) => {
                    for position in refused {
                        set(&mut results, position, Err(failure.clone()));
                    }
                    return results;
                }
            };
            let again = run_again(&results);
            let chosen: Vec<&Item> = again
                .iter()
                .filter_map(|position| items.get(*position).copied())
                .collect();
            let second = self.checked(&chosen, renewed.clone(), in_flight).await;
            for (position, result) in again.into_iter().zip(second) {
                set(&mut results, position, result);
            }
            let Some(renewed) = renewed else { return results };
            operation.stats.session(renewed.generation());
            session = renewed;
        }
    }

    /// Runs the items that fit the form of the operation, and refuses the others before the node sees them.
    async fn checked(
        &self,
        items: &[&Item],
        session: Option<Arc<Session>>,
        in_flight: u32,
    ) -> Vec<ItemResult> {
        let fitting = fitting(items, self.on_failure);
        if fitting.len() == items.len() {
            return self.isolated(items, session, in_flight).await;
        }
        let results = match fitting.as_slice() {
            [] => Vec::new(),
            fitting => self.isolated(fitting, session, in_flight).await,
        };
        with_refused(items, results, self.on_failure)
    }

    /// Runs all items in one call. If that call breaks, runs each item in a call of its own.
    async fn isolated(
        &self,
        items: &[&Item],
        session: Option<Arc<Session>>,
        in_flight: u32,
    ) -> Vec<ItemResult> {
        match self.once(items, session.clone(), in_flight).await {
            Ok(results) => results,
            Err(stop) if items.len() == 1 => vec![Err(stop.into_failure())],
            Err(_) => {
                events::retry(&self.operation.label, items.len(), "one-by-one");
                let call = |item| self.once(item, session.clone(), 1);
                one_by_one(items, self.on_failure, call).await
            }
        }
    }

    /// Makes one call. Returns one result per item.
    async fn once(
        &self,
        items: &[&Item],
        session: Option<Arc<Session>>,
        in_flight: u32,
    ) -> Result<Vec<ItemResult>, Stop> {
        let Self { inner, operation, .. } = *self;
        let item = match items {
            [item] => Some(item.index),
            _ => None,
        };
        let pipeline = inner.call_pipeline(session, operation, items.len(), item, in_flight);
        let results = self.execute(&pipeline, items, in_flight).await;
        let observed = pipeline.observed();
        operation.stats.requests(&observed);
        if results.is_ok()
            && let Some(manner) = Manner::of(items.len(), in_flight, observed.sent, pipeline.overlap.most())
        {
            *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = Some(manner);
        }
        if !operation.is_write() || items.len() != 1 {
            return results;
        }
        Ok(of_write(results, observed.changing))
    }

    /// Calls the node, and validates what it returns.
    async fn execute(
        &self,
        pipeline: &Arc<Pipeline>,
        items: &[&Item],
        in_flight: u32,
    ) -> Result<Vec<ItemResult>, Stop> {
        let Self {
            inner,
            operation,
            on_failure,
            ..
        } = *self;
        if let ([item], true) = (items, operation.moves_files) {
            return Ok(vec![self.transfer(pipeline, item, in_flight).await?]);
        }
        let count = items.len();
        let rows = CallRows::new(items, self.stream, inner.limits().output_bytes);
        let behind = match items {
            [item] => item.given.as_ref().and_then(|given| given.cursor()),
            _ => None,
        };
        let items: Vec<types::Item<'_>> = items
            .iter()
            .map(|item| types::Item {
                parameters: &item.parameters,
            })
            .collect();
        let base_url = inner.base_text();
        let settings = inner.settings();
        let call = execution::Call {
            group: &operation.group,
            operation: &operation.name,
            items: &items,
            on_failure: match on_failure {
                OnFailure::Stop => execution::OnFailure::Stop,
                OnFailure::Continue => execution::OnFailure::Continue,
            },
            in_flight,
            service: service(inner, &base_url, &settings),
        };
        let mut guard = self.instance(pipeline);
        let beginning = turns::Beginning {
            call,
            behind: behind.as_deref(),
        };
        let answer = guard.execute(inner.component.pre(), beginning, &rows).await?;
        let (end, kept) = rows.finish();
        match end {
            None => operation.idle.put(guard),
            // The node is in the middle of its call, and is not asked any further.
            Some(End::Enough) => return Ok(vec![Ok(Vec::new())]),
            Some(End::Failed(failure)) => return Ok(vec![Err(failure)]),
            Some(End::Stopped(stop)) => return Err(stop),
        }
        let results = match answer {
            Ok(results) => with_kept(kept, results),
            Err(failure) => {
                let failure = told(pipeline, failure);
                return Ok((0..count).map(|_| Err(failure.clone())).collect());
            }
        };
        let cost = cost(&results, count, inner.limits().output_bytes)?;
        let pipeline = Arc::clone(pipeline);
        let read = move || {
            let results = results.into_iter().map(|result| read(&pipeline, result));
            results.collect()
        };
        if cost <= READ_HERE {
            return Ok(read());
        }
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|_| Stop::Trap("its results could not be read".to_owned()))
    }
}

impl Chunk<'_> {
    /// An instance for a call.
    fn instance(&self, pipeline: &Arc<Pipeline>) -> InstanceStore {
        let engine = self.inner.component.engine();
        self.operation.idle.take(
            engine,
            &self.inner.account,
            Arc::clone(pipeline),
            self.clock_and_rng,
        )
    }

    /// Runs an item of an operation that moves files, and keeps those that come out.
    async fn transfer(
        &self,
        pipeline: &Arc<Pipeline>,
        item: &Item,
        in_flight: u32,
    ) -> Result<ItemResult, Stop> {
        let Self { inner, operation, .. } = *self;
        let about: Vec<_> = item
            .files
            .iter()
            .map(|file| files_by_turns::File {
                key: &file.key,
                file_name: file.name.as_deref(),
                media_type: file.media_type.as_deref(),
                size: file.size,
            })
            .collect();
        let (base_url, settings) = (inner.base_text(), inner.settings());
        let call = files_by_turns::Call {
            group: &operation.group,
            operation: &operation.name,
            parameters: &item.parameters,
            files: &about,
            in_flight,
            service: service(inner, &base_url, &settings),
        };
        let mut guard = self.instance(pipeline);
        let answer = guard
            .transfer(inner.component.pre(), call, operation.gives_files, &item.files)
            .await?;
        operation.idle.put(guard);
        let transferred = match answer {
            Ok(transferred) => transferred,
            Err(failure) => return Ok(Err(told(pipeline, failure))),
        };
        let bytes = transferred.outputs.iter().map(|output| output.json.len()).sum();
        within(bytes, inner.limits().output_bytes)?;
        let (store, all_bytes) = (operation.files.as_ref(), &operation.file_bytes);
        Ok(files::read(pipeline, store, all_bytes, item.index, transferred).await)
    }
}

/// Puts the rows that items gave while they went on before those of their results. Those of an item that failed are dropped.
fn with_kept(
    kept: Vec<Vec<types::Output>>,
    mut results: Vec<execution::ItemResult>,
) -> Vec<execution::ItemResult> {
    for (mut kept, result) in kept.into_iter().zip(&mut results) {
        if let Ok(outputs) = result {
            kept.append(outputs);
            *outputs = kept;
        }
    }
    results
}

/// The items that the node gets: those that fit the form of the operation; with `stop` only those before the first one
/// that does not.
fn fitting<'i>(items: &[&'i Item], on_failure: OnFailure) -> Vec<&'i Item> {
    let fits = |item: &&Item| item.problems.is_empty();
    let items = items.iter().copied();
    match on_failure {
        OnFailure::Stop => items.take_while(fits).collect(),
        OnFailure::Continue => items.filter(fits).collect(),
    }
}

/// The results of all items, from the results of those that the node got.
fn with_refused(items: &[&Item], results: Vec<ItemResult>, on_failure: OnFailure) -> Vec<ItemResult> {
    let mut results = results.into_iter();
    let mut stopped = false;
    let result = |item: &&Item| {
        let result = match (stopped, item.problems.as_slice()) {
            (true, _) => Err(Failure::NotRun),
            (false, []) => results.next().unwrap_or(Err(Failure::NotRun)),
            (false, problems) => Err(Failure::InvalidParameters(problems.to_vec())),
        };
        stopped |= result.is_err() && on_failure == OnFailure::Stop;
        result
    };
    items.iter().map(result).collect()
}

/// The positions of the items whose session was refused.
fn refused(results: &[ItemResult]) -> Vec<usize> {
    positions(results, |failure| matches!(failure, Failure::Unauthenticated(_)))
}

/// The positions of the items to run again with the new session.
fn run_again(results: &[ItemResult]) -> Vec<usize> {
    // With `stop`, the items after the refused one did not run, so they run now.
    positions(results, |failure| {
        matches!(failure, Failure::Unauthenticated(_) | Failure::NotRun)
    })
}

fn positions(results: &[ItemResult], is_wanted: impl Fn(&Failure) -> bool) -> Vec<usize> {
    let numbered = results.iter().enumerate();
    numbered
        .filter(|(_, result)| result.as_ref().is_err_and(&is_wanted))
        .map(|(position, _)| position)
        .collect()
}

/// Runs each item in a call of its own. With `stop`, items after a failed one do not run.
async fn one_by_one<'i, F>(
    items: &'i [&'i Item],
    on_failure: OnFailure,
    call: impl Fn(&'i [&'i Item]) -> F,
) -> Vec<ItemResult>
where
    F: Future<Output = Result<Vec<ItemResult>, Stop>>,
{
    let mut results = Vec::with_capacity(items.len());
    let mut stopped = false;
    for item in items {
        if stopped {
            results.push(Err(Failure::NotRun));
            continue;
        }
        let result = match call(std::slice::from_ref(item)).await {
            Ok(mut results) => results.pop().unwrap_or(Err(Failure::NotRun)),
            Err(stop) => Err(stop.into_failure()),
        };
        stopped = result.is_err() && on_failure == OnFailure::Stop;
        results.push(result);
    }
    results
}

/// The results of a plain write. It is alone in its call, so the requests that the host saw belong to this item.
fn of_write(results: Result<Vec<ItemResult>, Stop>, changing: Changing) -> Vec<ItemResult> {
    let results = results.unwrap_or_else(|stop| vec![Err(stop.into_failure())]);
    results
        .into_iter()
        .map(|result| outcome::of_write(result, changing))
        .collect()
}

/// Refuses results of more bytes than the limit.
fn within(bytes: usize, limit: usize) -> Result<(), Stop> {
    if bytes > limit {
        return Err(outputs::too_large(limit));
    }
    Ok(())
}

/// What the node is told of the service.
fn service<'a>(inner: &'a Inner, base_url: &'a str, settings: &'a String) -> execution::Service<'a> {
    execution::Service {
        credential: inner.credential().map(Credential::name),
        base_url,
        settings,
        // The host adds the session to requests outside the sandbox.
        access: None,
    }
}

/// The cost of scanning these results, in bytes. Refuses results whose number differs from the items', and results of
/// more bytes than the limit.
fn cost(results: &[execution::ItemResult], items: usize, limit: usize) -> Result<usize, Stop> {
    if results.len() != items {
        return Err(Stop::Trap(format!(
            "expected {items} results, found {}",
            results.len()
        )));
    }
    let bytes = results.iter().flatten().flatten();
    within(bytes.map(|output| output.json.len()).sum(), limit)?;
    Ok(results
        .iter()
        .flatten()
        .map(|outputs| outputs::cost(outputs))
        .sum())
}

fn set(results: &mut [ItemResult], position: usize, result: ItemResult) {
    if let Some(place) = results.get_mut(position) {
        *place = result;
    }
}

/// Makes a single call without a session. The caller keeps the pipeline and can inspect it.
pub(crate) async fn alone(
    inner: &Inner,
    operation: &BoundOperation,
    pipeline: &Arc<Pipeline>,
    items: &[&Item],
) -> Result<Vec<ItemResult>, Stop> {
    let chunk = Chunk {
        inner,
        operation,
        clock_and_rng: ClockAndRng::Real,
        on_failure: OnFailure::Continue,
        stream: None,
        manner: Mutex::default(),
    };
    chunk.execute(pipeline, items, 1).await
}

fn read(pipeline: &Pipeline, result: execution::ItemResult) -> ItemResult {
    match result {
        Ok(output) => output
            .into_iter()
            .map(|output| Ok(output_item(output.json)?.into()))
            .collect(),
        Err(failure) => Err(told(pipeline, failure)),
    }
}

/// Converts a node's failure: bounds it, and explains it if the host knows more.
fn told(pipeline: &Pipeline, failure: types::Failure) -> Failure {
    pipeline.explain(failure.into())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;

    use super::*;
    use nodule_core::failure::{Answer, ParameterProblem};

    fn done(text: &str) -> ItemResult {
        output_item(text.to_owned()).map(|json| vec![json.into()])
    }

    fn outputs(texts: &[&str]) -> Vec<types::Output> {
        let json = |text: &&str| types::Output {
            json: (*text).to_owned(),
        };
        texts.iter().map(json).collect()
    }

    fn unauthenticated() -> ItemResult {
        Err(Failure::Unauthenticated(Answer {
            status: 401,
            code: None,
            message: String::new(),
            request_id: None,
        }))
    }

    fn not_run() -> ItemResult {
        Err(Failure::NotRun)
    }

    fn item(index: usize, fits: bool) -> Item {
        let problem = ParameterProblem {
            pointer: "/a".to_owned(),
            label: "A".to_owned(),
            message: "expected a text, found nothing".to_owned(),
        };
        Item {
            index,
            parameters: "{}".to_owned(),
            files: Arc::default(),
            problems: if fits { Vec::new() } else { vec![problem] },
            given: None,
        }
    }

    #[test]
    fn the_node_gets_no_item_that_does_not_fit_the_form() {
        let items = [true, false, true, false, true].map(|fits| item(0, fits));
        let items = items.each_ref();
        for (on_failure, node, expected) in [
            (
                OnFailure::Continue,
                "ok ok ok",
                "1 invalid-parameters 1 invalid-parameters 1",
            ),
            (
                OnFailure::Continue,
                "ok no ok",
                "1 invalid-parameters unauthenticated invalid-parameters 1",
            ),
            (
                OnFailure::Stop,
                "ok",
                "1 invalid-parameters not-run not-run not-run",
            ),
            (
                OnFailure::Stop,
                "no",
                "unauthenticated not-run not-run not-run not-run",
            ),
        ] {
            let answer = |word: &str| {
                if word == "ok" {
                    done("1")
                } else {
                    unauthenticated()
                }
            };
            let results: Vec<ItemResult> = node.split(' ').map(answer).collect();
            assert_eq!(fitting(&items, on_failure).len(), results.len(), "{on_failure:?}");
            let results = with_refused(&items, results, on_failure);
            assert_eq!(words(&results).join(" "), expected, "{on_failure:?} {node}");
        }
    }

    /// The JSON texts of successful results, and the kinds of failures.
    fn words(results: &[ItemResult]) -> Vec<String> {
        let word = |result: &ItemResult| match result {
            Ok(output) => output.iter().map(|json| json.get()).collect(),
            Err(failure) => failure.kind().to_owned(),
        };
        results.iter().map(word).collect()
    }

    /// Runs three items one by one; the second one traps. Returns the results, and the items that were called.
    async fn second_traps(on_failure: OnFailure) -> (Vec<ItemResult>, Vec<usize>) {
        let items = [0, 1, 2].map(|index| item(index, true));
        let called = RefCell::new(Vec::new());
        let results = one_by_one(&items.each_ref(), on_failure, |call| {
            let index = call[0].index;
            assert_eq!(call.len(), 1);
            called.borrow_mut().push(index);
            ready(match index {
                1 => Err(Stop::Trap("unreachable".to_owned())),
                index => Ok(vec![done(&index.to_string())]),
            })
        })
        .await;
        (results, called.into_inner())
    }

    #[tokio::test]
    async fn of_items_that_run_one_by_one_only_the_one_that_traps_fails() {
        let (results, called) = second_traps(OnFailure::Continue).await;
        assert_eq!(words(&results), ["0", "trap", "2"]);
        assert_eq!(called, [0, 1, 2]);
    }

    #[tokio::test]
    async fn with_stop_no_item_is_called_after_one_that_failed() {
        let (results, called) = second_traps(OnFailure::Stop).await;
        assert_eq!(words(&results), ["0", "trap", "not-run"]);
        assert_eq!(called, [0, 1]);
    }

    #[test]
    fn refused_items_run_again_and_those_that_were_not_run_because_of_them() {
        let results = [
            done("1"),
            unauthenticated(),
            not_run(),
            done("2"),
            unauthenticated(),
        ];
        assert_eq!(refused(&results), [1, 4]);
        assert_eq!(run_again(&results), [1, 2, 4]);
    }

    #[test]
    fn items_that_were_not_run_for_another_reason_do_not_ask_for_a_session() {
        assert!(refused(&[done("1"), Err(Failure::Limit(String::new())), not_run()]).is_empty());
    }

    #[test]
    fn there_are_as_many_results_as_items() {
        let results = [Ok(outputs(&["1"])), Ok(outputs(&["1"]))];
        for (items, found) in [
            (1, "expected 1 results, found 2"),
            (3, "expected 3 results, found 2"),
        ] {
            let stop = cost(&results, items, usize::MAX).unwrap_err();
            assert_eq!(stop, Stop::Trap(found.to_owned()));
        }
        assert!(cost(&results, 2, usize::MAX).is_ok());
    }

    #[test]
    fn the_bytes_of_all_results_of_a_call_are_limited_together() {
        let results = [
            Ok(outputs(&["12", "345"])),
            Err(types::Failure::NotRun),
            Ok(outputs(&["6"])),
        ];
        let stop = cost(&results, 3, 5).unwrap_err();
        let message = "results of more than 5 bytes (`output-bytes`)";
        assert_eq!(stop.into_failure(), Failure::Limit(message.to_owned()));
        assert_eq!(
            cost(&results, 3, 6),
            Ok(outputs::cost(&outputs(&["12", "345", "6"])))
        );
    }

    #[test]
    fn a_write_that_traps_is_uncertain_once_its_request_was_sent() {
        let trap = || Err(Stop::Trap("unreachable".to_owned()));
        let sent = Changing { sent: 1, answered: 1 };
        assert!(matches!(&*of_write(trap(), sent), [Err(Failure::Uncertain(_))]));
        let unsent = Changing::default();
        assert_eq!(words(&of_write(trap(), unsent)), ["trap"]);
        assert!(matches!(&*of_write(trap(), unsent), [Err(Failure::Other { .. })]));
        assert_eq!(words(&of_write(Ok(vec![done("1")]), sent)), ["1"]);
    }
}
