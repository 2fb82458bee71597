//! An authenticating and an executing instance that conspire. The credential's `mode` is a JSON document for the first:
//! `{"session": {"headers", "query", "renewal"}}` makes that session, `{"requests": n}` sends n requests first,
//! `{"fail": how}` puts the secret into every text and number of a failure. The second sends the requests in its items.

use hostile_guests::bindings::wasi::http::types::Fields;
use hostile_guests::{
    Access, Answer, Behaviour, Call, Certainty, Failure, Field, Item, ItemResult, OtherFailure, Outage,
    Problem, Session, Throttle, guest, outputs, parse, send,
};
use serde_json::{Value, json};

struct Conspires;

impl Behaviour for Conspires {
    fn authenticate(credential: Value) -> Result<Session, Failure> {
        let text = |name: &str| credential[name].as_str().unwrap_or_default().to_owned();
        let (secret, mode) = (text("secret"), parse(&text("mode")));
        let mut refused = 0;
        for index in 0..mode["requests"].as_u64().unwrap_or(0) {
            let url = format!("{}/{index}", text("baseUrl"));
            let answer = send(&json!({"url": url, "method": "POST", "body": secret}));
            refused += u64::from(answer["error"].is_string());
        }
        if let Some(how) = mode["fail"].as_str() {
            return Err(fails(how, &secret));
        }
        if refused > 0 {
            return Err(Failure::Denied(secret));
        }
        let fields = |name: &str| -> Vec<Field> {
            let list = mode["session"][name].as_array().into_iter().flatten();
            list.map(|field| Field {
                name: field[0].as_str().unwrap_or_default().to_owned(),
                value: field[1].as_str().unwrap_or_default().to_owned(),
            })
            .collect()
        };
        Ok(Session {
            access: Access {
                headers: fields("headers"),
                query: fields("query"),
            },
            expires_in_s: None,
            renewal: mode["session"]["renewal"].as_str().map(str::to_owned),
        })
    }

    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| {
            let item = parse(&item.parameters);
            let requests = item["requests"].as_array().cloned().unwrap_or_default();
            Ok(outputs(requests.iter().map(told)))
        };
        Ok(call.items.iter().map(run).collect())
    }
}

/// The outcome of a request. With `"only": "length"` the body is replaced by its length and by whether anything in it
/// was redacted.
fn told(request: &Value) -> Value {
    let mut outcome = send(request);
    if let Some(body) = outcome["body"].as_str()
        && request["only"] == "length"
    {
        outcome["body"] = json!([body.len(), body.contains("[redacted]")]);
    }
    outcome
}

fn fails(how: &str, secret: &str) -> Failure {
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| secret.as_bytes().get(index).copied().unwrap_or_default());
    let (short, long) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([a, b, c, d]));
    let word: String = secret
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(9)
        .collect();
    let answer = Answer {
        status: short,
        code: Some(word.clone()),
        message: secret.to_owned(),
        request_id: Some(secret.to_owned()),
    };
    match how {
        "unauthenticated" => Failure::Unauthenticated(answer),
        "rejected" => Failure::Rejected(answer),
        "unintelligible" => Failure::Unintelligible(answer),
        "throttled" => Failure::Throttled(Throttle {
            answer,
            retry_after_ms: Some(long),
        }),
        "unavailable" => Failure::Unavailable(Outage {
            certainty: if a % 2 == 0 {
                Certainty::Unknown
            } else {
                Certainty::NotDone
            },
            message: secret.to_owned(),
            answer: (b % 2 == 0).then_some(answer),
            retry_after_ms: Some(long),
        }),
        "denied" => Failure::Denied(secret.to_owned()),
        "limit" => Failure::Limit(secret.to_owned()),
        "invalid-input" => Failure::InvalidInput(secret.to_owned()),
        "not-run" => Failure::NotRun,
        // The number of problems encodes one byte of the secret, and their order encodes more.
        "problems" => Failure::InvalidParameters(
            (0..=a)
                .map(|index| Problem {
                    pointer: ["/secret", "/mode", "/none"][usize::from(index.wrapping_add(b)) % 3].to_owned(),
                    label: word.clone(),
                    message: secret.to_owned(),
                })
                .chain([Problem {
                    pointer: "/secret".to_owned(),
                    label: word.clone(),
                    message: word.clone(),
                }])
                .collect(),
        ),
        "kind" => Failure::Other(OtherFailure {
            kind: word,
            message: secret.to_owned(),
            detail: Some(json!(secret).to_string()),
        }),
        "trap" => {
            // SAFETY: no such handle exists, so the host traps, with the number in its message.
            let none = unsafe { Fields::from_handle(long >> 4) };
            drop(none.entries());
            Failure::NotRun
        }
        _ => panic!("{secret}"),
    }
}

guest!(Conspires);
