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

pub use parameter::{Parameter, Place};

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

    /// Where a top-level parameter goes.
    pub fn place_of(&self, parameter: &Parameter) -> Place {
        let in_path: Vec<&str> = names(self.request.path).collect();
        place_of(parameter, self.request.method, &in_path)
    }
}

/// Where a top-level parameter goes in a request with these names in its path.
pub fn place_of(parameter: &Parameter, method: Method, in_path: &[&str]) -> Place {
    match parameter.place {
        Place::Ruled if in_path.contains(&parameter.name) => Place::Path,
        Place::Ruled if method == Method::Get => Place::Query,
        Place::Ruled => Place::Body,
        place => place,
    }
}

/// The names that a path holds in braces.
pub fn names(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
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
