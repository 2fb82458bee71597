//! Answers in XML, read as JSON, so that the pointers of a table lead into them.
//!
//! | in the answer | in the document |
//! | --- | --- |
//! | `<Error><Code>NoSuchKey</Code></Error>` | `{"Error":{"Code":"NoSuchKey"}}`: an element is a member of the one around it |
//! | an element without elements in it | its text, as it stands there; `""` where it is empty |
//! | an element that is there again, or that the table names | a list, where the first of them stands |
//! | text beside elements, attributes, comments, instructions | left out |
//! | `<s3:Key>`, `xmlns="…"` | the name without its prefix |
//! | what begins with `{` or `[` | JSON, as it came |
//!
//! A document type is refused, and with it every entity but XML's own five. So is what is nested deeper than 60 elements or has
//! more than 500,000 of them and their texts: the tree is in the node's memory.

use std::borrow::Cow;

use roxmltree::{Document, Node, ParsingOptions};

use crate::answer::Reads;
use crate::answer::first_words;
use crate::json::push_quoted;

/// Each is two levels of JSON at most: a list, and an object in it.
const MAX_DEPTH: usize = 60;
/// Some 30 MB of tree. A page of 1,000 objects has 15,000.
const MAX_NODES: u32 = 500_000;

/// Answers are XML. The elements with these names are lists, even where there is one.
pub const fn xml(lists: &'static [&'static str]) -> Reads {
    Reads { lists, read }
}

fn read(reads: &Reads, body: String) -> Result<String, String> {
    if matches!(body.trim_start().as_bytes(), [] | [b'{' | b'[', ..]) {
        return Ok(body);
    }
    let options = ParsingOptions {
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let refused = |why: String| format!("expected XML, found `{}`: {why}", first_words(&body));
    let document =
        Document::parse_with_options(&body, options).map_err(|error| refused(error.to_string()))?;
    let root = document.root_element();
    let mut json = String::with_capacity(body.len());
    json.push('{');
    push_quoted(&mut json, root.tag_name().name());
    json.push(':');
    push_element(&mut json, root, reads, MAX_DEPTH).map_err(refused)?;
    json.push('}');
    Ok(json)
}

fn push_element(json: &mut String, element: Node, reads: &Reads, levels: usize) -> Result<(), String> {
    let levels = levels
        .checked_sub(1)
        .ok_or_else(|| format!("nested deeper than {MAX_DEPTH} elements"))?;
    let mut members: Vec<(&str, Vec<Node>)> = Vec::new();
    for child in element.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        // Most of the same name stand together.
        match members.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, all)) => all.push(child),
            None => members.push((name, vec![child])),
        }
    }
    if members.is_empty() {
        push_quoted(json, &text(element));
        return Ok(());
    }
    let mut before = '{';
    for (name, all) in members {
        json.push(before);
        before = ',';
        push_quoted(json, name);
        json.push(':');
        match all.as_slice() {
            [one] if !reads.lists.contains(&name) => push_element(json, *one, reads, levels)?,
            all => {
                let mut before = '[';
                for one in all {
                    json.push(before);
                    before = ',';
                    push_element(json, *one, reads, levels)?;
                }
                json.push(']');
            }
        }
    }
    json.push('}');
    Ok(())
}

/// A comment or an instruction may part a text.
fn text<'a>(element: Node<'a, '_>) -> Cow<'a, str> {
    let mut parts = element
        .children()
        .filter_map(|child| child.text().filter(|_| child.is_text()));
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        None => Cow::Borrowed(first),
        Some(second) => [first, second].into_iter().chain(parts).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(body: &str) -> Result<String, String> {
        let reads = xml(&["Contents"]);
        (reads.read)(&reads, body.to_owned())
    }

    #[test]
    fn an_element_is_a_member_a_text_or_a_list() {
        for (body, json) in [
            (
                "<?xml version='1.0' encoding='UTF-8'?>\n<Error>\n  <Code>NoSuchKey</Code><Message>a &lt;b&gt; &amp; \"c\"</Message>\n</Error>",
                r#"{"Error":{"Code":"NoSuchKey","Message":"a <b> & \"c\""}}"#,
            ),
            (
                "<L xmlns='http://s3.example/'><Contents><Key> a </Key></Contents><Max>1</Max></L>",
                r#"{"L":{"Contents":[{"Key":" a "}],"Max":"1"}}"#,
            ),
            (
                "<L><Contents/><Other>1</Other><Contents><Key/></Contents><Other><a>2</a></Other></L>",
                r#"{"L":{"Contents":["",{"Key":""}],"Other":["1",{"a":"2"}]}}"#,
            ),
            (
                "<a:L xmlns:a='u' a:x='1'>beside<!-- c --><a:K y='2'>one<!-- c --><![CDATA[<two>]]><?p i?>&#x1F600;</a:K></a:L>",
                r#"{"L":{"K":"one<two>😀"}}"#,
            ),
            ("<Contents>x</Contents>", r#"{"Contents":"x"}"#),
            ("<L> </L>", r#"{"L":" "}"#),
            ("{\"Code\": 1}", "{\"Code\": 1}"),
            (" [1]", " [1]"),
            ("", ""),
        ] {
            assert_eq!(document(body).as_deref(), Ok(json), "{body}");
        }
    }

    #[test]
    fn what_is_made_is_json() {
        let body = "<L><Contents><Key>\"\\&#10;&#9;\u{7f}\u{2028}é</Key></Contents><a\u{e9}>1</a\u{e9}></L>";
        let json = document(body).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["L"]["Contents"][0]["Key"], "\"\\\n\t\u{7f}\u{2028}é");
        assert_eq!(value["L"]["a\u{e9}"], "1");
    }

    #[test]
    fn nothing_is_read_of_a_document_type_or_of_what_is_no_xml() {
        for (body, why) in [
            ("<!DOCTYPE L [<!ENTITY e 'x'>]><L>&e;</L>", "DTD"),
            ("<!DOCTYPE L SYSTEM 'file:///etc/passwd'><L/>", "DTD"),
            ("<L>&nbsp;</L>", "entity"),
            ("<L><K></L>", "expected"),
            ("<L/><L/>", "expected XML"),
            ("<L>", "expected XML"),
            ("no XML", "found `no XML`"),
            ("<html><br></html>", "found `<html><br></html>`"),
        ] {
            let error = document(body).unwrap_err();
            assert!(error.contains(why), "{body}: {error}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_large_is_refused() {
        let nested = |depth: usize| format!("{}{}", "<Contents>".repeat(depth), "</Contents>".repeat(depth));
        let json = document(&nested(MAX_DEPTH)).unwrap();
        assert!(crate::json::document(&json).is_ok());
        assert!(
            document(&nested(MAX_DEPTH + 1))
                .unwrap_err()
                .contains("nested deeper than 60")
        );
        assert!(document(&nested(100_000)).is_err());
        let many = format!("<L>{}</L>", "<a/>".repeat(600_000));
        assert!(document(&many).unwrap_err().contains("limit"));
    }
}
