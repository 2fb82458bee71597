//! The state behind the endpoints, one file per resource, and what the resources share: the call, the lock, pages.
//!
//! A million members exist without being stored. A member, its consumer and its points account have the same number:
//! `M17` is the card of consumer `C17`, whose account is `P17`. New consumers and members get the numbers from
//! 1,000,000 on. Only changes are stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nodule_core::json::{Json, Object};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::check::{self, Field};
use crate::envelope::{Outcome, Refused, codes, data};
use crate::routes::Endpoint;

mod amount;
mod consumer;
mod masterdata;
mod member;
mod order;
mod points;

/// Members, consumers and accounts below this number exist from the start.
const IMPLICIT: u32 = 1_000_000;

/// 2023-11-14T22:13:20Z, in milliseconds: the creation time of everything that exists from the start.
const BEGINNING_MS: i64 = 1_700_000_000_000;

/// One API request, as an operation sees it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) endpoint: Endpoint,
    /// The path's parameter, percent-decoded.
    parameter: Cow<'a, str>,
    query: Vec<(String, String)>,
    body: &'a [u8],
    content_type: &'a str,
    now_ms: i64,
    page_cap: usize,
    /// A fault: return the first page, whatever page is requested.
    same_page: bool,
}

/// The server's knowledge about a request that operations need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) now_ms: i64,
    pub(crate) page_cap: usize,
    pub(crate) same_page: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn read(
        (endpoint, parameter): (Endpoint, &'a str),
        query: Option<&str>,
        content_type: &'a str,
        body: &'a [u8],
        setting: Setting,
    ) -> Result<Self, Refused> {
        let parameter = percent_decode_str(parameter)
            .decode_utf8()
            .map_err(|_| Refused::new(codes::UNREADABLE, "the path is not UTF-8"))?;
        let query = match query {
            None | Some("") => Vec::new(),
            Some(text) => text.split('&').map(pair).collect::<Result<_, _>>()?,
        };
        let Setting {
            now_ms,
            page_cap,
            same_page,
        } = setting;
        Ok(Self {
            endpoint,
            parameter,
            query,
            body,
            content_type,
            now_ms,
            page_cap,
            same_page,
        })
    }

    /// The body as JSON.
    fn json(&self) -> Result<Json, Refused> {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let message = format!(
                "`Content-Type`: expected `application/json`, found `{}`",
                self.content_type
            );
            return Err(Refused::new(codes::UNREADABLE, message));
        }
        self.no_query()?;
        Json::from_slice(self.body)
            .map_err(|error| Refused::new(codes::UNREADABLE, format!("the body is no JSON: {error}")))
    }

    /// The body as an object with exactly these fields.
    pub(crate) fn object(&self, fields: &[Field]) -> Result<Object, Refused> {
        let Json::Object(map) = self.json()? else {
            return Err(Refused::new(codes::UNREADABLE, "the body is no JSON object"));
        };
        check::object(&map, fields, "")?;
        Ok(map)
    }

    /// Checks that the query has these parameters and that there is no body.
    fn reads(&self, fields: &[Field]) -> Result<(), Refused> {
        self.no_body()?;
        check::query(&self.query, fields)
    }

    fn no_body(&self) -> Result<(), Refused> {
        if self.body.is_empty() {
            return Ok(());
        }
        Err(Refused::new(codes::UNREADABLE, "this operation takes no body"))
    }

    fn no_query(&self) -> Result<(), Refused> {
        check::query(&self.query, &[])
    }

    fn asked(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    fn asked_number(&self, name: &str) -> Option<i64> {
        self.asked(name)?.parse().ok()
    }

    /// The page that a query requests.
    fn page(&self) -> Result<Page, Refused> {
        self.page_of(self.asked_number("pageNo"), self.asked_number("pageSize"))
    }

    fn page_of(&self, number: Option<i64>, size: Option<i64>) -> Result<Page, Refused> {
        let at_least_one = |name: &str, value: i64| {
            usize::try_from(value)
                .ok()
                .filter(|value| *value > 0)
                .ok_or_else(|| {
                    Refused::new(
                        codes::NOT_ALLOWED,
                        format!("`{name}`: expected 1 or more, found `{value}`"),
                    )
                })
        };
        let number = at_least_one("pageNo", number.unwrap_or(1))?;
        let size = at_least_one("pageSize", size.unwrap_or(10))?.min(self.page_cap.clamp(1, 100));
        let before = if self.same_page { 0 } else { number - 1 };
        Ok(Page {
            skip: before.saturating_mul(size),
            size,
        })
    }
}

/// One `name=value` of a query; a plus sign means a space, as in HTML forms.
fn pair(text: &str) -> Result<(String, String), Refused> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced)
            .decode_utf8()
            .map(Cow::into_owned)
            .map_err(|_| Refused::new(codes::UNREADABLE, "the query is not UTF-8"))
    };
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Ok((decoded(name)?, decoded(value)?))
}

/// A range of a list.
#[derive(Clone, Copy, Debug)]
struct Page {
    skip: usize,
    size: usize,
}

impl Page {
    /// `data` with the rows of this page. It has no total, because no public client shows one.
    fn of<T: Serialize>(self, rows: impl Iterator<Item = T>) -> Outcome {
        #[derive(Serialize)]
        struct List<T> {
            list: Vec<T>,
        }
        data(&List {
            list: rows.skip(self.skip).take(self.size).collect(),
        })
    }

    /// As [`Page::of`], of so many rows that are made only for this page: a million are not made anew for each.
    fn of_full<T: Serialize>(self, length: u32, row: impl Fn(u32) -> T) -> Outcome {
        let first = u32::try_from(self.skip).unwrap_or(length);
        Self { skip: 0, ..self }.of((first..length).map(row))
    }
}

/// Everything that was written.
#[derive(Default)]
pub(crate) struct Story(Mutex<State>);

#[derive(Default)]
struct State {
    members: member::Members,
    consumers: consumer::Consumers,
    orders: order::Orders,
    points: points::Points,
    master: masterdata::Masterdata,
}

impl Story {
    /// Executes an operation.
    pub(crate) fn answer(&self, call: &Call<'_>) -> Outcome {
        match call.endpoint {
            Endpoint::Token | Endpoint::RefreshToken => Err(Refused::new(
                codes::UNREADABLE,
                "a token exchange is no operation",
            )),
            Endpoint::GetLoyaltyPrograms => member::loyalty_programs(call),
            Endpoint::GetMemberList => member::list(call, self),
            Endpoint::GetMember => member::get(call, self),
            Endpoint::MemberAdmission => member::admit(call, self),
            Endpoint::CreateConsumer => consumer::create(call, self),
            Endpoint::ImportConsumerEventData => consumer::import_events(call, self),
            Endpoint::QueryConsumer => consumer::query(call, self),
            Endpoint::UpdateConsumer => consumer::update(call, self),
            Endpoint::BindConsumerThirdAccount => consumer::bind(call, self),
            Endpoint::QueryThirdAccountsByUnionId => consumer::third_accounts(call, self),
            Endpoint::GetTransactionList => order::list(call, self),
            Endpoint::GetTransactionDetail => order::detail(call, self),
            Endpoint::SyncTransaction => order::sync(call, self),
            Endpoint::GetPointsAccount => points::accounts(call, self),
            Endpoint::GetPointsRecords => points::records(call, self),
            Endpoint::AdjustPoints => points::adjust(call, self),
            Endpoint::BatchSyncProduct => masterdata::sync_products(call, self),
            Endpoint::SaveStore => masterdata::save_store(call, self),
        }
    }

    /// The counts so far.
    pub(crate) fn ledger(&self) -> Ledger {
        let state = self.lock();
        Ledger {
            operations: state.points.ledger(),
            transactions: state.orders.ledger(),
            events: state.consumers.event_ledger(),
            stores: state.master.store_ledger(),
            products: state.master.product_ledger(),
            admissions: state.members.ledger(),
            consumers: state.consumers.ledger(),
        }
    }

    /// The balance of a card's main account, as decimal digits.
    pub(crate) fn balance(&self, card_no: &str) -> Option<String> {
        let state = self.lock();
        let number = state.members.number(card_no)?;
        Some(state.points.balance(number).to_string())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a keyed thing was applied, and how often it was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How often it changed the state: 0 if it was refused, never more than 1.
    pub applied: u32,
    /// How often it arrived in a well-formed request.
    pub received: u32,
}

/// What the simulator has stored, for tests that count effects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Points adjustments by `operationId`.
    pub operations: BTreeMap<String, Count>,
    /// Transactions by `transactionCode`.
    pub transactions: BTreeMap<String, Count>,
    /// Events by `eventId`.
    pub events: BTreeMap<String, Count>,
    /// Stores by `organizationCode`; each request added one.
    pub stores: BTreeMap<String, u32>,
    /// Products by `code`: how often each was written.
    pub products: BTreeMap<String, u32>,
    /// Admissions by mobile phone, without prefix; each request added one.
    pub admissions: BTreeMap<String, u32>,
    /// Created consumers by mobile phone, without prefix; each request added one.
    pub consumers: BTreeMap<String, u32>,
}

/// The number after `letter` in a code such as `M17`. A number with leading zeros is a different code.
fn number(letter: char, code: &str) -> Option<u32> {
    let digits = code.strip_prefix(letter)?;
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && !(digits.len() > 1 && digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

/// The length of the lists of a code such as `F250`, which exists only to test pagination: each of its lists has that
/// many rows, at most a million.
fn full_list(code: &str) -> Option<u32> {
    number('F', code).filter(|length| *length <= IMPLICIT)
}

/// The text of a field, if present; the caller has checked that it is a text.
fn text<'a>(map: &'a Object, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Json::as_str)
}

/// The whole number of a field, if present; the caller has checked that it is one.
fn int(map: &Object, name: &str) -> Option<i64> {
    map.get(name).and_then(Json::as_i64)
}
