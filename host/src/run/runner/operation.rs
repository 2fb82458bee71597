//! An operation as a run uses it: its description, with the policy applied.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Inner;
use crate::error::Error;
use crate::events::Label;
use crate::gate::budget::Pace;
use crate::run::files::FileStore;
use crate::run::stats::Stats;
use crate::runtime::instance::Idle;
use nodule_core::description::{Effect, ItemCheck};
use nodule_core::policy::WriteBound;

/// An operation, bound to the state of a run.
pub(crate) struct BoundOperation {
    pub(crate) group: String,
    pub(crate) name: String,
    /// The effect that the node claims, lowered if the policy says so.
    pub(crate) effect: Effect,
    /// Whether an item may give rows while it goes on.
    pub(crate) emits: bool,
    /// Whether files go with its items or come out of them. Each item then has a call of its own.
    pub(crate) moves_files: bool,
    pub(crate) gives_files: bool,
    /// Where files go that come out of items.
    pub(crate) files: Option<Arc<dyn FileStore>>,
    /// Bytes of all files that came out.
    pub(crate) file_bytes: Arc<AtomicU64>,
    /// How many requests other than GET and HEAD an item may send; `None`: any number.
    pub(crate) write_bound: Option<WriteBound>,
    /// The parameters in the path: they identify what the operation changes.
    pub(crate) path_parameters: Vec<String>,
    /// For events.
    pub(crate) label: Arc<Label>,
    /// The parameter that makes a repetition harmless, by its name in items.
    pub(crate) key_parameter: Option<String>,
    /// The counters of the run.
    pub(crate) stats: Arc<Stats>,
    /// The rate of requests, and the budget that they share with other runs.
    pub(crate) rate: Option<Arc<Pace>>,
    /// Checks items before the node gets them.
    pub(crate) form: ItemCheck,
    /// Instances that the run can use again.
    pub(crate) idle: Idle,
}

impl BoundOperation {
    pub(crate) fn new(inner: &Inner, group: &str, name: &str) -> Result<Self, Error> {
        let operation = inner.component.node().operation(group, name)?;
        let request = operation.request.as_ref();
        let lowered = inner.policy.lowers_to_write(&format!("{group}.{name}"));
        let key_parameter = match &operation.effect {
            Effect::Keyed(id) => inner
                .component
                .node()
                .parameters_by_id(std::slice::from_ref(id))
                .next(),
            _ => None,
        };
        Ok(Self {
            group: group.to_owned(),
            name: name.to_owned(),
            effect: if lowered {
                Effect::Write
            } else {
                operation.effect.clone()
            },
            emits: operation.emits && !lowered,
            moves_files: inner.component.node().moves_files(operation),
            gives_files: operation.gives_files,
            files: None,
            file_bytes: Arc::default(),
            write_bound: inner.policy.write_bound(operation),
            label: Arc::new(Label {
                operation: format!("{group}.{name}"),
                path: request.map(|request| request.path().clone()),
                ..(*inner.label).clone()
            }),
            path_parameters: request
                .map(|request| request.path().parameters().map(ToOwned::to_owned).collect())
                .unwrap_or_default(),
            key_parameter: key_parameter.map(|parameter| parameter.name.clone()),
            stats: Arc::new(Stats::new()),
            rate: None,
            form: ItemCheck::new(inner.component.node(), operation),
            idle: Idle::default(),
        })
    }

    /// Sets the run's ID in events; random if `None`.
    pub(crate) fn name_run(&mut self, id: Option<&str>) {
        let id = id.map_or_else(|| format!("{:016x}", super::random_seed()).into(), Arc::from);
        Arc::make_mut(&mut self.label).run = Some(id);
    }

    /// The run's ID.
    pub(crate) fn run(&self) -> Option<&Arc<str>> {
        self.label.run.as_ref()
    }

    pub(crate) fn is_write(&self) -> bool {
        self.effect == Effect::Write
    }
}
