//! Issues of a repository.
#![cfg_attr(rustfmt, rustfmt_skip)]

use nodule_sdk::prelude::*;

const STATES: &[Choice] = &[worded("open", "Open"), worded("closed", "Closed")];
const LISTED: &[Choice] = &[worded("open", "Open"), worded("closed", "Closed"), worded("all", "All")];
const REASONS: &[Choice] = &[worded("completed", "Completed"), worded("not_planned", "Not Planned"), worded("reopened", "Reopened")];
const LOCK_REASONS: &[Choice] =
    &[worded("off-topic", "Off-Topic"), worded("too heated", "Too Heated"), worded("resolved", "Resolved"), worded("spam", "Spam")];
const SORTS: &[Choice] = &[worded("created", "Created"), worded("updated", "Updated"), worded("comments", "Comments")];

// What the form looks up.
const OWNERS: Operation = Operation {
    group: "issue", name: "owners", title: "List Owners", about: "List users and organisations", action: "List owners",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/search/users"),
    parameters: &[text("q", "Search").or_text("repos:>0")],
    output: pages("/items", link()),
};
const REPOSITORIES: Operation = Operation { request: get("/users/{owner}/repos"), parameters: &[OWNER], output: pages("", link()), ..OWNERS };
const LABELS: Operation = Operation { request: get("/repos/{owner}/{repo}/labels"), parameters: &[OWNER, REPO], ..REPOSITORIES };

const OWNER: Parameter = reference_to("owner", "Owner", &ask(&OWNERS, "/login", "/login").search("q"))
    .required().placeholder("octocat").about("Who the repository belongs to");
const REPO: Parameter = reference_to("repo", "Repository", &ask(&REPOSITORIES, "/name", "/name").about("/description").search_labels())
    .required().about("The repository's name, without its owner");
const LABEL: Asked = ask(&LABELS, "/name", "/name").about("/description").search_labels();
const NUMBER: Parameter = text("issueNumber", "Issue Number").required().about("The number after the #");

const LIST: Operation = Operation {
    group: "issue",
    name: "list",
    title: "List Issues",
    about: "List the issues of a repository",
    action: "List issues",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/repos/{owner}/{repo}/issues"),
    parameters: &[
        OWNER, REPO,
        RETURN_ALL,
        page_number("page"),
        page_size("perPage", 30).wire("per_page"),
        choice("state", "State", LISTED).or_text("open"),
        text("labels", "Labels").about("Only issues with all of these, with commas between them"),
        choice("sort", "Sort", SORTS),
        date_time("since", "Since").about("Only issues that changed since then"),
    ],
    output: pages("", link()),
};

const GET: Operation = Operation {
    name: "get",
    title: "Get Issue",
    about: "Fetch one issue",
    action: "Get an issue",
    request: get("/repos/{owner}/{repo}/issues/{issueNumber}"),
    parameters: &[OWNER, REPO, NUMBER],
    output: answer(),
    ..LIST
};

const CREATE: Operation = Operation {
    name: "create",
    title: "Create Issue",
    about: "Open an issue",
    action: "Create an issue",
    effect: Effect::Write,
    evidence: "every POST opens another one",
    request: post("/repos/{owner}/{repo}/issues"),
    parameters: &[
        OWNER, REPO,
        text("title", "Title").required(),
        text("body", "Body").about("What the issue says, in Markdown"),
        texts("labels", "Labels"),
        texts("assignees", "Assignees").placeholder("octocat"),
        int_from("milestone", "Milestone", 1, None).about("The number of the milestone"),
    ],
    ..GET
};

const UPDATE: Operation = Operation {
    name: "update",
    title: "Update Issue",
    about: "Change what is set, and nothing else, of an issue",
    action: "Update an issue",
    effect: Effect::Idempotent,
    evidence: "PATCH sets values",
    request: patch("/repos/{owner}/{repo}/issues/{issueNumber}"),
    parameters: &[
        OWNER, REPO, NUMBER,
        text("title", "Title"),
        text("body", "Body"),
        choice("state", "State", STATES),
        choice("stateReason", "State Reason", REASONS).wire("state_reason"),
        texts("labels", "Labels").about("Take the place of those that it has"),
        int_from("milestone", "Milestone", 1, None),
    ],
    ..GET
};

const ADD_LABELS: Operation = Operation {
    name: "addLabels",
    title: "Add Labels",
    about: "Add labels to an issue",
    action: "Add labels to an issue",
    evidence: "an issue has a label once",
    request: post("/repos/{owner}/{repo}/issues/{issueNumber}/labels"),
    parameters: &[OWNER, REPO, NUMBER, texts("labels", "Labels").required()],
    ..UPDATE
};

const REMOVE_LABEL: Operation = Operation {
    name: "removeLabel",
    title: "Remove Label",
    about: "Take a label off an issue",
    action: "Remove a label from an issue",
    evidence: "a label that is gone stays gone; the second time is answered with 404",
    request: delete("/repos/{owner}/{repo}/issues/{issueNumber}/labels/{label}"),
    parameters: &[OWNER, REPO, NUMBER, reference_to("label", "Label", &LABEL).required()],
    ..UPDATE
};

const LOCK: Operation = Operation {
    name: "lock",
    title: "Lock Issue",
    about: "Let none but collaborators comment on an issue",
    action: "Lock an issue",
    evidence: "PUT",
    request: put("/repos/{owner}/{repo}/issues/{issueNumber}/lock"),
    parameters: &[OWNER, REPO, NUMBER, choice("lockReason", "Reason", LOCK_REASONS).wire("lock_reason")],
    ..UPDATE
};

/// The node.
pub static SERVICE: Service = Service {
    name: "githubIssues",
    title: "GitHub Issues",
    about: "Issues of GitHub repositories, and their labels",
    documentation: Some("https://docs.github.com/rest/issues"),
    groups: &[Group { name: "issue", title: "Issue", about: "Issues of a repository, and their labels" }],
    credentials: &[Credential {
        name: "githubIssuesApi",
        title: "GitHub API",
        fields: &[
            text("baseUrl", "Base URL").required().or_text("https://api.github.com"),
            secret("accessToken", "Access Token").required(),
        ],
        scheme: fixed(&[("authorization", "Bearer {accessToken}")]),
        test: Some("/user"),
        ..Credential::NEW
    }],
    headers: &[
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
        ("user-agent", "github-node/0.1.0"),
    ],
    errors: errors(&["/message"]).request_id_header("x-github-request-id"),
    operations: &[&LIST, &GET, &CREATE, &UPDATE, &ADD_LABELS, &REMOVE_LABEL, &LOCK],
    ..Service::NEW
};

nodule_sdk::export!(SERVICE, choices);
