//! The yardstick: the same two operations in plain Rust, as a good engineer would write them for this job alone.
//!
//! It uses the host's pooled client (hyper-util's, over HTTP/1.1), logs in once, parses into typed and borrowed JSON,
//! refuses unknown and missing fields, percent-encodes values, limits the response's time and size, checks the
//! envelope's code, and passes the document on without another copy. It trusts itself: no policy, no session injection,
//! no redaction. Each field has one type, where the node also accepts a number as text. [`crate::agree`] checks that
//! both send the same bytes for items that both accept.

use std::borrow::Cow;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bench::MOST_UNDER_WAY;
use crate::service::{APP_ID, APP_SECRET};

/// Request timeout, the same as the node's.
const DEADLINE: Duration = nodule::limits::DEFAULT_REQUEST_TIMEOUT;
/// Size limit of a response, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// RFC 3986's unreserved characters are not encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The two operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "camelCase")]
#[clap(rename_all = "camelCase")]
pub enum Operation {
    /// A read by GET.
    GetMember,
    /// A keyed write by POST.
    AdjustPoints,
}

/// A logged-in client.
pub struct Plain {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: Authority,
    authorization: HeaderValue,
}

/// A request without its authority and headers.
pub struct Prepared {
    /// The method.
    pub method: Method,
    /// The path.
    pub target: String,
    /// The body; may be empty.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Member<'a> {
    #[serde(borrow)]
    card_no: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Adjustment<'a> {
    #[serde(default = "member_card")]
    account_type: u8,
    #[serde(borrow)]
    account_code: Cow<'a, str>,
    #[serde(borrow)]
    points_group_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    operation_id: Cow<'a, str>,
    #[serde(default = "behaviour_increase")]
    operation_type: u8,
    #[serde(borrow)]
    point_value: &'a RawValue,
    #[serde(borrow)]
    point_desc: Option<Cow<'a, str>>,
    #[serde(borrow)]
    effective_end_time: Cow<'a, str>,
    #[serde(default)]
    upgrade_tier_flag: u8,
}

const fn member_card() -> u8 {
    2
}

const fn behaviour_increase() -> u8 {
    6
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdjustmentBody<'a> {
    account_type: u8,
    account_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    points_group_code: Option<&'a str>,
    operation_id: &'a str,
    operation_type: u8,
    point_value: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    point_desc: Option<&'a str>,
    effective_end_time: i64,
    upgrade_tier_flag: u8,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    data: List<'a>,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    list: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct LoggedIn {
    data: Token,
}

/// Checks an item and builds its request.
pub fn prepare(operation: Operation, item: &str) -> Result<Prepared> {
    match operation {
        Operation::GetMember => {
            let member: Member = serde_json::from_str(item)?;
            let card = filled("cardNo", &member.card_no)?;
            ensure!(
                !matches!(card.trim(), "." | ".."),
                "cardNo: expected a text other than `.` and `..`"
            );
            Ok(Prepared {
                method: Method::GET,
                target: format!("/v1/member/{}", utf8_percent_encode(card, ENCODED)),
                body: Vec::new(),
            })
        }
        Operation::AdjustPoints => {
            let item: Adjustment = serde_json::from_str(item)?;
            ensure!(matches!(item.account_type, 1 | 2), "accountType: expected 1 or 2");
            ensure!(
                matches!(item.operation_type, 6..=9),
                "operationType: expected 6 to 9"
            );
            ensure!(item.upgrade_tier_flag <= 1, "upgradeTierFlag: expected 0 or 1");
            ensure!(
                item.point_value
                    .get()
                    .starts_with(|first: char| first == '-' || first.is_ascii_digit()),
                "pointValue: expected a number"
            );
            let body = AdjustmentBody {
                account_type: item.account_type,
                account_code: filled("accountCode", &item.account_code)?,
                points_group_code: optional(item.points_group_code.as_deref()),
                operation_id: filled("operationId", &item.operation_id)?,
                operation_type: item.operation_type,
                point_value: item.point_value,
                point_desc: optional(item.point_desc.as_deref()),
                effective_end_time: millis(&item.effective_end_time)?,
                upgrade_tier_flag: item.upgrade_tier_flag,
            };
            Ok(Prepared {
                method: Method::POST,
                target: "/v1/points/adjustment".to_owned(),
                body: serde_json::to_vec(&body)?,
            })
        }
    }
}

/// Reads a response: returns the document unchanged, or the service's error.
pub fn read(body: Bytes) -> Result<String> {
    let document = String::from_utf8(body.into()).context("the answer is not UTF-8")?;
    let envelope: Envelope = serde_json::from_str(&document).context("the answer is not the envelope")?;
    match envelope.code.map(RawValue::get) {
        None | Some("200" | "\"200\"") => Ok(document),
        Some(code) => bail!("the service said {code}: {}", envelope.msg.unwrap_or_default()),
    }
}

fn filled<'a>(name: &str, text: &'a str) -> Result<&'a str> {
    ensure!(
        !text.trim().is_empty(),
        "{name}: expected a text that is not blank"
    );
    Ok(text)
}

fn optional(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// Parses a date, or an instant with an offset, into milliseconds since 1970.
fn millis(text: &str) -> Result<i64> {
    let text = text.trim();
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == "2030-12-31".len()
    {
        return Ok(date
            .to_zoned(jiff::tz::TimeZone::UTC)?
            .timestamp()
            .as_millisecond());
    }
    let instant: jiff::Timestamp = text
        .parse()
        .context("effectiveEndTime: expected a date, or an instant with an offset")?;
    Ok(instant.as_millisecond())
}

impl Plain {
    /// Logs in.
    pub async fn connect(base: &str) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(MOST_UNDER_WAY)
            .build(connector);
        let base: Uri = base.parse()?;
        let mut plain = Self {
            client,
            authority: base.into_parts().authority.context("a base URL with a host")?,
            authorization: HeaderValue::from_static("none"),
        };
        let body = serde_json::json!({ "appId": APP_ID, "appSecret": APP_SECRET });
        let answer = plain
            .exchange(Prepared {
                method: Method::POST,
                target: "/v1/auth/token".to_owned(),
                body: serde_json::to_vec(&body)?,
            })
            .await?;
        let token: LoggedIn = serde_json::from_slice(&answer)?;
        plain.authorization = token.data.access_token.parse()?;
        Ok(plain)
    }

    /// Runs one item and returns its output.
    pub async fn item(&self, operation: Operation, item: &str) -> Result<String> {
        read(self.exchange(prepare(operation, item)?).await?)
    }

    /// The rows of one page of a points account's records.
    pub async fn records(&self, account: &str, page: u32) -> Result<Vec<Box<RawValue>>> {
        let document = read(
            self.exchange(Prepared {
                method: Method::GET,
                target: format!(
                    "/v1/points/pointsRecords/{}?pageNo={page}&pageSize=100",
                    utf8_percent_encode(account, ENCODED)
                ),
                body: Vec::new(),
            })
            .await?,
        )?;
        let listed: Listed = serde_json::from_str(&document).context("the answer is no list")?;
        Ok(listed.data.list.into_iter().map(ToOwned::to_owned).collect())
    }

    async fn exchange(&self, prepared: Prepared) -> Result<Bytes> {
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(PathAndQuery::from_maybe_shared(Bytes::from(prepared.target))?)
            .build()?;
        let mut request = Request::builder()
            .method(prepared.method)
            .uri(uri)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static("plain/0.1.0"))
            .header(AUTHORIZATION, &self.authorization);
        if !prepared.body.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = request.body(Full::from(prepared.body))?;
        let exchange = async {
            let response = self.client.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST)
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!(error))?
                .to_bytes();
            ensure!(status.is_success(), "the service answered {status}");
            Ok(body)
        };
        tokio::time::timeout(DEADLINE, exchange)
            .await
            .context("no answer in time")?
    }
}
