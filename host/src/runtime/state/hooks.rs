//! What wasmtime-wasi-http asks its host about, beside the requests, which a [handler](crate::runtime::http::handler) takes.

use std::sync::Arc;

use http::HeaderName;
use wasmtime_wasi_http::{
    Error as HttpError, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use crate::gate::pipeline::header;

type Response = http::Response<WasiBody>;
type Sent = Result<(Response, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

/// Says which headers belong to the connection. Which others are not a node's to set, the pipeline says of the whole request, since a
/// node may copy the headers of an answer.
pub(crate) struct Hooks;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        header::is_of_connection(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(header::is_of_connection)
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
