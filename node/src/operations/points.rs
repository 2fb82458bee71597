//! Points accounts, their entries and adjustments.

use nodule_sdk::prelude::*;

use super::{LIMIT, NO_YES, PAGE_NUMBER, PAGE_SIZE, RETURN_ALL};
use crate::envelope::{ANSWER, PAGES};

/// `All` is blank, and what is blank is not sent.
const RECORD_STATUSES: &[Choice] = &[
    text_choice("", "All"),
    int_choice(0, "Effective"),
    int_choice(1, "Not Effective"),
    int_choice(2, "Expired"),
];

const ACCOUNT_TYPES: &[Choice] = &[
    int_choice(1, "Points Account"),
    int_choice(2, "Member Card Number"),
];

const OPERATION_TYPES: &[Choice] = &[
    int_choice(6, "Behavior Increase"),
    int_choice(7, "Behavior Decrease"),
    int_choice(8, "Gift Redemption Decrease"),
    int_choice(9, "Coupon Redemption Decrease"),
];

pub const GET_POINTS_ACCOUNT: Operation = Operation {
    group: "points",
    name: "getPointsAccount",
    title: "Query Member Points Account List",
    about: "List the points accounts of a member card, with their balances",
    action: "Query a member's points accounts",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/v1/points/pointsAccount/{cardNo}"),
    parameters: &[
        text("cardNo", "Member Card Number")
            .required()
            .about("The number of the member's card"),
        RETURN_ALL,
        LIMIT,
        PAGE_NUMBER,
        PAGE_SIZE,
        text("pointsGroupCode", "Points Group Code")
            .about("Only accounts of this points group; all when empty"),
    ],
    output: PAGES,
};

pub const GET_POINTS_RECORDS: Operation = Operation {
    group: "points",
    name: "getPointsRecords",
    title: "Paginated Query Points Detail List",
    about: "List the entries of a points account",
    action: "Query the entries of a points account",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/v1/points/pointsRecords/{accountCode}"),
    parameters: &[
        text("accountCode", "Points Account Code")
            .required()
            .about("The code of the account whose entries to list"),
        RETURN_ALL,
        LIMIT,
        PAGE_NUMBER,
        PAGE_SIZE,
        choice("status", "Record Status", RECORD_STATUSES)
            .or_text("")
            .about("Only entries of this status"),
        date_time("beginDate", "Start Time")
            .as_millis()
            .about("Only entries from then on"),
        date_time("endDate", "End Time")
            .as_millis()
            .about("Only entries until then"),
    ],
    output: PAGES,
};

pub const ADJUST_POINTS: Operation = Operation {
    group: "points",
    name: "adjustPoints",
    title: "Adjust Member Points",
    about: "Add points to a member's account, or take them away",
    action: "Adjust member points",
    effect: Effect::Keyed("operationId"),
    evidence: "assumed: the form calls the operation ID the operation's unique identifier; the vendor's own example, one \
               ID a day for all members, would then count once",
    request: post("/v1/points/adjustment"),
    parameters: &[
        choice("accountType", "Account Type", ACCOUNT_TYPES)
            .required()
            .or_int(2)
            .about("What the account code is"),
        text("accountCode", "Account Code")
            .required()
            .about("The points account or member card to adjust"),
        text("pointsGroupCode", "Points Group Code"),
        text("operationId", "Operation ID")
            .required()
            .about("Different for every adjustment: one with an ID that was used before may count once only"),
        choice("operationType", "Operation Type", OPERATION_TYPES)
            .required()
            .or_int(6),
        number("pointValue", "Point Value")
            .required()
            .about("How many points, positive or negative"),
        text("pointDesc", "Point Description").about("What the member reads"),
        date_time("effectiveEndTime", "Points Expiry Time")
            .as_millis()
            .required()
            .about("When the points expire"),
        choice("upgradeTierFlag", "Upgradeable", NO_YES)
            .required()
            .or_int(0)
            .about("Whether it counts towards the tier"),
    ],
    output: ANSWER,
};
