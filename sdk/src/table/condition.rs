//! When a parameter is shown, checked and sent.

use super::parameter::Scalar;
use super::value::{Fields, Value, find};
use crate::bindings::exports::workflow::node::description as contract;

/// Something that must hold of an earlier parameter.
#[derive(Clone, Copy)]
pub struct Condition {
    /// The name of the other parameter.
    pub parameter: &'static str,
    /// The values that are meant.
    pub one_of: &'static [Scalar],
    pub(crate) test: &'static Test,
}

/// How a condition is tested and described.
pub(crate) struct Test {
    holds: fn(&Condition, Option<&Value>) -> bool,
    describe: fn(Vec<String>) -> contract::Holds,
    needs_values: bool,
}

/// The parameter has one of these values, or is a list that contains one.
pub const fn is(parameter: &'static str, one_of: &'static [Scalar]) -> Condition {
    Condition {
        parameter,
        one_of,
        test: &IS,
    }
}

/// The parameter has none of these values; without a value, this holds too.
pub const fn is_not(parameter: &'static str, none_of: &'static [Scalar]) -> Condition {
    Condition {
        parameter,
        one_of: none_of,
        test: &IS_NOT,
    }
}

/// The parameter has a value.
pub const fn is_set(parameter: &'static str) -> Condition {
    Condition {
        parameter,
        one_of: &[],
        test: &IS_SET,
    }
}

static IS: Test = Test {
    holds: has,
    describe: contract::Holds::OneOf,
    needs_values: true,
};

static IS_NOT: Test = Test {
    holds: |condition, value| !has(condition, value),
    describe: contract::Holds::NoneOf,
    needs_values: true,
};

static IS_SET: Test = Test {
    holds: |_, value| value.is_some(),
    describe: |_| contract::Holds::Set,
    needs_values: false,
};

fn has(condition: &Condition, value: Option<&Value>) -> bool {
    value.is_some_and(|value| condition.one_of.iter().any(|scalar| value.is(*scalar)))
}

impl Condition {
    pub(crate) const fn needs_values(&self) -> bool {
        self.test.needs_values
    }

    pub(crate) fn holds(&self, fields: &Fields) -> bool {
        (self.test.holds)(self, find(fields, self.parameter))
    }

    pub(crate) fn describe(&self, parameter: String) -> contract::Condition {
        let values = self.one_of.iter().map(|scalar| scalar.json()).collect();
        contract::Condition {
            parameter,
            holds: (self.test.describe)(values),
        }
    }
}
