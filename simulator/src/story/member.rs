//! Members and loyalty programmes.

use std::collections::{BTreeMap, HashMap};

use nodule_core::json::Object;
use serde::Serialize;

use super::{BEGINNING_MS, Call, IMPLICIT, Story, consumer, full_list, number, text};
use crate::check::{Field, Kind, may, must};
use crate::envelope::{Outcome, Refused, codes, data};

/// The programme of the members that exist from the start.
const FIRST_PROGRAM: &str = "LP001";

/// The admitted members, numbered from [`IMPLICIT`] on.
#[derive(Default)]
pub(super) struct Members {
    admitted: Vec<Admitted>,
    by_consumer: HashMap<u32, Vec<u32>>,
    by_phone: HashMap<String, u32>,
}

struct Admitted {
    consumer: u32,
    joined_ms: i64,
    body: Object,
}

impl Members {
    /// The number of an existing card.
    pub(super) fn number(&self, card_no: &str) -> Option<u32> {
        let number = number('M', card_no)?;
        let exists = number < IMPLICIT || self.admitted(number).is_some();
        exists.then_some(number)
    }

    pub(super) fn ledger(&self) -> BTreeMap<String, u32> {
        self.by_phone
            .iter()
            .map(|(phone, count)| (phone.clone(), *count))
            .collect()
    }

    fn admitted(&self, number: u32) -> Option<&Admitted> {
        self.admitted
            .get(usize::try_from(number.checked_sub(IMPLICIT)?).ok()?)
    }
}

/// A member's row. `None` fields are left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    card_no: String,
    consumer_code: String,
    loyalty_program_code: &'a str,
    name: String,
    mobile_phone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_code: Option<&'a str>,
    tier_code: &'static str,
    join_time: i64,
}

impl Members {
    fn row(&self, number: u32) -> Row<'_> {
        let card_no = format!("M{number}");
        match self.admitted(number) {
            None => Row {
                card_no,
                consumer_code: format!("C{number}"),
                loyalty_program_code: FIRST_PROGRAM,
                name: format!("Member {number}"),
                mobile_phone: consumer::implicit_phone(number),
                email: None,
                store_code: None,
                tier_code: "T1",
                join_time: BEGINNING_MS + i64::from(number),
            },
            Some(admitted) => Row {
                card_no,
                consumer_code: format!("C{}", admitted.consumer),
                loyalty_program_code: text(&admitted.body, "loyaltyProgramCode").unwrap_or_default(),
                name: text(&admitted.body, "name").unwrap_or_default().to_owned(),
                mobile_phone: text(&admitted.body, "mobilePhone").unwrap_or_default().to_owned(),
                email: text(&admitted.body, "email"),
                store_code: text(&admitted.body, "storeCode"),
                tier_code: "T1",
                join_time: admitted.joined_ms,
            },
        }
    }
}

pub(super) fn loyalty_programs(call: &Call<'_>) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Program {
        loyalty_program_code: &'static str,
        loyalty_program_name: &'static str,
    }
    call.reads(&[])?;
    data(&[
        Program {
            loyalty_program_code: FIRST_PROGRAM,
            loyalty_program_name: "Main Club",
        },
        Program {
            loyalty_program_code: "LP002",
            loyalty_program_name: "Outlet Club",
        },
    ])
}

pub(super) fn list(call: &Call<'_>, story: &Story) -> Outcome {
    call.reads(&[
        may("pageNo", Kind::Int),
        may("pageSize", Kind::Int),
        may("loyaltyCode", Kind::Text),
    ])?;
    let page = call.page()?;
    let program = call.asked("loyaltyCode");
    let state = story.lock();
    let matches = |row: &Row<'_>| program.is_none_or(|wanted| row.loyalty_program_code == wanted);
    if let Some(length) = full_list(&call.parameter) {
        let rows = (0..length).map(|number| Row {
            consumer_code: call.parameter.clone().into_owned(),
            ..state.members.row(number)
        });
        return page.of(rows.filter(matches));
    }
    let consumer = state.consumers.number(&call.parameter)?;
    let own = (consumer < IMPLICIT).then_some(consumer);
    let admitted = state
        .members
        .by_consumer
        .get(&consumer)
        .into_iter()
        .flatten()
        .copied();
    page.of(own
        .into_iter()
        .chain(admitted)
        .map(|number| state.members.row(number))
        .filter(matches))
}

pub(super) fn get(call: &Call<'_>, story: &Story) -> Outcome {
    call.reads(&[])?;
    let state = story.lock();
    match state.members.number(&call.parameter) {
        Some(number) => data(&state.members.row(number)),
        None => Err(no_member(&call.parameter)),
    }
}

/// A plain write: each request admits another member, for the consumer with this phone.
pub(super) fn admit(call: &Call<'_>, story: &Story) -> Outcome {
    const FIELDS: &[Field] = &[
        must("loyaltyProgramCode", Kind::Text),
        must("phonePrefCode", Kind::PhonePrefix),
        must("mobilePhone", Kind::Text),
        may("email", Kind::Text),
        must("name", Kind::Text),
        must("storeCode", Kind::Text),
        must("sourceCode", Kind::Text),
    ];
    let body = call.object(FIELDS)?;
    let mut guard = story.lock();
    let state = &mut *guard;
    let consumer = state.consumers.with_phone(&body, "mobilePhone");
    let Ok(added) = u32::try_from(state.members.admitted.len()) else {
        return Err(Refused::new(codes::NOT_ALLOWED, "no more members fit in"));
    };
    let number = IMPLICIT + added;
    let phone = text(&body, "mobilePhone").unwrap_or_default().to_owned();
    *state.members.by_phone.entry(phone).or_default() += 1;
    state
        .members
        .by_consumer
        .entry(consumer)
        .or_default()
        .push(number);
    state.members.admitted.push(Admitted {
        consumer,
        joined_ms: call.now_ms,
        body,
    });
    data(&state.members.row(number))
}

pub(super) fn no_member(card_no: &str) -> Refused {
    Refused::new(codes::NO_MEMBER, format!("there is no member `{card_no}`"))
}
