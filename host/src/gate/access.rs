//! What makes a request an authorised one: headers and query parameters that the [pipeline](super::pipeline) adds outside of the
//! sandbox, and the secrets among them that responses must not show.

mod query;

use std::fmt;

use http::{HeaderName, HeaderValue};
use nodule_core::redact::answers::Answers;
use nodule_core::secret::Secret;

pub(crate) use query::Query;

/// A header or a query parameter, by its name.
pub(crate) type Field<N> = (N, Secret);

/// Headers and query of a session. Its `Debug` shows nothing of them.
pub(crate) struct Access {
    headers: Vec<(HeaderName, Secret)>,
    query: Query,
    answers: Answers,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// `further` are secrets that are added to no request and are to be redacted all the same.
    pub(crate) fn new<'a>(
        headers: Vec<(HeaderName, Secret)>,
        query: Query,
        further: impl Iterator<Item = &'a Secret>,
    ) -> Self {
        let answers = {
            let further: Vec<&Secret> = further.collect();
            Answers::new(secrets(&headers, &query).chain(further))
        };
        Self {
            headers,
            query,
            answers,
        }
    }

    /// The headers, as they are set on a request; marked sensitive, so that nothing prints them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&HeaderName, HeaderValue)> {
        self.headers.iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        })
    }

    /// The names of the headers that it sets.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name)
    }

    /// The query parameters that it adds.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// Finds the secrets in what comes back.
    pub(crate) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// The values of its headers and query parameters.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        secrets(&self.headers, &self.query)
    }

    /// Names and values of its headers.
    pub(crate) fn header_fields(&self) -> &[Field<HeaderName>] {
        &self.headers
    }
}

fn secrets<'a>(headers: &'a [(HeaderName, Secret)], query: &'a Query) -> impl Iterator<Item = &'a Secret> {
    let headers = headers.iter().map(|(_, value)| value);
    headers.chain(query.fields().iter().map(|(_, value)| value))
}
