//! From a HAR document to what a replay needs of it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::{
    case::{Call, Case, Component, Declared, Item, ItemResult, OnFailure},
    error::Fault,
    exchange::{Answer, Exchange, Outcome, Request, Role, header},
    place::Place,
    strings::ENCODINGS,
};

/// What was read.
#[derive(Clone)]
pub(super) struct View {
    pub(super) comment: Option<String>,
    pub(super) recorded_against: Option<String>,
    pub(super) component: Option<Component>,
    pub(super) case: Option<Case>,
    pub(super) exchanges: Vec<Exchange>,
}

pub(super) fn view(document: &Value) -> Result<View, Fault> {
    let root = Place::root(document);
    let log = root.need("log", "a HAR log")?;
    let entries = log.need("entries", "a list of exchanges")?;
    let exchanges = entries
        .elements()?
        .map(|entry| exchange(&entry))
        .collect::<Result<Vec<_>, _>>()?;
    let case = log
        .get("_case")
        .map(|place| case(&place, log.get("_calls").as_ref()))
        .transpose()?;
    if let Some(case) = &case {
        let items = case.items.len();
        for (entry, exchange) in entries.elements()?.zip(&exchanges) {
            if exchange.item.is_some_and(|item| item >= items) {
                let item = entry.need("_item", "an index")?;
                return Err(item.expected(format!("the index of one of {items} items")));
            }
        }
    }
    Ok(View {
        comment: optional_text(&log, "comment")?,
        recorded_against: optional_text(&log, "_recordedAgainst")?,
        component: log.get("_component").map(|place| component(&place)).transpose()?,
        case,
        exchanges,
    })
}

fn optional_text(place: &Place<'_>, key: &str) -> Result<Option<String>, Fault> {
    place
        .get(key)
        .map(|field| field.text().map(str::to_owned))
        .transpose()
}

fn needed_text(place: &Place<'_>, key: &str) -> Result<String, Fault> {
    Ok(place.need(key, "a text")?.text()?.to_owned())
}

fn component(place: &Place<'_>) -> Result<Component, Fault> {
    Ok(Component {
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
        declared: place.get("declared").map(|place| declared(&place)).transpose()?,
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

fn item_result(place: &Place<'_>) -> Result<ItemResult, Fault> {
    match (place.get("output"), place.get("error")) {
        (Some(output), None) => Ok(ItemResult::Output(
            output.elements()?.map(|item| item.value.clone()).collect(),
        )),
        (None, Some(error)) => Ok(ItemResult::Error(error.value.clone())),
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
        clock: instant(&clock)?,
        seed: parsed.ok_or_else(|| seed.expected("16 hexadecimal digits"))?,
    })
}

fn on_failure(place: &Place<'_>) -> Result<OnFailure, Fault> {
    let modes = [OnFailure::Stop, OnFailure::Continue];
    let word = place.text()?;
    let mode = modes.into_iter().find(|mode| mode.name() == word);
    mode.ok_or_else(|| place.expected("`stop` or `continue`"))
}

fn declared(place: &Place<'_>) -> Result<Declared, Fault> {
    Ok(Declared {
        method: needed_text(place, "method")?,
        path: needed_text(place, "path")?,
    })
}

fn exchange(entry: &Place<'_>) -> Result<Exchange, Fault> {
    Ok(Exchange {
        role: entry
            .get("_role")
            .map(|word| role(&word))
            .transpose()?
            .unwrap_or_default(),
        item: entry.get("_item").map(|item| item.index()).transpose()?,
        request: request(&entry.need("request", "a request")?)?,
        outcome: outcome(entry, &entry.need("response", "a response")?)?,
        started: match entry.get("startedDateTime") {
            None => Timestamp::UNIX_EPOCH,
            Some(started) => instant(&started)?,
        },
        // Nothing relies on it, and tools write -1, null or nothing where they do not know.
        duration: entry
            .get("time")
            .and_then(|time| Duration::try_from_secs_f64(time.value.as_f64()? / 1000.0).ok())
            .unwrap_or_default(),
    })
}

fn role(place: &Place<'_>) -> Result<Role, Fault> {
    let word = place.text()?;
    let role = [Role::Authentication, Role::Operation]
        .into_iter()
        .find(|role| role.name() == word);
    role.ok_or_else(|| place.expected("`authentication` or `operation`"))
}

fn instant(place: &Place<'_>) -> Result<Timestamp, Fault> {
    let text = place.text()?;
    let local = || {
        text.parse::<jiff::civil::DateTime>()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
    };
    // Some tools leave the offset out; the order among exchanges is the same in any zone.
    let instant = text
        .parse()
        .ok()
        .or_else(|| local().map(|zoned| zoned.timestamp()));
    instant.ok_or_else(|| place.expected("an RFC 3339 date-time"))
}

fn address(place: &Place<'_>) -> Result<Url, Fault> {
    Url::parse(place.text()?).map_err(|error| {
        let mut fault = place.expected("an absolute URL");
        // The text itself may hold a secret.
        fault.found = error.to_string();
        fault
    })
}

fn request(place: &Place<'_>) -> Result<Request, Fault> {
    let method_place = place.need("method", "a method")?;
    let method = Method::from_bytes(method_place.text()?.to_ascii_uppercase().as_bytes())
        .map_err(|_| method_place.expected("an HTTP method"))?;
    let mut url = address(&place.need("url", "an absolute URL")?)?;
    url.set_fragment(None);
    if let (None, Some(query)) = (url.query(), place.get("queryString")) {
        let pairs = pairs(&query)?;
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
    }
    let mut headers = headers(place)?;
    let mut body = Bytes::new();
    if let Some(data) = place.get("postData") {
        body = sent_body(&data)?;
        let mime = optional_text(&data, "mimeType")?.filter(|mime| !mime.is_empty());
        if let (None, Some(mime), false) = (header(&headers, "content-type"), mime, body.is_empty()) {
            headers.push(("content-type".to_owned(), mime));
        }
    }
    Ok(Request {
        method,
        url,
        headers,
        body,
    })
}

fn sent_body(data: &Place<'_>) -> Result<Bytes, Fault> {
    match (data.get("text"), data.get("params")) {
        // Some tools write both, and an empty text beside the fields of a form.
        (Some(text), params) if params.is_none() || !text.text()?.is_empty() => decoded(data, &text),
        (_, Some(params)) => {
            let pairs = pairs(&params)?;
            let form = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish();
            Ok(Bytes::from(form))
        }
        _ => Ok(Bytes::new()),
    }
}

fn decoded(body: &Place<'_>, text: &Place<'_>) -> Result<Bytes, Fault> {
    let encoding = ENCODINGS
        .into_iter()
        .find_map(|name| body.value.get(name)?.as_str());
    match encoding.filter(|encoding| !encoding.is_empty()) {
        None => Ok(Bytes::from(text.text()?.to_owned())),
        Some("base64") => STANDARD
            .decode(text.text()?)
            .map(Bytes::from)
            .map_err(|_| text.expected("base64")),
        Some(_) => Err(body.expected("a body whose `encoding` is `base64` or absent")),
    }
}

fn headers(place: &Place<'_>) -> Result<Vec<(String, String)>, Fault> {
    let Some(list) = place.get("headers") else {
        return Ok(Vec::new());
    };
    let mut headers = pairs(&list)?;
    // Chrome lists the pseudo-headers of HTTP/2 with the others.
    headers.retain(|(name, _)| !name.starts_with(':'));
    Ok(headers)
}

fn pairs(list: &Place<'_>) -> Result<Vec<(String, String)>, Fault> {
    let pair = |pair: Place<'_>| {
        Ok((
            needed_text(&pair, "name")?,
            optional_text(&pair, "value")?.unwrap_or_default(),
        ))
    };
    list.elements()?.map(pair).collect()
}

fn outcome(entry: &Place<'_>, response: &Place<'_>) -> Result<Outcome, Fault> {
    // Chrome puts `_error` into the response.
    let error = [entry, response]
        .into_iter()
        .find_map(|place| place.value.get("_error")?.as_str());
    let error = error.filter(|error| !error.is_empty()).map(str::to_owned);
    let status = response.need("status", "an HTTP status, or 0 for none")?;
    let Some(number) = status.value.as_i64() else {
        return Err(status.expected("an HTTP status, or 0 for none"));
    };
    if number <= 0 {
        return Ok(Outcome::Failed {
            error: error.unwrap_or_else(|| Outcome::NO_ANSWER.to_owned()),
        });
    }
    let code = u16::try_from(number)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok());
    let code = code.ok_or_else(|| status.expected("an HTTP status from 100 to 999, or 0 for none"))?;
    let content = response.get("content");
    let Some(body) = content.as_ref().map_or(Ok(Some(Bytes::new())), received_body)? else {
        return Ok(Outcome::Failed {
            error: Outcome::NO_BODY.to_owned(),
        });
    };
    let mut headers = headers(response)?;
    headers.retain(|(name, value)| !is_stale(name, value, &body));
    let mime = content.and_then(|content| content.value.get("mimeType")?.as_str());
    let mime = mime.filter(|mime| !matches!(*mime, "" | "x-unknown"));
    if let (None, Some(mime), false) = (header(&headers, "content-type"), mime, body.is_empty()) {
        headers.push(("content-type".to_owned(), mime.to_owned()));
    }
    Ok(Outcome::Answer(Answer {
        status: code,
        headers,
        body,
        broken: error,
    }))
}

/// Absent where the tool saw a body and did not save it.
fn received_body(content: &Place<'_>) -> Result<Option<Bytes>, Fault> {
    if let Some(text) = content.get("text") {
        return decoded(content, &text).map(Some);
    }
    let size = content.value.get("size").and_then(Value::as_i64).unwrap_or(0);
    Ok((size <= 0).then(Bytes::new))
}

/// Headers that speak about the bytes on the wire: a HAR holds the body after decoding, of which they may be wrong.
fn is_stale(name: &str, value: &str, body: &[u8]) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "content-encoding" | "transfer-encoding" => true,
        "content-length" => value.trim().parse() != Ok(body.len()),
        _ => false,
    }
}
