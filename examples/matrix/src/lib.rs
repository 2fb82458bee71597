//! Rooms of a Matrix homeserver: their messages, members and media.
#![cfg_attr(rustfmt, rustfmt_skip)]

use std::borrow::Cow;

use nodule_sdk::json::{self, Members, push_quoted};
use nodule_sdk::prelude::*;
use nodule_sdk::{Access, Answer, Client, Failure, Field, Item, Method, OutputItem, Problem, Request, Secrets, Session, login, output, path, run};

// What the form looks up: rooms by bare IDs, the name of each by a request of its own.
const ROOMS: Operation = Operation {
    group: "room", name: "joined", title: "List Rooms", about: "List the rooms that the user is in", action: "List rooms",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/_matrix/client/v3/joined_rooms"),
    parameters: &[],
    output: pages("/joined_rooms", one_page()),
};
const ROOM_NAME: Operation = Operation {
    request: get("/_matrix/client/v3/rooms/{roomId}/state/m.room.name"),
    parameters: &[text("roomId", "Room ID").required()],
    output: answer(), ..ROOMS
};
const MEMBERS: Operation = Operation {
    request: get("/_matrix/client/v3/rooms/{roomId}/members"),
    parameters: &[ROOM_ID, text("membership", "Membership").or_text("join")],
    output: pages("/chunk", one_page()), ..ROOMS
};

const ROOM_ID: Parameter = reference_to("roomId", "Room Name or ID",
    &ask(&ROOMS, "", "").look_up(&ROOM_NAME, "/name").search_labels().id_in_url("https://matrix\\.to/#/(![^?/]+).*")).required().placeholder("!123abc:matrix.org");
const MEMBER: Parameter = reference_to("userId", "User ID",
    &ask(&MEMBERS, "/state_key", "/content/displayname").search_labels().id_in_url("https://matrix\\.to/#/(@[^?/]+).*")).required().placeholder("@cheeky_monkey:matrix.org");
const MEMBERSHIPS: &[Choice] = &[worded("ban", "Ban"), worded("invite", "Invite"), worded("join", "Join"), worded("leave", "Leave")];

const ME: Operation = Operation {
    group: "account", name: "me", title: "Me", about: "Get current user's account information", action: "Get the current user's account information",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/_matrix/client/v3/account/whoami"),
    parameters: &[],
    output: answer(),
};

const GET_EVENT: Operation = Operation {
    group: "event", name: "get", title: "Get", about: "Get single event by ID", action: "Get an event by ID",
    request: get("/_matrix/client/v3/rooms/{roomId}/event/{eventId}"),
    parameters: &[ROOM_ID, text("eventId", "Event ID").required().placeholder("$1234abcd:matrix.org")], ..ME
};

const DOWNLOAD: Operation = Operation {
    group: "media", name: "download", title: "Download", about: "Download a file that was sent to a room", action: "Download media",
    request: get("/_matrix/client/v1/media/download").undeclared(),
    parameters: &[
        text("contentUri", "Content URI").required().placeholder("mxc://matrix.org/abc").about("What a message has at `content.url`"),
        text("binaryPropertyName", "Put Output File in Field").required().or_text("data"),
    ],
    output: by(run!(download_media)).giving_files(), ..ME
};

const UPLOAD: Operation = Operation {
    name: "upload", title: "Upload", about: "Send media to a chat room", action: "Upload media to a chatroom",
    effect: Effect::Write, evidence: "every request uploads and sends another one",
    request: post("/_matrix/media/v3/upload").undeclared().writes(2),
    parameters: &[
        ROOM_ID,
        file("binaryPropertyName", "Input Binary Field").required().or_text("data").unsent(),
        choice("mediaType", "Media Type", &[worded("file", "File"), worded("image", "Image"), worded("audio", "Audio"), worded("video", "Video")])
            .required().or_text("image"),
        group("additionalFields", "Additional Fields", &[text("fileName", "File Name").about("Name of the file being uploaded")]).unsent(),
    ],
    output: by(run!(upload)), ..DOWNLOAD
};

const TEXT: Parameter = multiline("text", "Text").placeholder("Hello!").about("The text to send");
const TYPE: Parameter = choice("messageType", "Message Type", &[worded("m.emote", "Emote"), worded("m.notice", "Notice"), worded("m.text", "Text")]).or_text("m.text");
const FORMAT: Parameter = choice("messageFormat", "Message Format", &[worded("plain", "Plain Text"), worded(HTML, "HTML")]).or_text("plain");
const FALLBACK: Parameter = multiline("fallbackText", "Fallback Text").when(&[is("messageFormat", &[Scalar::Text(HTML)])])
    .about("What clients show that cannot render HTML");
const HTML: &str = "org.matrix.custom.html";

const CREATE: Operation = Operation {
    group: "message", name: "create", title: "Create", about: "Send a message to a room", action: "Create a message",
    effect: Effect::Write, evidence: "every request has a transaction ID of its own",
    request: put("/_matrix/client/v3/rooms/{roomId}/send/m.room.message").undeclared(),
    parameters: &[ROOM_ID, TEXT, TYPE, FORMAT, FALLBACK],
    output: by(run!(create)),
};

const CREATE_ONCE: Operation = Operation {
    name: "createOnce", title: "Create Once", about: "Send a message to a room, once for its transaction ID", action: "Create a message once",
    effect: Effect::Keyed("transactionId"),
    evidence: "spec.matrix.org/v1.11/client-server-api: a homeserver answers a transaction ID that it has seen from the device with the first event",
    request: put("/_matrix/client/v3/rooms/{roomId}/send/m.room.message/{transactionId}"),
    parameters: &[ROOM_ID, text("transactionId", "Transaction ID").required().about("Different for every message"), TEXT, TYPE, FORMAT, FALLBACK], ..CREATE
};

const GET_MESSAGES: Operation = Operation {
    name: "getAll", title: "Get Many", about: "Get many messages from a room", action: "Get many messages",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/_matrix/client/v3/rooms/{roomId}/messages"),
    parameters: &[
        ROOM_ID, RETURN_ALL, page_size_up_to("limit", 100, 500).about("Max number of results to return"),
        choice("dir", "Direction", &[worded("b", "Newest First"), worded("f", "Oldest First")]).or_text("b"),
        group("otherOptions", "Other Options", &[
            text("filter", "Filter").placeholder(r#"{"types":["m.room.message"]}"#).about("A JSON RoomEventFilter to filter returned events with"),
        ]).spread(),
    ],
    output: pages("/chunk", cursor("from", "/end")), ..CREATE
};

const CREATE_ROOM: Operation = Operation {
    group: "room", name: "create", title: "Create", about: "New chat room with defined settings", action: "Create a room",
    effect: Effect::Write, evidence: "every request makes another room",
    request: post("/_matrix/client/v3/createRoom"),
    parameters: &[
        text("roomName", "Room Name").required().wire("name"),
        choice("preset", "Preset", &[worded("private_chat", "Private Chat"), worded("public_chat", "Public Chat")]).required().or_text("public_chat"),
        text("roomAlias", "Room Alias").wire("room_alias_name").placeholder("coolest-room-around"),
    ], ..ME
};

const INVITE: Operation = Operation {
    name: "invite", title: "Invite", about: "Invite a user to a room", action: "Invite a user to a room",
    effect: Effect::Idempotent, evidence: "a user who is invited stays invited; one who has joined since is answered with 403",
    request: post("/_matrix/client/v3/rooms/{roomId}/invite"),
    parameters: &[ROOM_ID, text("userId", "User ID").required().wire("user_id").placeholder("@cheeky_monkey:matrix.org")], ..CREATE_ROOM
};

const JOIN: Operation = Operation {
    name: "join", title: "Join", about: "Join a new room", action: "Join a room",
    evidence: "a user who is in the room stays in it",
    request: post("/_matrix/client/v3/join/{roomIdOrAlias}"),
    parameters: &[text("roomIdOrAlias", "Room ID or Alias").required().placeholder("#room:matrix.org")], ..INVITE
};

const KICK: Operation = Operation {
    name: "kick", title: "Kick", about: "Kick a user from a room", action: "Kick a user from a room",
    evidence: "a user who is gone stays gone; the second time is answered with 403",
    request: post("/_matrix/client/v3/rooms/{roomId}/kick"),
    parameters: &[ROOM_ID, MEMBER.wire("user_id"), text("reason", "Reason").placeholder("Telling unfunny jokes")], ..INVITE
};

const LEAVE: Operation = Operation {
    name: "leave", title: "Leave", about: "Leave a room", action: "Leave a room",
    evidence: "a user who has left stays away",
    request: post("/_matrix/client/v3/rooms/{roomId}/leave"),
    parameters: &[ROOM_ID], ..INVITE
};

const GET_MEMBERS: Operation = Operation {
    group: "roomMember", name: "getAll", title: "Get Many", about: "Get many members", action: "Get many room members",
    request: get("/_matrix/client/v3/rooms/{roomId}/members"),
    parameters: &[
        ROOM_ID,
        group("filters", "Filters", &[
            choice("notMembership", "Exclude Membership", MEMBERSHIPS).wire("not_membership"),
            choice("membership", "Membership", MEMBERSHIPS),
        ]).spread().about("A member that either lets through is listed"),
    ],
    output: rows_at("/chunk"), ..ME
};

const HOMESERVER: Parameter = text("homeserverUrl", "Homeserver URL").required().or_text("https://matrix-client.matrix.org");

/// The node.
pub static SERVICE: Service = Service {
    name: "matrixRooms", title: "Matrix", about: "Rooms, messages, members and media of a Matrix homeserver",
    documentation: Some("https://spec.matrix.org/latest/client-server-api/"), aliases: &["Element", "Synapse", "chat"],
    // What n8n's node takes for granted stands first: a stored workflow does not say it.
    groups: &[
        Group { name: "message", title: "Message", about: "Messages in rooms" },
        Group { name: "account", title: "Account", about: "Who is logged in" },
        Group { name: "event", title: "Event", about: "Events of rooms" },
        Group { name: "media", title: "Media", about: "Files in rooms" },
        Group { name: "room", title: "Room", about: "Rooms, and who is in them" },
        Group { name: "roomMember", title: "Room Member", about: "Members of rooms" },
    ],
    credentials: &[
        Credential {
            name: "matrixApi", title: "Matrix API", base_url: Some("homeserverUrl"),
            fields: &[secret("accessToken", "Access Token").required(), HOMESERVER],
            scheme: fixed(&[("authorization", "Bearer {accessToken}")]), test: Some("/_matrix/client/v3/account/whoami"), ..Credential::NEW
        },
        Credential {
            name: "matrixPasswordApi", title: "Matrix Password API", base_url: Some("homeserverUrl"),
            fields: &[
                HOMESERVER,
                text("user", "User").required().placeholder("@cheeky_monkey:matrix.org").about("A user ID, or its part before the colon"),
                secret("password", "Password").required(),
                text("deviceId", "Device ID").required().or_text("NODULE").about("A homeserver tells transaction IDs apart by it, so that every log-in has the same"),
            ],
            scheme: session(login!(log_in)), ..Credential::NEW
        },
    ],
    headers: &[("user-agent", "matrix-node/0.1.0")],
    errors: errors(&["/error"]).code(&["/errcode"]).wait_ms(&["/retry_after_ms"]),
    operations: &[
        &CREATE, &CREATE_ONCE, &GET_MESSAGES, &ME, &GET_EVENT, &UPLOAD, &DOWNLOAD,
        &CREATE_ROOM, &INVITE, &JOIN, &KICK, &LEAVE, &GET_MEMBERS,
    ], ..Service::NEW
};
nodule_sdk::export!(SERVICE, authentication, choices, files);

/// Sends a message by the caller's transaction ID, or by a new one.
async fn create(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let mut message = Members::new();
    push_quoted(message.push("msgtype"), item.text("messageType"));
    if item.text("messageFormat") == HTML {
        push_quoted(message.push("body"), item.text("fallbackText"));
        push_quoted(message.push("format"), HTML);
        push_quoted(message.push("formatted_body"), item.text("text"));
    } else {
        push_quoted(message.push("body"), item.text("text"));
    }
    Ok(vec![output(send(item, message).await?)])
}

async fn send(item: &Item<'_>, message: Members) -> Result<String, Failure> {
    let new = format!("{:032x}", item.client.random());
    let transaction = Some(item.text("transactionId")).filter(|id| !id.is_empty()).unwrap_or(&new);
    let path = path("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", &[item.text("roomId"), transaction]);
    item.client.document(Request::new(Method::Put, path).json(message.finish())).await
}

/// Uploads a file, and sends a message that shows it.
async fn upload(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    // An item without the file was refused before.
    let Some(file) = item.file("binaryPropertyName") else { return Ok(Vec::new()) };
    let named = item.value("additionalFields").and_then(|fields| json::string(json::at(fields.plain(), "/fileName")?));
    let name = named.as_deref().unwrap_or(file.name());
    let request = Request::new(Method::Post, path("/_matrix/media/v3/upload?filename={}", &[name]))
        .header("content-type", file.media_type().to_owned()).parts(vec![file.whole()]);
    let uploaded = item.client.document(request).await?;
    let mut message = Members::new();
    push_quoted(message.push("msgtype"), &format!("m.{}", item.text("mediaType")));
    push_quoted(message.push("body"), name);
    message.push("url").push_str(json::at(&uploaded, "/content_uri").unwrap_or("null"));
    Ok(vec![output(send(item, message).await?)])
}

async fn download_media(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let (server, media) = item.text("contentUri").strip_prefix("mxc://").and_then(|uri| uri.split_once('/')).ok_or_else(|| {
        let message = "expected `mxc://`, a server's name, a slash and an ID".to_owned();
        Failure::InvalidParameters(vec![Problem { pointer: "/contentUri".to_owned(), label: "Content URI".to_owned(), message }])
    })?;
    let request = Request::new(Method::Get, path("/_matrix/client/v1/media/download/{}/{}", &[server, media]));
    item.download(request, item.text("binaryPropertyName")).await
}

/// Makes a session of a password, or renews one by its refresh token where the homeserver gave one and still takes it.
async fn log_in(client: &Client<'_>, secrets: Secrets<'_>) -> Result<Session, Failure> {
    let mut body = Members::new();
    if let Some(token) = secrets.renew.as_ref().and_then(|session| session.renewal.as_deref()) {
        push_quoted(body.push("refresh_token"), token);
        let refreshed = client.document(Request::new(Method::Post, "/_matrix/client/v3/refresh").json(body.finish())).await;
        if let Some(session) = refreshed.ok().as_deref().and_then(session_of) {
            return Ok(session);
        }
    }
    let mut user = Members::new();
    push_quoted(user.push("type"), "m.id.user");
    push_quoted(user.push("user"), secrets.text("user"));
    let mut body = Members::new();
    push_quoted(body.push("type"), "m.login.password");
    body.push("identifier").push_str(&user.finish());
    push_quoted(body.push("password"), secrets.text("password"));
    push_quoted(body.push("device_id"), secrets.text("deviceId"));
    push_quoted(body.push("initial_device_display_name"), "Nodule");
    body.push("refresh_token").push_str("true");
    let answer = client.document(Request::new(Method::Post, "/_matrix/client/v3/login").json(body.finish())).await;
    let answer = answer.map_err(|failure| match failure {
        // A wrong password is no lack of a permission.
        Failure::Rejected(answer) if answer.code.as_deref() == Some("M_FORBIDDEN") => Failure::Unauthenticated(answer),
        failure => failure,
    })?;
    session_of(&answer).ok_or_else(|| {
        Failure::Unintelligible(Answer { status: 200, code: None, message: "expected an access token, found none".to_owned(), request_id: None })
    })
}

fn session_of(answer: &str) -> Option<Session> {
    let text = |pointer| json::string(json::at(answer, pointer)?);
    let token = ["Bearer ", &text("/access_token")?].concat();
    // A fifth before its end.
    let lifetime_ms = json::at(answer, "/expires_in_ms").and_then(|ms| ms.parse::<u32>().ok());
    Some(Session {
        access: Access { headers: vec![Field { name: "authorization".to_owned(), value: token }], query: Vec::new() },
        expires_in_s: lifetime_ms.map(|ms| ms / 1_250),
        renewal: text("/refresh_token").map(Cow::into_owned),
    })
}
