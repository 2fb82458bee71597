//! What the node needs of HTTP, a clock and a random source: the seam between the pure core and `transport`, and the
//! place where a test puts its script.

use std::borrow::Cow;

use crate::base_url::BaseUrl;

/// The methods that the API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
}

impl Method {
    /// As HTTP spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// One request below a base URL.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// Percent-encoded, without the base URL's own prefix: `/v1/member/M1?pageNo=1`.
    pub target: String,
    /// Beside the [usual](Self::usual_headers) ones.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Compact JSON; absent: the request has no body at all.
    pub body: Option<String>,
}

/// Names and values that are known beforehand.
pub type UsualHeaders = &'static [(&'static str, &'static str)];

/// What names this client to the service.
const USER_AGENT: &str = concat!("socialhub-node/", env!("CARGO_PKG_VERSION"));
const WITH_BODY: UsualHeaders = &[
    ("accept", "application/json"),
    ("user-agent", USER_AGENT),
    ("content-type", "application/json"),
];

impl Request {
    /// The headers that every request has; a content type only where there is content.
    pub fn usual_headers(&self) -> UsualHeaders {
        match (&self.body, WITH_BODY) {
            (None, [without_body @ .., _]) => without_body,
            _ => WITH_BODY,
        }
    }
}

/// A complete answer.
pub struct Response {
    pub status: u16,
    /// Asked only where something went wrong, so that a good answer costs no look at its headers.
    pub headers: Box<dyn Headers>,
    pub body: Vec<u8>,
}

/// The headers of an answer.
pub trait Headers {
    /// The first value under `name`, in any case, where it is a text.
    fn get(&self, name: &str) -> Option<String>;
}

/// Why there is no complete answer. The texts are shown to users: no secret, no type name.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// The host's policy refused the request before it left.
    Denied(String),
    /// A limit of the host was reached; says which.
    Limit(String),
    /// The request cannot be written down as HTTP, for example a header with a line break in it.
    Unsendable(String),
    /// Surely nothing of the request reached the service.
    NotDone(String),
    /// The service may have done what it was asked.
    Unknown(String),
    /// The service answered, and its answer's body cannot be read.
    Undecodable(String),
}

/// Where requests go. `transport` is the real one, and the only one in the component.
#[allow(async_fn_in_trait, reason = "only this crate, and its fuzz target, use it")]
pub trait Transport {
    /// Send `request` to `base` and collect the whole answer, whatever its status.
    async fn send(&self, base: &BaseUrl, request: Request) -> Result<Response, Broken>;
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
    /// Random bits, fresh on each call.
    fn random(&self) -> u128;
}
