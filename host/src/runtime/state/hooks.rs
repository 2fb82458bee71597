//! The hooks that wasmtime-wasi-http calls, beside requests, which a [handler](crate::runtime::http::handler) takes.

use std::sync::Arc;

use http::HeaderName;
use wasmtime_wasi_http::{
    Error as HttpError, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use crate::gate::pipeline::header;

type Response = http::Response<WasiBody>;
type Sent = Result<(Response, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

/// Rejects headers of the connection. The pipeline checks the other forbidden headers when a request is sent, since a
/// node may copy the headers of a response.
pub(crate) struct Hooks;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        header::is_of_connection(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(header::is_of_connection)
    }

    /// No request bypasses the pipeline: if the linker had another handler, its requests would be denied here.
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(std::future::ready(Err(HttpError::HttpRequestDenied)))
    }
}
