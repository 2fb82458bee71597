//! How much there may be of a component.
//!
//! Compiling takes memory and time by what a component is made of, not by its size: a million empty functions of eight
//! megabytes take gigabytes, and so does one function of 165 KB with many variables and many branches. Each count has a bound
//! far above the largest real components (the interpreters of Python and JavaScript: 14 to 18 MB, 13,000 functions), and so has each
//! product where the compiler's work is one.

use crate::error::Error;

/// One thing that is counted.
#[derive(Debug)]
pub(super) struct Count {
    what: &'static str,
    most: u64,
    found: u64,
}

impl Count {
    const fn new(what: &'static str, most: u64) -> Self {
        Self { what, most, found: 0 }
    }

    /// Some more of it.
    pub(super) fn add(&mut self, more: u64) -> Result<(), Error> {
        self.found = self.found.saturating_add(more);
        within(self.found, self.most, self.what)
    }

    /// Refuse more of it in one place.
    pub(super) fn holds(&self, found: u64) -> Result<(), Error> {
        within(found, self.most, self.what)
    }
}

/// Refuse more of something than a component may have.
pub(super) fn within(found: u64, most: u64, what: &'static str) -> Result<(), Error> {
    if found > most {
        return Err(Error::TooLarge { what, most });
    }
    Ok(())
}

/// Levels of components in components, and of types in types. `wit-component` makes two of each; who composes components adds one.
pub(super) const NESTING: usize = 8;
/// Operands of one function: parameters or results of a signature. The canonical ABI has at most 16 parameters; C has some dozen.
pub(super) const ARITY: usize = 256;
/// Bytes of one function's code. Python's longest has 430 KB, JavaScript's 170 KB.
pub(super) const BODY_BYTES: u64 = 1024 * 1024;
/// Local variables of one function. Python's and JavaScript's interpreters have at most 280, unoptimised code has more.
pub(super) const LOCALS: u64 = 10_000;
/// Blocks inside of blocks of one function: a `switch` nests one for each of its cases. Python's nest 780 deep.
pub(super) const BLOCK_DEPTH: usize = 5_000;
/// Variables times branches of one function: for each of them the compiler keeps which value it has where, in up to 40 bytes.
/// The largest function of JavaScript's has 700,000.
pub(super) const VARIABLES_BY_BRANCHES: u64 = 8_000_000;
/// Bytes of one constant expression: an address, or a base and an offset.
pub(super) const CONSTANT_BYTES: usize = 256;

/// Everything that is counted over all of a component.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) parts: Count,
    pub(super) types: Count,
    pub(super) imports: Count,
    pub(super) exports: Count,
    pub(super) functions: Count,
    pub(super) code: Count,
    pub(super) globals: Count,
    pub(super) tables: Count,
    pub(super) table_elements: Count,
    pub(super) memories: Count,
    pub(super) data_segments: Count,
    pub(super) element_segments: Count,
    pub(super) elements: Count,
    pub(super) constants: Count,
    pub(super) locals: Count,
    pub(super) operands: Count,
    pub(super) variables_by_branches: Count,
    pub(super) shared: Count,
    pub(super) items: Count,
    pub(super) instances: Count,
    pub(super) linked: Count,
    pub(super) debug_names: Count,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            // Python's has 20.
            parts: Count::new("modules and components", 500),
            types: Count::new("types", 20_000),
            imports: Count::new("imports of modules", 30_000),
            // Libraries export every function that another one may call.
            exports: Count::new("exports of modules", 60_000),
            // Each takes several kilobytes of the compiler's memory, however short it is. Python's and JavaScript's interpreters have 13,000.
            functions: Count::new("functions", 50_000),
            // Each takes the compiler 20 bytes and more. Python's and JavaScript's interpreters have 10 MB.
            code: Count::new("bytes of code", 32 * 1024 * 1024),
            globals: Count::new("globals", 20_000),
            tables: Count::new("tables", 64),
            // They are written out where the compiler can say what is in them.
            table_elements: Count::new("elements of tables", 200_000),
            // An image of each is made ahead, of up to 16 MiB.
            memories: Count::new("memories", 8),
            // What takes a snapshot of a program that has started writes up to 10,000.
            data_segments: Count::new("data segments", 40_000),
            element_segments: Count::new("element segments", 2_000),
            elements: Count::new("elements of segments", 200_000),
            constants: Count::new("bytes of constant expressions", 1_000_000),
            locals: Count::new("local variables", 1_000_000),
            // What instructions take and leave by signatures, and targets of branches.
            // Python's and JavaScript's interpreters have a million.
            operands: Count::new("operands and targets of branches", 10_000_000),
            variables_by_branches: Count::new("variables times branches", 100_000_000),
            // A type that is referred to counts wherever it is. Python's has 56,000.
            shared: Count::new("parts of types, those that are shared multiplied", 1_000_000),
            items: Count::new(
                "parts of types, aliases, arguments, and functions of the canonical ABI",
                200_000,
            ),
            instances: Count::new(
                "instances, those of components inside of components multiplied",
                1_000,
            ),
            linked: Count::new(
                "things to link, those of components inside of components multiplied",
                1_000_000,
            ),
            debug_names: Count::new("debug names", 500_000),
        }
    }
}
