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

use nodule_sdk::prelude::*;

/// The resources, in the order of the form.
pub const GROUPS: &[Group] = &[
    Group {
        name: "member",
        title: "Member Management",
        about: "Loyalty programmes, their members and admission to them",
    },
    Group {
        name: "consumer",
        title: "Customer Management",
        about: "Customers, their events and their accounts elsewhere",
    },
    Group {
        name: "order",
        title: "Order Management",
        about: "Transactions and their details",
    },
    Group {
        name: "points",
        title: "Points Management",
        about: "Points accounts, their entries and adjustments",
    },
    Group {
        name: "masterdata",
        title: "Master Data Management",
        about: "Products and stores",
    },
];

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

const PAGE_NUMBER: Parameter = page_number("pageNo");

const PAGE_SIZE: Parameter = page_size("pageSize", 10).about("How many rows a page has, at most 100");

/// Texts on the wire, although they look like numbers.
const SOURCES: &[Choice] = &[text_choice("10140001", "Shopify")];

const GENDERS: &[Choice] = &[
    int_choice(0, "Unknown"),
    int_choice(1, "Male"),
    int_choice(2, "Female"),
];

const NO_YES: &[Choice] = &[int_choice(0, "No"), int_choice(1, "Yes")];
