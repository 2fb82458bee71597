//! From an answer to the document or to a failure, split by who has to act.
//!
//! | answer | result |
//! | --- | --- |
//! | 2xx | the document, as it came |
//! | 2xx, empty | `{}` |
//! | 2xx, with a code that is no success, where [`Errors::judged`] says how codes are read | what the code says |
//! | 2xx, no JSON object or array | unintelligible, with its first words |
//! | 1xx | unintelligible: nobody asked for another protocol |
//! | 3xx | rejected; never followed |
//! | 401, 429, other 4xx | unauthenticated, throttled, rejected |
//! | 403, 409, 413, 420, 423, 425 with `Retry-After`; 403 with no request left | throttled |
//! | 408, 5xx, what is above | unavailable, outcome unknown |

use std::borrow::Cow;

use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::types::{Answer, Certainty, Failure, Outage, Throttle};
use crate::client::Client;
use crate::excerpt::cut;
use crate::http::{Broken, Headers, Response};
use crate::json::{self, Kind, Spans};
use crate::wait;

/// The contract's limit for a service's own words.
const MAX_MESSAGE_CHARS: usize = 2_000;
/// Enough of a page of HTML to see which proxy wrote it.
const FIRST_WORDS_CHARS: usize = 200;

/// How the bodies of answers are read, where they are not JSON: `xml(…)`, with the feature of that name.
#[derive(Clone, Copy)]
pub struct Reads {
    #[cfg_attr(not(feature = "xml"), expect(dead_code, reason = "only XML has lists"))]
    pub(crate) lists: &'static [&'static str],
    /// Makes JSON of a body; else says what was expected and found.
    pub(crate) read: fn(&Self, String) -> Result<String, String>,
}

/// How a service says that something went wrong. Each list has JSON pointers into an answer; the first counts that leads to a
/// value.
#[derive(Clone, Copy)]
pub struct Errors {
    message: &'static [&'static str],
    code: &'static [&'static str],
    request_id: &'static [&'static str],
    pub(crate) request_id_header: &'static str,
    list: &'static str,
    say: Say,
    judge: Option<Judge>,
    codes: Codes,
    is_throttled: Option<IsThrottled>,
    judge_failure: Option<fn(&Self, &str) -> Option<Verdict>>,
    failure_codes: Codes,
    throttled_statuses: &'static [u16],
    pub(crate) throttled_header: &'static str,
    wait_ms: &'static [&'static str],
    wait_in: Option<WaitIn>,
}

/// What a code says that stands in an answer of the status 2xx.
pub type Judge = fn(&Errors, &str) -> Verdict;

/// The message of a failure.
type Say = for<'a> fn(&Errors, Option<&json::Read<'a>>) -> Option<Cow<'a, str>>;

/// Whether a failure of this status, with these headers, says that the service was asked too often.
type IsThrottled = fn(&Errors, u16, &dyn Headers) -> bool;

/// Puts into a failure how long the body of its answer asks to wait.
type WaitIn = fn(&Errors, Option<&json::Read>, &mut Failure);

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Success,
    /// The service does not accept who asks.
    Unauthenticated,
    /// The service was asked too often, and did nothing.
    Throttled,
    /// The service failed, and may have done what it was asked.
    Unavailable,
    /// The service understood, and said no.
    Rejected,
}

/// What codes say. Any other is a rejection.
#[derive(Clone, Copy)]
pub struct Codes {
    /// All is well.
    pub success: &'static [&'static str],
    /// The service does not accept who asks.
    pub unauthenticated: &'static [&'static str],
    /// The service was asked too often, and did nothing.
    pub throttled: &'static [&'static str],
    /// The service failed.
    pub unavailable: &'static [&'static str],
}

impl Codes {
    /// No codes: for `..Codes::NEW`.
    pub const NEW: Self = Self {
        success: &[],
        unauthenticated: &[],
        throttled: &[],
        unavailable: &[],
    };

    /// Who has to act by a code of a failure.
    fn verdict(&self, code: &str) -> Option<Verdict> {
        let listed = [
            (self.unauthenticated, Verdict::Unauthenticated),
            (self.throttled, Verdict::Throttled),
            (self.unavailable, Verdict::Unavailable),
        ];
        let (_, verdict) = listed.into_iter().find(|(codes, _)| codes.contains(&code))?;
        Some(verdict)
    }
}

/// Errors whose message stands at one of these JSON pointers.
pub const fn errors(message: &'static [&'static str]) -> Errors {
    Errors {
        message,
        ..Errors::NEW
    }
}

impl Errors {
    /// Where most services have their message.
    pub const NEW: Self = Self {
        message: &[
            "/message",
            "/error/message",
            "/error_description",
            "/detail",
            "/error",
        ],
        code: &[],
        request_id: &[],
        request_id_header: "x-request-id",
        list: "",
        say: first_message,
        judge: None,
        codes: Codes::NEW,
        is_throttled: None,
        judge_failure: None,
        failure_codes: Codes::NEW,
        throttled_statuses: &[],
        throttled_header: "",
        wait_ms: &[],
        wait_in: None,
    };

    /// All messages stand in the list of texts at this JSON pointer.
    #[must_use]
    pub const fn listed(mut self, pointer: &'static str) -> Self {
        self.list = pointer;
        self.say = |errors, envelope| {
            let list = envelope.and_then(|envelope| json::elements(envelope.at(errors.list)?));
            let texts: Vec<_> = list.into_iter().flatten().filter_map(json::string).collect();
            if texts.is_empty() {
                return first_message(errors, envelope);
            }
            Some(Cow::Owned(texts.join("; ")))
        };
        self
    }

    /// Where the service's own code for what went wrong stands.
    #[must_use]
    pub const fn code(mut self, pointers: &'static [&'static str]) -> Self {
        self.code = pointers;
        self
    }

    /// Where the service's name for the exchange stands.
    #[must_use]
    pub const fn request_id(mut self, pointers: &'static [&'static str]) -> Self {
        self.request_id = pointers;
        self
    }

    /// The header that holds the service's name for the exchange, in lower case; else it is `x-request-id`.
    #[must_use]
    pub const fn request_id_header(mut self, name: &'static str) -> Self {
        self.request_id_header = name;
        self
    }

    /// The status 2xx is no success by itself: the code decides, where there is one.
    #[must_use]
    pub const fn by_code(mut self, codes: Codes) -> Self {
        self.codes = codes;
        self.judged(|errors, code| match errors.codes.verdict(code) {
            None if errors.codes.success.contains(&code) => Verdict::Success,
            verdict => verdict.unwrap_or(Verdict::Rejected),
        })
    }

    /// As [`Errors::by_code`], by a function.
    #[must_use]
    pub const fn judged(mut self, judge: Judge) -> Self {
        self.judge = Some(judge);
        self
    }

    /// Of an answer whose status is not 2xx, one of these codes counts before the status. Any other leaves it to the status.
    #[must_use]
    pub const fn failure_codes(mut self, codes: Codes) -> Self {
        self.failure_codes = codes;
        self.judge_failure = Some(|errors, code| errors.failure_codes.verdict(code));
        self
    }

    /// These statuses say that the service was asked too often, beside 429.
    #[must_use]
    pub const fn throttled(mut self, statuses: &'static [u16]) -> Self {
        self.throttled_statuses = statuses;
        self.is_throttled = Some(is_throttled);
        self
    }

    /// A failure with this header says that the service was asked too often.
    #[must_use]
    pub const fn throttled_with(mut self, header: &'static str) -> Self {
        self.throttled_header = header;
        self.is_throttled = Some(is_throttled);
        self
    }

    /// Where an answer says in its body how many milliseconds to wait. What its headers say counts before.
    #[must_use]
    pub const fn wait_ms(mut self, pointers: &'static [&'static str]) -> Self {
        self.wait_ms = pointers;
        self.wait_in = Some(|errors, envelope, failure| {
            let known = match failure {
                Failure::Throttled(throttle) => &mut throttle.retry_after_ms,
                Failure::Unavailable(outage) => &mut outage.retry_after_ms,
                _ => return,
            };
            if known.is_none() {
                let ms = first(envelope, errors.wait_ms, Kind::is_scalar);
                *known = ms.and_then(|ms| wait::whole(&ms));
            }
        });
        self
    }
}

fn is_throttled(errors: &Errors, status: u16, headers: &dyn Headers) -> bool {
    errors.throttled_statuses.contains(&status)
        || !errors.throttled_header.is_empty() && headers.get(errors.throttled_header).is_some()
}

/// A success.
pub(crate) struct Read {
    /// A JSON object or array.
    pub document: String,
    pub spans: Spans,
    pub headers: Box<dyn Headers>,
}

/// What an exchange came to.
pub(crate) fn read(outcome: Result<Response, Broken>, client: &Client) -> Result<Read, Failure> {
    let (errors, base) = (&client.service.errors, &client.base);
    let response = outcome.map_err(|broken| failure_of(broken, base))?;
    let (status, headers) = (response.status, response.headers);
    let mut body = text(response.body);
    if let Some(reads) = &client.service.reads {
        body = body.and_then(|body| (reads.read)(reads, body));
    }
    let document = body.as_deref().map_err(Clone::clone).and_then(document);
    let envelope = document.as_ref().ok().map(|document| &document.json);
    let is_success = (200..300).contains(&status);
    let code = || first(envelope, errors.code, Kind::is_scalar);
    // The code decides where HTTP says that all is well, else the status does.
    let verdict = match errors.judge {
        _ if !is_success => errors
            .judge_failure
            .and_then(|judge| judge(errors, &code()?))
            .unwrap_or_else(|| by_status(status, errors, &*headers, client)),
        Some(judge) => code().map_or(Verdict::Success, |code| judge(errors, &code)),
        None => Verdict::Success,
    };
    if verdict == Verdict::Success
        && let Ok(document) = document
    {
        let (document, spans) = if let Some(changed) = changed(&document) {
            (changed, Spans::default())
        } else {
            let spans = document.json.spans;
            (body.unwrap_or_default(), spans)
        };
        return Ok(Read {
            document,
            spans,
            headers,
        });
    }
    let message = (errors.say)(errors, envelope);
    let message = match (message, &document) {
        (Some(message), _) => message,
        (None, Err(why)) if is_success => Cow::Borrowed(why.as_str()),
        (None, _) => {
            let words = first_words(body.as_deref().unwrap_or_else(|why| why));
            let colon = if words.is_empty() { "" } else { ": " };
            Cow::Owned(format!("HTTP {status}{colon}{words}"))
        }
    };
    let answer = Answer {
        status,
        code: code().map(Cow::into_owned),
        message: cut(&message, MAX_MESSAGE_CHARS),
        request_id: first(envelope, errors.request_id, Kind::is_scalar)
            .map(Cow::into_owned)
            .or_else(|| headers.get(errors.request_id_header)),
    };
    if is_success && document.is_err() {
        return Err(Failure::Unintelligible(answer));
    }
    let mut failure = refusal(answer, is_success, verdict, &*headers, client);
    if let Some(wait_in) = errors.wait_in {
        wait_in(errors, envelope, &mut failure);
    }
    Err(failure)
}

/// The document as it goes on, where that is not as it came.
fn changed(document: &Document) -> Option<String> {
    let mended = if document.json.has_escapes {
        json::mended(document.json.text)
    } else {
        Cow::Borrowed(document.json.text)
    };
    match mended {
        Cow::Borrowed(_) if document.is_all => None,
        mended => Some(mended.into_owned()),
    }
}

/// The item that a document makes: itself, a bare list as `data`, since an item is an object.
pub fn item(document: String) -> String {
    if json::kind(&document) == Kind::Object {
        document
    } else {
        format!("{{\"data\":{document}}}")
    }
}

/// The failure for an exchange that did not come to its end.
pub(crate) fn failure_of(broken: Broken, base: &BaseUrl) -> Failure {
    let outage = |certainty, why: &str| {
        let message = format!("no complete answer from {base}: {why}");
        Failure::Unavailable(Outage {
            certainty,
            message,
            answer: None,
            retry_after_ms: None,
        })
    };
    match broken {
        Broken::Denied(why) => Failure::Denied(why),
        Broken::Limit(why) => Failure::Limit(why),
        Broken::Unsendable(why) => Failure::InvalidInput(why),
        Broken::NotDone(why) => outage(Certainty::NotDone, &why),
        Broken::Unknown(why) => outage(Certainty::Unknown, &why),
        // 0, as in a recording: which status it had was not said.
        Broken::Undecodable(message) => Failure::Unintelligible(Answer {
            status: 0,
            code: None,
            message,
            request_id: None,
        }),
    }
}

/// Who has to act by a status that is not 2xx.
fn by_status(status: u16, errors: &Errors, headers: &dyn Headers, client: &Client) -> Verdict {
    let is_throttled = match status {
        401 => return Verdict::Unauthenticated,
        429 => true,
        403 | 409 | 413 | 420 | 423 | 425 => {
            wait::asked_ms(headers, client.now_ms()).is_some() || status == 403 && wait::is_none_left(headers)
        }
        _ => false,
    };
    match status {
        _ if is_throttled || errors.is_throttled.is_some_and(|is| is(errors, status, headers)) => {
            Verdict::Throttled
        }
        // A status of no class is as one of a service that failed (RFC 9110, section 15).
        408 | 500.. => Verdict::Unavailable,
        _ => Verdict::Rejected,
    }
}

/// The failure for an answer that is not a success.
fn refusal(
    mut answer: Answer,
    is_envelope: bool,
    verdict: Verdict,
    headers: &dyn Headers,
    client: &Client,
) -> Failure {
    let retry_after_ms = match verdict {
        Verdict::Unauthenticated => return Failure::Unauthenticated(answer),
        Verdict::Throttled | Verdict::Unavailable => wait::ms(headers, client.now_ms()),
        Verdict::Success | Verdict::Rejected => None,
    };
    match verdict {
        Verdict::Throttled => {
            return Failure::Throttled(Throttle {
                answer,
                retry_after_ms,
            });
        }
        Verdict::Unavailable => return unavailable(answer, retry_after_ms, &client.base),
        _ => {}
    }
    let why = match answer.status {
        _ if is_envelope => return Failure::Rejected(answer),
        ..=199 => return Failure::Unintelligible(answer),
        403 => "the credential may lack the permission".to_owned(),
        304 => "not modified, though there is nothing that it could be compared with".to_owned(),
        300..=399 if let Some(to) = headers.get("location") => format!(
            "redirected to `{}`, which is not followed",
            cut(&to, FIRST_WORDS_CHARS)
        ),
        _ => return Failure::Rejected(answer),
    };
    answer.message = cut(&format!("{why}: {}", answer.message), MAX_MESSAGE_CHARS);
    Failure::Rejected(answer)
}

fn unavailable(answer: Answer, retry_after_ms: Option<u32>, base: &BaseUrl) -> Failure {
    let message = format!("{base} failed: {}", answer.message);
    Failure::Unavailable(Outage {
        certainty: Certainty::Unknown,
        message,
        answer: Some(answer),
        retry_after_ms,
    })
}

/// The body as text. A byte order mark is legal to skip (RFC 8259, section 8.1).
fn text(body: Vec<u8>) -> Result<String, String> {
    let mut text = String::from_utf8(body).map_err(|error| {
        let words = first_words(&String::from_utf8_lossy(error.as_bytes()));
        format!("expected JSON in UTF-8, found bytes of another charset: `{words}`")
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// What a body says.
struct Document<'a> {
    json: json::Read<'a>,
    /// Whether nothing stands around it.
    is_all: bool,
}

/// A body, which must be an object or array; an empty one is an empty object.
fn document(body: &str) -> Result<Document<'_>, String> {
    let found = || format!("found `{}`", first_words(body));
    let json = match json::read(body) {
        Err(_) if body.trim().is_empty() => json::Read {
            text: "{}",
            members: None,
            has_escapes: false,
            spans: Spans::default(),
        },
        json => json.map_err(|why| format!("expected JSON, {}: {why}", found()))?,
    };
    match json::kind(json.text) {
        Kind::Object | Kind::Array => Ok(Document {
            is_all: std::ptr::eq(json.text, body),
            json,
        }),
        _ => Err(format!("expected a JSON object or array, {}", found())),
    }
}

/// The first words of what was not understood, on one line.
pub fn first_words(body: &str) -> String {
    // Only as much is looked at as can be shown, however long the body is.
    let start: String = body.chars().take(FIRST_WORDS_CHARS * 4).collect();
    let mut words = String::with_capacity(start.len());
    for word in start.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() && !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    cut(&words, FIRST_WORDS_CHARS)
}

fn first_message<'a>(errors: &Errors, envelope: Option<&json::Read<'a>>) -> Option<Cow<'a, str>> {
    first(envelope, errors.message, |kind| kind == Kind::Text)
}

/// The first of these values that is of a kind that is wanted, a text without its quotes.
fn first<'a>(
    envelope: Option<&json::Read<'a>>,
    pointers: &[&str],
    is_wanted: fn(Kind) -> bool,
) -> Option<Cow<'a, str>> {
    let envelope = envelope?;
    let raw = pointers
        .iter()
        .filter_map(|pointer| envelope.at(pointer))
        .find(|raw| is_wanted(json::kind(raw)))?;
    Some(json::plain(raw))
}
