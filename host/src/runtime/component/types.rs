//! The types of a component: their nesting, the number of their parts, and their names.
//!
//! This module reads types itself, because the parser's reader recurses for each level of a type: at three bytes per
//! level, a component could overflow the process's stack.

use wasmtime_parser::{
    BinaryReader, ComponentAlias, ComponentDefinedType, ComponentExternName, ComponentExternalKind,
    ComponentImport, ComponentOuterAliasKind, ComponentType, ComponentTypeRef, CoreType,
    ModuleTypeDeclaration, TypeBounds,
};

use super::cost::{self, Counts};
use super::sizes::{Size, Space};
use super::{malformed, names};
use crate::error::Error;

/// The maximum size of a section of types, which is read in one piece.
const TYPE_SECTION_BYTES: usize = 4 * 1024 * 1024;

const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;

/// The state of reading types, and what they may refer to.
struct Within<'a> {
    /// The component that contains the types.
    component: &'a mut Space,
    /// The enclosing components, by the number of levels up.
    outer: &'a dyn Fn(usize) -> Option<&'a Space>,
    counts: &'a mut Counts,
    /// The types with parts that are being read, outermost first.
    spaces: Vec<Space>,
}

/// Reads a section of types.
pub(super) fn section<'a>(
    reader: &mut BinaryReader<'_>,
    component: &'a mut Space,
    outer: &'a dyn Fn(usize) -> Option<&'a Space>,
    counts: &'a mut Counts,
) -> Result<(), Error> {
    let mut within = Within {
        component,
        outer,
        counts,
        spaces: Vec::new(),
    };
    let count = reader.read_var_u32().map_err(malformed)?;
    for _ in 0..count {
        within.define(reader)?;
    }
    Ok(())
}

/// Refuses a section that is too large to be read in one piece.
pub(super) fn sized(bytes: usize) -> Result<(), Error> {
    cost::within(
        bytes as u64,
        TYPE_SECTION_BYTES as u64,
        "bytes of one section of types",
    )
}

impl Within<'_> {
    /// The innermost space.
    fn space(&mut self) -> &mut Space {
        self.spaces.last_mut().unwrap_or(self.component)
    }

    /// Reads a type, and gives it an index.
    fn define(&mut self, reader: &mut BinaryReader<'_>) -> Result<(), Error> {
        let size = self.read(reader)?;
        self.number(ComponentExternalKind::Type, size)
    }

    fn number(&mut self, kind: ComponentExternalKind, size: Size) -> Result<(), Error> {
        let space = self.spaces.last_mut().unwrap_or(self.component);
        space.define(kind, size, self.counts)
    }

    fn read(&mut self, reader: &mut BinaryReader<'_>) -> Result<Size, Error> {
        cost::within(self.spaces.len() as u64, cost::NESTING as u64, "levels of types")?;
        self.counts.types.add(1)?;
        let at = reader.original_position();
        let mut ahead = reader.clone();
        let byte = ahead.read_u8().map_err(malformed)?;
        if !matches!(byte, COMPONENT | INSTANCE) {
            // The parser does not recurse for any of these.
            return self.plain(&reader.read().map_err(malformed)?, at);
        }
        *reader = ahead;
        let count = reader.read_var_u32().map_err(malformed)?;
        self.spaces.push(Space::default());
        for _ in 0..count {
            self.declaration(reader, byte)?;
        }
        let mut size = self.spaces.pop().map_or(Size::of(1), |space| space.own);
        size.has_only_types &= byte == INSTANCE;
        Ok(size)
    }

    /// Reads one declaration in a type.
    fn declaration(&mut self, reader: &mut BinaryReader<'_>, of: u8) -> Result<(), Error> {
        self.counts.items.add(1)?;
        let at = reader.original_position();
        match reader.read_u8().map_err(malformed)? {
            0x00 => core(&reader.read().map_err(malformed)?, at, self.counts),
            0x01 => self.define(reader),
            0x02 => self.alias(&reader.read().map_err(malformed)?, at),
            0x03 if of == COMPONENT => {
                let import: ComponentImport<'_> = reader.read().map_err(malformed)?;
                extern_name(&import.name, "an import of a type", at)?;
                self.part(import.ty)
            }
            0x04 => {
                let name: ComponentExternName<'_> = reader.read().map_err(malformed)?;
                extern_name(&name, "an export of a type", at)?;
                let of = reader.read().map_err(malformed)?;
                self.part(of)
            }
            other => Err(Error::NotAComponent {
                found: format!("an unknown declaration {other:#x} at byte {at}"),
            }),
        }
    }

    /// Counts a part of the type's instances.
    fn part(&mut self, of: ComponentTypeRef) -> Result<(), Error> {
        let size = self.space().reference(of);
        // A resource has functions, at least the one that drops it.
        let is_type = matches!(of, ComponentTypeRef::Type(TypeBounds::Eq(_)));
        self.space().part(size, is_type);
        self.number(of.kind(), size)
    }

    fn alias(&mut self, of: &ComponentAlias<'_>, at: usize) -> Result<(), Error> {
        alias(of, at)?;
        match *of {
            ComponentAlias::InstanceExport {
                kind, instance_index, ..
            } => {
                let size = self.space().part_of(instance_index);
                self.number(kind, size)
            }
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::Type,
                count,
                index,
            } => {
                let count = count as usize;
                let size = match self.spaces.iter().rev().nth(count) {
                    Some(space) => space.type_at(index),
                    None => match count.saturating_sub(self.spaces.len()) {
                        0 => self.component.type_at(index),
                        up => (self.outer)(up).map_or(Size::of(1), |space| space.type_at(index)),
                    },
                };
                self.number(ComponentExternalKind::Type, size)
            }
            ComponentAlias::CoreInstanceExport { .. } | ComponentAlias::Outer { .. } => Ok(()),
        }
    }

    fn plain(&mut self, of: &ComponentType<'_>, at: usize) -> Result<Size, Error> {
        let counts = &mut *self.counts;
        match of {
            ComponentType::Defined(of) => {
                defined(of, at, counts)?;
                Ok(self.space().defined(of))
            }
            ComponentType::Func(of) => {
                fields("a parameter", of.params.iter().map(|(name, _)| *name), at, counts)?;
                Ok(self.space().function(of))
            }
            // `read` handles components and instances, since they nest.
            ComponentType::Component(_) | ComponentType::Instance(_) | ComponentType::Resource { .. } => {
                Ok(Size::of(1))
            }
        }
    }
}

/// Counts the parts of a core type, and checks their names.
pub(super) fn core(of: &CoreType<'_>, at: usize, counts: &mut Counts) -> Result<(), Error> {
    match of {
        CoreType::Rec(group) => counts.types.add(group.types().len() as u64),
        CoreType::Module(declarations) => {
            counts.items.add(declarations.len() as u64)?;
            for declaration in declarations {
                match declaration {
                    ModuleTypeDeclaration::Type(group) => counts.types.add(group.types().len() as u64)?,
                    ModuleTypeDeclaration::Export { name, .. } => {
                        names::linked(name, "an export of a type", at)?;
                    }
                    ModuleTypeDeclaration::OuterAlias { .. } => {}
                    ModuleTypeDeclaration::Import(import) => {
                        names::linked(import.module, "an import of a type", at)?;
                        names::linked(import.name, "an import of a type", at)?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// Checks the name of an import or export.
pub(super) fn extern_name(
    name: &ComponentExternName<'_>,
    place: &'static str,
    at: usize,
) -> Result<(), Error> {
    let ComponentExternName {
        name,
        implements,
        version_suffix,
        external_id,
    } = name;
    for name in [Some(*name), *implements, *version_suffix, *external_id]
        .into_iter()
        .flatten()
    {
        names::linked(name, place, at)?;
    }
    Ok(())
}

pub(super) fn alias(alias: &ComponentAlias<'_>, at: usize) -> Result<(), Error> {
    match alias {
        ComponentAlias::InstanceExport { name, .. } | ComponentAlias::CoreInstanceExport { name, .. } => {
            names::linked(name, "an alias", at)
        }
        ComponentAlias::Outer { .. } => Ok(()),
    }
}

fn defined(of: &ComponentDefinedType<'_>, at: usize, counts: &mut Counts) -> Result<(), Error> {
    match of {
        ComponentDefinedType::Record(of) => fields("a field", of.iter().map(|(name, _)| *name), at, counts),
        ComponentDefinedType::Variant(of) => fields("a case", of.iter().map(|case| case.name), at, counts),
        ComponentDefinedType::Flags(of) => fields("a flag", of.iter().copied(), at, counts),
        ComponentDefinedType::Enum(of) => fields("a case", of.iter().copied(), at, counts),
        ComponentDefinedType::Tuple(of) => counts.items.add(of.len() as u64),
        _ => Ok(()),
    }
}

fn fields<'a>(
    place: &'static str,
    names: impl ExactSizeIterator<Item = &'a str>,
    at: usize,
    counts: &mut Counts,
) -> Result<(), Error> {
    counts.items.add(names.len() as u64)?;
    for name in names {
        names::linked(name, place, at)?;
    }
    Ok(())
}
