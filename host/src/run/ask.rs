//! The questions of a form: which values has a parameter, which columns?
//!
//! A question runs like an item of a `read` operation: in a fresh instance, through the same pipeline, with the session
//! outside the sandbox, within the same limits, recorded and replayed. Two things are stricter. Only GET and HEAD are
//! sent, since nobody has asked for anything to be changed. And the answer is checked as a description is.

use std::sync::Arc;

use super::runner::{BoundOperation, Inner, Runner};
use crate::error::Error;
use crate::events;
use crate::gate::budget::Pace;
use crate::gate::pipeline::Pipeline;
use crate::runtime::bindings::{self, choices, execution, types};
use crate::runtime::clock_and_rng::ClockAndRng;
use crate::runtime::instance::{InstanceStore, Stop};
use crate::runtime::session::Session;
use nodule_core::credential::Credential;
use nodule_core::description::{DescriptionProblem, Parameter};
use nodule_core::failure::Failure;
use nodule_core::question::{Answer, ChoicesPage, Question, Wanted};
use serde_json::value::RawValue;

/// How many of an answer's problems a failure tells: people repair the first ones first.
const SHOWN_PROBLEMS: usize = 3;

impl Runner {
    /// Asks the service for one page of the values that a parameter may have. The answer is checked: labels are single
    /// lines without deceptive characters, values are texts, numbers or booleans, and a page has at most
    /// [`MAX_CHOICES`](nodule_core::description::MAX_CHOICES). Only GET and HEAD are sent.
    ///
    /// A runner that records holds a question as it holds an item, under the next free index. A replay answers an equal
    /// question from where the recording has it.
    ///
    /// # Errors
    ///
    /// The outer error: the description does not offer this question. The inner one: why there is no answer.
    pub async fn choices(&self, question: &Question) -> Result<Result<ChoicesPage, Failure>, Error> {
        Ok(match self.inner.answer(question, Wanted::Choices).await? {
            Ok(Answer::Choices(page)) => Ok(page),
            Ok(Answer::Columns(_)) => Err(refused("it has columns")),
            Err(failure) => Err(failure),
        })
    }

    /// Asks the service for the columns of a parameter of the kind `columns`. They are checked like the parameters of a
    /// description, and each has a single value, or several of a list. Otherwise like [`Runner::choices`].
    ///
    /// # Errors
    ///
    /// As for [`Runner::choices`].
    pub async fn fields(&self, question: &Question) -> Result<Result<Vec<Parameter>, Failure>, Error> {
        Ok(match self.inner.answer(question, Wanted::Columns).await? {
            Ok(Answer::Columns(columns)) => Ok(columns),
            Ok(Answer::Choices(_)) => Err(refused("it has values")),
            Err(failure) => Err(failure),
        })
    }
}

/// What all calls for one question share.
struct Asking<'a> {
    inner: &'a Inner,
    operation: &'a BoundOperation,
    question: &'a Question,
    wanted: Wanted,
    filled_in: String,
    item: usize,
    clock_and_rng: ClockAndRng,
}

impl Inner {
    async fn answer(&self, question: &Question, wanted: Wanted) -> Result<Result<Answer, Failure>, Error> {
        question.check(self.component.node(), wanted)?;
        let mut operation = BoundOperation::new(self, &question.group, &question.operation)?;
        operation.name_run(None);
        operation.rate = Pace::of_run(None, self.budget.as_ref());
        let recorded = question.to_json().to_string();
        let key = self.answer_key(&recorded);
        if let Some(kept) = key
            .as_ref()
            .and_then(|key| self.component.engine().answers().get(key))
        {
            return Ok(Ok(kept));
        }
        self.report_insecure(&operation.label);
        // A recording numbers its items, so that its questions are asked one after the other.
        let number = self.question_number(&recorded).await;
        let asking = Asking {
            inner: self,
            operation: &operation,
            question,
            wanted,
            filled_in: operation
                .form
                .filled_in(&question.filled_in.to_string())
                .into_owned(),
            item: number.index(),
            clock_and_rng: self.clock_and_rng(number.index()),
        };
        let answer = asking.with_session().await;
        let result = match &answer {
            Ok(answer) => Ok(vec![line(answer).into()]),
            Err(failure) => Err(failure.clone()),
        };
        self.keep(number.index(), &recorded, asking.clock_and_rng, &result);
        drop(number);
        if let (Some(key), Ok(answer)) = (&key, &answer) {
            self.component.engine().answers().put(key, answer);
        }
        Ok(answer)
    }
}

/// An answer as an output item, for a recording.
fn line(answer: &Answer) -> Box<RawValue> {
    RawValue::from_string(answer.to_json().to_string()).unwrap_or_default()
}

impl Asking<'_> {
    /// Asks, and once more with a new session if the service refused the first one.
    async fn with_session(&self) -> Result<Answer, Failure> {
        let Self {
            inner,
            operation,
            clock_and_rng,
            ..
        } = *self;
        let session = inner.session(None, clock_and_rng, operation.run()).await?;
        let answer = self.once(session.clone()).await;
        let (Some(session), Err(Failure::Unauthenticated(_))) = (&session, &answer) else {
            return answer;
        };
        events::retry(&operation.label, 1, "unauthenticated");
        let renewed = inner
            .session(Some(session.generation()), clock_and_rng, operation.run())
            .await?;
        self.once(renewed).await
    }

    /// Asks in an instance of its own.
    async fn once(&self, session: Option<Arc<Session>>) -> Result<Answer, Failure> {
        let Self { inner, operation, .. } = *self;
        let pipeline = inner.question_pipeline(session, operation, self.item);
        let mut instance = InstanceStore::new(
            inner.component.engine(),
            &inner.account,
            Arc::clone(&pipeline),
            self.clock_and_rng,
        );
        let pre = inner.component.pre();
        let (base_url, settings) = (inner.base_text(), inner.settings());
        let question = self.given(&base_url, &settings);
        let checked = match self.wanted {
            Wanted::Choices => {
                let page = answered(&pipeline, instance.values(pre, question).await)?;
                drop(instance);
                checked(move || bindings::page(page).map(Answer::Choices)).await
            }
            Wanted::Columns => {
                let columns = answered(&pipeline, instance.fields(pre, question).await)?;
                drop(instance);
                checked(move || bindings::columns(columns).map(Answer::Columns)).await
            }
        };
        operation.stats.requests(&pipeline.observed());
        checked
    }

    fn given<'q>(&'q self, base_url: &'q str, settings: &'q String) -> choices::Question<'q> {
        choices::Question {
            group: &self.question.group,
            operation: &self.question.operation,
            parameter: &self.question.parameter,
            filled_in: &self.filled_in,
            search: self.question.search.as_deref(),
            cursor: self.question.cursor.as_deref(),
            service: execution::Service {
                credential: self.inner.credential().map(Credential::name),
                base_url,
                settings,
                // The host adds the session to requests outside the sandbox.
                access: None,
            },
        }
    }
}

/// What the node answered, or why it did not.
fn answered<T>(pipeline: &Pipeline, answer: Result<Result<T, types::Failure>, Stop>) -> Result<T, Failure> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => Err(pipeline.explain(failure.into())),
        Err(stop) => Err(stop.into_failure()),
    }
}

/// Checks an answer on a blocking thread: it may be as large as a description.
async fn checked(
    check: impl FnOnce() -> Result<Answer, Vec<DescriptionProblem>> + Send + 'static,
) -> Result<Answer, Failure> {
    match tokio::task::spawn_blocking(check).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(problems)) => {
            let first = problems.iter().take(SHOWN_PROBLEMS);
            let told: Vec<String> = first.map(ToString::to_string).collect();
            Err(refused(&told.join("; ")))
        }
        Err(_) => Err(refused("checking it broke off")),
    }
}

fn refused(why: &str) -> Failure {
    Failure::Other {
        kind: "bad-output".into(),
        message: format!("the node's answer is refused: {why}"),
        detail: None,
    }
}
