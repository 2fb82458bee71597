//! Where the values of parameters go in a request.

use super::body::Body;
use super::parameter::Parameter;
use super::value::Value;
use crate::bindings::exports::workflow::node::types::Field;
use crate::json::{self, push_quoted};
use crate::percent;

/// Where a value goes.
pub struct Place {
    pub(crate) id: Id,
    /// As the description says it.
    pub(crate) hint: &'static str,
    /// Called for each parameter, for one without a value too.
    pub(crate) put: fn(&mut Draft, &'static str, Option<&Value>),
    /// Puts each field of a group where it goes by itself, those that say nothing at this place.
    pub(crate) spread: Option<fn(&mut Draft, &'static Place, &Parameter, &Value)>,
}

impl Place {
    /// One that nothing is put at.
    const NONE: Self = Self {
        id: Id::Nowhere,
        hint: "",
        put: |_, _, _| {},
        spread: None,
    };
}

/// Which place it is, for what looks at a table as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Auto,
    Path,
    Query,
    Header,
    Body,
    WholeBody,
    Spread,
    Nowhere,
}

/// A request that is being put together.
pub(crate) struct Draft {
    pub query: String,
    pub headers: Vec<Field>,
    pub body: Option<String>,
    pub form: &'static Body,
    /// What makes the body of what was placed, where that is not the form's own end.
    pub finish: Option<fn(&mut Draft)>,
    /// Values by their path in the body.
    nested: Vec<(&'static str, String)>,
    #[cfg(feature = "files")]
    pub files: Vec<PlacedFile>,
    /// What the boundary of a body with files has in it.
    #[cfg(feature = "files")]
    pub boundary: Option<u128>,
    /// The body, where files are in it.
    #[cfg(feature = "files")]
    pub parts: Option<Vec<crate::file::Part>>,
}

/// A file in a body.
#[cfg(feature = "files")]
pub(crate) struct PlacedFile {
    /// The parameter's name on the wire.
    pub name: &'static str,
    pub key: String,
    /// The item's file of that key, once it is looked up.
    pub found: Option<crate::file::ItemFile>,
}

/// Bytes of most bodies, and as much as the allocator still has a list of its own for.
const ROOM: usize = 240;

impl Draft {
    pub fn new(form: &'static Body) -> Self {
        Self {
            query: String::new(),
            headers: Vec::new(),
            body: None,
            form,
            finish: None,
            nested: Vec::new(),
            #[cfg(feature = "files")]
            files: Vec::new(),
            #[cfg(feature = "files")]
            boundary: None,
            #[cfg(feature = "files")]
            parts: None,
        }
    }
}

impl Draft {
    /// The last of a body of parts.
    pub fn put_text(&mut self, text: String) {
        #[cfg(feature = "files")]
        if let Some(parts) = &mut self.parts {
            parts.push(crate::file::Part::Bytes(text.into_bytes()));
            return;
        }
        self.body = Some(text);
    }
}

/// As the one rule of placement says.
pub(crate) static AUTO: Place = Place {
    id: Id::Auto,
    ..Place::NONE
};

/// The plan has the path's parameters.
pub(crate) static PATH: Place = Place {
    id: Id::Path,
    hint: "path",
    ..Place::NONE
};

/// It steers the node and is not sent.
pub(crate) static NOWHERE: Place = Place::NONE;

pub(crate) static QUERY: Place = Place {
    id: Id::Query,
    hint: "query",
    put: |draft, name, value| {
        if let Some(value) = value {
            percent::push_pair(&mut draft.query, name, value.plain());
        }
    },
    ..Place::NONE
};

/// A list as one text.
pub(crate) static JOINED: Place = Place {
    id: Id::Query,
    hint: "query",
    put: |draft, name, value| {
        if let Some(value) = value {
            let elements = json::elements(value.plain()).unwrap_or_default();
            let texts: Vec<_> = elements.into_iter().map(json::plain).collect();
            let joined = texts.join(",");
            percent::push_pair(&mut draft.query, name, &joined);
        }
    },
    ..Place::NONE
};

pub(crate) static HEADER: Place = Place {
    id: Id::Header,
    hint: "header",
    put: |draft, name, value| {
        if let Some(value) = value {
            draft.headers.push(Field {
                name: name.to_owned(),
                value: value.plain().to_owned(),
            });
        }
    },
    ..Place::NONE
};

/// An operation whose parameters all lie in the path has no body; one whose fields are all left out has an empty one.
pub(crate) static BODY: Place = Place {
    id: Id::Body,
    hint: "body",
    put: |draft, name, value| {
        let body = draft.body.get_or_insert_with(|| String::with_capacity(ROOM));
        if let Some(value) = value {
            (draft.form.push)(body, name, value);
        }
    },
    ..Place::NONE
};

/// A file of the item, in a body of parts or as the whole body.
#[cfg(feature = "files")]
pub(crate) static FILE: Place = Place {
    id: Id::Body,
    hint: "body",
    put: |draft, name, value| {
        draft.body.get_or_insert_default();
        if let Some(value) = value {
            draft.files.push(PlacedFile {
                name,
                key: value.plain().to_owned(),
                found: None,
            });
        }
    },
    ..Place::NONE
};

/// The fields of a group, each where it says itself.
pub(crate) static SPREAD: Place = Place {
    id: Id::Spread,
    hint: "spread",
    spread: Some(spread),
    ..Place::NONE
};

fn spread(draft: &mut Draft, auto: &'static Place, group: &Parameter, value: &Value) {
    let fields = json::object(value.plain());
    for parameter in group.kind.nested() {
        let place = match parameter.place.id {
            Id::Auto => auto,
            _ => parameter.place,
        };
        let json = fields
            .as_ref()
            .and_then(|fields| fields.get(parameter.wire_name()));
        let value = json.map(Value::of_json);
        (place.put)(draft, parameter.wire_name(), value.as_ref());
    }
}

/// It is the body, and nothing stands around it.
pub(crate) static WHOLE_BODY: Place = Place {
    id: Id::WholeBody,
    hint: "whole-body",
    put: |draft, _, value| {
        if let Some(value) = value {
            value.push_json(draft.body.get_or_insert_default());
            draft.finish = Some(|_| {});
        }
    },
    ..Place::NONE
};

/// A field of an object within the body: its wire name is a JSON pointer.
pub(crate) static NESTED: Place = Place {
    id: Id::Body,
    hint: "body",
    put: |draft, name, value| {
        draft.body.get_or_insert_default();
        draft.finish = Some(finish_nested);
        if let Some(value) = value {
            let mut json = String::new();
            value.push_json(&mut json);
            draft.nested.push((name.get(1..).unwrap_or_default(), json));
        }
    },
    ..Place::NONE
};

/// Objects stand where the first of their fields does, behind the fields of the body itself.
fn finish_nested(draft: &mut Draft) {
    let nested = std::mem::take(&mut draft.nested);
    let mut left: Vec<(&str, &str)> = nested.iter().map(|(path, json)| (*path, json.as_str())).collect();
    let body = draft.body.get_or_insert_default();
    while let Some((path, _)) = left.first() {
        let name = path.split('/').next().unwrap_or_default();
        let (of_it, others) = left
            .iter()
            .partition(|(path, _)| path.split('/').next() == Some(name));
        (draft.form.push)(body, name, &Value::literal(object(name, of_it)));
        left = others;
    }
    (draft.form.finish)(draft);
}

/// The value under a name, of the values whose paths begin with it.
fn object(name: &str, of_it: Vec<(&str, &str)>) -> String {
    let mut within: Vec<(&str, &str)> = Vec::new();
    for (path, json) in of_it {
        match path.get(name.len() + 1..) {
            Some(rest) => within.push((rest, json)),
            None => return json.to_owned(),
        }
    }
    let mut json = String::new();
    while let Some((path, _)) = within.first() {
        let name = path.split('/').next().unwrap_or_default();
        let (of_it, others): (Vec<_>, Vec<_>) = within
            .iter()
            .partition(|(path, _)| path.split('/').next() == Some(name));
        json.push(if json.is_empty() { '{' } else { ',' });
        push_quoted(&mut json, name);
        json.push(':');
        json.push_str(&object(name, of_it));
        within = others;
    }
    json.push('}');
    debug_assert!(json::document(&json).is_ok(), "{json}");
    json
}
