//! Has escape sequences in every text of its description, and every text is invalid.

use hostile_guests::{Behaviour, d, guest};

/// Sets a terminal's title, clears the screen, changes the direction of writing, and starts a new line.
const TEXT: &str = "\u{1b}]0;pwned\u{7}\u{1b}[31mRED\u{202e}\u{9b}2J\r\nok: all checks passed";

struct Problems;

impl Behaviour for Problems {
    fn describing() -> d::Node {
        let text = || TEXT.to_owned();
        let mut node = hostile_guests::describe();
        node.operations[0].group = text();
        node.operations[0].name = text();
        node.operations[0].hints = Some(format!("{{\"{TEXT}\": 1"));
        node.operations[0].request = Some(text());
        node.operations[0].output_schema = format!("[{TEXT}]");
        node.operations[0].parameters = vec![text()];
        node.operations[0].effect = d::Effect::Keyed(text());
        node.parameters[0].id = text();
        node.parameters[0].default = Some(format!("{TEXT} no json"));
        node.parameters[0].hints = Some(format!("{{\"{TEXT}\"}}"));
        node.parameters[0].visible_when = vec![d::Condition {
            parameter: text(),
            holds: d::Holds::OneOf(vec![text()]),
        }];
        node.parameters[0].kind = d::Kind::Choice(d::Choices {
            known: vec![d::Choice {
                label: text(),
                value: text(),
                summary: text(),
            }],
            open: false,
            dynamic: None,
        });
        node.aliases = vec![text()];
        node.origins = vec![d::Origin {
            url: text(),
            access: vec![text()],
            reason: text(),
        }];
        node.credentials[0].test = Some(text());
        node.credentials[0].scheme = d::Scheme::Fixed(d::Placement {
            headers: vec![d::Template {
                name: text(),
                template: text(),
            }],
            query: vec![],
        });
        node.icon_svg = Some(format!("<{TEXT}/>"));
        node
    }
}

guest!(Problems);
