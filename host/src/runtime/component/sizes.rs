//! The sizes of types, with everything that they refer to.
//!
//! A type refers to other types by their indices. If it refers twice to a type that refers twice to another one, and so
//! on, each level adds four bytes but doubles what a compiler or linker has to walk. So each type, and each use of one,
//! counts with everything that it leads to. Where the parts of an instance are not distinguished, each counts as the
//! largest of them.

use wasmtime_parser::{
    ComponentDefinedType, ComponentExternalKind, ComponentFuncType, ComponentTypeRef, ComponentValType,
    TypeBounds,
};

use super::cost::Counts;
use crate::error::Error;

/// The size of something with parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// The size with all parts.
    pub(super) total: u64,
    /// The size of the largest part; only for an instance, whose parts can be referred to.
    largest: u64,
    /// Whether it is an instance that has only types; the check of the contract needs this.
    pub(super) has_only_types: bool,
}

impl Size {
    /// The size of something whose parts cannot be referred to.
    pub(super) fn of(total: u64) -> Self {
        Self {
            total,
            largest: total,
            has_only_types: false,
        }
    }

    /// The size of an instance without parts.
    pub(super) fn empty() -> Self {
        Self {
            total: 1,
            largest: 1,
            has_only_types: true,
        }
    }

    /// Adds a part.
    fn add(&mut self, part: Size, is_type: bool) {
        self.total = self.total.saturating_add(part.total);
        self.largest = self.largest.max(part.total);
        self.has_only_types &= is_type;
    }
}

/// The index spaces of a component, or of a type that has parts.
#[derive(Debug)]
pub(super) struct Space {
    types: Vec<Size>,
    functions: Vec<Size>,
    instances: Vec<Size>,
    /// What an instance of it has: its exports, and for a type also its imports.
    pub(super) own: Size,
}

impl Default for Space {
    fn default() -> Self {
        Self {
            types: Vec::new(),
            functions: Vec::new(),
            instances: Vec::new(),
            own: Size::empty(),
        }
    }
}

/// Validation refuses a missing index later.
fn at(sizes: &[Size], index: u32) -> Size {
    sizes.get(index as usize).copied().unwrap_or(Size::of(1))
}

impl Space {
    pub(super) fn type_at(&self, index: u32) -> Size {
        at(&self.types, index)
    }

    /// Adds something to its index space.
    pub(super) fn define(
        &mut self,
        kind: ComponentExternalKind,
        size: Size,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        match kind {
            ComponentExternalKind::Type => self.types.push(size),
            ComponentExternalKind::Func => self.functions.push(size),
            ComponentExternalKind::Instance => self.instances.push(size),
            // These are refused, unless they are in a type that nothing uses.
            ComponentExternalKind::Module
            | ComponentExternalKind::Component
            | ComponentExternalKind::Value => {}
        }
        counts.shared.add(size.total)
    }

    /// Adds an export, or an import of a type, as a part of an instance.
    pub(super) fn part(&mut self, size: Size, is_type: bool) {
        self.own.add(size, is_type);
    }

    /// The size of the item with this index.
    pub(super) fn item(&self, kind: ComponentExternalKind, index: u32) -> Size {
        match kind {
            ComponentExternalKind::Type => at(&self.types, index),
            ComponentExternalKind::Func => at(&self.functions, index),
            ComponentExternalKind::Instance => at(&self.instances, index),
            _ => Size::of(1),
        }
    }

    /// The size of a part of an instance: the largest one's.
    pub(super) fn part_of(&self, instance: u32) -> Size {
        let of = at(&self.instances, instance);
        Size {
            total: of.largest,
            ..of
        }
    }

    /// The size of something with this type.
    pub(super) fn reference(&self, of: ComponentTypeRef) -> Size {
        match of {
            ComponentTypeRef::Func(index)
            | ComponentTypeRef::Instance(index)
            | ComponentTypeRef::Component(index)
            | ComponentTypeRef::Type(TypeBounds::Eq(index)) => at(&self.types, index),
            ComponentTypeRef::Value(of) => Size::of(self.value(of)),
            ComponentTypeRef::Module(_) | ComponentTypeRef::Type(TypeBounds::SubResource) => Size::of(1),
        }
    }

    fn value(&self, of: ComponentValType) -> u64 {
        match of {
            ComponentValType::Primitive(_) => 1,
            ComponentValType::Type(index) => at(&self.types, index).total,
        }
    }

    fn values(&self, of: impl IntoIterator<Item = ComponentValType>) -> Size {
        let parts = of.into_iter().map(|of| self.value(of));
        Size::of(parts.fold(1, u64::saturating_add))
    }

    pub(super) fn function(&self, of: &ComponentFuncType<'_>) -> Size {
        self.values(of.params.iter().map(|(_, of)| *of).chain(of.result))
    }

    pub(super) fn defined(&self, of: &ComponentDefinedType<'_>) -> Size {
        match of {
            ComponentDefinedType::Record(of) => self.values(of.iter().map(|(_, of)| *of)),
            ComponentDefinedType::Variant(of) => {
                let cases = Size::of(of.len() as u64).total;
                let values = self.values(of.iter().filter_map(|case| case.ty));
                Size::of(values.total.saturating_add(cases))
            }
            ComponentDefinedType::Tuple(of) => self.values(of.iter().copied()),
            ComponentDefinedType::List(of)
            | ComponentDefinedType::FixedLengthList(of, _)
            | ComponentDefinedType::Option(of) => self.values([*of]),
            ComponentDefinedType::Map(key, value) => self.values([*key, *value]),
            ComponentDefinedType::Result { ok, err } => self.values([*ok, *err].into_iter().flatten()),
            ComponentDefinedType::Future(of) | ComponentDefinedType::Stream(of) => self.values(*of),
            ComponentDefinedType::Flags(of) | ComponentDefinedType::Enum(of) => Size::of(of.len() as u64),
            ComponentDefinedType::Primitive(_)
            | ComponentDefinedType::Own(_)
            | ComponentDefinedType::Borrow(_) => Size::of(1),
        }
    }
}
