//! JSON objects that keep the order of their fields.

use std::ops;

use indexmap::{IndexMap, map};

use super::Json;

/// The fields of a JSON object, in order. If a name occurs several times, the last value counts, in the position of the
/// first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object(
    /// Boxed because the map is three times as large as any other JSON value.
    Box<IndexMap<String, Json>>,
);

impl Object {
    /// An empty object.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field and returns its previous value. A new field goes last.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Json>) -> Option<Json> {
        self.0.insert(name.into(), value.into())
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// The value of a field, for changing.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.0.get_mut(name)
    }

    /// Whether the field exists.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Removes a field; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.0.shift_remove(name)
    }

    /// The number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields, in order.
    #[must_use]
    pub fn iter(&self) -> map::Iter<'_, String, Json> {
        self.0.iter()
    }

    /// The fields, in order, with values for changing.
    pub fn iter_mut(&mut self) -> map::IterMut<'_, String, Json> {
        self.0.iter_mut()
    }

    /// The names, in order.
    #[must_use]
    pub fn keys(&self) -> map::Keys<'_, String, Json> {
        self.0.keys()
    }

    /// The values, in order.
    #[must_use]
    pub fn values(&self) -> map::Values<'_, String, Json> {
        self.0.values()
    }

    /// The values, in order, for changing.
    pub fn values_mut(&mut self) -> map::ValuesMut<'_, String, Json> {
        self.0.values_mut()
    }

    /// Sorts the fields by name.
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
