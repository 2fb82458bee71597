//! An operation's request, and what its effect and its output need of it.

use super::scope::find;
use super::text::{Problems, eq, is_lower_case, until};
use crate::http::Method;
use crate::table::body::Holds;
use crate::table::kind::Id;
use crate::table::parameter::{FillId, LIMIT_NAME, Parameter, RETURN_ALL_NAME};
use crate::table::place::Id as Place;
use crate::table::{Effect, Operation};

pub(super) const fn lint(operation: &Operation, problems: &mut Problems) {
    path(operation, problems);
    let mut index = 0;
    while index < operation.parameters.len() {
        placed(operation, index, problems);
        index += 1;
    }
    effect(operation, problems);
    output(operation, problems);
}

const fn path(operation: &Operation, problems: &mut Problems) {
    let path = operation.request.path;
    let bytes = path.as_bytes();
    if !matches!(bytes, [b'/'] | [b'/', .., b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'}' | b'-' | b'_' | b'.' | b'~'])
    {
        problems.report(&[
            "has the path ",
            path,
            ", which does not begin with a slash, or ends with one",
        ]);
    }
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{' {
            let Some(name) = until(path, at + 1, b'}') else {
                problems.report(&["has the path ", path, ", in which a brace is not closed"]);
                return;
            };
            in_path(operation, name, problems);
            at += name.len();
        }
        at += 1;
    }
}

const fn in_path(operation: &Operation, name: &str, problems: &mut Problems) {
    let name = without_plus(name);
    let Some(parameter) = find(operation.parameters, name) else {
        problems.report(&["names ", name, " in its path and has no such parameter"]);
        return;
    };
    let is_plain = matches!(
        parameter.kind.id(),
        Id::Text | Id::Integer | Id::Date | Id::Choice | Id::Reference
    );
    if !parameter.is_required || !is_plain {
        problems.report(&[
            "has ",
            name,
            " in its path, which is not required, or no single value",
        ]);
    }
    if !parameter.when.is_empty() || parameter.default.is_some() {
        problems.report(&[
            "has ",
            name,
            " in its path, which may be hidden, or taken from a default",
        ]);
    }
}

/// The name of a parameter that takes several segments of the path.
const fn without_plus(name: &str) -> &str {
    match name.as_bytes() {
        [before @ .., b'+'] => name.split_at(before.len()).0,
        _ => name,
    }
}

/// Whether the path names it.
const fn is_in_path(operation: &Operation, name: &str) -> bool {
    let path = operation.request.path;
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{'
            && let Some(known) = until(path, at + 1, b'}')
            && eq(without_plus(known), name)
        {
            return true;
        }
        at += 1;
    }
    false
}

const fn has_query(operation: &Operation) -> bool {
    matches!(
        operation.request.method,
        Method::Get | Method::Head | Method::Delete
    )
}

/// Where it goes.
const fn place(operation: &Operation, parameter: &Parameter) -> Place {
    match parameter.place.id {
        Place::Auto if is_in_path(operation, parameter.name) => Place::Path,
        Place::Auto if has_query(operation) => Place::Query,
        Place::Auto => Place::Body,
        place => place,
    }
}

const fn wire(parameter: &Parameter) -> &'static str {
    match parameter.wire {
        Some(wire) => wire,
        None => parameter.name,
    }
}

const fn placed(operation: &Operation, index: usize, problems: &mut Problems) {
    let parameter = &operation.parameters[index];
    let (name, own) = (parameter.name, place(operation, parameter));
    let mut other = 0;
    while other < operation.parameters.len() {
        let sibling = &operation.parameters[other];
        let place = place(operation, sibling);
        if other < index
            && !matches!(own, Place::Nowhere | Place::Path)
            && place as u8 == own as u8
            && eq(wire(sibling), wire(parameter))
            && sibling.when.is_empty()
            && parameter.when.is_empty()
        {
            problems.report(&["sends ", name, " by the wire name of another parameter"]);
        }
        if matches!(own, Place::WholeBody) && matches!(place, Place::Body) {
            problems.report(&["has ", name, " as the whole body, and ", sibling.name, " in it"]);
        }
        let both = matches!(own, Place::Body) && matches!(place, Place::Body);
        if other < index && both && matches!(operation.request.body.holds, Holds::One) {
            problems.report(&[
                "sends ",
                sibling.name,
                " and ",
                name,
                " in a body of a single value",
            ]);
        }
        other += 1;
    }
    let is_file = matches!(parameter.kind.id(), Id::File);
    if is_file
        && matches!(own, Place::Body)
        && !matches!(operation.request.body.holds, Holds::Parts | Holds::File)
    {
        problems.report(&[
            "has the file ",
            name,
            " in a body that holds none: multipart() and file() do",
        ]);
    }
    if !is_file && matches!(own, Place::Body) && matches!(operation.request.body.holds, Holds::File) {
        problems.report(&["has ", name, " in a body that is a file"]);
    }
    if is_file && !matches!(own, Place::Body | Place::Nowhere) {
        problems.report(&["has the file ", name, " outside of a body"]);
    }
    if matches!(own, Place::Spread) && !matches!(parameter.kind.id(), Id::Group) {
        problems.report(&["spreads ", name, ", which is no group"]);
    }
    let is_nested = matches!(parameter.kind.id(), Id::Rows | Id::Group | Id::Columns);
    if is_nested && matches!(own, Place::Query | Place::Header | Place::Path) {
        problems.report(&["has ", name, ", which holds other values, outside of a body"]);
    }
    if matches!(operation.request.method, Method::Get | Method::Head)
        && matches!(own, Place::Body | Place::WholeBody)
    {
        problems.report(&["has ", name, " in a body, which a GET has not"]);
    }
    if matches!(own, Place::WholeBody) && !matches!(operation.request.body.holds, Holds::Json) {
        problems.report(&[
            "has ",
            name,
            " as the whole body, which is JSON, in one that is not",
        ]);
    }
    if matches!(own, Place::WholeBody) && !parameter.is_required {
        problems.report(&["has ", name, " as the whole body, which is not required"]);
    }
    if matches!(own, Place::Header) && !is_lower_case(wire(parameter)) {
        problems.report(&["has ", name, " as a header that is not in lower case"]);
    }
    if operation.request.is_update
        && matches!(own, Place::Body)
        && (parameter.is_required || parameter.default.is_some())
    {
        problems.report(&[
            "is an update that sends ",
            name,
            " although the caller did not set it",
        ]);
    }
}

const fn effect(operation: &Operation, problems: &mut Problems) {
    let method = operation.request.method;
    let is_read = matches!(operation.effect, Effect::Read);
    if matches!(method, Method::Get | Method::Head) && !is_read {
        problems.report(&["is a GET that does not read"]);
    }
    if matches!(method, Method::Put | Method::Patch | Method::Delete) && is_read {
        problems.report(&["reads by a method that changes things"]);
    }
    if matches!(method, Method::Connect | Method::Trace) {
        problems.report(&["has a method that no host sends"]);
    }
    let Effect::Keyed(key) = operation.effect else {
        return;
    };
    let (top, column) = match until(key, 0, b'.') {
        None => (key, None),
        Some(rows) => (rows, Some(key.split_at(rows.len() + 1).1)),
    };
    let parameter = match (find(operation.parameters, top), column) {
        (Some(rows), Some(column)) => match find(rows.kind.nested(), column) {
            Some(column) if rows.is_required => Some((column, rows)),
            _ => None,
        },
        (Some(parameter), None) => Some((parameter, parameter)),
        (None, _) => None,
    };
    match parameter {
        Some((_, top)) if matches!(top.place.id, Place::Nowhere) => {
            problems.report(&["is keyed by ", key, ", which is sent nowhere"]);
        }
        Some((key, _)) if key.is_required && key.default.is_none() && key.when.is_empty() => {}
        _ => problems.report(&[
            "is keyed by ",
            key,
            ", which is no parameter that the caller must set",
        ]),
    }
}

const fn output(operation: &Operation, problems: &mut Problems) {
    let output = &operation.output;
    let has_all = find(operation.parameters, RETURN_ALL_NAME).is_some();
    if output.is_pages() != has_all {
        problems.report(&["turns pages without returnAll, or has returnAll without pages"]);
    }
    if !output.is_pages() {
        return;
    }
    if let Some(limit) = find(operation.parameters, LIMIT_NAME)
        && !matches!(limit.kind.id(), Id::Integer)
    {
        problems.report(&["turns pages, and has a limit that is no whole number"]);
    }
    let mut needs = output.next.needs;
    let mut index = 0;
    while index < operation.parameters.len() {
        if let Some(fill) = operation.parameters[index].fill {
            if fill.id as u8 == needs[0] as u8 {
                needs[0] = FillId::Other;
            }
            if fill.id as u8 == needs[1] as u8 {
                needs[1] = FillId::Other;
            }
        }
        index += 1;
    }
    if !matches!(needs[0], FillId::Other) {
        problems.report(&["turns pages by a number or offset that no parameter has"]);
    }
    if !matches!(needs[1], FillId::Other) {
        problems.report(&["stops at a short page, and no parameter has a page's size"]);
    }
}
