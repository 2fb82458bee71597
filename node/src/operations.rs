//! The one list of operations, in the order of the form, and the parameters that several of them share.
//!
//! Names and labels are what the vendor's node 1.0.0 stores and shows; paths, placements and encodings are what its code
//! sends. Another operation is one constant in its resource's file and one line here; `UPDATE=1 make test`
//! writes its cases and its documentation.

mod consumer;
mod masterdata;
mod member;
mod order;
mod points;

use crate::bindings::exports::workflow::node::types::Failure;
use crate::excerpt::{nearest, shown};
use crate::table::parameter::{Choice, Fill, Parameter, Scalar, boolean, int_choice, int_from, text_choice};
use crate::table::{Group, Operation};

/// Every operation.
pub const OPERATIONS: &[&Operation] = &[
    &member::GET_LOYALTY_PROGRAMS,
    &member::GET_MEMBER_LIST,
    &member::GET_MEMBER,
    &member::MEMBER_ADMISSION,
    &consumer::CREATE_CONSUMER,
    &consumer::IMPORT_CONSUMER_EVENT_DATA,
    &consumer::QUERY_CONSUMER,
    &consumer::UPDATE_CONSUMER,
    &consumer::BIND_CONSUMER_THIRD_ACCOUNT,
    &consumer::QUERY_THIRD_ACCOUNTS_BY_UNION_ID,
    &order::GET_TRANSACTION_LIST,
    &order::GET_TRANSACTION_DETAIL,
    &order::SYNC_TRANSACTION,
    &points::GET_POINTS_ACCOUNT,
    &points::GET_POINTS_RECORDS,
    &points::ADJUST_POINTS,
    &masterdata::BATCH_SYNC_PRODUCT,
    &masterdata::SAVE_STORE,
];

/// The operation of that name, or a failure that suggests the nearest one.
pub fn find(group: &str, name: &str) -> Result<&'static Operation, Failure> {
    let of_group = |operation: &&Operation| operation.group.name() == group;
    if let Some(operation) = OPERATIONS.iter().find(|o| o.name == name && of_group(o)) {
        return Ok(operation);
    }
    if !OPERATIONS.iter().any(of_group) {
        let known = nearest(group, &mut Group::ALL.iter().map(|group| group.name()));
        let hint = known
            .map(|known| format!("; did you mean `{known}`?"))
            .unwrap_or_default();
        return Err(Failure::InvalidInput(format!(
            "unknown resource `{}`{hint}",
            shown(group)
        )));
    }
    // An operation that only stands under another resource is a nearer guess than another of this one.
    let elsewhere = OPERATIONS
        .iter()
        .find(|operation| operation.name == name)
        .copied();
    let of_name = |known| {
        OPERATIONS
            .iter()
            .filter(|o| of_group(o))
            .find(|o| o.name == known)
            .copied()
    };
    let nearest = elsewhere.or_else(|| {
        nearest(
            name,
            &mut OPERATIONS.iter().filter(|o| of_group(o)).map(|o| o.name),
        )
        .and_then(of_name)
    });
    let hint = nearest
        .map(|o| format!("; did you mean `{}.{}`?", o.group.name(), o.name))
        .unwrap_or_default();
    Err(Failure::InvalidInput(format!(
        "unknown operation `{group}.{}`{hint}",
        shown(name)
    )))
}

/// The name of `RETURN_ALL`, for whoever acts on it.
pub const RETURN_ALL_NAME: &str = "returnAll";
/// The name of `LIMIT`, for whoever acts on it.
pub const LIMIT_NAME: &str = "limit";
/// The most rows that a page can have.
pub const MAX_PAGE_SIZE: i32 = 100;

const RETURN_ALL: Parameter = boolean(RETURN_ALL_NAME, "Return All")
    .about("Whether to fetch every page and return one item per row")
    .or(Scalar::Bool(false))
    .unsent();

const LIMIT: Parameter = int_from(LIMIT_NAME, "Limit", 1, None)
    .about("The most rows to return; all when empty")
    .when(RETURN_ALL_NAME, &[Scalar::Bool(true)])
    .unsent();

const PAGE_NUMBER: Parameter = int_from("pageNo", "Page Number", 1, None)
    .about("Which page to fetch; the first is 1")
    .or_int(1)
    .when(RETURN_ALL_NAME, &[Scalar::Bool(false)])
    .filled(Fill::PageNumber);

const PAGE_SIZE: Parameter = int_from("pageSize", "Page Size", 1, Some(MAX_PAGE_SIZE))
    .about("How many rows a page has, at most 100")
    .or_int(10)
    .when(RETURN_ALL_NAME, &[Scalar::Bool(false)])
    .filled(Fill::PageSize);

/// Texts on the wire, although they look like numbers.
const SOURCES: &[Choice] = &[text_choice("10140001", "Shopify")];

const GENDERS: &[Choice] = &[
    int_choice(0, "Unknown"),
    int_choice(1, "Male"),
    int_choice(2, "Female"),
];

const NO_YES: &[Choice] = &[int_choice(0, "No"), int_choice(1, "Yes")];
