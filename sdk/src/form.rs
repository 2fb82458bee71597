//! The questions of a form: `choices.values` and `choices.fields`, answered by a list operation of the table.

use std::pin::Pin;

use crate::bindings::exports::workflow::node::choices::{Page as Answered, Question};
use crate::bindings::exports::workflow::node::description as contract;
use crate::bindings::exports::workflow::node::types::Failure;
use crate::client::Client;
use crate::execute::overlap;
use crate::item::Item;
use crate::json::{self, Kind, Members};
use crate::pages::{Before, Page, turn};
use crate::table::asked::{Asked, LookUp, Own, Search};
use crate::table::describe::id;
use crate::table::parameter::{Parameter, RETURN_ALL_NAME};
use crate::table::plan::Plan;
use crate::table::validate::validate;
use crate::table::{Service, kind};
use crate::transport::Requests;

/// Labels that are asked for at the same time.
const MOST_LOOK_UPS: usize = 8;
/// Pages that are read for one question before nothing found is an answer.
const MOST_PAGES: usize = 10;

/// `choices.values`
pub(crate) async fn values(
    service: &'static Service,
    requests: &Requests,
    question: &Question,
) -> Result<Answered, Failure> {
    let asked = find(service, question)?;
    let mut list = List::new(service, requests, question, asked)?;
    let looked_for = match (asked.search, &question.search) {
        (Search::Node, Some(text)) => text.to_lowercase(),
        _ => String::new(),
    };
    let mut choices = Vec::new();
    for _ in 0..MOST_PAGES {
        let rows = list.next().await?;
        let mut page: Vec<_> = rows.iter().filter_map(|row| choice(asked, row)).collect();
        if let Some(look_up) = &asked.look_up {
            (look_up.run)(look_up, &list.client, &mut page).await;
        }
        page.retain(|choice| {
            let holds = |text: &str| text.to_lowercase().contains(&looked_for);
            looked_for.is_empty() || holds(&choice.label) || holds(&choice.value)
        });
        choices.append(&mut page);
        if list.cursor.is_none() || !choices.is_empty() {
            break;
        }
    }
    Ok(Answered {
        choices,
        next: list.cursor,
    })
}

/// `choices.fields`
pub(crate) async fn fields(
    service: &'static Service,
    requests: &Requests,
    question: &Question,
) -> Result<Vec<contract::Parameter>, Failure> {
    let asked = find(service, question)?;
    let mut list = List::new(service, requests, question, asked)?;
    let mut columns = Vec::new();
    for _ in 0..MOST_PAGES {
        for row in list.next().await? {
            // A name may be any text, an ID may not.
            let own = id(
                &question.parameter,
                &["column", &(columns.len() + 1).to_string()].concat(),
            );
            columns.extend(column(asked, &row, own));
        }
        if list.cursor.is_none() {
            break;
        }
    }
    Ok(columns)
}

/// Gives each value of a page the label that an operation has for it.
pub(crate) type LookUpAll = for<'a> fn(
    &'static LookUp,
    &'a Client<'a>,
    &'a mut [contract::Choice],
) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

pub(crate) const LOOK_UP_ALL: LookUpAll =
    |look_up, client, page| Box::pin(look_up_all(look_up, client, page));

async fn look_up_all(look_up: &'static LookUp, client: &Client<'_>, page: &mut [contract::Choice]) {
    let plan = Plan::new(&look_up.of);
    let all = page.iter_mut().map(async |choice| {
        if let Some(label) = look_up_one(look_up, client, &plan, &choice.value).await {
            choice.label = label;
        }
    });
    overlap(all, MOST_LOOK_UPS).await;
}

async fn look_up_one(look_up: &LookUp, client: &Client<'_>, plan: &Plan, value: &str) -> Option<String> {
    let mut parameters = Members::new();
    let first = plan.operation.parameters.first()?;
    parameters.push(first.name).push_str(value);
    let parameters = parameters.finish();
    let item = Item {
        client,
        plan,
        fields: validate(plan, &parameters).ok()?,
        index: 0,
        behind: None,
    };
    words(&item.document().await.ok()?, look_up.label)
}

/// What answers a question.
fn find(service: &'static Service, question: &Question) -> Result<&'static Asked, Failure> {
    let operation = service.operation(&question.group, &question.operation)?;
    let prefix = id(operation.group, operation.name);
    let asked = by_id(operation.parameters, &prefix, &question.parameter);
    asked.ok_or_else(|| {
        Failure::InvalidInput(format!("`{}` asks the service for nothing", question.parameter))
    })
}

fn by_id(parameters: &'static [Parameter], prefix: &str, wanted: &str) -> Option<&'static Asked> {
    parameters.iter().find_map(|parameter| {
        let own = id(prefix, parameter.name);
        if own == wanted {
            return parameter.kind.asked();
        }
        by_id(parameter.kind.nested(), &own, wanted)
    })
}

/// A list that is read page by page.
struct List<'a> {
    client: Client<'a>,
    plan: Plan,
    parameters: String,
    page: Page,
    /// Where the next page begins; `None` behind the last one.
    cursor: Option<String>,
}

impl<'a> List<'a> {
    fn new(
        service: &'static Service,
        requests: &'a Requests,
        question: &'a Question,
        asked: &'static Asked,
    ) -> Result<Self, Failure> {
        let client = Client::of(requests, service, &question.service)?;
        let page = Page::at(question.cursor.as_deref(), &asked.list.output.next)?;
        Ok(Self {
            client,
            plan: Plan::new(&asked.list),
            parameters: parameters(asked, question),
            page,
            cursor: None,
        })
    }

    async fn next(&mut self) -> Result<Vec<String>, Failure> {
        let item = Item {
            client: &self.client,
            plan: &self.plan,
            fields: validate(&self.plan, &self.parameters)?,
            index: 0,
            behind: None,
        };
        let next = &self.plan.operation.output.next;
        let before = self.page.cursor(next);
        let (rows, has_next) = turn(&item, &mut self.page, &mut Before::default()).await?;
        let next = self.page.cursor(next);
        self.cursor = Some(next).filter(|next| has_next && *next != before);
        Ok(rows)
    }
}

/// The parameters of the list: those of the form that it depends on, and what is looked for.
fn parameters(asked: &Asked, question: &Question) -> String {
    let mut members = Members::new();
    for parameter in asked.list.parameters {
        if parameter.name == RETURN_ALL_NAME {
            members.push(RETURN_ALL_NAME).push_str("true");
        } else if let (Search::Service(name), Some(text)) = (asked.search, &question.search)
            && name == parameter.name
        {
            json::push_quoted(members.push(parameter.name), text);
        } else if asked.depends_on(parameter)
            && let Some(value) = json::at(&question.filled_in, &["/", parameter.name].concat())
        {
            members.push(parameter.name).push_str(value);
        }
    }
    members.finish()
}

/// The value of a row; none where it has none.
fn choice(asked: &Asked, row: &str) -> Option<contract::Choice> {
    let choice = labelled(row, asked.value, asked.label)?;
    Some(contract::Choice {
        summary: summary(asked, row),
        ..choice
    })
}

/// The value at one pointer, with what users read at the other.
fn labelled(row: &str, value: &str, label: &str) -> Option<contract::Choice> {
    let value = json::at(row, value).filter(|value| json::kind(value).is_scalar())?;
    Some(contract::Choice {
        label: words(row, label).unwrap_or_else(|| json::plain(value).into_owned()),
        value: value.to_owned(),
        summary: String::new(),
    })
}

/// The column of a row; none where it has no name.
fn column(asked: &Asked, row: &str, own: String) -> Option<contract::Parameter> {
    let name = words(row, asked.value)?;
    let kind = words(row, asked.kind).unwrap_or_default();
    let known = asked.kinds.iter().find(|(word, _)| *word == kind);
    let values = asked.own.and_then(|own| (own.kind)(asked, &own, row));
    Some(contract::Parameter {
        display_name: words(row, asked.label).unwrap_or_else(|| name.clone()),
        summary: summary(asked, row),
        placeholder: None,
        kind: match (values, known) {
            (Some(values), _) => values,
            (None, Some((_, like))) => (like.kind.of.describe)(&like.kind, &own),
            (None, None) => (TEXT.kind.of.describe)(&TEXT.kind, &own),
        },
        required: false,
        default: None,
        visible_when: Vec::new(),
        hints: None,
        id: own,
        name,
    })
}

/// The kind of a column whose row has the values that it may have.
pub(crate) fn own_values(asked: &Asked, own: &Own, row: &str) -> Option<contract::Kind> {
    let values = json::elements(json::at(row, own.list)?)?;
    let known: Vec<_> = values
        .into_iter()
        .filter_map(|value| labelled(value, own.value, own.label))
        .collect();
    if known.is_empty() {
        return None;
    }
    let choices = contract::Choices {
        known,
        open: false,
        dynamic: None,
    };
    Some(match json::at(row, asked.several) {
        Some("true") => contract::Kind::ChooseMany(choices),
        _ => contract::Kind::Choice(choices),
    })
}

/// The sentence of a row; empty where the table names no place of it.
fn summary(asked: &Asked, row: &str) -> String {
    let about = Some(asked.about).filter(|about| !about.is_empty());
    about.and_then(|about| words(row, about)).unwrap_or_default()
}

const TEXT: Parameter = kind::text("text", "Text");

/// A text of a row, on one line; nothing where it is no text and no number, or empty.
fn words(row: &str, pointer: &str) -> Option<String> {
    let raw = json::at(row, pointer).filter(|raw| matches!(json::kind(raw), Kind::Text | Kind::Number))?;
    let words = json::plain(raw).split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}
