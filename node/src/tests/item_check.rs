//! A host checks items against the form before the node sees them. It may refuse none that the node would accept.
//!
//! Items are made from the form: each value as its kind says, or as it does not, and some texts with a character changed.
//! The seed is fixed, so that a failure comes again.

use std::collections::HashMap;

use nodule_core::description as host;
use nodule_core::json::Json;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use nodule_sdk::bindings::exports::workflow::node::description::{Holds, Kind, Parameter, Range};
use nodule_sdk::json::quote;
use nodule_sdk::script::validate;
use nodule_sdk::{Failure, describe};

use crate::SERVICE;
use crate::operations::OPERATIONS;

/// For each operation.
const ITEMS: usize = 2_000;

/// What only the node refuses: an operation, an item, and why the host leaves it to the node.
const STRICTER: &[(&str, &str, &str)] = &[
    (
        "member.getMember",
        r#"{"cardNo":".."}"#,
        "no form says that it goes into a path",
    ),
    (
        "member.getMember",
        r#"{"cardNo":"\ud83d"}"#,
        "another node may replace half a character",
    ),
    (
        "member.getMember",
        r#"{"cardNo":"M17","cardno":1}"#,
        "a node may know names that no form has",
    ),
    (
        "consumer.queryConsumer",
        r#"{"query":"a","type":""}"#,
        "a node may read a blank as the default",
    ),
    (
        "consumer.updateConsumer",
        r#"{"consumerCode":"C17"}"#,
        "no form says that something has to change",
    ),
    (
        "consumer.updateConsumer",
        r#"{"consumerCode":"C17","birthday":" 2025-01-31 "}"#,
        "a node may trim a date",
    ),
    (
        "consumer.importConsumerEventData",
        r#"{"data":{"event":{"eventKey":"a","eventTime":1750000000,"customerCode":"c","eventId":"e","tenantId":"t"}}}"#,
        "a form knows whole numbers, and no instants among them",
    ),
    (
        "consumer.importConsumerEventData",
        r#"{"data":{"event":{"eventKey":"a","eventTime":1750000000000,"customerCode":"c","eventId":"e","tenantId":"t","properties":[1]}}}"#,
        "a form knows any JSON, and no objects among it",
    ),
    (
        "masterdata.batchSyncProduct",
        r#"{"batchReq":{"product":{"code":"P1","name":"Tea","price":1},"other":1}}"#,
        "a node may know more beside its rows",
    ),
    (
        "order.syncTransaction",
        r#"{"params":"1","transactionCode":"T","storeCode":"S","orderDate":"next week","totalPrice":1,"totalAmount":1,"costAmount":1,"grossAmount":1,"details":{"detail":{"detailCode":"D","productCode":"P","title":"Tea","qty":1,"price":1,"totalAmount":1,"costAmount":1,"grossAmount":1}}}"#,
        "a form knows texts, and no local times among them",
    ),
];

#[test]
fn where_the_node_is_stricter_the_host_leaves_the_item_to_it() {
    let node = for_host();
    for (name, item, why) in STRICTER {
        let operation = OPERATIONS
            .iter()
            .find(|operation| name.split_once('.') == Some((operation.group, operation.name)));
        let operation = operation.expect("an operation");
        let described = node
            .operation(operation.group, operation.name)
            .expect("it is described");
        assert_eq!(
            host::ItemCheck::new(&node, described).check(item),
            Ok(()),
            "{why}: {item}"
        );
        match validate(operation, item).err() {
            Some(Failure::InvalidParameters(problems)) => {
                assert_eq!(problems.len(), 1, "{item}: {problems:?}");
            }
            other => panic!("{why}: the node finds {other:?} in {item}"),
        }
    }
}

#[test]
fn no_item_that_the_node_accepts_is_refused_before_it_sees_it() {
    let node = for_host();
    let form = Form::new();
    let mut random = Random(ChaCha8Rng::seed_from_u64(20));
    let (mut accepted, mut refused_by_both) = (0, 0);
    for operation in OPERATIONS {
        let (group, name) = (operation.group, operation.name);
        let described = node.operation(group, name).expect("it is described");
        let check = host::ItemCheck::new(&node, described);
        for _ in 0..ITEMS {
            let item = form.item(&described.parameters, &mut random);
            match (validate(operation, &item), check.check(&item)) {
                (Ok(()), Ok(())) => accepted += 1,
                (Ok(()), Err(problems)) => {
                    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                    panic!("the node accepts {group}.{name} {item}, and the host refuses it: {problems:?}");
                }
                (Err(_), Ok(())) => {}
                (Err(_), Err(_)) => refused_by_both += 1,
            }
        }
    }
    // Both happen often, or the items are too good or too bad to show anything.
    let items = OPERATIONS.len() * ITEMS;
    assert!(accepted > items / 10, "{accepted} of {items} are accepted");
    assert!(
        refused_by_both > items / 10,
        "{refused_by_both} of {items} are refused by both"
    );
}

/// A stream of choices.
struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0.next_u32() as usize % end.max(1)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// The parameters that the node describes, by ID.
struct Form(HashMap<String, Parameter>);

impl Form {
    fn new() -> Self {
        let parameters = describe(&SERVICE).parameters.into_iter();
        Self(
            parameters
                .map(|parameter| (parameter.id.clone(), parameter))
                .collect(),
        )
    }

    /// The text of an item, mostly a JSON object.
    fn item(&self, ids: &[String], random: &mut Random) -> String {
        // Few of many values are wrong in most items, so that one wrong value does not hide what comes of the others.
        let wrong = [0, 60, 12, 3][random.below(4)];
        let item = self.object(ids, wrong, random);
        if random.one_in(20) {
            with_a_fault(&item, random)
        } else {
            item
        }
    }

    /// `wrong`: one of so many values is anything at all; none is for 0.
    fn object(&self, ids: &[String], wrong: usize, random: &mut Random) -> String {
        let mut members = Vec::new();
        for id in ids {
            let parameter = &self.0[id];
            let is_left_out = if parameter.required {
                random.one_in(20)
            } else {
                random.one_in(2)
            };
            if !is_left_out {
                let is_wrong = wrong > 0 && random.one_in(wrong);
                let value = if is_wrong {
                    anything(random)
                } else {
                    self.value(parameter, wrong, random)
                };
                members.push(format!("{}:{value}", quote(&parameter.name)));
            }
            if wrong > 0 && random.one_in(40) {
                // A second value for the name, the last of which counts.
                members.push(format!("{}:{}", quote(&parameter.name), anything(random)));
            }
        }
        if wrong > 0 && random.one_in(30) {
            members.push(format!(
                "{}:1",
                random.of(&[r#""other""#, r#""card\u004eo""#, r#""""#])
            ));
        }
        if random.one_in(4) {
            members.reverse();
        }
        format!("{{{}}}", members.join(random.of(&[",", " ,\n"])))
    }

    /// A value in one of the forms that its kind may be given in.
    fn value(&self, parameter: &Parameter, wrong: usize, random: &mut Random) -> String {
        let value = match &parameter.kind {
            Kind::Text | Kind::Secret => text(random).to_owned(),
            Kind::Integer(range) => {
                let ends = [range.min.unwrap_or(-3.0), range.max.unwrap_or(2e12)];
                let near = ends[random.below(2)] + [-1.0, 0.0, 1.0][random.below(3)];
                as_number_or_text(near.to_string(), random)
            }
            Kind::Number(_) => as_number_or_text(random.of(NUMBERS).to_owned(), random),
            Kind::Boolean => random
                .of(&["true", "false", r#""true""#, r#"" false ""#])
                .to_owned(),
            Kind::Date => quote(random.of(DATES)),
            Kind::DateTime => match random.below(3) {
                0 => as_number_or_text("1735689600000".to_owned(), random),
                _ => quote(random.of(TIMES)),
            },
            Kind::Choice(choices) => {
                let known = choices.known[random.below(choices.known.len())].value.clone();
                match random.below(4) {
                    0 => quote(known.trim_matches('"')),
                    1 => quote(&format!(" {} ", known.trim_matches('"'))),
                    2 if !known.starts_with('"') => format!("{known}.0"),
                    _ => known,
                }
            }
            Kind::AnyJson => random
                .of(&[
                    "{}",
                    r#"{"a":[1]}"#,
                    r#""{\"a\":1}""#,
                    "[1]",
                    r#"" { } ""#,
                    r#""x""#,
                ])
                .to_owned(),
            Kind::Rows(shape) => {
                let count = random.below(3);
                let mut rows: Vec<_> = (0..count)
                    .map(|_| self.object(&shape.columns, wrong, random))
                    .collect();
                if wrong > 0 && random.one_in(30) {
                    rows.push(anything(random));
                }
                let list = match (rows.as_slice(), random.below(4)) {
                    ([only], 0) => only.clone(),
                    (rows, _) => format!("[{}]", rows.join(",")),
                };
                let key = quote(shape.key.as_deref().unwrap_or_default());
                match random.below(12) {
                    0 => list,
                    1 => format!("{{{key}:{list},\"other\":1}}"),
                    2 => "{ }".to_owned(),
                    _ => format!("{{{key}:{list}}}"),
                }
            }
            kind => panic!("no value is made for the kind {kind:?}"),
        };
        if random.one_in(25) { blank(random) } else { value }
    }
}

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "1.0",
    "1.50",
    "1e2",
    "1E+2",
    "100e-2",
    "-7",
    "12345678901234567890",
    "1e400",
    "0.1",
    "5.0e-1",
];

const DATES: &[&str] = &[
    "2024-02-29",
    "2023-02-29",
    " 2025-01-31 ",
    "0000-01-01",
    "9999-12-31",
    "10000-01-01",
    "2025-1-1",
    "2025-01-31 12:00:00",
    "2025-01-31T12:00:00Z",
    "２０２５-01-01",
];

const TIMES: &[&str] = &[
    "2025-12-31",
    "2025-12-31T23:59:59Z",
    "2025-12-31t23:59:59.123456789z",
    "2025-12-31 23:59",
    "2025-12-31 23:59:59",
    " 2025-12-31T23:59:59,5Z",
    "2026-01-01T07:59:59+0800",
    "2026-01-01T07:59:59+08:00",
    "2026-01-01T07:59:59-03",
    "2025-12-31T24:00:00Z",
    "2025-12-31T23:59:60Z",
    "2025-W01-1",
    "20251231",
    "1735689600",
    "1735689600000",
    "-1",
    "next week",
    "2025-13-01",
    "+2025-12-31T00:00:00Z",
    "2025-12-31T23:59:59[UTC]",
    "2025-12-31T23Z",
];

fn text(random: &mut Random) -> &'static str {
    random.of(&[
        r#""M17""#,
        r#""浏览 🍵""#,
        r#"" x ""#,
        r#"".""#,
        r#""..""#,
        r#"" .. ""#,
        r#""a/b?c=d""#,
        r#""\ud83d""#,
        r#""\u0000""#,
        r#""2025-06-01 12:00:00""#,
        "7",
        "1.50",
        "-1e400",
        r#""13000000017""#,
        r#""tru\u0065""#,
    ])
}

fn blank(random: &mut Random) -> String {
    random
        .of(&[
            "null",
            r#""""#,
            r#"" ""#,
            r#""\u00a0""#,
            r#""\t\n""#,
            r#""\u3000""#,
            "[]",
            "{}",
            " { } ",
        ])
        .to_owned()
}

fn as_number_or_text(number: String, random: &mut Random) -> String {
    match random.below(5) {
        0 => quote(&number),
        1 => quote(&format!(" {number}\n")),
        2 if !number.contains(['.', 'e', 'E']) => format!("{number}.0"),
        _ => number,
    }
}

/// Any JSON value.
fn anything(random: &mut Random) -> String {
    match random.below(5) {
        0 => blank(random),
        1 => text(random).to_owned(),
        2 => quote(random.of(TIMES)),
        3 => as_number_or_text(random.of(NUMBERS).to_owned(), random),
        _ => random
            .of(&[
                "true",
                "false",
                r#""false""#,
                "[1]",
                r#"["a"]"#,
                "[null]",
                r#"{"a":1}"#,
                r#"[{"a":1}]"#,
                "[[[[[[[]]]]]]]",
                r#""[]""#,
                r#""{}""#,
                r#""null""#,
                r#"{"mode":"id","value":"M17"}"#,
                r#"{"__rl":true,"mode":"list","value":"M17"}"#,
                "[[]]",
                "[{}]",
            ])
            .to_owned(),
    }
}

/// The text with one character left out, doubled or replaced.
fn with_a_fault(item: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = item.chars().collect();
    let at = random.below(chars.len());
    match random.below(3) {
        0 => drop(chars.remove(at)),
        1 => chars.insert(at, chars[at]),
        _ => chars[at] = [' ', '"', '\\', '0', '{', '\u{feff}', '\u{a0}'][random.below(7)],
    }
    chars.into_iter().collect()
}

/// The node's form in the host's types, as far as an item is checked by it.
fn for_host() -> host::Node {
    let mut node: host::Node = serde_json::from_str(host::EXAMPLE).expect("core's own example");
    let (own, any) = (describe(&SERVICE), node.operations.remove(0));
    node.parameters = own.parameters.into_iter().map(parameter).collect();
    let resources = own.resources.into_iter().map(|group| host::ResourceGroup {
        name: group.name,
        display_name: group.display_name,
        summary: group.summary,
    });
    node.resources = resources.collect();
    let operations = own.operations.into_iter().map(|operation| host::Operation {
        group: operation.group,
        name: operation.name,
        display_name: operation.display_name,
        parameters: operation.parameters,
        ..any.clone()
    });
    node.operations = operations.collect();
    node
}

fn json(text: &str) -> Json {
    Json::parse(text).expect("a description's values are JSON")
}

fn parameter(parameter: Parameter) -> host::Parameter {
    let conditions = parameter.visible_when.into_iter();
    host::Parameter {
        id: parameter.id,
        name: parameter.name,
        display_name: parameter.display_name,
        summary: parameter.summary,
        placeholder: parameter.placeholder,
        kind: kind(parameter.kind),
        required: parameter.required,
        default: parameter.default.as_deref().map(json),
        visible_when: conditions
            .map(|condition| host::Condition {
                parameter: condition.parameter,
                holds: match condition.holds {
                    Holds::OneOf(values) => {
                        host::Holds::OneOf(values.iter().map(|value| json(value)).collect())
                    }
                    Holds::NoneOf(values) => {
                        host::Holds::NoneOf(values.iter().map(|value| json(value)).collect())
                    }
                    Holds::Set => host::Holds::Set,
                },
            })
            .collect(),
        hints: None,
    }
}

fn kind(kind: Kind) -> host::Kind {
    let range = |range: Range| host::Range {
        min: range.min,
        max: range.max,
    };
    match kind {
        Kind::Text => host::Kind::Text,
        Kind::Secret => host::Kind::Secret,
        Kind::Integer(within) => host::Kind::Integer(range(within)),
        Kind::Number(within) => host::Kind::Number(range(within)),
        Kind::Boolean => host::Kind::Boolean,
        Kind::Date => host::Kind::Date,
        Kind::DateTime => host::Kind::DateTime,
        Kind::AnyJson => host::Kind::AnyJson,
        Kind::Choice(choices) => host::Kind::Choice(host::Choices {
            known: choices
                .known
                .iter()
                .map(|choice| host::Choice {
                    label: choice.label.clone(),
                    value: json(&choice.value),
                    summary: choice.summary.clone(),
                })
                .collect(),
            open: choices.open,
            dynamic: None,
        }),
        Kind::Rows(shape) => host::Kind::Rows(host::RowShape {
            key: shape.key,
            display_name: shape.display_name,
            columns: shape.columns,
            min: shape.min,
            max: shape.max,
        }),
        kind => panic!("the node had no parameter of the kind {kind:?}; now it needs a line here"),
    }
}
