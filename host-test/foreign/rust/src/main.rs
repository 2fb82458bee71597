//! A node component in bare Wasmtime: `bare-host COMPONENT CREDENTIAL.json`, none of Nodule's host. It prints the node's
//! description, then answers each batch that it reads from standard input, one JSON document a line:
//! `{"group":"member","operation":"getMember","items":["{\"cardNo\":\"M1\"}"],"inFlight":8,"onFailure":"continue"}`.
//!
//! What an engine must add: a policy of what may be reached (`WasiHttpHooks::send_request`, which can also keep connections
//! and add the session outside the sandbox), and limits (`Store::limiter` for memory, epochs for loops).

use std::io::{Write as _, stdin, stdout};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{from_str, json};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi_http::p2;

mod world;

use world::node::exports::workflow::node::authentication::Session;
use world::node::exports::workflow::node::execution::{Call, ItemResult, OnFailure};
use world::node::exports::workflow::node::types::Failure;
use world::{World, node};

/// A call that takes longer is given up. This ends a wait for the network; a loop needs an epoch deadline.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is read from standard input; items are JSON texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    group: String,
    operation: String,
    items: Vec<String>,
    in_flight: u32,
    on_failure: String,
}

/// Of the credential, all that may be in a call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    base_url: String,
}

/// A node and who it acts for.
struct Service {
    pre: node::NodePre<World>,
    credential: String,
    session: Option<(Session, Option<Instant>)>,
}

impl Service {
    /// Each call has an instance of its own, which costs microseconds and shares nothing with another.
    async fn instance(&self) -> Result<(Store<World>, node::Node)> {
        let mut store = Store::new(self.pre.engine(), World::default());
        let node = self.pre.instantiate_async(&mut store).await?;
        Ok((store, node))
    }

    /// A new session, or the old one renewed.
    async fn authenticate(&mut self) -> Result<Result<Session, Failure>> {
        let old = self.session.take().map(|(session, _)| session);
        let (mut store, node) = self.instance().await?;
        let call =
            node.workflow_node_authentication()
                .call_authenticate(&mut store, &self.credential, old.as_ref());
        let made = tokio::time::timeout(PATIENCE, call).await??;
        let ends = |seconds: u32| Instant::now() + Duration::from_secs(seconds.into());
        self.session = made
            .as_ref()
            .ok()
            .map(|session| (session.clone(), session.expires_in_s.map(ends)));
        Ok(made)
    }

    async fn execute(&self, call: Call, session: Session) -> Result<Result<Vec<ItemResult>, Failure>> {
        // A careful host adds the session's access itself, in the hook, and gives the node none.
        let call = Call {
            access: Some(session.access),
            ..call
        };
        let (mut store, node) = self.instance().await?;
        let execute = node.workflow_node_execution().call_execute(&mut store, &call);
        tokio::time::timeout(PATIENCE, execute).await?
    }

    async fn run(&mut self, call: Call) -> Result<Result<Vec<ItemResult>, Failure>> {
        let session = match &self.session {
            Some((session, ends)) if ends.is_none_or(|ends| Instant::now() < ends) => session.clone(),
            _ => match self.authenticate().await? {
                Ok(session) => session,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        let mut answer = self.execute(call.clone(), session).await?;
        // The service refused the session before its time: those items again, once, with a new one.
        let is_refused = |result: &&mut ItemResult| matches!(result, Err(Failure::Unauthenticated(_)));
        let refused: Vec<_> = answer
            .iter_mut()
            .flatten()
            .zip(&call.items)
            .filter(|(result, _)| is_refused(result))
            .collect();
        if !refused.is_empty()
            && let Ok(session) = self.authenticate().await?
        {
            let items = refused.iter().map(|(_, item)| String::clone(item)).collect();
            let call = Call {
                items,
                ..call.clone()
            };
            let again = self.execute(call, session).await?.unwrap_or_default();
            for ((result, _), new) in refused.into_iter().zip(again) {
                *result = new;
            }
        }
        Ok(answer)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let [component, credential] = [1, 2].map(|at| std::env::args().nth(at).unwrap_or_default());
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    p2::add_to_linker_async(&mut linker)?;
    let pre = node::NodePre::new(linker.instantiate_pre(&Component::from_file(&engine, component)?)?)?;
    let mut service = Service {
        pre,
        credential: std::fs::read_to_string(credential)?,
        session: None,
    };

    let (mut store, node) = service.instance().await?;
    let description = node.workflow_node_description().call_describe(&mut store).await?;
    writeln!(stdout(), "{}", json!(description))?;

    let Address { base_url } = from_str(&service.credential)?;
    for line in stdin().lines() {
        let batch: Batch = from_str(&line?)?;
        let stops = batch.on_failure == "stop";
        let call = Call {
            group: batch.group,
            operation: batch.operation,
            items: batch.items,
            on_failure: if stops {
                OnFailure::Stop
            } else {
                OnFailure::Continue
            },
            in_flight: batch.in_flight,
            base_url: base_url.clone(),
            access: None,
        };
        writeln!(stdout(), "{}", json!(service.run(call).await?))?;
    }
    Ok(())
}
