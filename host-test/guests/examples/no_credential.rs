//! Needs no credential. It declares an origin, sends the requests that its item lists, and answers the question of its form
//! with what the requests that are filled in were answered.

use hostile_guests::{
    Behaviour, Call, Failure, ItemResult, Page, Question, d, describe, failure, guest, parameter, parse,
    seen, send,
};
use serde_json::Value;

struct NoCredential;

impl Behaviour for NoCredential {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |parameters: &str| {
            let item = parse(parameters);
            seen(&item, &sent(&item))
        };
        Ok(call.items.iter().map(|item| run(&item.parameters)).collect())
    }

    fn values(question: Question) -> Result<Page, Failure> {
        let choice = |answer: &Value| match answer["error"].as_str() {
            Some(error) => Err(failure(error)),
            None => Ok(d::Choice {
                label: answer["body"].as_str().unwrap_or_default().to_owned(),
                value: answer["body"].to_string(),
                summary: String::new(),
            }),
        };
        let answers = sent(&parse(&question.filled_in));
        Ok(Page {
            choices: answers.iter().map(choice).collect::<Result<_, _>>()?,
            next: None,
        })
    }

    fn describing() -> d::Node {
        let mut node = describe();
        node.credentials.clear();
        node.parameters
            .retain(|parameter| ["task", "id"].contains(&parameter.id.as_str()));
        node.origins = vec![d::Origin {
            url: "https://open.example".to_owned(),
            access: vec![],
            reason: "Everything that it knows is there".to_owned(),
        }];
        let dynamic = d::Dynamic {
            depends_on: vec!["requests".to_owned()],
            search: false,
        };
        let choices = d::Choices {
            known: vec![],
            open: false,
            dynamic: Some(dynamic),
        };
        let asked = [
            parameter("requests", d::Kind::AnyJson),
            parameter("thing", d::Kind::Choice(choices)),
        ];
        let ids = asked.iter().map(|parameter| parameter.id.clone());
        node.operations[0].parameters.extend(ids);
        node.parameters.extend(asked);
        node
    }
}

fn sent(item: &Value) -> Vec<Value> {
    item["requests"]
        .as_array()
        .into_iter()
        .flatten()
        .map(send)
        .collect()
}

guest!(NoCredential);
