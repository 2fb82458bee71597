//! What the compiler cannot see in the table: everything that is wrong with it at once, naming operation and field.

use std::collections::HashSet;

use super::parameter::{Kind, Parameter, Place, Scalar};
use super::plan::Plan;
use super::{Effect, Group, Operation, Output, split};
use crate::http::Method;
use crate::operations::{OPERATIONS, RETURN_ALL_NAME};

#[test]
fn the_table_is_sound() {
    let problems = lint(OPERATIONS);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Every problem of these operations.
fn lint(operations: &[&Operation]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    let mut last_group = 0;
    for operation in operations {
        let at = format!("{}.{}", operation.group.name(), operation.name);
        let mut report = |message: String| problems.push(format!("{at}: {message}"));
        let group = Group::ALL
            .iter()
            .position(|group| *group == operation.group)
            .unwrap_or(0);
        if group < last_group {
            report("stands after an operation of a later resource".into());
        }
        last_group = group;
        if !seen.insert(operation.name) {
            report("has the name of another operation".into());
        }
        if !is_camel_case(operation.name) {
            report("has a name that is not camelCase".into());
        }
        for (what, text) in [
            ("title", operation.title),
            ("about", operation.about),
            ("action", operation.action),
            ("evidence", operation.evidence),
        ] {
            if text.is_empty() || text.trim() != text || text.ends_with('.') {
                report(format!(
                    "has a {what} that is empty, padded or ends with a full stop"
                ));
            }
        }
        lint_request(operation, &mut report);
        lint_scope(operation.parameters, "", &mut report);
    }
    problems
}

fn lint_request(operation: &Operation, report: &mut impl FnMut(String)) {
    let path = operation.request.path;
    if !path.starts_with("/v1/") || path.ends_with('/') {
        report(format!(
            "has the path `{path}`, which does not begin with /v1/ or ends with a slash"
        ));
    }
    for (_, name) in split(path).0 {
        match operation.parameter(name) {
            None => report(format!("names `{name}` in its path and has no such parameter")),
            Some(parameter) if !parameter.is_required || !matches!(parameter.kind, Kind::Text) => {
                report(format!("`{name}` stands in the path and is not a required text"));
            }
            Some(parameter) if parameter.when.is_some() || parameter.default.is_some() => {
                report(format!(
                    "`{name}` stands in the path and may be hidden or taken from a default"
                ));
            }
            Some(_) => {}
        }
    }
    let mut wire_names = HashSet::new();
    let places = Plan::new(operation).places;
    for (parameter, place) in operation.parameters.iter().zip(&places) {
        if !matches!(place, Place::Nowhere | Place::Path) && !wire_names.insert(parameter.wire_name()) {
            report(format!(
                "`{}` has the wire name of another parameter",
                parameter.name
            ));
        }
        if matches!(parameter.kind, Kind::Rows(_)) && operation.request.method == Method::Get {
            report(format!("`{}` is rows, which a GET cannot carry", parameter.name));
        }
        let is_alone = || !places.contains(&Place::Body);
        if *place == Place::WholeBody
            && !(matches!(parameter.kind, Kind::Rows(_)) && parameter.is_required && is_alone())
        {
            report(format!(
                "`{}` is the whole body, and not required rows alone in it",
                parameter.name
            ));
        }
        if operation.request.is_update
            && *place == Place::Body
            && (parameter.is_required || parameter.default.is_some())
        {
            report(format!(
                "`{}` is sent by an update although the caller did not set it",
                parameter.name
            ));
        }
    }
    if (operation.request.method == Method::Put) != operation.request.is_update {
        report("is a PUT that is no update, or an update that is no PUT".into());
    }
    if operation.request.method == Method::Get && operation.effect != Effect::Read {
        report("is a GET that does not read".into());
    }
    if operation.effect == Effect::Read && operation.request.method == Method::Put {
        report("is a PUT that reads".into());
    }
    if matches!(operation.effect, Effect::Idempotent | Effect::Keyed(_))
        && !operation.evidence.starts_with("assumed: ")
    {
        report("claims an effect that nothing public promises, and does not say that it is assumed".into());
    }
    if let Effect::Keyed(key) = operation.effect {
        let key_parameter = match key.split_once('.') {
            None => operation.parameter(key),
            Some((rows, column)) => operation
                .parameter(rows)
                .and_then(|parameter| match parameter.kind {
                    Kind::Rows(rows) => rows.columns.iter().find(|parameter| parameter.name == column),
                    _ => None,
                }),
        };
        if key_parameter.is_none_or(|parameter| !parameter.is_required || parameter.default.is_some()) {
            report(format!(
                "is keyed by `{key}`, which is no parameter that the caller must set"
            ));
        }
    }
    if matches!(operation.output, Output::Pages(_)) != operation.parameter(RETURN_ALL_NAME).is_some() {
        report("turns pages without `returnAll`, or has `returnAll` without pages".into());
    }
}

/// One level of parameters; `prefix` names the rows that they are columns of.
fn lint_scope(parameters: &[Parameter], prefix: &str, report: &mut impl FnMut(String)) {
    for (index, parameter) in parameters.iter().enumerate() {
        let at = format!("{prefix}{}", parameter.name);
        let earlier = parameters.get(..index).unwrap_or_default();
        if earlier.iter().any(|other| other.name == parameter.name) {
            report(format!("`{at}` appears twice"));
        }
        if !is_camel_case(parameter.name) {
            report(format!("`{at}` is not camelCase"));
        }
        if parameter.label.trim().is_empty() {
            report(format!("`{at}` has no label"));
        }
        if parameter.about.ends_with('.') {
            report(format!("`{at}` is described with a full stop at the end"));
        }
        if let Some(default) = parameter.default
            && !is_of(parameter.kind, default)
        {
            report(format!(
                "`{at}` has the default {}, which it does not accept",
                default.json()
            ));
        }
        if let Some((other, one_of)) = parameter.when {
            match earlier.iter().find(|parameter| parameter.name == other) {
                None => report(format!(
                    "`{at}` depends on `{other}`, which is no earlier parameter"
                )),
                Some(other)
                    if one_of.is_empty() || !one_of.iter().all(|scalar| is_of(other.kind, *scalar)) =>
                {
                    report(format!(
                        "`{at}` depends on a value that `{}` cannot have",
                        other.name
                    ));
                }
                Some(_) => {}
            }
        }
        if let Kind::Integer {
            min: Some(min),
            max: Some(max),
        } = parameter.kind
            && min > max
        {
            report(format!("`{at}` has an empty range"));
        }
        if let Kind::Choice { known, .. } = parameter.kind {
            let values: HashSet<String> = known.iter().map(|choice| choice.value.json()).collect();
            if known.is_empty() || values.len() < known.len() {
                report(format!("`{at}` has no choices, or one twice"));
            }
        }
        if let Kind::Rows(rows) = parameter.kind {
            if !prefix.is_empty() {
                report(format!("`{at}` holds rows within rows"));
            }
            if rows
                .columns
                .iter()
                .any(|column| column.place != Place::Auto || column.fill.is_some())
            {
                report(format!("`{at}` has a column that is placed or filled on its own"));
            }
            lint_scope(rows.columns, &format!("{at}."), report);
        }
    }
}

fn is_of(kind: Kind, scalar: Scalar) -> bool {
    match (kind, scalar) {
        (Kind::Text, Scalar::Text(_))
        | (Kind::Number, Scalar::Int(_))
        | (Kind::Boolean, Scalar::Bool(_))
        | (Kind::Object, Scalar::EmptyObject) => true,
        (Kind::Integer { min, max }, Scalar::Int(value)) => {
            min.is_none_or(|min| min <= value) && max.is_none_or(|max| value <= max)
        }
        (Kind::Choice { known, .. }, scalar) => known.iter().any(|choice| choice.value == scalar),
        _ => false,
    }
}

fn is_camel_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

#[test]
fn every_flaw_is_found_at_once() {
    use super::parameter::{choice, int_choice, int_from, rows, text, text_choice};
    use super::{Endpoint, get, post};

    const FLAWED: Operation = Operation {
        group: Group::Points,
        name: "Flawed",
        title: "",
        about: "Ends with a full stop.",
        action: "Fail",
        effect: Effect::Keyed("missing"),
        evidence: "none",
        request: get("/v1/{code}/{other}"),
        parameters: &[
            text("code", ""),
            text("code", "Code"),
            int_from("page_size", "Size", 1, Some(0)).or(Scalar::Int(5)),
            choice("kind", "Kind", &[int_choice(1, "One"), int_choice(1, "One")]).or_int(2),
            text("late", "Late").when("after", &[]).about("Full stop."),
            choice("after", "After", &[text_choice("a", "A")]),
            text("wrong", "Wrong")
                .when("after", &[Scalar::Text("b")])
                .wire("kind"),
            rows(
                "rows",
                "Rows",
                &super::parameter::Rows {
                    name: "row",
                    label: "Row",
                    columns: &[
                        text("x", "X").whole_body(),
                        rows(
                            "inner",
                            "Inner",
                            &super::parameter::Rows {
                                name: "i",
                                label: "I",
                                columns: &[],
                            },
                        ),
                    ],
                },
            ),
        ],
        output: Output::Pages("list"),
    };
    const EARLIER: Operation = Operation {
        group: Group::Member,
        name: "Flawed",
        effect: Effect::Read,
        request: Endpoint {
            is_update: true,
            ..post("/v2/")
        },
        parameters: &[text("required", "Required").required()],
        ..FLAWED
    };
    let problems = lint(&[&FLAWED, &EARLIER]).join("\n");
    for expected in [
        "points.Flawed: has a name that is not camelCase",
        "points.Flawed: has a title that is empty",
        "points.Flawed: has a about that is empty, padded or ends with a full stop",
        "points.Flawed: names `other` in its path and has no such parameter",
        "points.Flawed: `code` stands in the path and is not a required text",
        "points.Flawed: is a GET that does not read",
        "points.Flawed: claims an effect that nothing public promises",
        "points.Flawed: is keyed by `missing`",
        "points.Flawed: turns pages without `returnAll`",
        "points.Flawed: `code` has no label",
        "points.Flawed: `code` appears twice",
        "points.Flawed: `page_size` is not camelCase",
        "points.Flawed: `page_size` has an empty range",
        "points.Flawed: `page_size` has the default 5",
        "points.Flawed: `kind` has the default 2",
        "points.Flawed: `kind` has no choices, or one twice",
        "points.Flawed: `late` depends on `after`, which is no earlier parameter",
        "points.Flawed: `late` is described with a full stop",
        "points.Flawed: `wrong` depends on a value that `after` cannot have",
        "points.Flawed: `wrong` has the wire name of another parameter",
        "points.Flawed: `rows` is rows, which a GET cannot carry",
        "points.Flawed: `rows` has a column that is placed or filled on its own",
        "points.Flawed: `rows.inner` holds rows within rows",
        "member.Flawed: stands after an operation of a later resource",
        "member.Flawed: has the name of another operation",
        "member.Flawed: has the path `/v2/`",
        "member.Flawed: `required` is sent by an update although the caller did not set it",
        "member.Flawed: is a PUT that is no update, or an update that is no PUT",
    ] {
        assert!(
            problems.contains(expected),
            "not found: {expected}\nin:\n{problems}"
        );
    }
}
