//! Files of a repository. A change is a commit, and names the digest of what it replaces: the functions ask for that first.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::{AGENT, DATA, OWNER, REPOSITORY, VERSION};
use nodule_sdk::file::Given;
use nodule_sdk::prelude::*;
use nodule_sdk::sign::base64;
use nodule_sdk::{Failure, Item, Method, OutputItem, Problem, Request, json, output};

const CONTENTS: &str = "/repos/{owner}/{repository}/contents/{filePath}";
const PATH: Parameter = text("filePath", "File Path").placeholder("docs/README.md").about("From the root of the repository");
const IS_BINARY: Parameter = boolean("binaryData", "Binary File").or_bool(false).unsent().about("Whether to take a file of the item");
const CONTENT: Parameter = multiline("fileContent", "File Content").required().unsent().when(&[is("binaryData", &[Scalar::Bool(false)])]);
const UPLOAD: Parameter =
    file("binaryPropertyName", "Input Binary Field").required().or_text("data").unsent().when(&[is("binaryData", &[Scalar::Bool(true)])]);
const MESSAGE: Parameter = text("commitMessage", "Commit Message").required().wire("message").body();
const WHO: &[Parameter] = &[text("name", "Name").required(), text("email", "Email").required()];
const MORE: Parameter = group("additionalParameters", "Additional Parameters", &[
    group("author", "Author", WHO), group("branch", "Branch", &[text("branch", "Branch").required()]), group("committer", "Committer", WHO),
]).unsent();
const IS_FILE: Parameter = boolean("asBinaryProperty", "As Binary Property").or_bool(true).unsent()
    .about("Whether to give the file, and not what GitHub says of it");
const REFERENCE: Parameter = group("additionalParameters", "Additional Parameters", &[
    text("reference", "Reference").wire("ref").about("A commit, branch or tag; the repository's default branch where empty"),
]).spread();

pub const CREATE: Operation = Operation {
    group: "file",
    name: "create",
    title: "Create File",
    about: "Commit a new file",
    action: "Create a file",
    effect: Effect::Idempotent,
    evidence: "a file that is there is not replaced; the second time is answered with 422",
    request: put(CONTENTS),
    parameters: &[OWNER, REPOSITORY, PATH.required(), IS_BINARY, CONTENT, UPLOAD, MESSAGE, MORE],
    output: by(nodule_sdk::run!(create)),
};

pub const DELETE: Operation = Operation {
    name: "delete",
    title: "Delete File",
    about: "Commit that a file is gone",
    action: "Delete a file",
    evidence: "a file that is gone stays gone; the second time is answered with 404",
    request: delete(CONTENTS).undeclared(),
    parameters: &[OWNER, REPOSITORY, PATH.required(), MESSAGE, MORE],
    output: by(nodule_sdk::run!(delete_file)),
    ..CREATE
};

pub const EDIT: Operation = Operation {
    name: "edit",
    title: "Edit File",
    about: "Commit another content of a file",
    action: "Edit a file",
    effect: Effect::Write,
    evidence: "every PUT makes another commit",
    request: put(CONTENTS).undeclared(),
    output: by(nodule_sdk::run!(edit)),
    ..CREATE
};

pub const GET: Operation = Operation {
    name: "get",
    title: "Get File",
    about: "Fetch a file, or what GitHub says of it",
    action: "Get a file",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get(CONTENTS),
    parameters: &[OWNER, REPOSITORY, PATH.required(), IS_FILE, DATA.when(&[is("asBinaryProperty", &[Scalar::Bool(true)])]), REFERENCE],
    output: by(nodule_sdk::run!(get_file)).giving_files(),
    ..CREATE
};

pub const LIST: Operation = Operation {
    name: "list",
    title: "List Files",
    about: "List the files of a folder",
    action: "List files",
    request: get("/repos/{owner}/{repository}/contents").undeclared(),
    parameters: &[OWNER, REPOSITORY, PATH.unsent().about("The folder; the repository's root where empty")],
    output: by(nodule_sdk::run!(list)),
    ..GET
};

async fn create(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    commit(item, with_content(item, item.request()).await?).await
}

async fn edit(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    commit(item, with_content(item, with_digest(item, item.request()).await?).await?).await
}

async fn delete_file(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    commit(item, with_digest(item, item.request()).await?).await
}

/// With who commits, and to which branch.
async fn commit(item: &Item<'_>, mut request: Request) -> Result<Vec<OutputItem>, Failure> {
    for (name, pointer) in [("author", "/author"), ("branch", BRANCH), ("committer", "/committer")] {
        if let Some(value) = more(item, pointer) {
            request = request.member(name, value);
        }
    }
    Ok(vec![output(item.client.document(request).await?)])
}

const BRANCH: &str = "/branch/branch";

fn more<'a>(item: &'a Item<'_>, pointer: &str) -> Option<&'a str> {
    json::at(item.value("additionalParameters")?.plain(), pointer)
}

async fn with_content(item: &Item<'_>, request: Request) -> Result<Request, Failure> {
    let bytes = match item.file("binaryPropertyName") {
        Some(file) => item.read_all(&file).await?,
        None => item.text("fileContent").into(),
    };
    Ok(request.member("content", &json::quote(&base64(&bytes))))
}

async fn with_digest(item: &Item<'_>, request: Request) -> Result<Request, Failure> {
    let mut asked = Request::new(Method::Get, request.target.as_str());
    if let Some(branch) = more(item, BRANCH).and_then(json::string) {
        asked = asked.query("ref", &branch);
    }
    let found = item.client.document(asked).await?;
    match json::at(&found, "/sha") {
        Some(digest) => Ok(request.member("sha", digest)),
        None => Err(Failure::InvalidParameters(vec![Problem {
            pointer: "/filePath".to_owned(), label: PATH.label.to_owned(), message: "expected a file, found a folder".to_owned(),
        }])),
    }
}

async fn get_file(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    if !item.value("asBinaryProperty").is_some_and(|value| value.is(Scalar::Bool(true))) {
        return entries(item, item.request()).await;
    }
    let raw = item.request().usual(&[("accept", "application/vnd.github.raw+json"), VERSION, AGENT]);
    let response = item.client.success(raw.keep()).await?;
    let path = item.text("filePath");
    if let Some(kept) = response.kept {
        // GitHub says of each that it is raw, and not of which type.
        let (key, file_name) = (item.text("binaryPropertyName").to_owned(), Some(path.to_owned()));
        item.give(0, Given { key, file_name, media_type: None, content: kept.content() });
    }
    Ok(vec![output(["{\"fileName\":", &json::quote(path), "}"].concat())])
}

async fn list(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    entries(item, item.request().segment(item.text("filePath").trim_end_matches('/'))).await
}

/// Each entry of a folder, or the file.
async fn entries(item: &Item<'_>, request: Request) -> Result<Vec<OutputItem>, Failure> {
    let found = item.client.document(request).await?;
    let entries = json::elements(&found).unwrap_or_else(|| vec![&found]);
    Ok(entries.into_iter().map(|entry| output(entry.to_owned())).collect())
}
