//! Objects in their order.

use std::ops;

use indexmap::{IndexMap, map};

use super::Json;

/// The fields of a JSON object, in their order; of several with one name the last one's value, in the first one's position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object(
    /// Boxed, since it is three times as large as any other value.
    Box<IndexMap<String, Json>>,
);

impl Object {
    /// Without any field.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field, at its end where it is new. Gives the value that it had.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Json>) -> Option<Json> {
        self.0.insert(name.into(), value.into())
    }

    /// A field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// A field, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.0.get_mut(name)
    }

    /// Whether there is such a field.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes a field away; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.0.shift_remove(name)
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields, in their order.
    #[must_use]
    pub fn iter(&self) -> map::Iter<'_, String, Json> {
        self.0.iter()
    }

    /// The fields, in their order, their values to be changed.
    pub fn iter_mut(&mut self) -> map::IterMut<'_, String, Json> {
        self.0.iter_mut()
    }

    /// The names, in their order.
    #[must_use]
    pub fn keys(&self) -> map::Keys<'_, String, Json> {
        self.0.keys()
    }

    /// The values, in their order.
    #[must_use]
    pub fn values(&self) -> map::Values<'_, String, Json> {
        self.0.values()
    }

    /// The values, in their order, to be changed.
    pub fn values_mut(&mut self) -> map::ValuesMut<'_, String, Json> {
        self.0.values_mut()
    }

    /// Sorts the fields by their names.
    pub fn sort(&mut self) {
        self.0.sort_unstable_keys();
    }
}

/// A field; `null` if it is absent.
impl ops::Index<&str> for Object {
    type Output = Json;

    fn index(&self, name: &str) -> &Json {
        self.get(name).unwrap_or(&Json::Null)
    }
}

impl<N: Into<String>> FromIterator<(N, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (N, Json)>>(fields: I) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value));
        Self(Box::new(fields.collect()))
    }
}

impl Extend<(String, Json)> for Object {
    fn extend<I: IntoIterator<Item = (String, Json)>>(&mut self, fields: I) {
        self.0.extend(fields);
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = map::IntoIter<String, Json>;

    fn into_iter(self) -> Self::IntoIter {
        (*self.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a mut Object {
    type Item = (&'a String, &'a mut Json);
    type IntoIter = map::IterMut<'a, String, Json>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a String, &'a Json);
    type IntoIter = map::Iter<'a, String, Json>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
