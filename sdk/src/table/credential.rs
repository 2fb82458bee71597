//! How a service is logged in to, and how a credential becomes access.

use std::pin::Pin;

use super::describe::{id, owned};
use super::parameter::Parameter;
use super::value::{Field, Value, find};
use crate::bindings::exports::workflow::node::authentication::Session;
use crate::bindings::exports::workflow::node::description as contract;
use crate::bindings::exports::workflow::node::signing::{Draft, SignedRequest};
use crate::bindings::exports::workflow::node::types::Failure;
use crate::client::Client;

pub use crate::bindings::exports::workflow::node::description::{BodyNeed, Grant};

/// One way to log in.
#[derive(Clone, Copy)]
pub struct Credential {
    /// As engines store it.
    pub name: &'static str,
    /// As users see it.
    pub title: &'static str,
    /// The URL of a page that explains it.
    pub documentation: Option<&'static str>,
    /// In the order of the form.
    pub fields: &'static [Parameter],
    /// The field that says where the credential may go, where it is not `baseUrl`.
    pub base_url: Option<&'static str>,
    /// How it becomes access.
    pub scheme: Scheme,
    /// The path below the base URL of a GET that succeeds when the credential works.
    pub test: Option<&'static str>,
}

const BASE_URL: &str = "baseUrl";

impl Credential {
    /// A credential without anything: for `..Credential::NEW` behind what a credential has.
    pub const NEW: Self = Self {
        name: "",
        title: "",
        documentation: None,
        fields: &[],
        base_url: None,
        scheme: fixed(&[]),
        test: None,
    };

    /// The name of the field that says where it may go.
    pub(crate) const fn base_url(&self) -> &'static str {
        match self.base_url {
            Some(name) => name,
            None => BASE_URL,
        }
    }
}

/// A template by the name of a header or a query parameter: `("authorization", "Bearer {token}")`.
pub type Template = (&'static str, &'static str);

/// How a credential becomes access.
#[derive(Clone, Copy)]
pub struct Scheme {
    describe: fn(&Self, &str) -> contract::Scheme,
    pub(crate) headers: &'static [Template],
    pub(crate) query: &'static [Template],
    oauth2: Option<&'static OAuth2>,
    needs: BodyNeed,
    pub(crate) login: Option<Login>,
    pub(crate) sign: Option<Sign>,
}

/// What makes a session of a credential; [`login!`](crate::login) makes one of an `async fn`.
pub type Login = for<'a> fn(&'a Client<'a>, Secrets<'a>) -> LoggedIn<'a>;

/// What a log-in comes to.
pub type LoggedIn<'a> = Pin<Box<dyn Future<Output = Result<Session, Failure>> + 'a>>;

/// What signs a request.
pub type Sign = fn(Secrets, Draft) -> Result<SignedRequest, Failure>;

/// The fields of a credential, and the session that is to be renewed.
pub struct Secrets<'a> {
    /// In the order of the form.
    pub fields: &'a [Field<'a>],
    /// The session that is to be renewed.
    pub renew: Option<Session>,
}

impl Secrets<'_> {
    /// The text of a field; empty, where it has none.
    pub fn text(&self, name: &str) -> &str {
        find(self.fields, name).map_or("", Value::plain)
    }
}

const SCHEME: Scheme = Scheme {
    describe: |_, _| contract::Scheme::Session,
    headers: &[],
    query: &[],
    oauth2: None,
    needs: BodyNeed::Size,
    login: None,
    sign: None,
};

/// The host adds these headers. `{field}` stands for the value of a field, `{basic:user:password}` for the Base64 of both with a
/// colon between them.
pub const fn fixed(headers: &'static [Template]) -> Scheme {
    Scheme {
        describe: |scheme, _| {
            contract::Scheme::Fixed(contract::Placement {
                headers: templates(scheme.headers),
                query: templates(scheme.query),
            })
        },
        headers,
        ..SCHEME
    }
}

/// The host adds these parameters to the query of each request.
pub const fn fixed_query(query: &'static [Template]) -> Scheme {
    Scheme { query, ..fixed(&[]) }
}

/// The host runs the flow, and adds `Authorization: Bearer …`.
pub const fn oauth2(flow: &'static OAuth2) -> Scheme {
    Scheme {
        describe: |scheme, prefix| {
            contract::Scheme::Oauth2(scheme.oauth2.unwrap_or(&OAuth2::NEW).describe(prefix))
        },
        oauth2: Some(flow),
        ..SCHEME
    }
}

/// A function makes a session. The export `authentication` runs it.
pub const fn session(login: Login) -> Scheme {
    Scheme {
        login: Some(login),
        ..SCHEME
    }
}

/// A function signs each request, and is shown so much of its body. The export `signing` runs it.
pub const fn signed(needs: BodyNeed, sign: Sign) -> Scheme {
    Scheme {
        describe: |scheme, _| contract::Scheme::Signed(contract::Signed { needs: scheme.needs }),
        needs,
        sign: Some(sign),
        ..SCHEME
    }
}

impl Scheme {
    pub(crate) fn describe(&self, prefix: &str) -> contract::Scheme {
        (self.describe)(self, prefix)
    }
}

fn templates(templates: &[Template]) -> Vec<contract::Template> {
    let template = |(name, template): &Template| contract::Template {
        name: owned(name),
        template: owned(template),
    };
    templates.iter().map(template).collect()
}

/// How a host logs in by OAuth 2.0.
#[derive(Clone, Copy)]
pub struct OAuth2 {
    /// Who logs in: a user, or the client itself.
    pub grant: Grant,
    /// `{field}` may stand in both URLs.
    pub authorization_url: Option<&'static str>,
    /// Where tokens are asked for.
    pub token_url: &'static str,
    /// What is asked for.
    pub scopes: &'static [&'static str],
    /// Between scopes; mostly a blank.
    pub scope_separator: &'static str,
    /// The client's ID and secret go into the body of a token request, not into `Authorization`.
    pub client_in_body: bool,
    /// Proof Key for Code Exchange, with S256.
    pub pkce: bool,
    /// Added to the authorization request.
    pub authorization_query: &'static [(&'static str, &'static str)],
    /// Added to each token request.
    pub token_body: &'static [(&'static str, &'static str)],
    /// The fields that hold the client's ID and secret.
    pub client_id: &'static str,
    /// The field that holds the client's secret.
    pub client_secret: Option<&'static str>,
}

impl OAuth2 {
    /// A flow without anything: for `..OAuth2::NEW`.
    pub const NEW: Self = Self {
        grant: Grant::AuthorizationCode,
        authorization_url: None,
        token_url: "",
        scopes: &[],
        scope_separator: " ",
        client_in_body: false,
        pkce: true,
        authorization_query: &[],
        token_body: &[],
        client_id: "clientId",
        client_secret: None,
    };

    fn describe(&self, prefix: &str) -> contract::Oauth2 {
        let fields = |pairs: &[(&str, &str)]| {
            let field = |(name, value): &(&str, &str)| contract::Field {
                name: owned(name),
                value: owned(value),
            };
            pairs.iter().map(field).collect()
        };
        contract::Oauth2 {
            grant: self.grant,
            authorization_url: self.authorization_url.map(owned),
            token_url: owned(self.token_url),
            scopes: self.scopes.iter().map(|scope| owned(scope)).collect(),
            scope_separator: owned(self.scope_separator),
            client_in_body: self.client_in_body,
            pkce: self.pkce,
            authorization_query: fields(self.authorization_query),
            token_body: fields(self.token_body),
            client_id: id(prefix, self.client_id),
            client_secret: self.client_secret.map(|name| id(prefix, name)),
        }
    }
}
