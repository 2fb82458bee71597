//! How templates are read, and what values may do in them.

use super::*;

const VALUES: [(&str, &str); 9] = [
    ("token", "t0k en"),
    ("user", "ann"),
    ("password", "p:w"),
    ("colon", "a:b"),
    ("line", "a\r\nX-Admin: 1"),
    ("region", "EU-west.1a"),
    ("evil", "evil.example/"),
    ("dots", ".."),
    ("number", "127.0.0.1"),
];

fn value(name: &str) -> Option<&'static str> {
    VALUES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

fn rendered(text: &str, destination: Destination) -> String {
    let template = TextTemplate::parse(text).unwrap();
    match template.render(value, destination) {
        Ok(text) => text,
        Err(error) => {
            let message = error.to_string();
            for (_, value) in VALUES {
                assert!(!message.contains(value) || value == "ann", "{message}");
            }
            message
        }
    }
}

#[test]
fn fields_are_filled_in_for_their_destination() {
    use Destination::{Header, Query, UrlHost, UrlPath};
    for (text, destination, expected) in [
        ("Bearer {token}", Header, "Bearer t0k en"),
        ("Basic {basic:user:password}", Header, "Basic YW5uOnA6dw=="),
        ("Basic {basic:user:absent}", Header, "Basic YW5uOg=="),
        ("{basic:absent:user}", Header, "the field `absent` has no value"),
        (
            "{basic:colon:user}",
            Header,
            "the field `colon`: expected a user without a colon",
        ),
        (r#"{{"key":"{user}"}}"#, Header, r#"{"key":"ann"}"#),
        ("constant", Header, "constant"),
        ("a{absent}", Header, "the field `absent` has no value"),
        (
            "{line}",
            Header,
            "the field `line`: expected a value without line breaks and other control characters",
        ),
        ("{line}&a=b", Query, "a%0D%0AX-Admin%3A%201%26a%3Db"),
        ("{basic:user:password}", Query, "YW5uOnA6dw%3D%3D"),
        ("s3.{region}.example", UrlHost, "s3.eu-west.1a.example"),
        (
            "{evil}.example",
            UrlHost,
            "the field `evil`: expected a value of letters, digits, `-` and `.`",
        ),
        (
            "{dots}example",
            UrlHost,
            "`{dots}example`: expected a host's name after the fields are filled in",
        ),
        (
            "{number}",
            UrlHost,
            "`{number}`: expected a host's name after the fields are filled in",
        ),
        ("/{token}/{evil}", UrlPath, "/t0k%20en/evil.example%2F"),
        (
            "/{dots}/b",
            UrlPath,
            "the field `dots`: expected a value that can be a part of a path",
        ),
    ] {
        assert_eq!(rendered(text, destination), expected, "{text}");
    }
}

#[test]
fn braces_pair_up_around_a_name() {
    for (text, expected) in [
        ("{", "expected `{field}`, or `{{` and `}}` for braces"),
        ("a}", "expected `{field}`, or `{{` and `}}` for braces"),
        ("{a", "expected `{field}`, or `{{` and `}}` for braces"),
        ("{}", "expected a field's name in braces"),
        ("{a{b}", "expected a field's name in braces"),
        ("{basic:a}", "expected a field's name in braces"),
        ("{basic:a:b:c}", "expected a field's name in braces"),
        ("{basic::b}", "expected a field's name in braces"),
        ("a\nb", "expected no control characters"),
    ] {
        let error = TextTemplate::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let template = TextTemplate::parse("{a b}{basic:c:d} {{e}}").unwrap();
    assert_eq!(template.fields().collect::<Vec<_>>(), ["a b", "c", "d"]);
    assert_eq!(template.to_string(), "{a b}{basic:c:d} {{e}}");
}

#[test]
fn a_host_is_labels() {
    for (text, expected) in [
        ("a.example", true),
        ("xn--bcher-kva.example", true),
        ("1a.2b", true),
        ("a..b", false),
        (".a", false),
        ("a.", false),
        ("-a.b", false),
        ("a-.b", false),
        ("A.b", false),
        ("a_b.c", false),
        ("a.7", false),
        ("a.0x7f", false),
        ("", false),
    ] {
        assert_eq!(is_host_name(text), expected, "{text}");
    }
    assert!(!is_host_name(&"a".repeat(64)));
    assert!(!is_host_name(&["a"; 128].join(".")));
}
