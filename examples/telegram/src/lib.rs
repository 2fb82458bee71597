//! Messages of a Telegram bot, and its files.
#![cfg_attr(rustfmt, rustfmt_skip)]

use nodule_sdk::prelude::*;
use nodule_sdk::sign::with_segment;
use nodule_sdk::{Draft, Failure, Item, Method, OutputItem, Request, Secrets, SignedRequest, json, output};

const CHAT_ID: Parameter = text("chatId", "Chat ID").required().wire("chat_id").placeholder("@channel")
    .about("The number of a chat, or the name of a public channel with its @");
const PARSE_MODES: &[Choice] = &[worded("Markdown", "Markdown (Legacy)"), worded("MarkdownV2", "MarkdownV2"), worded("HTML", "HTML")];
const PARSE_MODE: Parameter = choice("parseMode", "Parse Mode", PARSE_MODES).wire("parse_mode");
const SILENT: Parameter = boolean("disableNotification", "Disable Notification").wire("disable_notification").about("Whether to send it without a sound");
const REPLY_TO: Parameter = int_from("replyToMessageId", "Reply To Message ID", 1, None).wire("reply_to_message_id");
const TOPIC: Parameter = int_from("messageThreadId", "Message Thread ID", 1, None).wire("message_thread_id").about("The topic of a forum");
const IS_BINARY: Parameter = boolean("binaryData", "Binary File").or_bool(false).unsent().about("Whether to upload a file of the item");
const UPLOAD: Parameter = file("binaryPropertyName", "Input Binary Field").required().or_text("data").when(&[is("binaryData", &[Scalar::Bool(true)])]);
const KNOWN: Parameter = text("file", "File").required().when(&[is("binaryData", &[Scalar::Bool(false)])])
    .about("The ID of a file that Telegram has, or a URL that it fetches");
const CAPTION: Parameter = text("caption", "Caption");

/// Telegram wraps what it answers.
const RESULT: Output = answer_at("/result");

const GET_CHAT: Operation = Operation {
    group: "chat", name: "get", title: "Get Chat", about: "Fetch what is known of a chat", action: "Get a chat",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/getChat"),
    parameters: &[CHAT_ID],
    output: RESULT,
};

const GET_FILE: Operation = Operation {
    group: "file", name: "get", title: "Get File", about: "Download a file", action: "Get a file",
    request: get("/getFile"),
    parameters: &[text("fileId", "File ID").required().wire("file_id")],
    output: by(nodule_sdk::run!(download_file)).giving_files(), ..GET_CHAT
};

const DELETE_MESSAGE: Operation = Operation {
    group: "message", name: "deleteMessage", title: "Delete Message", about: "Delete a message of a chat", action: "Delete a message",
    effect: Effect::Idempotent, evidence: "a message that is gone stays gone; the second time is answered with 400",
    request: post("/deleteMessage"),
    parameters: &[CHAT_ID, int_from("messageId", "Message ID", 1, None).required().wire("message_id")],
    ..GET_CHAT
};

const SEND_DOCUMENT: Operation = Operation {
    name: "sendDocument", title: "Send Document", about: "Send a file of any type", action: "Send a document",
    effect: Effect::Write, evidence: "every request sends another message",
    request: post("/sendDocument").multipart(),
    parameters: &[CHAT_ID, IS_BINARY, UPLOAD.wire("document"), KNOWN.wire("document"), CAPTION, PARSE_MODE, SILENT, REPLY_TO, TOPIC],
    ..DELETE_MESSAGE
};

const SEND_MESSAGE: Operation = Operation {
    name: "sendMessage", title: "Send Message", about: "Send a text", action: "Send a text message",
    request: post("/sendMessage"),
    parameters: &[
        CHAT_ID, multiline("text", "Text").required(), PARSE_MODE, SILENT, REPLY_TO, TOPIC,
        boolean("disableWebPagePreview", "Disable WebPage Preview").wire("disable_web_page_preview").about("Whether to leave out the preview of links"),
    ],
    ..SEND_DOCUMENT
};

const SEND_PHOTO: Operation = Operation {
    name: "sendPhoto", title: "Send Photo", about: "Send a photo", action: "Send a photo message",
    request: post("/sendPhoto").multipart(),
    parameters: &[CHAT_ID, IS_BINARY, UPLOAD.wire("photo"), KNOWN.wire("photo"), CAPTION, PARSE_MODE, SILENT, REPLY_TO, TOPIC],
    ..SEND_DOCUMENT
};

/// The node.
pub static SERVICE: Service = Service {
    name: "telegramBot", title: "Telegram Bot", about: "Messages and files of a Telegram bot",
    documentation: Some("https://core.telegram.org/bots/api"),
    groups: &[
        Group { name: "chat", title: "Chat", about: "Chats that the bot is in" },
        Group { name: "file", title: "File", about: "Files that the bot was sent" },
        Group { name: "message", title: "Message", about: "Messages of the bot" },
    ],
    credentials: &[Credential {
        name: "telegramBotApi", title: "Telegram API",
        fields: &[
            text("baseUrl", "Base URL").required().or_text("https://api.telegram.org"),
            secret("accessToken", "Access Token").required().about("What @BotFather said when it made the bot"),
        ],
        scheme: signed(BodyNeed::Size, |secrets, draft| sign(&secrets, draft)), test: Some("/getMe"), ..Credential::NEW
    }],
    headers: &[("accept", "application/json"), ("user-agent", "telegram-node/0.1.0")],
    errors: errors(&["/description"]).code(&["/error_code"]),
    operations: &[&GET_CHAT, &GET_FILE, &DELETE_MESSAGE, &SEND_DOCUMENT, &SEND_MESSAGE, &SEND_PHOTO], ..Service::NEW
};
nodule_sdk::export!(SERVICE, files, signing);

/// What the node asks for a file by: `sign` makes its address of it. Both requests of an item have the path of its operation.
const DOWNLOAD: &str = "/getFile?file_path=";

/// The token stands in the path: `/bot<token>/sendMessage`, and `/file/bot<token>/photos/file_0.jpg`.
fn sign(secrets: &Secrets, draft: Draft) -> Result<SignedRequest, Failure> {
    let bot = ["bot", secrets.text("accessToken")].concat();
    let url = match draft.url.split_once(DOWNLOAD) {
        Some((base, path)) => with_segment(&format!("{base}/file/{path}"), &format!("{base}/file"), &bot),
        None => with_segment(&draft.url, secrets.text("baseUrl"), &bot),
    };
    let url = url.map_err(|error| Failure::InvalidInput(error.to_string()))?;
    Ok(SignedRequest { url, headers: draft.headers, body: None })
}

async fn download_file(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let answer = item.document().await?;
    let file = json::at(&answer, "/result").unwrap_or(&answer);
    let path = json::at(file, "/file_path").and_then(json::string);
    let path = path.ok_or_else(|| Failure::InvalidInput("Telegram does not say where the file is".to_owned()))?;
    let content = item.client.success(Request::new(Method::Get, [DOWNLOAD, &path].concat()).keep()).await?;
    item.give_kept(0, "data", &content, path.rsplit('/').next().map(str::to_owned));
    Ok(vec![output(file.to_owned())])
}
