//! Authenticates as its credential's `mode` says, `{"requests": [...], "headers": [[name, value]]}`: sends these
//! requests, then returns a session with these headers. It executes requests, as `calls` does.

use hostile_guests::{
    Access, Behaviour, Call, Failure, Field, Item, ItemResult, Session, failure, guest, outputs, parse, send,
};
use serde_json::Value;

struct LogsIn;

impl Behaviour for LogsIn {
    fn authenticate(credential: Value) -> Result<Session, Failure> {
        let script = parse(credential["mode"].as_str().unwrap_or_default());
        for request in list(&script["requests"]) {
            if let Some(error) = send(request)["error"].as_str() {
                return Err(failure(error));
            }
        }
        let headers = list(&script["headers"]).iter().map(|header| Field {
            name: header[0].as_str().unwrap_or_default().to_owned(),
            value: header[1].as_str().unwrap_or_default().to_owned(),
        });
        Ok(Session {
            access: Access {
                headers: headers.collect(),
                query: vec![],
            },
            expires_in_s: None,
            renewal: None,
        })
    }

    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| {
            let outcomes: Vec<Value> = list(&parse(&item.parameters)["requests"])
                .iter()
                .map(send)
                .collect();
            match outcomes.as_slice() {
                [only] if only["error"].is_string() => {
                    Err(failure(only["error"].as_str().unwrap_or_default()))
                }
                outcomes => Ok(outputs(outcomes)),
            }
        };
        Ok(call.items.iter().map(run).collect())
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

guest!(LogsIn);
