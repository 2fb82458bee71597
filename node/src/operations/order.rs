//! Transactions. Money is whole numbers of cents.

use nodule_sdk::prelude::*;

use super::{LIMIT, PAGE_NUMBER, PAGE_SIZE, RETURN_ALL, SOURCES};
use crate::envelope::{ANSWER, PAGES};

const IDENTIFIER_TYPES: &[Choice] = &[
    int_choice(1, "Mobile Phone"),
    int_choice(2, "Email"),
    int_choice(3, "Employee ID"),
];

const DIRECTIONS: &[Choice] = &[
    int_choice(0, "Normal Order"),
    int_choice(1, "Return Order"),
    int_choice(2, "Exchange Order"),
];

const DETAIL_MARKS: &[Choice] = &[
    int_choice(0, "Normal Order"),
    int_choice(1, "Return/Exchange Order"),
];

const ORDER_STATUSES: &[Choice] = &[
    int_choice(0, "Paid"),
    int_choice(1, "Shipped"),
    int_choice(2, "Delivered"),
    int_choice(3, "Returned"),
];

const SCORE_POINT_STATUSES: &[Choice] = &[
    int_choice(0, "Not Issued"),
    int_choice(1, "Waiting for Issuance"),
    int_choice(2, "Processing"),
    int_choice(3, "Processed"),
    int_choice(4, "Exception"),
];

const fn cents(name: &'static str, label: &'static str) -> Parameter {
    int(name, label).required().or_int(0).about("In cents")
}

pub const GET_TRANSACTION_LIST: Operation = Operation {
    group: "order",
    name: "getTransactionList",
    title: "Paginated Query Customer Transaction List",
    about: "List the transactions of one customer",
    action: "Query a customer's transactions",
    effect: Effect::Read,
    evidence: "a query, although by POST",
    request: post("/v1/transactions/page/{consumerCode}"),
    parameters: &[
        text("consumerCode", "Customer Code")
            .required()
            .about("The code of the customer whose transactions to list"),
        RETURN_ALL,
        LIMIT,
        PAGE_NUMBER,
        PAGE_SIZE,
        date_time("beginDate", "Start Date").about("Only transactions from then on"),
        date_time("endDate", "End Date").about("Only transactions until then"),
    ],
    output: PAGES,
};

pub const GET_TRANSACTION_DETAIL: Operation = Operation {
    group: "order",
    name: "getTransactionDetail",
    title: "Query Transaction Details",
    about: "Fetch one transaction with its details",
    action: "Query a transaction",
    effect: Effect::Read,
    evidence: "a query, although by POST",
    request: post("/v1/transactions/{orderCode}"),
    parameters: &[text("orderCode", "Transaction Number").required()],
    output: ANSWER,
};

pub const SYNC_TRANSACTION: Operation = Operation {
    group: "order",
    name: "syncTransaction",
    title: "Transaction Synchronization",
    about: "Hand over a transaction with its details, for example to have points issued for it",
    action: "Synchronize a transaction",
    effect: Effect::Keyed("transactionCode"),
    evidence: "assumed: a transaction carries a number of its own",
    request: post("/v1/transactions/sync"),
    parameters: &[
        choice("type", "Member Identifier Type", IDENTIFIER_TYPES)
            .required()
            .or_int(1)
            .about("What the member is found by"),
        text("params", "Member Identifier Parameter")
            .required()
            .about("The phone number, e-mail address or employee ID itself"),
        text("phonePrefCode", "Phone Prefix")
            .required()
            .or_text("+86")
            .when(&[is("type", &[Scalar::Int(1)])])
            .about("The country's calling code, with its +"),
        text("loyaltyCode", "Loyalty Program Code"),
        choice("source", "Order Source Channel", SOURCES)
            .open()
            .required()
            .or_text("10140001")
            .about("Where the order comes from; other codes of the tenant are accepted too"),
        text("transactionCode", "Transaction Number")
            .required()
            .about("What tells this transaction from every other"),
        text("storeCode", "Store Code").required(),
        local_date_time("orderDate", "Order Date")
            .required()
            .about("As yyyy-MM-dd HH:mm:ss"),
        choice("direction", "Transaction Direction", DIRECTIONS)
            .required()
            .or_int(0),
        choice("orderStatus", "Transaction Status", ORDER_STATUSES)
            .required()
            .or_int(0),
        choice(
            "scorePointStatus",
            "Transaction Score Point Status",
            SCORE_POINT_STATUSES,
        )
        .required()
        .or_int(0),
        cents("totalPrice", "Original Sales Amount"),
        cents("totalAmount", "Receivable Amount"),
        cents("couponAmount", "Coupon Amount"),
        cents("discountAmount", "Discount Amount"),
        cents("totalDisAmount", "Total Discount Amount"),
        cents("costAmount", "Actual Received Amount"),
        cents("grossAmount", "Actual Received Tax-Deducted Amount"),
        cents("freight", "Freight"),
        text("originalCode", "Original Order Number").about("The order that is returned or exchanged"),
        rows(
            "details",
            "Transaction Product Details Collection",
            &Rows {
                name: "detail",
                label: "Product Details",
                columns: &[
                    choice("direction", "Transaction Detail Mark", DETAIL_MARKS)
                        .required()
                        .or_int(0),
                    text("detailCode", "Transaction Detail Code").required(),
                    text("productCode", "Product Code").required(),
                    text("title", "Product Title").required(),
                    number("qty", "Product Quantity").required(),
                    cents("price", "Product Unit Price"),
                    cents("totalAmount", "Receivable Amount"),
                    cents("couponAmount", "Coupon Amount"),
                    cents("discountAmount", "Discount Amount"),
                    cents("totalDisAmount", "Total Discount Amount"),
                    cents("costAmount", "Actual Received Amount"),
                    cents("grossAmount", "Actual Received Tax-Deducted Amount"),
                ],
            },
        )
        .required()
        .about("What was sold, at least one row"),
    ],
    output: ANSWER,
};
