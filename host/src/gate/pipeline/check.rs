//! Step 1: a node's request is complete and within its limits, or refused.

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use nodule_core::description::BodyNeed;
use wasmtime_wasi_http::{Error as HttpError, WasiBody};

use super::header::is_forbidden;
use super::held::BufferReservation;
use super::{Pipeline, RequestLine, Transport, ValidatedRequest};
use crate::gate::upload::{Piece, RECORDED_BYTES, Trouble, Upload};
use nodule_core::canonical::{CanonicalUrl, UrlError};
use nodule_core::limits::Limits;
use nodule_core::policy::Declaration;

/// A request as the node made it.
pub(crate) struct RawRequest {
    pub(crate) method: Method,
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Content,
    pub(crate) keep: Keep,
}

/// Whether the body of a success is wanted as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    No,
    Yes,
    /// The node has not said so yet, and may read it.
    Perhaps,
}

/// A request's body.
pub(crate) enum Content {
    None,
    Whole(Bytes),
    /// The node is still writing it.
    Draft(WasiBody),
    /// The node is still writing it, and it may have files in it.
    Streamed(WasiBody),
    /// It has files in it.
    Upload(Upload),
}

/// The HTTP client sets these from the URL and the body; the host decides which encodings it accepts.
const SET_BY_THE_CLIENT: [header::HeaderName; 3] =
    [header::HOST, header::CONTENT_LENGTH, header::ACCEPT_ENCODING];

impl Pipeline {
    /// Checks size and syntax.
    pub(super) async fn check(&self, raw: RawRequest) -> Result<ValidatedRequest, HttpError> {
        let RawRequest {
            method,
            scheme,
            authority,
            path_and_query,
            mut headers,
            body,
            keep,
        } = raw;
        let declared = headers
            .get(header::CONTENT_LENGTH)
            .map(|length| length.to_str().ok()?.parse().ok());
        // The body is read even if the request is going to be refused: otherwise the node would see its stream break
        // instead of the reason.
        let mut upload = None;
        let body = match body {
            Content::None => Ok(Bytes::new()),
            Content::Whole(body) => self.held(body),
            Content::Draft(mut body) => first(&mut body).await,
            Content::Streamed(body) => match self.streamed(body, declared.flatten()).await {
                Ok(Either::Left(body)) => Ok(body),
                Ok(Either::Right(files)) => self.beside(&files).await.inspect(|_| upload = Some(files)),
                Err(error) => Err(error),
            },
            Content::Upload(files) => self.beside(&files).await.inspect(|_| upload = Some(files)),
        }
        .inspect_err(|error| self.note_size(error));
        let url = self.url(scheme, &authority, &path_and_query).map_err(|error| {
            let line = RequestLine {
                method: Some(&method),
                url: None,
            };
            self.deny(line, "url", error.to_string(), error.hint())
        })?;
        let line = RequestLine {
            method: Some(&method),
            url: Some(&url),
        };
        if let (Some(declared), Ok(body)) = (declared, &body)
            && upload.is_none()
            && declared != u64::try_from(body.len()).ok()
        {
            let message = format!(
                "expected a `content-length` of {}, as the body has, found another",
                body.len()
            );
            return Err(self.deny(line, "content-length", message, None));
        }
        if let Some(name) = headers.keys().find(|name| is_forbidden(self.scope, name)) {
            let message = format!("the header `{name}` is not for a node to set");
            return Err(self.deny(line, "header", message, None));
        }
        for name in SET_BY_THE_CLIENT {
            headers.remove(name);
        }
        self.check_headers(&headers)?;
        let body = body?;
        let (below_base, declaration) = self.place(&url);
        Ok(ValidatedRequest {
            method,
            url,
            below_base,
            declaration,
            headers,
            body,
            upload,
            keep,
        })
    }

    /// A body that may have files in it. A large one is as good as a file.
    async fn streamed(
        &self,
        mut body: WasiBody,
        announced: Option<u64>,
    ) -> Result<Either<Bytes, Upload>, HttpError> {
        let first = first(&mut body).await?;
        let limit = self.limits.file_bytes;
        Ok(if !body.is_end_stream() {
            Either::Right(Upload::written(first, body, announced, limit))
        } else if u64::try_from(first.len()).is_ok_and(|size| size > RECORDED_BYTES) {
            Either::Right(Upload::new(vec![Piece::Bytes(first)], limit))
        } else {
            Either::Left(first)
        })
    }

    /// Whether the body of a request may leave while the node writes it. A recording needs all of it, and so do signatures with a
    /// digest.
    pub(crate) fn sends_unfinished(&self) -> bool {
        let is_recorded = !matches!(self.transport, Transport::Live { recorder: None, .. });
        let needs = self.signer.as_ref().map(|signer| signer.needs());
        !is_recorded && needs.is_none_or(|needs| needs == BodyNeed::Size)
    }

    /// What a recording, if there is one, has in the place of a body with files: the body itself, or the digest of a large one.
    async fn beside(&self, upload: &Upload) -> Result<Bytes, HttpError> {
        let is_recorded = match &self.transport {
            Transport::Live { recorder, .. } => recorder.is_some(),
            Transport::Replay(_) | Transport::DryRun(_) => true,
        };
        if !is_recorded {
            return Ok(Bytes::new());
        }
        let stands = async {
            if let Some(all) = upload.collect().await? {
                return Ok(all);
            }
            let (sha256, size) = upload.digest().await?;
            Ok(format!("{size} bytes, sha256:{sha256}").into())
        };
        stands.await.map_err(|trouble| self.unreadable(trouble))
    }

    /// The error for a file that cannot be sent.
    pub(crate) fn unreadable(&self, trouble: Trouble) -> HttpError {
        match trouble {
            Trouble::TooLarge(words) => {
                self.limit("file-bytes", words);
                HttpError::HttpRequestBodySize(None)
            }
            Trouble::File(words) => {
                self.notes().trouble.get_or_insert(words);
                HttpError::InternalError(None)
            }
        }
    }

    /// Whether a URL is below the credential's base URL, and what follows from the node's declaration of its origin.
    pub(super) fn place(&self, url: &CanonicalUrl) -> (bool, Declaration) {
        let below_base = self.base.as_ref().is_some_and(|base| base.covers(url));
        let declaration = if below_base || self.origins.is_empty() {
            Declaration::default()
        } else {
            self.origins.of(url)
        };
        (below_base, declaration)
    }

    /// Checks the number and the size of headers.
    pub(crate) fn check_headers(&self, headers: &HeaderMap) -> Result<(), HttpError> {
        let Some((key, what)) = self.too_many(headers) else {
            return Ok(());
        };
        self.limit(key, format!("a request with more than {what} (`{key}`)"));
        Err(HttpError::HttpRequestHeaderSectionSize(None))
    }

    /// The limit that these headers exceed, and how much it is.
    pub(super) fn too_many(&self, headers: &HeaderMap) -> Option<(&'static str, String)> {
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        let Limits {
            header_count,
            header_bytes,
            ..
        } = *self.limits;
        if headers.len() > header_count {
            return Some(("header-count", format!("{header_count} headers")));
        }
        (bytes > header_bytes).then(|| ("header-bytes", format!("{header_bytes} bytes of headers")))
    }

    /// Reserves memory for a complete body.
    pub(super) fn held(&self, body: Bytes) -> Result<Bytes, HttpError> {
        if body.len() > self.limits.request_body_bytes {
            return Err(HttpError::HttpRequestBodySize(u64::try_from(body.len()).ok()));
        }
        let mut hold = BufferReservation::new(&self.buffered);
        if !hold.add(body.len()) {
            return Err(HttpError::HttpRequestBodySize(None));
        }
        Ok(hold.bind(body))
    }

    /// Records which limit a body exceeded.
    fn note_size(&self, error: &HttpError) {
        match error {
            HttpError::HttpRequestBodySize(Some(_)) => {
                let limit = self.limits.request_body_bytes;
                self.limit(
                    "request-body-bytes",
                    format!("a request body of more than {limit} bytes (`request-body-bytes`)"),
                );
            }
            HttpError::HttpRequestBodySize(None) => {
                let limit = self.limits.buffered_bytes;
                self.limit(
                    "buffered-bytes",
                    format!("bodies of more than {limit} bytes at once (`buffered-bytes`)"),
                );
            }
            _ => {}
        }
    }

    fn url(&self, scheme: &str, authority: &str, path_and_query: &str) -> Result<CanonicalUrl, UrlError> {
        match &self.base {
            Some(base) => CanonicalUrl::from_parts_beside(base.url(), scheme, authority, path_and_query),
            None => CanonicalUrl::from_parts(scheme, authority, path_and_query),
        }
    }
}

/// What is there of a body once it can be sent: all of it, mostly.
async fn first(body: &mut WasiBody) -> Result<Bytes, HttpError> {
    match body.frame().await {
        None => Ok(Bytes::new()),
        Some(frame) => Ok(frame?.into_data().unwrap_or_default()),
    }
}
