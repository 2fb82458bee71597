//! Consumers, their third-party accounts and their events.

use std::collections::{BTreeMap, HashMap};

use nodule_core::json::{Json, Object};
use serde::Serialize;

use super::{BEGINNING_MS, Call, Count, IMPLICIT, Story, number, text};
use crate::check::{Field, Kind, clearable, may, must};
use crate::envelope::{Outcome, Refused, codes, data};

const GENDER: Kind = Kind::Code(&[0, 1, 2]);
const FLAG: Kind = Kind::Code(&[0, 1]);
/// The phone of consumer `C0`; those of the others count up from it.
const FIRST_PHONE: u64 = 13_000_000_000;

/// Consumers that were created or changed; all others are computed on demand.
#[derive(Default)]
pub(super) struct Consumers {
    written: HashMap<u32, Object>,
    created: u32,
    by_phone: HashMap<(String, String), u32>,
    by_email: HashMap<String, u32>,
    creations: HashMap<String, u32>,
    accounts: HashMap<String, Vec<ThirdAccount>>,
    events: HashMap<Box<str>, u32>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThirdAccount {
    consumer_code: String,
    account_type: Json,
    union_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nick_name: Option<String>,
}

/// The mobile phone of a consumer that exists from the start, without the prefix `+86`.
pub(super) fn implicit_phone(number: u32) -> String {
    (FIRST_PHONE + u64::from(number)).to_string()
}

fn implicit(number: u32) -> Object {
    let mut map = Object::new();
    map.insert("name", format!("Member {number}"));
    map.insert("gender", number % 3);
    map.insert("phonePrefCode", "+86");
    map.insert("mobilePhone", implicit_phone(number));
    map.insert("email", format!("c{number}@example.com"));
    map.insert(
        "createTime".to_owned(),
        Json::from(BEGINNING_MS + i64::from(number)),
    );
    map
}

impl Consumers {
    /// The number of an existing consumer.
    pub(super) fn number(&self, code: &str) -> Result<u32, Refused> {
        number('C', code)
            .filter(|number| *number < IMPLICIT + self.created)
            .ok_or_else(|| Refused::new(codes::NO_CONSUMER, format!("there is no consumer `{code}`")))
    }

    /// The consumer with the phone in `body`, whose number is in the field `phone_name`; created if there is none.
    pub(super) fn with_phone(&mut self, body: &Object, phone_name: &str) -> u32 {
        let phone = text(body, phone_name).unwrap_or_default();
        let prefix = text(body, "phonePrefCode").unwrap_or_default();
        if let Some(number) = self.find_phone(prefix, phone) {
            return number;
        }
        let mut fields = Object::new();
        for (name, value) in [("phonePrefCode", prefix), ("mobilePhone", phone)] {
            fields.insert(name, value);
        }
        for name in ["name", "email"] {
            if let Some(value) = body.get(name) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        self.add(fields)
    }

    /// The consumer with this e-mail address, created if there is none.
    pub(super) fn with_email(&mut self, email: &str) -> u32 {
        self.find_email(email).unwrap_or_else(|| {
            let mut fields = Object::new();
            fields.insert("email", email);
            self.add(fields)
        })
    }

    pub(super) fn ledger(&self) -> BTreeMap<String, u32> {
        self.creations
            .iter()
            .map(|(phone, count)| (phone.clone(), *count))
            .collect()
    }

    pub(super) fn event_ledger(&self) -> BTreeMap<String, Count> {
        self.events
            .iter()
            .map(|(id, received)| {
                (
                    id.to_string(),
                    Count {
                        applied: 1,
                        received: *received,
                    },
                )
            })
            .collect()
    }

    fn add(&mut self, fields: Object) -> u32 {
        let number = IMPLICIT + self.created;
        self.created += 1;
        if let (Some(prefix), Some(phone)) = (text(&fields, "phonePrefCode"), text(&fields, "mobilePhone")) {
            self.by_phone
                .entry((prefix.to_owned(), phone.to_owned()))
                .or_insert(number);
        }
        if let Some(email) = text(&fields, "email") {
            self.by_email.entry(email.to_owned()).or_insert(number);
        }
        self.written.insert(number, fields);
        number
    }

    fn fields(&self, number: u32) -> Object {
        self.written
            .get(&number)
            .cloned()
            .unwrap_or_else(|| implicit(number))
    }

    /// The consumer as the API shows it.
    fn shown(&self, number: u32) -> Object {
        let mut map = Object::new();
        map.insert("consumerCode", format!("C{number}"));
        map.extend(self.fields(number));
        map
    }

    /// The first consumer with a phone; phones never change.
    fn find_phone(&self, prefix: &str, phone: &str) -> Option<u32> {
        let implicit = || {
            let offset = phone.parse::<u64>().ok()?.checked_sub(FIRST_PHONE)?;
            u32::try_from(offset)
                .ok()
                .filter(|number| *number < IMPLICIT && prefix == "+86")
        };
        implicit().or_else(|| self.by_phone.get(&(prefix.to_owned(), phone.to_owned())).copied())
    }

    /// The first consumer that still has this e-mail address.
    fn find_email(&self, email: &str) -> Option<u32> {
        let implicit =
            || number('c', email.strip_suffix("@example.com")?).filter(|number| *number < IMPLICIT);
        [implicit(), self.by_email.get(email).copied()]
            .into_iter()
            .flatten()
            .find(|number| text(&self.fields(*number), "email") == Some(email))
    }
}

/// A plain write: each request adds another consumer.
pub(super) fn create(call: &Call<'_>, story: &Story) -> Outcome {
    const FIELDS: &[Field] = &[
        must("name", Kind::Text),
        may("gender", GENDER),
        must("mobilePhone", Kind::Text),
        must("phonePrefCode", Kind::PhonePrefix),
        may("email", Kind::Text),
        must("sourceCode", Kind::Text),
        may("birthday", Kind::Date),
        may("identityType", Kind::Code(&[1, 2, 3, 4])),
        must("organizationCode", Kind::Text),
    ];
    let mut body = call.object(FIELDS)?;
    body.insert("createTime", call.now_ms);
    let mut state = story.lock();
    let phone = text(&body, "mobilePhone").unwrap_or_default().to_owned();
    *state.consumers.creations.entry(phone).or_default() += 1;
    let number = state.consumers.add(body);
    data(&state.consumers.shown(number))
}

/// Each `eventId` counts once. The event's consumer is not looked up.
pub(super) fn import_events(call: &Call<'_>, story: &Story) -> Outcome {
    #[derive(Serialize)]
    struct Imported {
        accepted: usize,
        repeated: usize,
    }
    const ROW: &[Field] = &[
        must("eventKey", Kind::Text),
        must("eventType", Kind::Text),
        must("eventTime", Kind::Int),
        must("customerCode", Kind::Text),
        must("eventId", Kind::Text),
        must("tenantId", Kind::Text),
        must("properties", Kind::Object),
    ];
    let body = call.object(&[must("data", Kind::Rows(ROW))])?;
    let rows = body
        .get("data")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut state = story.lock();
    let mut accepted = 0;
    for id in rows
        .iter()
        .filter_map(|row| row.get("eventId").and_then(Json::as_str))
    {
        let received = state.consumers.events.entry(id.into()).or_default();
        accepted += usize::from(*received == 0);
        *received += 1;
    }
    data(&Imported {
        accepted,
        repeated: rows.len() - accepted,
    })
}

pub(super) fn query(call: &Call<'_>, story: &Story) -> Outcome {
    const BY_PHONE: &[Field] = &[
        must("type", Kind::Code(&[1, 2])),
        must("query", Kind::Text),
        must("phonePrefCode", Kind::PhonePrefix),
        must("timestamp", Kind::Int),
        must("nonceId", Kind::Text),
    ];
    const BY_EMAIL: &[Field] = &[
        must("type", Kind::Code(&[1, 2])),
        must("query", Kind::Text),
        must("timestamp", Kind::Int),
        must("nonceId", Kind::Text),
    ];
    let by_email = call.asked("type") == Some("2");
    call.reads(if by_email { BY_EMAIL } else { BY_PHONE })?;
    let wanted = call.asked("query").unwrap_or_default();
    let state = story.lock();
    let found = if by_email {
        state.consumers.find_email(wanted)
    } else {
        state
            .consumers
            .find_phone(call.asked("phonePrefCode").unwrap_or_default(), wanted)
    };
    match found {
        Some(number) => data(&state.consumers.shown(number)),
        None => Err(Refused::new(
            codes::NO_CONSUMER,
            format!("there is no consumer with `{wanted}`"),
        )),
    }
}

/// Sets the fields that are sent, clears those that are `null`, and leaves the others unchanged.
pub(super) fn update(call: &Call<'_>, story: &Story) -> Outcome {
    const FIELDS: &[Field] = &[
        clearable("email", Kind::Text),
        clearable("name", Kind::Text),
        clearable("gender", GENDER),
        clearable("birthday", Kind::Date),
        clearable("postelCode", Kind::Text),
        clearable("address", Kind::Text),
        clearable("receiveSmsFlag", FLAG),
        clearable("receiveEmailFlag", FLAG),
        clearable("receiveAppFlag", FLAG),
        clearable("receiveWecomFlag", FLAG),
        clearable("receiveWechatFlag", FLAG),
        clearable("receiveWhatsAppFlag", FLAG),
        clearable("receiveLineFlag", FLAG),
        clearable("receiveMessagerFlag", FLAG),
        clearable("language", Kind::Text),
    ];
    let body = call.object(FIELDS)?;
    if body.is_empty() {
        return Err(Refused::new(codes::MISSING, "the body sets no field"));
    }
    let mut state = story.lock();
    let number = state.consumers.number(&call.parameter)?;
    let mut fields = state.consumers.fields(number);
    if let Some(email) = text(&body, "email") {
        state.consumers.by_email.insert(email.to_owned(), number);
    }
    for (name, value) in body {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    state.consumers.written.insert(number, fields);
    data(&state.consumers.shown(number))
}

/// Binding the same account again overwrites it.
pub(super) fn bind(call: &Call<'_>, story: &Story) -> Outcome {
    const FIELDS: &[Field] = &[
        must("consumerCode", Kind::Text),
        must("accountType", Kind::Int),
        must("unionId", Kind::Text),
        may("nickName", Kind::Text),
    ];
    let body = call.object(FIELDS)?;
    let mut state = story.lock();
    let consumer_code = text(&body, "consumerCode").unwrap_or_default().to_owned();
    state.consumers.number(&consumer_code)?;
    let account = ThirdAccount {
        consumer_code,
        account_type: body.get("accountType").cloned().unwrap_or_default(),
        union_id: text(&body, "unionId").unwrap_or_default().to_owned(),
        nick_name: text(&body, "nickName").map(str::to_owned),
    };
    let bound = state
        .consumers
        .accounts
        .entry(account.union_id.clone())
        .or_default();
    bound.retain(|other| {
        other.consumer_code != account.consumer_code || other.account_type != account.account_type
    });
    bound.push(account.clone());
    data(&account)
}

/// An ID without bound accounts has an empty list.
pub(super) fn third_accounts(call: &Call<'_>, story: &Story) -> Outcome {
    call.reads(&[])?;
    let state = story.lock();
    let bound = state
        .consumers
        .accounts
        .get(&*call.parameter)
        .map(Vec::as_slice)
        .unwrap_or_default();
    data(&bound)
}
