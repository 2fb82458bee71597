//! Answers to the questions of forms, kept for a minute: an editor asks the same again whenever somebody opens a list.
//!
//! An answer belongs to a component, a tenant, a credential (secret included), a policy and a question. The store never
//! holds any of these, only keyed digests. It is bounded in number and size, and gives up the oldest answers first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::gate::keyed_digest::{KeyedDigest, KeyedDigests};
use nodule_core::question::Answer;

/// How long an answer is kept. The contract allows a minute.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// The maximum number of answers.
const MOST: usize = 1_024;
/// The maximum size of all answers as JSON. In memory they take a few times as much.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The answers of an engine.
pub(crate) struct Answers {
    digests: KeyedDigests,
    kept: Mutex<Kept>,
}

/// The owner of an answer, and its policy and question.
type Key = (KeyedDigest, KeyedDigest);

#[derive(Default)]
struct Kept {
    answers: HashMap<Key, Entry>,
    /// The keys in the order in which answers came.
    order: VecDeque<(Instant, Key)>,
    bytes: usize,
    /// How often answers were forgotten: one that is on its way meanwhile is not kept.
    forgotten: u64,
}

struct Entry {
    answer: Answer,
    came: Instant,
    bytes: usize,
    tenant: KeyedDigest,
    owner: KeyedDigest,
}

/// Whose answers these are.
#[derive(Clone, Copy)]
pub(crate) struct AnswerOwner {
    tenant: KeyedDigest,
    owner: KeyedDigest,
}

/// The place of one answer.
pub(crate) struct AnswerKey {
    key: Key,
    owner: AnswerOwner,
    forgotten: u64,
}

impl Answers {
    /// # Errors
    ///
    /// The system provides no randomness.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            digests: KeyedDigests::new()?,
            kept: Mutex::default(),
        })
    }

    /// The owner of the answers for this component, tenant and credential: its name, and its fields as JSON.
    pub(crate) fn owner(&self, digest: &str, tenant: &str, credential: Option<[&str; 2]>) -> AnswerOwner {
        AnswerOwner {
            tenant: self.digests.of([tenant]),
            owner: self.digests.of([digest, tenant]
                .into_iter()
                .chain(credential.into_iter().flatten())),
        }
    }

    /// The place of the answer to a question under a policy.
    pub(crate) fn key(&self, owner: AnswerOwner, policy: &str, question: &str) -> AnswerKey {
        AnswerKey {
            key: (owner.owner, self.digests.of([policy, question])),
            owner,
            forgotten: self.kept().forgotten,
        }
    }

    /// The kept answer, unless it is too old.
    pub(crate) fn get(&self, key: &AnswerKey) -> Option<Answer> {
        let mut kept = self.kept();
        kept.drop_old();
        kept.answers.get(&key.key).map(|entry| entry.answer.clone())
    }

    /// Keeps an answer, unless answers were forgotten since its key was made.
    pub(crate) fn put(&self, key: &AnswerKey, answer: &Answer) {
        let bytes = answer.to_json().to_string().len();
        let mut kept = self.kept();
        if kept.forgotten != key.forgotten || bytes > MOST_BYTES {
            return;
        }
        kept.remove(&key.key);
        let came = Instant::now();
        kept.order.push_back((came, key.key));
        kept.bytes += bytes;
        kept.answers.insert(
            key.key,
            Entry {
                answer: answer.clone(),
                came,
                bytes,
                tenant: key.owner.tenant,
                owner: key.owner.owner,
            },
        );
        kept.drop_old();
    }

    /// Forgets all answers of a tenant.
    pub(crate) fn forget_tenant(&self, tenant: &str) {
        let tenant = self.digests.of([tenant]);
        self.kept().forget(|entry| entry.tenant == tenant);
    }

    /// Forgets all answers of one owner.
    pub(crate) fn forget(&self, owner: AnswerOwner) {
        self.kept().forget(|entry| entry.owner == owner.owner);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.answers.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    /// Drops answers that are too old, and the oldest ones if there are too many.
    fn drop_old(&mut self) {
        while let Some((came, key)) = self.order.front().copied() {
            let is_old = came.elapsed() >= KEPT_FOR;
            if !is_old && self.bytes <= MOST_BYTES && self.order.len() <= MOST {
                break;
            }
            self.order.pop_front();
            // A newer answer to the same question has its own place in the order.
            if self.answers.get(&key).is_some_and(|entry| entry.came == came) {
                self.remove(&key);
            }
        }
    }

    fn forget(&mut self, is_forgotten: impl Fn(&Entry) -> bool) {
        self.forgotten += 1;
        let gone: Vec<Key> = self
            .answers
            .iter()
            .filter(|(_, entry)| is_forgotten(entry))
            .map(|(key, _)| *key)
            .collect();
        for key in &gone {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodule_core::question::ChoicesPage;

    fn answer(next: &str) -> Answer {
        Answer::Choices(ChoicesPage {
            choices: Vec::new(),
            next: Some(next.to_owned()),
        })
    }

    fn keep(answers: &Answers, owner: AnswerOwner, question: &str) {
        answers.put(&answers.key(owner, "", question), &answer(question));
    }

    fn found(answers: &Answers, owner: AnswerOwner, question: &str) -> bool {
        answers.get(&answers.key(owner, "", question)).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_a_minute() {
        let answers = Answers::new().unwrap();
        let mine = answers.owner("sha256:1", "tenant", Some(["api", "{}"]));
        keep(&answers, mine, "q");
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(answers.get(&answers.key(mine, "", "q")), Some(answer("q")));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!found(&answers, mine, "q"));
        assert_eq!(answers.kept().bytes, 0);
    }

    #[test]
    fn an_answer_belongs_to_a_component_a_tenant_a_credential_a_policy_and_a_question() {
        let answers = Answers::new().unwrap();
        keep(
            &answers,
            answers.owner("sha256:1", "tenant", Some(["api", "{}"])),
            "q",
        );
        for (digest, tenant, credential, policy, question) in [
            ("sha256:2", "tenant", Some(["api", "{}"]), "", "q"),
            ("sha256:1", "tenan", Some(["tapi", "{}"]), "", "q"),
            ("sha256:1", "tenant", Some(["api2", "{}"]), "", "q"),
            ("sha256:1", "tenant", Some(["api", "{ }"]), "", "q"),
            ("sha256:1", "tenant", None, "", "q"),
            ("sha256:1", "tenant", Some(["api", "{}"]), "q", ""),
            ("sha256:1", "tenant", Some(["api", "{}"]), "", "q2"),
        ] {
            let key = answers.key(answers.owner(digest, tenant, credential), policy, question);
            assert_eq!(
                answers.get(&key),
                None,
                "{digest} {tenant} {credential:?} {policy} {question}"
            );
        }
    }

    #[test]
    fn answers_are_forgotten_with_their_owner_or_tenant_and_those_of_others_are_kept() {
        let answers = Answers::new().unwrap();
        let owners = [("1", "one"), ("2", "one"), ("1", "two")]
            .map(|(digest, tenant)| answers.owner(digest, tenant, None));
        let [first, second, other] = owners;
        for owner in owners {
            keep(&answers, owner, "q");
        }
        answers.forget(first);
        assert_eq!(
            owners.map(|owner| found(&answers, owner, "q")),
            [false, true, true]
        );
        answers.forget_tenant("one");
        assert!(!found(&answers, second, "q") && found(&answers, other, "q"));
    }

    #[test]
    fn an_answer_that_was_on_its_way_when_answers_were_forgotten_is_not_kept() {
        let answers = Answers::new().unwrap();
        let mine = answers.owner("1", "one", None);
        let key = answers.key(mine, "", "q");
        answers.forget(mine);
        answers.put(&key, &answer("q"));
        assert!(!found(&answers, mine, "q"));
    }

    #[test]
    fn answers_are_bounded_in_number_and_size() {
        let answers = Answers::new().unwrap();
        let mine = answers.owner("1", "one", None);
        for index in 0..2 * MOST {
            keep(&answers, mine, &index.to_string());
        }
        assert!(answers.kept().answers.len() <= MOST && answers.kept().order.len() <= MOST);
        let large = "x".repeat(MOST_BYTES / 4);
        for index in 0..8 {
            let key = answers.key(mine, "", &format!("large {index}"));
            answers.put(&key, &answer(&large));
        }
        assert!(answers.kept().bytes <= MOST_BYTES);
        assert!(found(&answers, mine, "large 7") && !found(&answers, mine, "large 0"));
    }
}
