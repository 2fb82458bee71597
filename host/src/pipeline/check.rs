//! The first step: what a node asks for, whole and within its limits, or refused.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error as HttpError, WasiBody};

use super::{Asked, Checked, Pipeline};
use crate::canonical::{CanonicalUrl, UrlError};
use crate::guards::Guard;

/// A request as a node put it together.
pub(crate) struct Wanted {
    pub(super) method: Method,
    pub(super) scheme: &'static str,
    pub(super) authority: String,
    pub(super) path_and_query: String,
    pub(super) headers: HeaderMap,
    /// Absent where the node made none.
    pub(super) body: Option<WasiBody>,
}

/// Set from the URL and the body by the HTTP client; how answers are encoded is the host's affair.
const SET_BY_THE_CLIENT: [header::HeaderName; 3] =
    [header::HOST, header::CONTENT_LENGTH, header::ACCEPT_ENCODING];

impl Pipeline {
    /// Size and syntax.
    pub(super) async fn check(&self, wanted: Wanted) -> Result<Checked, HttpError> {
        let Wanted {
            method,
            scheme,
            authority,
            path_and_query,
            mut headers,
            body,
        } = wanted;
        // The body is read in any case, since a node that writes to a stream that nobody reads sees it break, and not
        // why the request was refused.
        let body = match body {
            Some(body) => self.whole_body(body).await,
            None => Ok(Bytes::new()),
        };
        let url = self.url(scheme, &authority, &path_and_query).map_err(|error| {
            let asked = Asked {
                method: Some(&method),
                url: None,
            };
            self.deny(asked, "url", error.to_string(), error.hint())
        })?;
        let asked = Asked {
            method: Some(&method),
            url: Some(&url),
        };
        let declared = headers
            .get(header::CONTENT_LENGTH)
            .map(|length| length.to_str().ok()?.parse().ok());
        if let (Some(declared), Ok(body)) = (declared, &body)
            && declared != Some(body.len())
        {
            let message = format!(
                "expected a `content-length` of {}, as the body has, found another",
                body.len()
            );
            return Err(self.deny(asked, "content-length", message, None));
        }
        for name in SET_BY_THE_CLIENT {
            headers.remove(name);
        }
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if headers.len() > self.limits.header_count {
            let limit = self.limits.header_count;
            self.limit(
                "header-count",
                format!("a request with more than {limit} headers (`header-count`)"),
            );
            return Err(HttpError::HttpRequestHeaderSectionSize(None));
        }
        if bytes > self.limits.header_bytes {
            let limit = self.limits.header_bytes;
            self.limit(
                "header-bytes",
                format!("a request with more than {limit} bytes of headers (`header-bytes`)"),
            );
            return Err(HttpError::HttpRequestHeaderSectionSize(None));
        }
        let body = body?;
        let below_base =
            !self.guards.has(Guard::Policy) || self.base.as_ref().is_some_and(|base| base.covers(&url));
        Ok(Checked {
            method,
            url,
            below_base,
            headers,
            body,
        })
    }

    async fn whole_body(&self, mut body: WasiBody) -> Result<Bytes, HttpError> {
        let frame = match body.frame().await {
            None => return Ok(Bytes::new()),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
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
                return Err(error);
            }
        };
        Ok(frame.into_data().unwrap_or_default())
    }

    fn url(&self, scheme: &str, authority: &str, path_and_query: &str) -> Result<CanonicalUrl, UrlError> {
        match &self.base {
            Some(base) => CanonicalUrl::from_parts_beside(base.url(), scheme, authority, path_and_query),
            None => CanonicalUrl::from_parts(scheme, authority, path_and_query),
        }
    }
}
