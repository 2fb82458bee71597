//! Responses of the command to wrong usage, and the output of `describe`: status, standard output and standard error.

use std::collections::HashSet;
use std::process::Command;

use serde_json::Value;
use simulator::Config;

use crate::support::{
    assert_every_operation, cases, component, credential, described, expect, nodule, run, simulator, stderr,
    stdout,
};

/// What a command prints on standard error when it refuses.
fn refused(command: &mut Command, code: i32) -> String {
    let output = expect(command, code);
    assert_eq!(stdout(&output), "", "data only");
    stderr(&output)
}

#[test]
fn an_unknown_operation_is_named_with_the_nearest() {
    assert_eq!(
        refused(&mut run("points", "adjustPoint"), 2),
        "error: unknown operation `adjustPoint` of the group `points`\n\nhint: did you mean `adjustPoints`?\n"
    );
    assert_eq!(
        refused(&mut run("point", "adjustPoints"), 2),
        "error: unknown group `point`\n\nhint: did you mean `points`?\n"
    );
}

#[test]
fn what_a_form_does_not_ask_is_said_before_anything_is_sent() {
    for (command, parameter, expected) in [
        (
            "choices",
            "card",
            "error: unknown parameter `card` of the operation `member.getMember`",
        ),
        (
            "fields",
            "member.getMember.cardNo",
            "error: the parameter `member.getMember.cardNo` has no columns to ask the service for",
        ),
    ] {
        let mut asked = nodule();
        asked
            .arg(command)
            .arg(component())
            .args(["member", "getMember", parameter]);
        let hint = "hint: no parameter of the operation has any";
        assert_eq!(refused(&mut asked, 2), format!("{expected}\n\n{hint}\n"));
    }
}

#[test]
fn without_a_credential_the_remedy_is_said() {
    assert_eq!(
        refused(run("member", "getMember").args(["--param", "cardNo=M1"]), 2),
        "error: the node needs a credential (`socialHubApi`), and none was given\n\nhint: give it by `--credential FILE`, a \
         JSON object, or in the variable NODULE_CREDENTIAL; never as an argument\n"
    );
}

#[test]
fn a_variable_that_is_set_to_nothing_is_no_credential() {
    for empty in ["", " \n"] {
        let mut command = run("member", "getMember");
        command
            .env("NODULE_CREDENTIAL", empty)
            .args(["--param", "cardNo=M1"]);
        let error = refused(&mut command, 2);
        assert!(error.contains("none was given"), "{empty:?}: {error}");
    }
}

#[test]
fn a_credential_of_another_editor_is_read() {
    let text = "\u{feff}{\"baseUrl\":\"http://127.0.0.1:1\",\"appId\":\"demo\",\"appSecret\":\"s\"}";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [text.as_bytes(), &utf16] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut command = run("member", "getMember");
        command
            .args(["--dry-run", "--param", "cardNo=M1", "--credential"])
            .arg(file.path());
        expect(&mut command, 0);
    }
    let mut command = run("member", "getMember");
    command
        .args(["--dry-run", "--param", "cardNo=M1"])
        .env("NODULE_CREDENTIAL", text);
    expect(&mut command, 0);
}

/// A secret copied from a file often includes the trailing line break, and the service only refuses it.
#[test]
fn a_secret_with_a_line_break_at_its_end_is_named_where_the_service_refuses_it() {
    let simulator = simulator(Config::default());
    let mut credential: serde_json::Value = serde_json::from_str(&credential(&simulator)).unwrap();
    let secret = format!("{}\n", credential["appSecret"].as_str().unwrap());
    credential["appSecret"] = secret.into();
    let mut command = nodule();
    command
        .arg("check-credential")
        .arg(component())
        .env("NODULE_CREDENTIAL", credential.to_string());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(
        error.contains("its App Secret begins or ends with a blank or a line break"),
        "{error}"
    );
}

#[test]
fn a_credential_without_a_base_url_or_with_an_unknown_field_is_refused_and_not_shown() {
    for (credential, expected) in [
        (
            r#"{"appId":"demo","appSecret":"s3cr3t"}"#,
            "Base URL (`baseUrl`) is missing: it says where the secret may be sent (the usual one is \
             `https://s1.socialhub.ai/openapi-prod`)",
        ),
        (
            r#"{"baseUrl":"http://127.0.0.1","appId":"demo","appSecret":"s3cr3t","token":"s3cr3t"}"#,
            "`token` is not one of its fields: `baseUrl`, `appId`, `appSecret`",
        ),
        (
            r#"{"baseUrl":"ftp://x","appId":"demo","appSecret":"s3cr3t"}"#,
            "Base URL (`baseUrl`): ",
        ),
        (
            r#"{"baseUrl":"http://u:p@127.0.0.1","appId":"demo","appSecret":"s3cr3t"}"#,
            "Base URL (`baseUrl`): ",
        ),
        (
            r#"{"baseUrl":"http://127.0.0.1/?a=b","appId":"demo","appSecret":"s3cr3t"}"#,
            "without a query",
        ),
        ("s3cr3t", "expected a JSON object"),
    ] {
        let mut command = run("member", "getMember");
        let error = refused(command.env("NODULE_CREDENTIAL", credential), 2);
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_component_is_told_for_what_it_is() {
    let file = |bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    };
    for (bytes, expected) in [
        (
            &b""[..],
            "error: expected a WebAssembly component, found an empty file\n",
        ),
        (
            b"#!/bin/sh\n",
            "error: expected a WebAssembly component, found a file that is not WebAssembly\n",
        ),
        (
            b"\0asm\x01\0\0\0",
            "error: expected a WebAssembly component, found a core module\n",
        ),
        (
            b"\0asm\x0d\0\x01\0",
            "error: expected a component that exports `workflow:node/execution@0.2.0`, found no exports at all\n",
        ),
    ] {
        let file = file(bytes);
        let error = refused(nodule().arg("describe").arg(file.path()), 3);
        assert!(error.starts_with(expected), "{error}");
    }
    let error = refused(nodule().args(["describe", "nowhere.wasm"]), 2);
    assert!(error.starts_with("error: nowhere.wasm: No such file"), "{error}");
}

#[test]
fn a_pinned_component_that_changed_is_refused() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let error = refused(
        nodule()
            .arg("describe")
            .arg(component())
            .args(["--digest", &digest]),
        3,
    );
    assert!(
        error.contains(&format!(
            "expected a component with the digest `{digest}`, found `sha256:"
        )),
        "{error}"
    );
}

#[test]
fn a_policy_with_an_unknown_key_is_refused_with_its_line() {
    let policy = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        policy.path(),
        "[[allow]]\norigin = \"https://example.com\"\nmethod = [\"GET\"]\n",
    )
    .unwrap();
    let error = refused(run("member", "getMember").arg("--policy").arg(policy.path()), 2);
    assert!(
        error.contains(&format!("{}:3:", policy.path().display())) && error.contains("methods"),
        "{error}"
    );
}

#[test]
fn a_recording_that_cannot_be_read_is_named() {
    let error = refused(run("member", "getMember").args(["--replay", "nowhere.har"]), 2);
    assert!(error.contains("nowhere.har"), "{error}");
}

#[test]
fn the_json_description_holds_to_its_schema_and_comes_back_the_same() {
    let output = expect(
        nodule()
            .arg("describe")
            .arg(component())
            .args(["--format", "json"]),
        0,
    );
    let described: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let schema: Value = serde_json::from_str(nodule::description::SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = schema
        .iter_errors(&described)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(problems, Vec::<String>::new());
    let node: nodule::description::Node = serde_json::from_value(described.clone()).unwrap();
    assert_eq!(serde_json::to_value(&node).unwrap(), described);
    // Each resource has operations, and each operation belongs to a resource.
    let resources: HashSet<&String> = node.resources.iter().map(|resource| &resource.name).collect();
    let groups: HashSet<&String> = node.operations.iter().map(|operation| &operation.group).collect();
    assert_eq!(groups, resources);
}

#[test]
fn every_output_schema_is_a_schema_and_recorded_outputs_hold_to_it() {
    let node = described();
    let mut checked = HashSet::new();
    for operation in &node.operations {
        let schema =
            jsonschema::validator_for(&serde_json::to_value(&operation.output_schema).unwrap()).unwrap();
        let dir = cases().join(&operation.group);
        for file in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let recording: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let case = &recording["log"]["_case"];
            if case["operation"] != operation.name {
                continue;
            }
            for result in case["results"].as_array().unwrap() {
                for output in result["output"].as_array().into_iter().flatten() {
                    assert!(schema.is_valid(output), "{}: {output}", file.display());
                    checked.insert((operation.group.clone(), operation.name.clone()));
                }
            }
        }
    }
    assert_every_operation(&checked);
}
