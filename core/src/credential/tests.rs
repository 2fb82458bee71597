//! Which of a node's credentials a file is, and what nodes may see of it.

use super::*;
use crate::description::EXAMPLE;

fn node() -> Node {
    serde_json::from_str(EXAMPLE).unwrap()
}

fn read(text: &str) -> Result<Credential, String> {
    Credential::from_json(&node(), text).map_err(|error| error.to_string())
}

const FIXED: &str = r#"{"$credential": "cityLibraryTokenApi", "baseUrl": "https://library.example/api/", "reader": "ann",
    "key": "k3y", "branch": "bus"}"#;

#[test]
fn a_file_says_which_credential_it_is() {
    let credential = read(FIXED).unwrap();
    assert_eq!(credential.name(), "cityLibraryTokenApi");
    let names = "`cityLibraryApi`, `cityLibraryTokenApi`, `cityLibraryOAuth2Api`, `cityLibraryMachineApi`, `cityLibrarySignedApi`";
    for (text, expected) in [
        (
            r#"{"baseUrl": "https://library.example"}"#,
            format!("credential: `$credential` is missing: it says which of {names} this is"),
        ),
        (
            r#"{"$credential": "otherApi"}"#,
            format!("credential: `otherApi` is none of {names}"),
        ),
        (
            r#"{"$credential": ["cityLibraryApi"]}"#,
            format!("credential: `$credential`: expected one of {names}"),
        ),
        (
            r#"{"$credential": "cityLibraryApi", "baseUrl": "https://library.example", "branch": "bus"}"#,
            "credential: `branch` is not one of its fields: `baseUrl`, `reader`, `key`".to_owned(),
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), expected);
    }
}

#[test]
fn the_only_credential_need_not_be_named() {
    let mut node = node();
    node.credentials.truncate(1);
    let text = r#"{"baseUrl": "https://library.example", "reader": "ann", "key": "k3y"}"#;
    for text in [
        text.to_owned(),
        text.replacen('{', r#"{"$credential": "cityLibraryApi", "#, 1),
    ] {
        let credential = Credential::from_json(&node, &text).unwrap();
        assert_eq!(credential.name(), "cityLibraryApi");
        assert!(
            !credential.json().expose().contains("$credential"),
            "no field of it"
        );
    }
    node.credentials.clear();
    let error = Credential::from_json(&node, text).unwrap_err();
    assert_eq!(error.to_string(), "credential: `cityLibrary` takes none");
}

#[test]
fn a_node_sees_what_is_neither_secret_nor_the_base_url() {
    let credential = read(FIXED).unwrap();
    assert_eq!(credential.settings(), r#"{"reader":"ann","branch":"bus"}"#);
    assert_eq!(credential.value("key").map(Secret::expose), Some("k3y"));
    assert_eq!(credential.value("tokenHint").map(Secret::expose), None);
    assert_eq!(credential.base_text(), "https://library.example/api");
    assert!(!format!("{credential:?}").contains("k3y"));
    let defaults = read(
        r#"{"$credential": "cityLibraryOAuth2Api", "baseUrl": "https://library.example", "clientId": "c"}"#,
    );
    assert_eq!(defaults.unwrap().settings(), r#"{"city":"bern","clientId":"c"}"#);
}

/// A condition on a field with a default holds for the default too.
#[test]
fn a_field_is_required_only_while_it_is_shown() {
    use crate::description::{Condition, Holds};

    let mut node = node();
    let secret = node
        .parameters
        .iter_mut()
        .find(|it| it.id == "credential.clientSecret")
        .unwrap();
    secret.required = true;
    secret.visible_when = vec![Condition {
        parameter: "credential.city".to_owned(),
        holds: Holds::OneOf(vec![Json::from("uri")]),
    }];
    let read = |city: &str| {
        let text = format!(
            r#"{{"$credential": "cityLibraryOAuth2Api", "baseUrl": "https://library.example", {city} "clientId": "c"}}"#
        );
        Credential::from_json(&node, &text)
            .map(|it| it.name().to_owned())
            .map_err(|it| it.message)
    };
    assert_eq!(read("").unwrap(), "cityLibraryOAuth2Api");
    assert_eq!(read(r#""city": "bern","#).unwrap(), "cityLibraryOAuth2Api");
    assert_eq!(
        read(r#""city": "uri","#).unwrap_err(),
        "Client Secret (`clientSecret`) is missing"
    );
}

#[test]
fn a_replay_has_the_defaults_of_its_credential() {
    let mut node: Node = serde_json::from_str(EXAMPLE).unwrap();
    let is_reader = |field: &&mut Parameter| field.id == "credential.reader";
    node.parameters.iter_mut().find(is_reader).unwrap().default = Some("ann".into());
    let made = Credential::dummy(&node, None, "https://library.example").unwrap();
    assert_eq!(made.value("reader").map(Secret::expose), Some("ann"));
    assert_eq!(made.value("key").map(Secret::expose), Some("replay"));
    assert_eq!(made.base_text(), "https://library.example");
}

#[test]
fn a_replay_binds_the_credential_that_its_recording_names() {
    let node: Node = serde_json::from_str(EXAMPLE).unwrap();
    let base = "https://library.example";
    let name =
        |wanted: Option<&str>| Credential::dummy(&node, wanted, base).map(|made| made.name().to_owned());
    for known in &node.credentials {
        assert_eq!(name(Some(&known.name)).unwrap(), known.name);
    }
    assert_eq!(
        name(None).unwrap(),
        node.credentials[0].name,
        "older recordings name none"
    );
    let error = name(Some("gone")).unwrap_err().to_string();
    assert!(error.contains("`gone` is none of `cityLibraryApi`"), "{error}");
}
