//! Repositories of GitHub: their files, issues, releases, reviews and workflows, and whose they are.
#![cfg_attr(rustfmt, rustfmt_skip)]

mod account;
mod file;
mod issue;
mod release;
mod repository;
mod review;
mod workflow;

use nodule_sdk::UsualHeaders;
use nodule_sdk::prelude::*;

// What the form looks up.
const OWNERS: Operation = Operation {
    group: "repository", name: "owners", title: "List Owners", about: "List users and organisations", action: "List owners",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/search/users"),
    parameters: &[text("q", "Search").or_text("repos:>0")],
    output: pages("/items", link()),
};
const REPOSITORIES: Operation = Operation { request: get("/users/{owner}/repos"), parameters: &[OWNER], output: pages("", link()), ..OWNERS };
const LABELS: Operation = Operation { request: get("/repos/{owner}/{repository}/labels"), parameters: &[OWNER, REPOSITORY], ..REPOSITORIES };

// What most operations have.
const OWNER: Parameter = reference_to("owner", "Repository Owner", &ask(&OWNERS, "/login", "/login").search("q")
    .id_in_url("https://[^/]+/([-_0-9a-zA-Z]+).*")).required().placeholder("octocat").about("A user or an organisation");
const REPOSITORY: Parameter = reference_to("repository", "Repository Name", &ask(&REPOSITORIES, "/name", "/name").about("/description").search_labels()
    .id_in_url("https://[^/]+/[-_0-9a-zA-Z]+/([-_.0-9a-zA-Z]+).*")).required().about("Without its owner");
const LABEL: Asked = ask(&LABELS, "/name", "/name").about("/description").search_labels();
const PAGE: Parameter = page_size("limit", 50).wire("per_page");
const DATA: Parameter = text("binaryPropertyName", "Put Output File in Field").required().or_text("data").unsent();

const SORTS: &[Choice] = &[worded("created", "Created"), worded("updated", "Updated"), worded("comments", "Comments")];
const DIRECTIONS: &[Choice] = &[worded("asc", "Ascending"), worded("desc", "Descending")];
const STATES: &[Choice] = &[worded("all", "All"), worded("closed", "Closed"), worded("open", "Open")];
const STATE: Parameter = choice("state", "State", STATES);
const DIRECTION: Parameter = choice("direction", "Direction", DIRECTIONS);

const VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");
const AGENT: (&str, &str) = ("user-agent", "github-node/0.1.0");
const JSON: UsualHeaders = &[("accept", "application/vnd.github+json"), VERSION, AGENT];

const API: Parameter = text("server", "GitHub Server").required().or_text("https://api.github.com").about("Another one for GitHub Enterprise");
const ACCESS: &[&str] = &["githubApi", "githubOAuth2Api"];
/// Where assets go.
const UPLOADS: &str = "https://uploads.github.com";

/// The node.
pub static SERVICE: Service = Service {
    name: "github",
    title: "GitHub",
    about: "Files, issues and releases of GitHub repositories",
    documentation: Some("https://docs.github.com/rest"),
    groups: &[
        Group { name: "file", title: "File", about: "Files of a repository" },
        Group { name: "issue", title: "Issue", about: "Issues of a repository, and their labels" },
        Group { name: "organization", title: "Organization", about: "Organisations" },
        Group { name: "release", title: "Release", about: "Releases of a repository, and their assets" },
        Group { name: "repository", title: "Repository", about: "Repositories, and what they have" },
        Group { name: "review", title: "Review", about: "Reviews of pull requests" },
        Group { name: "user", title: "User", about: "Users" },
        Group { name: "workflow", title: "Workflow", about: "Workflows of GitHub Actions" },
    ],
    credentials: &[
        Credential {
            name: "githubApi", title: "GitHub API",
            fields: &[API, secret("accessToken", "Access Token").required()],
            base_url: Some("server"), scheme: fixed(&[("authorization", "Bearer {accessToken}")]), test: Some("/user"), ..Credential::NEW
        },
        Credential {
            name: "githubOAuth2Api", title: "GitHub OAuth2 API",
            fields: &[API, text("clientId", "Client ID").required(), secret("clientSecret", "Client Secret").required()],
            base_url: Some("server"),
            scheme: oauth2(&OAuth2 {
                authorization_url: Some("https://github.com/login/oauth/authorize"),
                token_url: "https://github.com/login/oauth/access_token",
                scopes: &["repo", "admin:org"],
                client_in_body: true,
                client_secret: Some("clientSecret"),
                ..OAuth2::NEW
            }),
            test: Some("/user"), ..Credential::NEW
        },
    ],
    origins: &[
        Origin { url: UPLOADS, access: ACCESS, reason: "Assets of releases are uploaded there" },
        Origin { url: "https://*.githubusercontent.com", access: &[], reason: "GitHub redirects downloads of assets there, to signed URLs" },
    ],
    headers: JSON,
    errors: errors(&["/message"]).request_id_header("x-github-request-id"),
    operations: &[
        &file::CREATE, &file::DELETE, &file::EDIT, &file::GET, &file::LIST,
        &issue::CREATE, &issue::CREATE_COMMENT, &issue::EDIT, &issue::GET, &issue::LOCK, &issue::ADD_LABELS, &issue::REMOVE_LABEL,
        &account::GET_MEMBERS, &account::GET_ORGANIZATION_REPOSITORIES,
        &release::CREATE, &release::DELETE, &release::GET, &release::GET_ALL, &release::UPDATE,
        &release::GET_ASSETS, &release::UPLOAD_ASSET, &release::DOWNLOAD_ASSET, &release::DELETE_ASSET,
        &repository::GET, &repository::GET_ISSUES, &repository::GET_LICENSE, &repository::GET_PROFILE, &repository::GET_PULL_REQUESTS,
        &repository::LIST_POPULAR_PATHS, &repository::LIST_REFERRERS,
        &review::CREATE, &review::GET, &review::GET_ALL, &review::UPDATE,
        &account::GET_USER_REPOSITORIES, &account::GET_USER_ISSUES, &account::INVITE,
        &workflow::DISABLE, &workflow::DISPATCH, &workflow::ENABLE, &workflow::GET, &workflow::GET_USAGE, &workflow::LIST,
    ],
    ..Service::NEW
};

nodule_sdk::export!(SERVICE, choices, files);
