//! Declares an origin, and a credential that the host puts into headers and into the query. It sends the requests that its
//! item lists, whatever they are, and adds the access that its call has, as a node has to in a plain host.

use hostile_guests::{
    Behaviour, Call, Failure, ItemResult, adding, d, describe, guest, parameter, parse, seen, send,
};

struct Declares;

impl Behaviour for Declares {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let access = call.service.access.as_ref();
        let run = |parameters: &str| {
            let item = parse(parameters);
            let requests = item["requests"].as_array().into_iter().flatten();
            let outcomes: Vec<_> = requests.map(|request| send(&adding(access, request))).collect();
            seen(&item, &outcomes)
        };
        Ok(call.items.iter().map(|item| run(&item.parameters)).collect())
    }

    fn describing() -> d::Node {
        let template = |(name, template): (&str, &str)| d::Template {
            name: name.to_owned(),
            template: template.to_owned(),
        };
        let headers = [
            ("authorization", "Bearer {secret}"),
            ("x-reader", "reader={reader}; {{x}}"),
        ];
        let query = [
            ("key", "{secret}"),
            ("pair", "{basic:reader:absent}"),
            ("branch", "{branch}"),
            ("absent", "{reader}{absent}"),
        ];
        let mut node = describe();
        let credential = &mut node.credentials[0];
        credential.scheme = d::Scheme::Fixed(d::Placement {
            headers: headers.map(template).into(),
            query: query.map(template).into(),
        });
        credential.test = Some("/test".to_owned());
        for name in ["reader", "absent", "kind", "branch"] {
            credential.fields.push(name.to_owned());
            node.parameters.push(parameter(name, d::Kind::Text));
        }
        for branch in node.parameters.iter_mut().filter(|field| field.id == "branch") {
            branch.visible_when = vec![d::Condition {
                parameter: "kind".to_owned(),
                holds: d::Holds::OneOf(vec![r#""branch""#.to_owned()]),
            }];
        }
        node.origins = vec![d::Origin {
            // The tests choose the port.
            url: "http://localhost:{mode}".to_owned(),
            access: vec![node.credentials[0].name.clone()],
            reason: "It says that it needs it".to_owned(),
        }];
        node
    }
}

guest!(Declares);
