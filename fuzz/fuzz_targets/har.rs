//! A recording is read or refused; one that was read is written and read again as the same, as it is and as the recorder
//! writes its exchanges.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use nodule_core::recording::{Exchange, Meta, Outcome, Player, Recorder, Recording, Role};

fuzz_target!(|bytes: &[u8]| {
    let Ok(recording) = Recording::from_json(bytes, "fuzz.har") else {
        return;
    };
    let again = written(&recording);
    assert_eq!(again.to_json(), recording.to_json());
    same(&again, &recording);
    recorded(&recording);
    // Made ready for a replay, whatever it holds.
    let base = "https://api.example.com/v1".parse().expect("a URL");
    drop(Player::new(recording, &base));
});

fn written(recording: &Recording) -> Recording {
    Recording::from_json(recording.to_json().as_bytes(), "fuzz.har").expect("what was written can be read")
}

fn same(one: &Recording, other: &Recording) {
    assert_eq!(one.exchanges(), other.exchanges());
    assert_eq!(one.case(), other.case());
    assert_eq!(one.component(), other.component());
    assert_eq!(one.recorded_against(), other.recorded_against());
    assert_eq!(one.comment(), other.comment());
}

/// The exchanges of a recording as if they had just happened.
fn recorded(recording: &Recording) {
    let Some(case) = recording.case() else { return };
    let mut meta = Meta::new(&case.group, &case.operation, case.base_url.clone());
    meta.on_failure = case.on_failure;
    meta.credential.clone_from(&case.credential);
    meta.declared.clone_from(&case.declared);
    meta.component = recording.component().cloned();
    meta.recorded_against = recording.recorded_against().map(ToOwned::to_owned);
    meta.comment = recording.comment().map(ToOwned::to_owned);
    let recorder = Recorder::new(meta, []);
    for exchange in recording.exchanges() {
        recorder.push(exchange.clone());
    }
    let new = recorder
        .finish(case.items.clone())
        .expect("every exchange names an item that is there");
    same(&written(&new), &new);
    let mut before: Vec<&Exchange> = recording.exchanges().iter().collect();
    before.sort_by_key(|exchange| exchange.started);
    assert_eq!(new.exchanges().len(), before.len());
    for (new, before) in new.exchanges().iter().zip(before) {
        assert_eq!(
            (new.role, new.item, new.started),
            (before.role, before.item, before.started)
        );
        assert!(
            new.duration.abs_diff(before.duration) <= Duration::from_micros(2)
                || before.duration > MANY_YEARS
        );
        assert_eq!(new.request.method, before.request.method);
        if before.role == Role::Authentication {
            assert!(
                new.request.body.is_empty() || new.request.body == "redacted",
                "what was sent is dropped"
            );
            continue;
        }
        assert_eq!(new.request.body, before.request.body);
        kept(&new.request.headers, &before.request.headers);
        match (&new.outcome, &before.outcome) {
            (Outcome::Answer(new), Outcome::Answer(before)) => {
                assert_eq!(
                    (new.status, &new.body, &new.broken),
                    (before.status, &before.body, &before.broken)
                );
                kept(&new.headers, &before.headers);
            }
            (new, before) => assert_eq!(new, before),
        }
    }
}

/// A number of milliseconds this large has no digits left for microseconds.
const MANY_YEARS: Duration = Duration::from_secs(1 << 30);

/// The headers are the same but for those that carry credentials, which are gone.
fn kept(new: &[(String, String)], before: &[(String, String)]) {
    const HIDDEN: [&str; 4] = ["authorization", "cookie", "set-cookie", "proxy-authorization"];
    assert!(
        !new.iter()
            .any(|(name, _)| HIDDEN.contains(&name.to_ascii_lowercase().as_str()))
    );
    let mut before = before.iter();
    assert!(
        new.iter().all(|header| before.any(|before| before == header)),
        "in their order, none added"
    );
}
