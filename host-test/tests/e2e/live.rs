//! Live runs against the simulator.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Barrier};

use nodule::recording::{Item, Recording};
use serde_json::{Value, json};
use simulator::Config;

use crate::support::{
    cases, component, credential, credential_for, expect, items, lines, logging, nodule, run, simulator,
    stderr, stdout,
};

const ADJUST: &str =
    r#"{"accountCode":"M17","operationId":"once","pointValue":50,"effectiveEndTime":"2030-12-31"}"#;

#[test]
fn an_adjustment_changes_the_balance_and_the_same_one_again_does_not() {
    let simulator = simulator(Config::default());
    let file = items([ADJUST]);
    for expected in ["1050", "1050"] {
        let mut command = run("points", "adjustPoints");
        command
            .arg("--items")
            .arg(file.path())
            .env("NODULE_CREDENTIAL", credential(&simulator));
        let output = expect(&mut command, 0);
        assert_eq!(lines(&output)[0]["json"]["data"]["balance"], json!(1050));
        assert_eq!(simulator.balance("M17").as_deref(), Some(expected));
    }
}

#[test]
fn what_was_recorded_is_what_was_on_the_wire() {
    let mut compared = 0;
    for case in [
        "points/adjustPoints",
        "order/syncTransaction",
        "member/getMember-strangeCodes",
        "consumer/updateConsumer",
        "consumer/importConsumerEventData",
        "order/getTransactionDetail",
        "masterdata/batchSyncProduct",
        "member/getMemberList-allPages",
        "points/getPointsRecords",
    ] {
        let simulator = simulator(logging());
        let text = std::fs::read_to_string(cases().join(format!("{case}.har"))).unwrap();
        let recording: Value = serde_json::from_str(&text).unwrap();
        let log = &recording["log"];
        let case_of = Recording::from_json(text.as_bytes(), case).unwrap();
        let texts: Vec<String> = case_of.case().unwrap().items.iter().map(Item::text).collect();
        let file = items(texts.iter().map(String::as_str));
        let mut command = run(
            log["_case"]["group"].as_str().unwrap(),
            log["_case"]["operation"].as_str().unwrap(),
        );
        command
            .arg("--items")
            .arg(file.path())
            .args(["--concurrency", "1"]);
        // A prefix, blanks and a trailing slash lead to the same requests.
        let base = format!(" {}/openapi-prod/ ", simulator.base_url());
        let _ = command
            .env("NODULE_CREDENTIAL", credential_for(&base))
            .output()
            .unwrap();
        let sent: Vec<Value> = simulator
            .requests()
            .iter()
            .map(|request| serde_json::to_value(request).unwrap())
            .filter(|request| !request["target"].as_str().unwrap().contains("/v1/auth/"))
            .map(|request| {
                json!([
                    request["method"],
                    request["target"],
                    request["body"].as_str().unwrap_or("")
                ])
            })
            .collect();
        let recorded_base = log["_case"]["baseUrl"].as_str().unwrap();
        let recorded: Vec<Value> = log["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry["request"])
            .filter(|request| !request["url"].as_str().unwrap().contains("/v1/auth/"))
            .map(|request| {
                let target = request["url"]
                    .as_str()
                    .unwrap()
                    .replace(recorded_base, "/openapi-prod");
                json!([
                    request["method"],
                    target,
                    request["postData"]["text"].as_str().unwrap_or("")
                ])
            })
            .collect();
        assert_eq!(sent, recorded, "{case}");
        compared += recorded.len();
    }
    assert!(compared >= 15);
}

#[test]
fn a_wrong_item_says_all_its_problems_and_sends_nothing() {
    let simulator = simulator(logging());
    let file = items([r#"{"accountType":3,"pointValue":"x","effectiveEndTime":"2025-02-30","nope":1}"#]);
    let mut command = run("points", "adjustPoints");
    command
        .arg("--items")
        .arg(file.path())
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let output = expect(&mut command, 1);
    let error = lines(&output)[0]["error"].clone();
    assert_eq!(error["kind"], "invalid-parameters");
    let labels: Vec<&str> = error["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["label"].as_str().unwrap())
        .collect();
    for label in [
        "Account Type",
        "Account Code",
        "Operation ID",
        "Point Value",
        "Points Expiry Time",
    ] {
        assert!(labels.contains(&label), "{labels:?}");
    }
    assert!(error["message"].as_str().unwrap().contains("nope"), "{error}");
    assert!(
        simulator
            .requests()
            .iter()
            .all(|request| request.target.contains("/v1/auth/"))
    );
}

#[test]
fn five_hundred_event_rows_are_one_request() {
    let simulator = simulator(Config::default());
    let rows: Vec<Value> = (0..500)
        .map(|row| {
            json!({"eventKey": "view", "eventTime": 1_700_000_000_000_u64 + row, "customerCode": format!("C{row}"),
                "eventId": format!("e-{row}"), "tenantId": "t", "properties": {"row": row, "名": "绿茶"}})
        })
        .collect();
    let file = items([json!({"data": {"event": rows}}).to_string().as_str()]);
    let mut command = run("consumer", "importConsumerEventData");
    command
        .arg("--items")
        .arg(file.path())
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let output = expect(&mut command, 0);
    assert_eq!(lines(&output)[0]["json"]["data"]["accepted"], json!(500));
}

/// Peak resident memory, in kilobytes, of a run over this many items; checks every result on the way.
fn peak_over(count: usize, simulator: &simulator::Simulator) -> u64 {
    let mut command = run("member", "getMember");
    command
        .args(["--items", "-", "--concurrency", "16"])
        .env("NODULE_CREDENTIAL", credential(simulator));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for item in 0..count {
            writeln!(stdin, "{{\"cardNo\":\"M{item}\"}}").unwrap();
        }
        // The last line is sent only after the peak was read, because the process has to be alive for that.
        stdin
    });
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for item in 0..count {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let expected = format!("{{\"item\":{item},\"json\":{{\"code\":\"200\"");
        assert!(line.starts_with(&expected), "{line}");
        assert!(line.contains(&format!("\"cardNo\":\"M{item}\"")), "{line}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(writer.join().unwrap());
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_items_take_no_more_memory_than_a_thousand_and_reuse_their_connections() {
    let simulator = simulator(Config::default());
    let few = peak_over(1_000, &simulator);
    let before = simulator.stats().connections;
    let many = peak_over(10_000, &simulator);
    let opened = simulator.stats().connections - before;
    // One more connection is for authentication, and serves nothing else.
    assert!(opened <= 17, "{opened} connections for 16 places");
    assert!(
        many < few + 20_000,
        "{few} kB over 1,000 items, {many} kB over 10,000"
    );
}

/// A service that responds only after eight requests have arrived: requests get a response only if they overlap.
#[test]
fn requests_really_overlap() {
    const PLACES: usize = 8;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let all_there = Arc::new(Barrier::new(PLACES));
    let server = std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, all_there) = (connection.unwrap(), Arc::clone(&all_there));
            std::thread::spawn(move || serve(connection, &all_there));
        }
    });
    let texts: Vec<String> = (0..PLACES)
        .map(|item| format!("{{\"cardNo\":\"M{item}\"}}"))
        .collect();
    let file = items(texts.iter().map(String::as_str));
    // Sequential requests would never get a response, and the run would stop at its deadlines.
    let policy = items(["[limits]", "first-byte-timeout-ms = 20000"]);
    let mut command = run("member", "getMember");
    command
        .arg("--items")
        .arg(file.path())
        .arg("--policy")
        .arg(policy.path());
    command
        .args(["--concurrency", "8"])
        .env("NODULE_CREDENTIAL", credential_for(&format!("http://{address}")));
    let output = expect(&mut command, 0);
    assert_eq!(lines(&output).len(), PLACES);
    assert!(!server.is_finished());
}

/// Responds to a token request at once, and to everything else when enough requests have arrived.
fn serve(connection: TcpStream, all_there: &Barrier) {
    let mut writer = connection.try_clone().unwrap();
    let mut reader = BufReader::new(connection);
    while let Some(target) = read_request(&mut reader) {
        let body = if target.contains("/v1/auth/token") {
            r#"{"code":"200","data":{"accessToken":"token-0123456789abcdef"}}"#
        } else {
            all_there.wait();
            r#"{"code":"200","data":{}}"#
        };
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}");
        write!(writer, "{head}\r\n\r\n{body}").unwrap();
    }
}

/// The request line, or `None` if the connection was closed.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut target = String::new();
    if reader.read_line(&mut target).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(target)
}

#[test]
fn a_failed_item_hides_no_other_and_is_written_ready_to_be_run_again() {
    let simulator = simulator(Config::default());
    let wrong = r#"{"cardNo": " "}"#;
    let texts = [r#"{"cardNo":"M0"}"#, wrong, "no json", r#"{"cardNo":"M2"}"#];
    let file = items(texts);
    let failed = tempfile::NamedTempFile::new().unwrap();
    let mut command = run("member", "getMember");
    command
        .arg("--items")
        .arg(file.path())
        .arg("--failed")
        .arg(failed.path());
    let output = expect(command.env("NODULE_CREDENTIAL", credential(&simulator)), 1);
    let kinds: Vec<Value> = lines(&output)
        .iter()
        .map(|line| line["error"]["kind"].clone())
        .collect();
    assert_eq!(
        json!(kinds),
        json!([null, "invalid-parameters", "invalid-input", null])
    );
    let again = std::fs::read_to_string(failed.path()).unwrap();
    assert_eq!(again, format!("{wrong}\nno json\n"));
}

#[test]
fn stop_runs_nothing_after_a_failure() {
    let simulator = simulator(Config::default());
    let texts: Vec<String> = (0..40)
        .map(|item| {
            let code = if item == 5 { " ".to_owned() } else { format!("M{item}") };
            json!({"accountCode": code, "operationId": format!("op-{item}"), "pointValue": 1, "effectiveEndTime": "2030-12-31"}).to_string()
        })
        .collect();
    let file = items(texts.iter().map(String::as_str));
    let mut command = run("points", "adjustPoints");
    command
        .arg("--items")
        .arg(file.path())
        .args(["--on-failure", "stop", "--concurrency", "1"]);
    let output = expect(command.env("NODULE_CREDENTIAL", credential(&simulator)), 1);
    let lines = lines(&output);
    assert_eq!(lines.len(), 40);
    assert_eq!(lines[5]["error"]["kind"], "invalid-parameters");
    assert!(lines[6..].iter().all(|line| line["error"]["kind"] == "not-run"));
    assert_eq!(simulator.ledger().operations.len(), 5);
}

#[test]
fn a_credential_is_checked_and_its_place_shown() {
    let simulator = simulator(Config::default());
    let mut command = nodule();
    command.arg("check-credential").arg(component());
    let output = expect(command.env("NODULE_CREDENTIAL", credential(&simulator)), 0);
    assert_eq!(
        stdout(&output),
        format!("the credential works: {}/\n", simulator.base_url())
    );

    let wrong = credential(&simulator).replace(simulator::DEMO_APP_SECRET, "wrong-secret-0123456789");
    let mut command = nodule();
    command.arg("check-credential").arg(component());
    let output = expect(command.env("NODULE_CREDENTIAL", wrong), 1);
    assert!(
        stderr(&output).starts_with("error: the service did not accept the credential"),
        "{}",
        stderr(&output)
    );
    assert!(!stderr(&output).contains("wrong-secret"));
}

#[test]
fn a_dry_run_shows_the_requests_and_sends_none() {
    let simulator = simulator(Config::default());
    let mut command = run("points", "adjustPoints");
    let file = items([ADJUST, r#"{"accountCode":"M1"}"#]);
    command.arg("--items").arg(file.path()).arg("--dry-run");
    let output = expect(command.env("NODULE_CREDENTIAL", credential(&simulator)), 1);
    let lines = lines(&output);
    let request = &lines[0]["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(
        request["url"],
        format!("{}/v1/points/adjustment", simulator.base_url())
    );
    assert_eq!(request["body"]["effectiveEndTime"], json!(1_924_905_600_000_u64));
    assert!(request["headers"].get("authorization").is_none());
    assert_eq!(lines[1]["error"]["kind"], "invalid-parameters");
    assert_eq!(simulator.stats().requests, 0);
}
