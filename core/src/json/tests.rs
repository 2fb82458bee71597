use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::json;

#[test]
fn a_document_is_written_as_it_was_read() {
    for text in [
        "null",
        "[]",
        "{}",
        "[[],{},\"\",true,false,null]",
        r#"{"z":1,"a":{"y":2,"b":[3]}}"#,
        "[0,-0,0.0,1.50,1e400,1E+2,-12345678901234567890.10,18446744073709551616]",
        r#""ü\n\"\\""#,
    ] {
        let document = Json::parse(text).unwrap();
        assert_eq!(document.to_string(), text);
        assert_eq!(Json::from_slice(text.as_bytes()).unwrap(), document);
        assert_eq!(serde_json::from_str::<Json>(text).unwrap(), document);
        assert_eq!(Json::parse(&format!("{document:#}")).unwrap(), document);
    }
}

#[test]
fn escapes_and_blanks_are_read_as_what_they_mean() {
    let document = Json::parse(" {\t\"a\\u0062\" :\r\n[ \"\\ud83d\\ude00\\/\" , 1 ] } ").unwrap();
    assert_eq!(document, json!({"ab": ["😀/", 1]}));
}

#[test]
fn of_fields_with_one_name_the_last_counts() {
    assert_eq!(
        Json::parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap().to_string(),
        r#"{"a":3,"b":2}"#
    );
}

/// Runs on a few thousand texts, most of them broken in one position.
#[test]
fn what_is_json_is_what_serde_json_says() {
    let whole = r#" {"a": [1, -2.5e+3, "x\u00e9\\\" ü", {"b": null}], "c": [true, false, [], {}]} "#;
    let mut texts: Vec<String> = (0..=whole.len())
        .filter_map(|end| whole.get(..end))
        .map(str::to_owned)
        .collect();
    for (at, character) in whole.char_indices() {
        for new in [
            "", ",", ":", "\"", "\\", "{", "]", "0", "-", "e", "n", "\u{1}", "\\ud800",
        ] {
            let rest = whole.get(at + character.len_utf8()..).unwrap();
            texts.push(format!("{}{new}{rest}", whole.get(..at).unwrap()));
        }
    }
    for text in texts {
        let (ours, theirs) = (
            Json::parse(&text),
            serde_json::from_str::<serde_json::Value>(&text),
        );
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(serde_json::to_value(&ours).unwrap(), theirs, "{text}"),
            (Err(ours), Err(theirs)) => assert_eq!(ours.to_string(), theirs.to_string(), "{text}"),
            (ours, theirs) => panic!("{text}: {ours:?}, {theirs:?}"),
        }
    }
}

#[test]
fn nesting_is_bounded_at_the_depth_of_serde_json() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Json::parse(&nested(MAX_DEPTH)).is_ok());
    assert!(serde_json::from_str::<serde_json::Value>(&nested(MAX_DEPTH)).is_ok());
    let error = Json::parse(&nested(MAX_DEPTH + 1)).unwrap_err().to_string();
    assert!(error.starts_with("recursion limit exceeded at line 1"), "{error}");
    assert!(serde_json::from_str::<Json>(&nested(MAX_DEPTH + 1)).is_err());
    assert!(Json::parse(&nested(1_000_000)).is_err());
}

#[test]
fn numbers_are_equal_by_their_digits_and_read_as_what_they_mean() {
    let number = |digits: &str| Json::parse(digits).unwrap();
    assert_ne!(number("1.0"), number("1.00"));
    assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
    assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
    assert_eq!(number("1.0").as_u64(), None);
    assert_eq!(number("1.0").as_f64(), Some(1.0));
    assert_eq!(number("1e400").as_f64(), None);
    assert_eq!(number("7"), 7);
    assert_eq!(json!(1.5).to_string(), "1.5");
    assert_eq!(json!(f64::NAN), Json::Null);
}

#[test]
fn objects_are_equal_in_any_order_and_keys_can_be_sorted() {
    let mut document = json!({"b": [{"d": 1, "c": 2}], "a": null});
    assert_eq!(document, json!({"a": null, "b": [{"c": 2, "d": 1}]}));
    document.sort_keys();
    assert_eq!(document.to_string(), r#"{"a":null,"b":[{"c":2,"d":1}]}"#);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    value: Json,
    fields: Object,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Held { value: Json },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Float(f64),
    Other(BTreeMap<String, Json>),
}

#[test]
fn digits_are_kept_inside_of_what_serde_derives() {
    let text = r#"{"value":[1.50,1e400],"fields":{"z":12345678901234567890.10,"a":1}}"#;
    let read: Plain = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert!(serde_json::from_str::<Plain>(r#"{"value":1,"fields":[]}"#).is_err());
}

/// Values that serde has buffered arrive without their digits, and still work.
#[test]
fn a_value_is_read_behind_serdes_attributes_and_from_other_formats() {
    let read: Tagged = serde_json::from_str(r#"{"type":"Held","value":{"a":[1,2.5,"x",null]}}"#).unwrap();
    let value = json!({"a": [1, 2.5, "x", null]});
    assert_eq!(read, Tagged::Held { value });
    let read: Untagged = serde_json::from_str(r#"{"a":7}"#).unwrap();
    assert_eq!(
        read,
        Untagged::Other(BTreeMap::from([("a".to_owned(), json!(7))]))
    );
    assert_eq!(
        toml::from_str::<Json>("a = [1, 2.5]\nb = true").unwrap(),
        json!({"a": [1, 2.5], "b": true})
    );
    let value = serde_json::json!({"a": [1, 2.5]});
    assert_eq!(
        serde_json::from_value::<Json>(value).unwrap(),
        json!({"a": [1, 2.5]})
    );
}

/// The feature `arbitrary_precision`, which breaks this, is off everywhere in this program.
#[test]
fn a_float_behind_an_attribute_is_still_a_float() {
    assert_eq!(
        serde_json::from_str::<Untagged>("1.0").unwrap(),
        Untagged::Float(1.0)
    );
}

#[test]
fn nobodys_document_passes_for_a_text_of_serde_json() {
    for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        let text = format!(r#"{{"{name}":"no, json"}}"#);
        let fields = Object::from_iter([(name, json!("no, json"))]);
        assert_eq!(Json::parse(&text).unwrap(), Json::Object(fields));
        let tagged = format!(r#"{{"type":"Held","value":{text}}}"#);
        assert!(serde_json::from_str::<Tagged>(&tagged).is_err());
    }
}

#[test]
fn the_macro_takes_expressions_literals_and_trailing_commas() {
    let (text, nothing) = (String::from("t"), None::<u32>);
    let document = json!({
        "a": text, "b": [nothing, -1, {"c": text.len()},], "d": Some("x"), "e": [&text, "u"].concat(), "f": {}, "g": [],
    });
    assert_eq!(
        document.to_string(),
        r#"{"a":"t","b":[null,-1,{"c":1}],"d":"x","e":"tu","f":{},"g":[]}"#
    );
    assert_eq!(document["b"][2]["c"], 1);
    assert!(document["none"][7].is_null());
}
