//! Answers the questions of a form as what is filled in says: `{"task": {"requests": […], "count": n, "choices": [[label,
//! value, summary]], "next": text, "fields": [[name, kind]]}}`. It sends the requests first, with a choice for each, and
//! then gives `count` choices and those that are listed, and one for the `page` that is filled in. A number as `next` or `label` is a text of that many bytes.

use hostile_guests::{
    Answer, Behaviour, Failure, Page, Question, d, describe, failure, guest, parameter, parse, send,
};
use serde_json::Value;

struct Answers;

impl Behaviour for Answers {
    fn describing() -> d::Node {
        let dynamic = |search| d::Dynamic {
            depends_on: vec!["task".to_owned()],
            search,
        };
        let choices = |search| d::Choices {
            known: vec![],
            open: false,
            dynamic: Some(dynamic(search)),
        };
        let asked = [
            parameter("thing", d::Kind::Choice(choices(true))),
            parameter("tag", d::Kind::Choice(choices(false))),
            parameter("columns", d::Kind::Columns(dynamic(false))),
            parameter(
                "page",
                d::Kind::Reference(d::Reference {
                    dynamic: None,
                    id_in_url: Some("https://wiki\\.example/p/([0-9]+)".to_owned()),
                    id: Some("[0-9]+".to_owned()),
                }),
            ),
        ];
        let mut node = describe();
        for operation in &mut node.operations {
            let ids = asked.iter().map(|parameter| parameter.id.clone());
            operation.parameters.extend(ids);
        }
        node.parameters.extend(asked);
        node
    }

    fn values(question: Question) -> Result<Page, Failure> {
        let filled_in = parse(&question.filled_in);
        let task = &filled_in["task"];
        let mut choices = Vec::new();
        for request in list(&task["requests"]) {
            let seen = send(request);
            if let Some(error) = seen["error"].as_str() {
                return Err(failure(error));
            }
            if seen["status"] == 401 {
                return Err(Failure::Unauthenticated(Answer {
                    status: 401,
                    code: None,
                    message: "refused".to_owned(),
                    request_id: None,
                }));
            }
            choices.push(choice(text(&seen["body"]), &choices.len().to_string(), ""));
        }
        let count = task["count"].as_u64().unwrap_or_default();
        choices.extend((0..count).map(|index| choice("A thing", &index.to_string(), "")));
        for listed in list(&task["choices"]) {
            choices.push(choice(text(&listed[0]), &listed[1].to_string(), text(&listed[2])));
        }
        if let Some(page) = filled_in.get("page") {
            choices.push(choice(&format!("The page {page}"), "\"page\"", ""));
        }
        if let Some(bytes) = task["label"].as_u64() {
            choices.push(choice(&long(bytes), "1", ""));
        }
        if let Some(search) = &question.search {
            choices.retain(|choice| choice.label.contains(search.as_str()));
        }
        let next = match &question.cursor {
            None => match task["next"].as_u64() {
                Some(bytes) => Some(long(bytes)),
                None => task["next"].as_str().map(str::to_owned),
            },
            Some(cursor) if cursor == "without end" => Some(cursor.clone()),
            Some(_) => None,
        };
        Ok(Page { choices, next })
    }

    fn fields(question: Question) -> Result<Vec<d::Parameter>, Failure> {
        let task = &parse(&question.filled_in)["task"];
        let fields = list(&task["fields"]).iter().enumerate();
        let fields = fields.map(|(index, field)| {
            let kind = match text(&field[1]) {
                "boolean" => d::Kind::Boolean,
                "secret" => d::Kind::Secret,
                _ => d::Kind::Text,
            };
            let mut column = parameter(&format!("c{index}"), kind);
            column.name = text(&field[0]).to_owned();
            column
        });
        Ok(fields.collect())
    }
}

fn choice(label: &str, value: &str, summary: &str) -> d::Choice {
    d::Choice {
        label: label.to_owned(),
        value: value.to_owned(),
        summary: summary.to_owned(),
    }
}

fn long(bytes: u64) -> String {
    "x".repeat(usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

guest!(Answers);
