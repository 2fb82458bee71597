//! What a dependency on this library does to the rest of a program.

use std::process::Command;

use serde::Deserialize;

/// The library turns on no feature of `serde_json` that changes what a dependent's own code reads or writes:
/// `arbitrary_precision` breaks numbers behind serde's attributes, and `preserve_order` changes the order of keys.
#[test]
fn the_library_turns_on_no_feature_that_changes_other_code() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "nodule-host",
            "--invert",
            "serde_json",
        ])
        .args(["--edges", "normal,features", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    assert!(text.contains("serde_json feature \"raw_value\""), "{text}");
    for feature in [
        "arbitrary_precision",
        "preserve_order",
        "float_roundtrip",
        "unbounded_depth",
    ] {
        assert!(
            !text.contains(&format!("serde_json feature \"{feature}\"")),
            "{text}"
        );
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Reading {
    Float(f64),
    Text(String),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type")]
enum Event {
    Measured { value: f64 },
}

/// This also applies to this program, for which every feature of the workspace is on.
#[test]
fn the_numbers_of_other_code_are_floats() {
    assert_eq!(
        serde_json::from_str::<Reading>("1.5").unwrap(),
        Reading::Float(1.5)
    );
    assert_eq!(
        serde_json::from_str::<Event>(r#"{"type":"Measured","value":2.0}"#).unwrap(),
        Event::Measured { value: 2.0 }
    );
    assert_eq!(
        serde_json::json!(1.0),
        serde_json::from_str::<serde_json::Value>("1.00").unwrap()
    );
}

/// The library's own documents keep their digits all the same.
#[test]
fn the_numbers_of_the_library_keep_their_digits() {
    let text = r#"{"kind":"odd","message":"m","detail":[1.50,1e400,12345678901234567890]}"#;
    let detail = nodule::json::Json::parse("[1.50,1e400,12345678901234567890]").unwrap();
    let failure = nodule::Failure::Other {
        kind: "odd".to_owned(),
        message: "m".to_owned(),
        detail: Some(detail),
    };
    assert_eq!(failure.to_json().to_string(), text);
}
