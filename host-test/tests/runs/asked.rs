//! A form's questions, through the command.

use serde_json::json;

use crate::hostile;
use crate::support::{expect, lines, nodule};

#[test]
fn a_question_gets_the_id_of_a_reference_however_it_is_filled_in() {
    for (page, label) in [
        (json!("7"), "The page \"7\""),
        (json!({"mode": "id", "value": 7}), "The page 7"),
        (
            json!({"mode": "url", "value": "https://wiki.example/p/7"}),
            "The page \"7\"",
        ),
        (
            json!({"mode": "url", "value": "https://wiki.example/p/"}),
            "The page null",
        ),
    ] {
        let mut ask = nodule();
        ask.arg("choices").arg(hostile("answers"));
        ask.args(["things", "read", "thing", "--param", &format!("page:={page}")]);
        let credential =
            json!({"baseUrl": "http://127.0.0.1:9", "secret": "never-sent-0123456789", "mode": "none"});
        ask.env("NODULE_CREDENTIAL", credential.to_string());
        let asked = lines(&expect(&mut ask, 0));
        assert_eq!(asked, [json!({"label": label, "value": "page"})], "{page}");
    }
}
