//! Descriptions that would take long to check or become large are refused, or checked in time.

use std::time::{Duration, Instant};

use crate::json;
use crate::json::Json;

use super::super::*;
use super::{library, parameter, problems, read};

/// Each of these took minutes: the product of two lists, in each of many forms.
#[test]
fn a_check_takes_time_in_proportion_to_the_description() {
    let clock = Instant::now();
    let id = |index: usize| format!("{}{index:05}", "a".repeat(40));
    // Rows whose columns are the last of very many parameters, with a default of very many rows.
    let mut node = read(&library()).unwrap();
    let text = node.parameters[1].clone();
    node.parameters.extend((0..9_000).map(|index| Parameter {
        id: id(index),
        name: id(index),
        kind: Kind::Text,
        ..text.clone()
    }));
    let columns: Vec<String> = (8_700..9_000).map(id).collect();
    let row = Json::Object([(id(8_999), json!(""))].into_iter().collect());
    node.parameters.push(Parameter {
        id: "rows".to_owned(),
        name: "rows".to_owned(),
        kind: Kind::Rows(RowShape {
            key: Some("row".to_owned()),
            display_name: "Row".to_owned(),
            columns,
            min: 0,
            max: None,
        }),
        default: Some(json!({ "row": vec![row; 20_000] })),
        ..text.clone()
    });
    node.operations[0].parameters.push("rows".to_owned());
    // The only fault is that most of them belong to nothing.
    let found = node.check().unwrap_err();
    assert!(
        found
            .iter()
            .all(|it| it.message.contains("belongs to no operation")),
        "{found:?}"
    );

    // Conditions on a choice with very many values, in very many forms, and the parameters of keyed operations.
    let mut node = read(&library()).unwrap();
    let known = (0..1_000).map(|index| Choice {
        label: "x".to_owned(),
        value: json!(index),
        summary: String::new(),
    });
    let choice = |id: &str, kind: Kind| Parameter {
        id: id.to_owned(),
        name: id.to_owned(),
        kind,
        ..text.clone()
    };
    node.parameters.push(choice(
        "subject",
        Kind::Choice(Choices {
            known: known.collect(),
            open: false,
            dynamic: None,
        }),
    ));
    for number in 0..10 {
        let mut dependant = choice(&format!("dependant{number}"), Kind::Text);
        dependant.visible_when = vec![
            Condition {
                parameter: "subject".to_owned(),
                holds: Holds::OneOf((0..1_000).rev().map(|index| json!(index)).collect()),
            };
            3
        ];
        node.parameters.push(dependant);
    }
    let operation = node.operations[0].clone();
    node.operations.extend((0..20).map(|index| {
        Operation {
            name: format!("o{index}"),
            parameters: (0..10)
                .map(|number| format!("dependant{number}"))
                .chain(["subject".to_owned()])
                .collect(),
            effect: Effect::Keyed("subject".to_owned()),
            write_requests: 1,
            emits: false,
            gives_files: false,
            ..operation.clone()
        }
    }));
    assert_eq!(node.check().err(), None);
    assert!(clock.elapsed() < Duration::from_secs(20), "{:?}", clock.elapsed());
}

#[test]
fn values_of_json_and_bytes_of_forms_are_limited() {
    let many = problems(|node| node.hints = Some(json!({ "a": vec![0; MAX_JSON_VALUES] })));
    assert!(
        many[0].starts_with("node: expected at most 250000 values of JSON, found 2500"),
        "{many:?}"
    );
    let text = format!("[{}0]", "0,".repeat(MAX_JSON_BYTES / 2 - 2));
    assert!(parse_json(&text, "a").is_ok(), "as many values as bytes allow");
    let large = problems(|node| {
        let summary = "x".repeat(MAX_SUMMARY_CHARS);
        let choice = |index: usize| Choice {
            label: "x".to_owned(),
            value: json!(index),
            summary: summary.clone(),
        };
        parameter(node, "loan.lend.identify").kind = Kind::Choice(Choices {
            known: (0..900).map(choice).collect(),
            open: false,
            dynamic: None,
        });
        let lend = node.operations[3].clone();
        for index in 0..5 {
            node.operations.push(Operation {
                name: format!("lend{index}"),
                ..lend.clone()
            });
        }
    });
    assert!(
        large[0].starts_with("node: expected at most 8388608 bytes of parameters in all forms, found 1"),
        "{large:?}"
    );
}
