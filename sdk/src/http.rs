//! What a node needs of HTTP: requests below a base URL, and what comes of them.

use std::borrow::Cow;

use crate::bindings::exports::workflow::node::types::Field;
use crate::percent;
use crate::table::body;
use crate::table::value::Value;

pub use crate::bindings::exports::workflow::node::turns::Method;

/// A method as HTTP spells it.
pub(crate) const fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
    }
}

/// Names and values that are known beforehand.
pub type UsualHeaders = &'static [(&'static str, &'static str)];

/// One request below a base URL.
#[derive(Debug)]
pub struct Request {
    /// What is done.
    pub method: Method,
    /// Percent-encoded, without the base URL's own prefix: `/v1/member/M1?pageNo=1`.
    pub target: String,
    /// Where it went, for a test.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) base: String,
    /// The headers that every request to the service has, once it is sent; those of its own before.
    pub(crate) usual: UsualHeaders,
    /// Only where there is content.
    pub(crate) content_type: Option<&'static str>,
    /// Beside the usual ones.
    pub headers: Vec<Field>,
    /// Absent: the request has no body at all.
    pub body: Option<Vec<u8>>,
    /// What the body is made of, where a file is in it.
    #[cfg(feature = "files")]
    pub parts: Option<Vec<crate::file::Part>>,
    /// Whether the body of a success stays with the host, to be given out as a file.
    #[cfg(feature = "files")]
    pub(crate) keeps: bool,
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            #[cfg(not(target_family = "wasm"))]
            base: String::new(),
            usual: &[],
            content_type: None,
            headers: Vec::new(),
            body: None,
            #[cfg(feature = "files")]
            parts: None,
            #[cfg(feature = "files")]
            keeps: false,
        }
    }

    /// One segment more of the path.
    #[must_use]
    pub fn segment(mut self, text: &str) -> Self {
        self.target.push('/');
        percent::push(&mut self.target, text);
        self
    }

    /// One pair more of the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.add_to_query(name, value);
        self
    }

    pub(crate) fn add_to_query(&mut self, name: &str, value: &str) {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        self.target.push(separator);
        percent::push(&mut self.target, name);
        self.target.push('=');
        percent::push(&mut self.target, value);
    }

    /// These headers in the place of those that every request to the service has.
    #[cfg(feature = "origins")]
    #[must_use]
    pub fn usual(mut self, headers: UsualHeaders) -> Self {
        self.usual = headers;
        self
    }

    /// One member more of a body that is a JSON object: any JSON.
    #[must_use]
    pub fn member(self, name: &str, value: &str) -> Self {
        let body = self.body.unwrap_or_default();
        let mut json = String::from_utf8(body).unwrap_or_default();
        // Without its end; what is no object yet begins here.
        if json.pop() != Some('}') || json == "{" {
            json.clear();
        }
        (body::JSON.push)(&mut json, name, &Value::Literal(Cow::Borrowed(value)));
        json.push('}');
        Self { body: None, ..self }.json(json)
    }

    /// A body of parts, one behind the other. Its content type is a header.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn parts(mut self, parts: Vec<crate::file::Part>) -> Self {
        self.parts = Some(parts);
        self
    }

    /// The body of a success stays with the host, to be given out as a file.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// A body that is JSON.
    #[must_use]
    pub fn json(self, json: String) -> Self {
        self.content("application/json", json.into_bytes())
    }

    /// A body of any type.
    #[must_use]
    pub fn content(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.content_type = Some(content_type);
        self.body = Some(body);
        self
    }

    /// One header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push(Field {
            name: name.to_owned(),
            value: value.into().into_owned(),
        });
        self
    }

    /// The headers that every request to the service has; a content type only where there is content.
    pub(crate) fn usual_headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let content_type = self
            .content_type
            .map(|content_type| ("content-type", content_type));
        self.usual.iter().copied().chain(content_type)
    }
}

/// A complete answer.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Asked only where something went wrong or the next page is in them, so that a good answer costs no look at them.
    pub headers: Box<dyn Headers>,
    /// All of it, decoded.
    pub body: Vec<u8>,
    /// The body, where the host holds it.
    #[cfg(feature = "files")]
    pub kept: Option<crate::file::Kept>,
}

/// The headers of an answer.
pub trait Headers {
    /// The first value under `name`, in lower case, where it is a text.
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
