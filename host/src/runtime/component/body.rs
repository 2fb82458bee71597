//! What the code of one function costs to compile.
//!
//! Most of the compiler's work grows with the length of the code. Two things grow faster. For each local variable, the
//! compiler tracks its value wherever branches meet. And an instruction of two bytes may take and leave as many
//! operands as a signature has, or branch to as many targets as a table lists.

use wasmtime_parser::{BlockType, FunctionBody, Operator};

use super::cost::{self, Counts};
use super::malformed;
use crate::error::Error;

/// The number of operands that something takes and leaves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arity {
    pub(super) takes: u32,
    pub(super) leaves: u32,
}

impl Arity {
    fn all(self) -> u64 {
        u64::from(self.takes).saturating_add(self.leaves.into())
    }
}

/// The types and functions that a body refers to.
pub(super) struct Signatures<'a> {
    /// The signatures, by the index of the type.
    pub(super) types: &'a [Arity],
    /// The type of each function.
    pub(super) functions: &'a [u32],
}

impl Signatures<'_> {
    fn of_type(&self, index: u32) -> Arity {
        // Validation refuses a missing type later.
        self.types.get(index as usize).copied().unwrap_or_default()
    }

    fn of_function(&self, index: u32) -> Arity {
        let of = self.functions.get(index as usize);
        of.map_or_else(Arity::default, |of| self.of_type(*of))
    }

    fn of_block(&self, block: BlockType) -> Arity {
        match block {
            BlockType::Empty => Arity::default(),
            BlockType::Type(_) => Arity { takes: 0, leaves: 1 },
            BlockType::FuncType(index) => self.of_type(index),
        }
    }
}

/// Refuses a body that costs more than its length suggests.
pub(super) fn check(
    body: &FunctionBody<'_>,
    function: u32,
    signatures: &Signatures<'_>,
    counts: &mut Counts,
) -> Result<(), Error> {
    let bytes = body.as_bytes().len() as u64;
    cost::within(bytes, cost::BODY_BYTES, "bytes of one function")?;
    counts.code.add(bytes)?;
    let own = signatures.of_function(function);
    let mut variables = u64::from(own.takes);
    for local in body.get_locals_reader().map_err(malformed)? {
        let (count, _) = local.map_err(malformed)?;
        variables = variables.saturating_add(count.into());
    }
    cost::within(variables, cost::LOCALS, "local variables of one function")?;
    counts.locals.add(variables)?;

    let mut code = Code {
        signatures,
        labels: vec![own.leaves],
        branches: 0,
        operands: 0,
    };
    let mut operators = body.get_operators_reader().map_err(malformed)?;
    while !operators.eof() {
        code.operator(&operators.read().map_err(malformed)?)?;
    }
    counts.operands.add(code.operands)?;
    let product = variables.saturating_mul(code.branches);
    cost::within(
        product,
        cost::VARIABLES_BY_BRANCHES,
        "variables times branches of one function",
    )?;
    counts.variables_by_branches.add(product)
}

struct Code<'a> {
    signatures: &'a Signatures<'a>,
    /// For each open block, the number of operands that a branch to it takes along.
    labels: Vec<u32>,
    /// The number of points that code branches from or to.
    branches: u64,
    operands: u64,
}

impl Code<'_> {
    fn operator(&mut self, operator: &Operator<'_>) -> Result<(), Error> {
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => {
                let of = self.signatures.of_block(*blockty);
                self.open(of, of.leaves)
            }
            Operator::Loop { blockty } => {
                let of = self.signatures.of_block(*blockty);
                self.open(of, of.takes)
            }
            Operator::TryTable { try_table } => {
                let of = self.signatures.of_block(try_table.ty);
                self.open(of, of.leaves)
            }
            Operator::End => {
                self.labels.pop();
                self.branch(0);
                Ok(())
            }
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => {
                self.branch_to(*relative_depth);
                Ok(())
            }
            Operator::BrTable { targets } => {
                self.branch_to(targets.default());
                for target in targets.targets() {
                    self.branch_to(target.map_err(malformed)?);
                }
                Ok(())
            }
            Operator::Return => {
                let leaves = self.labels.first().copied().unwrap_or_default();
                self.branch(leaves);
                Ok(())
            }
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.takes(self.signatures.of_function(*function_index));
                Ok(())
            }
            // The first call creates a function of a lazily initialised table: the compiler emits a branch for that.
            Operator::CallIndirect { type_index, .. } | Operator::ReturnCallIndirect { type_index, .. } => {
                self.takes(self.signatures.of_type(*type_index));
                self.branch(0);
                Ok(())
            }
            Operator::CallRef { type_index } | Operator::ReturnCallRef { type_index } => {
                self.takes(self.signatures.of_type(*type_index));
                Ok(())
            }
            Operator::Else | Operator::TableGet { .. } | Operator::TableSet { .. } => {
                self.branch(0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, of: Arity, label: u32) -> Result<(), Error> {
        self.takes(of);
        self.branch(0);
        self.labels.push(label);
        cost::within(
            self.labels.len() as u64,
            cost::BLOCK_DEPTH as u64,
            "blocks inside of blocks",
        )
    }

    fn takes(&mut self, of: Arity) {
        self.operands = self.operands.saturating_add(of.all());
    }

    fn branch_to(&mut self, depth: u32) {
        let label = self.labels.len().checked_sub((depth as usize).saturating_add(1));
        let along = label.and_then(|label| self.labels.get(label)).copied();
        self.branch(along.unwrap_or_default());
    }

    fn branch(&mut self, along: u32) {
        self.branches = self.branches.saturating_add(1);
        self.operands = self.operands.saturating_add(u64::from(along)).saturating_add(1);
    }
}
