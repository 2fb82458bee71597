//! Reviews of pull requests.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::{OWNER, PAGE, REPOSITORY};
use nodule_sdk::prelude::*;
use nodule_sdk::{Failure, Item, OutputItem, output};

const PULL: Parameter = int_from("pullRequestNumber", "PR Number", 1, None).required();
const ID: Parameter = text("reviewId", "Review ID").required();
const EVENTS: &[Choice] = &[
    worded("approve", "Approve"), worded("requestChanges", "Request Change"), worded("comment", "Comment"), worded("pending", "Pending"),
];
const EVENT: Parameter = choice("event", "Event", EVENTS).or_text("approve").unsent().about("A pending review is submitted later");

pub const CREATE: Operation = Operation {
    group: "review",
    name: "create",
    title: "Create Review",
    about: "Review a pull request",
    action: "Create a review",
    effect: Effect::Write,
    evidence: "every POST makes another review",
    request: post("/repos/{owner}/{repository}/pulls/{pullRequestNumber}/reviews"),
    parameters: &[
        OWNER, REPOSITORY, PULL, EVENT,
        multiline("body", "Body").required().about("What the review says, in Markdown")
            .when(&[is("event", &[Scalar::Text("requestChanges"), Scalar::Text("comment")])]),
        group("additionalFields", "Additional Fields", &[
            text("commitId", "Commit ID").wire("commit_id").about("The commit that is reviewed, if not the latest"),
        ]).spread(),
    ],
    output: by(nodule_sdk::run!(create)),
};

pub const GET: Operation = Operation {
    name: "get",
    title: "Get Review",
    about: "Fetch one review of a pull request",
    action: "Get a review",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/repos/{owner}/{repository}/pulls/{pullRequestNumber}/reviews/{reviewId}"),
    parameters: &[OWNER, REPOSITORY, PULL, ID],
    output: answer(),
    ..CREATE
};

pub const GET_ALL: Operation = Operation {
    name: "getAll",
    title: "Get Many Reviews",
    about: "List the reviews of a pull request",
    action: "Get many reviews",
    request: get("/repos/{owner}/{repository}/pulls/{pullRequestNumber}/reviews"),
    parameters: &[OWNER, REPOSITORY, PULL, RETURN_ALL, PAGE],
    output: pages("", link()),
    ..GET
};

pub const UPDATE: Operation = Operation {
    name: "update",
    title: "Update Review",
    about: "Change what a review says",
    action: "Update a review",
    effect: Effect::Idempotent,
    evidence: "PUT sets the text",
    request: put("/repos/{owner}/{repository}/pulls/{pullRequestNumber}/reviews/{reviewId}"),
    parameters: &[OWNER, REPOSITORY, PULL, ID, multiline("body", "Body").required().about("What the review says, in Markdown")],
    ..GET
};

/// A review without an event is pending.
async fn create(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let request = item.request();
    let request = match item.text("event") {
        "approve" => request.member("event", "\"APPROVE\""),
        "requestChanges" => request.member("event", "\"REQUEST_CHANGES\""),
        "comment" => request.member("event", "\"COMMENT\""),
        _ => request,
    };
    Ok(vec![output(item.client.document(request).await?)])
}
