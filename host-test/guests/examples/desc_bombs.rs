//! Makes its description expand a little data into much, in the way that the test writes into the component.

use std::mem::ManuallyDrop;

use hostile_guests::{Behaviour, d, guest};

static WAY: [u8; 16] = *b"way: none       ";

struct Bombs;

/// Never frees memory, because some of these texts share the same bytes.
struct Leaks;

// SAFETY: memory that is never freed stays valid for every user.
unsafe impl std::alloc::GlobalAlloc for Leaks {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        unsafe { std::alloc::System.alloc(layout) }
    }
    unsafe fn dealloc(&self, _: *mut u8, _: std::alloc::Layout) {}
}

#[global_allocator]
static LEAKS: Leaks = Leaks;

/// Returns the same text again, without a copy.
fn alias(text: &str) -> String {
    let (at, len) = (text.as_ptr().cast_mut(), text.len());
    // SAFETY: nothing is freed or changed, so the number of owners does not matter.
    unsafe { String::from_raw_parts(at, len, len) }
}

fn way() -> String {
    let way = String::from_utf8_lossy(std::hint::black_box(&WAY)).into_owned();
    way.trim_end().to_owned()
}

impl Behaviour for Bombs {
    fn describing() -> d::Node {
        let mut node = hostile_guests::describe();
        match way().as_str() {
            "way: ids" => long_id(&mut node),
            "way: hints" => hints(&mut node, 240, &format!("{{\"a\":[{}0]}}", "0,".repeat(130_000))),
            "way: numbers" => hints(&mut node, 15, &format!("{{\"a\":[{}0]}}", "0,".repeat(130_000))),
            "way: objects" => hints(
                &mut node,
                15,
                &format!("{{\"a\":[{}0]}}", "{\"\":0},".repeat(37_000)),
            ),
            "way: texts" => node.summary = "a".repeat(40 << 20),
            "way: empty" => node.operations[0].parameters = vec![String::new(); 4_000_000],
            "way: choices" => node.parameters[0].kind = choices(300_000, "", "1"),
            "way: broken" => node.parameters[0].kind = choices(200_000, "", "{"),
            "way: operations" => hints(&mut node, 40_000, "{\"a\":[0,0,0,0,0,0,0,0]}"),
            "way: rows" => rows(&mut node),
            "way: conditions" => conditions(&mut node),
            "way: shared" => shared(&mut node),
            "way: heaviest" => heaviest(&mut node),
            _ => {}
        }
        // Dropping the node would drop the aliases.
        let node = ManuallyDrop::new(node);
        unsafe { std::ptr::read(&*node) }
    }

    fn headers() -> Vec<String> {
        match way().as_str() {
            "way: headers" => vec![String::new(); 4_000_000],
            "way: header" => vec!["a".repeat(20 << 20)],
            _ => vec![],
        }
    }
}

fn choice(index: usize, label: &str, summary: &str) -> d::Choice {
    d::Choice {
        label: label.to_owned(),
        value: format!("\"{index}\""),
        summary: alias(summary),
    }
}

fn choices(count: usize, label: &str, value: &str) -> d::Kind {
    let one = |_| d::Choice {
        label: label.to_owned(),
        value: value.to_owned(),
        summary: String::new(),
    };
    d::Kind::Choice(d::Choices {
        known: (0..count).map(one).collect(),
        open: true,
        dynamic: None,
    })
}

fn closed(known: Vec<d::Choice>) -> d::Choices {
    d::Choices {
        known,
        open: false,
        dynamic: None,
    }
}

/// The host used to format the location of each choice, including the parameter's ID.
fn long_id(node: &mut d::Node) {
    node.parameters[0].id = "a".repeat(4 << 20);
    node.parameters[0].kind = choices(200_000, "", "1");
}

fn operations(node: &mut d::Node, count: usize) {
    let one = |index| d::Operation {
        name: format!("o{index}"),
        parameters: vec![],
        ..hostile_guests::describe().operations.swap_remove(0)
    };
    node.operations = (0..count).map(one).collect();
}

/// Many documents that all share the same memory.
fn hints(node: &mut d::Node, count: usize, text: &str) {
    operations(node, count);
    for operation in &mut node.operations {
        operation.hints = Some(alias(text));
    }
}

fn parameter(id: String, kind: d::Kind) -> d::Parameter {
    d::Parameter {
        name: id.clone(),
        id,
        kind,
        ..hostile_guests::describe().parameters.swap_remove(0)
    }
}

/// IDs that differ only in their last bytes.
fn id(index: usize) -> String {
    format!("{}{index:05}", "a".repeat(40))
}

/// A default of very many rows, whose columns are the last of very many parameters.
fn rows(node: &mut d::Node) {
    let all = 9_000;
    let columns: Vec<String> = (all - 300..all).map(id).collect();
    node.parameters
        .extend((0..all).map(|index| parameter(id(index), d::Kind::Text)));
    let last = id(all - 1);
    let rows = format!("{{\"{last}\":\"\"}},").repeat(4_000);
    for number in 0..8 {
        let mut rows_of = parameter(
            format!("rows{number}"),
            d::Kind::Rows(d::RowShape {
                key: Some("row".to_owned()),
                display_name: "Row".to_owned(),
                columns: columns.clone(),
                min: 0,
                max: None,
            }),
        );
        rows_of.default = Some(format!("{{\"row\":[{}]}}", rows.trim_end_matches(',')));
        node.operations[0].parameters.push(rows_of.id.clone());
        node.parameters.push(rows_of);
    }
    // Every other parameter belongs to a group.
    for (number, list) in (0..all - 300).collect::<Vec<_>>().chunks(290).enumerate() {
        let group = parameter(
            format!("group{number}"),
            d::Kind::Group(d::GroupShape {
                key: None,
                fields: list.iter().copied().map(id).collect(),
            }),
        );
        node.operations[0].parameters.push(group.id.clone());
        node.parameters.push(group);
    }
}

/// Conditions with many values on a choice of many, in very many forms.
fn conditions(node: &mut d::Node) {
    let known = (0..1_000).map(|index| choice(index, "x", "")).collect();
    let subject = d::Kind::Choice(closed(known));
    node.parameters.push(parameter("subject".to_owned(), subject));
    let values: Vec<String> = (0..1_000).map(|index| format!("\"{}\"", 999 - index)).collect();
    for number in 0..20 {
        let mut dependant = parameter(format!("dependant{number}"), d::Kind::Text);
        let condition = |_| d::Condition {
            parameter: "subject".to_owned(),
            holds: d::Holds::OneOf(values.clone()),
        };
        dependant.visible_when = (0..10).map(condition).collect();
        node.parameters.push(dependant);
    }
    operations(node, 900);
    for operation in &mut node.operations {
        operation.parameters = (0..20).map(|number| format!("dependant{number}")).collect();
        operation.parameters.push("subject".to_owned());
        operation.parameters.extend(["task".to_owned(), "id".to_owned()]);
    }
}

/// A choice of one megabyte, in very many forms.
fn shared(node: &mut d::Node) {
    let summary = "&".repeat(1_900);
    let known = (0..500).map(|index| choice(index, "x", &summary)).collect();
    node.parameters
        .push(parameter("shared".to_owned(), d::Kind::Choice(closed(known))));
    operations(node, 900);
    for operation in &mut node.operations {
        operation.parameters = vec!["shared".to_owned(), "task".to_owned(), "id".to_owned()];
    }
}

/// The heaviest description that is accepted: every byte of its texts needs an escape, with the most forms and the most
/// values.
fn heaviest(node: &mut d::Node) {
    let summary = "&".repeat(1_900);
    let known = (0..400).map(|index| choice(index, "x", &summary)).collect();
    node.parameters
        .push(parameter("shared".to_owned(), d::Kind::Choice(closed(known))));
    let deep = format!(
        "{{\"a\":{}{}0{}}}",
        "[".repeat(60),
        "{\"\":0},".repeat(30_000),
        "]".repeat(60)
    );
    operations(node, 10);
    for (index, operation) in node.operations.iter_mut().enumerate() {
        operation.hints = (index < 4).then(|| alias(&deep));
        operation.parameters = vec!["shared".to_owned(), "task".to_owned(), "id".to_owned()];
    }
}

guest!(Bombs);
