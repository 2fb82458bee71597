//! Checks how parameters refer to each other, and whether the result can be drawn.

use std::collections::{HashMap, HashSet};

use super::bounds::MAX_NESTING;
use super::check::{Problems, credential_at, operation_at, parameter_at};
use super::names::SameNames;
use super::text::quoted;
use super::value::{Values, is_comparable, is_single};
use super::{Condition, Effect, Holds, Kind, Node, Operation, Parameter, access, nesting};

/// Workflows store the selected operation under these names, beside its parameters.
const RESERVED: [&str; 2] = ["resource", "operation"];

pub(super) type ById<'a> = HashMap<&'a str, &'a Parameter>;

pub(super) fn check(node: &Node, problems: &mut Problems) {
    groups(node, problems);
    let by_id = by_id(node, problems);
    lists(node, &by_id, problems);
    let sound = nesting::check(node, &by_id, problems);
    unused(node, &by_id, problems);
    if sound {
        let mut names = SameNames::new(&by_id);
        for (at, ids) in all_lists(node) {
            names.check(&at, ids, problems);
        }
    }
    dependencies(node, &by_id, problems);
    single_values(node, &by_id, problems);
    for operation in &node.operations {
        let at = operation_at(operation);
        for parameter in operation
            .parameters
            .iter()
            .filter_map(|id| by_id.get(id.as_str()))
        {
            if RESERVED.contains(&parameter.name.as_str()) {
                let message = format!(
                    "{} is where workflows store the operation",
                    quoted(&parameter.name)
                );
                problems.add(format!("{}, name", parameter_at(parameter)), message);
            }
        }
        path_parameters(operation, &by_id, problems);
        // Nested parameters are walked as they are drawn, which would not terminate for a parameter that contains
        // itself.
        if sound {
            let top = set(&operation.parameters);
            conditions(&operation.parameters, &top, &by_id, MAX_NESTING, problems);
        }
        if let Effect::Keyed(id) = &operation.effect
            && sound
            && !inside(&operation.parameters, &by_id).contains(id.as_str())
        {
            problems.add(
                format!("{at}, effect"),
                format!("{} is none of its parameters", quoted(id)),
            );
        }
    }
    access::check(node, &by_id, problems);
    values(node, &by_id, sound, problems);
}

/// The path names the thing that an item changes, so its parameters have to be in the item.
fn path_parameters(operation: &Operation, by_id: &ById<'_>, problems: &mut Problems) {
    let Some(request) = &operation.request else { return };
    for name in request.path().parameters() {
        let parameter = operation
            .parameters
            .iter()
            .filter_map(|id| by_id.get(id.as_str()))
            .find(|parameter| parameter.name == name);
        let message = match parameter {
            None => format!("{} is none of its parameters", quoted(name)),
            Some(parameter)
                if !parameter.required
                    || parameter.default.is_some()
                    || !parameter.visible_when.is_empty()
                    || !is_single(&parameter.kind) =>
            {
                format!(
                    "expected {} to be a required single value without conditions and without a default",
                    quoted(name)
                )
            }
            Some(_) => continue,
        };
        problems.add(format!("{}, request", operation_at(operation)), message);
    }
}

/// Checks that the values of conditions and defaults fit their kinds, each value once, regardless of how many forms
/// contain its parameter.
fn values(node: &Node, by_id: &ById<'_>, sound: bool, problems: &mut Problems) {
    let values = Values::new(by_id);
    for parameter in &node.parameters {
        for condition in &parameter.visible_when {
            let subject = by_id.get(condition.parameter.as_str());
            let subject = subject.filter(|subject| is_comparable(&subject.kind));
            let faults = condition
                .holds
                .values()
                .iter()
                .filter_map(|value| values.scalar_fault(subject?, value));
            faults.for_each(|message| problems.add(condition_at(parameter, condition), message));
        }
        if !sound {
            continue;
        }
        let default = parameter.default.as_ref();
        if let Some(message) = default.and_then(|value| values.default_fault(parameter, value)) {
            problems.add(format!("{}, default", parameter_at(parameter)), message);
        }
    }
}

fn condition_at(parameter: &Parameter, condition: &Condition) -> String {
    format!(
        "{}, condition on {}",
        parameter_at(parameter),
        quoted(&condition.parameter)
    )
}

fn set(ids: &[String]) -> HashSet<&str> {
    ids.iter().map(String::as_str).collect()
}

fn groups(node: &Node, problems: &mut Problems) {
    let mut names = HashSet::new();
    for group in &node.resources {
        if !names.insert(group.name.as_str()) {
            problems.add(format!("group {}", quoted(&group.name)), "is there twice");
        }
    }
    let mut operations = HashSet::new();
    for operation in &node.operations {
        if !names.contains(operation.group.as_str()) {
            problems.add(
                operation_at(operation),
                format!("unknown group {}", quoted(&operation.group)),
            );
        }
        if !operations.insert((operation.group.as_str(), operation.name.as_str())) {
            problems.add(operation_at(operation), "is there twice");
        }
    }
    let used: HashSet<&str> = node
        .operations
        .iter()
        .map(|operation| operation.group.as_str())
        .collect();
    for group in node
        .resources
        .iter()
        .filter(|group| !used.contains(group.name.as_str()))
    {
        problems.add(format!("group {}", quoted(&group.name)), "has no operation");
    }
}

fn by_id<'a>(node: &'a Node, problems: &mut Problems) -> ById<'a> {
    let mut by_id = HashMap::new();
    for parameter in &node.parameters {
        if by_id.insert(parameter.id.as_str(), parameter).is_some() {
            problems.add(parameter_at(parameter), "the ID is there twice");
        }
    }
    by_id
}

/// Every list of IDs, with its location.
fn all_lists(node: &Node) -> impl Iterator<Item = (String, &[String])> {
    let operations = node
        .operations
        .iter()
        .map(|operation| (operation_at(operation), operation.parameters.as_slice()));
    let nested = node
        .parameters
        .iter()
        .filter(|parameter| matches!(parameter.kind, Kind::Group(_) | Kind::Rows(_) | Kind::Values(_)))
        .map(|parameter| (parameter_at(parameter), parameter.kind.children()));
    let credentials = node
        .credentials
        .iter()
        .map(|credential| (credential_at(credential), credential.fields.as_slice()));
    credentials.chain(operations).chain(nested)
}

/// Checks that each ID of a list is known and occurs once.
fn lists(node: &Node, by_id: &ById<'_>, problems: &mut Problems) {
    for (at, ids) in all_lists(node) {
        let mut seen = HashSet::new();
        for id in ids {
            match by_id.get(id.as_str()) {
                None => problems.add(&at, format!("unknown parameter {}", quoted(id))),
                Some(_) if !seen.insert(id.as_str()) => {
                    problems.add(&at, format!("the parameter {} is there twice", quoted(id)));
                }
                Some(_) => {}
            }
        }
    }
}

fn unused(node: &Node, by_id: &ById<'_>, problems: &mut Problems) {
    let used: HashSet<&str> = all_lists(node)
        .flat_map(|(_, ids)| ids)
        .map(String::as_str)
        .collect();
    for parameter in node
        .parameters
        .iter()
        .filter(|parameter| by_id.contains_key(parameter.id.as_str()))
    {
        if !used.contains(parameter.id.as_str()) {
            problems.add(
                parameter_at(parameter),
                "belongs to no operation, group, rows or credential",
            );
        }
    }
}

/// Checks that neither a parameter's visibility nor its choices depend on themselves.
fn dependencies(node: &Node, by_id: &ById<'_>, problems: &mut Problems) {
    let conditions = circles(by_id, |parameter| {
        let subjects = parameter.visible_when.iter();
        subjects.map(|condition| condition.parameter.as_str()).collect()
    });
    let choices = circles(by_id, |parameter| {
        let dynamic = parameter.kind.dynamic().into_iter();
        dynamic
            .flat_map(|it| &it.depends_on)
            .map(String::as_str)
            .collect()
    });
    for parameter in &node.parameters {
        if conditions.contains(parameter.id.as_str()) {
            problems.add(parameter_at(parameter), "its conditions lead back to itself");
        }
        if choices.contains(parameter.id.as_str()) {
            problems.add(
                parameter_at(parameter),
                "what its values depend on leads back to itself",
            );
        }
    }
}

/// The parameters that depend on themselves. It repeatedly removes parameters that depend on nothing; what remains is in
/// a circle or depends on one.
fn circles<'a>(by_id: &ById<'a>, subjects: impl Fn(&'a Parameter) -> Vec<&'a str>) -> HashSet<&'a str> {
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    let mut dependants: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut free: Vec<&str> = Vec::new();
    for (id, parameter) in by_id {
        let mut known = subjects(parameter);
        known.retain(|id| by_id.contains_key(id));
        if known.is_empty() {
            free.push(id);
        } else {
            waiting.insert(id, known.len());
        }
        for subject in known {
            dependants.entry(subject).or_default().push(id);
        }
    }
    while let Some(id) = free.pop() {
        for dependant in dependants.remove(id).unwrap_or_default() {
            if let Some(count) = waiting.get_mut(dependant) {
                *count -= 1;
                if *count == 0 {
                    waiting.remove(dependant);
                    free.push(dependant);
                }
            }
        }
    }
    waiting.into_keys().collect()
}

/// Checks what the elements of a list of single values are.
fn single_values(node: &Node, by_id: &ById<'_>, problems: &mut Problems) {
    for parameter in &node.parameters {
        let Kind::Values(each) = &parameter.kind else {
            continue;
        };
        let Some(each) = by_id.get(each.as_str()) else {
            continue;
        };
        let at = format!("{}, values", parameter_at(parameter));
        if !is_single(&each.kind) && each.kind != Kind::AnyJson {
            let message = format!("the kind `{}` is not for single values", each.kind.name());
            problems.add(&at, message);
        }
        if each.required || !each.visible_when.is_empty() {
            let each = quoted(&each.id);
            problems.add(
                at,
                format!("expected {each} to be neither required nor to have conditions"),
            );
        }
    }
}

/// Checks the conditions of a list and of everything inside. A condition may refer to a sibling or to a parameter of
/// the operation itself, because every engine supports these two.
pub(super) fn conditions(
    ids: &[String],
    top: &HashSet<&str>,
    by_id: &ById<'_>,
    levels: usize,
    problems: &mut Problems,
) {
    let Some(levels) = levels.checked_sub(1) else {
        return;
    };
    let here = set(ids);
    let is_seen = |id: &str| here.contains(id) || top.contains(id);
    for parameter in ids.iter().filter_map(|id| by_id.get(id.as_str())) {
        for condition in &parameter.visible_when {
            let id = condition.parameter.as_str();
            let message = match by_id.get(id) {
                None => "unknown parameter".to_owned(),
                Some(_) if !is_seen(id) => {
                    "expected a parameter of the same list or of the operation itself".to_owned()
                }
                Some(subject) if condition.holds == Holds::Set => {
                    if !matches!(subject.kind, Kind::Notice | Kind::Secret) {
                        continue;
                    }
                    format!(
                        "a form cannot tell whether the kind `{}` has a value",
                        subject.kind.name()
                    )
                }
                Some(subject) if !is_comparable(&subject.kind) => {
                    format!("a value of the kind `{}` cannot be compared", subject.kind.name())
                }
                Some(_) => continue,
            };
            problems.add(condition_at(parameter, condition), message);
        }
        depends_on(parameter, is_seen, by_id, problems);
        conditions(parameter.kind.children(), top, by_id, levels, problems);
    }
}

/// Checks what the values of a parameter depend on, which it has to see as a condition sees its subject.
fn depends_on(
    parameter: &Parameter,
    is_seen: impl Fn(&str) -> bool,
    by_id: &ById<'_>,
    problems: &mut Problems,
) {
    let Some(dynamic) = parameter.kind.dynamic() else {
        return;
    };
    let mut seen = HashSet::new();
    for id in &dynamic.depends_on {
        let message = match by_id.get(id.as_str()) {
            None => "unknown parameter".to_owned(),
            Some(_) if !is_seen(id) => {
                "expected a parameter of the same list or of the operation itself".to_owned()
            }
            Some(it) if matches!(it.kind, Kind::Notice | Kind::Secret) => {
                format!("the kind `{}` cannot be told to the service", it.kind.name())
            }
            Some(_) if !seen.insert(id) => "is there twice".to_owned(),
            Some(_) => continue,
        };
        let at = format!("{}, depends on {}", parameter_at(parameter), quoted(id));
        problems.add(at, message);
    }
}

/// The IDs of a list and of everything inside, each once.
fn inside<'a>(ids: &'a [String], by_id: &ById<'a>) -> HashSet<&'a str> {
    let mut all = HashSet::new();
    let mut open: Vec<&str> = ids.iter().map(String::as_str).collect();
    while let Some(id) = open.pop() {
        if all.insert(id) {
            open.extend(
                by_id
                    .get(id)
                    .into_iter()
                    .flat_map(|it| it.kind.children())
                    .map(String::as_str),
            );
        }
    }
    all
}
