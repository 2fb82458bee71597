//! Ctrl-C: what is under way ends, what is known is written, and the same command goes on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use simulator::Config;
use tempfile::TempDir;

use crate::support::{credential, expect, items, lines, run, simulator};

#[test]
fn an_interrupted_run_says_how_to_go_on_and_goes_on() {
    let simulator = simulator(Config::default());
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("run.sqlite");
    let texts: Vec<String> = (0..40).map(|item| format!(r#"{{"cardNo":"M{item}"}}"#)).collect();
    let mut child = run("member", "getMember")
        .args(["--items", "-", "--journal"])
        .arg(&journal)
        .env("NODULE_CREDENTIAL", credential(&simulator))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for text in &texts[..10] {
        writeln!(stdin, "{text}").unwrap();
    }
    stdin.flush().unwrap();
    // The items' end is never seen: only the interruption ends the run.
    let mut line = String::new();
    for item in 0..10 {
        line.clear();
        stdout.read_line(&mut line).unwrap();
        assert!(
            line.starts_with(&format!("{{\"item\":{item},\"json\":")),
            "{line}"
        );
    }
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(told.contains("interrupted after 10 items"), "{told}");
    assert!(told.contains("run the same command again"), "{told}");
    drop(stdin);

    let file = items(texts.iter().map(String::as_str));
    let mut command = run("member", "getMember");
    command
        .arg("--items")
        .arg(file.path())
        .arg("--journal")
        .arg(&journal)
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let before = simulator.stats().requests;
    let output = expect(&mut command, 0);
    assert_eq!(lines(&output).len(), 40);
    let token = 1;
    assert_eq!(simulator.stats().requests - before, 30 + token);
}
