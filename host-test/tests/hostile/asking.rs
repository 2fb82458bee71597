//! What a form asks the service while it is filled in: rows 130 to 134.

use nodule::description::MAX_CHOICES;
use nodule::question::Question;
use nodule::{Failure, Runner};
use serde_json::{Value, json};

use crate::bench::{Bench, ITEM_DATA, Setup, command, file};
use crate::guests::ANSWERS;
use crate::heap::resident;
use crate::server::{NOWHERE, Server, answer, ok, within};

/// A question whose answer the guest makes of this task.
fn question(parameter: &str, task: &Value) -> Question {
    let filled_in = json!({"task": task, "id": ITEM_DATA}).to_string();
    let filled_in = nodule::json::Json::parse(&filled_in).unwrap();
    Question::new("things", "write", parameter).filled_in(filled_in)
}

/// The labels, or why there are none.
async fn labels(runner: &Runner, task: Value) -> Result<Vec<String>, Failure> {
    let page = within("an answer", runner.choices(&question("thing", &task))).await;
    Ok(page
        .unwrap()?
        .choices
        .into_iter()
        .map(|choice| choice.label)
        .collect())
}

async fn columns(runner: &Runner, fields: Value) -> Result<Vec<String>, Failure> {
    let columns = within(
        "an answer",
        runner.fields(&question("columns", &json!({"fields": fields}))),
    )
    .await;
    Ok(columns.unwrap()?.into_iter().map(|column| column.name).collect())
}

async fn offline(bench: &Bench) -> Runner {
    Setup::new(bench, ANSWERS, NOWHERE).await.runner()
}

/// What the message of a refused answer says.
fn refused<T: std::fmt::Debug>(answer: Result<T, Failure>, kinds: &[&str]) -> String {
    let failure = answer.unwrap_err();
    assert!(kinds.contains(&failure.kind()), "{failure:?}");
    failure.to_string()
}

/// Row 130: a page is as large as a form draws, whatever the node makes of it.
pub async fn much(bench: &Bench) {
    let runner = offline(bench).await;
    let before = resident();
    for count in [MAX_CHOICES + 1, 1_000_000] {
        let message = refused(
            labels(&runner, json!({"count": count})).await,
            &["bad-output", "limit"],
        );
        assert!(
            message.contains("1000 choices") || message.contains("`output-bytes`"),
            "{message}"
        );
    }
    let message = refused(labels(&runner, json!({"label": 1 << 20})).await, &["bad-output"]);
    assert!(message.len() < 1_000, "{} bytes", message.len());
    let message = refused(labels(&runner, json!({"next": 1 << 20})).await, &["bad-output"]);
    assert!(message.contains("at most 8192 bytes"), "{message}");
    let message = refused(labels(&runner, json!({"label": 20 << 20})).await, &["limit"]);
    assert!(message.contains("`output-bytes`"), "{message}");
    let many: Vec<Value> = (0..301)
        .map(|index| json!([format!("n{index}"), "text"]))
        .collect();
    let message = refused(columns(&runner, json!(many)).await, &["bad-output"]);
    assert!(message.contains("at most 300 columns"), "{message}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 300 << 20, "{} MB more than before", grown >> 20);
    let all = labels(&runner, json!({"count": MAX_CHOICES})).await;
    assert_eq!(all.unwrap().len(), MAX_CHOICES);
}

/// Row 131: what a page shows is what people read, and an error shows it escaped.
pub async fn deceptive(bench: &Bench) {
    let runner = offline(bench).await;
    for wrong in [
        "a\u{1b}]0;title\u{7}b",
        "a\u{9b}2Jb",
        "a\u{202e}b",
        "a\nb",
        "a\u{200b}b",
        "a\u{e0041}b",
        "",
    ] {
        for listed in [
            json!([wrong, 1, ""]),
            json!(["A", wrong, ""]),
            json!(["A", 1, wrong]),
        ] {
            // An empty value and an empty summary are ones, and a summary may have several lines.
            let place = listed
                .as_array()
                .unwrap()
                .iter()
                .position(|it| it == wrong)
                .unwrap_or_default();
            if place > 0 && wrong.is_empty() || place == 2 && wrong == "a\nb" {
                continue;
            }
            let message = refused(
                labels(&runner, json!({"choices": [listed]})).await,
                &["bad-output"],
            );
            assert!(wrong.is_empty() || !message.contains(wrong), "{message:?}");
        }
        let message = refused(columns(&runner, json!([[wrong, "text"]])).await, &["bad-output"]);
        assert!(
            !message.contains('\u{1b}') && !message.contains('\u{202e}'),
            "{message:?}"
        );
    }
    for value in [json!({}), json!([1]), Value::Null] {
        refused(
            labels(&runner, json!({"choices": [["A", value, ""]]})).await,
            &["bad-output"],
        );
    }
    assert!(!bench.log.text().contains(ITEM_DATA));
}

/// Row 132: an engine that knows expressions gets keys that are none, and values that are values. What n8n makes of them
/// is tested in its package.
pub async fn expressions(bench: &Bench) {
    let runner = offline(bench).await;
    for name in ["={{ $env.KEY }}", "=1"] {
        let message = refused(
            columns(&runner, json!([["a", "text"], [name, "text"]])).await,
            &["bad-output"],
        );
        assert!(message.contains("begins with `=`"), "{message}");
    }
    for name in ["$json", "__proto__", "constructor"] {
        refused(columns(&runner, json!([[name, "text"]])).await, &["bad-output"]);
    }
    refused(columns(&runner, json!([["a", "secret"]])).await, &["bad-output"]);
    let named = columns(&runner, json!([["Size = {{cm}}", "text"], ["b", "boolean"]])).await;
    assert_eq!(named.unwrap(), ["Size = {{cm}}", "b"]);
    let task = json!({"choices": [["={{ 1 }}", "={{ $env.KEY }}", ""]]});
    let page = runner.choices(&question("thing", &task)).await.unwrap().unwrap();
    assert_eq!(page.choices[0].value.as_str(), Some("={{ $env.KEY }}"));
    assert_eq!(page.choices[0].label, "={{ 1 }}");
}

/// Row 133: a form that is filled in changes nothing, not even for a `write` operation.
pub async fn changes(bench: &Bench) {
    let server = Server::start(|_| ok("a thing")).await;
    let base = format!("{}/api", server.origin());
    let setup = Setup::new(bench, ANSWERS, &base)
        .await
        .allow("http://other.test:80");
    let runner = setup.runner();
    let url = format!("{base}/things");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "REPORT", "QUERY"] {
        let asked = labels(
            &runner,
            json!({"requests": [{"method": method, "url": url, "body": "{}"}]}),
        )
        .await;
        let message = refused(asked, &["denied"]);
        assert!(message.contains("may send GET and HEAD"), "{method}: {message}");
        assert_eq!(bench.log.last("denied")["rule"], "question", "{method}");
    }
    assert!(server.take().is_empty());
    // What is read is read below the base URL, with the session, and nowhere else.
    let seen = labels(&runner, json!({"requests": [{"url": url}]})).await;
    assert_eq!(seen.unwrap(), ["a thing"]);
    let requests = server.take();
    assert!(
        requests[0].header("authorization")[0].starts_with("Bearer "),
        "{requests:?}"
    );
    let elsewhere = labels(&runner, json!({"requests": [{"url": "http://third.test/"}]})).await;
    refused(elsewhere, &["denied"]);
    // A session that the service refuses is made again, once.
    let server = Server::start({
        let asked = std::sync::atomic::AtomicUsize::new(0);
        move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 | 2 | 3 => answer("401 Unauthorized", &[], "{}"),
            _ => ok("again"),
        }
    })
    .await;
    let base = format!("{}/api", server.origin());
    let runner = Setup::new(bench, ANSWERS, &base).await.runner();
    let task = json!({"requests": [{"url": format!("{base}/things")}]});
    assert_eq!(labels(&runner, task.clone()).await.unwrap(), ["again"]);
    refused(labels(&runner, task).await, &["unauthenticated"]);
    assert_eq!(server.take().len(), 4);
}

/// Row 134: an answer that is kept is for those who could have asked, and for what the form offers.
pub async fn kept(bench: &Bench) {
    let server = Server::start(|request| ok(request.header("authorization")[0])).await;
    let base = format!("{}/api", server.origin());
    let setup = Setup::new(bench, ANSWERS, &base).await;
    let task = json!({"requests": [{"url": format!("{base}/things")}]});
    let ask = async |tenant: &str, mode: &str, policy: &str| {
        let setup = Setup::new(bench, ANSWERS, &base).await.mode(mode).policy(policy);
        let runner = setup.builder().tenant(tenant).keep_answers().build().unwrap();
        labels(&runner, task.clone()).await.unwrap();
        (runner, server.take().len())
    };
    let (first, asked) = ask("one", "a", "").await;
    assert_eq!(asked, 1);
    assert_eq!(ask("one", "a", "").await.1, 0, "kept");
    for (tenant, mode, policy) in [
        ("two", "a", ""),
        ("one", "b", ""),
        ("one", "a", "write-requests = 2"),
    ] {
        assert_eq!(ask(tenant, mode, policy).await.1, 1, "{tenant} {mode} {policy}");
    }
    first.forget_session();
    assert_eq!(ask("one", "a", "").await.1, 1, "forgotten with the session");
    bench.engine.forget_sessions("one");
    assert_eq!(ask("one", "a", "").await.1, 1, "forgotten with the tenant");
    assert_eq!(ask("two", "a", "").await.1, 0, "another tenant's is kept");
    // Nothing is kept where nobody said so.
    let runner = setup.runner();
    for _ in 0..2 {
        labels(&runner, task.clone()).await.unwrap();
    }
    assert_eq!(server.take().len(), 2);
    for (parameter, searched) in [
        ("id", false),
        ("task", false),
        ("secret", false),
        ("none", false),
        ("columns", false),
        ("tag", true),
    ] {
        let mut asked = question(parameter, &task);
        asked.search = searched.then(|| "x".to_owned());
        let error = runner.choices(&asked).await.unwrap_err();
        assert!(
            matches!(error, nodule::Error::Question(_)),
            "{parameter}: {error:?}"
        );
    }
    assert!(runner.fields(&question("thing", &task)).await.is_err());
    assert!(server.take().is_empty());
    recorded(&setup, &task).await;
    command_line(&base, &task).await;
}

/// A recording has no secret, and answers its own questions without the service.
async fn recorded(setup: &Setup, task: &Value) {
    let meta = nodule::recording::Meta::new("things", "write", setup.base.parse().unwrap());
    let runner = setup.builder().record(meta).build().unwrap();
    let other = json!({"choices": [["B", 2, ""]]});
    let first = labels(&runner, task.clone()).await.unwrap();
    assert_eq!(labels(&runner, other.clone()).await.unwrap(), ["B"]);
    let text = runner.recording("question.har").unwrap().unwrap();
    assert!(
        !text.contains(crate::bench::SECRET) && text.contains("$question"),
        "{text}"
    );
    let recording = nodule::recording::Recording::from_json(text.as_bytes(), "question.har").unwrap();
    let replay = setup.component.runner().replay(recording).build().unwrap();
    // In another order than they were asked.
    assert_eq!(labels(&replay, other).await.unwrap(), ["B"]);
    let replayed = labels(&replay, task.clone()).await.unwrap();
    assert_eq!(replayed.len(), first.len());
    assert!(replay.unused().operation.is_empty());
}

/// `nodule choices` prints lines, follows pages, and ends.
async fn command_line(base: &str, task: &Value) {
    let run = async |task: &Value, more: &[&str]| {
        let mut nodule = std::process::Command::new(command());
        let credential = json!({"baseUrl": base, "secret": crate::bench::SECRET, "mode": "none"});
        nodule
            .env("NODULE_CREDENTIAL", credential.to_string())
            .arg("choices")
            .arg(file(ANSWERS))
            .args(["things", "read", "thing", "--param"])
            .arg(format!("task:={task}"))
            .args(more);
        let done = crate::bench::finished(nodule).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    };
    let page = json!({"choices": [["A", 1, ""], ["B", "b", "The other one"]], "next": "2"});
    let (status, lines, said) = run(&page, &[]).await;
    let expected =
        "{\"label\":\"A\",\"value\":1}\n{\"label\":\"B\",\"value\":\"b\",\"summary\":\"The other one\"}\n";
    assert_eq!((status, lines.as_str()), (0, expected), "{said}");
    assert!(
        said.contains("there are more") && said.contains("`--all`"),
        "{said}"
    );
    let (status, lines, said) = run(&page, &["--all", "--search", "A"]).await;
    assert_eq!((status, lines.lines().count()), (0, 2), "{said}");
    assert!(!said.contains("there are more"), "{said}");
    let (status, lines, said) = run(
        &json!({"choices": [["A", 1, ""]], "next": "without end"}),
        &["--all"],
    )
    .await;
    assert_eq!((status, lines.lines().count()), (0, 1_000), "{said}");
    assert!(said.contains("1000 pages were followed"), "{said}");
    let changing = json!({"requests": [{"method": "POST", "url": task["requests"][0]["url"]}]});
    let (status, lines, said) = run(&changing, &[]).await;
    assert_eq!((status, lines.as_str()), (3, ""), "{said}");
    assert!(said.contains("may send GET and HEAD"), "{said}");
}
