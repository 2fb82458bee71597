//! What authors of nodes need beside `describe`, `run` and `check`.

pub mod build;
pub mod dev;
pub mod new;
pub mod pack;
mod package;
mod project;
pub mod record;
