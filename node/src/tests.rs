//! The node as a whole, natively: what it sends for what it is given, and what it makes of what comes back. The only
//! thing that stands in for anything is `script`, a transport that answers from a list.

mod answers;
mod description;
mod execution;
mod item_check;
mod pages;
mod rules;
mod rules_values;
mod samples;
mod script;
mod sessions;
mod table;
mod wire;
