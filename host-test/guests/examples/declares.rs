//! Declares an origin, and a credential whose secret the host puts into a header and into the query. The rest is as
//! `calls`: it sends the requests that its item lists, whatever they are.

use hostile_guests::{
    Behaviour, Call, Failure, Item, ItemResult, d, describe, failure, guest, outputs, parse, send,
};
use serde_json::Value;

struct Declares;

impl Behaviour for Declares {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| {
            let item = parse(&item.parameters);
            let requests = item["requests"].as_array().cloned().unwrap_or_default();
            let outcomes: Vec<Value> = requests.iter().map(send).collect();
            match outcomes.as_slice() {
                [only] if only["error"].is_string() => {
                    Err(failure(only["error"].as_str().unwrap_or_default()))
                }
                outcomes => Ok(outputs(outcomes)),
            }
        };
        Ok(call.items.iter().map(run).collect())
    }

    fn describing() -> d::Node {
        let template = |name: &str, template: &str| d::Template {
            name: name.to_owned(),
            template: template.to_owned(),
        };
        let mut node = describe();
        let credential = &mut node.credentials[0];
        credential.scheme = d::Scheme::Fixed(d::Placement {
            headers: vec![template("authorization", "Bearer {secret}")],
            query: vec![template("key", "{secret}")],
        });
        credential.test = Some("/test".to_owned());
        node.origins = vec![d::Origin {
            // The tests choose the port.
            url: "http://localhost:{mode}".to_owned(),
            access: vec![credential.name.clone()],
            reason: "It says that it needs it".to_owned(),
        }];
        node
    }
}

guest!(Declares);
