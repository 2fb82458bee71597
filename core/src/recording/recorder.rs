//! Collecting the exchanges of a run.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use url::Url;

use crate::outcome::OnFailure;

use super::{
    Recording,
    case::{Case, Item, RecordedComponent},
    conceal::Concealer,
    error::Error,
    exchange::{Exchange, Outcome},
    write::{Head, document},
};
use crate::description::DeclaredRequest;

/// Headers that carry credentials, or stand for a session: never kept, whoever set them.
const HIDDEN: [&str; 9] = [
    "authentication-info",
    "authorization",
    "cookie",
    "proxy-authentication-info",
    "proxy-authorization",
    "set-cookie",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
];

/// Everything that is known about a run before it begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Meta {
    /// The operation's resource group.
    pub group: String,
    /// The operation's name.
    pub operation: String,
    /// What a failed item does to those after it.
    pub on_failure: OnFailure,
    /// Where the service is.
    pub base_url: Url,
    /// Which request the operation says it makes.
    pub declared: Option<DeclaredRequest>,
    /// The component that is run.
    pub component: Option<RecordedComponent>,
    /// What answers, for example `simulator`.
    pub recorded_against: Option<String>,
    /// A remark for readers of the file.
    pub comment: Option<String>,
}

impl Meta {
    /// Of a run of this operation against a service at this address; the rest is as for one of which no more is known.
    #[must_use]
    pub fn new(group: &str, operation: &str, base_url: Url) -> Self {
        Self {
            group: group.to_owned(),
            operation: operation.to_owned(),
            on_failure: OnFailure::default(),
            base_url,
            declared: None,
            component: None,
            recorded_against: None,
            comment: None,
        }
    }
}

/// Collects exchanges from any number of tasks. Until [`Recorder::finish`] it holds secrets, so it shows none.
pub struct Recorder {
    meta: Meta,
    hidden: Vec<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exchanges: Vec<Exchange>,
    secrets: Vec<String>,
}

impl Recorder {
    /// `hidden_headers`: names, beside the usual ones, that carry credentials, such as those of the session.
    pub fn new<'a>(meta: Meta, hidden_headers: impl IntoIterator<Item = &'a str>) -> Self {
        let hidden = HIDDEN
            .into_iter()
            .chain(hidden_headers)
            .map(str::to_ascii_lowercase)
            .collect();
        Self {
            meta,
            hidden,
            state: Mutex::default(),
        }
    }

    /// Keep an exchange, without the headers that carry credentials.
    pub fn push(&self, mut exchange: Exchange) {
        let retain = |headers: &mut Vec<(String, String)>| {
            headers.retain(|(name, _)| !self.hidden.contains(&name.to_ascii_lowercase()));
        };
        retain(&mut exchange.request.headers);
        if let Outcome::Answer(answer) = &mut exchange.outcome {
            retain(&mut answer.headers);
        }
        self.state().exchanges.push(exchange);
    }

    /// Name what must not be seen in an authentication exchange, before or after it: the credential's values, the values
    /// of the session's headers and query, its renewal. Of `Bearer abc` the token alone is replaced too, of a renewal that
    /// is JSON each of its texts. Empty ones are ignored.
    pub fn add_secrets<S: Into<String>>(&self, secrets: impl IntoIterator<Item = S>) {
        self.state().secrets.extend(secrets.into_iter().map(Into::into));
    }

    /// How many exchanges were kept.
    pub fn len(&self) -> usize {
        self.state().exchanges.len()
    }

    /// Whether none was kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hide the authentication exchanges and make the recording, in the order in which requests were sent. The recorder is
    /// empty afterwards.
    ///
    /// Other exchanges are kept as they are: pass the recording through [`Recording::map_strings`] before saving it.
    ///
    /// # Errors
    /// An exchange names an item that is not there.
    pub fn finish(&self, items: Vec<Item>) -> Result<Recording, Error> {
        let State {
            mut exchanges,
            secrets,
        } = std::mem::take(&mut *self.state());
        exchanges.sort_by_key(|exchange| exchange.started);
        let mut concealer = Concealer::new(&secrets);
        for exchange in &mut exchanges {
            concealer.conceal(exchange);
        }
        let Meta {
            group,
            operation,
            on_failure,
            base_url,
            declared,
            component,
            recorded_against,
            comment,
        } = self.meta.clone();
        let case = Case {
            group,
            operation,
            on_failure,
            base_url,
            declared,
            items,
        };
        let head = Head {
            comment: comment.as_deref(),
            component: component.as_ref(),
            recorded_against: recorded_against.as_deref(),
            case: &case,
        };
        Recording::from_document(document(&head, &exchanges), "the new recording".to_owned())
    }

    /// A panic elsewhere leaves at worst an exchange out; the rest is still worth having.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("meta", &self.meta)
            .field("exchanges", &self.len())
            .finish_non_exhaustive()
    }
}
