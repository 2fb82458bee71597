//! Files that go with an item.

use std::borrow::Cow;

use super::{Id, Kind, Of};
use crate::bindings::exports::workflow::node::description as contract;
use crate::json;
use crate::table::parameter::Parameter;
use crate::table::place;
use crate::table::value::Value;

/// The key of a file of the item; n8n calls it the name of a binary field. Its bytes are a part of the body, by the parameter's name
/// on the wire, or all of it.
pub const fn file(name: &'static str, label: &'static str) -> Parameter {
    Parameter {
        place: &place::FILE,
        ..Parameter::new(name, label, Kind::new(&FILE))
    }
}

static FILE: Of = Of {
    id: Id::File,
    encoding: "",
    accept: |_, _, raw, _| {
        let key = super::text::of(json::kind(raw), raw).map(super::text::trimmed);
        key.map(Value::Text).into()
    },
    expected: |_, _| Cow::Borrowed("the key of a file of the item"),
    describe: |_, _| contract::Kind::File,
};
