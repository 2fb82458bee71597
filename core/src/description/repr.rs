//! The JSON form of the contract's variants: one flat object whose `type` names the case.
//!
//! Written by hand, because serde's tagged enums buffer what they read, and a buffered number has lost its digits.

use serde::{Deserialize, Serialize, Serializer};

use super::{
    BodyNeed, Choice, Choices, Dynamic, GroupShape, Holds, Oauth2, Placement, Range, Reference, RowShape,
    Template,
};
use crate::json::Json;

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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Condition {
    parameter: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    none_of: Option<Vec<Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set: Option<bool>,
}

impl From<super::Condition> for Condition {
    fn from(condition: super::Condition) -> Self {
        let (mut one_of, mut none_of, mut set) = (None, None, None);
        match condition.holds {
            Holds::OneOf(values) => one_of = Some(values),
            Holds::NoneOf(values) => none_of = Some(values),
            Holds::Set => set = Some(true),
        }
        Condition {
            parameter: condition.parameter,
            one_of,
            none_of,
            set,
        }
    }
}

impl TryFrom<Condition> for super::Condition {
    type Error = &'static str;

    fn try_from(repr: Condition) -> Result<Self, Self::Error> {
        let holds = match (repr.one_of, repr.none_of, repr.set) {
            (Some(values), None, None) => Holds::OneOf(values),
            (None, Some(values), None) => Holds::NoneOf(values),
            (None, None, Some(true)) => Holds::Set,
            _ => return Err("a condition needs one of `oneOf`, `noneOf` and `\"set\": true`"),
        };
        Ok(super::Condition {
            parameter: repr.parameter,
            holds,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Scheme {
    Fixed {
        headers: Vec<Template>,
        query: Vec<Template>,
    },
    Oauth2(Box<Oauth2>),
    // With braces: a unit variant would take any other field.
    Session {},
    Signed {
        needs: BodyNeed,
    },
}

impl From<super::Scheme> for Scheme {
    fn from(scheme: super::Scheme) -> Self {
        match scheme {
            super::Scheme::Fixed(Placement { headers, query }) => Scheme::Fixed { headers, query },
            super::Scheme::Oauth2(oauth2) => Scheme::Oauth2(oauth2),
            super::Scheme::Session => Scheme::Session {},
            super::Scheme::Signed(needs) => Scheme::Signed { needs },
        }
    }
}

impl From<Scheme> for super::Scheme {
    fn from(repr: Scheme) -> Self {
        match repr {
            Scheme::Fixed { headers, query } => super::Scheme::Fixed(Placement { headers, query }),
            Scheme::Oauth2(oauth2) => super::Scheme::Oauth2(oauth2),
            Scheme::Session {} => super::Scheme::Session,
            Scheme::Signed { needs } => super::Scheme::Signed(needs),
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
    ChooseMany,
    Reference,
    AnyJson,
    File,
    Group,
    Rows,
    Values,
    Columns,
    Notice,
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
    dynamic: Option<Dynamic>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_in_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
}

impl Kind {
    fn of(r#type: KindType) -> Self {
        Kind {
            r#type,
            min: None,
            max: None,
            known: None,
            open: None,
            dynamic: None,
            id_in_url: None,
            id: None,
            key: None,
            fields: None,
            display_name: None,
            columns: None,
            parameter: None,
        }
    }

    fn with_range(r#type: KindType, range: Range) -> Self {
        Kind {
            min: range.min,
            max: range.max,
            ..Kind::of(r#type)
        }
    }

    fn with_choices(r#type: KindType, choices: Choices) -> Self {
        Kind {
            known: Some(choices.known),
            open: Some(choices.open),
            dynamic: choices.dynamic,
            ..Kind::of(r#type)
        }
    }
}

impl From<super::Kind> for Kind {
    fn from(kind: super::Kind) -> Self {
        match kind {
            super::Kind::Text => Kind::of(KindType::Text),
            super::Kind::Multiline => Kind::of(KindType::Multiline),
            super::Kind::Secret => Kind::of(KindType::Secret),
            super::Kind::Integer(range) => Kind::with_range(KindType::Integer, range),
            super::Kind::Number(range) => Kind::with_range(KindType::Number, range),
            super::Kind::Boolean => Kind::of(KindType::Boolean),
            super::Kind::Date => Kind::of(KindType::Date),
            super::Kind::DateTime => Kind::of(KindType::DateTime),
            super::Kind::Choice(choices) => Kind::with_choices(KindType::Choice, choices),
            super::Kind::ChooseMany(choices) => Kind::with_choices(KindType::ChooseMany, choices),
            super::Kind::Reference(reference) => Kind {
                dynamic: reference.dynamic,
                id_in_url: reference.id_in_url,
                id: reference.id,
                ..Kind::of(KindType::Reference)
            },
            super::Kind::AnyJson => Kind::of(KindType::AnyJson),
            super::Kind::File => Kind::of(KindType::File),
            super::Kind::Group(GroupShape { key, fields }) => Kind {
                key,
                fields: Some(fields),
                ..Kind::of(KindType::Group)
            },
            super::Kind::Rows(rows) => Kind {
                key: rows.key,
                display_name: Some(rows.display_name),
                columns: Some(rows.columns),
                min: Some(f64::from(rows.min)),
                max: rows.max.map(f64::from),
                ..Kind::of(KindType::Rows)
            },
            super::Kind::Values(parameter) => Kind {
                parameter: Some(parameter),
                ..Kind::of(KindType::Values)
            },
            super::Kind::Columns(dynamic) => Kind {
                dynamic: Some(dynamic),
                ..Kind::of(KindType::Columns)
            },
            super::Kind::Notice => Kind::of(KindType::Notice),
        }
    }
}

impl TryFrom<Kind> for super::Kind {
    type Error = String;

    fn try_from(mut repr: Kind) -> Result<Self, Self::Error> {
        let kind = match repr.r#type {
            KindType::Text => super::Kind::Text,
            KindType::Multiline => super::Kind::Multiline,
            KindType::Secret => super::Kind::Secret,
            KindType::Integer => super::Kind::Integer(repr.range()),
            KindType::Number => super::Kind::Number(repr.range()),
            KindType::Boolean => super::Kind::Boolean,
            KindType::Date => super::Kind::Date,
            KindType::DateTime => super::Kind::DateTime,
            KindType::Choice => super::Kind::Choice(repr.choices("choice")?),
            KindType::ChooseMany => super::Kind::ChooseMany(repr.choices("chooseMany")?),
            KindType::Reference => super::Kind::Reference(Reference {
                dynamic: repr.dynamic.take(),
                id_in_url: repr.id_in_url.take(),
                id: repr.id.take(),
            }),
            KindType::AnyJson => super::Kind::AnyJson,
            KindType::File => super::Kind::File,
            KindType::Group => super::Kind::Group(GroupShape {
                key: repr.key.take(),
                fields: needed(&mut repr.fields, "group", "fields")?,
            }),
            KindType::Rows => super::Kind::Rows(RowShape {
                key: repr.key.take(),
                display_name: needed(&mut repr.display_name, "rows", "displayName")?,
                columns: needed(&mut repr.columns, "rows", "columns")?,
                min: row_count("min", needed(&mut repr.min, "rows", "min")?)?,
                max: repr.max.take().map(|max| row_count("max", max)).transpose()?,
            }),
            KindType::Values => super::Kind::Values(needed(&mut repr.parameter, "values", "parameter")?),
            KindType::Columns => super::Kind::Columns(needed(&mut repr.dynamic, "columns", "dynamic")?),
            KindType::Notice => super::Kind::Notice,
        };
        match repr.left_over() {
            Some(field) => Err(format!("the kind `{}` has no `{field}`", kind.name())),
            None => Ok(kind),
        }
    }
}

fn needed<T>(field: &mut Option<T>, kind: &str, name: &str) -> Result<T, String> {
    field
        .take()
        .ok_or_else(|| format!("the kind `{kind}` needs `{name}`"))
}

impl Kind {
    fn range(&mut self) -> Range {
        Range {
            min: self.min.take(),
            max: self.max.take(),
        }
    }

    fn choices(&mut self, kind: &str) -> Result<Choices, String> {
        Ok(Choices {
            known: needed(&mut self.known, kind, "known")?,
            open: needed(&mut self.open, kind, "open")?,
            dynamic: self.dynamic.take(),
        })
    }

    /// A field that the kind should not have: each kind takes its own fields first.
    fn left_over(&self) -> Option<&'static str> {
        let fields = [
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("known", self.known.is_some()),
            ("open", self.open.is_some()),
            ("dynamic", self.dynamic.is_some()),
            ("idInUrl", self.id_in_url.is_some()),
            ("id", self.id.is_some()),
            ("key", self.key.is_some()),
            ("fields", self.fields.is_some()),
            ("displayName", self.display_name.is_some()),
            ("columns", self.columns.is_some()),
            ("parameter", self.parameter.is_some()),
        ];
        fields
            .into_iter()
            .find(|(_, there)| *there)
            .map(|(field, _)| field)
    }
}

fn row_count(field: &str, count: f64) -> Result<u32, String> {
    let whole = count.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&count);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number in the range of u32, as the line above found"
    )]
    whole
        .then_some(count as u32)
        .ok_or_else(|| format!("expected a number of rows as `{field}`, found `{count}`"))
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
