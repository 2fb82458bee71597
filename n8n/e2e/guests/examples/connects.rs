//! A node whose user logs in by OAuth 2.0, at the provider whose port the credential names: it asks the service who is asking, in an
//! operation and for a form.

use hostile_guests::{
    Answer, Behaviour, Call, Failure, Item, ItemResult, Page, Question, d, failure, guest, oauth2, outputs,
    parameter, parse, send,
};
use serde_json::{Value, json};

struct Connects;

impl Behaviour for Connects {
    fn describing() -> d::Node {
        let mut node = oauth2::described("/token");
        let user = d::Choices {
            known: vec![],
            open: false,
            dynamic: Some(d::Dynamic {
                depends_on: vec![],
                search: false,
            }),
        };
        let user = parameter("user", d::Kind::Choice(user));
        node.name = "connects".to_owned();
        node.display_name = "Connects".to_owned();
        node.operations.truncate(1);
        node.operations[0].parameters = vec![user.id.clone()];
        node.parameters
            .retain(|parameter| !["task", "id"].contains(&parameter.id.as_str()));
        node.parameters.push(user);
        if let d::Scheme::Oauth2(oauth2) = &mut node.credentials[0].scheme {
            // n8n's own log-in has no place for it.
            oauth2.token_body.clear();
        }
        node
    }

    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |_: &Item| Ok(outputs([who(&call.service.base_url)?]));
        Ok(call.items.iter().map(run).collect())
    }

    fn values(question: Question) -> Result<Page, Failure> {
        let who = who(&question.service.base_url)?;
        Ok(Page {
            choices: vec![d::Choice {
                label: who["user"].as_str().unwrap_or_default().to_owned(),
                value: who["user"].to_string(),
                summary: String::new(),
            }],
            next: None,
        })
    }
}

fn who(base: &str) -> Result<Value, Failure> {
    let seen = send(&json!({"url": format!("{base}/who")}));
    if let Some(error) = seen["error"].as_str() {
        return Err(failure(error));
    }
    if seen["status"] == 401 {
        return Err(Failure::Unauthenticated(Answer {
            status: 401,
            code: None,
            message: "the service refused the token".to_owned(),
            request_id: None,
        }));
    }
    Ok(parse(seen["body"].as_str().unwrap_or_default()))
}

guest!(Connects);
