//! Issues of a repository, and their labels.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::{LABEL, OWNER, REPOSITORY};
use nodule_sdk::prelude::*;

const NUMBER: Parameter = int_from("issueNumber", "Issue Number", 1, None).required().about("The number after the #");
const REASONS: &[Choice] = &[worded("completed", "Completed"), worded("not_planned", "Not Planned"), worded("reopened", "Reopened")];
const LOCK_REASONS: &[Choice] =
    &[worded("off-topic", "Off-Topic"), worded("too heated", "Too Heated"), worded("resolved", "Resolved"), worded("spam", "Spam")];
const TITLE: Parameter = text("title", "Title");
const BODY: Parameter = multiline("body", "Body").about("What it says, in Markdown");
const LABELS: Parameter = values("labels", "Labels", &text("label", "Label"));
const ASSIGNEES: Parameter = values("assignees", "Assignees", &text("assignee", "Assignee").placeholder("octocat"));
const MILESTONE: Parameter = int_from("milestone", "Milestone", 1, None).about("The number of the milestone");

pub const GET: Operation = Operation {
    group: "issue",
    name: "get",
    title: "Get Issue",
    about: "Fetch one issue",
    action: "Get an issue",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/repos/{owner}/{repository}/issues/{issueNumber}"),
    parameters: &[OWNER, REPOSITORY, NUMBER],
    output: answer(),
};

pub const CREATE: Operation = Operation {
    name: "create",
    title: "Create Issue",
    about: "Open an issue",
    action: "Create an issue",
    effect: Effect::Write,
    evidence: "every POST opens another one",
    request: post("/repos/{owner}/{repository}/issues"),
    parameters: &[OWNER, REPOSITORY, TITLE.required(), BODY, LABELS, ASSIGNEES, MILESTONE],
    ..GET
};

pub const CREATE_COMMENT: Operation = Operation {
    name: "createComment",
    title: "Create Comment",
    about: "Comment on an issue",
    action: "Create a comment on an issue",
    evidence: "every POST makes another one",
    request: post("/repos/{owner}/{repository}/issues/{issueNumber}/comments"),
    parameters: &[OWNER, REPOSITORY, NUMBER, BODY.required()],
    ..CREATE
};

pub const EDIT: Operation = Operation {
    name: "edit",
    title: "Edit Issue",
    about: "Change what is set, and nothing else, of an issue",
    action: "Edit an issue",
    effect: Effect::Idempotent,
    evidence: "PATCH sets values",
    request: patch("/repos/{owner}/{repository}/issues/{issueNumber}").update(),
    parameters: &[
        OWNER, REPOSITORY, NUMBER,
        group("editFields", "Edit Fields", &[
            ASSIGNEES, BODY, LABELS.about("Take the place of those that it has"), MILESTONE,
            choice("state", "State", &[worded("closed", "Closed"), worded("open", "Open")]),
            choice("state_reason", "State Reason", REASONS),
            TITLE,
        ]).spread(),
    ],
    ..GET
};

pub const LOCK: Operation = Operation {
    name: "lock",
    title: "Lock Issue",
    about: "Let none but collaborators comment on an issue",
    action: "Lock an issue",
    evidence: "PUT",
    request: put("/repos/{owner}/{repository}/issues/{issueNumber}/lock"),
    parameters: &[OWNER, REPOSITORY, NUMBER, choice("lockReason", "Lock Reason", LOCK_REASONS).wire("lock_reason").or_text("resolved")],
    ..EDIT
};

pub const ADD_LABELS: Operation = Operation {
    name: "addLabels",
    title: "Add Labels",
    about: "Add labels to an issue",
    action: "Add labels to an issue",
    evidence: "an issue has a label once",
    request: post("/repos/{owner}/{repository}/issues/{issueNumber}/labels"),
    parameters: &[OWNER, REPOSITORY, NUMBER, LABELS.required()],
    output: rows_at(""),
    ..EDIT
};

pub const REMOVE_LABEL: Operation = Operation {
    name: "removeLabel",
    title: "Remove Label",
    about: "Take a label off an issue",
    action: "Remove a label from an issue",
    evidence: "a label that is gone stays gone; the second time is answered with 404",
    request: delete("/repos/{owner}/{repository}/issues/{issueNumber}/labels/{label}"),
    parameters: &[OWNER, REPOSITORY, NUMBER, reference_to("label", "Label", &LABEL).required()],
    ..ADD_LABELS
};
