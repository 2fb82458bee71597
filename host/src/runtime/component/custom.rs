//! The names in sections for people: debug names, and the tools that made a component.

use wasmtime_parser::{
    ComponentName, ComponentNameSectionReader, IndirectNameMap, Name, NameMap, NameSectionReader,
    ProducersSectionReader,
};

use super::cost::Counts;
use super::{malformed, names};
use crate::error::Error;

/// Checks a module's debug names.
pub(super) fn names(reader: NameSectionReader<'_>, counts: &mut Counts) -> Result<(), Error> {
    for part in reader {
        match part.map_err(malformed)? {
            Name::Module { name, name_range } => names::debug(name, "a module", name_range.start)?,
            Name::Function(map)
            | Name::Type(map)
            | Name::Table(map)
            | Name::Memory(map)
            | Name::Global(map)
            | Name::Element(map)
            | Name::Data(map)
            | Name::Tag(map) => flat(map, counts)?,
            Name::Local(map) | Name::Label(map) | Name::Field(map) => nested(map, counts)?,
            // An unknown kind of name.
            Name::Unknown { .. } => {}
        }
    }
    Ok(())
}

/// Checks a component's debug names.
pub(super) fn component_names(
    reader: ComponentNameSectionReader<'_>,
    counts: &mut Counts,
) -> Result<(), Error> {
    for part in reader {
        match part.map_err(malformed)? {
            ComponentName::Component { name, name_range } => {
                names::debug(name, "a component", name_range.start)?;
            }
            ComponentName::CoreFuncs(map)
            | ComponentName::CoreGlobals(map)
            | ComponentName::CoreMemories(map)
            | ComponentName::CoreTables(map)
            | ComponentName::CoreTags(map)
            | ComponentName::CoreModules(map)
            | ComponentName::CoreInstances(map)
            | ComponentName::CoreTypes(map)
            | ComponentName::Types(map)
            | ComponentName::Instances(map)
            | ComponentName::Components(map)
            | ComponentName::Funcs(map)
            | ComponentName::Values(map) => flat(map, counts)?,
            ComponentName::Unknown { .. } => {}
        }
    }
    Ok(())
}

/// Checks the names of the tools that made the component.
pub(super) fn producers(reader: ProducersSectionReader<'_>, counts: &mut Counts) -> Result<(), Error> {
    for field in reader.into_iter_with_offsets() {
        let (at, field) = field.map_err(malformed)?;
        names::debug(field.name, "a field of producers", at)?;
        for value in field.values {
            let value = value.map_err(malformed)?;
            counts.debug_names.add(1)?;
            names::debug(value.name, "a producer", at)?;
            names::debug(value.version, "a producer's version", at)?;
        }
    }
    Ok(())
}

fn flat(map: NameMap<'_>, counts: &mut Counts) -> Result<(), Error> {
    for item in map.into_iter_with_offsets() {
        let (at, naming) = item.map_err(malformed)?;
        counts.debug_names.add(1)?;
        names::debug(naming.name, "something for debugging", at)?;
    }
    Ok(())
}

fn nested(map: IndirectNameMap<'_>, counts: &mut Counts) -> Result<(), Error> {
    for naming in map {
        counts.debug_names.add(1)?;
        flat(naming.map_err(malformed)?.names, counts)?;
    }
    Ok(())
}
