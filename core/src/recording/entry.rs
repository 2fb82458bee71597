//! Reads one entry of a HAR log, whichever tool wrote it.
//!
//! Tools differ in what they omit, in types, and in what they write twice. Whatever has one meaning is read. Any other
//! entry is [`Unreadable`], which does not affect the others.

use std::{fmt, time::Duration};

use crate::json::Json;
use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::{Timestamp, civil, fmt::rfc2822, tz::TimeZone};
use url::Url;

use super::{
    error::Fault,
    exchange::{Exchange, Outcome, RecordedFile, RecordedResponse, Request, Role, header},
    foreign::{Encoding, pairs, scalar},
    place::Place,
    read::address,
    strings::ENCODINGS,
};

/// An entry that could not be read. A replay runs without it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// Its index in `log.entries`.
    pub entry: usize,
    /// The location, what belongs there and what was found.
    pub(super) fault: Fault,
    /// Method and URL, if these could be read.
    pub(super) route: Option<Box<(Method, Url)>>,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

/// Reads an entry. An entry without a time counts as following `last`, the time of the entry before it.
pub(super) fn read(
    entry: &Place<'_>,
    index: usize,
    is_ours: bool,
    last: Timestamp,
) -> Result<Exchange, Unreadable> {
    exchange(entry, is_ours, last).map_err(|fault| Unreadable {
        entry: index,
        fault,
        route: route(entry).ok().map(Box::new),
    })
}

fn exchange(entry: &Place<'_>, is_ours: bool, last: Timestamp) -> Result<Exchange, Fault> {
    let request = request(&entry.need("request", "a request")?, is_ours)?;
    let response = entry.need("response", "a response")?;
    Ok(Exchange {
        role: entry
            .get("_role")
            .filter(|_| is_ours)
            .map(|word| role(&word))
            .transpose()?
            .unwrap_or_default(),
        item: entry
            .get("_item")
            .filter(|_| is_ours)
            .map(|item| item.index())
            .transpose()?,
        outcome: outcome(entry, &request.method, &response)?,
        request,
        started: entry
            .get("startedDateTime")
            .and_then(|started| instant(started.value))
            .unwrap_or(last),
        // Nothing depends on the duration, and tools that do not know it write -1, null or nothing.
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

/// Reads a time in any of the forms that tools write. Only the order of the exchanges depends on it.
fn instant(value: &Json) -> Option<Timestamp> {
    let Some(text) = value.as_str() else {
        return Timestamp::from_millisecond(value.as_i64()?).ok();
    };
    // Some tools omit the offset; the order is the same in any zone.
    let local = || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let instant = text.parse().ok();
    instant
        .or_else(|| local().map(|zoned| zoned.timestamp()))
        .or_else(|| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()))
}

/// Reads only method and URL.
fn route(entry: &Place<'_>) -> Result<(Method, Url), Fault> {
    let request = entry.need("request", "a request")?;
    Ok((method(&request)?, url(&request)?))
}

fn method(request: &Place<'_>) -> Result<Method, Fault> {
    let place = request.need("method", "a method")?;
    Method::from_bytes(place.text()?.to_ascii_uppercase().as_bytes())
        .map_err(|_| place.expected("an HTTP method"))
}

fn url(request: &Place<'_>) -> Result<Url, Fault> {
    let mut url = address(&request.need("url", "an absolute URL")?)?;
    url.set_fragment(None);
    if let (None, Some(query)) = (url.query(), request.get("queryString")) {
        let pairs = pairs(&query)?;
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
    }
    Ok(url)
}

fn request(place: &Place<'_>, is_ours: bool) -> Result<Request, Fault> {
    let (method, url) = (method(place)?, url(place)?);
    let mut headers = headers(place)?;
    let mut body = Bytes::new();
    if let Some(data) = place.get("postData").or_else(|| place.get("content")) {
        body = sent_body(&data)?;
        let mime = mime(data.value, &body);
        if let (None, Some(mime)) = (header(&headers, "content-type"), mime) {
            headers.push(("content-type".to_owned(), mime));
        }
    }
    // Browsers report a body as text unless the page declares its type, and some tools omit the type.
    let is_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    let is_vague = header(&headers, "content-type").is_none_or(|mime| mime.trim().starts_with("text/plain"));
    if !is_ours && is_json && is_vague {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    Ok(Request {
        method,
        url,
        headers,
        body,
    })
}

fn sent_body(data: &Place<'_>) -> Result<Bytes, Fault> {
    if data.value.is_string() {
        return Ok(scalar(data.value).into());
    }
    data.object()?;
    let text = data.get("text");
    match (text, data.get("params")) {
        // Some tools write both, and an empty text beside the fields of a form.
        (Some(text), params) if params.is_none() || !scalar(text.value).is_empty() => decoded(data, &text),
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

/// Decodes the body in `text`.
fn decoded(body: &Place<'_>, text: &Place<'_>) -> Result<Bytes, Fault> {
    let named = ENCODINGS.into_iter().find_map(|name| body.get(name));
    let encoding = match &named {
        None => Encoding::Plain,
        Some(place) => Encoding::parse(&scalar(place.value))
            .ok_or_else(|| place.expected("`base64`, a character set or nothing"))?,
    };
    encoding.bytes(&scalar(text.value)).ok_or_else(|| {
        let mut fault = text.expected("base64");
        // The text may be personal data, so the error does not show it.
        "other text".clone_into(&mut fault.found);
        fault
    })
}

/// The content type of a body, if there is a body and the tool states a type.
fn mime(of: &Json, body: &Bytes) -> Option<String> {
    let mime = of.get("mimeType")?.as_str()?.trim();
    (!body.is_empty() && !matches!(mime, "" | "x-unknown")).then(|| mime.to_owned())
}

fn headers(place: &Place<'_>) -> Result<Vec<(String, String)>, Fault> {
    let Some(list) = place.get("headers") else {
        return Ok(Vec::new());
    };
    let mut headers = pairs(&list)?;
    // Chrome lists the pseudo-headers of HTTP/2 among the others.
    headers.retain(|(name, _)| !name.starts_with(':'));
    Ok(headers)
}

fn outcome(entry: &Place<'_>, method: &Method, response: &Place<'_>) -> Result<Outcome, Fault> {
    // Chrome writes `_error` into the response.
    let error = [entry, response]
        .into_iter()
        .find_map(|place| place.value.get("_error")?.as_str());
    let error = error.filter(|error| !error.is_empty()).map(str::to_owned);
    let Some(status) = status(&response.need("status", "an HTTP status, or 0 for none")?)? else {
        return Ok(Outcome::Failed {
            error: error.unwrap_or_else(|| Outcome::NO_ANSWER.to_owned()),
        });
    };
    let mut headers = headers(response)?;
    let content = response.get("content");
    let file = content.as_ref().and_then(|content| beside(content.value));
    let body = content.as_ref().map(received_body).transpose()?.flatten();
    let body = match body {
        Some(body) => body,
        None if file.is_some() || is_bodiless(method, status) || !had_body(response.value, &headers) => {
            Bytes::new()
        }
        None => {
            return Ok(Outcome::Failed {
                error: Outcome::NO_BODY.to_owned(),
            });
        }
    };
    // What the answer to a HEAD says of a body is what was asked for.
    headers.retain(|(name, value)| *method == Method::HEAD || !is_stale(name, value, &body));
    let mime = content.and_then(|content| mime(content.value, &body));
    if let (None, Some(mime)) = (header(&headers, "content-type"), mime) {
        headers.push(("content-type".to_owned(), mime));
    }
    Ok(Outcome::Answer(RecordedResponse {
        status,
        headers,
        body,
        broken: error,
        file,
    }))
}

/// The file beside the recording that has the body.
fn beside(content: &Json) -> Option<RecordedFile> {
    let sha256 = content
        .get("_file")?
        .as_str()
        .filter(|name| RecordedFile::is_name(name))?;
    Some(RecordedFile {
        sha256: sha256.to_owned(),
        size: content.get("size")?.as_u64()?,
    })
}

/// Reads the status; `None` without a response, for which tools write 0 or -1.
fn status(place: &Place<'_>) -> Result<Option<StatusCode>, Fault> {
    let number = match place.value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number <= 0.0 => Ok(None),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is one of 100 to 999"
        )]
        Some(number) if number.fract() == 0.0 && (100.0..1000.0).contains(&number) => {
            Ok(StatusCode::from_u16(number as u16).ok())
        }
        _ => Err(place.expected("an HTTP status from 100 to 999, or 0 for none")),
    }
}

/// Reads the part of the body that the tool saved.
fn received_body(content: &Place<'_>) -> Result<Option<Bytes>, Fault> {
    if content.value.is_string() {
        return Ok(Some(scalar(content.value).into()));
    }
    content
        .get("text")
        .map(|text| decoded(content, &text))
        .transpose()
}

/// Whether such a response has no body, whatever its headers say. The body of a redirect counts as absent: nobody reads
/// it, and Chrome does not save it.
fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || status.is_redirection()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
}

/// Whether the tool saw a body. One sign is enough, because tools write -1 or 0 for sizes that they do not know.
fn had_body(response: &Json, headers: &[(String, String)]) -> bool {
    let size = |value: Option<&Json>| value.and_then(Json::as_f64).unwrap_or_default();
    let content = response.get("content").and_then(|content| content.get("size"));
    let length = header(headers, "content-length").and_then(|length| length.trim().parse().ok());
    [
        size(content),
        size(response.get("bodySize")),
        length.unwrap_or_default(),
    ]
    .iter()
    .any(|bytes| *bytes > 0.0)
}

/// Whether a header describes the bytes on the wire. A HAR contains the decoded body, for which such headers may be
/// wrong.
fn is_stale(name: &str, value: &str, body: &[u8]) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "content-encoding" | "transfer-encoding" => true,
        "content-length" => value.trim().parse() != Ok(body.len()),
        _ => false,
    }
}
