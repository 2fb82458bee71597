//! Transactions: each `transactionCode` once, stored as received, so that every digit is returned.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use nodule_core::json::{Json, Object};
use serde::Serialize;

use super::{BEGINNING_MS, Call, Count, Story, full_list, int, text};
use crate::check::{self, Field, Kind, may, must};
use crate::envelope::{Outcome, Refused, codes, data};

#[derive(Default)]
pub(super) struct Orders {
    by_code: HashMap<Arc<str>, Stored>,
    by_consumer: HashMap<u32, Vec<Arc<str>>>,
}

struct Stored {
    order_ms: i64,
    received: u32,
    shown: Object,
}

impl Orders {
    pub(super) fn ledger(&self) -> BTreeMap<String, Count> {
        let count = |stored: &Stored| Count {
            applied: 1,
            received: stored.received,
        };
        self.by_code
            .iter()
            .map(|(code, stored)| (code.to_string(), count(stored)))
            .collect()
    }
}

const DETAIL: &[Field] = &[
    must("direction", Kind::Code(&[0, 1])),
    must("detailCode", Kind::Text),
    must("productCode", Kind::Text),
    must("title", Kind::Text),
    must("qty", Kind::Number),
    must("price", Kind::Int),
    must("totalAmount", Kind::Int),
    must("couponAmount", Kind::Int),
    must("discountAmount", Kind::Int),
    must("totalDisAmount", Kind::Int),
    must("costAmount", Kind::Int),
    must("grossAmount", Kind::Int),
];

/// The fields of every transaction; `phonePrefCode` comes first, and is omitted if no phone names the buyer.
const SYNC: &[Field] = &[
    must("phonePrefCode", Kind::PhonePrefix),
    must("type", Kind::Code(&[1, 2, 3])),
    must("params", Kind::Text),
    may("loyaltyCode", Kind::Text),
    must("source", Kind::Text),
    must("transactionCode", Kind::Text),
    must("storeCode", Kind::Text),
    must("orderDate", Kind::DateTime),
    must("direction", Kind::Code(&[0, 1, 2])),
    must("orderStatus", Kind::Code(&[0, 1, 2, 3])),
    must("scorePointStatus", Kind::Code(&[0, 1, 2, 3, 4])),
    must("totalPrice", Kind::Int),
    must("totalAmount", Kind::Int),
    must("couponAmount", Kind::Int),
    must("discountAmount", Kind::Int),
    must("totalDisAmount", Kind::Int),
    must("costAmount", Kind::Int),
    must("grossAmount", Kind::Int),
    must("freight", Kind::Int),
    may("originalCode", Kind::Text),
    must("details", Kind::Rows(DETAIL)),
];

/// A known code gets the same response as the first time, and changes nothing. An unknown buyer becomes a consumer; an
/// employee has to be one already (`E17` is `C17`).
pub(super) fn sync(call: &Call<'_>, story: &Story) -> Outcome {
    let Json::Object(body) = call.json()? else {
        return Err(Refused::new(codes::UNREADABLE, "the body is no JSON object"));
    };
    let identifier = int(&body, "type");
    let without_prefix = SYNC.get(1..).unwrap_or_default();
    check::object(
        &body,
        if matches!(identifier, Some(2 | 3)) {
            without_prefix
        } else {
            SYNC
        },
        "",
    )?;

    let code = text(&body, "transactionCode").unwrap_or_default();
    let params = text(&body, "params").unwrap_or_default();
    let mut guard = story.lock();
    let state = &mut *guard;
    if let Some(stored) = state.orders.by_code.get_mut(code) {
        stored.received += 1;
        return synced(&stored.shown, true);
    }
    let consumer = match identifier {
        Some(1) => state.consumers.with_phone(&body, "params"),
        Some(2) => state.consumers.with_email(params),
        _ => match params.strip_prefix('E') {
            Some(digits) => state.consumers.number(&format!("C{digits}"))?,
            None => {
                return Err(Refused::new(
                    codes::NO_CONSUMER,
                    format!("there is no employee `{params}`"),
                ));
            }
        },
    };
    let code = Arc::<str>::from(code);
    let order_ms = text(&body, "orderDate")
        .and_then(check::date_time)
        .unwrap_or_default();
    let mut shown = Object::new();
    shown.insert("consumerCode", format!("C{consumer}"));
    shown.extend(body);
    shown.insert("syncTime", call.now_ms);
    let answer = synced(&shown, false);
    state
        .orders
        .by_consumer
        .entry(consumer)
        .or_default()
        .push(Arc::clone(&code));
    state.orders.by_code.insert(
        code,
        Stored {
            order_ms,
            received: 1,
            shown,
        },
    );
    answer
}

fn synced(shown: &Object, repeated: bool) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Synced<'a> {
        transaction_code: &'a str,
        consumer_code: &'a str,
        repeated: bool,
    }
    data(&Synced {
        transaction_code: text(shown, "transactionCode").unwrap_or_default(),
        consumer_code: text(shown, "consumerCode").unwrap_or_default(),
        repeated,
    })
}

/// The latest transaction comes first.
pub(super) fn list(call: &Call<'_>, story: &Story) -> Outcome {
    const FIELDS: &[Field] = &[
        may("pageNo", Kind::Int),
        may("pageSize", Kind::Int),
        may("beginDate", Kind::Instant),
        may("endDate", Kind::Instant),
    ];
    let body = call.object(FIELDS)?;
    let page = call.page_of(int(&body, "pageNo"), int(&body, "pageSize"))?;
    let begin = limit(&body, "beginDate").unwrap_or(i64::MIN);
    let end = limit(&body, "endDate").unwrap_or(i64::MAX);
    if let Some(length) = full_list(&call.parameter) {
        let rows = (0..length).filter(|index| (begin..=end).contains(&(BEGINNING_MS + i64::from(*index))));
        return page.of(rows.map(|index| Full::new(&call.parameter, index)));
    }
    let state = story.lock();
    let consumer = state.consumers.number(&call.parameter)?;
    let codes = state
        .orders
        .by_consumer
        .get(&consumer)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let stored = codes
        .iter()
        .rev()
        .filter_map(|code| state.orders.by_code.get(code));
    page.of(stored
        .filter(|stored| (begin..=end).contains(&stored.order_ms))
        .map(|stored| &stored.shown))
}

pub(super) fn detail(call: &Call<'_>, story: &Story) -> Outcome {
    call.no_query()?;
    call.no_body()?;
    let state = story.lock();
    match state.orders.by_code.get(&*call.parameter) {
        Some(stored) => data(&stored.shown),
        None => Err(Refused::new(
            codes::NO_TRANSACTION,
            format!("there is no transaction `{}`", call.parameter),
        )),
    }
}

/// A row of a list that exists only to test pagination.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Full<'a> {
    consumer_code: &'a str,
    transaction_code: String,
    total_amount: u32,
    order_time: i64,
}

impl<'a> Full<'a> {
    fn new(consumer_code: &'a str, index: u32) -> Self {
        Self {
            consumer_code,
            transaction_code: format!("{consumer_code}-T{index}"),
            total_amount: index * 100,
            order_time: BEGINNING_MS + i64::from(index),
        }
    }
}

fn limit(body: &Object, name: &str) -> Option<i64> {
    int(body, name).or_else(|| check::instant(text(body, name)?))
}
