//! Sends requests to a service, and makes documents or failures of what comes back.

#[cfg(feature = "origins")]
use std::borrow::Cow;

use crate::answer;
use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::execution::Service as Bound;
use crate::bindings::exports::workflow::node::types::{Access, Answer, Failure};
#[cfg(feature = "origins")]
use crate::http::Method;
use crate::http::{Broken, Request, Response};
use crate::json;
use crate::table::Service;
use crate::transport::Requests;

/// Where requests go: the service that a call or a log-in is about.
pub struct Client<'a> {
    pub(crate) requests: &'a Requests,
    pub(crate) service: &'static Service,
    pub(crate) base: BaseUrl,
    /// What the node adds to each request. Most hosts add it themselves, and the node never sees it.
    pub(crate) access: Option<&'a Access>,
    /// A JSON object.
    pub(crate) settings: &'a str,
}

impl<'a> Client<'a> {
    /// For a call or a question about this service.
    pub(crate) fn of(
        requests: &'a Requests,
        service: &'static Service,
        bound: &'a Bound,
    ) -> Result<Self, Failure> {
        Ok(Self {
            requests,
            service,
            base: service.base(&bound.base_url)?,
            access: bound.access.as_ref(),
            settings: &bound.settings,
        })
    }
}

impl Client<'_> {
    /// Where the service is.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// A field of the credential that is no secret, as its text: a region, a site. Nothing where it has no value, and while it logs in.
    pub fn setting(&self, name: &str) -> Option<String> {
        let raw = json::object(self.settings)?.get(name)?;
        Some(json::plain(raw).into_owned()).filter(|text| !text.is_empty() && text != "null")
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> u64 {
        self.requests.now_ms()
    }

    /// Random bits, fresh on each call.
    pub fn random(&self) -> u128 {
        self.requests.random()
    }

    /// Send a request and collect the whole answer, whatever its status.
    pub fn send(&self, mut request: Request) -> impl Future<Output = Result<Response, Broken>> {
        #[cfg(feature = "origins")]
        let is_usual = request.usual.is_empty();
        #[cfg(not(feature = "origins"))]
        let is_usual = true;
        if is_usual {
            request.usual = self.service.headers;
        }
        #[cfg(feature = "origins")]
        let base = self.routed(&mut request);
        // The node knows no fields of the origin's pattern: only a host gives access there.
        #[cfg(feature = "origins")]
        let access = self.access.filter(|_| matches!(base, Ok(Cow::Borrowed(_))));
        #[cfg(not(feature = "origins"))]
        let access = self.access;
        if let Some(access) = access {
            for field in &access.query {
                request.add_to_query(&field.name, &field.value);
            }
            request.headers.extend_from_slice(&access.headers);
        }
        #[cfg(not(feature = "origins"))]
        return self.requests.send(&self.base, request);
        #[cfg(feature = "origins")]
        async move {
            self.requests.send(&*base?, request).await
        }
    }

    /// Where a request goes.
    #[cfg(feature = "origins")]
    fn routed(&self, request: &mut Request) -> Result<Cow<'_, BaseUrl>, Broken> {
        let origin = self.service.route.and_then(|route| route(self, request));
        let Some(origin) = origin else {
            return Ok(Cow::Borrowed(&self.base));
        };
        BaseUrl::parse(&origin)
            .map(Cow::Owned)
            .map_err(|why| Broken::Unsendable(format!("the request's origin: {why}")))
    }

    /// Send a request; the answer is a JSON document, an object or an array, or the failure that the service's table says.
    pub async fn document(&self, request: Request) -> Result<String, Failure> {
        Ok(self.exchange(request).await?.document)
    }

    /// Send a request; a success comes as it is, of whatever content, and with its body kept where the request says so. Else it is
    /// the failure that the service's table says.
    pub async fn success(&self, request: Request) -> Result<Response, Failure> {
        #[cfg(feature = "files")]
        let keeps = request.keeps;
        match self.send(request).await {
            #[cfg(feature = "files")]
            Ok(response) if keeps && response.kept.is_none() => Err(self.failure(Ok(response))),
            Ok(response) if (200..300).contains(&response.status) => Ok(response),
            other => Err(self.failure(other)),
        }
    }

    /// The failure that the service's table says, of an exchange that was no success, or none that the node can use.
    pub fn failure(&self, outcome: Result<Response, Broken>) -> Failure {
        let status = outcome.as_ref().map_or(0, |response| response.status);
        match answer::read(outcome, self) {
            Err(failure) => failure,
            Ok(_) => Failure::Unintelligible(Answer {
                status,
                code: None,
                message: "another answer was expected than the one that came".to_owned(),
                request_id: None,
            }),
        }
    }

    pub(crate) async fn exchange(&self, request: Request) -> Result<answer::Read, Failure> {
        let outcome = self.send(request).await;
        answer::read(outcome, self)
    }
}

/// Makes a client that of another origin.
#[cfg(feature = "origins")]
pub(crate) type GoTo = fn(&mut Client, &str) -> Result<(), Failure>;

#[cfg(feature = "origins")]
impl Client<'_> {
    /// The same service at another origin, which the service has to declare: `https://uploads.example.com`. A request has the
    /// credential's access there only where the declaration says so.
    pub fn at(&self, origin: &str) -> Result<Self, Failure> {
        let service = self.service;
        let base =
            BaseUrl::parse(origin).map_err(|why| Failure::InvalidInput(format!("another origin: {why}")))?;
        let known = service.origins.iter().find(|known| known.url == origin);
        // Which credential is bound, the node is not told: it has to be any of them.
        let has_access = known.is_some_and(|known| {
            let mut credentials = service.credentials.iter();
            credentials.all(|credential| known.access.contains(&credential.name))
        });
        Ok(Self {
            base,
            access: self.access.filter(|_| has_access),
            ..*self
        })
    }

    /// The client of a whole URL's origin, which the service has to declare, and a GET of that URL: of one that an answer named.
    pub fn at_url(&self, url: &str) -> Result<(Self, Request), Failure> {
        let url = url.split('#').next().unwrap_or_default();
        let host = url.find("://").map_or(0, |at| at + "://".len());
        let path = url.get(host..).and_then(|rest| rest.find(['/', '?']));
        let (origin, target) = url.split_at(path.map_or(url.len(), |path| host + path));
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok((
            self.at(origin)?,
            Request::new(Method::Get, [slash, target].concat()),
        ))
    }
}
