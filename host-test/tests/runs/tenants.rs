//! What the runs of a tenant share, and when it is forgotten.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nodule::network::{Network, Pending, System};
use nodule::{Budget, Component, Credential, Engine, EngineConfig, RunOptions, Runner};
use serde_json::{Value, json};
use simulator::{Config, Simulator};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::support::{component, credential, simulator};

async fn loaded(config: &EngineConfig) -> (Engine, Component) {
    let engine = Engine::new(config).unwrap();
    let component = engine.load_file(component()).await.unwrap();
    (engine, component)
}

fn runner(component: &Component, simulator: &Simulator, tenant: &str, budget: Option<&Budget>) -> Runner {
    let credential = Credential::from_json(component.node(), &credential(simulator)).unwrap();
    let builder = component.runner().credential(credential).tenant(tenant);
    match budget {
        Some(budget) => builder.budget(budget.clone()).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

async fn read(runner: &Runner, count: usize) {
    let items: Vec<Value> = (0..count)
        .map(|item| json!({"cardNo": format!("M{item}")}))
        .collect();
    let results = runner
        .execute("member", "getMember", items, &RunOptions::default())
        .await
        .unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(results.len(), count);
}

/// How long two runs of two runners take at the same time, with six items each.
async fn both(component: &Component, simulator: &Simulator, budget: &Budget) -> Duration {
    let [one, other] = ["one", "other"].map(|tenant| runner(component, simulator, tenant, Some(budget)));
    for runner in [&one, &other] {
        runner.check_credential().await.unwrap();
    }
    let begun = Instant::now();
    tokio::join!(read(&one, 6), read(&other, 6));
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_two_runners_share_a_rate() {
    let simulator = simulator(Config::default());
    let (_, component) = loaded(&EngineConfig::default()).await;
    let budget = Budget::new().rate("20/s".parse().unwrap());
    // Twelve requests have eleven intervals between them; two separate runs would have five each.
    let took = both(&component, &simulator, &budget).await;
    assert!(took >= Duration::from_millis(11 * 50 - 10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_two_runners_share_the_requests_in_flight() {
    let latency = Duration::from_millis(50);
    let simulator = simulator(Config {
        latency,
        ..Config::default()
    });
    let (_, component) = loaded(&EngineConfig::default()).await;
    let budget = Budget::new().requests_in_flight(1);
    // Requests run one after the other; without the shared budget, those of the two runs would overlap.
    let took = both(&component, &simulator, &budget).await;
    assert!(took >= latency * 12, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sessions_of_a_tenant_are_forgotten_and_those_of_another_are_kept() {
    let simulator = simulator(Config::default());
    let (engine, component) = loaded(&EngineConfig::default()).await;
    let [one, other] = ["one", "other"].map(|tenant| runner(&component, &simulator, tenant, None));
    let logins = || simulator.stats().token_requests;
    for _ in 0..2 {
        read(&one, 1).await;
        read(&other, 1).await;
    }
    assert_eq!(logins(), 2);
    engine.forget_sessions("one");
    read(&other, 1).await;
    assert_eq!(logins(), 2, "the other tenant's was kept");
    read(&one, 1).await;
    assert_eq!(logins(), 3);
    // The session of one runner's credential.
    other.forget_session();
    read(&one, 1).await;
    assert_eq!(logins(), 3);
    read(&other, 1).await;
    assert_eq!(logins(), 4);
}

/// A network that connects only when permitted.
#[derive(Debug, Clone)]
struct Held {
    begun: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
}

impl Network for Held {
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Vec<std::net::IpAddr>> {
        System.resolve(name)
    }

    fn connect(&self, address: SocketAddr) -> Pending<'_, TcpStream> {
        self.begun.add_permits(1);
        Box::pin(async move {
            self.let_go.acquire().await.unwrap().forget();
            TcpStream::connect(address).await
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_forgotten_while_it_is_made_is_used_for_nothing() {
    let simulator = simulator(Config::default());
    let held = Held {
        begun: Arc::new(Semaphore::new(0)),
        let_go: Arc::new(Semaphore::new(0)),
    };
    let (engine, component) = loaded(&EngineConfig::default().network(held.clone())).await;
    let one = runner(&component, &simulator, "one", None);
    let checking = {
        let one = one.clone();
        tokio::spawn(async move { one.check_credential().await })
    };
    held.begun.acquire().await.unwrap().forget();
    engine.forget_sessions("one");
    held.let_go.add_permits(1_000);
    checking.await.unwrap().unwrap();
    assert_eq!(simulator.stats().token_requests, 2);
    read(&one, 1).await;
    assert_eq!(simulator.stats().token_requests, 2, "the second was kept");
}
