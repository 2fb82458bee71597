//! A node component in bare Wasmtime: `bare-host COMPONENT CREDENTIAL.json`, none of Nodule's host. It prints the node's
//! description, then answers each call that it reads from standard input, one JSON document a line, named as in Rust:
//! `{"group":"member","operation":"getMember","items":[{"parameters":"{\"cardNo\":\"M1\"}"}],"on_failure":"Continue",
//! "in_flight":8,"service":{"credential":"socialHubApi","base_url":"https://…","settings":"{}"}}`.
//! What an engine must add: a deadline (drop the future; epochs end loops), and `Store::limiter` for memory.

use exports::workflow::node::execution::{Call, ItemResult};
use exports::workflow::node::types::{BoundCredential, Failure};
use exports::workflow::node::{authentication, description, execution};
use std::time::{Duration, Instant};
use wasmtime::component::{Component, Instance, InstancePre, Linker};
use wasmtime::{Engine, Result, Store};
use world::World;

mod world;
wasmtime::component::bindgen!({
    path: "../../host/wit", world: "everything",
    exports: { default: async },
    with: { "wasi:io": wasmtime_wasi::p2::bindings::io },
    additional_derives: [Clone, serde::Deserialize, serde::Serialize],
});

/// A node and the fields of a credential, with a session for as long as the service accepts it. What of the contract the
/// node exports depends on its description, so that each interface is looked up when it is needed.
struct Service {
    node: InstancePre<World>,
    credential: String,
    session: Option<(authentication::Session, Instant)>,
}

impl Service {
    /// Each call has an instance of its own, which costs microseconds and shares nothing with another.
    async fn instance(&self) -> Result<(Store<World>, Instance)> {
        let mut store = Store::new(self.node.engine(), World::of(&self.credential)?);
        let node = self.node.instantiate_async(&mut store).await?;
        Ok((store, node))
    }

    /// A new session, or the old one renewed.
    async fn authenticate(&mut self, name: &str) -> Result<()> {
        let old = self.session.take().map(|(session, _)| session);
        let (mut store, node) = self.instance().await?;
        let interface = authentication::GuestIndices::new(&self.node)?.load(&mut store, &node)?;
        let (name, fields) = (name.to_owned(), self.credential.clone());
        let bound = BoundCredential { name, fields };
        let made = interface.call_authenticate(&mut store, &bound, old.as_ref());
        let session = made.await??;
        let lives = Duration::from_secs(session.expires_in_s.unwrap_or(u32::MAX).into());
        self.session = Some((session, Instant::now() + lives));
        Ok(())
    }

    /// The node adds the session's access to its requests, unless the call has an access of its own.
    async fn execute(&self, mut call: Call) -> Result<Vec<ItemResult>> {
        let access = self.session.as_ref().map(|(session, _)| session.access.clone());
        call.service.access = call.service.access.or(access);
        let (mut store, node) = self.instance().await?;
        let interface = execution::GuestIndices::new(&self.node)?.load(&mut store, &node)?;
        Ok(interface.call_execute(&mut store, &call).await??)
    }

    async fn run(&mut self, call: Call) -> Result<Vec<ItemResult>> {
        let Some(name) = call.service.credential.clone() else {
            return self.execute(call).await;
        };
        let ends = self.session.as_ref().map(|(_, ends)| *ends);
        if ends.is_none_or(|ends| Instant::now() >= ends) {
            self.authenticate(&name).await?;
        }
        let mut results = self.execute(call.clone()).await?;
        // The service refused the session before its time: those items again, once, with a new one.
        let is_refused = |at: &usize| matches!(results[*at], Err(Failure::Unauthenticated(_)));
        let refused: Vec<usize> = (0..results.len()).filter(is_refused).collect();
        if !refused.is_empty() && self.authenticate(&name).await.is_ok() {
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
        node: component,
        credential: std::fs::read_to_string(credential)?,
        session: None,
    };
    let (mut store, node) = service.instance().await?;
    let interface = description::GuestIndices::new(&service.node)?.load(&mut store, &node)?;
    let description = interface.call_describe(&mut store).await?;
    println!("{}", serde_json::to_string(&description)?);
    for line in std::io::stdin().lines() {
        let answer = service.run(serde_json::from_str(&line?)?).await.map(Ok);
        // A failure is an answer too; anything else, such as a trap, ends the program.
        let answer = answer.or_else(|error| error.downcast::<Failure>().map(Err))?;
        println!("{}", serde_json::to_string(&answer)?);
    }
    Ok(())
}
