//! From checked values to the request.

use super::parameter::Filling;
use super::place::Draft;
use super::plan::Plan;
use super::value::{Field, Value, find};
use crate::http::Request;
use crate::percent;

/// The request for an operation.
pub(crate) fn request(plan: &Plan, fields: &[Field], filling: &Filling) -> Request {
    let endpoint = &plan.operation.request;
    let mut draft = Draft::new(endpoint.body);
    // They stand in the parameters' order.
    let mut fields_left = fields.iter().peekable();
    for (parameter, place) in plan.operation.parameters.iter().zip(&plan.places) {
        let given = fields_left
            .next_if(|field| std::ptr::eq(field.parameter, parameter))
            .map(|field| &field.value);
        let filled = match (given, parameter.fill) {
            (None, Some(fill)) => (fill.value)(parameter, filling).map(Value::literal),
            _ => None,
        };
        match (place.spread, given) {
            (Some(spread), Some(group)) => spread(&mut draft, plan.auto, parameter, group),
            _ => (place.put)(&mut draft, parameter.wire_name(), given.or(filled.as_ref())),
        }
    }
    let page = filling.page;
    if let Some((name, value)) = page.and_then(|page| page.extra.as_ref()) {
        (plan.auto.put)(&mut draft, name, Some(value));
    }
    let target = match page.and_then(|page| page.target.as_ref()) {
        Some(target) => target.clone(),
        None => below_base(plan, fields, &draft.query),
    };
    #[cfg(feature = "files")]
    find_files(&mut draft, filling);
    draft.finish.unwrap_or(draft.form.finish)(&mut draft);
    Request {
        #[cfg(feature = "origins")]
        usual: endpoint.headers,
        content_type: draft.body.as_ref().and(endpoint.body.content_type),
        headers: draft.headers,
        body: draft.body.map(String::into_bytes),
        #[cfg(feature = "files")]
        parts: draft.parts,
        ..Request::new(endpoint.method, target)
    }
}

#[cfg(feature = "files")]
fn find_files(draft: &mut Draft, filling: &Filling) {
    if draft.files.is_empty() {
        return;
    }
    // A file may hold any boundary that can be guessed, and would add a part.
    draft.boundary = Some(filling.requests.random());
    let files = filling.requests.files.of_item.borrow();
    for placed in &mut draft.files {
        let mut files = (0..).zip(files.iter());
        let found = files.find(|(_, file)| file.key == placed.key);
        placed.found = found.map(|(index, about)| crate::file::ItemFile {
            index,
            about: about.clone(),
        });
    }
}

fn below_base(plan: &Plan, fields: &[Field], query: &str) -> String {
    let mut target = String::with_capacity(percent::ROOM);
    for (before, parameter, encode) in &plan.path {
        target.push_str(before);
        if let Some(value) = find(fields, parameter.name) {
            encode(&mut target, value.plain());
        }
    }
    target.push_str(plan.end_of_path);
    if !query.is_empty() {
        target.push(if plan.end_of_path.contains('?') { '&' } else { '?' });
        target.push_str(query);
    }
    target
}
