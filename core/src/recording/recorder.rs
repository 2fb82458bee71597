//! Collects the exchanges of a run.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use url::Url;

use crate::outcome::OnFailure;

use super::{
    Recording,
    case::{Case, Item, RecordedComponent},
    conceal::Concealer,
    error::Error,
    exchange::{Exchange, Outcome, Role},
    write::{Head, document},
};
use crate::description::DeclaredRequest;

/// Headers that carry credentials or identify a session. They are never recorded, whoever set them.
pub(super) const HIDDEN: [&str; 9] = [
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

/// What is known about a run before it begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Meta {
    /// The operation's resource group.
    pub group: String,
    /// The operation's name.
    pub operation: String,
    /// What a failed item does to those after it.
    pub on_failure: OnFailure,
    /// The service's base URL; [`NO_BASE_URL`](super::NO_BASE_URL) without a credential.
    pub base_url: Url,
    /// The name of the credential that the run is bound to.
    pub credential: Option<String>,
    /// The request that the operation declares.
    pub declared: Option<DeclaredRequest>,
    /// The component that is run.
    pub component: Option<RecordedComponent>,
    /// What responds, for example `simulator`.
    pub recorded_against: Option<String>,
    /// A remark for readers of the file.
    pub comment: Option<String>,
}

impl Meta {
    /// Describes a run of this operation against this base URL; all other facts are unknown.
    #[must_use]
    pub fn new(group: &str, operation: &str, base_url: Url) -> Self {
        Self {
            group: group.to_owned(),
            operation: operation.to_owned(),
            on_failure: OnFailure::default(),
            base_url,
            credential: None,
            declared: None,
            component: None,
            recorded_against: None,
            comment: None,
        }
    }
}

/// Collects exchanges from any number of tasks. It contains secrets until [`Recorder::finish`], so its `Debug` shows
/// none.
pub struct Recorder {
    meta: Meta,
    hidden: Vec<String>,
    /// Where large files go.
    files: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exchanges: Vec<Exchange>,
    secrets: Vec<String>,
}

impl Recorder {
    /// `hidden_headers` names further headers that carry credentials, such as those of the session.
    pub fn new<'a>(meta: Meta, hidden_headers: impl IntoIterator<Item = &'a str>) -> Self {
        let hidden = HIDDEN
            .into_iter()
            .chain(hidden_headers)
            .map(str::to_ascii_lowercase)
            .collect();
        Self {
            meta,
            hidden,
            files: None,
            state: Mutex::default(),
        }
    }

    /// Large files go to this folder, each by its digest.
    #[must_use]
    pub fn files_in(mut self, folder: Option<PathBuf>) -> Self {
        self.files = folder;
        self
    }

    /// Where large files go.
    #[must_use]
    pub fn files(&self) -> Option<&Path> {
        self.files.as_deref()
    }

    /// Stores an exchange, without the headers that carry credentials.
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

    /// Names the secrets to hide in authentication exchanges, earlier and later ones: the credential's values, the
    /// values of the session's headers and query, its renewal. The token of `Bearer abc` is also hidden on its own, and
    /// so is each text of a JSON renewal. Empty secrets are ignored.
    pub fn add_secrets<S: Into<String>>(&self, secrets: impl IntoIterator<Item = S>) {
        self.state().secrets.extend(secrets.into_iter().map(Into::into));
    }

    /// The number of exchanges stored.
    pub fn len(&self) -> usize {
        self.state().exchanges.len()
    }

    /// Whether no exchange is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hides the secrets of the authentication exchanges and makes the recording, in the order in which requests were
    /// sent. The recorder is empty afterwards.
    ///
    /// Other exchanges stay unchanged: pass the recording through [`Recording::map_strings`] before saving it.
    ///
    /// # Errors
    /// An exchange names an item that does not exist.
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
            credential,
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
            credential,
            declared,
            headers: compared_headers(&exchanges),
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

    /// A panic elsewhere loses at most one exchange; the others are still useful.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Headers that say who asks and how, and nothing of what is asked for. The content type is compared anyway.
const USUAL: [&str; 10] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "content-type",
    "date",
    "host",
    "user-agent",
];

/// The headers that the node set itself, but for the usual ones. Those that carry credentials are not stored at all.
fn compared_headers(exchanges: &[Exchange]) -> Vec<String> {
    let of_operations = exchanges
        .iter()
        .filter(|exchange| exchange.role == Role::Operation);
    let names = of_operations.flat_map(|exchange| &exchange.request.headers);
    let names = names.map(|(name, _)| name.to_ascii_lowercase());
    let names: BTreeSet<String> = names.filter(|name| !USUAL.contains(&name.as_str())).collect();
    names.into_iter().collect()
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("meta", &self.meta)
            .field("exchanges", &self.len())
            .finish_non_exhaustive()
    }
}
