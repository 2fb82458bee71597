//! Conditions as n8n's `displayOptions`.
//!
//! All names under `show` must match, and none under `hide` may. The values of one name are alternatives, so two
//! conditions on one name become the intersection of their values under `show`, and their union under `hide`.

use nodule::description::{Holds, Kind, Parameter};
use nodule::json;
use nodule::json::{Json, Object};

use super::form::Form;
use super::values::literal;

/// The two parts of `displayOptions`.
pub struct Display {
    pub show: Object,
    pub hide: Object,
}

impl Display {
    /// Adds the options to a property, unless it is always shown.
    pub fn add_to(self, property: &mut Object) {
        let mut options = Object::new();
        for (name, conditions) in [("show", self.show), ("hide", self.hide)] {
            if !conditions.is_empty() {
                options.insert(name, Json::Object(conditions));
            }
        }
        if !options.is_empty() {
            property.insert("displayOptions", Json::Object(options));
        }
    }
}

/// What several conditions say about one parameter.
struct About {
    key: String,
    one_of: Option<Vec<Json>>,
    none_of: Vec<Json>,
    is_set: bool,
    /// Whether n8n stores an object of it, which is empty where there is no value.
    is_object: bool,
}

impl About {
    fn add(&mut self, holds: &Holds) {
        match holds {
            Holds::OneOf(values) => {
                let values = values.iter().map(literal);
                self.one_of = Some(match &self.one_of {
                    None => values.collect(),
                    Some(earlier) => values.filter(|value| earlier.contains(value)).collect(),
                });
            }
            Holds::NoneOf(values) => {
                for value in values.iter().map(literal) {
                    if !self.none_of.contains(&value) {
                        self.none_of.push(value);
                    }
                }
            }
            Holds::Set => self.is_set = true,
        }
    }

    fn show(&self) -> Option<Vec<Json>> {
        match (&self.one_of, self.is_set) {
            (None, false) => None,
            (None, true) if self.is_object => Some(vec![json!({"_cnd": {"not": {}}})]),
            (None, true) => Some(vec![json!({"_cnd": {"exists": true}})]),
            (Some(values), is_set) => {
                let values = values.iter().filter(|value| !is_set || **value != json!(""));
                Some(values.cloned().collect())
            }
        }
    }
}

impl Form<'_> {
    /// The conditions of a parameter. Names are relative to its position, or to the whole form with a leading `/`.
    pub fn display(&self, parameter: &Parameter, depth: usize) -> Display {
        let mut abouts: Vec<About> = Vec::new();
        for condition in &parameter.visible_when {
            let Some(subject) = self.node.parameter(&condition.parameter) else {
                continue;
            };
            let key = if depth > 0 && self.top.contains(&condition.parameter) {
                format!("/{}", subject.name)
            } else {
                subject.name.clone()
            };
            if let Some(about) = abouts.iter_mut().find(|about| about.key == key) {
                about.add(&condition.holds);
            } else {
                let mut about = About {
                    key,
                    one_of: None,
                    none_of: Vec::new(),
                    is_set: false,
                    is_object: matches!(subject.kind, Kind::Group(_) | Kind::Rows(_)),
                };
                about.add(&condition.holds);
                abouts.push(about);
            }
        }
        let mut display = Display {
            show: Object::new(),
            hide: Object::new(),
        };
        for about in abouts {
            if let Some(values) = about.show() {
                display.show.insert(about.key.clone(), Json::Array(values));
            }
            if !about.none_of.is_empty() {
                display.hide.insert(about.key, Json::Array(about.none_of));
            }
        }
        display
    }
}
