//! Workflows of GitHub Actions.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::{OWNER, REPOSITORIES, REPOSITORY};
use nodule_sdk::prelude::*;

// What the form looks up.
const WORKFLOWS: Operation = Operation {
    request: get("/repos/{owner}/{repository}/actions/workflows"),
    parameters: &[OWNER, REPOSITORY, RETURN_ALL],
    output: pages("/workflows", link()),
    ..REPOSITORIES
};
const BRANCHES: Operation = Operation { request: get("/repos/{owner}/{repository}/branches"), output: pages("", link()), ..WORKFLOWS };

const WORKFLOW: Parameter = reference_to("workflowId", "Workflow", &ask(&WORKFLOWS, "/id", "/name").search_labels())
    .required().placeholder("main.yaml").about("Its ID, or the name of its file");

pub const DISABLE: Operation = Operation {
    name: "disable",
    title: "Disable Workflow",
    about: "Let a workflow run no more",
    action: "Disable a workflow",
    effect: Effect::Idempotent,
    evidence: "PUT sets the state",
    request: put("/repos/{owner}/{repository}/actions/workflows/{workflowId}/disable"),
    ..GET
};

pub const DISPATCH: Operation = Operation {
    name: "dispatch",
    title: "Dispatch Workflow",
    about: "Run a workflow",
    action: "Dispatch a workflow event",
    effect: Effect::Write,
    evidence: "every POST begins another run",
    request: post("/repos/{owner}/{repository}/actions/workflows/{workflowId}/dispatches"),
    parameters: &[
        OWNER, REPOSITORY, WORKFLOW,
        reference_to("ref", "Ref", &ask(&BRANCHES, "/name", "/name").search_labels()).required().or_text("main").about("A branch or a tag"),
        object("inputs", "Inputs").about("What the workflow asks for, by name"),
    ],
    ..GET
};

pub const ENABLE: Operation = Operation {
    name: "enable",
    title: "Enable Workflow",
    about: "Let a workflow run again",
    action: "Enable a workflow",
    request: put("/repos/{owner}/{repository}/actions/workflows/{workflowId}/enable"),
    ..DISABLE
};

pub const GET: Operation = Operation {
    group: "workflow",
    name: "get",
    title: "Get Workflow",
    about: "Fetch what is known of a workflow",
    action: "Get a workflow",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/repos/{owner}/{repository}/actions/workflows/{workflowId}"),
    parameters: &[OWNER, REPOSITORY, WORKFLOW],
    output: answer(),
};

pub const GET_USAGE: Operation = Operation {
    name: "getUsage",
    title: "Get Usage",
    about: "Fetch the minutes that a workflow has used in this month",
    action: "Get the usage of a workflow",
    request: get("/repos/{owner}/{repository}/actions/workflows/{workflowId}/timing"),
    ..GET
};

pub const LIST: Operation = Operation {
    name: "list",
    title: "List Workflows",
    about: "List the workflows of a repository",
    action: "List workflows",
    request: get("/repos/{owner}/{repository}/actions/workflows"),
    parameters: &[OWNER, REPOSITORY],
    ..GET
};
