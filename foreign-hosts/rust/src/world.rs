//! What an instance has of the world: no files, no variables, and a say in each of its requests. It goes to the origin of
//! the credential's base URL or nowhere. This is also the place to add the session's access outside of the sandbox, to keep
//! connections, and to refuse addresses.

use http::{Request, Response, Uri};
use serde_json::Value;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView, default_hooks};

/// The state of a store.
pub struct World(ResourceTable, WasiCtx, WasiHttpCtx, Only);

impl World {
    /// The name of the field stands in the description: `credential.base-url`.
    pub fn of(credential: &str) -> wasmtime::Result<Self> {
        let fields: Value = serde_json::from_str(credential)?;
        let only = Only(fields["baseUrl"].as_str().unwrap_or_default().parse()?);
        Ok(Self(
            ResourceTable::new(),
            WasiCtx::default(),
            WasiHttpCtx::new(),
            only,
        ))
    }
}

impl WasiView for World {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self(table, ctx, ..) = self;
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for World {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self(table, _, ctx, hooks) = self;
        WasiHttpCtxView { hooks, table, ctx }
    }
}

/// Requests to the origin of this URL and no other.
struct Only(Uri);

type Sent = Box<dyn Future<Output = Result<()>> + Send>;

impl WasiHttpHooks for Only {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        sent: Sent,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Sent)>> + Send> {
        let origin = |url: &Uri| (url.scheme().cloned(), url.authority().cloned());
        if origin(request.uri()) == origin(&self.0) {
            default_hooks().send_request(request, options, sent)
        } else {
            Box::new(async { Err(Error::HttpRequestDenied) })
        }
    }
}
