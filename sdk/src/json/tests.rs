//! What is taken apart stays as it came.

use super::*;

#[test]
fn members_keep_their_texts_order_and_magic_keys() {
    let text = r#"{"b": 1.50, "$serde_json::private::Number": "x", "a": {"$serde_json::private::RawValue":"[1]"}, "b":2}"#;
    let object = object(text).unwrap();
    let names: Vec<_> = object.0.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(names, ["b", "$serde_json::private::Number", "a", "b"]);
    assert_eq!(object.get("b"), Some("2"));
    assert_eq!(
        object.get("a"),
        Some(r#"{"$serde_json::private::RawValue":"[1]"}"#)
    );
    assert_eq!(object.get("c"), None);
}

#[test]
fn depth_is_counted_outside_strings_only() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(document(&nested(MAX_DEPTH)).is_ok());
    assert!(document(&nested(MAX_DEPTH + 1)).unwrap_err().contains("128"));
    assert!(document(&nested(1_000_000)).unwrap_err().contains("128"));
    assert!(document(&quote(&"[\"\\".repeat(500))).is_ok());
}

#[test]
fn compact_leaves_strings_alone() {
    assert_eq!(compact("{ \"a b\\\" \" :\n[ 1 , 2 ] }"), "{\"a b\\\" \":[1,2]}");
    assert_eq!(compact("{\"a\":1}"), "{\"a\":1}");
}

#[test]
fn strings_are_read_with_every_escape() {
    for (text, content) in [
        (r#""""#, Some("")),
        (r#""a\"\\\/\b\f\n\r\t""#, Some("a\"\\/\u{8}\u{c}\n\r\t")),
        (r#""\u4f1a\uD83D\ude00x""#, Some("会😀x")),
        (r#""\ud83d""#, None),
        (r#""\ud83d\u0041""#, None),
        (r#""\ude00\ud83d""#, None),
        ("12", None),
        ("{}", None),
    ] {
        assert_eq!(string(text).as_deref(), content, "{text}");
    }
}

#[test]
fn halves_of_pairs_are_mended_and_all_else_is_left() {
    for (text, expected) in [
        (r#"{"a":"\ud83d"}"#, r#"{"a":"\ufffd"}"#),
        (
            r#"{"a":"x\uD83Dy\uDE00","b":"\ude00\ud83d\ude00\ud83d"}"#,
            r#"{"a":"x\ufffdy\ufffd","b":"\ufffd\ud83d\ude00\ufffd"}"#,
        ),
        (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
        (
            r#"["会\\ud83d","\u4f1a","\"","\ud83d\u0041"]"#,
            r#"["会\\ud83d","\u4f1a","\"","\ufffd\u0041"]"#,
        ),
    ] {
        assert_eq!(mended(text), expected);
    }
    for text in ["{}", r#"["\\ud83d","\ud83d\ude00","\n"]"#] {
        assert!(matches!(mended(text), Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for text in [
        "",
        "{",
        "[1,]",
        "{'a':1}",
        "1 2",
        "nul",
        "\u{feff}{}",
        "{\"a\":01}",
    ] {
        assert!(document(text).is_err(), "{text:?}");
    }
    assert_eq!(document(" {} \n"), Ok("{}"));
}

#[test]
fn what_was_read_once_is_found_again() {
    let row = |n: usize| format!(r#"{{"n":{n},"tags":["a]","b}}"],"deep":{{"x":[[{{}}]]}}}}"#);
    let rows = (0..100).map(row).collect::<Vec<_>>().join(" , ");
    let text = format!(r#" {{"code":200,"data": {{"list" : [ {rows} ],"list2":[]}},"e":{{}}}} "#);
    let read = read(&text).unwrap();
    assert!(!read.spans.0.is_empty());
    let known = Part::read(&text, &read.spans).part(read.text);
    for pointer in [
        "/data",
        "/data/list",
        "/data/list/99",
        "/data/list/7/tags/1",
        "/data/list/3/deep/x",
        "/e",
        "/none",
    ] {
        assert_eq!(known.at(pointer), at(read.text, pointer), "{pointer}");
    }
    let list = known.at("/data/list").unwrap();
    let elements = known.part(list).elements().unwrap();
    assert_eq!(elements.len(), 100);
    assert_eq!(elements[42], row(42));
    assert_eq!(Some(elements), super::elements(list));
    // What lies elsewhere has no place in it.
    assert_eq!(known.part("[[1],2]").elements().unwrap(), ["[1]", "2"]);
    let bare = format!("[{rows}]");
    let read = super::read(&bare).unwrap();
    assert_eq!(Part::read(&bare, &read.spans).elements(), super::elements(&bare));
    assert_eq!(Part::read(&bare, &read.spans).elements().unwrap().len(), 100);
}

#[test]
fn an_object_is_left_without_a_member() {
    for (text, rest) in [
        (r#"{"a":1,"x":{"x":2},"b\"":[3]}"#, r#"{"a":1,"b\"":[3]}"#),
        (r#"{"x":1,"x":2}"#, "{}"),
        ("[1]", "[1]"),
    ] {
        assert_eq!(without(text, "x"), rest);
    }
}
