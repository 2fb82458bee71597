//! Converts requests and responses from and to recordings, and replays a recording without opening a socket. None of
//! them contains anything of a session.

use std::path::{Path, PathBuf};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use nodule_core::recording::{
    Outcome, Player, RecordedFile, RecordedResponse, Recorder, Request, Role, Spelled,
};
use nodule_core::text;
use wasmtime_wasi_http::Error as HttpError;

use crate::gate::upload::RECORDED_BYTES;

use super::kept::{Lost, Recorded};
use super::redaction::shown;
use super::{
    BadSignature, BufferReservation, BufferedResponse, Keep, KeptBody, NoResponse, Pipeline, Planned,
    SIGNING, Scope, ValidatedRequest, error_name, is_safe,
};

impl Pipeline {
    /// Converts a request for the recording. Refuses the request if a recording cannot contain it.
    pub(super) fn recordable(&self, request: &ValidatedRequest) -> Result<Request, HttpError> {
        let message = || "the URL cannot be recorded".to_owned();
        request
            .recorded()
            .ok_or_else(|| self.deny(request.line(), "recording", message(), None))
    }

    /// A recording has what arrives, so a file is read for it first; then it is given as if it arrived. A large one is beside the
    /// recording.
    pub(super) async fn recordable_file(
        &self,
        recorder: &Recorder,
        keep: Keep,
        outcome: Result<BufferedResponse, NoResponse>,
    ) -> (
        Result<BufferedResponse, NoResponse>,
        Option<Box<KeptBody>>,
        Option<RecordedFile>,
    ) {
        let mut answer = match outcome {
            Ok(answer) => answer,
            failed @ Err(_) => return (failed, None, None),
        };
        let Some(kept) = answer.kept.take() else {
            return (Ok(answer), None, None);
        };
        let folder = recorder.files();
        let most = match folder {
            Some(_) => usize::try_from(RECORDED_BYTES).unwrap_or(usize::MAX),
            None => self.limits.response_bytes,
        };
        let read = match keep {
            Keep::Perhaps => self.redacted_file(*kept, most, folder).await,
            Keep::No | Keep::Yes => kept.record(most, folder).await,
        };
        let error = match read {
            Ok(Recorded::Inside(body)) => {
                answer.body = body.clone();
                return (Ok(answer), Some(Box::new(KeptBody::whole(body))), None);
            }
            Ok(Recorded::Beside(file)) => {
                match folder.map(|folder| self.beside_recording(folder.join(&file.sha256), &file)) {
                    Some(Ok(kept)) => return (Ok(answer), Some(Box::new(kept)), Some(file)),
                    _ => HttpError::ConnectionTerminated,
                }
            }
            Err(Lost::Limit(key, _)) => {
                let words = format!("a file for a recording, of more than {most} bytes (`{key}`)");
                self.lost(Lost::Limit(key, words))
            }
            Err(lost @ Lost::Broken(_)) => self.lost(lost),
        };
        (Err(error.into()), None, None)
    }

    /// Records a file that the node may still read: without secrets, as far as it may.
    async fn redacted_file(
        &self,
        mut kept: KeptBody,
        most: usize,
        folder: Option<&Path>,
    ) -> Result<Recorded, Lost> {
        let secrets = std::mem::take(&mut kept.secrets);
        match kept.record(self.limits.response_bytes.max(most), folder).await? {
            Recorded::Inside(body) => {
                let redacted = KeptBody::whole(shown(&secrets, body).await);
                redacted.record(most, folder).await
            }
            beside @ Recorded::Beside(_) => Ok(beside),
        }
    }

    /// The node's error for a body that does not arrive, which the host notes.
    pub(super) fn lost(&self, lost: Lost) -> HttpError {
        match lost {
            Lost::Limit(key, words) => {
                self.limit(key, words);
                HttpError::HttpResponseBodySize(None)
            }
            Lost::Broken(words) => {
                self.notes().trouble.get_or_insert(words);
                HttpError::ConnectionTerminated
            }
        }
    }

    /// A body in a file beside the recording.
    fn beside_recording(&self, path: PathBuf, file: &RecordedFile) -> Result<KeptBody, HttpError> {
        std::fs::File::open(path)
            .map(|opened| KeptBody::recorded(opened, file.size))
            .map_err(|error| {
                let words = format!(
                    "the file {} beside the recording cannot be read: {error}",
                    file.sha256
                );
                self.notes().trouble.get_or_insert(words);
                HttpError::ConnectionTerminated
            })
    }

    /// Looks up the recorded outcome of this request.
    pub(super) fn replay(
        &self,
        player: &Player,
        request: &ValidatedRequest,
    ) -> Result<BufferedResponse, HttpError> {
        let changing = u32::from(!is_safe(&request.method));
        self.sending(changing);
        let same = match self.role() {
            Role::Operation => player.serve_spelled(self.item, &request.spelled(&request.url.to_string())),
            Role::Authentication => None,
        };
        let served = match same {
            Some(served) => served,
            None => player.serve(self.role(), self.item, &self.recordable(request)?),
        };
        match served {
            Ok(Outcome::Answer(answer)) => match &answer.broken {
                None => {
                    let file = answer.file.clone();
                    let mut answer =
                        BufferedResponse::from_recorded(answer, BufferReservation::new(&self.buffered));
                    self.answered(&answer, changing);
                    if request.keep != Keep::No && answer.status.is_success() {
                        let body = std::mem::take(&mut answer.body);
                        let kept = match file.as_ref().and_then(|file| Some((player.file(file)?, file))) {
                            Some((path, file)) => self.beside_recording(path, file)?,
                            None => KeptBody::whole(body),
                        };
                        answer.kept = Some(Box::new(kept));
                    }
                    Ok(answer)
                }
                Some(error) => {
                    let error = self.recorded_failure(error);
                    if matches!(error, HttpError::HttpResponseContentCoding(_)) {
                        self.note_undecoded(&BufferedResponse::from_recorded(
                            answer,
                            BufferReservation::new(&self.buffered),
                        ));
                    }
                    Err(error)
                }
            },
            Ok(Outcome::Failed { error }) => Err(self.recorded_failure(error)),
            Err(miss) => Err(self.deny(
                request.line(),
                "replay",
                miss.to_string(),
                Some(miss.hint().to_owned()),
            )),
        }
    }

    /// A transport error from a recording. If another tool wrote it, its text is kept, because the name here says less.
    fn recorded_failure(&self, error: &str) -> HttpError {
        const SHOWN_CHARS: usize = 200;
        if error == SIGNING {
            return self.cut(BadSignature::Recorded.into());
        }
        let known = error_name::parse(error);
        if known.is_none() {
            let told = format!("recorded as `{}`", text::shown(error, SHOWN_CHARS));
            self.notes().trouble.get_or_insert(told);
        }
        known.unwrap_or(HttpError::ConnectionTerminated)
    }

    pub(super) fn role(&self) -> Role {
        match self.scope {
            Scope::Authentication => Role::Authentication,
            // A signing instance sends nothing, so nothing of it is recorded.
            Scope::Operation | Scope::Signing => Role::Operation,
        }
    }
}

fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

impl ValidatedRequest {
    /// Converts to a recording's request. `None` if the recording's URL type rejects the URL.
    fn recorded(&self) -> Option<Request> {
        Some(Request {
            method: self.method.clone(),
            url: url::Url::parse(&self.url.to_string()).ok()?,
            headers: header_list(&self.headers),
            body: self.body.clone(),
        })
    }

    /// The request as written, with its URL in `url`.
    fn spelled<'a>(&'a self, url: &'a str) -> Spelled<'a> {
        Spelled {
            method: &self.method,
            url,
            content_type: self
                .headers
                .get(CONTENT_TYPE)
                .map(HeaderValue::as_bytes)
                .unwrap_or_default(),
            body: &self.body,
        }
    }

    pub(super) fn planned(&self) -> Planned {
        Planned {
            method: self.method.clone(),
            url: self.url.to_string(),
            headers: header_list(&self.headers),
            body: self.body.clone(),
        }
    }
}

impl BufferedResponse {
    pub(super) fn recorded(&self) -> RecordedResponse {
        RecordedResponse {
            status: self.status,
            headers: header_list(&self.headers),
            body: self.body.clone(),
            broken: None,
            file: None,
        }
    }

    fn from_recorded(answer: &RecordedResponse, hold: BufferReservation) -> Self {
        let headers = answer
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value.parse().ok()?))
            })
            .collect();
        Self {
            status: answer.status,
            headers,
            body: answer.body.clone(),
            hold,
            kept: None,
        }
    }
}
