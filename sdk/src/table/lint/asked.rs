//! What a form asks the service.

use super::scope::find;
use super::text::{Problems, eq};
use crate::http::Method;
use crate::table::asked::{Asked, Search};
use crate::table::parameter::Parameter;

/// Whether something is asked for; `form` are the parameters that can be filled in beside it.
pub(super) const fn lint(form: &[Parameter], parameters: &[Parameter], problems: &mut Problems) -> bool {
    let (mut index, mut asks) = (0, false);
    while index < parameters.len() {
        let parameter = &parameters[index];
        if let Some(asked) = parameter.kind.asked() {
            asks = true;
            one(asked, parameter.name, form, problems);
        }
        let nested = parameter.kind.nested();
        asks |= lint(nested, nested, problems);
        index += 1;
    }
    asks
}

const fn one(asked: &Asked, name: &str, form: &[Parameter], problems: &mut Problems) {
    let list = &asked.list;
    if !matches!(list.request.method, Method::Get | Method::Head) {
        problems.report(&["asks for ", name, " by another method than GET and HEAD"]);
    }
    if !list.output.is_pages() {
        problems.report(&["asks for ", name, " with an operation that has no rows"]);
    }
    if let Some(look_up) = &asked.look_up {
        if !matches!(look_up.of.request.method, Method::Get | Method::Head) {
            problems.report(&["looks up ", name, " by another method than GET and HEAD"]);
        }
        let mut others = 1;
        while others < look_up.of.parameters.len() {
            let other = &look_up.of.parameters[others];
            if other.is_required {
                problems.report(&["looks up ", name, " with ", other.name, ", which nobody fills in"]);
            }
            others += 1;
        }
        if look_up.of.parameters.is_empty() {
            problems.report(&["looks up ", name, " with an operation that takes no value"]);
        }
    }
    if let Search::Service(search) = asked.search
        && find(list.parameters, search).is_none()
    {
        problems.report(&[
            "searches for ",
            name,
            " by ",
            search,
            ", which its list does not have",
        ]);
    }
    let mut index = 0;
    while index < list.parameters.len() {
        let needed = &list.parameters[index];
        let is_search = matches!(asked.search, Search::Service(search) if eq(search, needed.name));
        if needed.is_required && !is_search && needed.fill.is_none() && find(form, needed.name).is_none() {
            problems.report(&[
                "asks for ",
                name,
                " with ",
                needed.name,
                ", which the form does not have",
            ]);
        }
        index += 1;
    }
}
