//! What an author's commands do: `nodule new`, `nodule build`, `nodule dev`, `nodule record`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use simulator::{Config, DEMO_APP_ID, DEMO_APP_SECRET};

use crate::support::{author_s, component, expect, nodule, root, simulator, stderr, stdout};

/// A crate without dependencies: it compiles in a second.
fn a_crate(library: &str, source: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"acme-crm\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\n{library}\n[workspace]\n"
    );
    std::fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(dir.path().join("src")).unwrap();
    std::fs::write(dir.path().join("src/lib.rs"), source).unwrap();
    dir
}

/// What `nodule build` says of a crate that becomes no node.
fn refused(library: &str, source: &str) -> String {
    let dir = a_crate(library, source);
    let output = expect(nodule().arg("build").arg(dir.path()), 2);
    assert!(!dir.path().join("acme-crm.wasm").exists());
    stderr(&output)
}

const COMPONENT_LIBRARY: &str = "crate-type = [\"cdylib\"]\n";

#[test]
fn an_import_that_no_host_has_is_named_with_what_brings_it() {
    let source = "#[link(wasm_import_module = \"__wbindgen_placeholder__\")]\n\
        unsafe extern \"C\" { fn __wbindgen_describe(value: u32); }\n\
        #[unsafe(no_mangle)] extern \"C\" fn run() { unsafe { __wbindgen_describe(1) } }\n";
    let said = refused(COMPONENT_LIBRARY, source);
    assert!(
        said.contains("the module imports `__wbindgen_describe` from `__wbindgen_placeholder__`"),
        "{said}"
    );
    assert!(said.contains("cargo tree --invert wasm-bindgen"), "{said}");
}

#[test]
fn a_crate_that_is_no_node_is_told_what_makes_it_one() {
    let said = refused(
        COMPONENT_LIBRARY,
        "#[unsafe(no_mangle)] extern \"C\" fn run() {}\n",
    );
    assert!(said.contains("nodule_sdk::export!"), "{said}");
    let said = refused("", "pub fn run() {}\n");
    assert!(said.contains("crate-type = [\"cdylib\""), "{said}");
    let said = refused(COMPONENT_LIBRARY, "fn run() { missing() }\n");
    assert!(
        said.contains("cannot find function `missing`") && said.contains("it does not compile"),
        "{said}"
    );
}

#[test]
fn a_folder_that_holds_no_node_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let said = stderr(&expect(nodule().arg("build").arg(dir.path()), 2));
    assert!(
        said.contains("found neither Cargo.toml nor `[build]` in nodule.toml"),
        "{said}"
    );
    std::fs::write(dir.path().join("nodule.toml"), "[build]\ncommand = \"make\"\n").unwrap();
    let said = stderr(&expect(nodule().arg("build").arg(dir.path()), 2));
    assert!(
        said.contains("nodule.toml") && said.contains("unknown field `command`"),
        "{said}"
    );
}

/// A node in another language, whose build leaves this component.
fn built_by_commands(component: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("src")).unwrap();
    std::fs::copy(component, dir.path().join("src/node.wasm")).unwrap();
    let config = "[build]\ncommands = [[\"mkdir\", \"-p\", \"target\"], [\"cp\", \"src/node.wasm\", \"target/node.wasm\"]]\noutput = \"target/node.wasm\"\n";
    std::fs::write(dir.path().join("nodule.toml"), config).unwrap();
    dir
}

#[test]
fn commands_build_a_node_in_any_language() {
    let dir = built_by_commands(&component());
    let said = stdout(&expect(nodule().arg("build").arg(dir.path()), 0));
    let bytes = std::fs::read(component()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("target/node.wasm")).unwrap(), bytes);
    assert!(
        said.contains(&format!("target/node.wasm: {} bytes, sha256:", bytes.len())),
        "{said}"
    );
    assert!(
        said.contains("\nsocialHub 1: 18 operations\nimports wasi:"),
        "{said}"
    );
}

#[test]
fn a_build_that_fails_leaves_the_component_as_it_was() {
    let dir = built_by_commands(&component());
    expect(nodule().arg("build").arg(dir.path()), 0);
    let built = dir.path().join("target/node.wasm");
    std::fs::copy(&built, dir.path().join("kept.wasm")).unwrap();
    std::fs::write(dir.path().join("src/node.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    // To a name of its own, since the commands write to the other.
    let mut again = nodule();
    again
        .arg("build")
        .arg(dir.path())
        .arg("-o")
        .arg(dir.path().join("kept.wasm"));
    let said = stderr(&expect(&mut again, 3));
    assert!(said.contains("error:"), "{said}");
    assert_eq!(
        std::fs::read(dir.path().join("kept.wasm")).unwrap(),
        std::fs::read(component()).unwrap()
    );
    std::fs::remove_file(dir.path().join("src/node.wasm")).unwrap();
    let said = stderr(&expect(nodule().arg("build").arg(dir.path()), 2));
    assert!(
        said.contains("`cp src/node.wasm target/node.wasm` failed"),
        "{said}"
    );
}

/// Cases of a member, to be recorded, and a credential for another place.
fn to_be_recorded(cases: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in cases {
        let file = dir.path().join("cases").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let credential =
        json!({"baseUrl": "http://127.0.0.1:9", "appId": DEMO_APP_ID, "appSecret": DEMO_APP_SECRET});
    std::fs::write(dir.path().join("credential.json"), credential.to_string()).unwrap();
    dir
}

fn record(dir: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let mut record = nodule();
    record
        .arg("record")
        .args(arguments)
        .arg("--component")
        .arg(component());
    record.args(["--credential", "credential.json"]).current_dir(dir);
    let output = expect(&mut record, code);
    (stdout(&output), stderr(&output))
}

const MEMBER: &str = "[[items]]\ncardNo = \"M17\"\n\n[[items]]\ncardNo = \"M18\"\n";

#[test]
fn a_case_is_recorded_from_its_items_at_the_given_base_url() {
    let simulator = simulator(Config::default());
    let dir = to_be_recorded(&[
        ("member/getMember.toml", MEMBER),
        ("member/getMember-again.toml", MEMBER),
    ]);
    let base = simulator.base_url();
    let at = ["--base-url", &base, "--recorded-against", "simulator"];
    let one = ["cases/member/getMember-again.toml"];
    let (out, err) = record(dir.path(), &[&one[..], &at].concat(), 0);
    assert_eq!(out, "recorded cases/member/getMember-again.har\n");
    assert!(err.contains(&format!("credential: bound to {base}")), "{err}");

    let (out, _) = record(dir.path(), &[&["--all"][..], &at].concat(), 0);
    assert_eq!(
        out,
        "recorded cases/member/getMember-again.har\nrecorded cases/member/getMember.har\n"
    );
    let mut check = nodule();
    check.arg("check").arg(component()).arg(dir.path().join("cases"));
    let checked = stdout(&check.output().unwrap());
    assert!(
        checked.starts_with("ok      member/getMember-again.har\nok      member/getMember.har\n"),
        "{checked}"
    );
    let text = std::fs::read_to_string(dir.path().join("cases/member/getMember.har")).unwrap();
    assert!(!text.contains(DEMO_APP_SECRET));
    let recording: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        recording["log"]["_case"]["items"],
        json!([{"cardNo": "M17"}, {"cardNo": "M18"}])
    );
    assert_eq!(recording["log"]["_recordedAgainst"], "simulator");
}

#[test]
fn a_service_that_is_not_there_replaces_no_recording() {
    let dir = to_be_recorded(&[("member/getMember.toml", MEMBER)]);
    let recording = dir.path().join("cases/member/getMember.har");
    std::fs::write(&recording, "as it was").unwrap();
    let (out, err) = record(dir.path(), &["--all"], 1);
    assert!(
        out.starts_with("FAILED  cases/member/getMember.har\n        item 0: "),
        "{out}"
    );
    assert!(err.contains("`fails = true`"), "{err}");
    assert_eq!(std::fs::read_to_string(recording).unwrap(), "as it was");
}

#[test]
fn a_case_that_is_to_fail_is_recorded_if_it_fails() {
    let simulator = simulator(Config::default());
    let fails = "fails = true\n[[items]]\ncardNo = \" \"\n";
    let succeeds = "fails = true\n[[items]]\ncardNo = \"M17\"\n";
    let dir = to_be_recorded(&[
        ("member/getMember-blank.toml", fails),
        ("member/getMember-none.toml", succeeds),
    ]);
    let (out, err) = record(dir.path(), &["--all", "--base-url", &simulator.base_url()], 1);
    assert_eq!(
        out,
        "recorded cases/member/getMember-blank.har\nFAILED  cases/member/getMember-none.har\n"
    );
    assert!(err.contains("no item failed"), "{err}");
}

#[test]
fn a_wrong_case_is_named_before_anything_is_sent() {
    for (name, text, expected) in [
        (
            "member/getMembr.toml",
            MEMBER,
            "no operation of the node fits `member/getMembr`",
        ),
        ("member/getMember.toml", "items = 1\n", "line 1: invalid type"),
        (
            "member/getMember.toml",
            "[[items]]\n[[item]]\n",
            "unknown field `item`",
        ),
    ] {
        let dir = to_be_recorded(&[(name, text)]);
        let (_, err) = record(dir.path(), &["--all"], 2);
        assert!(err.contains(expected) && err.contains(name), "{err}");
        assert!(!err.contains("bound to"), "{err}");
    }
}

#[test]
fn a_component_that_changes_is_built_again_and_its_difference_is_shown() {
    let dir = built_by_commands(&component());
    let mut dev = nodule();
    dev.arg("dev")
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut dev = dev.spawn().unwrap();
    let mut lines = BufReader::new(dev.stdout.take().unwrap()).lines();
    let mut until = |expected: &str| {
        let found = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(expected));
        assert!(found.is_some(), "{expected}: not said before the end");
    };
    until("socialHub 1: 18 operations");
    until("imports wasi:random/random");
    let other = root().join("target/hostile/calls.wasm");
    std::fs::copy(other, dir.path().join("src/node.wasm")).unwrap();
    until("-  \"name\": \"socialHub\"");
    dev.kill().unwrap();
    dev.wait().unwrap();
}

#[test]
fn a_new_node_builds_and_passes_its_tests_and_its_case() {
    let dir = tempfile::tempdir().unwrap();
    expect(nodule().args(["new", "acme-crm"]).current_dir(dir.path()), 0);
    let node = dir.path().join("acme-crm");
    let mut test = Command::new(env!("CARGO"));
    test.args(["test", "--quiet", "--offline"]).current_dir(&node);
    expect(author_s(&mut test), 0);
    let built = stdout(&expect(author_s(nodule().arg("build").current_dir(&node)), 0));
    assert!(built.contains("\nacmeCrm 1: 1 operation\n"), "{built}");
    let described = stdout(&expect(
        nodule().args(["describe", "acme-crm.wasm"]).current_dir(&node),
        0,
    ));
    assert!(described.contains("Acme Crm"), "{described}");
    let checked = stdout(&expect(
        nodule()
            .args(["check", "acme-crm.wasm", "cases"])
            .current_dir(&node),
        0,
    ));
    assert_eq!(checked, "ok      thing/get.har\n1 passed, 0 failed\n");

    let again = stderr(&expect(
        nodule().args(["new", "acme-crm"]).current_dir(dir.path()),
        4,
    ));
    assert!(again.contains("acme-crm: File exists"), "{again}");
    let wrong = stderr(&expect(
        nodule().args(["new", "../acme"]).current_dir(dir.path()),
        2,
    ));
    assert!(
        wrong.contains("lower-case letters, digits and hyphens"),
        "{wrong}"
    );
}
