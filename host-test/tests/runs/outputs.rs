//! A command's output never replaces one of its inputs, a device or a pipe, and a run that does not start replaces
//! nothing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use simulator::{Config, Simulator};
use tempfile::TempDir;

use crate::support::{credential, expect, nodule, run, simulator, stderr};
use crate::through;

const ITEMS: &str = "{\"cardNo\":\"M0\"}\n{\"cardNo\":\"M1\"}\n";
const OLD: &str = "what was there before\n";

struct Place {
    folder: TempDir,
    simulator: Simulator,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
            simulator: simulator(Config::default()),
        };
        place.write("items.jsonl", ITEMS);
        place.write("credential.json", &credential(&place.simulator));
        place.write("policy.toml", "");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// In the folder, without items.
    fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = run("member", "getMember");
        command
            .current_dir(self.folder.path())
            .args(["--credential", "credential.json"])
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Command {
        self.bare(&[&["--items", "items.jsonl"], arguments].concat())
    }

    /// A shell's line, in which `$@` is the command.
    fn shell(&self, line: &str, arguments: &[&str]) -> Command {
        through("sh", &["-c", line, "sh"], &self.run(arguments))
    }
}

#[test]
fn an_output_that_is_an_input_or_another_output_is_refused_and_nothing_is_lost() {
    let place = Place::new();
    fs::hard_link(place.at("items.jsonl"), place.at("hard.jsonl")).unwrap();
    symlink("items.jsonl", place.at("link.jsonl")).unwrap();
    for (arguments, names) in [
        (&["--failed", "items.jsonl"][..], ["--items", "--failed"]),
        (&["--output", "./items.jsonl"], ["--items", "--output"]),
        (&["--summary", "hard.jsonl"], ["--items", "--summary"]),
        (&["--record", "link.jsonl"], ["--items", "--record"]),
        (&["--journal", "items.jsonl"], ["--items", "--journal"]),
        (&["--output", "credential.json"], ["--credential", "--output"]),
        (
            &["--policy", "policy.toml", "--failed", "policy.toml"],
            ["--policy", "--failed"],
        ),
        (
            &["--output", "new", "--failed", "./new"],
            ["--output", "--failed"],
        ),
        (
            &["--summary", "new", "--record", "new"],
            ["--summary", "--record"],
        ),
        (
            &["--journal", "j.sqlite", "--output", "j.sqlite-wal"],
            ["--journal", "--output"],
        ),
        (&["--summary", "-"], ["--output", "--summary"]),
    ] {
        let before = place.names();
        let output = expect(&mut place.run(arguments), 2);
        let told = stderr(&output);
        let expected = format!("{} and {} are the same file", names[0], names[1]);
        assert!(told.contains(&expected), "{arguments:?}: {told}");
        assert!(told.contains("give another file"), "{told}");
        assert_eq!(place.names(), before, "{arguments:?}");
        assert_eq!(place.text("items.jsonl"), ITEMS);
        assert!(place.text("credential.json").starts_with('{'));
    }
    // Files that the shell opened.
    for (line, expected) in [
        (
            "exec \"$@\" >> items.jsonl",
            "standard output and --items are the same file",
        ),
        // The message itself goes into that file.
        ("exec \"$@\" 2>> items.jsonl", ""),
    ] {
        let output = expect(&mut place.shell(line, &[]), 2);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(place.text("items.jsonl").starts_with(ITEMS));
    }
    assert_eq!(place.simulator.stats().requests, 0);
}

#[test]
fn standard_input_is_compared_too() {
    let place = Place::new();
    let mut command = place.bare(&["--items", "-", "--failed", "items.jsonl"]);
    command.stdin(fs::File::open(place.at("items.jsonl")).unwrap());
    let told = stderr(&expect(&mut command, 2));
    assert!(told.contains("--items and --failed are the same file"), "{told}");
    assert_eq!(place.text("items.jsonl"), ITEMS);
}

#[test]
fn a_run_that_does_not_start_loses_nothing() {
    let place = Place::new();
    expect(&mut place.run(&["--journal", "run.sqlite", "--output", "out"]), 0);
    let requests = place.simulator.stats().requests;
    let outputs = ["out", "failed", "summary", "run.har"];
    let arguments = ["--output", "out", "--failed", "failed", "--summary", "summary"];
    for name in outputs {
        place.write(name, OLD);
    }
    place.write("broken.toml", "no = policy");
    place.write("other.jsonl", "{\"cardNo\":\"M7\"}\n");
    for more in [
        // Other items.
        &[
            "--items",
            "other.jsonl",
            "--journal",
            "run.sqlite",
            "--record",
            "run.har",
        ][..],
        &["--items", "items.jsonl", "--record", "none/run.har"],
        &["--items", "items.jsonl", "--record", "/dev/null/run.har"],
        &["--items", "items.jsonl", "--journal", "none/run.sqlite"],
        &["--items", "items.jsonl", "--policy", "broken.toml"],
        &["--items", "none.jsonl"],
        &["--items", "items.jsonl", "--credential", "none.json"],
        &["--items", "items.jsonl", "--digest", "sha256:00"],
    ] {
        let before = place.names();
        let output = place.bare(&[&arguments[..], more].concat()).output().unwrap();
        assert!(
            matches!(output.status.code(), Some(2 | 3)),
            "{more:?}: {}",
            stderr(&output)
        );
        for name in outputs {
            assert_eq!(place.text(name), OLD, "{more:?}");
        }
        assert_eq!(place.names(), before, "{more:?}");
    }
    // A second process with the same journal, as when a timer fires again.
    let mut first = place.bare(&["--items", "-", "--journal", "used.sqlite"]);
    let mut first = first
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    while !place.at("used.sqlite-wal").exists() {
        assert!(first.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    let refused = expect(
        &mut place.run(&[&arguments[..], &["--journal", "used.sqlite"]].concat()),
        2,
    );
    assert!(stderr(&refused).contains("in use"), "{}", stderr(&refused));
    for name in outputs {
        assert_eq!(place.text(name), OLD);
    }
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    assert_eq!(place.simulator.stats().requests, requests, "nothing was sent");
}

#[test]
fn what_is_no_file_stays_what_it_is() {
    let place = Place::new();
    let null = ["--output", "--failed", "--summary", "--record"].map(|flag| [flag, "/dev/null"]);
    expect(&mut place.run(&null.concat()), 0);
    let found = fs::metadata("/dev/null").unwrap();
    assert!(found.file_type().is_char_device());
    // A journal has to be a file, and leaves nothing beside a pipe.
    let made = Command::new("mkfifo").arg(place.at("pipe")).status();
    assert!(made.unwrap().success());
    let before = place.names();
    let told = stderr(&expect(&mut place.run(&["--journal", "pipe"]), 2));
    assert!(told.contains("pipe"), "{told}");
    assert_eq!(place.names(), before);
    // A pipe is written directly.
    let reader = {
        let path = place.at("pipe");
        std::thread::spawn(move || fs::read_to_string(path).unwrap())
    };
    expect(&mut place.run(&["--output", "pipe"]), 0);
    assert_eq!(reader.join().unwrap().lines().count(), 2);
    // The pipe's reader may be late, so the command says that it waits.
    let mut command = place.run(&["--output", "pipe"]);
    let mut waiting = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting for somebody who reads the pipe") {
        assert!(told.read_line(&mut line).unwrap() > 0, "{line}");
    }
    assert_eq!(place.text("pipe").lines().count(), 2);
    assert!(waiting.wait().unwrap().success());
    // A link still leads to the same file, which keeps its mode.
    place.write("real.har", OLD);
    symlink("real.har", place.at("link.har")).unwrap();
    expect(&mut place.run(&["--record", "link.har"]), 0);
    assert!(place.at("link.har").is_symlink());
    assert!(place.text("real.har").contains("\"entries\""));
}

#[test]
fn standard_output_by_another_name_is_standard_output() {
    let place = Place::new();
    expect(
        &mut place.shell(
            "echo before > out && exec \"$@\" >> out",
            &["--output", "/dev/stdout"],
        ),
        0,
    );
    let text = place.text("out");
    assert!(
        text.starts_with("before\n") && text.lines().count() == 3,
        "{text}"
    );
}

#[test]
fn a_run_that_is_killed_leaves_the_old_file_and_what_it_had() {
    let place = Place::new();
    place.write("out", OLD);
    let mut command = place.bare(&["--items", "-", "--output", "out"]);
    let mut running = command.stdin(Stdio::piped()).spawn().unwrap();
    {
        use std::io::Write as _;
        let stdin = running.stdin.as_mut().unwrap();
        stdin.write_all(ITEMS.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }
    let part = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap();
        let mut parts = names.map(|entry| entry.unwrap().path());
        parts.find(|path| path.extension().is_some_and(|extension| extension == "part"))
    };
    while part(place.folder.path()).is_none_or(|part| fs::read_to_string(part).unwrap().lines().count() < 2) {
        assert!(running.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(place.text("out"), OLD);
    assert!(part(place.folder.path()).is_some());
}

#[test]
fn a_dry_run_writes_in_the_same_way() {
    let place = Place::new();
    let refused = expect(&mut place.run(&["--dry-run", "--output", "items.jsonl"]), 2);
    assert!(stderr(&refused).contains("are the same file"));
    assert_eq!(place.text("items.jsonl"), ITEMS);
    expect(&mut place.run(&["--dry-run", "--output", "out"]), 0);
    assert_eq!(place.text("out").lines().count(), 2);
    let mut command = nodule();
    command.args(["run", "none.wasm", "a", "b", "--output", "out"]);
    assert!(
        !command
            .current_dir(place.folder.path())
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(place.text("out").lines().count(), 2);
}
