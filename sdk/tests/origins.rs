//! Requests that go elsewhere than below the base URL, or with headers of their own.

#![cfg(feature = "origins")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::http::{Broken, Method};
use nodule_sdk::prelude::*;
use nodule_sdk::script::Reply;
use nodule_sdk::{Access, Failure, Field, Item, OutputItem, Request, output};

const UPLOADS: &str = "https://uploads.example.com";

const ELSEWHERE: Operation = Operation {
    group: "thing",
    name: "elsewhere",
    title: "Write Thing",
    about: "Write a thing",
    action: "Write a thing",
    effect: Effect::Write,
    evidence: "every POST writes another one",
    request: post("/things/{id}")
        .to(UPLOADS)
        .headers(&[("accept", "text/plain")]),
    parameters: &[text("id", "ID").required(), text("name", "Name").query()],
    output: answer(),
};

const CHANGED: Operation = Operation {
    name: "changed",
    request: put("/files/{path}"),
    effect: Effect::Idempotent,
    parameters: &[text("path", "Path").required(), text("note", "Note")],
    output: by(nodule_sdk::run!(changed)),
    ..ELSEWHERE
};

/// Asks what there is, and puts that into the request of the table.
async fn changed(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let put = item.request();
    let get = Request::new(Method::Get, put.target.as_str())
        .query("a b", "c&d")
        .query("e", "");
    let found = item.client.document(get).await?;
    let answer = item
        .client
        .document(put.member("found", &found).member("n", "1"))
        .await?;
    let url = answer.trim_matches(['[', ']', '"']);
    let (pages, page) = item.client.at_url(url)?;
    pages.success(page.usual(&[("accept", "text/html")])).await?;
    let list = Request::new(Method::Get, "/files").segment("a/b c");
    Ok(vec![output(item.client.document(list).await?)])
}

static THINGS: Service = Service {
    name: "things",
    title: "Things",
    about: "Things",
    groups: &[Group {
        name: "thing",
        title: "Thing",
        about: "Things",
    }],
    operations: &[&ELSEWHERE, &CHANGED],
    origins: &[Origin {
        url: UPLOADS,
        access: &[],
        reason: "Things are uploaded there",
    }],
    ..Service::NEW
};

nodule_sdk::export!(THINGS);

#[test]
fn a_request_goes_to_another_origin_with_headers_of_its_own() {
    let node = nodule_sdk::test(&THINGS).reply(200, "{}");
    node.run("thing.elsewhere", r#"{"id":"a/b","name":"n"}"#).unwrap();
    assert_eq!(
        node.requests(),
        ["POST https://uploads.example.com/things/a%2Fb?name=n"]
    );
    assert_eq!(node.headers(), [[("accept".to_owned(), "text/plain".to_owned())]]);
    let node = nodule_sdk::test(&THINGS).replies([Reply::broken(Broken::NotDone("refused".to_owned()))]);
    let Err(Failure::Unavailable(outage)) = node.run("thing.elsewhere", r#"{"id":"a"}"#) else {
        panic!("an outage");
    };
    assert_eq!(
        outage.message,
        "no complete answer from https://uploads.example.com: refused"
    );
    let described = nodule_sdk::describe(&THINGS);
    let elsewhere = described.operations.iter().find(|one| one.name == "elsewhere");
    assert_eq!(
        elsewhere.unwrap().request,
        None,
        "the path of the description is below the base URL"
    );
}

static NAMED: Service = Service {
    origins: &[Origin {
        url: UPLOADS,
        access: &["thingApi"],
        reason: "Things are uploaded there",
    }],
    ..NOT_NAMED
};
static NOT_NAMED: Service = Service {
    credentials: &[Credential {
        name: "thingApi",
        title: "Thing API",
        fields: &[text("baseUrl", "Base URL").required()],
        ..Credential::NEW
    }],
    ..THINGS
};

static ROUTED: Service = Service {
    operations: &[&Operation {
        request: put("/{path+}"),
        effect: Effect::Idempotent,
        parameters: &[text("path", "Path").required()],
        output: answer(),
        ..CHANGED
    }],
    route: Some(|_, request| {
        let (host, path) = request.target.get(1..)?.split_once('/')?;
        let (host, path) = (format!("https://{host}.example.com"), format!("/{path}"));
        request.target = path;
        Some(host)
    }),
    ..NAMED
};

#[test]
fn a_part_of_the_path_may_stand_in_the_hosts_name_where_the_node_adds_no_access() {
    let run = |path: &str| {
        let access = Access {
            headers: vec![Field {
                name: "authorization".to_owned(),
                value: "Bearer t".to_owned(),
            }],
            query: Vec::new(),
        };
        let node = nodule_sdk::test(&ROUTED).access(access).reply(200, "{}");
        let result = node.run("thing.changed", &format!(r#"{{"path":"{path}"}}"#));
        let has_access = node.headers().first().is_some_and(|headers| !headers.is_empty());
        (result, node.requests(), has_access)
    };
    let (_, requests, has_access) = run("kites/a b");
    assert_eq!(requests, ["PUT https://kites.example.com/a%20b"]);
    assert!(!has_access);
    let (_, requests, has_access) = run("kites");
    assert_eq!(requests, ["PUT /kites"]);
    assert!(has_access);
    let (result, requests, _) = run("@/a");
    assert!(matches!(result, Err(Failure::InvalidInput(why)) if why.contains("origin")));
    assert!(requests.is_empty());
}

/// A host that adds nothing itself gives the node what to add.
#[test]
fn access_goes_to_another_origin_only_where_each_credential_is_named() {
    for (service, expected) in [(&NAMED, true), (&NOT_NAMED, false)] {
        let access = Access {
            headers: vec![Field {
                name: "authorization".to_owned(),
                value: "Bearer t".to_owned(),
            }],
            query: Vec::new(),
        };
        let node = nodule_sdk::test(service).access(access).reply(200, "{}");
        node.run("thing.elsewhere", r#"{"id":"a"}"#).unwrap();
        let headers = node.headers().remove(0);
        let is_sent = headers.iter().any(|(name, _)| name == "authorization");
        assert_eq!(is_sent, expected);
    }
}

#[test]
fn a_function_changes_the_request_of_the_table_and_asks_for_a_url() {
    let node = nodule_sdk::test(&THINGS)
        .reply(200, r#"{"sha":"s"}"#)
        .reply(200, r#"["https://pages.example?x=1#top"]"#)
        .reply(200, "<html>")
        .reply(200, "{}");
    node.run("thing.changed", r#"{"path":"a/b","note":"N"}"#).unwrap();
    assert_eq!(
        node.requests(),
        [
            "GET /files/a%2Fb?a%20b=c%26d&e=",
            "PUT /files/a%2Fb\n{\"note\":\"N\",\"found\":{\"sha\":\"s\"},\"n\":1}",
            "GET https://pages.example/?x=1",
            "GET /files/a%2Fb%20c"
        ]
    );
    assert_eq!(node.headers()[2], [("accept".to_owned(), "text/html".to_owned())]);
    let node = nodule_sdk::test(&THINGS)
        .reply(200, "{}")
        .reply(200, r#"["ftp://pages.example"]"#);
    let failure = node.run("thing.changed", r#"{"path":"a"}"#).unwrap_err();
    assert!(
        matches!(&failure, Failure::InvalidInput(why) if why.contains("another scheme")),
        "{failure:?}"
    );
    assert_eq!(node.requests()[1], "PUT /files/a\n{\"found\":{},\"n\":1}");
}
