//! The node of `cli/src/describe/testdata/forms.json`. It stores what it is given, and asks its service what the form asks:
//!
//! | question | request | answer |
//! | --- | --- | --- |
//! | store an item | `POST /items` with the item's parameters | the output item |
//! | peek at an item | `GET /items/OWNER` | the output item |
//! | the values of a parameter | `GET /lists/PARAMETER?with=FILLED-IN&search=…&cursor=…` | `{"choices": [[label, value]], "next": …}` |
//! | the columns of a parameter | `GET /columns/PARAMETER?with=FILLED-IN` | a list of parameters, as a description has them |

use std::fmt::Write as _;

use hostile_guests::{
    Answer, Behaviour, Call, Draft, Failure, Field, Item, ItemResult, Page, Question, SignedRequest, d,
    failure, guest, outputs, parse, send,
};
use n8n_guests::{node, parameter};
use serde_json::{Value, json};

const DESCRIPTION: &str = include_str!("../../../../cli/src/describe/testdata/forms.json");

struct Warehouse;

impl Behaviour for Warehouse {
    fn describing() -> d::Node {
        node(&parse(DESCRIPTION))
    }

    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let base = &call.service.base_url;
        let run = |item: &Item| {
            let request = if call.operation == "peek" {
                let owner = parse(&item.parameters)["owner"].clone();
                let owner = owner.as_str().map_or_else(|| owner.to_string(), encoded);
                json!({"url": format!("{base}/items/{owner}")})
            } else {
                json!({
                    "method": "POST",
                    "url": format!("{base}/items"),
                    "headers": [["content-type", "application/json"]],
                    "body": item.parameters,
                })
            };
            Ok(outputs([answer(&request)?]))
        };
        Ok(call.items.iter().map(run).collect())
    }

    fn values(question: Question) -> Result<Page, Failure> {
        let answer = answer(&json!({"url": url(&question, "lists")}))?;
        let listed = answer["choices"].as_array().into_iter().flatten();
        let choices = listed.map(|listed| d::Choice {
            label: listed[0].as_str().unwrap_or_default().to_owned(),
            value: listed[1].to_string(),
            summary: String::new(),
        });
        Ok(Page {
            choices: choices.collect(),
            next: answer["next"].as_str().map(str::to_owned),
        })
    }

    fn fields(question: Question) -> Result<Vec<d::Parameter>, Failure> {
        let answer = answer(&json!({"url": url(&question, "columns")}))?;
        Ok(answer.as_array().into_iter().flatten().map(parameter).collect())
    }

    /// Sends the secret as it is: what counts here is whose it is.
    fn sign(credential: Value, draft: Draft) -> Result<SignedRequest, Failure> {
        let mut headers = draft.headers;
        headers.push(Field {
            name: "x-signature".to_owned(),
            value: credential["secret"].as_str().unwrap_or_default().to_owned(),
        });
        Ok(SignedRequest {
            url: draft.url,
            headers,
            body: None,
        })
    }
}

fn url(question: &Question, what: &str) -> String {
    let mut url = format!(
        "{}/{what}/{}?with={}",
        question.service.base_url,
        encoded(&question.parameter),
        encoded(&question.filled_in)
    );
    for (name, value) in [("search", &question.search), ("cursor", &question.cursor)] {
        if let Some(value) = value {
            // Writing to a text cannot fail.
            let _ = write!(url, "&{name}={}", encoded(value));
        }
    }
    url
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// The body of a response, or what the service has against the request.
fn answer(request: &Value) -> Result<Value, Failure> {
    let seen = send(request);
    if let Some(error) = seen["error"].as_str() {
        return Err(failure(error));
    }
    let body = seen["body"].as_str().unwrap_or_default();
    match seen["status"].as_u64() {
        Some(200) => Ok(parse(body)),
        status => {
            let refused = Answer {
                status: status
                    .and_then(|status| u16::try_from(status).ok())
                    .unwrap_or_default(),
                code: None,
                message: body.to_owned(),
                request_id: None,
            };
            Err(if status == Some(401) {
                Failure::Unauthenticated(refused)
            } else {
                Failure::Rejected(refused)
            })
        }
    }
}

guest!(Warehouse);
