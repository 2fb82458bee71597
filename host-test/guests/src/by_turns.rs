//! Requests by turns: the same requests as those of [`crate::send`], described and reported in the same way.

use serde_json::{Value, json};

use crate::bindings::exports::workflow::node::turns::{Answered, Asked, ErrorCode, Method, Request, Scheme};
use crate::{Field, Turn, shown};

/// The response headers that the rows examine.
pub const HEADERS: [&str; 5] = ["location", "retry-after", "x-echo", "x-secret", "x-token"];

/// A turn with this request only.
pub fn only(request: Request) -> Turn {
    asked(vec![], vec![request])
}

/// A turn with these requests, and the headers that they have in common.
pub fn asked(headers: Vec<Field>, requests: Vec<Request>) -> Turn {
    Turn::Waiting(Asked {
        headers,
        requests,
        emitted: vec![],
    })
}

/// Parses a request as [`crate::begin`] does.
pub fn request(id: u32, request: &Value) -> Result<Request, String> {
    let mut headers = Vec::new();
    for header in request["headers"].as_array().into_iter().flatten() {
        let field = Field {
            name: header[0].as_str().unwrap_or_default().to_owned(),
            value: header[1].as_str().unwrap_or_default().to_owned(),
        };
        for _ in 0..header[2].as_u64().unwrap_or(1) {
            headers.push(field.clone());
        }
    }
    let url = request["url"].as_str().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    Ok(Request {
        id,
        method: match request["method"].as_str().unwrap_or("GET") {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "CONNECT" => Method::Connect,
            "TRACE" => Method::Trace,
            _ => return Err("unsendable method".to_owned()),
        },
        scheme: match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err("unsendable scheme".to_owned()),
        },
        authority: authority.to_owned(),
        path_with_query: path.to_owned(),
        headers,
        body: request["body"].as_str().map(|body| body.as_bytes().to_vec()),
    })
}

/// Reports the outcome of a request as [`crate::send`] does.
pub fn told(answered: &Answered) -> Value {
    match &answered.outcome {
        Ok(response) => {
            let headers: Vec<Value> = response
                .headers
                .iter()
                .map(|field| json!([field.name, field.value]))
                .collect();
            json!({"status": response.status, "headers": headers, "body": shown(&response.body), "broken": null})
        }
        Err(code) => told_as(*code),
    }
}

fn told_as(code: ErrorCode) -> Value {
    json!({"error": format!("{code:?}")})
}
