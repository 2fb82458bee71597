//! Checks a component's bytes before anything is compiled. One pass reads all nested modules and components, in time
//! and memory proportional to the component's size.
//!
//! The pass uses the same version of the parser as Wasmtime, so both see the same component. It does not validate,
//! which Wasmtime does; it refuses what it cannot read.

use wasmtime_parser::{
    BinaryReader, CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, CustomSectionReader, Encoding, Instance, KnownCustom, Parser,
    Payload, TypeBounds,
};

use super::cost::{self, Counts};
use super::module::Module;
use super::sizes::{Size, Space};
use super::{custom, malformed, names, types};
use crate::error::Error;

/// The imports and exports of a component.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Import {
    pub(super) name: String,
    /// Whether the interface has neither functions nor resources, and so asks for nothing.
    pub(super) has_only_types: bool,
}

/// Names what a file is that is not a component, in clearer words than the parser's.
pub(super) fn refuse_foreign(bytes: &[u8]) -> Result<(), Error> {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    let found = if bytes.is_empty() {
        "an empty file"
    } else if bytes.starts_with(MODULE) {
        "a core module"
    } else if !bytes.starts_with(b"\0asm") {
        "a file that is not WebAssembly"
    } else {
        return Ok(());
    };
    Err(Error::NotAComponent {
        found: found.to_owned(),
    })
}

/// Checks the names and the costs of a component. Returns its imports and exports.
pub(super) fn inspect(bytes: &[u8]) -> Result<Outside, Error> {
    let mut walk = Walk {
        bytes,
        counts: Counts::new(),
        levels: Vec::new(),
        outside: Outside::default(),
    };
    for payload in Parser::new(0).parse_all(bytes) {
        walk.payload(payload.map_err(malformed)?)?;
    }
    Ok(walk.outside)
}

struct Walk<'a> {
    bytes: &'a [u8],
    counts: Counts,
    /// The module or component being read, and those that it is nested in.
    levels: Vec<Level>,
    outside: Outside,
}

enum Level {
    Module(Module),
    Component(Component),
}

#[derive(Default)]
struct Component {
    space: Space,
    /// The cost of instantiating each module once.
    modules: Vec<Weight>,
    /// The cost of instantiating each component once, and the size of its instance.
    components: Vec<(Weight, Size)>,
    /// The cost of instantiating this component once.
    own: Weight,
}

/// What Wasmtime has to lay out, link and instantiate. A component that instantiates another one twice doubles its
/// cost; if that one instantiates a third one twice, it doubles again, and so on.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    instances: u64,
    linked: u64,
}

impl Weight {
    fn add(&mut self, more: Weight) {
        self.instances = self.instances.saturating_add(more.instances);
        self.linked = self.linked.saturating_add(more.linked);
    }

    /// The cost of an instance with this many arguments.
    fn instance(mut self, arguments: usize) -> Self {
        self.add(Weight {
            instances: 1,
            linked: arguments as u64,
        });
        self
    }
}

impl<'a> Walk<'a> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), Error> {
        match payload {
            Payload::Version { encoding, .. } => self.begin(encoding),
            Payload::End(_) => {
                self.end();
                Ok(())
            }
            Payload::CustomSection(section) => self.custom(&section),
            Payload::UnknownSection { id, range, .. } => Err(Error::NotAComponent {
                found: format!("an unknown section {id} at byte {}", range.start),
            }),
            _ => match self.levels.last_mut() {
                Some(Level::Module(module)) => module.payload(payload, &mut self.counts),
                Some(Level::Component(_)) => self.in_component(payload),
                None => Ok(()),
            },
        }
    }

    fn begin(&mut self, encoding: Encoding) -> Result<(), Error> {
        self.counts.parts.add(1)?;
        self.levels.push(match encoding {
            Encoding::Module => Level::Module(Module::default()),
            Encoding::Component => Level::Component(Component::default()),
        });
        cost::within(
            self.levels.len() as u64,
            cost::NESTING as u64,
            "levels of components",
        )
    }

    fn end(&mut self) {
        let ended = self.levels.pop();
        let Some(Level::Component(outer)) = self.levels.last_mut() else {
            return;
        };
        match ended {
            Some(Level::Module(module)) => outer.modules.push(Weight {
                instances: 0,
                linked: module.linked(),
            }),
            Some(Level::Component(component)) => {
                outer.components.push((component.own, component.space.own));
            }
            None => {}
        }
    }

    fn custom(&mut self, section: &CustomSectionReader<'_>) -> Result<(), Error> {
        names::section(section.name(), section.range().start)?;
        match section.as_known() {
            KnownCustom::Name(reader) => custom::names(reader, &mut self.counts),
            KnownCustom::ComponentName(reader) => custom::component_names(reader, &mut self.counts),
            KnownCustom::Producers(reader) => custom::producers(reader, &mut self.counts),
            // Neither the host nor the engine reads these: debug information, features, package documentation.
            _ => Ok(()),
        }
    }

    fn in_component(&mut self, payload: Payload<'a>) -> Result<(), Error> {
        let is_root = self.levels.len() == 1;
        let Self {
            counts,
            levels,
            outside,
            bytes,
        } = self;
        let (inner, outer) = match levels.split_last_mut() {
            Some((Level::Component(inner), outer)) => (inner, &*outer),
            _ => return Ok(()),
        };
        match payload {
            Payload::CoreTypeSection(section) => {
                types::sized(section.range().len())?;
                for item in section.into_iter_with_offsets() {
                    let (at, of) = item.map_err(malformed)?;
                    types::core(&of, at, counts)?;
                }
            }
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                types::sized(range.len())?;
                let content = bytes.get(range.clone()).unwrap_or_default();
                let mut reader = BinaryReader::new(content, range.start);
                // Level 0 is this component itself.
                let up = |count: usize| match outer.iter().rev().nth(count.saturating_sub(1)) {
                    Some(Level::Component(component)) => Some(&component.space),
                    _ => None,
                };
                types::section(&mut reader, &mut inner.space, &up, counts)?;
            }
            Payload::ComponentImportSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (at, import) = item.map_err(malformed)?;
                    counts.items.add(1)?;
                    types::extern_name(&import.name, "an import", at)?;
                    let has_only_types = inner.import(import.ty, at, counts)?;
                    if is_root {
                        outside.imports.push(Import {
                            name: import.name.name.to_owned(),
                            has_only_types,
                        });
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (at, export) = item.map_err(malformed)?;
                    counts.items.add(1)?;
                    types::extern_name(&export.name, "an export", at)?;
                    let size = inner.space.item(export.kind, export.index);
                    inner.space.part(size, export.kind == ComponentExternalKind::Type);
                    inner.define(export.kind, size, at, counts)?;
                    if is_root {
                        outside.exports.push(export.name.name.to_owned());
                    }
                }
            }
            Payload::InstanceSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (at, instance) = item.map_err(malformed)?;
                    inner.core_instance(&instance, at, counts)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (at, instance) = item.map_err(malformed)?;
                    inner.instance(&instance, at, counts)?;
                }
            }
            Payload::ComponentAliasSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (at, alias) = item.map_err(malformed)?;
                    counts.items.add(1)?;
                    types::alias(&alias, at)?;
                    inner.alias(&alias, outer, at, counts)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (_, function) = item.map_err(malformed)?;
                    counts.items.add(1)?;
                    inner.canonical(&function, counts)?;
                }
            }
            // Nested modules and components follow as payloads of their own.
            _ => {}
        }
        inner.weighed(counts)
    }
}

/// A node may not import, export or pass on code: everything that is instantiated is inside the component and known.
fn hands_over_code(at: usize) -> Error {
    Error::NotAComponent {
        found: format!("one that takes, gives or passes on modules or components (at byte {at})"),
    }
}

/// The target of a reference is missing.
fn missing(at: usize) -> Error {
    Error::NotAComponent {
        found: format!("a broken one: what is referred to at byte {at} is not there"),
    }
}

impl Component {
    /// Refuses a component that costs too much, including everything nested in it.
    fn weighed(&self, counts: &Counts) -> Result<(), Error> {
        counts.instances.holds(self.own.instances)?;
        counts.linked.holds(self.own.linked)
    }

    /// Counts an import. Returns whether it asks for types only.
    fn import(&mut self, of: ComponentTypeRef, at: usize, counts: &mut Counts) -> Result<bool, Error> {
        let size = self.space.reference(of);
        self.define(of.kind(), size, at, counts)?;
        Ok(match of {
            ComponentTypeRef::Type(TypeBounds::Eq(_)) => true,
            ComponentTypeRef::Instance(_) => size.has_only_types,
            _ => false,
        })
    }

    /// Counts a definition that others can refer to.
    fn define(
        &mut self,
        kind: ComponentExternalKind,
        size: Size,
        at: usize,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        is_no_code(kind, at)?;
        self.link(1);
        self.space.define(kind, size, counts)
    }

    fn link(&mut self, more: u64) {
        self.own.linked = self.own.linked.saturating_add(more);
    }

    /// Counts a function between a component and its modules. The compiler generates code for all parts of its type.
    fn canonical(&mut self, function: &CanonicalFunction, counts: &mut Counts) -> Result<(), Error> {
        self.link(1);
        match function {
            CanonicalFunction::Lift { type_index, .. } => {
                let size = self.space.type_at(*type_index);
                self.space.define(ComponentExternalKind::Func, size, counts)
            }
            CanonicalFunction::Lower { func_index, .. } => counts
                .shared
                .add(self.space.item(ComponentExternalKind::Func, *func_index).total),
            _ => Ok(()),
        }
    }

    fn alias(
        &mut self,
        alias: &ComponentAlias<'_>,
        outer: &[Level],
        at: usize,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        match *alias {
            ComponentAlias::InstanceExport {
                kind, instance_index, ..
            } => {
                let size = self.space.part_of(instance_index);
                self.define(kind, size, at, counts)
            }
            ComponentAlias::CoreInstanceExport { .. } => {
                self.link(1);
                Ok(())
            }
            ComponentAlias::Outer { kind, count, index } => {
                let position = index as usize;
                // 0 is this component itself.
                let from = match (count as usize).checked_sub(1) {
                    None => &*self,
                    Some(up) => match outer.iter().rev().nth(up) {
                        Some(Level::Component(from)) => from,
                        _ => return Err(missing(at)),
                    },
                };
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let weight = *from.modules.get(position).ok_or_else(|| missing(at))?;
                        self.modules.push(weight);
                    }
                    ComponentOuterAliasKind::Component => {
                        let weight = *from.components.get(position).ok_or_else(|| missing(at))?;
                        self.components.push(weight);
                    }
                    ComponentOuterAliasKind::Type => {
                        let size = from.space.type_at(index);
                        self.space.define(ComponentExternalKind::Type, size, counts)?;
                    }
                    ComponentOuterAliasKind::CoreType => {}
                }
                Ok(())
            }
        }
    }

    fn core_instance(
        &mut self,
        instance: &Instance<'_>,
        at: usize,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        match instance {
            Instance::Instantiate { module_index, args } => {
                counts.items.add(args.len() as u64)?;
                for arg in args {
                    names::linked(arg.name, "an argument of a module", at)?;
                }
                let of = self
                    .modules
                    .get(*module_index as usize)
                    .ok_or_else(|| missing(at))?;
                self.own.add(of.instance(args.len()));
            }
            Instance::FromExports(exports) => {
                counts.items.add(exports.len() as u64)?;
                for export in exports {
                    names::linked(export.name, "an argument of a module", at)?;
                }
                self.own.add(Weight::default().instance(exports.len()));
            }
        }
        Ok(())
    }

    fn instance(
        &mut self,
        instance: &ComponentInstance<'_>,
        at: usize,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => {
                counts.items.add(args.len() as u64)?;
                for arg in args {
                    names::linked(arg.name, "an argument of a component", at)?;
                    is_no_code(arg.kind, at)?;
                }
                let of = self.components.get(*component_index as usize);
                let (weight, size) = *of.ok_or_else(|| missing(at))?;
                self.own.add(weight.instance(args.len()));
                self.space.define(ComponentExternalKind::Instance, size, counts)
            }
            ComponentInstance::FromExports(exports) => {
                counts.items.add(exports.len() as u64)?;
                let mut instance = Space::default();
                for export in exports {
                    types::extern_name(&export.name, "an export of an instance", at)?;
                    is_no_code(export.kind, at)?;
                    let size = self.space.item(export.kind, export.index);
                    instance.part(size, export.kind == ComponentExternalKind::Type);
                }
                self.own.add(Weight::default().instance(exports.len()));
                self.space
                    .define(ComponentExternalKind::Instance, instance.own, counts)
            }
        }
    }
}

fn is_no_code(kind: ComponentExternalKind, at: usize) -> Result<(), Error> {
    match kind {
        ComponentExternalKind::Module | ComponentExternalKind::Component => Err(hands_over_code(at)),
        _ => Ok(()),
    }
}
