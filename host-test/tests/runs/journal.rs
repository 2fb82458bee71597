//! A journal of another run, or one that cannot be written, is refused; the error names the difference, and nothing is
//! lost.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::hostile;
use crate::support::{component, credential, expect, lines, nodule, run, simulator, stderr};
use crate::through;

struct Place {
    folder: TempDir,
    simulator: Simulator,
}

impl Place {
    fn new(items: usize) -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
            simulator: simulator(Config::default()),
        };
        place.items((0..items).map(|item| format!(r#"{{"cardNo":"M{item}"}}"#)));
        place
    }

    fn items(&self, items: impl Iterator<Item = String>) {
        let text: String = items.map(|item| item + "\n").collect();
        std::fs::write(self.folder.path().join("items.jsonl"), text).unwrap();
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("run.sqlite")
    }

    fn on(&self, mut command: Command) -> Command {
        command
            .arg("--items")
            .arg(self.folder.path().join("items.jsonl"))
            .arg("--journal")
            .arg(self.journal())
            .env("NODULE_CREDENTIAL", credential(&self.simulator));
        command
    }

    fn get(&self) -> Command {
        self.on(run("member", "getMember"))
    }
}

#[test]
fn a_journal_of_another_run_is_refused_by_what_differs() {
    let place = Place::new(3);
    expect(&mut place.get(), 0);
    let requests = place.simulator.stats().requests;
    let refused = |mut command: Command, what: &str| {
        let output = expect(&mut command, 2);
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    };
    refused(
        place.on(run("points", "getPointsAccount")),
        "another operation: expected `member.getMember`",
    );
    let mut other = place.get();
    other.env(
        "NODULE_CREDENTIAL",
        credential(&place.simulator).replace("\"demo\"", "\"other\""),
    );
    refused(other, "another credential");
    let mut other = place.get();
    let base = place.simulator.base_url();
    let prefixed = format!("{base}/openapi-prod");
    other.env(
        "NODULE_CREDENTIAL",
        credential(&place.simulator).replace(&base, &prefixed),
    );
    refused(other, "another base URL");
    place.items(
        [
            "{\"cardNo\":\"M0\"}",
            "{\"cardNo\":\"M7\"}",
            "{\"cardNo\":\"M2\"}",
        ]
        .iter()
        .map(ToString::to_string),
    );
    refused(place.get(), "item 1 is not the one that was recorded");
    place.items(std::iter::once("{\"cardNo\":\"M0\"}".to_owned()));
    refused(place.get(), "it has 3 of them, and 1 were given");
    // A renewed secret is the same credential, and the service got only a request for a session.
    assert_eq!(place.simulator.stats().requests, requests);
}

#[test]
fn a_repaired_component_is_accepted_when_that_is_said() {
    let place = Place::new(3);
    expect(&mut place.get(), 0);
    // A custom section changes the digest and nothing else.
    let mut bytes = std::fs::read(component()).unwrap();
    bytes.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    let repaired = place.folder.path().join("repaired.wasm");
    std::fs::write(&repaired, bytes).unwrap();
    let command = || {
        let mut command = nodule();
        command
            .arg("run")
            .arg(&repaired)
            .args(["member", "getMember", "--progress", "off"]);
        place.on(command)
    };
    let output = expect(&mut command(), 2);
    assert!(
        stderr(&output).contains("another component"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("--accept-component"),
        "{}",
        stderr(&output)
    );
    assert_eq!(lines(&expect(command().arg("--accept-component"), 0)).len(), 3);
}

#[test]
fn failed_items_are_tried_again_and_done_ones_are_not() {
    let place = Place::new(20);
    let refusal = Action::EnvelopeError {
        code: "4711".to_owned(),
        message: "not now".to_owned(),
    };
    place
        .simulator
        .add_fault(Rule::new(refusal).path("/v1/member/").every(4))
        .unwrap();
    let first = lines(&expect(&mut place.get(), 1));
    let failed: Vec<&Value> = first.iter().filter(|line| line.get("error").is_some()).collect();
    assert_eq!(failed.len(), 5);
    place.simulator.clear_faults();
    let before = place.simulator.stats().requests;
    let second = lines(&expect(&mut place.get(), 0));
    assert_eq!(second.len(), 20);
    let token = 1;
    assert_eq!(place.simulator.stats().requests - before, 5 + token);
    for (one, two) in first.iter().zip(&second) {
        if one.get("json").is_some() {
            assert_eq!(one, two);
        }
    }
}

/// Asserts that the journal is refused with these words, that it is unchanged, and that nothing was sent.
fn refused(place: &Place, words: &[&str]) {
    let (before, requests) = (contents(&place.journal()), place.simulator.stats().requests);
    let output = expect(&mut place.get(), 2);
    for words in words {
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    assert_eq!(lines(&output).len(), 0);
    assert!(
        contents(&place.journal()) == before,
        "the file was changed: {words:?}"
    );
    assert_eq!(place.simulator.stats().requests, requests);
}

fn contents(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_left_as_it_is() {
    let place = Place::new(3);
    std::fs::write(place.journal(), "my shopping list").unwrap();
    refused(
        &place,
        &[
            "expected a journal or no file, found a file that is no database",
            "nothing in it was changed; name another file",
        ],
    );
    std::fs::remove_file(place.journal()).unwrap();
    Connection::open(place.journal())
        .unwrap()
        .execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)")
        .unwrap();
    refused(&place, &["found another program's database"]);
}

#[test]
fn a_journal_of_another_version_is_refused() {
    let place = Place::new(3);
    expect(&mut place.get(), 0);
    Connection::open(place.journal())
        .unwrap()
        .pragma_update(None, "user_version", 7)
        .unwrap();
    refused(
        &place,
        &[
            "expected version 2, found version 7",
            "go on with the version of the program that made it",
        ],
    );
}

#[test]
fn a_damaged_journal_is_refused_with_a_way_to_save_what_can_be_read() {
    let place = Place::new(500);
    expect(&mut place.get(), 0);
    let whole = contents(&place.journal());
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8_192].fill(0x5a);
    std::fs::write(place.journal(), &damaged).unwrap();
    refused(&place, &["run.sqlite is damaged", ".recover"]);
    // Truncated, as by an interrupted copy.
    std::fs::write(place.journal(), &whole[..whole.len() / 2]).unwrap();
    refused(&place, &["run.sqlite is damaged", ".recover"]);
    // Nothing was lost: restored, it is the same journal.
    std::fs::write(place.journal(), &whole).unwrap();
    let requests = place.simulator.stats().requests;
    assert_eq!(lines(&expect(&mut place.get(), 0)).len(), 500);
    assert_eq!(place.simulator.stats().requests, requests);
}

#[test]
fn a_journal_in_use_is_refused_and_its_run_goes_on() {
    let place = Place::new(3);
    let mut first = run("member", "getMember");
    first
        .args(["--items", "-", "--journal"])
        .arg(place.journal())
        .env("NODULE_CREDENTIAL", credential(&place.simulator))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut first = first.spawn().unwrap();
    let mut stdin = first.stdin.take().unwrap();
    let mut stdout = BufReader::new(first.stdout.take().unwrap());
    let mut give_and_take = |item: u32| {
        use std::io::Write as _;
        writeln!(stdin, r#"{{"cardNo":"M{item}"}}"#).unwrap();
        stdin.flush().unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(
            line.starts_with(&format!("{{\"item\":{item},\"json\":")),
            "{line}"
        );
    };
    // The journal stays open while standard input is open.
    give_and_take(0);
    let output = expect(&mut place.get(), 2);
    assert!(
        stderr(&output).contains("run.sqlite is in use by another process"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("wait for the other process to end, or end it"),
        "{}",
        stderr(&output)
    );
    assert_eq!(lines(&output).len(), 0);
    // People may still inspect it.
    let count: u32 = Connection::open(place.journal())
        .unwrap()
        .query_row("SELECT count(*) FROM items WHERE state = 'done'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(count, 1);
    give_and_take(1);
    give_and_take(2);
    drop(stdin);
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(lines(&expect(&mut place.get(), 0)).len(), 3);
}

#[test]
fn people_read_the_journal_with_their_own_tools() {
    let place = Place::new(3);
    let refusal = Action::EnvelopeError {
        code: "4711".to_owned(),
        message: "not now".to_owned(),
    };
    place
        .simulator
        .add_fault(Rule::new(refusal).path("/v1/member/M1"))
        .unwrap();
    expect(&mut place.get(), 1);
    let journal = Connection::open(place.journal()).unwrap();
    let row = |item: u32| {
        journal
            .query_row(
                "SELECT state, tries, result ->> '$[0].data.cardNo', error ->> '$.kind', length(digest),
                     started <= ended AND datetime(ended) > '2025-01-01' FROM items WHERE item = ?1",
                [item],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, u32>(1)?,
                        row.get::<_, Option<String>>(2)?,
                        row.get::<_, Option<String>>(3)?,
                        (row.get::<_, u32>(4)?, row.get::<_, bool>(5)?),
                    ))
                },
            )
            .unwrap()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(row(0), ("done".to_owned(), 1, text("M0"), None, (32, true)));
    assert_eq!(
        row(1),
        ("failed".to_owned(), 1, None, text("rejected"), (32, true))
    );
    let operation: String = journal
        .query_row("SELECT value FROM run WHERE name = 'operation'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(operation, "member.getMember");
}

/// The command with a limit on file size, in blocks of 512 bytes: a full disk, as far as `SQLite` can tell.
fn limited(command: &Command, blocks: u32) -> Command {
    let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    through("sh", &["-c", &line], command)
}

#[cfg(unix)]
#[test]
fn a_journal_without_room_to_begin_with_sends_nothing() {
    let place = Place::new(3);
    // A node with so little memory that only the journal reaches the limit.
    let small = hostile("panics");
    expect(nodule().arg("describe").arg(&small), 0);
    let command = || {
        let mut command = nodule();
        command.arg("run").arg(&small).args(["things", "read"]);
        let mut command = place.on(command);
        let base_url = place.simulator.base_url();
        command.env("NODULE_CREDENTIAL", format!(r#"{{"baseUrl":"{base_url}"}}"#));
        command
    };
    let output = expect(&mut limited(&command(), 32), 2);
    assert!(
        stderr(&output).contains("run.sqlite cannot grow"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("make room"), "{}", stderr(&output));
    assert_eq!(lines(&output).len(), 0);
    assert_eq!(place.simulator.stats().requests, 0);
    // The remains do not get in the way.
    assert_eq!(lines(&expect(&mut command(), 0)).len(), 3);
}

#[cfg(unix)]
#[test]
fn a_journal_that_cannot_grow_ends_the_run_and_keeps_what_was_recorded() {
    let place = Place::new(2_000);
    // Compiled beforehand, so that only the journal reaches the limit.
    expect(nodule().arg("describe").arg(component()), 0);
    let output = expect(&mut limited(&place.get(), 128), 4);
    assert!(stderr(&output).contains("cannot grow"), "{}", stderr(&output));
    assert!(stderr(&output).contains("make room"), "{}", stderr(&output));
    let given = lines(&output);
    assert!(!given.is_empty() && given.len() < 2_000, "{}", given.len());
    assert!(given.iter().filter(|line| line.get("json").is_some()).count() > 0);

    let output = expect(&mut place.get(), 0);
    let lines = lines(&output);
    assert_eq!(lines.len(), 2_000);
    assert!(lines.iter().all(|line| line.get("json").is_some()));
}
