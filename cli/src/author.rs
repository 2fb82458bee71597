//! What authors of nodes need beside `describe`, `run` and `check`.

pub mod build;
pub mod dev;
mod project;
pub mod record;
