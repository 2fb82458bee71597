//! Loyalty programmes and their members.

use nodule_sdk::prelude::*;

use super::{LIMIT, PAGE_NUMBER, PAGE_SIZE, RETURN_ALL, SOURCES};
use crate::envelope::{ANSWER, PAGES};

pub const GET_LOYALTY_PROGRAMS: Operation = Operation {
    group: "member",
    name: "getLoyaltyPrograms",
    title: "Query Loyalty Program List",
    about: "List the loyalty programmes of the tenant",
    action: "Query loyalty programs",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/v1/member/loyaltyprograms"),
    parameters: &[],
    output: ANSWER,
};

pub const GET_MEMBER_LIST: Operation = Operation {
    group: "member",
    name: "getMemberList",
    title: "Query Customer Member Account List",
    about: "List the member accounts of one customer",
    action: "Query a customer's member accounts",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/v1/member/list/{consumerCode}"),
    parameters: &[
        text("consumerCode", "Customer Code")
            .required()
            .about("The code of the customer whose accounts to list"),
        RETURN_ALL,
        LIMIT,
        PAGE_NUMBER,
        PAGE_SIZE,
        text("loyaltyCode", "Loyalty Program Code")
            .about("Only accounts of this loyalty programme; all when empty"),
    ],
    output: PAGES,
};

pub const GET_MEMBER: Operation = Operation {
    group: "member",
    name: "getMember",
    title: "Query Specific Member Account",
    about: "Fetch one member account by its card number",
    action: "Query a member account",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/v1/member/{cardNo}"),
    parameters: &[text("cardNo", "Member Card Number")
        .required()
        .about("The number of the member's card")],
    output: ANSWER,
};

pub const MEMBER_ADMISSION: Operation = Operation {
    group: "member",
    name: "memberAdmission",
    title: "Customer Membership",
    about: "Admit a customer to a loyalty programme",
    action: "Admit a customer to a loyalty program",
    effect: Effect::Write,
    evidence: "nothing public says what a second admission does",
    request: post("/v1/member/admission"),
    parameters: &[
        text("loyaltyCode", "Loyalty Program Code")
            .required()
            .wire("loyaltyProgramCode")
            .about("The programme to admit the customer to"),
        text("phonePrefCode", "Phone Prefix")
            .required()
            .or_text("+86")
            .about("The country's calling code, with its +"),
        text("mobilePhone", "Mobile Phone")
            .required()
            .about("The number without the calling code"),
        text("email", "Email").placeholder("name@email.com"),
        text("memberName", "Member Name")
            .required()
            .wire("name")
            .about("The name of the member"),
        text("storeCode", "Store Code")
            .required()
            .about("The store that the customer joins at"),
        choice("sourceCode", "Customer Source", SOURCES)
            .open()
            .required()
            .or_text("10140001")
            .about("Where the customer comes from; other codes of the tenant are accepted too"),
    ],
    output: ANSWER,
};
