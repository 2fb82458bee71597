//! Who repositories belong to: organisations and users.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::{DIRECTION, OWNER, PAGE, SORTS, STATE};
use nodule_sdk::prelude::*;

pub const GET_MEMBERS: Operation = Operation {
    group: "organization",
    name: "getMembers",
    title: "Get Members",
    about: "List the members of an organisation",
    action: "Get members of an organization",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/orgs/{owner}/members"),
    parameters: &[OWNER, RETURN_ALL, PAGE],
    output: pages("", link()),
};

pub const GET_ORGANIZATION_REPOSITORIES: Operation = Operation {
    name: "getRepositories",
    title: "Get Repositories",
    about: "List the repositories of an organisation",
    action: "Get repositories of an organization",
    request: get("/orgs/{owner}/repos"),
    ..GET_MEMBERS
};

pub const GET_USER_REPOSITORIES: Operation = Operation {
    group: "user",
    about: "List the repositories of a user",
    action: "Get repositories of a user",
    request: get("/users/{owner}/repos"),
    ..GET_ORGANIZATION_REPOSITORIES
};

pub const GET_USER_ISSUES: Operation = Operation {
    name: "getUserIssues",
    title: "Get Issues",
    about: "List the issues that are assigned to who is logged in",
    action: "Get issues of the user",
    request: get("/issues"),
    parameters: &[
        RETURN_ALL, PAGE,
        group("getUserIssuesFilters", "Filters", &[
            text("mentioned", "Mentioned"),
            text("labels", "Labels").about("Only issues with all of these, with commas between them"),
            date_time("since", "Updated Since"),
            STATE, choice("sort", "Sort", SORTS), DIRECTION,
        ]).spread(),
    ],
    ..GET_USER_REPOSITORIES
};

pub const INVITE: Operation = Operation {
    name: "invite",
    title: "Invite",
    about: "Invite somebody to an organisation by mail",
    action: "Invite a user",
    effect: Effect::Write,
    evidence: "every POST may send a mail",
    request: post("/orgs/{organization}/invitations"),
    parameters: &[
        text("organization", "Organization").required().about("Its name in URLs"),
        text("email", "Email").required().placeholder("name@example.com"),
    ],
    output: answer(),
    ..GET_USER_ISSUES
};
