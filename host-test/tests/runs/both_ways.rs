//! The node by turns and through `wasi:http`: the same results and the same requests, to the byte.

use std::collections::HashSet;

use nodule::json::Json;
use nodule::recording::Recording;
use nodule::{Component, Credential, Engine, EngineConfig, ItemResult, RunOptions};
use serde_json::json;
use simulator::{Action, Config, Rule, Simulator};

use crate::support::{assert_every_operation, component, credential, recordings, simulator};

async fn both() -> [Component; 2] {
    let [by_turns, through_wasi] =
        [true, false].map(|turns| Engine::new(&EngineConfig::default().turns(turns)).unwrap());
    [
        by_turns.load_file(component()).await.unwrap(),
        through_wasi.load_file(component()).await.unwrap(),
    ]
}

fn shown(results: &[ItemResult]) -> Vec<Json> {
    let shown = |result: &ItemResult| match result {
        Ok(output) => output.iter().map(|json| json.get()).collect(),
        Err(failure) => failure.to_json(),
    };
    results.iter().map(shown).collect()
}

#[tokio::test]
async fn every_recorded_case_is_replayed_the_same() {
    let components = both().await;
    let mut replayed = HashSet::new();
    for file in recordings() {
        let recording = Recording::load(&file).unwrap();
        let case = recording.case().unwrap().clone();
        let options = RunOptions::default().on_failure(case.on_failure);
        let mut all = Vec::new();
        for component in &components {
            let runner = component.runner().replay(recording.clone()).build().unwrap();
            let items = case.items.iter().map(|item| item.parameters.clone()).collect();
            let results = runner
                .execute(&case.group, &case.operation, items, &options)
                .await
                .unwrap();
            // No recorded exchange is unused, so each request equals the recorded one.
            let unused = runner.unused();
            assert!(unused.operation.is_empty(), "{}", file.display());
            all.push(shown(&results));
        }
        assert_eq!(all[0], all[1], "{}", file.display());
        replayed.insert((case.group, case.operation));
    }
    assert_every_operation(&replayed);
}

#[tokio::test]
async fn every_fault_of_a_service_comes_to_the_same() {
    let components = both().await;
    let status = |code, retry_after: Option<&str>| Action::Status {
        code,
        retry_after: retry_after.map(str::to_owned),
        body: None,
    };
    let text = |text: &str| text.to_owned();
    let redirect = Action::Redirect {
        location: text("/elsewhere"),
        status: 302,
    };
    let said = Action::EnvelopeError {
        code: text("500"),
        message: text("no"),
    };
    for action in [
        status(429, Some("7")),
        status(503, None),
        status(403, None),
        redirect,
        said,
        Action::Html { status: 502 },
        Action::Text { text: text("hello") },
        Action::TruncatedJson,
        Action::WrongCharset { declared: None },
        Action::EmptyBody,
        Action::DeepNesting { depth: 10_000 },
        Action::ResetBeforeActing,
        Action::ResetAfterActing,
        Action::ResetMidAnswer,
        Action::CloseMidAnswer,
    ] {
        let mut all = Vec::new();
        for component in &components {
            // Each way has its own simulator, because faults are counted and writes change the state.
            let simulator: Simulator = simulator(Config::default());
            simulator
                .add_fault(Rule::new(action.clone()).path("/v1/points/adjustment"))
                .unwrap();
            let base = simulator.base_url();
            let credential = Credential::from_json(component.node(), &credential(&simulator)).unwrap();
            let runner = component.runner().credential(credential).build().unwrap();
            let item = json!({"accountCode": "M1", "operationId": "o-1", "pointValue": 5, "effectiveEndTime": "2030-12-31"});
            let missing = json!({"accountCode": "M1"});
            let options = RunOptions::default();
            let results = runner.execute("points", "adjustPoints", vec![item, missing], &options);
            let text = json!(shown(&results.await.unwrap())).to_string();
            all.push(text.replace(&base, "BASE"));
        }
        assert_eq!(all[0], all[1], "{action:?}");
        assert!(all[0].contains("invalid-parameters"), "{action:?}: {}", all[0]);
    }
}
