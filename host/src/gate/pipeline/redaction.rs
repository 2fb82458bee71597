//! Step 8: removes secrets from a response before anything of it is passed on.
//!
//! This applies only to hosts that got the session. No other host can return it, so matches in their responses would be
//! coincidences. Text that the node's own request contained stays; see [`nodule_core::redact::answers`].

use std::sync::Arc;

use bytes::Bytes;
use http::header;
use tokio::task::yield_now;
use wasmtime_wasi_http::Error as HttpError;

use super::kept::Secrets;
use super::{BufferReservation, BufferedResponse, Keep, KeptBody, Pipeline, Scope, ValidatedRequest};
use crate::gate::access::Access;
use crate::gate::upload::Upload;
use nodule_core::redact::answers::Answers;
use nodule_core::redact::{self, PIECE};

impl Pipeline {
    /// What has the secrets to look for in a response. An authenticating instance knows them already, and has to read its token.
    fn access_of(&self, request: &ValidatedRequest) -> Option<&Arc<Access>> {
        let access = self.access.as_ref().filter(|_| self.scope == Scope::Operation);
        access.filter(|_| request.may_have_access())
    }

    /// Finds the secrets that the node wrote itself. The request must not contain the session yet.
    pub(super) async fn listen(&self, request: &ValidatedRequest) {
        if let Some(access) = self.access_of(request) {
            self.listen_for(access.answers(), request).await;
        }
    }

    /// Finds those of these secrets that the node wrote itself.
    pub(super) async fn listen_for(&self, answers: &Answers, request: &ValidatedRequest) {
        let url = request.url.uri().path_and_query();
        let texts = [
            request.method.as_str().as_bytes(),
            url.map_or("", |both| both.as_str()).as_bytes(),
            &request.body,
        ];
        let pieces = request.upload.iter().flat_map(Upload::texts);
        let headers = request.headers.iter();
        let headers = headers.flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        for text in texts.into_iter().chain(pieces).chain(headers) {
            let Some(mut heard) = answers.heard(text) else {
                continue;
            };
            while heard.step() {
                rest(text).await;
            }
            answers.tell(heard);
        }
    }

    /// The response as the node may see it: without the credential's secrets and what a signature added.
    pub(super) async fn redacted(
        &self,
        request: &ValidatedRequest,
        additions: Option<Arc<Answers>>,
        mut answer: BufferedResponse,
    ) -> BufferedResponse {
        let secrets = Secrets {
            access: self.access_of(request).cloned(),
            additions,
        };
        for answers in secrets.answers() {
            redact(answers, &mut answer).await;
        }
        if let Some(kept) = &mut answer.kept {
            if request.keep == Keep::Perhaps && !secrets.is_empty() {
                // Beside what the node may read of it, the length would reveal that of a secret.
                answer.headers.remove(header::CONTENT_LENGTH);
            }
            kept.secrets = secrets;
        }
        answer
    }

    /// Reads a kept body for the node after all: to its end and without secrets, as of any response.
    pub(crate) async fn read(&self, mut kept: KeptBody) -> Result<Bytes, HttpError> {
        let mut hold = BufferReservation::new(&self.buffered);
        let body = kept.read(&mut hold, self.limits()).await;
        let body = shown(&kept.secrets, body.map_err(|lost| self.lost(lost))?).await;
        self.moved(body.len());
        hold.set(body.len());
        Ok(hold.bind(body))
    }
}

/// A body without secrets.
pub(super) async fn shown(secrets: &Secrets, mut body: Bytes) -> Bytes {
    for answers in secrets.answers() {
        if let Some(redacted) = without_secrets(answers, &body).await {
            body = redacted.into();
        }
    }
    body
}

async fn redact(answers: &Answers, answer: &mut BufferedResponse) {
    for value in answer.headers.values_mut() {
        if let Some(redacted) = without_secrets(answers, value.as_bytes()).await {
            *value = redact::header_value(&redacted);
        }
    }
    if let Some(redacted) = without_secrets(answers, &answer.body).await {
        answer.body = redacted.into();
        // The length would reveal that of the secret.
        answer.headers.remove(header::CONTENT_LENGTH);
    }
}

/// The text without its secrets; `None` if it contains none.
async fn without_secrets(answers: &Answers, text: &[u8]) -> Option<Vec<u8>> {
    let mut search = answers.search(text)?;
    while search.step() {
        rest(text).await;
    }
    search.finish()
}

/// Lets other tasks of this thread run, and the call's deadline fire. Texts of the usual size are processed without a
/// pause.
async fn rest(text: &[u8]) {
    if text.len() > PIECE {
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodule_core::secret::Secret;

    /// On one thread: other tasks, such as a deadline, run while a long response is searched.
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
