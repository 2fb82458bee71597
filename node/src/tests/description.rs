//! The description against the vendor's form, and what engines rely on.

use std::collections::{HashMap, HashSet};

use crate::operations::OPERATIONS;
use nodule_sdk::bindings::exports::workflow::node::description::{Effect, Holds, Kind, Parameter, Scheme};
use nodule_sdk::describe;
use nodule_sdk::json::{self, elements, object, string};
use nodule_sdk::table;

use crate::SERVICE;

const FORM: &str = include_str!("../../tests/vendor-form.json");

/// Where ours differs from the vendor's form on purpose: `operation.parameter`, and what differs. A real n8n is compared with it too.
const DIFFERENCES: &str = include_str!("../../tests/vendor-differences.json");

fn members(raw: &str) -> HashMap<String, &str> {
    let members = object(raw).unwrap().0.into_iter();
    members.map(|(name, value)| (name.into_owned(), value)).collect()
}

fn text(members: &HashMap<String, &str>, name: &str) -> String {
    string(members[name]).unwrap().into_owned()
}

fn vendor_kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Integer(_) | Kind::Number(_) => "number",
        Kind::Boolean => "boolean",
        Kind::DateTime => "dateTime",
        Kind::Choice(_) => "options",
        Kind::AnyJson => "json",
        Kind::Rows(_) => "fixedCollection",
        Kind::Date => "date",
        _ => "string",
    }
}

/// The form's default as the description would give it: a blank is none, and so is an empty collection.
fn vendor_default(raw: &str) -> Option<String> {
    match raw {
        r#""""# | "null" | "{}" | "[]" => None,
        r#""{}""# => Some("{}".to_owned()),
        raw => Some(raw.to_owned()),
    }
}

fn one_of(holds: &Holds) -> &[String] {
    match holds {
        Holds::OneOf(values) => values,
        holds => panic!("{holds:?}"),
    }
}

/// Compare one level of parameters; every difference that is found goes into `found`.
fn compare(
    ours: &[&Parameter],
    form: &str,
    at: &str,
    all: &HashMap<&str, &Parameter>,
    found: &mut Vec<(String, &'static str)>,
) {
    let form: Vec<_> = elements(form).unwrap().into_iter().map(members).collect();
    let names: Vec<String> = form.iter().map(|vendor| text(vendor, "name")).collect();
    let known: Vec<&str> = ours
        .iter()
        .map(|p| p.name.as_str())
        .filter(|name| names.iter().any(|n| n == name))
        .collect();
    assert_eq!(known, names, "{at}: names in the form's order");
    for parameter in ours {
        let at = format!("{at}.{}", parameter.name);
        let Some(vendor) = form.iter().find(|vendor| text(vendor, "name") == parameter.name) else {
            found.push((at, "added"));
            continue;
        };
        assert_eq!(parameter.display_name, text(vendor, "label"), "{at}");
        let mut differs = |is_different: bool, what: &'static str| {
            if is_different {
                found.push((at.clone(), what));
            }
        };
        differs(vendor_kind(&parameter.kind) != text(vendor, "type"), "type");
        differs(parameter.required != (vendor["required"] == "true"), "required");
        let default = parameter.default.clone().filter(|default| default != r#""""#);
        differs(default != vendor_default(vendor["default"]), "default");
        let condition = parameter.visible_when.iter().map(|condition| {
            format!(
                r#"{{"{}": [{}]}}"#,
                all[condition.parameter.as_str()].name,
                one_of(&condition.holds).join(", ")
            )
        });
        let shown_when = vendor.get("shownWhen").map(|raw| (*raw).to_owned());
        differs(
            condition.collect::<Vec<_>>() != shown_when.into_iter().collect::<Vec<_>>(),
            "condition",
        );
        let choices: Vec<(String, String)> = match &parameter.kind {
            Kind::Choice(choices) => choices
                .known
                .iter()
                .map(|choice| (choice.value.clone(), choice.label.clone()))
                .collect(),
            _ => Vec::new(),
        };
        let vendor_choices: Vec<(String, String)> = vendor.get("choices").map_or(Vec::new(), |raw| {
            elements(raw)
                .unwrap()
                .into_iter()
                .map(members)
                .map(|c| (c["value"].to_owned(), text(&c, "label")))
                .collect()
        });
        assert_eq!(choices, vendor_choices, "{at}");
        if let Kind::Rows(shape) = &parameter.kind {
            let rows = members(vendor["rows"]);
            assert_eq!(
                (shape.key.as_ref(), &shape.display_name),
                (Some(&text(&rows, "name")), &text(&rows, "label")),
                "{at}"
            );
            let columns: Vec<&Parameter> = shape.columns.iter().map(|id| all[id.as_str()]).collect();
            compare(&columns, rows["columns"], &at, all, found);
        }
    }
}

#[test]
fn names_labels_and_choices_are_the_vendors_form_but_for_the_listed_differences() {
    let node = describe(&SERVICE);
    let all: HashMap<&str, &Parameter> = node.parameters.iter().map(|p| (p.id.as_str(), p)).collect();
    let form = members(FORM.trim());
    let resources: Vec<(String, String)> = elements(form["resources"])
        .unwrap()
        .into_iter()
        .map(members)
        .map(|r| (text(&r, "value"), text(&r, "label")))
        .collect();
    let ours: Vec<(String, String)> = node
        .resources
        .iter()
        .map(|r| (r.name.clone(), r.display_name.clone()))
        .collect();
    assert_eq!(ours, resources);
    let mut found = Vec::new();
    let vendors: Vec<_> = elements(form["operations"])
        .unwrap()
        .into_iter()
        .map(members)
        .collect();
    let key = |vendor: &HashMap<String, &str>| (text(vendor, "resource"), text(vendor, "value"));
    let expected: Vec<(String, String)> = vendors.iter().map(key).collect();
    // The vendor's operations in the form's order; other operations stand between them.
    let of_form: Vec<_> = node
        .operations
        .iter()
        .filter(|o| expected.contains(&(o.group.clone(), o.name.clone())))
        .collect();
    let names: Vec<(String, String)> = of_form
        .iter()
        .map(|o| (o.group.clone(), o.name.clone()))
        .collect();
    assert_eq!(names, expected);
    for (operation, vendor) in of_form.into_iter().zip(vendors) {
        assert_eq!(
            operation.display_name,
            text(&vendor, "label"),
            "{}",
            operation.name
        );
        let parameters: Vec<&Parameter> = operation.parameters.iter().map(|id| all[id.as_str()]).collect();
        compare(
            &parameters,
            vendor["parameters"],
            &operation.name,
            &all,
            &mut found,
        );
    }
    let found: HashSet<(&str, &str)> = found.iter().map(|(at, what)| (at.as_str(), *what)).collect();
    let groups = elements(DIFFERENCES.trim()).unwrap().into_iter().map(members);
    let listed: Vec<(String, String)> = groups
        .flat_map(|group| elements(group["differences"]).unwrap())
        .map(|pair| {
            let pair = elements(pair).unwrap();
            let text = |raw| string(raw).unwrap().into_owned();
            (text(pair[0]), text(pair[1]))
        })
        .collect();
    let listed: HashSet<(&str, &str)> = listed
        .iter()
        .map(|(at, what)| (at.as_str(), what.as_str()))
        .collect();
    assert_eq!(
        found.difference(&listed).collect::<Vec<_>>(),
        Vec::<&(&str, &str)>::new(),
        "not listed"
    );
    assert_eq!(
        listed.difference(&found).collect::<Vec<_>>(),
        Vec::<&(&str, &str)>::new(),
        "listed, but gone"
    );
}

#[test]
fn ids_are_unique_and_every_reference_has_its_parameter() {
    let node = describe(&SERVICE);
    let ids: HashSet<&str> = node
        .parameters
        .iter()
        .map(|parameter| parameter.id.as_str())
        .collect();
    assert_eq!(ids.len(), node.parameters.len());
    let mut references: Vec<&String> = node
        .operations
        .iter()
        .flat_map(|operation| &operation.parameters)
        .collect();
    let [credential] = &node.credentials[..] else {
        panic!("{} credentials", node.credentials.len());
    };
    references.extend(&credential.fields);
    references.push(&credential.base_url);
    for operation in &node.operations {
        if let Effect::Keyed(key) = &operation.effect {
            references.push(key);
        }
    }
    for parameter in &node.parameters {
        references.extend(
            parameter
                .visible_when
                .iter()
                .map(|condition| &condition.parameter),
        );
        if let Kind::Rows(shape) = &parameter.kind {
            references.extend(&shape.columns);
        }
    }
    for id in references {
        assert!(ids.contains(id.as_str()), "{id}");
    }
    for id in [
        "points.adjustPoints.operationId",
        "order.syncTransaction.details.qty",
        "credential.baseUrl",
    ] {
        assert!(ids.contains(id), "{id}");
    }
    assert_eq!((node.name.as_str(), node.version), ("socialHub", 1));
}

#[test]
fn it_logs_in_by_a_session_and_goes_nowhere_but_to_the_base_url() {
    let node = describe(&SERVICE);
    let [credential] = &node.credentials[..] else {
        panic!("{} credentials", node.credentials.len());
    };
    assert_eq!(credential.name, "socialHubApi");
    assert!(matches!(credential.scheme, Scheme::Session));
    assert_eq!(credential.test, None, "`authenticate` is the test");
    assert!(node.origins.is_empty());
}

#[test]
fn an_operation_changes_things_by_one_request_or_by_none() {
    for operation in &describe(&SERVICE).operations {
        let expected = u32::from(!matches!(operation.effect, Effect::Read));
        assert_eq!(operation.write_requests, expected, "{}", operation.name);
    }
}

#[test]
fn effects_are_as_the_table_of_operations_says() {
    let node = describe(&SERVICE);
    assert_eq!(node.operations.len(), OPERATIONS.len());
    for (operation, described) in OPERATIONS.iter().zip(&node.operations) {
        let at = format!("{}.{}", operation.group, operation.name);
        assert_eq!(format!("{}.{}", described.group, described.name), at);
        let is_same = match (operation.effect, &described.effect) {
            (table::Effect::Read, Effect::Read)
            | (table::Effect::Idempotent, Effect::Idempotent)
            | (table::Effect::Write, Effect::Write) => true,
            (table::Effect::Keyed(key), Effect::Keyed(id)) => *id == format!("{at}.{key}"),
            _ => false,
        };
        assert!(
            is_same,
            "{at}: expected {:?}, found {:?}",
            operation.effect, described.effect
        );
    }
}

#[test]
fn what_is_json_parses_and_says_where_things_go() {
    let node = describe(&SERVICE);
    for operation in &node.operations {
        json::document(&operation.output_schema).unwrap();
        let hints = members(operation.hints.as_ref().unwrap());
        assert!(!text(&hints, "evidence").is_empty());
    }
    let hints = |id: &str| {
        let parameter = node
            .parameters
            .iter()
            .find(|parameter| parameter.id == id)
            .unwrap();
        parameter.hints.clone().unwrap_or_default()
    };
    for parameter in &node.parameters {
        for document in parameter.default.iter().chain(&parameter.hints) {
            json::document(document).unwrap();
        }
    }
    for (id, expected) in [
        ("member.getMember.cardNo", r#"{"in":"path"}"#),
        (
            "member.memberAdmission.loyaltyCode",
            r#"{"in":"body","wire":"loyaltyProgramCode"}"#,
        ),
        (
            "consumer.updateConsumer.postalCode",
            r#"{"in":"body","wire":"postelCode"}"#,
        ),
        (
            "points.getPointsRecords.beginDate",
            r#"{"in":"query","encoding":"epoch-milliseconds"}"#,
        ),
        ("masterdata.batchSyncProduct.batchReq", r#"{"in":"whole-body"}"#),
        ("member.getMemberList.returnAll", ""),
    ] {
        assert_eq!(hints(id), expected, "{id}");
    }
    let icon = node.icon_svg.unwrap();
    assert!(icon.starts_with("<svg ") && icon.ends_with("</svg>") && !icon.contains("script"));
}
