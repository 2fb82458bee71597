//! A node that takes no credential: it reads the page whose URL its item names, where the operator allows that.

use hostile_guests::{
    Behaviour, Call, Failure, Item, ItemResult, d, describe, failure, guest, outputs, parameter, parse, send,
};
use serde_json::json;

struct Open;

impl Behaviour for Open {
    fn describing() -> d::Node {
        let mut node = describe();
        let url = d::Parameter {
            required: true,
            ..parameter("url", d::Kind::Text)
        };
        node.name = "open".to_owned();
        node.display_name = "Open".to_owned();
        node.credentials.clear();
        node.operations.truncate(1);
        node.operations[0].parameters = vec![url.id.clone()];
        node.parameters = vec![url];
        node
    }

    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| {
            let seen = send(&json!({"url": parse(&item.parameters)["url"]}));
            match seen["error"].as_str() {
                Some(error) => Err(failure(error)),
                None => Ok(outputs([json!({"read": seen["body"]})])),
            }
        };
        Ok(call.items.iter().map(run).collect())
    }
}

guest!(Open);
