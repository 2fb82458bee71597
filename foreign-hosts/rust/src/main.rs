//! A node component in bare Wasmtime: `bare-host COMPONENT CREDENTIAL.json`, none of Nodule's host. It prints the node's
//! description, then answers each call that it reads from standard input, one JSON document a line, named as in Rust:
//! `{"group":"member","operation":"getMember","items":["{\"cardNo\":\"M1\"}"],"on_failure":"Continue","in_flight":8,…}`.
//! What an engine must add: a deadline (drop the future; epochs end loops), and `Store::limiter` for memory.

use exports::workflow::node::execution::{Call, ItemResult};
use exports::workflow::node::{authentication::Session, types::Failure};
use std::time::{Duration, Instant};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result, Store};
use world::World;

mod world;
wasmtime::component::bindgen!({
    path: "../../host/wit", world: "node",
    exports: { default: async },
    with: { "wasi:io": wasmtime_wasi::p2::bindings::io },
    additional_derives: [Clone, serde::Deserialize, serde::Serialize],
});

/// A node and who it acts for, with a session for as long as the service accepts it.
struct Service {
    node: NodePre<World>,
    credential: String,
    session: Option<(Session, Instant)>,
}

impl Service {
    /// Each call has an instance of its own, which costs microseconds and shares nothing with another.
    async fn instance(&self) -> Result<(Store<World>, Node)> {
        let mut store = Store::new(self.node.engine(), World::of(&self.credential)?);
        let node = self.node.instantiate_async(&mut store).await?;
        Ok((store, node))
    }

    /// A new session, or the old one renewed.
    async fn authenticate(&mut self) -> Result<()> {
        let old = self.session.take().map(|(session, _)| session);
        let (mut store, node) = self.instance().await?;
        let authentication = node.workflow_node_authentication();
        let made = authentication.call_authenticate(&mut store, &self.credential, old.as_ref());
        let session = made.await??;
        let lives = Duration::from_secs(session.expires_in_s.unwrap_or(u32::MAX).into());
        self.session = Some((session, Instant::now() + lives));
        Ok(())
    }

    /// The node adds the session's access to its requests, unless the call has an access of its own.
    async fn execute(&self, mut call: Call) -> Result<Vec<ItemResult>> {
        let access = self.session.as_ref().map(|(session, _)| session.access.clone());
        call.access = call.access.or(access);
        let (mut store, node) = self.instance().await?;
        let execution = node.workflow_node_execution();
        Ok(execution.call_execute(&mut store, &call).await??)
    }

    async fn run(&mut self, call: Call) -> Result<Vec<ItemResult>> {
        let ends = self.session.as_ref().map(|(_, ends)| *ends);
        if ends.is_none_or(|ends| Instant::now() >= ends) {
            self.authenticate().await?;
        }
        let mut results = self.execute(call.clone()).await?;
        // The service refused the session before its time: those items again, once, with a new one.
        let is_refused = |at: &usize| matches!(results[*at], Err(Failure::Unauthenticated(_)));
        let refused: Vec<usize> = (0..results.len()).filter(is_refused).collect();
        if !refused.is_empty() && self.authenticate().await.is_ok() {
            let items = refused.iter().map(|at| call.items[*at].clone()).collect();
            let again = self.execute(Call { items, ..call }).await?;
            for (at, result) in refused.into_iter().zip(again) {
                results[at] = result;
            }
        }
        Ok(results)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let [component, credential] = [1, 2].map(|at| std::env::args().nth(at).unwrap_or_default());
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi_http::p2::add_to_linker_async(&mut linker)?;
    let component = linker.instantiate_pre(&Component::from_file(&engine, component)?)?;
    let mut service = Service {
        node: NodePre::new(component)?,
        credential: std::fs::read_to_string(credential)?,
        session: None,
    };
    let (mut store, node) = service.instance().await?;
    let description = node.workflow_node_description().call_describe(&mut store).await?;
    println!("{}", serde_json::to_string(&description)?);
    for line in std::io::stdin().lines() {
        let answer = service.run(serde_json::from_str(&line?)?).await.map(Ok);
        // A failure is an answer too; anything else, such as a trap, ends the program.
        let answer = answer.or_else(|error| error.downcast::<Failure>().map(Err))?;
        println!("{}", serde_json::to_string(&answer)?);
    }
    Ok(())
}
