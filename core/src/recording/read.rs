//! Extracts from a HAR document what a replay needs. Nodule's own fields are read strictly, because a replay would
//! otherwise be silently wrong. Other tools' additions are skipped if they have another form.

use crate::json::Json;
use jiff::Timestamp;
use url::Url;

use crate::outcome::OnFailure;

use super::{
    case::{Call, Case, Item, RecordedComponent, RecordedResult},
    entry::{self, Unreadable},
    error::Fault,
    exchange::Exchange,
    place::Place,
    recorder::HIDDEN,
};
use crate::description::DeclaredRequest;

/// The contents of a document.
#[derive(Clone)]
pub(super) struct View {
    pub(super) comment: Option<String>,
    pub(super) recorded_against: Option<String>,
    pub(super) component: Option<RecordedComponent>,
    pub(super) case: Option<Case>,
    pub(super) exchanges: Vec<Exchange>,
    /// The index in `log.entries` of each exchange.
    pub(super) places: Vec<usize>,
    pub(super) unreadable: Vec<Unreadable>,
}

pub(super) fn view(document: &Json) -> Result<View, Fault> {
    let root = Place::root(document);
    let log = root.need("log", "a HAR log")?;
    let entries = log.need("entries", "a list of exchanges")?;
    let case = log
        .get("_case")
        .map(|place| case(&place, log.get("_calls").as_ref()))
        .transpose()?;
    let (mut exchanges, mut places, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = Timestamp::UNIX_EPOCH;
    for (index, place) in entries.elements()?.enumerate() {
        match entry::read(&place, index, case.is_some(), last) {
            Ok(exchange) => {
                last = exchange.started;
                exchanges.push(exchange);
                places.push(index);
            }
            Err(why) => unreadable.push(why),
        }
    }
    if let Some(case) = &case {
        let items = case.items.len();
        for (exchange, place) in exchanges.iter().zip(&places) {
            if exchange.item.is_some_and(|item| item >= items)
                && let Some(entry) = entries.elements()?.nth(*place)
            {
                let item = entry.need("_item", "an index")?;
                return Err(item.expected(format!("the index of one of {items} items")));
            }
        }
    }
    Ok(View {
        comment: text(&log, "comment"),
        recorded_against: text(&log, "_recordedAgainst"),
        component: log.get("_component").map(|place| component(&place)).transpose()?,
        case,
        exchanges,
        places,
        unreadable,
    })
}

/// Reads a remark. A remark of the wrong kind is ignored.
fn text(place: &Place<'_>, key: &str) -> Option<String> {
    place.value.get(key)?.as_str().map(str::to_owned)
}

fn needed_text(place: &Place<'_>, key: &str) -> Result<String, Fault> {
    Ok(place.need(key, "a text")?.text()?.to_owned())
}

fn optional_text(place: &Place<'_>, key: &str) -> Result<Option<String>, Fault> {
    let text = place.get(key).map(|found| found.text().map(ToOwned::to_owned));
    text.transpose()
}

fn component(place: &Place<'_>) -> Result<RecordedComponent, Fault> {
    Ok(RecordedComponent {
        name: needed_text(place, "name")?,
        version: needed_text(place, "version")?,
        digest: needed_text(place, "digest")?,
    })
}

fn case(place: &Place<'_>, calls: Option<&Place<'_>>) -> Result<Case, Fault> {
    let parameters = place.need("items", "a list of items")?;
    let mut items: Vec<Item> = parameters
        .elements()?
        .map(|item| Item {
            parameters: item.value.clone(),
            result: None,
            call: None,
        })
        .collect();
    if let Some(results) = place.get("results") {
        one_per_item(&results, items.len(), "results")?;
        for (item, result) in items.iter_mut().zip(results.elements()?) {
            item.result = (!result.value.is_null())
                .then(|| item_result(&result))
                .transpose()?;
        }
    }
    if let Some(calls) = calls {
        one_per_item(calls, items.len(), "calls")?;
        for (item, call) in items.iter_mut().zip(calls.elements()?) {
            item.call = (!call.value.is_null()).then(|| self::call(&call)).transpose()?;
        }
    }
    Ok(Case {
        group: needed_text(place, "group")?,
        operation: needed_text(place, "operation")?,
        on_failure: match place.get("onFailure") {
            None => OnFailure::Stop,
            Some(word) => on_failure(&word)?,
        },
        base_url: address(&place.need("baseUrl", "an absolute URL")?)?,
        credential: optional_text(place, "credential")?,
        declared: place.get("declared").map(|place| declared(&place)).transpose()?,
        headers: match place.get("headers") {
            None => Vec::new(),
            Some(names) => names
                .elements()?
                .map(|name| Ok(name.text()?.to_ascii_lowercase()))
                // A secret is never compared, and never shown where it differs.
                .filter(|name| !name.as_ref().is_ok_and(|name| HIDDEN.contains(&name.as_str())))
                .collect::<Result<_, Fault>>()?,
        },
        items,
    })
}

fn one_per_item(list: &Place<'_>, items: usize, what: &str) -> Result<(), Fault> {
    let found = list.elements()?.count();
    if found == items {
        return Ok(());
    }
    let mut fault = list.expected(format!("{items} {what}, one for each item"));
    fault.found = found.to_string();
    Err(fault)
}

fn item_result(place: &Place<'_>) -> Result<RecordedResult, Fault> {
    match (place.get("output"), place.get("error")) {
        (Some(output), None) => Ok(RecordedResult::Output(
            output.elements()?.map(|item| item.value.clone()).collect(),
        )),
        (None, Some(error)) => Ok(RecordedResult::Error(error.value.clone())),
        _ => Err(place.expected("an object with either `output` or `error`")),
    }
}

fn call(place: &Place<'_>) -> Result<Call, Fault> {
    let clock = place.need("clock", "an RFC 3339 date-time")?;
    let seed = place.need("seed", "16 hexadecimal digits")?;
    let digits = seed.text()?;
    let parsed = u64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.len() == 16);
    Ok(Call {
        clock: clock
            .text()?
            .parse()
            .map_err(|_| clock.expected("an RFC 3339 date-time"))?,
        seed: parsed.ok_or_else(|| seed.expected("16 hexadecimal digits"))?,
    })
}

fn on_failure(place: &Place<'_>) -> Result<OnFailure, Fault> {
    place
        .text()?
        .parse()
        .map_err(|_| place.expected("`stop` or `continue`"))
}

fn declared(place: &Place<'_>) -> Result<DeclaredRequest, Fault> {
    let (method, path) = (needed_text(place, "method")?, needed_text(place, "path")?);
    DeclaredRequest::new(&method, &path).map_err(|error| {
        let mut fault = place.expected("the request that an operation declares");
        fault.found = error.to_string();
        fault
    })
}

pub(super) fn address(place: &Place<'_>) -> Result<Url, Fault> {
    Url::parse(place.text()?).map_err(|error| {
        let mut fault = place.expected("an absolute URL");
        // The error's message replaces the text, which may contain a secret.
        fault.found = error.to_string();
        fault
    })
}
