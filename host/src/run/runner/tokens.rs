//! Which source of access tokens a runner has, and its log-in.

use std::sync::Arc;

use super::Target;
use crate::error::Error;
use crate::events::Label;
use crate::gate::budget::Budget;
use crate::gate::client::{Owner, RunnerTls};
use crate::gate::oauth2::TokenEndpoint;
use crate::runtime::component::Component;
use crate::runtime::oauth2::{ClientCredentials, Renewal, TokenSessions, TokenSource, TokenStore};
use nodule_core::credential::{Credential, CredentialError};
use nodule_core::description::Grant;
use nodule_core::limits::Limits;
use nodule_core::oauth2::OauthClient;
use nodule_core::policy::Policy;

/// What a runner is made of, as far as its session depends on it.
pub(super) struct Parts<'a> {
    pub(super) component: &'a Component,
    /// The component's digest with the settings of TLS.
    pub(super) bound: &'a str,
    pub(super) credential: &'a Credential,
    pub(super) policy: &'a Arc<Policy>,
    pub(super) limits: &'a Arc<Limits>,
    pub(super) budget: &'a Option<Budget>,
    pub(super) label: &'a Arc<Label>,
    pub(super) owner: Owner,
    pub(super) tls: &'a Arc<RunnerTls>,
    pub(super) target: &'a Target,
}

/// What an embedder gave for a credential of the scheme `oauth2`.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) store: Option<Arc<dyn TokenStore>>,
    pub(super) source: Option<Arc<dyn TokenSource>>,
}

/// Where access tokens come from, and what renews them; nothing if the credential needs none.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) sessions: Option<TokenSessions>,
    /// What a log-in is kept by.
    pub(super) renewal: Option<Renewal>,
}

impl Tokens {
    pub(super) fn new(given: Given, parts: &Parts<'_>, own: bool) -> Result<Self, Error> {
        let Parts {
            component,
            credential,
            target,
            label,
            ..
        } = *parts;
        let engine = component.engine();
        let (own_slot, is_live) = (
            || engine.sessions().own(&label.tenant),
            matches!(target, Target::Live | Target::Record { .. }),
        );
        let Some(client) = OauthClient::new(component.node(), credential)? else {
            if given.source.is_some() {
                let message = "its scheme is not `oauth2`, and it takes no access token".to_owned();
                return Err(CredentialError { message }.into());
            }
            return Ok(Self::default());
        };
        // A replay and a dry run send nothing.
        if !is_live {
            return Ok(Self::default());
        }
        if let Some(source) = given.source {
            let sessions = TokenSessions {
                slot: own_slot(),
                source,
                proves_credential: false,
            };
            return Ok(Self {
                sessions: Some(sessions),
                renewal: None,
            });
        }
        let grant = client.grant;
        let endpoint = Arc::new(TokenEndpoint {
            client,
            policy: Arc::clone(parts.policy),
            clients: Arc::clone(engine.clients()),
            owner: parts.owner,
            tls: Arc::clone(parts.tls),
            limits: Arc::clone(parts.limits),
            label: Arc::clone(label),
            budget: parts.budget.clone(),
        });
        if grant == Grant::ClientCredentials {
            let slot = match target {
                Target::Live if !own => engine.sessions().shared(parts.bound, &label.tenant, credential),
                _ => own_slot(),
            };
            let sessions = TokenSessions {
                slot,
                source: Arc::new(ClientCredentials { endpoint }),
                proves_credential: true,
            };
            return Ok(Self {
                sessions: Some(sessions),
                renewal: None,
            });
        }
        let store = given.store.ok_or_else(|| Error::TokensMissing {
            name: credential.name().to_owned(),
        })?;
        let renewal = Renewal { endpoint, store };
        let sessions = TokenSessions {
            slot: own_slot(),
            source: Arc::new(renewal.clone()),
            proves_credential: false,
        };
        Ok(Self {
            sessions: Some(sessions),
            renewal: Some(renewal),
        })
    }
}
