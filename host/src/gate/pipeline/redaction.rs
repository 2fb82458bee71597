//! Where secrets are taken out of an answer before anything of it is handed on.
//!
//! It is done where the session went, and nowhere else: no other host was given the session, so none can give it back, and
//! what would be taken out of its answers are guesses. What the node wrote itself stays; see [`nodule_core::redact::answers`].

use http::header;
use tokio::task::yield_now;

use super::{BufferedResponse, Pipeline, Scope, ValidatedRequest};
use nodule_core::redact::answers::Answers;
use nodule_core::redact::{self, PIECE};

impl Pipeline {
    /// What is looked for in the answer to a request. An authenticating instance knows the secrets anyway, and has to read
    /// its token.
    fn answers(&self, request: &ValidatedRequest) -> Option<&Answers> {
        let access = self
            .access
            .as_ref()
            .filter(|_| self.scope == Scope::Operation && request.below_base)?;
        Some(access.answers())
    }

    /// Take note of the secrets that the node wrote itself. The request is as the node made it.
    pub(super) async fn listen(&self, request: &ValidatedRequest) {
        let Some(answers) = self.answers(request) else {
            return;
        };
        let url = request.url.uri().path_and_query();
        let texts = [
            request.method.as_str().as_bytes(),
            url.map_or("", |both| both.as_str()).as_bytes(),
            &request.body,
        ];
        let headers = request.headers.iter();
        let headers = headers.flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        for text in texts.into_iter().chain(headers) {
            let Some(mut heard) = answers.heard(text) else {
                continue;
            };
            while heard.step() {
                rest(text).await;
            }
            answers.tell(heard);
        }
    }

    /// The answer as the node may see it.
    pub(super) async fn redacted(
        &self,
        request: &ValidatedRequest,
        mut answer: BufferedResponse,
    ) -> BufferedResponse {
        let Some(answers) = self.answers(request) else {
            return answer;
        };
        for value in answer.headers.values_mut() {
            if let Some(redacted) = without_secrets(answers, value.as_bytes()).await {
                *value = redact::header_value(&redacted);
            }
        }
        if let Some(redacted) = without_secrets(answers, &answer.body).await {
            answer.body = redacted.into();
            // It would say how long what is gone was.
            answer.headers.remove(header::CONTENT_LENGTH);
        }
        answer
    }
}

/// What is left of a text that holds secrets.
async fn without_secrets(answers: &Answers, text: &[u8]) -> Option<Vec<u8>> {
    let mut search = answers.search(text)?;
    while search.step() {
        rest(text).await;
    }
    search.finish()
}

/// Let the others of this thread have their turn, and the call's deadline be noticed. Texts of the usual size are read in one
/// go.
async fn rest(text: &[u8]) {
    if text.len() > PIECE {
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodule_core::secret::Secret;

    /// On one thread: whoever else is on it, a deadline among them, has its turn while a long answer is looked through.
    #[tokio::test]
    async fn a_long_answer_leaves_the_thread_to_others_in_between() {
        let secret = Secret::new("0123456789abcdef".to_owned());
        let answers = Answers::new([&secret]);
        let text = "0123456789abcdef".repeat(2 * PIECE);
        let turns = async {
            let mut turns = 0;
            loop {
                yield_now().await;
                turns += 1;
                if turns == 3 * text.len() / PIECE / 2 {
                    break;
                }
            }
        };
        let looking = std::pin::pin!(without_secrets(&answers, text.as_bytes()));
        let turns = std::pin::pin!(turns);
        let early = futures_util::future::select(looking, turns).await;
        let futures_util::future::Either::Right(((), looking)) = early else {
            panic!("it was looked through in one go");
        };
        assert_eq!(looking.await, Some("[redacted]".repeat(2 * PIECE).into_bytes()));
        let short = &text.as_bytes()[..PIECE];
        let at_once = futures_util::FutureExt::now_or_never(without_secrets(&answers, short));
        assert!(
            at_once.is_some_and(|redacted| redacted.is_some()),
            "a short one is not interrupted"
        );
    }
}
