//! Items overlap, results keep their order, and `stop` stops.

use super::script::{Reply, Script, call, reply, scripted, texts};
use nodule_sdk::Failure;
use nodule_sdk::bindings::exports::workflow::node::execution::{ItemResult, OnFailure};

const OPERATION: &str = "member.getMember";

fn card(number: usize) -> String {
    format!(r#"{{"cardNo":"M{number}"}}"#)
}

/// Run items with so many requests in flight.
fn run(script: &Script, items: &[String], in_flight: u32, on_failure: OnFailure) -> Vec<ItemResult> {
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let mut call = call(OPERATION, &items);
    call.in_flight = in_flight;
    call.on_failure = on_failure;
    script.execute(call).unwrap()
}

fn told(results: &[ItemResult]) -> Vec<String> {
    results
        .iter()
        .map(|result| match result {
            Ok(items) => texts(items).join(","),
            Err(Failure::NotRun) => "not run".to_owned(),
            Err(Failure::Rejected(answer)) => format!("rejected {}", answer.status),
            Err(Failure::InvalidParameters(_)) => "invalid".to_owned(),
            Err(failure) => format!("{failure:?}"),
        })
        .collect()
}

#[test]
fn requests_overlap_as_far_as_they_may() {
    let items: Vec<String> = (0..20).map(card).collect();
    for (in_flight, most_open) in [(0, 1), (1, 1), (3, 3), (8, 8), (64, 20), (u32::MAX, 20)] {
        let script = scripted((0..20).map(|number| reply(200, format!("{{\"n\":{number}}}")).after(5)));
        let results = run(&script, &items, in_flight, OnFailure::Continue);
        assert_eq!(script.most_open(), most_open, "in flight {in_flight}");
        let expected: Vec<String> = (0..20).map(|number| format!("{{\"n\":{number}}}")).collect();
        assert_eq!(told(&results), expected);
    }
}

#[test]
fn one_at_a_time_is_strictly_one_after_the_other() {
    let script = scripted((0..3).map(|_| reply(200, "{}").after(2)));
    run(
        &script,
        &(0..3).map(card).collect::<Vec<_>>(),
        0,
        OnFailure::Continue,
    );
    assert_eq!(
        script.events().as_slice(),
        ["start 1", "end 1", "start 2", "end 2", "start 3", "end 3"]
    );
}

#[test]
fn results_stand_in_the_order_of_the_items_whatever_came_first() {
    let script =
        scripted((0..5).map(|number| reply(200, format!("{{\"n\":{number}}}")).after(20 - number * 4)));
    let results = run(
        &script,
        &(0..5).map(card).collect::<Vec<_>>(),
        5,
        OnFailure::Continue,
    );
    assert_eq!(script.events().last().map(String::as_str), Some("end 1"));
    assert_eq!(
        told(&results),
        (0..5)
            .map(|number| format!("{{\"n\":{number}}}"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn one_failing_item_never_hides_the_others() {
    let items = [
        card(0),
        "{}".to_owned(),
        "no json".to_owned(),
        "[]".to_owned(),
        card(4),
        card(5),
    ];
    let script = scripted([reply(200, "{}"), reply(404, ""), reply(200, "{}")]);
    let results = told(&run(&script, &items, 2, OnFailure::Continue));
    assert_eq!(results[0], "{}");
    assert_eq!(results[1], "invalid");
    assert!(results[2].contains("item is not JSON"), "{results:?}");
    assert!(
        results[3].contains("expected an item that is a JSON object, found `[]`"),
        "{results:?}"
    );
    assert_eq!(results[4..], ["rejected 404", "{}"]);
}

#[test]
fn stop_starts_nothing_after_a_failure_and_ends_what_is_under_way() {
    let items: Vec<String> = (0..5).map(card).collect();
    let script = scripted([reply(200, "{}"), reply(404, "")]);
    assert_eq!(
        told(&run(&script, &items, 1, OnFailure::Stop)),
        ["{}", "rejected 404", "not run", "not run", "not run"]
    );

    let delayed = |status: u16, delay: usize| -> Reply { reply(status, "").after(delay) };
    let script = scripted([delayed(200, 9), delayed(404, 1), delayed(200, 9)]);
    assert_eq!(
        told(&run(&script, &items, 3, OnFailure::Stop)),
        ["{}", "rejected 404", "{}", "not run", "not run"]
    );

    // An item that fails before it sends anything stops the ones beside it, too.
    let items = ["{}".to_owned(), card(1), card(2)];
    assert_eq!(
        told(&run(&scripted([]), &items, 3, OnFailure::Stop)),
        ["invalid", "not run", "not run"]
    );
}

#[test]
fn no_items_are_no_results() {
    assert!(run(&scripted([]), &[], 4, OnFailure::Stop).is_empty());
}
