//! An honest node of the SDK with files. It moves them by turns and by streams, and does the same in both ways.

use nodule_sdk::file::{Content, Given};
use nodule_sdk::prelude::*;
use nodule_sdk::{Failure, Item, Method, OutputItem, Request, output};

const UPLOAD: Operation = Operation {
    group: "photo",
    name: "upload",
    title: "Upload",
    about: "Upload a photo",
    action: "Upload a photo",
    effect: Effect::Write,
    evidence: "every POST makes another one",
    request: post("/photos").multipart(),
    parameters: &[
        text("caption", "Caption"),
        file("photo", "Photo").required().wire("image"),
        file("more", "More"),
    ],
    output: answer(),
};
const PUT: Operation = Operation {
    name: "put",
    title: "Put",
    effect: Effect::Idempotent,
    request: put("/photos/{name}").file(),
    parameters: &[text("name", "Name").required(), file("photo", "Photo").required()],
    ..UPLOAD
};
const DOWNLOAD: Operation = Operation {
    name: "download",
    title: "Download",
    effect: Effect::Read,
    request: get("/photos/{name}"),
    parameters: &[text("name", "Name").required(), text("key", "Key").unsent()],
    output: download("key"),
    ..UPLOAD
};
const LOOK: Operation = Operation {
    name: "look",
    title: "Look",
    request: put("/photos/{name}").undeclared().writes(9),
    parameters: &[
        text("name", "Name").required(),
        file("photo", "Photo").required().unsent(),
        text("pieces", "Pieces").or_text("1").unsent(),
        text("twice", "Twice").unsent(),
    ],
    output: by(nodule_sdk::run!(look)).giving_files(),
    ..PUT
};

const BOTH: Operation = Operation {
    name: "both",
    title: "Both",
    request: get("/photos/{name}"),
    parameters: &[
        text("name", "Name").required(),
        text("other", "Other").required().unsent(),
        text("twice", "Twice").unsent(),
    ],
    output: by(nodule_sdk::run!(both)).giving_files(),
    ..DOWNLOAD
};

/// Two answers as files; or one of them twice, which is no file.
async fn both(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let photo = |name: &str| Request::new(Method::Get, format!("/photos/{name}")).keep();
    let first = item.client.success(photo(item.text("name"))).await?;
    let second = item.client.success(photo(item.text("other"))).await?;
    item.give_kept(0, "first", &first, None);
    let is_twice = item.text("twice") == "true";
    item.give_kept(0, "second", if is_twice { &first } else { &second }, None);
    Ok(vec![output("{}".to_owned())])
}

/// Looks into a file, sends it in pieces, and gives what it saw as a file.
async fn look(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let Some(file) = item.file("photo") else {
        return Ok(vec![]);
    };
    let seen = item.read(&file, 0, 5).await?;
    let further = item.read(&file, 3, 5).await?;
    let pieces = item.text("pieces").parse().unwrap_or(1_u64);
    let size = file.about.size.unwrap_or_default() / pieces;
    let mut answers = Vec::new();
    let again = u64::from(item.text("twice") == "true");
    for piece in (0..pieces).chain(0..again) {
        let part = if piece + 1 == pieces {
            nodule_sdk::file::Part::File(nodule_sdk::file::Slice {
                file: file.index,
                offset: piece * size,
                length: None,
            })
        } else {
            file.piece(piece * size, size)
        };
        let mut request = Request::new(Method::Put, format!("/photos/{}-{piece}", item.text("name")));
        request.parts = Some(vec![part]);
        let answer = item.client.success(request).await?;
        answers.push(String::from_utf8_lossy(&answer.body).into_owned());
    }
    item.give(
        0,
        Given {
            key: "seen".to_owned(),
            file_name: Some("seen.txt".to_owned()),
            media_type: Some("text/plain".to_owned()),
            content: Content::Bytes([seen, further].concat()),
        },
    );
    Ok(vec![output(format!("[{}]", answers.join(",")))])
}

static SERVICE: Service = Service {
    name: "photos",
    title: "Photos",
    about: "Photos",
    groups: &[Group {
        name: "photo",
        title: "Photo",
        about: "Photos",
    }],
    credentials: &[Credential {
        name: "photosApi",
        title: "Photos API",
        fields: &[
            text("baseUrl", "Base URL").required(),
            secret("secret", "Secret"),
            text("mode", "Mode"),
        ],
        scheme: fixed(&[("authorization", "Bearer {secret}")]),
        ..Credential::NEW
    }],
    operations: &[&UPLOAD, &PUT, &DOWNLOAD, &BOTH, &LOOK],
    ..Service::NEW
};

nodule_sdk::export!(SERVICE, files);
