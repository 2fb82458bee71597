//! What a question of a form gets of its runner: a pipeline that only reads, a number in a recording, a place for its answer.

use std::sync::{Arc, PoisonError};

use super::{BoundOperation, Inner, Target};
use crate::gate::pipeline::{Pipeline, Scope};
use crate::runtime::answers::AnswerKey;
use crate::runtime::session::Session;

/// How many bytes of an answer the host copies out of the instance: the largest page that passes the check, with each
/// text at its limit, has 13 MB.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The number of a question in a recording. The next question gets its number when this is dropped.
pub(crate) struct QuestionNumber {
    index: usize,
    _turn: Option<tokio::sync::OwnedMutexGuard<usize>>,
}

impl QuestionNumber {
    pub(crate) fn index(&self) -> usize {
        self.index
    }
}

impl Inner {
    /// The pipeline of a question of a form.
    pub(crate) fn question_pipeline(
        &self,
        session: Option<Arc<Session>>,
        operation: &BoundOperation,
        item: usize,
    ) -> Arc<Pipeline> {
        let mut pipeline = self.unshared_pipeline(Scope::Operation, session, Some(operation), Some(item));
        // Whatever the operation itself does, its form only reads.
        (pipeline.write, pipeline.reads_only) = (false, true);
        let limits = Arc::make_mut(&mut pipeline.limits);
        limits.output_bytes = limits.output_bytes.min(ANSWER_BYTES);
        Arc::new(pipeline)
    }

    /// The number under which a recording has a question. A live runner numbers none, and asks any number at once.
    pub(crate) async fn question_number(&self, question: &str) -> QuestionNumber {
        if matches!(self.target, Target::Live | Target::DryRun) {
            return QuestionNumber {
                index: 0,
                _turn: None,
            };
        }
        let mut turn = Arc::clone(&self.questions).lock_owned().await;
        let next = *turn;
        let index = match &self.target {
            Target::Record { tape, .. } => {
                let tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
                tape.items.last_key_value().map_or(0, |(last, _)| last + 1)
            }
            Target::Replay { items, .. } => {
                let is_recorded = |item: &String| item == question;
                // A question that was recorded again has two items, in this order.
                let later = items
                    .iter()
                    .skip(next)
                    .position(is_recorded)
                    .map(|index| index + next);
                later
                    .or_else(|| items.iter().position(is_recorded))
                    .unwrap_or(next)
            }
            Target::Live | Target::DryRun => 0,
        };
        *turn = next + 1;
        QuestionNumber {
            index,
            _turn: Some(turn),
        }
    }

    /// Where the answer to a question is kept, if this runner keeps answers.
    pub(crate) fn answer_key(&self, question: &str) -> Option<AnswerKey> {
        let owner = self.answers.filter(|_| self.is_live())?;
        let policy = format!("{:?}", self.policy);
        Some(self.component.engine().answers().key(owner, &policy, question))
    }
}
