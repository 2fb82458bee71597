//! The JSON form of the contract's variants: one flat object whose `type` names the case.
//!
//! Written by hand, because serde's tagged enums buffer what they read, and a buffered number has lost its digits.

use serde::{Deserialize, Serialize, Serializer};

use super::{Choice, Choices, IntegerRange, RowShape};

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum EffectType {
    Read,
    Idempotent,
    Keyed,
    Write,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Effect {
    r#type: EffectType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
}

impl From<super::Effect> for Effect {
    fn from(effect: super::Effect) -> Self {
        let (r#type, parameter) = match effect {
            super::Effect::Read => (EffectType::Read, None),
            super::Effect::Idempotent => (EffectType::Idempotent, None),
            super::Effect::Keyed(parameter) => (EffectType::Keyed, Some(parameter)),
            super::Effect::Write => (EffectType::Write, None),
        };
        Effect { r#type, parameter }
    }
}

impl TryFrom<Effect> for super::Effect {
    type Error = &'static str;

    fn try_from(repr: Effect) -> Result<Self, Self::Error> {
        match (repr.r#type, repr.parameter) {
            (EffectType::Keyed, Some(parameter)) => Ok(super::Effect::Keyed(parameter)),
            (EffectType::Keyed, None) => Err("the effect `keyed` needs `parameter`"),
            (_, Some(_)) => Err("only the effect `keyed` has `parameter`"),
            (EffectType::Read, None) => Ok(super::Effect::Read),
            (EffectType::Idempotent, None) => Ok(super::Effect::Idempotent),
            (EffectType::Write, None) => Ok(super::Effect::Write),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KindType {
    Text,
    Multiline,
    Secret,
    Integer,
    Number,
    Boolean,
    Date,
    DateTime,
    Choice,
    AnyJson,
    Group,
    Rows,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kind {
    r#type: KindType,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "whole")]
    min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "whole")]
    max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known: Option<Vec<Choice>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<String>>,
}

impl Kind {
    fn of(r#type: KindType) -> Self {
        Kind {
            r#type,
            min: None,
            max: None,
            known: None,
            open: None,
            fields: None,
            name: None,
            display_name: None,
            columns: None,
        }
    }
}

impl From<super::Kind> for Kind {
    fn from(kind: super::Kind) -> Self {
        match kind {
            super::Kind::Text => Kind::of(KindType::Text),
            super::Kind::Multiline => Kind::of(KindType::Multiline),
            super::Kind::Secret => Kind::of(KindType::Secret),
            super::Kind::Integer(IntegerRange { min, max }) => Kind {
                min,
                max,
                ..Kind::of(KindType::Integer)
            },
            super::Kind::Number => Kind::of(KindType::Number),
            super::Kind::Boolean => Kind::of(KindType::Boolean),
            super::Kind::Date => Kind::of(KindType::Date),
            super::Kind::DateTime => Kind::of(KindType::DateTime),
            super::Kind::Choice(Choices { known, open }) => Kind {
                known: Some(known),
                open: Some(open),
                ..Kind::of(KindType::Choice)
            },
            super::Kind::AnyJson => Kind::of(KindType::AnyJson),
            super::Kind::Group(fields) => Kind {
                fields: Some(fields),
                ..Kind::of(KindType::Group)
            },
            super::Kind::Rows(RowShape {
                name,
                display_name,
                columns,
                min,
            }) => Kind {
                name: Some(name),
                display_name: Some(display_name),
                columns: Some(columns),
                min: Some(f64::from(min)),
                ..Kind::of(KindType::Rows)
            },
        }
    }
}

impl TryFrom<Kind> for super::Kind {
    type Error = String;

    fn try_from(mut repr: Kind) -> Result<Self, Self::Error> {
        let r#type = repr.r#type;
        let kind = match r#type {
            KindType::Text => super::Kind::Text,
            KindType::Multiline => super::Kind::Multiline,
            KindType::Secret => super::Kind::Secret,
            KindType::Integer => super::Kind::Integer(IntegerRange {
                min: repr.min.take(),
                max: repr.max.take(),
            }),
            KindType::Number => super::Kind::Number,
            KindType::Boolean => super::Kind::Boolean,
            KindType::Date => super::Kind::Date,
            KindType::DateTime => super::Kind::DateTime,
            KindType::Choice => super::Kind::Choice(Choices {
                known: repr.known.take().ok_or("the kind `choice` needs `known`")?,
                open: repr.open.take().ok_or("the kind `choice` needs `open`")?,
            }),
            KindType::AnyJson => super::Kind::AnyJson,
            KindType::Group => {
                super::Kind::Group(repr.fields.take().ok_or("the kind `group` needs `fields`")?)
            }
            KindType::Rows => super::Kind::Rows(RowShape {
                name: repr.name.take().ok_or("the kind `rows` needs `name`")?,
                display_name: repr
                    .display_name
                    .take()
                    .ok_or("the kind `rows` needs `displayName`")?,
                columns: repr.columns.take().ok_or("the kind `rows` needs `columns`")?,
                min: row_count(repr.min.take().ok_or("the kind `rows` needs `min`")?)?,
            }),
        };
        match repr.left_over() {
            Some(field) => Err(format!("the kind `{}` has no `{field}`", kind.name())),
            None => Ok(kind),
        }
    }
}

impl Kind {
    /// A field that the kind should not have: each kind takes its own fields first.
    fn left_over(&self) -> Option<&'static str> {
        let fields = [
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("known", self.known.is_some()),
            ("open", self.open.is_some()),
            ("fields", self.fields.is_some()),
            ("name", self.name.is_some()),
            ("displayName", self.display_name.is_some()),
            ("columns", self.columns.is_some()),
        ];
        fields
            .into_iter()
            .find(|(_, there)| *there)
            .map(|(field, _)| field)
    }
}

fn row_count(min: f64) -> Result<u32, String> {
    let whole = min.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&min);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number in the range of u32, as the line above found"
    )]
    whole
        .then_some(min as u32)
        .ok_or_else(|| format!("expected a number of rows as `min`, found `{min}`"))
}

/// Writes `1` rather than `1.0`, because readers expect an integer's limit to be an integer.
#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn whole<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    /// Up to this value a float represents every whole number exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match *number {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        Some(number) if number.fract() == 0.0 && number.abs() <= EXACT => {
            serializer.serialize_i64(number as i64)
        }
        Some(number) => serializer.serialize_f64(number),
        None => serializer.serialize_none(),
    }
}
