//! The vocabulary in which an operation is written down as one constant, and the consumers of such constants.
//!
//! Placement is one rule: a parameter that the path names goes into the path; else a GET puts it into the query; else it
//! is a field of the JSON body. What differs is written out: [`Parameter::wire`], [`Parameter::when`],
//! [`Parameter::whole_body`], [`Parameter::unsent`]. There is one `Copy` struct with `const` setters and no trait, macro
//! or derive per operation, since the values are only checked and forwarded.

pub mod describe;
#[cfg(test)]
pub mod lint;
pub mod parameter;
pub mod plan;
pub mod request;
pub mod validate;
pub mod value;

pub use parameter::Parameter;

use crate::http::Method;

/// One operation: form, checks, request and documentation all come from it.
#[derive(Clone, Copy)]
pub struct Operation {
    pub group: Group,
    pub name: &'static str,
    pub title: &'static str,
    /// One sentence for people who choose an operation.
    pub about: &'static str,
    /// What the button says.
    pub action: &'static str,
    pub effect: Effect,
    /// Why the effect is claimed; begins with `assumed` where no public material promises it.
    pub evidence: &'static str,
    pub request: Endpoint,
    pub parameters: &'static [Parameter],
    pub output: Output,
}

impl Operation {
    /// The top-level parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

/// A path's names in braces, each with what stands before it, and what stands behind the last one.
pub fn split(path: &'static str) -> (Vec<(&'static str, &'static str)>, &'static str) {
    let (mut names, mut rest) = (Vec::new(), path);
    while let Some((before, (name, after))) = rest
        .split_once('{')
        .and_then(|(before, name)| Some((before, name.split_once('}')?)))
    {
        names.push((before, name));
        rest = after;
    }
    (names, rest)
}

/// The resources, in the order of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Member,
    Consumer,
    Order,
    Points,
    MasterData,
}

impl Group {
    pub const ALL: [Self; 5] = [
        Self::Member,
        Self::Consumer,
        Self::Order,
        Self::Points,
        Self::MasterData,
    ];

    /// As workflows store it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Consumer => "consumer",
            Self::Order => "order",
            Self::Points => "points",
            Self::MasterData => "masterdata",
        }
    }

    /// As users see it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Member => "Member Management",
            Self::Consumer => "Customer Management",
            Self::Order => "Order Management",
            Self::Points => "Points Management",
            Self::MasterData => "Master Data Management",
        }
    }

    pub const fn about(self) -> &'static str {
        match self {
            Self::Member => "Loyalty programmes, their members and admission to them",
            Self::Consumer => "Customers, their events and their accounts elsewhere",
            Self::Order => "Transactions and their details",
            Self::Points => "Points accounts, their entries and adjustments",
            Self::MasterData => "Products and stores",
        }
    }
}

/// What running an operation twice does; the contract's `effect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Read,
    Idempotent,
    /// The parameter, or `rows.column`, that names the thing done.
    Keyed(&'static str),
    Write,
}

/// Method and path below the base URL, `{name}` standing for a parameter.
#[derive(Clone, Copy)]
pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    /// Whether only what the caller set is changed: an explicit `null` then clears a field, and a call that sets nothing
    /// is refused.
    pub is_update: bool,
}

pub const fn get(path: &'static str) -> Endpoint {
    Endpoint {
        method: Method::Get,
        path,
        is_update: false,
    }
}

pub const fn post(path: &'static str) -> Endpoint {
    Endpoint {
        method: Method::Post,
        path,
        is_update: false,
    }
}

/// A PUT that changes only what the caller set.
pub const fn update(path: &'static str) -> Endpoint {
    Endpoint {
        method: Method::Put,
        path,
        is_update: true,
    }
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The whole answer is the item.
    Answer,
    /// The whole answer; with `returnAll` one item per row, the rows being `data` itself or its member of this name.
    Pages(&'static str),
}
