//! What a component exports, as functions of its table, and the macro that exports them.

use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::authentication::Session;
use crate::bindings::exports::workflow::node::choices::{Page, Question};
use crate::bindings::exports::workflow::node::description::Parameter;
use crate::bindings::exports::workflow::node::signing::{Draft, SignedRequest};
use crate::bindings::exports::workflow::node::types::{BoundCredential, Failure, Problem};
use crate::client::Client;
use crate::form;
use crate::table::Service;
use crate::table::credential::{Credential, Secrets};
use crate::table::validate::validate_credential;
use crate::table::value::{Value, find};
use crate::transport;

pub use crate::table::describe::describe;
#[cfg(feature = "files")]
pub use crate::transport::files::next as next_with_files;
#[cfg(feature = "files")]
pub use crate::transport::streams::transfer;
pub use crate::transport::{Requests, execute, headers, next};
#[cfg(target_family = "wasm")]
pub use dlmalloc::GlobalDlmalloc as Allocator;

/// What a component says of its world, for the tool that makes a component of a module.
pub mod sections {
    pub const NODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/node"));
    pub const AUTHENTICATION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/authentication"));
    pub const CHOICES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/choices"));
    pub const FILES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/files-by-turns"));
    pub const STREAMS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/files-by-streams"));
    pub const SIGNING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/signing"));
}

/// `authentication.authenticate`
pub fn authenticate(
    service: &'static Service,
    credential: BoundCredential,
    renew: Option<Session>,
) -> Result<Session, Failure> {
    transport::run(async move |requests| log_in(service, requests, &credential, renew).await)
}

pub(crate) async fn log_in(
    service: &'static Service,
    requests: &Requests,
    credential: &BoundCredential,
    renew: Option<Session>,
) -> Result<Session, Failure> {
    let known = find_credential(service, &credential.name)?;
    let fields = validate_credential(known.fields, &credential.fields)?;
    let name = known.base_url();
    let base = find(&fields, name).map_or("", Value::plain);
    let base = BaseUrl::parse(base).map_err(|message| {
        let field = known.fields.iter().find(|field| field.name == name);
        Failure::InvalidParameters(vec![Problem {
            pointer: format!("/{name}"),
            label: field.map_or(name, |field| field.label).to_owned(),
            message: message.to_owned(),
        }])
    })?;
    let login = known.scheme.login.ok_or_else(|| has_no("log-in", known))?;
    let client = Client {
        requests,
        service,
        base,
        access: None,
        settings: "",
    };
    let secrets = Secrets {
        fields: &fields,
        renew,
    };
    login(&client, secrets).await
}

/// `choices.values`
pub fn values(service: &'static Service, question: Question) -> Result<Page, Failure> {
    transport::run(async move |requests| form::values(service, requests, &question).await)
}

/// `choices.fields`
pub fn fields(service: &'static Service, question: Question) -> Result<Vec<Parameter>, Failure> {
    transport::run(async move |requests| form::fields(service, requests, &question).await)
}

/// `signing.sign`
#[expect(clippy::needless_pass_by_value, reason = "the contract gives it away")]
pub fn sign(
    service: &'static Service,
    credential: BoundCredential,
    draft: Draft,
) -> Result<SignedRequest, Failure> {
    let known = find_credential(service, &credential.name)?;
    let fields = validate_credential(known.fields, &credential.fields)?;
    let sign = known.scheme.sign.ok_or_else(|| has_no("signature", known))?;
    let secrets = Secrets {
        fields: &fields,
        renew: None,
    };
    sign(secrets, draft)
}

fn find_credential(service: &'static Service, name: &str) -> Result<&'static Credential, Failure> {
    let mut credentials = service.credentials.iter();
    let known = credentials.find(|credential| credential.name == name);
    known.ok_or_else(|| Failure::InvalidInput(format!("unknown credential `{name}`")))
}

fn has_no(what: &str, credential: &Credential) -> Failure {
    Failure::InvalidInput(format!("the credential `{}` has no {what}", credential.name))
}

/// Makes a node of a service: its exports, its allocator, and what the linker has to know of its world.
///
/// ```
/// use nodule_sdk::prelude::*;
///
/// pub static SERVICE: Service = Service {
///     name: "weather",
///     title: "Weather",
///     about: "What the weather is",
///     ..Service::NEW
/// };
///
/// nodule_sdk::export!(SERVICE);
/// ```
///
/// A service with a credential that [`session`](crate::table::credential::session) logs in exports `authentication` too, one with a
/// [`signed`](crate::table::credential::signed) credential `signing`, and one that [asks the service](crate::table::asked) while a form
/// is filled in `choices`: `export!(SERVICE, authentication)`. One with an operation that takes files or gives them exports `files`, with
/// the feature of that name. What is wrong with the table is an error of the compiler.
#[macro_export]
macro_rules! export {
    ($service:path $(, $interface:ident)* $(,)?) => {
        const _: () = $crate::table::lint::check(&$service, &[$(stringify!($interface)),*]);

        $crate::__tell_panics!();

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the exports' generated glue")]
        const _: () = {
            use $crate::bindings::exports::workflow::node;

            struct Node;

            #[global_allocator]
            static ALLOCATOR: $crate::exports::Allocator = $crate::exports::Allocator;

            impl node::description::Guest for Node {
                fn describe() -> node::description::Node {
                    $crate::exports::describe(&$service)
                }
            }

            impl node::execution::Guest for Node {
                fn execute(
                    call: node::execution::Call,
                ) -> Result<Vec<node::execution::ItemResult>, node::types::Failure> {
                    $crate::exports::execute(&$service, call)
                }
            }

            impl node::turns::Guest for Node {
                fn headers() -> Vec<String> {
                    $crate::exports::headers(&$service)
                }

                fn next(step: node::turns::Step) -> node::turns::Turn {
                    $crate::exports::next(&$service, step)
                }
            }

            $crate::__export_interface!(description, Node, "node", NODE);
            $crate::__export_interface!(execution, Node);
            $crate::__export_interface!(turns, Node);
            $($crate::__export_chosen!($interface, Node, $service);)*
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_chosen {
    (authentication, $node:ident, $service:path) => {
        impl node::authentication::Guest for $node {
            fn authenticate(
                credential: node::types::BoundCredential,
                renew: Option<node::authentication::Session>,
            ) -> Result<node::authentication::Session, node::types::Failure> {
                $crate::exports::authenticate(&$service, credential, renew)
            }
        }
        $crate::__export_interface!(authentication, $node, "authentication", AUTHENTICATION);
    };
    (choices, $node:ident, $service:path) => {
        impl node::choices::Guest for $node {
            fn values(
                question: node::choices::Question,
            ) -> Result<node::choices::Page, node::types::Failure> {
                $crate::exports::values(&$service, question)
            }

            fn fields(
                question: node::choices::Question,
            ) -> Result<Vec<node::description::Parameter>, node::types::Failure> {
                $crate::exports::fields(&$service, question)
            }
        }
        $crate::__export_interface!(choices, $node, "choices", CHOICES);
    };
    (files, $node:ident, $service:path) => {
        impl node::files_by_turns::Guest for $node {
            fn next(step: node::files_by_turns::Step) -> node::files_by_turns::Turn {
                $crate::exports::next_with_files(&$service, step)
            }
        }
        $crate::__export_interface!(files, $node, "files-by-turns", FILES);

        impl node::files_by_streams::Guest for $node {
            fn transfer(
                call: node::files_by_streams::Call,
            ) -> Result<Vec<node::files_by_streams::Output>, node::types::Failure> {
                $crate::exports::transfer(&$service, call)
            }
        }
        $crate::__export_interface!(streams, $node, "files-by-streams", STREAMS);
    };
    (signing, $node:ident, $service:path) => {
        impl node::signing::Guest for $node {
            fn sign(
                credential: node::types::BoundCredential,
                draft: node::signing::Draft,
            ) -> Result<node::signing::SignedRequest, node::types::Failure> {
                $crate::exports::sign(&$service, credential, draft)
            }
        }
        $crate::__export_interface!(signing, $node, "signing", SIGNING);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_interface {
    (description, $node:ident, $name:literal, $section:ident) => {
        // Without the function that frees a description afterwards, which is optional: an instance describes once.
        #[unsafe(export_name = "workflow:node/description@0.2.0#describe")]
        unsafe extern "C" fn describe() -> *mut u8 {
            unsafe { node::description::_export_describe_cabi::<$node>() }
        }
        $crate::__export_section!($name, $section);
    };
    (execution, $node:ident) => {
        $crate::__export_workflow_node_execution_0_2_0_cabi!($node with_types_in node::execution);
    };
    (turns, $node:ident) => {
        $crate::__export_workflow_node_turns_0_2_0_cabi!($node with_types_in node::turns);
    };
    (authentication, $node:ident, $name:literal, $section:ident) => {
        $crate::__export_workflow_node_authentication_0_2_0_cabi!($node with_types_in node::authentication);
        $crate::__export_section!($name, $section);
    };
    (choices, $node:ident, $name:literal, $section:ident) => {
        $crate::__export_workflow_node_choices_0_2_0_cabi!($node with_types_in node::choices);
        $crate::__export_section!($name, $section);
    };
    (files, $node:ident, $name:literal, $section:ident) => {
        $crate::__export_workflow_node_files_by_turns_0_2_0_cabi!($node with_types_in node::files_by_turns);
        $crate::__export_section!($name, $section);
    };
    (streams, $node:ident, $name:literal, $section:ident) => {
        $crate::__export_workflow_node_files_by_streams_0_2_0_cabi!($node with_types_in node::files_by_streams);
        $crate::__export_section!($name, $section);
    };
    (signing, $node:ident, $name:literal, $section:ident) => {
        $crate::__export_workflow_node_signing_0_2_0_cabi!($node with_types_in node::signing);
        $crate::__export_section!($name, $section);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_section {
    ($name:literal, $section:ident) => {
        const _: () = {
            const SECTION: &[u8] = $crate::exports::sections::$section;

            #[unsafe(link_section = concat!("component-type:nodule-sdk:", $name))]
            pub static WORLD: [u8; SECTION.len()] = *SECTION.first_chunk().unwrap();
        };
    };
}

/// Makes a log-in of an `async fn(&Client<'_>, Secrets<'_>) -> Result<Session, Failure>`, for
/// [`session`](crate::table::credential::session).
#[macro_export]
macro_rules! login {
    ($login:path) => {
        |client, secrets| Box::pin($login(client, secrets))
    };
}

/// Makes what [`by`](crate::pages::by) takes of an `async fn(&Item<'_>) -> Result<Vec<OutputItem>, Failure>`.
#[macro_export]
macro_rules! run {
    ($run:path) => {
        |item| Box::pin($run(item))
    };
}
