//! Repositories, and what they have.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::{DIRECTION, OWNER, PAGE, REPOSITORY, SORTS, STATE};
use nodule_sdk::prelude::*;

const PULL_SORTS: &[Choice] =
    &[worded("created", "Created"), worded("updated", "Updated"), worded("popularity", "Popularity"), worded("long-running", "Long-Running")];

pub const GET: Operation = Operation {
    group: "repository",
    name: "get",
    title: "Get Repository",
    about: "Fetch what is known of a repository",
    action: "Get a repository",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/repos/{owner}/{repository}"),
    parameters: &[OWNER, REPOSITORY],
    output: answer(),
};

pub const GET_ISSUES: Operation = Operation {
    name: "getIssues",
    title: "Get Issues",
    about: "List the issues of a repository",
    action: "Get issues of a repository",
    request: get("/repos/{owner}/{repository}/issues"),
    parameters: &[
        OWNER, REPOSITORY, RETURN_ALL, PAGE,
        group("getRepositoryIssuesFilters", "Filters", &[
            text("assignee", "Assignee"),
            text("creator", "Creator"),
            text("mentioned", "Mentioned"),
            text("labels", "Labels").about("Only issues with all of these, with commas between them"),
            date_time("since", "Updated Since"),
            STATE, choice("sort", "Sort", SORTS), DIRECTION,
        ]).spread(),
    ],
    output: pages("", link()),
    ..GET
};

pub const GET_LICENSE: Operation = Operation {
    name: "getLicense",
    title: "Get License",
    about: "Fetch the licence of a repository",
    action: "Get the license of a repository",
    request: get("/repos/{owner}/{repository}/license"),
    ..GET
};

pub const GET_PROFILE: Operation = Operation {
    name: "getProfile",
    title: "Get Profile",
    about: "Fetch the community profile of a repository, such as whether it has a licence",
    action: "Get the profile of a repository",
    request: get("/repos/{owner}/{repository}/community/profile"),
    ..GET
};

pub const GET_PULL_REQUESTS: Operation = Operation {
    name: "getPullRequests",
    title: "Get Pull Requests",
    about: "List the pull requests of a repository",
    action: "Get pull requests of a repository",
    request: get("/repos/{owner}/{repository}/pulls"),
    parameters: &[
        OWNER, REPOSITORY, RETURN_ALL, PAGE,
        group("getRepositoryPullRequestsFilters", "Filters", &[STATE, choice("sort", "Sort", PULL_SORTS), DIRECTION]).spread(),
    ],
    ..GET_ISSUES
};

pub const LIST_POPULAR_PATHS: Operation = Operation {
    name: "listPopularPaths",
    title: "List Popular Paths",
    about: "List the ten most visited pages of a repository within two weeks",
    action: "List popular paths of a repository",
    request: get("/repos/{owner}/{repository}/traffic/popular/paths"),
    output: rows_at(""),
    ..GET
};

pub const LIST_REFERRERS: Operation = Operation {
    name: "listReferrers",
    title: "List Referrers",
    about: "List the ten sites that sent most visitors to a repository within two weeks",
    action: "List referrers of a repository",
    request: get("/repos/{owner}/{repository}/traffic/popular/referrers"),
    ..LIST_POPULAR_PATHS
};
