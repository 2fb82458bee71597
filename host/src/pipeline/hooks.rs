//! Where Wasmtime hands a node's request over.

use std::sync::Arc;

use http::HeaderName;
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{
    Error as HttpError, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use super::{Pipeline, Response, is_forbidden_header};

type Sent = Result<(Response, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

/// Sends requests through a pipeline, or, without one, denies them.
pub(crate) struct Hooks {
    pipeline: Option<Arc<Pipeline>>,
}

impl Hooks {
    pub(crate) fn new(pipeline: Option<Arc<Pipeline>>) -> Self {
        Self { pipeline }
    }
}

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden_header(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden_header)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let pipeline = self.pipeline.clone();
        Box::new(async move {
            let Some(pipeline) = pipeline else {
                // Drained, or the node sees a broken stream instead of the denial.
                let _ = request.into_body().collect().await;
                return Err(HttpError::HttpRequestDenied);
            };
            let response = pipeline.exchange(request, options).await?;
            // The answer is whole: nothing goes on behind it.
            let done: Box<dyn Future<Output = Result<(), HttpError>> + Send> = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}
