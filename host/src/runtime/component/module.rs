//! Counts the parts of a core module, and checks its names.

use wasmtime_parser::{
    CompositeInnerType, ConstExpr, DataKind, Element, ElementItems, ElementKind, Export, Payload, RecGroup,
    TableInit, TypeRef,
};

use super::body::{self, Arity, Signatures};
use super::cost::{self, Counts};
use super::{malformed, names, types};
use crate::error::Error;

/// A core module, as far as it has been read.
#[derive(Default)]
pub(super) struct Module {
    types: Vec<Arity>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    imported: u32,
    /// The number of bodies read so far.
    bodies: u32,
    linked: u64,
}

impl Module {
    /// The number of imports and exports, which every instantiation links.
    pub(super) fn linked(&self) -> u64 {
        self.linked
    }

    pub(super) fn payload(&mut self, payload: Payload<'_>, counts: &mut Counts) -> Result<(), Error> {
        match payload {
            Payload::TypeSection(section) => {
                types::sized(section.range().len())?;
                for group in section {
                    self.types(&group.map_err(malformed)?, counts)?;
                }
            }
            Payload::ImportSection(section) => {
                for item in section.into_imports_with_offsets() {
                    let (at, import) = item.map_err(malformed)?;
                    counts.imports.add(1)?;
                    names::linked(import.module, "a core import's module", at)?;
                    names::linked(import.name, "a core import", at)?;
                    self.linked = self.linked.saturating_add(1);
                    if let TypeRef::Func(of) | TypeRef::FuncExact(of) = import.ty {
                        self.functions.push(of);
                        self.imported = self.imported.saturating_add(1);
                    }
                }
            }
            Payload::FunctionSection(section) => {
                counts.functions.add(section.count().into())?;
                for of in section {
                    self.functions.push(of.map_err(malformed)?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table.map_err(malformed)?;
                    counts.tables.add(1)?;
                    counts.table_elements.add(table.ty.initial)?;
                    if let TableInit::Expr(expression) = &table.init {
                        constant(expression, counts)?;
                    }
                }
            }
            Payload::MemorySection(section) => counts.memories.add(section.count().into())?,
            Payload::GlobalSection(section) => {
                for global in section {
                    counts.globals.add(1)?;
                    constant(&global.map_err(malformed)?.init_expr, counts)?;
                }
            }
            Payload::ExportSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (at, Export { name, .. }) = item.map_err(malformed)?;
                    counts.exports.add(1)?;
                    names::linked(name, "a core export", at)?;
                    self.linked = self.linked.saturating_add(1);
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    counts.element_segments.add(1)?;
                    elements(element.map_err(malformed)?, counts)?;
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    counts.data_segments.add(1)?;
                    if let DataKind::Active { offset_expr, .. } = data.map_err(malformed)?.kind {
                        constant(&offset_expr, counts)?;
                    }
                }
            }
            Payload::TagSection(section) => counts.globals.add(section.count().into())?,
            Payload::CodeSectionEntry(body) => {
                let signatures = Signatures {
                    types: &self.types,
                    functions: &self.functions,
                };
                body::check(
                    &body,
                    self.imported.saturating_add(self.bodies),
                    &signatures,
                    counts,
                )?;
                self.bodies = self.bodies.saturating_add(1);
            }
            _ => {}
        }
        Ok(())
    }

    fn types(&mut self, group: &RecGroup, counts: &mut Counts) -> Result<(), Error> {
        for of in group.types() {
            counts.types.add(1)?;
            let arity = match &of.composite_type.inner {
                CompositeInnerType::Func(of) => {
                    cost::within(
                        of.params().len() as u64,
                        cost::ARITY as u64,
                        "parameters of one function",
                    )?;
                    cost::within(
                        of.results().len() as u64,
                        cost::ARITY as u64,
                        "results of one function",
                    )?;
                    Arity {
                        takes: u32::try_from(of.params().len()).unwrap_or(u32::MAX),
                        leaves: u32::try_from(of.results().len()).unwrap_or(u32::MAX),
                    }
                }
                _ => Arity::default(),
            };
            self.types.push(arity);
        }
        Ok(())
    }
}

fn elements(element: Element<'_>, counts: &mut Counts) -> Result<(), Error> {
    if let ElementKind::Active { offset_expr, .. } = &element.kind {
        constant(offset_expr, counts)?;
    }
    match element.items {
        ElementItems::Functions(functions) => counts.elements.add(functions.count().into()),
        ElementItems::Expressions(_, expressions) => {
            for expression in expressions {
                counts.elements.add(1)?;
                constant(&expression.map_err(malformed)?, counts)?;
            }
            Ok(())
        }
    }
}

fn constant(expression: &ConstExpr<'_>, counts: &mut Counts) -> Result<(), Error> {
    let bytes = expression.get_binary_reader().bytes_remaining() as u64;
    cost::within(
        bytes,
        cost::CONSTANT_BYTES as u64,
        "bytes of one constant expression",
    )?;
    counts.constants.add(bytes)
}
