//! The document at `/openapi.json` against what the server does.

use std::cell::RefCell;
use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use simulator::Config;

use crate::support::{Server, component, credential, get_member, hostile, lines, member, simulator};
use crate::tokens::{Service, guest};

/// What the document says about responses.
struct Document(Value);

impl Document {
    fn check(&self, schema: &str, value: &Value) {
        let schema =
            json!({"$ref": format!("#/components/schemas/{schema}"), "components": self.0["components"]});
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(value)
            .map(|error| error.to_string())
            .collect();
        assert!(problems.is_empty(), "{value}\n{problems:?}");
    }

    fn operations(&self) -> BTreeSet<String> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, methods)| {
                methods
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| format!("{method} {path}"))
            })
            .collect()
    }
}

/// Asks what a form asks, and checks the answers.
async fn questions(server: &Server, document: &Document) {
    let answers = server.load(&hostile("answers")).await;
    let asked = |parameter: &str, task: Value| {
        let credential =
            json!({"baseUrl": "http://127.0.0.1:9/", "secret": "0123456789abcdef", "mode": "none"});
        json!({"component": answers, "credential": credential, "group": "things", "operation": "read", "parameter": parameter,
            "filledIn": {"task": task}, "keep": true})
    };
    let values = asked("thing", json!({"choices": [["A", 1, "First"]], "next": "2"}));
    document.check("Question", &values);
    let page = server.json(Method::POST, "/v1/choices", &values).await;
    document.check("Choices", &page.1);
    let expected = json!({"choices": [{"label": "A", "value": 1, "summary": "First"}], "next": "2"});
    assert_eq!(page.1, expected);
    let columns = asked("columns", json!({"fields": [["Size", "boolean"]]}));
    let columns = server.json(Method::POST, "/v1/fields", &columns).await;
    document.check("Fields", &columns.1);
    assert_eq!(columns.1["fields"][0]["name"], "Size");
    let posts = json!({"requests": [{"method": "POST", "url": "http://127.0.0.1:9/"}]});
    for (question, status, kind) in [
        (asked("thing", posts), 422, "denied"),
        (
            asked("thing", json!({"choices": [["", 1, ""]]})),
            422,
            "bad-output",
        ),
        (asked("id", json!({})), 400, "question"),
    ] {
        let (found, problem) = server.json(Method::POST, "/v1/choices", &question).await;
        document.check("ProblemBody", &problem);
        assert_eq!(
            (found.as_u16(), problem["error"]["kind"].as_str()),
            (status, Some(kind)),
            "{problem}"
        );
    }
}

/// A run that asks for an access token, and is given one.
async fn token(server: &Server, document: &Document) {
    let digest = server.load(&guest()).await;
    let service = Service::start("two");
    let run = service.run(&digest, &json!({"accessToken": "one"}));
    document.check("Run", &run);
    let mut running = server.begin(&run).await;
    running.item(&service.item()).await;
    let asked = running.line().await.unwrap();
    assert!(asked["token"].is_object(), "{asked}");
    document.check("Line", &asked);
    let given = json!({"accessToken": "two", "expiresAt": "2099-01-01T00:00:00Z"});
    document.check("GivenToken", &given);
    let path = format!("/v1/runs/{}/token", running.id);
    assert_eq!(server.json(Method::POST, &path, &given).await.0, 204);
    assert!(running.line().await.unwrap()["output"].is_array());
    running.end_of_items();
    running.rest().await;
}

/// What the functions above ask.
const ASKED_ELSEWHERE: [&str; 6] = [
    "post /v1/choices",
    "post /v1/fields",
    "post /v1/runs/{id}/token",
    "post /v1/files",
    "get /v1/files/{id}",
    "delete /v1/files/{id}",
];

async fn files(server: &Server, document: &Document) {
    let kind = "application/octet-stream";
    let (status, given) = server.send(Method::POST, "/v1/files", kind, "hello").await;
    let given: Value = serde_json::from_slice(&given).unwrap();
    assert_eq!(status, 201, "{given}");
    document.check("FileKept", &given);
    let path = format!("/v1/files/{}", given["id"].as_str().unwrap());
    assert_eq!(server.send(Method::GET, &path, "", "").await.1, b"hello");
    assert_eq!(server.send(Method::DELETE, &path, "", "").await.0, 204);
}

#[tokio::test]
async fn every_answer_is_as_the_document_says_and_the_document_has_them_all() {
    let server = Server::start();
    let simulator = simulator(Config::default());
    let (_, document) = server.json(Method::GET, "/openapi.json", &Value::Null).await;
    let document = Document(document);
    let seen = RefCell::new(BTreeSet::from(["get /openapi.json".to_owned()]));
    let check = |operation: &str, schema: &str, (status, value): &(http::StatusCode, Value)| {
        assert!(status.is_success(), "{operation}: {value}");
        document.check(schema, value);
        seen.borrow_mut().insert(operation.to_owned());
    };

    let loaded = server
        .json(Method::POST, "/v1/components", &json!({"path": component()}))
        .await;
    check("post /v1/components", "Loaded", &loaded);
    let digest = loaded.1["digest"].as_str().unwrap().to_owned();
    check(
        "get /v1",
        "About",
        &server.json(Method::GET, "/v1", &Value::Null).await,
    );

    let path = format!("/v1/components/{digest}");
    for format in ["json", "n8n", "markdown", "text"] {
        let (status, body) = server
            .send(Method::GET, &format!("{path}?format={format}"), "", "")
            .await;
        assert!(
            status.is_success() && body.len() > 1000 && !body.contains(&0x1b),
            "{format}"
        );
    }
    seen.borrow_mut().insert("get /v1/components/{digest}".to_owned());

    let binding = json!({"component": digest, "credential": credential(&simulator)});
    document.check("Binding", &binding);
    let works = server.json(Method::POST, "/v1/check-credential", &binding).await;
    check("post /v1/check-credential", "CredentialCheck", &works);
    let mut wrong = binding.clone();
    wrong["credential"]["appSecret"] = json!("another");
    let fails = server.json(Method::POST, "/v1/check-credential", &wrong).await;
    check("post /v1/check-credential", "CredentialCheck", &fails);
    assert_eq!((&works.1["ok"], &fails.1["ok"]), (&json!(true), &json!(false)));

    questions(&server, &document).await;
    token(&server, &document).await;
    files(&server, &document).await;
    seen.borrow_mut().extend(ASKED_ELSEWHERE.map(str::to_owned));

    let mut run = get_member(&digest, &simulator);
    run["progressMs"] = json!(1);
    document.check("Run", &run);
    let items = [
        member(1),
        json!({"id": "b", "parameters": {}}),
        json!({"parameters": {"cardNo": "none"}}),
    ];
    for item in &items {
        document.check("Item", item);
    }
    let answer = server.run(&run, items.clone()).await;
    for line in &answer {
        document.check("Line", line);
    }
    for key in ["run", "output", "error", "end"] {
        assert!(
            answer.iter().any(|line| line.get(key).is_some()),
            "no `{key}`: {answer:?}"
        );
    }
    seen.borrow_mut().insert("post /v1/runs".to_owned());
    let body = format!("{run}\n{}\n{}\n", items[0], items[1]);
    let (_, planned) = server
        .send(Method::POST, "/v1/plan", "application/x-ndjson", body)
        .await;
    let planned = lines(&planned);
    for line in &planned {
        document.check("PlanLine", line);
    }
    assert_eq!(planned[0]["requests"][0]["method"], "GET");
    assert_eq!(planned[1]["error"]["kind"], "invalid-parameters");
    seen.borrow_mut().insert("post /v1/plan".to_owned());

    for (action, name) in [
        ("stop", "post /v1/runs/{id}/stop"),
        ("abandon", "post /v1/runs/{id}/abandon"),
    ] {
        let mut running = server.begin(&run).await;
        let path = format!("/v1/runs/{}", running.id);
        let progress = server.json(Method::GET, &path, &Value::Null).await;
        check("get /v1/runs/{id}", "Summary", &progress);
        let (status, _) = server
            .json(Method::POST, &format!("{path}/{action}"), &Value::Null)
            .await;
        assert_eq!(status, 204);
        seen.borrow_mut().insert(name.to_owned());
        assert_eq!(running.rest().await.last().unwrap()["end"]["ended"], "stopped");
    }

    let path = format!("/v1/components/{digest}");
    assert_eq!(server.json(Method::DELETE, &path, &Value::Null).await.0, 204);
    seen.borrow_mut()
        .insert("delete /v1/components/{digest}".to_owned());
    let (status, gone) = server.json(Method::GET, &path, &Value::Null).await;
    assert_eq!(status, 404);
    document.check("ProblemBody", &gone);

    assert_eq!(seen.into_inner(), document.operations());
}
