//! What may be a name, and which parameters of a list may share one.

use crate::json;
use crate::json::Json;

use super::super::*;
use super::refused::{Case, each};
use super::{parameter, problems};

#[test]
fn a_parameter_may_be_called_whatever_workflows_store() {
    for name in [
        "Account Name",
        "Konto-№",
        "a.b/c[0]",
        "_id",
        "2fa",
        "Größe €",
        "x:y",
        "🦀",
    ] {
        let found = problems(|node| parameter(node, "book.search.query").name = name.to_owned());
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
    let long = "ä".repeat(33);
    for (name, expected) in [
        ("", "expected a name, found none"),
        (" a", "expected no blank at the ends of a name, found ` a`"),
        (
            "a\u{a0}",
            "expected no blank at the ends of a name, found `a\u{a0}`",
        ),
        ("a\nb", "the character U+000A is not allowed in `a\\nb`"),
        (
            "a\u{202e}b",
            "the character U+202E is not allowed in `a\\u{202e}b`",
        ),
        ("$files", "a name cannot begin with `$`, found `$files`"),
        ("$credential", "a name cannot begin with `$`, found `$credential`"),
        (
            "__proto__",
            "`__proto__` is what every JavaScript object has, and cannot be a name",
        ),
        (
            "toString",
            "`toString` is what every JavaScript object has, and cannot be a name",
        ),
        (&long, "expected a name of at most 64 bytes, found 66"),
    ] {
        let found = problems(|node| parameter(node, "book.search.query").name = name.to_owned());
        assert_eq!(
            found,
            [format!("parameter `book.search.query`, name: {expected}")]
        );
    }
}

#[test]
fn everything_else_is_camel_case() {
    const EXPECTED: &str = "expected a camelCase name (`a`–`z`, then letters and digits), found `A b`";
    let cases: [Case; 5] = [
        (|node| node.name = "A b".to_owned(), "node, name"),
        (
            |node| node.operations[4].name = "A b".to_owned(),
            "operation `loan.A b`, name",
        ),
        (
            |node| node.credentials[0].name = "A b".to_owned(),
            "credential `A b`, name",
        ),
        (
            |node| {
                let Kind::Rows(shape) = &mut parameter(node, "book.catalogue.books").kind else {
                    return;
                };
                shape.key = Some("A b".to_owned());
            },
            "parameter `book.catalogue.books`, key of its rows",
        ),
        (
            |node| {
                let Kind::Group(shape) = &mut parameter(node, "book.search.filters").kind else {
                    return;
                };
                shape.key = Some("A b".to_owned());
            },
            "parameter `book.search.filters`, key of its fields",
        ),
    ];
    for (change, at) in cases {
        let found = problems(change);
        assert!(found.contains(&format!("{at}: {EXPECTED}")), "{at}: {found:?}");
    }
}

#[test]
fn aliases_are_labels() {
    each(&[
        (
            |node| node.aliases.push("books".to_owned()),
            "node, aliases: `books` is there twice",
        ),
        (
            |node| node.aliases[0] = " ".to_owned(),
            "node, aliases: expected a text, found none",
        ),
        (
            |node| node.aliases = vec!["x".to_owned(); 21],
            "node: expected at most 20 aliases, found 21",
        ),
    ]);
}

fn on(subject: &str, holds: Holds) -> Condition {
    Condition {
        parameter: subject.to_owned(),
        holds,
    }
}

fn one_of(values: &[Json]) -> Holds {
    Holds::OneOf(values.to_vec())
}

fn none_of(values: &[Json]) -> Holds {
    Holds::NoneOf(values.to_vec())
}

/// Whether two fields of a loan's reminder may share a name under these conditions.
fn may_share(subject: &str, first: Holds, second: Holds) -> bool {
    let found = problems(|node| {
        for (id, holds) in [("loan.lend.card", first), ("loan.lend.email", second)] {
            let shared = parameter(node, id);
            shared.name = "shared".to_owned();
            shared.visible_when = vec![on(subject, holds)];
        }
        let mut subject = node.parameters[3].clone();
        subject.id = "loan.lend.list".to_owned();
        subject.name = "list".to_owned();
        subject.kind = Kind::ChooseMany(Choices {
            known: Vec::new(),
            open: true,
            dynamic: None,
        });
        node.parameters.push(subject);
        node.operations[3].parameters.push("loan.lend.list".to_owned());
    });
    match found.as_slice() {
        [] => true,
        [one] if one.contains("two parameters with the name `shared`, the second is `loan.lend.email`") => {
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn siblings_share_a_name_if_their_conditions_exclude_each_other() {
    let choice = "loan.lend.identify";
    let (one, two) = (json!(1), json!(2));
    let (first, second) = ([one.clone()], [two.clone()]);
    let both = [one, two];
    for (may, a, b) in [
        (true, one_of(&first), one_of(&second)),
        (false, one_of(&first), one_of(&both)),
        (true, one_of(&first), none_of(&first)),
        (true, none_of(&both), one_of(&second)),
        (false, one_of(&both), none_of(&first)),
        (false, none_of(&first), none_of(&second)),
        (false, Holds::Set, none_of(&first)),
        (false, Holds::Set, Holds::Set),
    ] {
        assert_eq!(may_share(choice, a.clone(), b.clone()), may, "{a:?} {b:?}");
    }
    // Both spellings of a number are equal to whoever compares numbers.
    let spelled = [Json::parse("1.0").unwrap()];
    assert!(!may_share("loan.lend.list", one_of(&first), one_of(&spelled)));
    // A list may contain both.
    assert!(!may_share("loan.lend.list", one_of(&first), one_of(&second)));
    assert!(may_share("loan.lend.list", one_of(&first), none_of(&first)));
}

#[test]
fn conditions_on_different_parameters_do_not_exclude_each_other() {
    let found = problems(|node| {
        parameter(node, "loan.remind.email").visible_when = vec![on("loan.remind.text", Holds::Set)];
    });
    assert_eq!(
        found,
        [
            "operation `loan.remind`: two parameters with the name `to`, the second is `loan.remind.phone`: expected conditions that exclude each other"
        ]
    );
    let cases: [Case; 1] = [(
        |node| parameter(node, "loan.remind.email").visible_when.clear(),
        "operation `loan.remind`: two parameters with the name `to`, the second is `loan.remind.phone`: expected conditions that exclude each other",
    )];
    each(&cases);
}

#[test]
fn a_default_fits_one_of_the_fields_with_its_name() {
    let found = |default: Json| {
        problems(|node| {
            for (id, kind, holds) in [
                ("a", Kind::Boolean, one_of(&[json!("email")])),
                ("b", Kind::Date, none_of(&[json!("email")])),
            ] {
                let mut field = node.parameters[3].clone();
                (field.id, field.name, field.kind) = (id.to_owned(), "shared".to_owned(), kind);
                field.required = false;
                field.visible_when = vec![on("loan.remind.by", holds)];
                node.parameters.push(field);
            }
            let group = parameter(node, "loan.remind.later");
            group.kind = Kind::Group(GroupShape {
                key: None,
                fields: vec!["loan.remind.later.at".to_owned(), "a".to_owned(), "b".to_owned()],
            });
            group.default = Some(default);
        })
    };
    assert_eq!(found(json!({"shared": true})), Vec::<String>::new());
    assert_eq!(found(json!({"shared": "2025-01-31"})), Vec::<String>::new());
    assert_eq!(
        found(json!({"shared": "soon"})),
        [
            "parameter `loan.remind.later`, default: field `shared`: expected true or false, found the text `soon`"
        ]
    );
}
