#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "every error is a `Failure`, and what is not used of a constant is no mistake"
)]

mod answer;
pub mod base_url;
#[doc(hidden)]
pub mod bindings;
#[cfg(all(feature = "cases", not(target_family = "wasm")))]
pub mod cases;
mod client;
mod date;
mod excerpt;
mod execute;
#[doc(hidden)]
pub mod exports;
#[cfg(feature = "files")]
pub mod file;
mod form;
pub mod http;
mod item;
pub mod json;
pub mod number;
pub mod pages;
mod percent;
#[doc(hidden)]
pub mod report;
#[cfg(not(target_family = "wasm"))]
pub mod script;
#[cfg(feature = "sign")]
pub mod sign;
pub mod table;
mod transport;
mod wait;
#[cfg(feature = "xml")]
mod xml;

pub use answer::{Codes, Errors, Reads, Verdict, errors};
pub use bindings::exports::workflow::node::authentication::Session;
pub use bindings::exports::workflow::node::signing::{Draft, DraftBody, SignedRequest};
pub use bindings::exports::workflow::node::types::{
    Access, Answer, BoundCredential, Certainty, Failure, Field, Outage, Output as OutputItem, Problem,
    Throttle,
};
pub use client::Client;
pub use http::{Method, Request, Response, UsualHeaders};
pub use item::{Item, Running, output};
pub use percent::{path, segments};
#[cfg(not(target_family = "wasm"))]
pub use script::test;
pub use table::credential::{Credential, LoggedIn, OAuth2, Scheme, Secrets};
pub use table::describe::describe;
pub use table::{Effect, Endpoint, Group, Operation, Origin, Service};

/// The chapter for authors: what it shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../write-a-node.md")]
struct WriteANode;

/// What a table is written with.
pub mod prelude {
    pub use crate::answer::{Codes, Errors, errors};
    #[cfg(feature = "files")]
    pub use crate::file::download;
    pub use crate::pages::{
        Next, Output, answer, answer_at, by, cursor, cursor_of_last_record, link, offset_increment, one_page,
        page_increment, pages, pages_by, rows_at,
    };
    pub use crate::table::asked::{Asked, ask};
    pub use crate::table::body::{bytes, within};
    pub use crate::table::condition::{is, is_not, is_set};
    pub use crate::table::credential::{
        BodyNeed, Credential, Grant, OAuth2, fixed, fixed_query, oauth2, session, signed,
    };
    #[cfg(feature = "files")]
    pub use crate::table::kind::file;
    pub use crate::table::kind::{
        Choice, NumberRange, Reference, Rows, bare_rows, boolean, choice, choice_of, choices, choices_of,
        columns, columns_of, date, date_time, epoch_millis, flag, group, int, int_between, int_choice,
        int_from, json, local_date_time, multiline, notice, number, number_between, object, reference,
        reference_to, rows, secret, text, text_choice, texts, values, worded,
    };
    pub use crate::table::parameter::{
        CLOCK, LIMIT, Parameter, RANDOM, RETURN_ALL, Scalar, limit, page_index, page_number, page_offset,
        page_size, page_size_up_to,
    };
    pub use crate::table::{
        Effect, Endpoint, Group, Operation, Origin, Service, delete, get, head, patch, post, put,
    };
    #[cfg(feature = "xml")]
    pub use crate::xml::xml;
}
