//! The limits on what a component contains.
//!
//! The memory and time of compiling depend on a component's contents, not on its size: a million empty functions in
//! eight megabytes take gigabytes, and so does one function of 165 KB with many variables and many branches. Each count
//! has a limit far above the largest real components (the interpreters of Python and JavaScript: 14 to 18 MB, 13,000
//! functions). So does each product that the compiler's work is proportional to.

use crate::error::Error;

/// A count with its limit.
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

    /// Adds to the count, up to its limit.
    pub(super) fn add(&mut self, more: u64) -> Result<(), Error> {
        self.found = self.found.saturating_add(more);
        within(self.found, self.most, self.what)
    }

    /// Refuses a single number above the limit.
    pub(super) fn holds(&self, found: u64) -> Result<(), Error> {
        within(found, self.most, self.what)
    }
}

/// Refuses a number above its maximum.
pub(super) fn within(found: u64, most: u64, what: &'static str) -> Result<(), Error> {
    if found > most {
        return Err(Error::TooLarge { what, most });
    }
    Ok(())
}

/// The nesting of components in components, and of types in types. `wit-component` makes two levels of each; composing
/// components adds one.
pub(super) const NESTING: usize = 8;
/// The operands of one function: parameters or results of a signature. The canonical ABI has at most 16 parameters; C
/// functions have some dozen.
pub(super) const ARITY: usize = 256;
/// The bytes of one function's code. The longest function of Python's interpreter has 430 KB, of JavaScript's 170 KB.
pub(super) const BODY_BYTES: u64 = 1024 * 1024;
/// The local variables of one function. The interpreters of Python and JavaScript have at most 280, unoptimised code
/// has more.
pub(super) const LOCALS: u64 = 10_000;
/// The nesting of blocks in one function: a `switch` nests one per case. Python's interpreter nests 780 deep.
pub(super) const BLOCK_DEPTH: usize = 5_000;
/// Variables times branches of one function: for each pair the compiler tracks a value, in up to 40 bytes. The largest
/// function of JavaScript's interpreter has 700,000.
pub(super) const VARIABLES_BY_BRANCHES: u64 = 8_000_000;
/// The instances of a component, core instances included. Python's interpreter has 17.
pub(super) const INSTANCES: u64 = 1_000;
/// The bytes of one constant expression: an address, or a base and an offset.
pub(super) const CONSTANT_BYTES: usize = 256;

/// The counts over a whole component.
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
            // Python's interpreter has 20.
            parts: Count::new("modules and components", 500),
            types: Count::new("types", 20_000),
            imports: Count::new("imports of modules", 30_000),
            // A library exports every function that another one may call.
            exports: Count::new("exports of modules", 60_000),
            // Each takes several kilobytes of the compiler's memory, however short it is. The interpreters of Python
            // and JavaScript have 13,000.
            functions: Count::new("functions", 50_000),
            // Each byte takes the compiler 20 bytes and more. The interpreters of Python and JavaScript have 10 MB.
            code: Count::new("bytes of code", 32 * 1024 * 1024),
            globals: Count::new("globals", 20_000),
            tables: Count::new("tables", 64),
            // The compiler writes tables out if their contents are known.
            table_elements: Count::new("elements of tables", 200_000),
            // The compiler makes an image of each, of up to 16 MiB.
            memories: Count::new("memories", 8),
            // A snapshot of an initialised program has up to 10,000.
            data_segments: Count::new("data segments", 40_000),
            element_segments: Count::new("element segments", 2_000),
            elements: Count::new("elements of segments", 200_000),
            constants: Count::new("bytes of constant expressions", 1_000_000),
            locals: Count::new("local variables", 1_000_000),
            // The operands of instructions with signatures, and targets of branches. The interpreters of Python and
            // JavaScript have a million.
            operands: Count::new("operands and targets of branches", 10_000_000),
            variables_by_branches: Count::new("variables times branches", 100_000_000),
            // A type counts again wherever it is referred to. Python's interpreter has 56,000.
            shared: Count::new("parts of types, those that are shared multiplied", 1_000_000),
            items: Count::new(
                "parts of types, aliases, arguments, and functions of the canonical ABI",
                200_000,
            ),
            instances: Count::new(
                "instances, those of components inside of components multiplied",
                INSTANCES,
            ),
            linked: Count::new(
                "things to link, those of components inside of components multiplied",
                1_000_000,
            ),
            debug_names: Count::new("debug names", 500_000),
        }
    }
}
