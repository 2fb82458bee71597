//! Goes through an item in the order of its form, and collects the problems and the IDs of its references.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::form::{Field, GroupForm, Known, RowsForm, Scope, Shape};
use super::given::Given;
use super::read::{JsonKind, each_member, elements, is_blank_text, is_empty, kind, member, string};
use super::reference::Read;
use super::scalar::{fits, is_choice};
use super::visible::{Level, Visible};
use super::words::{choice, expected, found, least_rows, shown};
use super::{ItemCheck, MAX_ITEM_PROBLEMS};
use crate::description::nearest;
use crate::failure::ParameterProblem;

/// A place in the item: a JSON pointer, written only if there is a problem.
#[derive(Clone, Copy)]
struct At<'p> {
    parent: Option<&'p At<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Item,
    Name(&'p str),
    Index(usize),
}

impl At<'_> {
    const ITEM: At<'static> = At {
        parent: None,
        step: Step::Item,
    };

    fn name<'p>(&'p self, name: &'p str) -> At<'p> {
        At {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    fn index(&self, index: usize) -> At<'_> {
        At {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// The JSON pointer (RFC 6901).
    fn pointer(&self) -> String {
        let mut pointer = self.parent.map(At::pointer).unwrap_or_default();
        match self.step {
            Step::Item => {}
            Step::Name(name) => {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
        }
        pointer
    }
}

pub(super) struct Walk<'c, 'w> {
    check: &'c ItemCheck,
    item: &'w str,
    /// The keys of the files that go with the item.
    files: &'w [&'w str],
    names_unknown: bool,
    pub(super) problems: Vec<ParameterProblem>,
    /// The JSON texts to put in, by where the old ones begin and end.
    edits: BTreeMap<usize, (usize, Cow<'w, str>)>,
    /// The row or value that is being checked, counted from one as people do.
    place: Option<(&'static str, usize)>,
    /// In a question, or inside of a parameter that may be hidden: references are read, and nothing is a problem.
    is_silent: bool,
    is_question: bool,
}

impl<'c, 'w> Walk<'c, 'w> {
    pub(super) fn new(
        check: &'c ItemCheck,
        item: &'w str,
        files: &'w [&'w str],
        names_unknown: bool,
    ) -> Self {
        Self {
            check,
            item,
            files,
            names_unknown,
            problems: Vec::new(),
            edits: BTreeMap::new(),
            place: None,
            is_silent: false,
            is_question: false,
        }
    }

    pub(super) fn of_question(check: &'c ItemCheck, filled_in: &'w str) -> Self {
        Self {
            is_silent: true,
            is_question: true,
            ..Self::new(check, filled_in, &[], false)
        }
    }

    pub(super) fn item(&mut self) {
        let check = self.check;
        self.scope(&check.form, self.item, &At::ITEM, &check.title, None);
    }

    /// The item with the IDs of its references.
    pub(super) fn resolved(self) -> Cow<'w, str> {
        if self.edits.is_empty() {
            return Cow::Borrowed(self.item);
        }
        let mut resolved = String::with_capacity(self.item.len());
        let mut copied = 0;
        for (begin, (end, id)) in self.edits {
            resolved.push_str(self.item.get(copied..begin).unwrap_or_default());
            resolved.push_str(&id);
            copied = end;
        }
        resolved.push_str(self.item.get(copied..).unwrap_or_default());
        Cow::Owned(resolved)
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_ITEM_PROBLEMS
    }

    fn problem(&mut self, at: &At<'_>, label: &str, expected: &str, found: &str) {
        if self.is_silent || self.is_full() {
            return;
        }
        let place = self.place.map(|(what, number)| format!("{what} {number}: "));
        let place = place.unwrap_or_default();
        self.problems.push(ParameterProblem {
            pointer: at.pointer(),
            label: label.to_owned(),
            message: format!("{place}expected {expected}, found {found}"),
        });
    }

    /// One level of parameters: the item's own, a group's or a row's.
    fn scope(&mut self, scope: &'c Scope, text: &'w str, at: &At<'_>, title: &str, top: Option<Level<'_>>) {
        // The node refuses what is not JSON.
        let Some(given) = Given::read(scope, text) else {
            return;
        };
        let visible = Visible::new(scope, &given, top);
        let here = Level {
            scope,
            states: &visible.states,
        };
        let top = top.unwrap_or(here);
        for (index, field) in scope.fields.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let name = scope.names.get(field.name).map_or("", String::as_str);
            let raw = given.value(field);
            if visible.is_shown(index) {
                self.field(field, raw, &at.name(name), top);
            } else if raw.is_some() && scope.has_references && !has_shown_twin(scope, &visible, field) {
                let was_silent = std::mem::replace(&mut self.is_silent, true);
                self.field(field, raw, &at.name(name), top);
                self.is_silent = was_silent;
            }
        }
        if self.names_unknown && given.has_unknown_names {
            self.unknown_names(scope, text, at, title);
        }
    }

    fn field(&mut self, field: &'c Field, raw: Option<&'w str>, at: &At<'_>, top: Level<'_>) {
        match raw {
            Some(raw) if !is_blank(&field.shape, raw) => self.value(field, raw, at, top),
            raw => self.missing(field, raw, at),
        }
    }

    /// A blank may stand for the default, and may be a choice.
    fn missing(&mut self, field: &Field, raw: Option<&str>, at: &At<'_>) {
        let may_be_blank = match &field.shape {
            Shape::Choice(known) => raw.is_some_and(is_blank_text) && is_choice(known, "\"\""),
            _ => false,
        };
        if let (Shape::File, Some(default)) = (&field.shape, &field.default) {
            return self.file(field, default, at);
        }
        if field.is_required && field.default.is_none() && !may_be_blank {
            let found = raw.map_or_else(|| "nothing".to_owned(), found);
            self.problem(at, &field.label, &expected(&field.shape, raw), &found);
        }
    }

    fn wrong(&mut self, field: &Field, raw: &str, at: &At<'_>) {
        let found = match field.shape {
            Shape::Secret => "something else".to_owned(),
            _ => found(raw),
        };
        self.problem(at, &field.label, &expected(&field.shape, Some(raw)), &found);
    }

    /// The item has to have the file that a value names.
    fn file(&mut self, field: &Field, raw: &str, at: &At<'_>) {
        let key = string(raw);
        if key.as_deref().is_some_and(|key| self.files.contains(&key.trim())) {
            return;
        }
        let named: Vec<String> = self.files.iter().map(|key| format!("`{}`", shown(key))).collect();
        let has = if named.is_empty() {
            "which has none".to_owned()
        } else {
            format!("which has {}", named.join(", "))
        };
        self.problem(
            at,
            &field.label,
            &format!("the key of a file of the item, {has}"),
            &found(raw),
        );
    }

    fn value(&mut self, field: &'c Field, raw: &'w str, at: &At<'_>, top: Level<'_>) {
        match &field.shape {
            Shape::Reference(reference) => match reference.read(raw) {
                Read::Id(id) => self.edit(raw, id),
                Read::Nothing(none) => {
                    self.edit(raw, Cow::Borrowed(none));
                    self.missing(field, Some(raw), at);
                }
                Read::Fault if self.is_question => self.edit(raw, Cow::Borrowed("null")),
                Read::Fault => self.wrong(field, raw, at),
            },
            Shape::Group(group) => self.group(field, group, raw, at, top),
            Shape::Rows(rows) => self.rows(field, rows, raw, at, top),
            Shape::Values(each) => match elements(raw) {
                Some(elements) => self.values(each, elements, at, top),
                None => self.wrong(field, raw, at),
            },
            Shape::ChooseMany(known) => match elements(raw) {
                Some(elements) => self.chosen(field, known, elements, at),
                None => self.wrong(field, raw, at),
            },
            shape if !fits(shape, raw) => self.wrong(field, raw, at),
            Shape::File => self.file(field, raw, at),
            _ => {}
        }
    }

    fn edit(&mut self, old: &'w str, new: Cow<'w, str>) {
        let begin = old.as_ptr().addr().wrapping_sub(self.item.as_ptr().addr());
        if old == new || self.item.get(begin..begin.saturating_add(old.len())) != Some(old) {
            return;
        }
        if self.is_silent {
            self.edits.entry(begin).or_insert((begin + old.len(), new));
        } else {
            self.edits.insert(begin, (begin + old.len(), new));
        }
    }

    fn values(&mut self, each: &'c Field, elements: Vec<&'w str>, at: &At<'_>, top: Level<'_>) {
        let outside = self.place;
        for (index, element) in elements.into_iter().enumerate() {
            if self.is_full() {
                break;
            }
            self.place = Some(("value", index + 1));
            self.field(each, Some(element), &at.index(index), top);
        }
        self.place = outside;
    }

    fn chosen(&mut self, field: &Field, known: &Known, elements: Vec<&str>, at: &At<'_>) {
        let outside = self.place;
        for (index, element) in elements.into_iter().enumerate() {
            if self.is_full() {
                break;
            }
            self.place = Some(("value", index + 1));
            if !is_choice(known, element) {
                self.problem(&at.index(index), &field.label, &choice(known), &found(element));
            }
        }
        self.place = outside;
    }

    /// `{"range": { … }}`, or the fields themselves.
    fn group(&mut self, field: &'c Field, group: &'c GroupForm, raw: &'w str, at: &At<'_>, top: Level<'_>) {
        if kind(raw) != JsonKind::Object {
            return self.wrong(field, raw, at);
        }
        let Some(key) = &group.key else {
            return self.scope(&group.fields, raw, at, &field.label, Some(top));
        };
        let at_key = at.name(key);
        match member(raw, key) {
            None => self.missing(field, Some(raw), at),
            Some(inside) if kind(inside) == JsonKind::Null => self.missing(field, Some(raw), &at_key),
            Some(inside) if kind(inside) == JsonKind::Object => {
                self.only(key, raw, at);
                self.scope(&group.fields, inside, &at_key, &field.label, Some(top));
            }
            Some(inside) => {
                let expected = format!("an object of fields as `{key}`");
                self.problem(&at_key, &field.label, &expected, &found(inside));
            }
        }
    }

    /// `{"detail": [ … ]}` or the list itself; one row without a list is a list of one.
    fn rows(&mut self, field: &'c Field, rows: &'c RowsForm, raw: &'w str, at: &At<'_>, top: Level<'_>) {
        let Some(key) = &rows.key else {
            return match kind(raw) {
                JsonKind::List | JsonKind::Object => self.list(rows, raw, at, top),
                _ => self.wrong(field, raw, at),
            };
        };
        if kind(raw) != JsonKind::Object {
            return self.wrong(field, raw, at);
        }
        let at_key = at.name(key);
        match member(raw, key) {
            None => self.missing(field, Some(raw), at),
            Some(list) => {
                self.only(key, raw, at);
                match kind(list) {
                    JsonKind::Null if field.is_required => self.least(rows, &at_key, 0),
                    JsonKind::Null => {}
                    JsonKind::List | JsonKind::Object => self.list(rows, list, &at_key, top),
                    _ => {
                        let expected = format!("a list of rows as `{key}`");
                        self.problem(&at_key, &rows.label, &expected, &found(list));
                    }
                }
            }
        }
    }

    fn list(&mut self, rows: &'c RowsForm, raw: &'w str, at: &At<'_>, top: Level<'_>) {
        let elements = elements(raw);
        let is_list = elements.is_some();
        let elements = elements.unwrap_or_else(|| vec![raw]);
        self.least(rows, at, elements.len());
        if let Some(max) = rows.max.filter(|max| elements.len() > *max) {
            let expected = format!("at most {max} rows");
            self.problem(at, &rows.label, &expected, &elements.len().to_string());
        }
        let outside = self.place;
        for (index, row) in elements.into_iter().enumerate() {
            if self.is_full() {
                break;
            }
            self.place = Some(("row", index + 1));
            let at_row = at.index(index);
            let at = if is_list { &at_row } else { at };
            if kind(row) == JsonKind::Object {
                self.scope(&rows.columns, row, at, &rows.label, Some(top));
            } else {
                let of = rows.key.as_ref().map(|key| format!(" of `{key}`"));
                let expected = format!("an object as row{}", of.unwrap_or_default());
                self.problem(at, &rows.label, &expected, &found(row));
            }
        }
        self.place = outside;
    }

    fn least(&mut self, rows: &RowsForm, at: &At<'_>, count: usize) {
        if count >= rows.min {
            return;
        }
        let key = rows.key.as_ref().map(|key| format!(" as `{key}`"));
        let expected = format!("{}{}", least_rows(rows.min), key.unwrap_or_default());
        let found = if count == 0 {
            "none".to_owned()
        } else {
            count.to_string()
        };
        self.problem(at, &rows.label, &expected, &found);
    }

    /// Names what stands beside the key.
    fn only(&mut self, key: &str, raw: &str, at: &At<'_>) {
        if !self.names_unknown {
            return;
        }
        each_member(raw, |name, _| {
            if name != key {
                let (name, expected) = (shown(name), format!("`{key}` only"));
                self.problem(&at.name(&name), &name, &expected, &format!("`{name}`"));
            }
        });
    }

    fn unknown_names(&mut self, scope: &Scope, text: &str, at: &At<'_>, title: &str) {
        each_member(text, |name, _| {
            if self.is_full() || scope.by_name.contains_key(name) {
                return;
            }
            let hint = nearest(&shown(name), scope.names.iter().map(String::as_str));
            let hint = hint.map(|known| format!("; did you mean `{known}`?"));
            let found = format!("`{}`{}", shown(name), hint.unwrap_or_default());
            self.problem(
                &at.name(name),
                &shown(name),
                &format!("a parameter of {title}"),
                &found,
            );
        });
    }
}

/// Whether a sibling of the same name is shown, whose value it then is.
fn has_shown_twin(scope: &Scope, visible: &Visible<'_>, field: &Field) -> bool {
    let mut fields = scope.fields.iter().enumerate();
    fields.any(|(index, twin)| twin.name == field.name && visible.is_shown(index))
}

/// Whether a value says that there is none.
fn is_blank(shape: &Shape, raw: &str) -> bool {
    match kind(raw) {
        JsonKind::Null => true,
        JsonKind::Text => is_blank_text(raw),
        // What an engine stores before the first row or field is added.
        JsonKind::Object => match shape {
            Shape::Rows(_) | Shape::Group(GroupForm { key: Some(_), .. }) => is_empty(raw),
            _ => false,
        },
        JsonKind::List => match shape {
            Shape::Rows(rows) => (rows.key.is_some() || rows.min > 0) && is_empty(raw),
            _ => false,
        },
        JsonKind::Boolean | JsonKind::Number => false,
    }
}
