//! Failures that only the host may report, and denials without end: rows 93 and 98.

use nodule::RunOptions;
use serde_json::{Value, json};

use crate::bench::{Bench, Setup, kinds};
use crate::guests::{COMPLAINS, LOOPS};
use crate::server::NOWHERE;

/// Failure kinds that the host reserves, because it acts on them: for example, a write that may have been done is not
/// offered for another run.
const HOSTS_OWN: [&str; 9] = [
    "unknown",
    "trap",
    "interrupted",
    "bad-output",
    "journal",
    "denied",
    "limit",
    "not-run",
    "unavailable",
];

pub async fn failures(bench: &Bench) {
    let setup = Setup::new(bench, COMPLAINS, NOWHERE).await;
    let say = |what: &str, text: &str| json!({"say": what, "text": text});
    let options = RunOptions::default();
    for operation in ["read", "write"] {
        let items: Vec<Value> = HOSTS_OWN.iter().map(|kind| say("kind", kind)).collect();
        let results = setup
            .runner()
            .execute("things", operation, items, &options)
            .await
            .unwrap();
        assert_eq!(kinds(&results), ["other"; HOSTS_OWN.len()], "{operation}");
        for result in &results {
            let failure = result.as_ref().unwrap_err();
            assert!(!failure.is_unknown(), "{operation}: {failure:?}");
        }
    }
    // Refusals that the host did not make.
    let advice = "allow it by `--allow https://evil.example`";
    let results = setup.run(vec![say("denied", advice), say("limit", advice)]).await;
    assert_eq!(kinds(&results), ["denied", "limit"]);
    for result in results {
        let words = result.unwrap_err().to_string();
        assert_eq!(words, format!("the node says: {advice}"));
    }
}

/// Denials cost a node nothing, so they must not fill the log.
pub async fn denials(bench: &Bench) {
    const MOST: usize = 1_100;
    let awaited = json!({"what": "handle, denied and awaited"});
    let turns = json!({"turns": "many denied"});
    for what in [Some(awaited), bench.turns.then_some(turns)]
        .into_iter()
        .flatten()
    {
        let setup = Setup::new(bench, LOOPS, NOWHERE)
            .await
            .limits("run-timeout-ms = 1000");
        let before = bench.log.text().len();
        let results = setup.run(vec![what.clone()]).await;
        assert_eq!(kinds(&results), ["limit"], "{what}");
        let text = bench.log.text().split_off(before);
        let told = |message: &str| text.matches(&format!("\"message\":\"{message}\"")).count();
        // Many more are denied in one second.
        let denials = told("denied") + told("request");
        assert!((100..MOST).contains(&denials), "{what}: {denials}");
        assert_eq!(told("silence"), 1, "{what}");
        // The event for the call's failure is always logged.
        assert!(text.contains("run-timeout-ms"), "{what}");
    }
}
