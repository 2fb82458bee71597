//! What wasmtime-wasi-http asks its host about, beside the requests, which a [handler](super::handler) takes.

use std::sync::Arc;

use http::HeaderName;
use wasmtime_wasi_http::{
    Error as HttpError, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use super::is_forbidden_header;

type Response = http::Response<WasiBody>;
type Sent = Result<(Response, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

/// Says which headers are not a node's to set.
pub(crate) struct Hooks;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden_header(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden_header)
    }

    /// Nothing is sent past the pipeline: what would come here, if the linker had another handler, is denied.
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(std::future::ready(Err(HttpError::HttpRequestDenied)))
    }
}
