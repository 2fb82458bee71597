//! The headers and query parameters of a session. The [pipeline](super::pipeline) adds them to requests outside the
//! sandbox, and redacts the secrets among them in responses.

mod query;

use std::fmt;
use std::sync::OnceLock;

use http::{HeaderName, HeaderValue};
use nodule_core::redact::Redactor;
use nodule_core::redact::answers::Answers;
use nodule_core::secret::Secret;

pub(crate) use query::Query;

/// A header or a query parameter, by name.
pub(crate) type Field<N> = (N, Secret);

/// The headers and query parameters of a session. Its `Debug` shows none of them.
pub(crate) struct Access {
    headers: Vec<(HeaderName, Secret)>,
    query: Query,
    /// The secrets among the values, and parts of them that are secret by themselves.
    secrets: Vec<Secret>,
    /// Secrets that no request gets.
    further: Vec<Secret>,
    answers: Answers,
    /// Made when it is first needed: most nodes print nothing.
    redactor: OnceLock<Redactor>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// `further` are secrets that no request gets, but that responses must not show either.
    pub(crate) fn new<'a>(
        headers: Vec<(HeaderName, Secret)>,
        query: Query,
        further: impl Iterator<Item = &'a Secret>,
    ) -> Self {
        let fields = headers.iter().map(|(_, value)| value);
        let fields = fields.chain(query.fields().iter().map(|(_, value)| value));
        let secrets = fields.cloned().collect();
        Self::with_secrets(headers, query, secrets, further)
    }

    /// For values that are not all secret: a constant may come back in a response.
    pub(crate) fn with_secrets<'a>(
        headers: Vec<(HeaderName, Secret)>,
        query: Query,
        secrets: Vec<Secret>,
        further: impl Iterator<Item = &'a Secret>,
    ) -> Self {
        let further: Vec<Secret> = further.cloned().collect();
        Self {
            answers: Answers::new(secrets.iter().chain(&further)),
            headers,
            query,
            secrets,
            further,
            redactor: OnceLock::new(),
        }
    }

    /// The headers to set on a request, marked as sensitive so that nothing prints them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&HeaderName, HeaderValue)> {
        self.headers.iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        })
    }

    /// The names of the session's headers.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name)
    }

    /// The session's query parameters.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// Finds the session's secrets in responses.
    pub(crate) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Removes the credential's and the session's secrets from a text that no node reads.
    pub(crate) fn redactor(&self) -> &Redactor {
        self.redactor
            .get_or_init(|| Redactor::new(self.secrets.iter().chain(&self.further)))
    }

    /// The secrets that requests get.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter()
    }

    /// The headers, by name.
    pub(crate) fn header_fields(&self) -> &[Field<HeaderName>] {
        &self.headers
    }
}
