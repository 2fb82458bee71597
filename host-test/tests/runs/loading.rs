//! Loading a component: without blocking the runtime, once for equal bytes, and from code compiled earlier.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use nodule::{ArtifactKey, Component, Credential, Engine, EngineConfig, Error, Precompiler, Uncompiled};
use serde_json::json;
use simulator::Config;

use crate::support::{component, credential, simulator};

/// Much longer than a busy machine takes for anything here.
const PATIENCE: Duration = Duration::from_secs(120);

fn bytes() -> Vec<u8> {
    std::fs::read(component()).unwrap()
}

/// A compiler that blocks at the start until it is told to continue.
#[derive(Debug)]
struct Held {
    begun: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl Precompiler for Held {
    fn precompile(&self, _: &Uncompiled<'_>) -> Result<(), Error> {
        self.begun.lock().unwrap().send(()).unwrap();
        let told = self.go_on.lock().unwrap().recv_timeout(PATIENCE);
        told.map_err(|_| Error::Compile {
            message: "nothing else went on".to_owned(),
        })
    }
}

#[tokio::test(flavor = "current_thread")]
async fn compiling_holds_up_no_other_task_of_the_thread() {
    let (begun, has_begun) = channel();
    let (told, go_on) = channel();
    let held = Held {
        begun: Mutex::new(begun),
        go_on: Mutex::new(go_on),
    };
    let engine = Engine::new(&EngineConfig::default().precompiler(held)).unwrap();
    let (bytes, loading) = (bytes(), AtomicUsize::new(0));
    let load = async {
        let loaded = engine.load(&bytes).await;
        loading.fetch_add(1, Ordering::Relaxed);
        loaded
    };
    // The compiler waits for this task, which meanwhile runs a thousand times.
    let other = async {
        while has_begun.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(loading.load(Ordering::Relaxed), 0);
        told.send(()).unwrap();
    };
    let (loaded, ()) = tokio::join!(load, other);
    assert_eq!(loaded.unwrap().node().name, "socialHub");
}

/// Counts how often a component is compiled.
#[derive(Debug, Default, Clone)]
struct Counting(Arc<AtomicUsize>);

impl Precompiler for Counting {
    fn precompile(&self, _: &Uncompiled<'_>) -> Result<(), Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_are_compiled_once_also_where_they_are_loaded_at_once() {
    let counting = Counting::default();
    let count = || counting.0.load(Ordering::Relaxed);
    let engine = Engine::new(&EngineConfig::default().precompiler(counting.clone())).unwrap();
    let bytes = bytes();
    let loads = (0..8).map(|_| {
        let (engine, bytes) = (engine.clone(), bytes.clone());
        tokio::spawn(async move { engine.load(&bytes).await.unwrap() })
    });
    let mut loaded: Vec<Component> = Vec::new();
    for load in loads.collect::<Vec<_>>() {
        loaded.push(load.await.unwrap());
    }
    assert_eq!(count(), 1);
    engine.load(&bytes).await.unwrap();
    assert_eq!(count(), 1);
    // A component without an owner is not kept.
    drop(loaded);
    engine.load(&bytes).await.unwrap();
    assert_eq!(count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_failed_or_was_given_up_is_in_nobodys_way() {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let bytes = bytes();
    let cut_off = &bytes[..bytes.len() / 2];
    assert!(engine.load(cut_off).await.is_err());
    assert!(engine.load(cut_off).await.is_err());
    assert!(engine.load(&bytes).now_or_never().is_none());
    engine.load(&bytes).await.unwrap();
}

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_is_serialised_and_loaded_again_without_compiling() {
    let key = ArtifactKey::new(SECRET).unwrap();
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let first = engine.load(&bytes()).await.unwrap();
    let artifact = first.serialize(&key).unwrap();

    let counting = Counting::default();
    let another = Engine::new(&EngineConfig::default().precompiler(counting.clone())).unwrap();
    let second = another.load_serialized(&artifact, &key).await.unwrap();
    assert_eq!(counting.0.load(Ordering::Relaxed), 0);
    assert_eq!((second.digest(), second.node()), (first.digest(), first.node()));
    // The component's bytes and its serialized form give the same node.
    let third = another.load(&bytes()).await.unwrap();
    assert!(std::ptr::eq(second.node(), third.node()));
    assert_eq!(counting.0.load(Ordering::Relaxed), 0);

    let simulator = simulator(Config::default());
    let credential = Credential::from_json(second.node(), &credential(&simulator)).unwrap();
    let runner = second.runner().credential(credential).build().unwrap();
    let items = vec![json!({"cardNo": "M1"})];
    let results = runner
        .execute("member", "getMember", items, &nodule::RunOptions::default())
        .await
        .unwrap();
    assert!(results[0].is_ok(), "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artefact_with_another_key_or_a_changed_byte_is_refused_before_it_is_read() {
    let key = ArtifactKey::new(SECRET).unwrap();
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let artifact = {
        let component = engine.load(&bytes()).await.unwrap();
        component.serialize(&key).unwrap()
    };
    let refused = async |artifact: &[u8], key: &ArtifactKey| {
        let error = engine.load_serialized(artifact, key).await.unwrap_err();
        assert!(
            matches!(error, Error::Artifact { .. }) && error.hint().is_some(),
            "{error}"
        );
        error.to_string()
    };
    let other = ArtifactKey::new(b"0123456789abcdef0123456789abcdeX").unwrap();
    let changed = "another key made it, or it was changed";
    assert!(refused(&artifact, &other).await.contains(changed));
    let last = artifact.len() - 1;
    // The format number, the version, the digest, the code and the tag.
    for (at, said) in [
        (17, "another format"),
        (19, changed),
        (60, changed),
        (1_000, changed),
        (last / 2, changed),
        (last, changed),
    ] {
        let mut artifact = artifact.clone();
        artifact[at] ^= 1;
        let told = refused(&artifact, &key).await;
        assert!(told.contains(said), "{at}: {told}");
    }
    assert!(refused(&artifact[..last], &key).await.contains(changed));
    assert!(refused(&[], &key).await.contains("it is none"));
    // A file that Wasmtime itself would accept.
    assert!(refused(&bytes(), &key).await.contains("it is none"));
}

#[test]
fn a_short_key_is_refused_and_none_is_shown() {
    let error = ArtifactKey::new(&SECRET[1..]).unwrap_err();
    assert!(error.to_string().contains("at least 32 random bytes, found 31"));
    assert_eq!(
        format!("{:?}", ArtifactKey::new(SECRET).unwrap()),
        "ArtifactKey([secret])"
    );
}
