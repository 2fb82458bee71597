//! Releases of a repository, and their assets.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::{AGENT, DATA, OWNER, PAGE, REPOSITORY, UPLOADS, VERSION};
use nodule_sdk::UsualHeaders;
use nodule_sdk::prelude::*;

const ID: Parameter = int_from("release_id", "Release ID", 1, None).required();
const ASSET: Parameter = int_from("assetId", "Asset ID", 1, None).required();
const NAME: Parameter = text("name", "Name");
const BODY: Parameter = multiline("body", "Body").about("What it says, in Markdown");
const DRAFT: Parameter = boolean("draft", "Draft").about("Whether only who may write to the repository sees it");
const PRERELEASE: Parameter = boolean("prerelease", "Prerelease").about("Whether it is no full release");
const OCTETS: UsualHeaders = &[("accept", "application/octet-stream"), VERSION, AGENT];
const TARGET: Parameter = text("target_commitish", "Target Commitish").about("The branch or commit that a new tag is made of");

pub const GET: Operation = Operation {
    group: "release",
    name: "get",
    title: "Get Release",
    about: "Fetch one release",
    action: "Get a release",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/repos/{owner}/{repository}/releases/{release_id}"),
    parameters: &[OWNER, REPOSITORY, ID],
    output: answer(),
};

pub const CREATE: Operation = Operation {
    name: "create",
    title: "Create Release",
    about: "Release what a tag names",
    action: "Create a release",
    effect: Effect::Write,
    evidence: "every POST of a draft makes another one",
    request: post("/repos/{owner}/{repository}/releases"),
    parameters: &[
        OWNER, REPOSITORY,
        text("releaseTag", "Tag").required().wire("tag_name").placeholder("v1.0.0"),
        group("additionalFields", "Additional Fields", &[NAME, BODY, DRAFT, PRERELEASE, TARGET]).spread(),
    ],
    ..GET
};

pub const DELETE: Operation = Operation {
    name: "delete",
    title: "Delete Release",
    about: "Delete a release, and leave its tag",
    action: "Delete a release",
    effect: Effect::Idempotent,
    evidence: "a release that is gone stays gone; the second time is answered with 404",
    request: delete("/repos/{owner}/{repository}/releases/{release_id}"),
    ..GET
};

pub const GET_ALL: Operation = Operation {
    name: "getAll",
    title: "Get Many Releases",
    about: "List the releases of a repository",
    action: "Get many releases",
    request: get("/repos/{owner}/{repository}/releases"),
    parameters: &[OWNER, REPOSITORY, RETURN_ALL, PAGE],
    output: pages("", link()),
    ..GET
};

pub const UPDATE: Operation = Operation {
    name: "update",
    title: "Update Release",
    about: "Change what is set, and nothing else, of a release",
    action: "Update a release",
    evidence: "PATCH sets values",
    request: patch("/repos/{owner}/{repository}/releases/{release_id}").update(),
    parameters: &[
        OWNER, REPOSITORY, ID,
        group("additionalFields", "Additional Fields", &[BODY, DRAFT, NAME, PRERELEASE, text("tag_name", "Tag Name"), TARGET]).spread(),
    ],
    ..DELETE
};

pub const GET_ASSETS: Operation = Operation {
    name: "getAssets",
    title: "Get Many Assets",
    about: "List the assets of a release",
    action: "Get many assets of a release",
    request: get("/repos/{owner}/{repository}/releases/{release_id}/assets"),
    parameters: &[OWNER, REPOSITORY, ID, RETURN_ALL, PAGE],
    ..GET_ALL
};

pub const UPLOAD_ASSET: Operation = Operation {
    name: "uploadAsset",
    title: "Upload Asset",
    about: "Add a file to a release",
    action: "Upload an asset of a release",
    evidence: "a release has a name once; the second time is answered with 422",
    request: post("/repos/{owner}/{repository}/releases/{release_id}/assets").file().to(UPLOADS),
    parameters: &[
        OWNER, REPOSITORY, ID,
        file("binaryPropertyName", "Input Binary Field").required().or_text("data"),
        NAME.required().query().placeholder("app-linux-x64.tar.gz"),
        text("label", "Label").query().about("What is shown in the place of the name"),
    ],
    ..DELETE
};

pub const DOWNLOAD_ASSET: Operation = Operation {
    name: "downloadAsset",
    title: "Download Asset",
    about: "Download a file of a release",
    action: "Download an asset of a release",
    request: get("/repos/{owner}/{repository}/releases/assets/{assetId}").headers(OCTETS).undeclared(),
    parameters: &[OWNER, REPOSITORY, ASSET, DATA],
    output: download("binaryPropertyName").followed(),
    ..GET
};

pub const DELETE_ASSET: Operation = Operation {
    name: "deleteAsset",
    title: "Delete Asset",
    about: "Delete a file of a release",
    action: "Delete an asset of a release",
    evidence: "an asset that is gone stays gone; the second time is answered with 404",
    request: delete("/repos/{owner}/{repository}/releases/assets/{assetId}"),
    parameters: &[OWNER, REPOSITORY, ASSET],
    ..DELETE
};
