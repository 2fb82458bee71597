//! Determines from a call's error which limit the call reached.
//!
//! The error's type usually says so: the host's own error is [`ReachedLimit`], and Wasmtime's errors are public types.
//! Three of Wasmtime's limits have no public type and no count that the host could read. They are recognised by
//! Wasmtime's messages, which are compared only here; a test makes Wasmtime produce them.

use std::time::Duration;

use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap};

/// A limit that a call reached. Returned as an error, it stops the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReachedLimit {
    #[error("the call took longer than {} seconds", .0.as_secs_f64())]
    Time(Duration),
    #[error("the node wants more than {0} bytes of memory")]
    Memory(usize),
    #[error("the node wants more than {0} table elements")]
    Tables(usize),
    #[error("the node's calls nest too deep")]
    Stack,
    #[error("the node is made of too many parts: {0}")]
    Instances(String),
    #[error("the node holds too many of the host's resources")]
    HostResources,
    #[error("the node hands over too much at once")]
    Output,
    /// The engine's instances, which all nodes share.
    #[error("no instance is free: too many calls at once")]
    Pool,
}

impl ReachedLimit {
    /// The limit's key in a policy file. `pooling` is not a key of the policy.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Time(_) => "run-timeout-ms",
            Self::Memory(_) => "memory-bytes",
            Self::Tables(_) => "table-elements",
            Self::Stack => "stack-bytes",
            Self::Instances(_) => "instances",
            Self::HostResources => "host-resources",
            Self::Output => "output-bytes",
            Self::Pool => "pooling",
        }
    }

    /// The limit behind this error, if there is one.
    pub(super) fn of(error: &wasmtime::Error) -> Option<Self> {
        if let Some(reached) = error.downcast_ref::<Self>() {
            return Some(reached.clone());
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            return (*trap == Trap::StackOverflow).then_some(Self::Stack);
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return Some(Self::Pool);
        }
        // Some errors of wasmtime-wasi have it as their source.
        let mut causes = error.chain();
        if causes.any(|cause| matches!(cause.downcast_ref(), Some(ResourceTableError::Full))) {
            return Some(Self::HostResources);
        }
        Self::of_words(error.root_cause().to_string())
    }

    /// Recognises the limits without a public type: the handles in a component's own tables, which contain its own
    /// resources and the host's; the bytes copied at once; and the parts of a component.
    fn of_words(words: String) -> Option<Self> {
        const HANDLES: [&str; 2] = [
            "cannot allocate another handle: store handle limit exceeded",
            "cannot lend resource: store handle limit exceeded",
        ];
        const LIFTED: &str = "too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted";
        const PARTS: &str = "resource limit exceeded: ";
        if HANDLES.contains(&words.as_str()) {
            Some(Self::HostResources)
        } else if words == LIFTED {
            Some(Self::Output)
        } else if words.starts_with(PARTS) {
            Some(Self::Instances(words))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Store;
    use wasmtime::component::{Component, Instance, Linker, Resource, ResourceTable, ResourceType};

    use super::*;
    use crate::runtime::clock_and_rng::ClockAndRng;
    use crate::runtime::engine::{Engine, EngineConfig};
    use crate::runtime::instance::InstanceStore;
    use crate::runtime::state::State;
    use nodule_core::limits::Limits;

    struct Bench {
        linker: Linker<State>,
        store: Store<State>,
    }

    impl Bench {
        /// A store like every instance's, with changed limits.
        fn new(change: impl FnOnce(&mut Limits)) -> Self {
            let engine = Engine::new(&EngineConfig::default()).unwrap();
            let mut limits = Limits::default();
            change(&mut limits);
            Self {
                linker: Linker::new(engine.wasmtime()),
                store: InstanceStore::offline(&engine, &limits, ClockAndRng::Real).into_inner(),
            }
        }

        async fn instantiate(&mut self, text: &str) -> wasmtime::Result<Instance> {
            let bytes = wat::parse_str(text).unwrap();
            let component = Component::new(self.store.engine(), bytes).unwrap();
            self.linker.instantiate_async(&mut self.store, &component).await
        }

        /// The limit that a component reaches when it starts.
        async fn reached(&mut self, text: &str) -> Option<ReachedLimit> {
            ReachedLimit::of(&self.instantiate(text).await.unwrap_err())
        }
    }

    /// A component with one module.
    fn of_module(module: &str) -> String {
        format!("(component (core module $m {module}) (core instance (instantiate $m)))")
    }

    const TWO_PAGES: usize = 2 << 16;

    #[tokio::test]
    async fn memory_is_told_from_what_a_module_declares_and_from_what_it_grows_by() {
        let mut bench = Bench::new(|limits| limits.memory_bytes = TWO_PAGES);
        for module in [
            "(memory 3)",
            "(memory 1) (func $f (drop (memory.grow (i32.const 2)))) (start $f)",
        ] {
            let reached = bench.reached(&of_module(module)).await;
            assert_eq!(reached, Some(ReachedLimit::Memory(TWO_PAGES)), "{module}");
        }
    }

    #[tokio::test]
    async fn tables_are_told_from_what_a_module_declares_and_from_what_it_grows_by() {
        for module in [
            "(table 11 funcref)",
            "(table 1 funcref) (func $f (drop (table.grow (ref.null func) (i32.const 10)))) (start $f)",
        ] {
            let mut bench = Bench::new(|limits| limits.table_elements = 10);
            let reached = bench.reached(&of_module(module)).await;
            assert_eq!(reached, Some(ReachedLimit::Tables(10)), "{module}");
        }
    }

    #[tokio::test]
    async fn calls_that_nest_too_deep_are_told_from_other_traps() {
        let mut bench = Bench::new(|_| ());
        let nests = of_module("(func $f (call $f)) (start $f)");
        assert_eq!(bench.reached(&nests).await, Some(ReachedLimit::Stack));
        let traps = of_module("(func $f unreachable) (start $f)");
        assert_eq!(bench.reached(&traps).await, None);
    }

    #[tokio::test]
    async fn too_many_parts_of_each_kind_are_told() {
        for (part, kind) in [
            ("", "instance"),
            ("(memory 0)", "memory"),
            ("(table 0 funcref)", "table"),
        ] {
            let mut bench = Bench::new(|limits| limits.instances = 1);
            let text = if kind == "instance" {
                "(component (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))"
                    .to_owned()
            } else {
                // A module with two of them, since an instance counts as well.
                of_module(&part.repeat(2))
            };
            let reached = bench.reached(&text).await;
            let Some(ReachedLimit::Instances(words)) = &reached else {
                panic!("{kind}: {reached:?}");
            };
            assert_eq!(
                *words,
                format!("resource limit exceeded: {kind} count too high at 2")
            );
        }
    }

    #[tokio::test]
    async fn resources_that_a_node_defines_itself_count_as_the_hosts() {
        let mut bench = Bench::new(|limits| limits.host_resources = 16);
        let hoards = r#"(component
            (type $r (resource (rep i32)))
            (core func $new (canon resource.new $r))
            (core module $m
                (import "" "new" (func $new (param i32) (result i32)))
                (func $start (loop (drop (call $new (i32.const 0))) (br 0)))
                (start $start))
            (core instance (instantiate $m (with "" (instance (export "new" (func $new)))))))"#;
        assert_eq!(bench.reached(hoards).await, Some(ReachedLimit::HostResources));
    }

    #[tokio::test]
    async fn a_resource_that_is_lent_counts_twice() {
        let mut bench = Bench::new(|limits| limits.host_resources = 1);
        let mut root = bench.linker.root();
        let resource = ResourceType::host::<u32>();
        root.resource("r", resource, |_, _| Ok(())).unwrap();
        root.func_wrap("make", |_, ()| Ok((Resource::<u32>::new_own(1),)))
            .unwrap();
        root.func_wrap("use", |_, (_,): (Resource<u32>,)| Ok(())).unwrap();
        let lends = r#"(component
            (import "r" (type $r (sub resource)))
            (import "make" (func $make (result (own $r))))
            (import "use" (func $use (param "x" (borrow $r))))
            (core func $made (canon lower (func $make)))
            (core func $used (canon lower (func $use)))
            (core module $m
                (import "" "make" (func $make (result i32)))
                (import "" "use" (func $use (param i32)))
                (func $start (call $use (call $make)))
                (start $start))
            (core instance (instantiate $m (with "" (instance
                (export "make" (func $made))
                (export "use" (func $used)))))))"#;
        assert_eq!(bench.reached(lends).await, Some(ReachedLimit::HostResources));
    }

    #[test]
    fn a_full_table_of_the_host_is_told_whatever_is_said_about_it() {
        let mut table = ResourceTable::new();
        table.set_max_capacity(1);
        table.push(1_u32).unwrap();
        let full = wasmtime::Error::from(table.push(2_u32).unwrap_err()).context("a stream");
        assert_eq!(ReachedLimit::of(&full), Some(ReachedLimit::HostResources));
        let missing = wasmtime::Error::from(ResourceTableError::NotPresent);
        assert_eq!(ReachedLimit::of(&missing), None);
    }

    #[tokio::test]
    async fn what_is_too_much_to_hand_over_is_told() {
        let mut bench = Bench::new(|limits| limits.output_bytes = 1024);
        let returns = r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "f") (result i32) (i32.store (i32.const 4) (i32.const 4096)) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func (export "f") (result string) (canon lift (core func $i "f") (memory $i "memory"))))"#;
        let instance = bench.instantiate(returns).await.unwrap();
        let returned = instance
            .get_typed_func::<(), (String,)>(&mut bench.store, "f")
            .unwrap();
        let error = returned.call_async(&mut bench.store, ()).await.unwrap_err();
        assert_eq!(ReachedLimit::of(&error), Some(ReachedLimit::Output));
    }

    #[test]
    fn words_that_only_hold_those_of_wasmtime_are_no_limit() {
        for words in [
            "the module says: resource limit exceeded: memory count too high at 2",
            "cannot lend resource: store handle limit exceeded, says the node",
            "handle limit exceeded",
        ] {
            assert_eq!(ReachedLimit::of(&wasmtime::Error::msg(words)), None, "{words}");
        }
    }
}
