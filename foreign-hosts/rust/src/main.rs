//! A node component in bare Wasmtime: `bare-host COMPONENT CREDENTIAL.json`, none of Nodule's host. It prints the node's
//! description, then answers each call that it reads from standard input, one JSON document a line, named as in Rust:
//! `{"group":"member","operation":"getMember","items":[{"parameters":"{\"cardNo\":\"M1\"}"}],"on_failure":"Continue",
//! "in_flight":8,"service":{"credential":"socialHubApi","base_url":"https://…","settings":"{}"}}`. A line
//! `{"values":{"group":…,"operation":…,"parameter":…,"filled_in":"{}","service":…}}` asks for the choices of a parameter, and
//! `{"fields":…}` for its columns. A line `{"transfer":{"group":…,"operation":…,"parameters":"{}","files":[{"key":"data","path":"…",
//! "file_name":…,"media_type":…}],"in_flight":1,"service":…},"folder":"…"}` runs an item with files; what comes out is written to the
//! folder.
//! What an engine must add: a deadline (drop the future; epochs end loops), and `Store::limiter` for memory.

use exports::workflow::node::choices::{Page, Question};
use exports::workflow::node::description::{Parameter, Scheme};
use exports::workflow::node::execution::{Call, ItemResult};
use exports::workflow::node::types::{BoundCredential, Failure};
use exports::workflow::node::{authentication, choices, description, execution};
use files::{Transfer, Written};
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, Instance, InstancePre, Linker};
use wasmtime::{Engine, Result, Store};
use world::World;

mod files;
mod fixed;
mod world;
wasmtime::component::bindgen!({
    path: "../../host/wit",
    inline: "package bare:host; world plain { include workflow:node/node@0.2.0; export workflow:node/authentication@0.2.0; export workflow:node/choices@0.2.0; }",
    world: "bare:host/plain",
    exports: { default: async },
    with: { "wasi:io": wasmtime_wasi::p2::bindings::io },
    additional_derives: [Clone, serde::Deserialize, serde::Serialize],
});

/// A node and the fields of a credential, with a session for as long as the service accepts it. What of the contract the
/// node exports depends on its description, so that each interface is looked up when it is needed.
struct Service {
    node: InstancePre<World>,
    description: description::Node,
    credential: String,
    session: Option<(authentication::Session, Instant)>,
}

impl Service {
    async fn new(node: InstancePre<World>, credential: String) -> Result<Self> {
        let (mut store, instance) = instance(&node, &credential).await?;
        let interface = description::GuestIndices::new(&node)?.load(&mut store, &instance)?;
        Ok(Self {
            description: interface.call_describe(&mut store).await?,
            node,
            credential,
            session: None,
        })
    }

    /// How this credential becomes access.
    fn scheme(&self, name: &str) -> Option<&Scheme> {
        let mut known = self.description.credentials.iter();
        Some(&known.find(|known| known.name == name)?.scheme)
    }

    /// Makes what the credential adds to requests, unless it is there.
    async fn prepare(&mut self, service: &execution::Service) -> Result<()> {
        let Some(name) = &service.credential else {
            return Ok(());
        };
        if self
            .session
            .as_ref()
            .is_some_and(|(_, ends)| Instant::now() < *ends)
        {
            return Ok(());
        }
        let Some(Scheme::Fixed(placement)) = self.scheme(name) else {
            return self.authenticate(name).await;
        };
        let access = fixed::access(
            placement,
            &self.description,
            &serde_json::from_str(&self.credential)?,
        );
        self.keep(authentication::Session {
            access,
            expires_in_s: None,
            renewal: None,
        });
        Ok(())
    }

    /// A new session, or the old one renewed.
    async fn authenticate(&mut self, name: &str) -> Result<()> {
        let old = self.session.take().map(|(session, _)| session);
        let (mut store, node) = instance(&self.node, &self.credential).await?;
        let interface = authentication::GuestIndices::new(&self.node)?.load(&mut store, &node)?;
        let (name, fields) = (name.to_owned(), self.credential.clone());
        let bound = BoundCredential { name, fields };
        let made = interface.call_authenticate(&mut store, &bound, old.as_ref());
        self.keep(made.await??);
        Ok(())
    }

    fn keep(&mut self, session: authentication::Session) {
        let lives = Duration::from_secs(session.expires_in_s.unwrap_or(u32::MAX).into());
        self.session = Some((session, Instant::now() + lives));
    }

    /// The node adds the session's access to its requests, unless the call has an access of its own.
    fn with_access(&self, service: execution::Service) -> execution::Service {
        let access = self.session.as_ref().map(|(session, _)| session.access.clone());
        execution::Service {
            access: service.access.or(access),
            ..service
        }
    }

    async fn execute(&self, mut call: Call) -> Result<Vec<ItemResult>> {
        call.service = self.with_access(call.service);
        let (mut store, node) = instance(&self.node, &self.credential).await?;
        let interface = execution::GuestIndices::new(&self.node)?.load(&mut store, &node)?;
        Ok(interface.call_execute(&mut store, &call).await??)
    }

    async fn run(&mut self, call: Call) -> Result<Vec<ItemResult>> {
        self.prepare(&call.service).await?;
        let mut results = self.execute(call.clone()).await?;
        // The service refused the session before its time: those items again, once, with a new one.
        let is_refused = |at: &usize| matches!(results[*at], Err(Failure::Unauthenticated(_)));
        let refused: Vec<usize> = (0..results.len()).filter(is_refused).collect();
        let name = call.service.credential.clone().unwrap_or_default();
        let is_renewed = !refused.is_empty() && matches!(self.scheme(&name), Some(Scheme::Session));
        if is_renewed && self.authenticate(&name).await.is_ok() {
            let items = refused.iter().map(|at| call.items[*at].clone()).collect();
            let again = self.execute(Call { items, ..call }).await?;
            for (at, result) in refused.into_iter().zip(again) {
                results[at] = result;
            }
        }
        Ok(results)
    }

    /// A page of the choices that a parameter has.
    async fn values(&mut self, mut question: Question) -> Result<Page> {
        self.prepare(&question.service).await?;
        question.service = self.with_access(question.service);
        let (mut store, node) = instance(&self.node, &self.credential).await?;
        let interface = choices::GuestIndices::new(&self.node)?.load(&mut store, &node)?;
        Ok(interface.call_values(&mut store, &question).await??)
    }

    /// The columns that a parameter has.
    async fn fields(&mut self, mut question: Question) -> Result<Vec<Parameter>> {
        self.prepare(&question.service).await?;
        question.service = self.with_access(question.service);
        let (mut store, node) = instance(&self.node, &self.credential).await?;
        let interface = choices::GuestIndices::new(&self.node)?.load(&mut store, &node)?;
        Ok(interface.call_fields(&mut store, &question).await??)
    }

    /// An item with files.
    async fn transfer(&mut self, mut call: Transfer, folder: &str) -> Result<Vec<Written>> {
        self.prepare(&call.service).await?;
        call.service = self.with_access(call.service);
        files::transfer(
            instance(&self.node, &self.credential).await?,
            call,
            folder.as_ref(),
        )
        .await
    }

    /// Answers a line.
    async fn answer(&mut self, line: &str) -> Result<String> {
        let mut line: Value = serde_json::from_str(line)?;
        if !line["transfer"].is_null() {
            let call = serde_json::from_value(line["transfer"].take())?;
            let folder = line["folder"].as_str().unwrap_or_default();
            return written(self.transfer(call, folder).await);
        }
        match [line["values"].take(), line["fields"].take()] {
            [Value::Null, Value::Null] => written(self.run(serde_json::from_value(line)?).await),
            [values, Value::Null] => written(self.values(serde_json::from_value(values)?).await),
            [_, fields] => written(self.fields(serde_json::from_value(fields)?).await),
        }
    }
}

/// Each call has an instance of its own, which costs microseconds and shares nothing with another.
async fn instance(node: &InstancePre<World>, credential: &str) -> Result<(Store<World>, Instance)> {
    let mut store = Store::new(node.engine(), World::of(credential)?);
    let instance = node.instantiate_async(&mut store).await?;
    Ok((store, instance))
}

/// A failure is an answer too; anything else, such as a trap, ends the program.
fn written(answer: Result<impl Serialize>) -> Result<String> {
    let answer = answer.map(Ok);
    let answer = answer.or_else(|error| error.downcast::<Failure>().map(Err))?;
    Ok(serde_json::to_string(&answer)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let [component, credential] = [1, 2].map(|at| std::env::args().nth(at).unwrap_or_default());
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi_http::p2::add_to_linker_async(&mut linker)?;
    let component = linker.instantiate_pre(&Component::from_file(&engine, component)?)?;
    let mut service = Service::new(component, std::fs::read_to_string(credential)?).await?;
    println!("{}", serde_json::to_string(&service.description)?);
    for line in std::io::stdin().lines() {
        println!("{}", service.answer(&line?).await?);
    }
    Ok(())
}
