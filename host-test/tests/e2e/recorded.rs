//! `check` passes every recording that `--record` writes.

use std::path::Path;
use std::process::Command;

use host_test::raw::{Server, scenarios};
use serde_json::{Value, json};

use crate::support::{component, credential_for, expect, items, nodule, run, simulator, stderr, stdout};

/// Records a run, whatever its exit status.
fn record(command: &mut Command, file: &Path) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let output = command.arg("--record").arg(file).output().unwrap();
    let code = output.status.code().unwrap();
    assert!(
        [0, 1, 3].contains(&code) && file.exists(),
        "{}: {code}\n{}",
        file.display(),
        stderr(&output)
    );
}

/// The output of `check` for each recording in a folder that fails.
fn failed(folder: &Path) -> Vec<String> {
    let output = nodule()
        .arg("check")
        .arg(component())
        .arg(folder)
        .output()
        .unwrap();
    let text = stdout(&output);
    let mut lines = text.lines().peekable();
    let mut failed = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("FAILED") {
            let mut whole = line.to_owned();
            while let Some(more) = lines.next_if(|more| more.starts_with(' ')) {
                whole.push('\n');
                whole.push_str(more);
            }
            failed.push(whole);
        }
    }
    assert!(text.contains("passed"), "{text}\n{}", stderr(&output));
    failed
}

/// Each service of [`scenarios`], with an operation that reads and with one that must not be sent twice.
#[test]
fn every_way_in_which_a_service_answers() {
    let server = Server::start(scenarios());
    let folder = tempfile::tempdir().unwrap();
    for scenario in scenarios() {
        let name = scenario.name;
        let policy = items([scenario.policy]);
        let mut read = run("member", "getMember");
        read.args(["--param", "cardNo=M1"]);
        let mut write = run("points", "adjustPoints");
        write.args([
            "--param",
            "accountCode=A1",
            "--param",
            "operationId=o1",
            "--param",
            "pointValue:=5",
            "--param",
            "effectiveEndTime=2030-01-01",
        ]);
        for (mut command, case) in [(read, "member/getMember"), (write, "points/adjustPoints")] {
            command
                .arg("--policy")
                .arg(policy.path())
                .env("NODULE_CREDENTIAL", credential_for(&server.base(name)));
            record(&mut command, &folder.path().join(format!("{case}-{name}.har")));
        }
    }
    let failed = failed(folder.path());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// No server at the address, and an address that is not allowed.
#[test]
fn every_way_in_which_there_is_no_service() {
    let folder = tempfile::tempdir().unwrap();
    let bases = [
        ("nobody", "http://127.0.0.1:1/x"),
        ("forbidden", "http://169.254.169.254/x"),
    ];
    for (name, base) in bases {
        let mut command = run("member", "getMember");
        command
            .args(["--param", "cardNo=M1"])
            .env("NODULE_CREDENTIAL", credential_for(base));
        record(
            &mut command,
            &folder.path().join(format!("member/getMember-{name}.har")),
        );
    }
    let failed = failed(folder.path());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Texts that are not JSON, not an object, not UTF-8, or that only some parsers accept.
#[test]
fn every_kind_of_item() {
    let simulator = simulator(simulator::Config::default());
    let deep = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!("{{\"cardNo\":\"M1\",\"x\":{value}}}")
    };
    let rows: Vec<Vec<u8>> = [
        "{\"cardNo\":\"M1\"}",
        "{\"cardNo\":\"M1\",\"cardNo\":\"M2\"}",
        "{\"cardNo\":12345678901234567890}",
        "{\"cardNo\":1e400}",
        "{\"cardNo\":\"\\ud83d\"}",
        "{\"cardNo\":\"\u{202e}🔑\"}",
        "\"a text\"",
        "7",
        "null",
        "[]",
        "{",
        "no JSON",
        "",
        &deep(100),
        &deep(118),
        &deep(127),
        &deep(5_000),
    ]
    .iter()
    .map(|item| item.as_bytes().to_vec())
    .chain([b"{\"cardNo\":\"\xff\"}".to_vec()])
    .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rows.join(&b'\n')).unwrap();
    for mode in ["continue", "stop"] {
        let mut command = run("member", "getMember");
        command
            .args(["--on-failure", mode, "--items"])
            .arg(file.path())
            .env("NODULE_CREDENTIAL", crate::support::credential(&simulator));
        record(
            &mut command,
            &folder.path().join(format!("member/getMember-{mode}.har")),
        );
    }
    let failed = failed(folder.path());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A HAR of a browser: no case, no roles, other secrets, other headers, and many unrelated entries.
fn foreign(base: &str) -> Value {
    let entry = |method: &str, url: String, body: Option<Value>, answer: Value| {
        let mut request =
            json!({"method": method, "url": url, "headers": [{"name": "user-agent", "value": "Browser"}]});
        if let Some(body) = body {
            request["postData"] = json!({"mimeType": "application/json", "text": body.to_string()});
        }
        let content = json!({"mimeType": "application/json", "text": answer.to_string()});
        json!({"startedDateTime": "2026-01-05T09:00:00Z", "request": request,
            "response": {"status": 200, "headers": [], "content": content}})
    };
    let token = json!({"code": "200", "data": {"accessToken": "the-browsers-own", "expiresIn": 7200}});
    json!({"log": {"version": "1.2", "creator": {"name": "Browser"}, "entries": [
        {"request": {"method": "GET", "url": "/relative"}},
        entry("GET", "http://ads.example/x".to_owned(), None, json!(1)),
        entry("POST", format!("{base}/v1/auth/token"), Some(json!({"appId": "other", "appSecret": "other"})), token),
        entry("GET", format!("{base}/v1/member/M1"), None, json!({"code": "200", "data": {"cardNo": "M1"}})),
    ]}})
}

#[test]
fn a_har_of_another_tool_answers_where_the_credential_says_where_the_service_was() {
    let base = "https://crm.example.com/api";
    let har = items([foreign(base).to_string().as_str()]);
    let credential = items([credential_for(base).as_str()]);
    let replay = |har: &Path| {
        let mut command = run("member", "getMember");
        command
            .args(["--param", "cardNo=M1", "--replay"])
            .arg(har)
            .arg("--credential")
            .arg(credential.path());
        command
    };
    let output = expect(&mut replay(har.path()), 0);
    assert_eq!(
        stdout(&output),
        "{\"item\":0,\"json\":{\"code\":\"200\",\"data\":{\"cardNo\":\"M1\"}}}\n"
    );
    let told = stderr(&output);
    assert!(
        told.contains("1 of 4 entries could not be read: the first, entry 0: `log.entries[0].request.url`: expected an absolute URL"),
        "{told}"
    );
    assert!(
        told.contains("`log.entries[1]`: recorded and never sent: `GET http://ads.example/x`\n"),
        "{told}"
    );
    assert_eq!(
        told.matches("warning:").count(),
        3 - usize::from(!told.contains("credential")),
        "{told}"
    );

    // The browser had already logged in.
    let mut har = foreign(base);
    har["log"]["entries"].as_array_mut().unwrap().remove(2);
    let har = items([har.to_string().as_str()]);
    expect(&mut replay(har.path()), 0);

    let mut without = run("member", "getMember");
    without.args(["--param", "cardNo=M1", "--replay"]).arg(har.path());
    let told = stderr(&expect(&mut without, 2));
    assert!(
        told.contains(
            "does not say where the service was, which its credential does; the node needs a credential"
        ),
        "{told}"
    );
}

#[test]
fn an_answer_whose_body_was_not_saved_is_no_broken_connection() {
    let base = "https://crm.example.com/api";
    let mut har = foreign(base);
    har["log"]["entries"][3]["response"]["content"] = json!({"size": 50, "mimeType": "application/json"});
    let file = items([har.to_string().as_str()]);
    let mut command = run("member", "getMember");
    command
        .args(["--param", "cardNo=M1", "--replay"])
        .arg(file.path())
        .env("NODULE_CREDENTIAL", credential_for(base));
    let output = expect(&mut command, 3);
    assert!(
        stdout(&output).contains("body-not-recorded"),
        "{}",
        stdout(&output)
    );
    assert!(
        stderr(&output).contains("save the HAR with the contents"),
        "{}",
        stderr(&output)
    );

    har["log"]["entries"][3]["response"] = json!({"status": 0, "_error": "net::ERR_BLOCKED_BY_CLIENT"});
    std::fs::write(file.path(), har.to_string()).unwrap();
    let output = expect(&mut command, 1);
    assert!(
        stdout(&output).contains("recorded as `net::ERR_BLOCKED_BY_CLIENT`"),
        "{}",
        stdout(&output)
    );
}

/// Links to folders are not followed, so a link that leads back does not add a case.
#[cfg(unix)]
#[test]
fn a_link_that_leads_back_is_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("points");
    std::fs::create_dir(&group).unwrap();
    std::fs::copy(
        crate::support::cases().join("points/adjustPoints.har"),
        group.join("adjustPoints.har"),
    )
    .unwrap();
    symlink(".", folder.path().join("self")).unwrap();
    symlink("..", group.join("up")).unwrap();
    let output = nodule()
        .arg("check")
        .arg(component())
        .arg(folder.path())
        .output()
        .unwrap();
    let found = stdout(&output);
    let cases: Vec<&str> = found
        .lines()
        .filter(|line| line.contains(".har") && !line.contains("expected"))
        .collect();
    assert_eq!(cases, ["ok      points/adjustPoints.har"]);
}
