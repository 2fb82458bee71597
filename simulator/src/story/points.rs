//! Points accounts: a balance and its records. Each `operationId` counts once, whatever card it comes for.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use nodule_core::json::Json;
use serde::Serialize;

use super::amount::Amount;
use super::{BEGINNING_MS, Call, Count, State, Story, full_list, int, member, number, text};
use crate::check::{Field, Kind, may, must};
use crate::envelope::{Outcome, Refused, codes, data};

/// The points of every member at the start.
const OPENING: Amount = Amount::whole(1000);

/// The default group of an account.
const MAIN_GROUP: &str = "DEFAULT";

#[derive(Default)]
pub(super) struct Points {
    /// Boxed, because a hash table reserves space for nearly as many entries again.
    accounts: HashMap<u32, Box<Accounts>>,
    operations: HashMap<Arc<str>, Count>,
}

/// A member's accounts, once they differ from the start.
struct Accounts {
    main: Account,
    groups: Vec<(Box<str>, Account)>,
}

struct Account {
    balance: Amount,
    records: Vec<Record>,
}

struct Record {
    operation: Arc<str>,
    kind: u8,
    /// The digits as received.
    value: Box<str>,
    note: Option<Box<str>>,
    tier: bool,
    at_ms: i64,
    ends_ms: i64,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            main: Account {
                balance: OPENING,
                records: Vec::new(),
            },
            groups: Vec::new(),
        }
    }
}

impl Accounts {
    fn group(&self, group: Option<&str>) -> Option<&Account> {
        match group {
            None => Some(&self.main),
            Some(wanted) => self
                .groups
                .iter()
                .find(|(name, _)| **name == *wanted)
                .map(|(_, account)| account),
        }
    }

    fn group_mut(&mut self, group: Option<&str>) -> &mut Account {
        let Some(wanted) = group else {
            return &mut self.main;
        };
        let index = self
            .groups
            .iter()
            .position(|(name, _)| **name == *wanted)
            .unwrap_or(self.groups.len());
        if index == self.groups.len() {
            self.groups.push((
                wanted.into(),
                Account {
                    balance: Amount::default(),
                    records: Vec::new(),
                },
            ));
        }
        self.groups
            .get_mut(index)
            .map_or(&mut self.main, |(_, account)| account)
    }
}

impl Points {
    pub(super) fn balance(&self, member: u32) -> Amount {
        self.accounts
            .get(&member)
            .map_or(OPENING, |accounts| accounts.main.balance)
    }

    pub(super) fn ledger(&self) -> BTreeMap<String, Count> {
        self.operations
            .iter()
            .map(|(id, count)| (id.to_string(), *count))
            .collect()
    }

    fn group_balance(&self, member: u32, group: Option<&str>) -> Amount {
        let opening = if group.is_none() {
            OPENING
        } else {
            Amount::default()
        };
        self.accounts
            .get(&member)
            .and_then(|accounts| accounts.group(group))
            .map_or(opening, |found| found.balance)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountRow<'a> {
    account_code: String,
    card_no: &'a str,
    points_group_code: &'a str,
    balance: Digits,
}

/// A decimal as a JSON number with exactly these digits.
struct Digits(String);

impl Serialize for Digits {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Json::parse(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl From<Amount> for Digits {
    fn from(amount: Amount) -> Self {
        Self(amount.to_string())
    }
}

/// `P17` is the main account of `M17`; `P17.GROUP` is its account in a points group.
fn account_code(member: u32, group: Option<&str>) -> String {
    match group {
        None => format!("P{member}"),
        Some(group) => format!("P{member}.{group}"),
    }
}

/// The group of a request; `None` for the main group, also by name.
fn group_of(name: Option<&str>) -> Option<&str> {
    name.filter(|name| *name != MAIN_GROUP)
}

pub(super) fn accounts(call: &Call<'_>, story: &Story) -> Outcome {
    call.reads(&[
        may("pageNo", Kind::Int),
        may("pageSize", Kind::Int),
        may("pointsGroupCode", Kind::Text),
    ])?;
    let page = call.page()?;
    let card_no = &*call.parameter;
    let wanted = call.asked("pointsGroupCode");
    let row = |account_code, group, balance: Amount| AccountRow {
        account_code,
        card_no,
        points_group_code: group,
        balance: balance.into(),
    };
    let matches = |row: &AccountRow<'_>| wanted.is_none_or(|wanted| row.points_group_code == wanted);
    if let Some(length) = full_list(card_no) {
        let rows = (0..length).map(|index| row(format!("{card_no}-P{index}"), MAIN_GROUP, OPENING));
        return page.of(rows.filter(matches));
    }
    let state = story.lock();
    let member = state
        .members
        .number(card_no)
        .ok_or_else(|| member::no_member(card_no))?;
    let main = row(
        account_code(member, None),
        MAIN_GROUP,
        state.points.balance(member),
    );
    let groups = state
        .points
        .accounts
        .get(&member)
        .map(|accounts| accounts.groups.as_slice())
        .unwrap_or_default();
    let others = groups
        .iter()
        .map(|(name, account)| row(account_code(member, Some(name)), name, account.balance));
    page.of(std::iter::once(main).chain(others).filter(matches))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordRow<'a> {
    operation_id: Cow<'a, str>,
    operation_type: u8,
    point_value: Digits,
    #[serde(skip_serializing_if = "Option::is_none")]
    point_desc: Option<&'a str>,
    /// 0 effective, 2 expired. Status 1 does not occur, because nothing becomes effective later.
    status: u8,
    upgrade_tier_flag: u8,
    create_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_end_time: Option<i64>,
}

impl RecordRow<'_> {
    /// The first record of a main account.
    fn opening() -> Self {
        Self {
            operation_id: "OPENING".into(),
            operation_type: 6,
            point_value: OPENING.into(),
            point_desc: Some("opening balance"),
            status: 0,
            upgrade_tier_flag: 0,
            create_time: BEGINNING_MS,
            effective_end_time: None,
        }
    }
}

/// The latest record comes first.
pub(super) fn records(call: &Call<'_>, story: &Story) -> Outcome {
    const FIELDS: &[Field] = &[
        may("pageNo", Kind::Int),
        may("pageSize", Kind::Int),
        may("status", Kind::Code(&[0, 1, 2])),
        may("beginDate", Kind::Int),
        may("endDate", Kind::Int),
    ];
    call.reads(FIELDS)?;
    let page = call.page()?;
    let status = call.asked_number("status");
    let begin = call.asked_number("beginDate").unwrap_or(i64::MIN);
    let end = call.asked_number("endDate").unwrap_or(i64::MAX);
    let matches = |row: &RecordRow<'_>| {
        status.is_none_or(|status| status == i64::from(row.status))
            && (begin..=end).contains(&row.create_time)
    };
    let code = &*call.parameter;
    if let Some(length) = full_list(code) {
        let row = |index: u32| RecordRow {
            operation_id: format!("{code}-R{index}").into(),
            create_time: BEGINNING_MS + i64::from(index),
            ..RecordRow::opening()
        };
        if status.is_none()
            && call
                .asked_number("beginDate")
                .or(call.asked_number("endDate"))
                .is_none()
        {
            return page.of_full(length, row);
        }
        return page.of((0..length).map(row).filter(matches));
    }
    let state = story.lock();
    let (member, group) = find(&state, code)?;
    let account = state
        .points
        .accounts
        .get(&member)
        .and_then(|accounts| accounts.group(group));
    let stored = account
        .map(|account| account.records.as_slice())
        .unwrap_or_default();
    let rows = stored.iter().rev().map(|record| RecordRow {
        operation_id: (&*record.operation).into(),
        operation_type: record.kind,
        point_value: Digits(record.value.to_string()),
        point_desc: record.note.as_deref(),
        status: if record.ends_ms < call.now_ms { 2 } else { 0 },
        upgrade_tier_flag: u8::from(record.tier),
        create_time: record.at_ms,
        effective_end_time: Some(record.ends_ms),
    });
    page.of(rows
        .chain(group.is_none().then(RecordRow::opening))
        .filter(matches))
}

/// The member and group of an existing account.
fn find<'a>(state: &State, code: &'a str) -> Result<(u32, Option<&'a str>), Refused> {
    let (main, group) = match code.split_once('.') {
        None => (code, None),
        Some((main, group)) => (main, Some(group)),
    };
    number('P', main)
        .and_then(|number| state.members.number(&format!("M{number}")))
        .filter(|member| {
            let accounts = state.points.accounts.get(member);
            group.is_none() || accounts.is_some_and(|accounts| accounts.group(group).is_some())
        })
        .map(|member| (member, group))
        .ok_or_else(|| Refused::new(codes::NO_ACCOUNT, format!("there is no points account `{code}`")))
}

const ADJUSTMENT: &[Field] = &[
    must("accountType", Kind::Code(&[1, 2])),
    must("accountCode", Kind::Text),
    may("pointsGroupCode", Kind::Text),
    must("operationId", Kind::Text),
    must("operationType", Kind::Code(&[6, 7, 8, 9])),
    must("pointValue", Kind::Number),
    may("pointDesc", Kind::Text),
    must("effectiveEndTime", Kind::Int),
    must("upgradeTierFlag", Kind::Code(&[0, 1])),
];

/// Type 6 adds the value; the other types subtract its magnitude. A balance never becomes negative. An `operationId`
/// that was already applied, for this or another card, is a success and changes nothing. An adjustment that was refused
/// may be sent again.
pub(super) fn adjust(call: &Call<'_>, story: &Story) -> Outcome {
    let body = call.object(ADJUSTMENT)?;
    let digits = body.get("pointValue").map(Json::to_string).unwrap_or_default();
    let Some(value) = Amount::parse(&digits) else {
        let message = format!("`pointValue`: expected at most 25 digits and 4 decimals, found `{digits}`");
        return Err(Refused::new(codes::NOT_ALLOWED, message));
    };
    let Some(ends_ms) = int(&body, "effectiveEndTime") else {
        return Err(Refused::new(
            codes::NOT_ALLOWED,
            "`effectiveEndTime`: beyond all calendars",
        ));
    };
    let code = text(&body, "accountCode").unwrap_or_default();
    let id = text(&body, "operationId").unwrap_or_default();
    let kind = int(&body, "operationType")
        .and_then(|kind| u8::try_from(kind).ok())
        .unwrap_or_default();

    let mut guard = story.lock();
    let state = &mut *guard;
    let (member, coded_group) = if int(&body, "accountType") == Some(1) {
        find(state, code)?
    } else {
        (
            state
                .members
                .number(code)
                .ok_or_else(|| member::no_member(code))?,
            None,
        )
    };
    let group = coded_group.or(group_of(text(&body, "pointsGroupCode")));
    let points = &mut state.points;

    let id = match points.operations.get_key_value(id) {
        Some((known, _)) => Arc::clone(known),
        None => Arc::from(id),
    };
    let before = points.group_balance(member, group);
    let account_code = account_code(member, group);
    let count = points.operations.entry(Arc::clone(&id)).or_default();
    count.received += 1;
    if count.applied > 0 {
        return adjusted(&id, &digits, account_code, before, true);
    }
    let after = if kind == 6 {
        before.plus(value)
    } else {
        before.minus(value.abs())
    };
    let Some(after) = after.filter(|after| !after.is_negative()) else {
        let message = format!("the balance of `{account_code}` is {before}, too small to take away {digits}");
        return Err(Refused::new(codes::BALANCE_TOO_SMALL, message));
    };
    count.applied = 1;
    let account = points.accounts.entry(member).or_default().group_mut(group);
    account.balance = after;
    if account.records.is_empty() {
        // Most accounts of a load test are adjusted once, and a vector would start with capacity for four.
        account.records.reserve_exact(1);
    }
    account.records.push(Record {
        operation: Arc::clone(&id),
        kind,
        value: digits.as_str().into(),
        note: text(&body, "pointDesc").map(Into::into),
        tier: int(&body, "upgradeTierFlag") == Some(1),
        at_ms: call.now_ms,
        ends_ms,
    });
    adjusted(&id, &digits, account_code, after, false)
}

fn adjusted(id: &str, digits: &str, account_code: String, balance: Amount, repeated: bool) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Adjusted<'a> {
        operation_id: &'a str,
        account_code: String,
        point_value: Digits,
        balance: Digits,
        repeated: bool,
    }
    let point_value = Digits(digits.to_owned());
    data(&Adjusted {
        operation_id: id,
        account_code,
        point_value,
        balance: balance.into(),
        repeated,
    })
}
