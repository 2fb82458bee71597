//! The vocabulary in which a service is written down as constants, and the consumers of such constants.
//!
//! Placement is one rule: a parameter that the path names goes into the path; else GET, HEAD and DELETE put it into the
//! query; else it is a field of the body. What differs is written out: [`Parameter::wire`], [`Parameter::at`],
//! [`Parameter::header`], [`Parameter::when`], [`Parameter::whole_body`], [`Parameter::unsent`].
//!
//! A component pays for what its table uses. Constants carry the functions that act on them, as pointers: a form body its
//! encoder, a parameter what checks it, a list what turns its pages. So the linker leaves out what no constant names, and there
//! is no `match` over all that a table could have.

pub mod asked;
pub mod body;
pub mod condition;
pub mod credential;
pub mod describe;
pub mod kind;
pub mod lint;
pub mod parameter;
pub mod place;
pub mod plan;
pub mod request;
pub mod validate;
pub mod value;

pub use parameter::Parameter;

use crate::answer::{Errors, Reads};
use crate::base_url::BaseUrl;
#[cfg(feature = "origins")]
use crate::client::{Client, GoTo};
use crate::excerpt::shown;
use crate::http::Method;
#[cfg(feature = "origins")]
use crate::http::Request;
use crate::pages::Output;
use crate::{Failure, UsualHeaders, percent};
use body::Body;
use credential::Credential;

/// A service: all that its node is made of.
#[derive(Clone, Copy)]
pub struct Service {
    /// camelCase, as workflows store it.
    pub name: &'static str,
    /// As users see it.
    pub title: &'static str,
    /// One sentence for people who choose a node.
    pub about: &'static str,
    /// Raised when stored workflows would behave differently.
    pub version: u32,
    /// An SVG document.
    pub icon: Option<&'static str>,
    /// The URL of the service's documentation.
    pub documentation: Option<&'static str>,
    /// Other words that people search for.
    pub aliases: &'static [&'static str],
    /// In the order of the form.
    pub groups: &'static [Group],
    /// The ways to log in; the user binds one. Empty: the service needs none.
    pub credentials: &'static [Credential],
    /// Where else requests go than below the credential's base URL. Without credentials, they go to the first of these.
    pub origins: &'static [Origin],
    /// What every request has, in lower case. The content type is the body's own.
    pub headers: UsualHeaders,
    /// Takes a request to another origin: what of its path stands in the host's name, such as a bucket. It changes the request and says
    /// the origin, which the service declares; nothing leaves the request as it is.
    #[cfg(feature = "origins")]
    pub route: Option<Route>,
    /// The headers of answers that functions look at, in lower case: no others come with an answer, but for those that the SDK looks at.
    pub looks_at: &'static [&'static str],
    /// How answers are read, where they are not JSON.
    pub reads: Option<Reads>,
    /// How the service says that something went wrong.
    pub errors: Errors,
    /// In the order of the form.
    pub operations: &'static [&'static Operation],
}

impl Service {
    /// A service without anything: for `..Service::NEW` behind what a service has.
    pub const NEW: Self = Self {
        name: "",
        title: "",
        about: "",
        version: 1,
        icon: None,
        documentation: None,
        aliases: &[],
        groups: &[],
        credentials: &[],
        origins: &[],
        headers: &[],
        #[cfg(feature = "origins")]
        route: None,
        looks_at: &[],
        reads: None,
        errors: Errors::NEW,
        operations: &[],
    };

    /// Where requests go: below the base URL of the credential, and without one to the first origin.
    pub(crate) fn base(&self, given: &str) -> Result<BaseUrl, Failure> {
        let url = match self.origins {
            [origin, ..] if given.is_empty() => origin.url,
            _ => given,
        };
        BaseUrl::parse(url).map_err(|why| Failure::InvalidInput(format!("base URL: {why}")))
    }

    /// The operation of that name. A host that knows the description suggests another one before it asks.
    pub(crate) fn operation(&self, group: &str, name: &str) -> Result<&'static Operation, Failure> {
        let mut operations = self.operations.iter().copied();
        let known = operations.find(|operation| operation.group == group && operation.name == name);
        known.ok_or_else(|| {
            let (group, name) = (shown(group), shown(name));
            Failure::InvalidInput(["unknown operation `", &group, ".", &name, "`"].concat())
        })
    }
}

/// Takes a request to another origin: `https://kites.s3.example.com`.
#[cfg(feature = "origins")]
pub type Route = fn(&Client, &mut Request) -> Option<String>;

/// A resource of the service; n8n calls it so.
#[derive(Clone, Copy)]
pub struct Group {
    /// As workflows store it.
    pub name: &'static str,
    /// As users see it.
    pub title: &'static str,
    /// One sentence.
    pub about: &'static str,
}

/// Where else a node wants to go. A wish: the operator of the host grants it.
#[derive(Clone, Copy)]
pub struct Origin {
    /// `https://uploads.example.com`; `{field}` stands for a field of the credential, `*` for one label.
    pub url: &'static str,
    /// The credentials, by name, whose access is added there too.
    pub access: &'static [&'static str],
    /// Why, for the operator who decides.
    pub reason: &'static str,
}

/// One operation: form, checks, request and documentation all come from it.
#[derive(Clone, Copy)]
pub struct Operation {
    /// The name of its [`Group`].
    pub group: &'static str,
    /// As workflows store it.
    pub name: &'static str,
    /// As users see it.
    pub title: &'static str,
    /// One sentence for people who choose an operation.
    pub about: &'static str,
    /// What the button says.
    pub action: &'static str,
    /// What running it twice does.
    pub effect: Effect,
    /// Why the effect is claimed; begins with `assumed` where no public material promises it.
    pub evidence: &'static str,
    /// What it asks the service.
    pub request: Endpoint,
    /// In the order of the form.
    pub parameters: &'static [Parameter],
    /// What comes out.
    pub output: Output,
}

impl Operation {
    /// The top-level parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Whether an item may give rows while it goes on. What was given is not taken back, so it must not have changed anything.
    pub(crate) fn emits(&self) -> bool {
        self.output.emits && matches!(self.effect, Effect::Read)
    }
}

#[cfg(feature = "files")]
impl Operation {
    /// Whether files go with its items or come out of them.
    pub const fn moves_files(&self) -> bool {
        self.output.gives_files || takes_files(self.parameters)
    }
}

#[cfg(feature = "files")]
const fn takes_files(mut parameters: &[Parameter]) -> bool {
    while let [first, rest @ ..] = parameters {
        if matches!(first.kind.id(), kind::Id::File) || takes_files(first.kind.nested()) {
            return true;
        }
        parameters = rest;
    }
    false
}

/// A path's names in braces, each with what stands before it, and what stands behind the last one. `{name+}` keeps its plus.
pub(crate) fn split(path: &'static str) -> (Vec<(&'static str, &'static str)>, &'static str) {
    let (mut names, mut rest) = (Vec::new(), path);
    while let Some((before, (name, after))) = rest
        .split_once('{')
        .and_then(|(before, name)| Some((before, name.split_once('}')?)))
    {
        names.push((before, name));
        rest = after;
    }
    (names, rest)
}

const fn has_query(path: &str) -> bool {
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        if *first == b'?' {
            return true;
        }
        rest = behind;
    }
    false
}

/// Whether a name in a path takes several segments.
const fn has_segments(path: &str) -> bool {
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        if matches!((first, behind), (b'+', [b'}', ..])) {
            return true;
        }
        rest = behind;
    }
    false
}

/// What running an operation twice does; the contract's `effect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// Twice is the same as once.
    Idempotent,
    /// Twice is the same as once while this parameter, or `rows.column`, keeps its value.
    Keyed(&'static str),
    /// Twice may be twice.
    Write,
}

/// Method and path below the base URL, `{name}` standing for a parameter, `{name+}` for one whose slashes part segments; behind a
/// question mark, what stands in the query of each request.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// What is done.
    pub method: Method,
    /// Below the base URL.
    pub path: &'static str,
    /// Whether only what the caller set is changed: an explicit `null` then clears a field, and a call that sets nothing
    /// is refused.
    pub is_update: bool,
    /// The form of the body, where there is one.
    pub body: &'static Body,
    /// In the place of the service's, where there are any.
    #[cfg(feature = "origins")]
    pub headers: UsualHeaders,
    /// The origin that it goes to, if not below the base URL.
    #[cfg(feature = "origins")]
    pub(crate) elsewhere: Option<(&'static str, GoTo)>,
    /// The most requests other than GET and HEAD that one item takes; 0 for an effect that reads.
    pub writes: u32,
    /// Encodes a value that may have several segments of the path: `{name+}`.
    pub(crate) encode_segments: Option<fn(&mut String, &str)>,
    /// Whether the description says method and path; else only a function knows what is asked.
    pub is_declared: bool,
    /// The URL of the operation's documentation.
    pub documentation: Option<&'static str>,
}

impl Endpoint {
    const fn new(method: Method, path: &'static str) -> Self {
        Self {
            method,
            path,
            is_update: false,
            body: &body::JSON,
            #[cfg(feature = "origins")]
            headers: &[],
            #[cfg(feature = "origins")]
            elsewhere: None,
            writes: 1,
            encode_segments: if has_segments(path) {
                Some(percent::push_segments)
            } else {
                None
            },
            // The contract has no form for either.
            is_declared: !has_segments(path) && !has_query(path),
            documentation: None,
        }
    }

    /// The body is a form: `application/x-www-form-urlencoded`, what is nested as `metadata[key]` and `tags[]`.
    #[must_use]
    pub const fn form(mut self) -> Self {
        self.body = &body::FORM;
        self
    }

    /// The body is a form: `multipart/form-data`, what is nested as in [`Endpoint::form`].
    #[must_use]
    pub const fn multipart(mut self) -> Self {
        self.body = &body::MULTIPART;
        self
    }

    /// The body is of another form, such as [`bytes`](body::bytes).
    #[must_use]
    pub const fn content(mut self, body: &'static Body) -> Self {
        self.body = body;
        self
    }

    /// The body is a file: the one that the only parameter of the kind [`file`](kind::file) names.
    #[cfg(feature = "files")]
    #[must_use]
    pub const fn file(self) -> Self {
        self.content(&body::FILE)
    }

    /// Only what the caller set is changed.
    #[must_use]
    pub const fn update(mut self) -> Self {
        self.is_update = true;
        self
    }

    /// These headers in the place of those that every request to the service has.
    #[cfg(feature = "origins")]
    #[must_use]
    pub const fn headers(mut self, headers: UsualHeaders) -> Self {
        self.headers = headers;
        self
    }

    /// It goes to this origin, which the service declares, and not below the base URL: `https://uploads.example.com`. The description
    /// has no place for such a request.
    #[cfg(feature = "origins")]
    #[must_use]
    pub const fn to(mut self, origin: &'static str) -> Self {
        self.elsewhere = Some((origin, |client, origin| {
            client.at(origin).map(|other| *client = other)
        }));
        self.undeclared()
    }

    /// The description says no method and no path: for an operation whose function asks elsewhere, or more than once.
    #[must_use]
    pub const fn undeclared(mut self) -> Self {
        self.is_declared = false;
        self
    }

    /// The most requests other than GET and HEAD that one item takes.
    #[must_use]
    pub const fn writes(mut self, most: u32) -> Self {
        self.writes = most;
        self
    }

    /// The URL of its documentation.
    #[must_use]
    pub const fn documentation(mut self, url: &'static str) -> Self {
        self.documentation = Some(url);
        self
    }
}

/// A GET.
pub const fn get(path: &'static str) -> Endpoint {
    Endpoint::new(Method::Get, path)
}

/// A HEAD.
pub const fn head(path: &'static str) -> Endpoint {
    Endpoint::new(Method::Head, path)
}

/// A POST.
pub const fn post(path: &'static str) -> Endpoint {
    Endpoint::new(Method::Post, path)
}

/// A PUT.
pub const fn put(path: &'static str) -> Endpoint {
    Endpoint::new(Method::Put, path)
}

/// A PATCH.
pub const fn patch(path: &'static str) -> Endpoint {
    Endpoint::new(Method::Patch, path)
}

/// A DELETE.
pub const fn delete(path: &'static str) -> Endpoint {
    Endpoint::new(Method::Delete, path)
}
