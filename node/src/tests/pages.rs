//! `returnAll` turns pages until one is empty, repeats the one before, or the limit is reached.

use super::script::{Texts, body, call, problems, reply, scripted, sent, texts};
use nodule_sdk::Failure;

fn all(operation: &str, item: &str, pages: &[&str]) -> (Texts, Vec<String>) {
    let script = scripted(pages.iter().map(|page| reply(200, page)));
    let result = script
        .execute(call(operation, &[item]))
        .unwrap()
        .remove(0)
        .map(|outputs| texts(&outputs));
    (result, script.requests())
}

#[test]
fn every_page_is_asked_for_until_one_is_empty() {
    let pages = [
        r#"{"code":"200","data":{"list":[{"n":1.0},{"n":12345678901234567890}],"total":"?"}}"#,
        // Fewer rows than asked for are not the end: a server may cap the size.
        r#"{"code":"200","data":{"list":[{"n":3}]}}"#,
        r#"{"code":"200","data":{"list":[]}}"#,
    ];
    let (items, lines) = all(
        "points.getPointsRecords",
        r#"{"accountCode":"A/1","returnAll":true,"pageNo":7,"pageSize":"x","status":1}"#,
        &pages,
    );
    assert_eq!(
        items.unwrap(),
        [r#"{"n":1.0}"#, r#"{"n":12345678901234567890}"#, r#"{"n":3}"#]
    );
    let line = |page: u32| format!("GET /v1/points/pointsRecords/A%2F1?pageNo={page}&pageSize=100&status=1");
    assert_eq!(lines, [line(1), line(2), line(3)]);

    let (items, lines) = all(
        "order.getTransactionList",
        r#"{"consumerCode":"C","returnAll":"true"}"#,
        &[r#"{"data":[{"a":1}]}"#, "{}"],
    );
    assert_eq!(items.unwrap(), [r#"{"a":1}"#]);
    assert_eq!(
        lines[1],
        "POST /v1/transactions/page/C\n{\"pageNo\":2,\"pageSize\":100}"
    );
}

#[test]
fn rows_are_found_in_every_attested_shape() {
    for (page, rows) in [
        (r#"{"data":{"list":[{"a":1}]}}"#, 1),
        (r#"{"data":[{"a":1},{"a":2}]}"#, 2),
        (r#"[{"a":1}]"#, 1),
        (r#"{"data":{"list":null}}"#, 0),
        (r#"{"data":null}"#, 0),
        (r#"{"data":{}}"#, 0),
        (r#"{"data": { } }"#, 0),
        (r#"{"code":200}"#, 0),
        ("", 0),
    ] {
        let pages = if rows == 0 { vec![page] } else { vec![page, "{}"] };
        let (items, _) = all(
            "points.getPointsAccount",
            r#"{"cardNo":"M","returnAll":true}"#,
            &pages,
        );
        assert_eq!(items.unwrap().len(), rows, "{page}");
    }
    for page in [
        r#"{"data":{"rows":[{"a":1}]}}"#,
        r#"{"data":"x"}"#,
        r#"{"data":{"list":{"a":1}}}"#,
    ] {
        match all(
            "points.getPointsAccount",
            r#"{"cardNo":"M","returnAll":true}"#,
            &[page],
        )
        .0
        {
            Err(Failure::Unintelligible(answer)) => {
                assert!(answer.message.contains("`data.list`"), "{}", answer.message);
            }
            result => panic!("{page}: {result:?}"),
        }
    }
    // An item is an object.
    let (items, _) = all(
        "points.getPointsAccount",
        r#"{"cardNo":"M","returnAll":true}"#,
        &[r#"{"data":[1,"x"]}"#, "{}"],
    );
    assert_eq!(items.unwrap(), [r#"{"data":1}"#, r#"{"data":"x"}"#]);
}

#[test]
fn a_page_that_repeats_the_one_before_is_the_end() {
    let page = r#"{"data":{"list":[{"a":1},{"a":2}]}}"#;
    let (items, lines) = all(
        "member.getMemberList",
        r#"{"consumerCode":"C","returnAll":true}"#,
        &[page, page],
    );
    assert_eq!((items.unwrap().len(), lines.len()), (2, 2));
}

#[test]
fn a_limit_ends_it() {
    let pages = [
        r#"{"data":{"list":[{"a":1},{"a":2}]}}"#,
        r#"{"data":{"list":[{"a":3},{"a":4}]}}"#,
    ];
    for (limit, rows, requests) in [("1", 1, 1), ("2", 2, 1), ("\"3\"", 3, 2)] {
        let item = format!(r#"{{"consumerCode":"C","returnAll":true,"limit":{limit}}}"#);
        let (items, lines) = all("member.getMemberList", &item, &pages);
        assert_eq!((items.unwrap().len(), lines.len()), (rows, requests), "{limit}");
    }
    for limit in ["0", "-1", "1.5", "\"x\""] {
        let item = format!(r#"{{"consumerCode":"C","returnAll":true,"limit":{limit}}}"#);
        let found = problems("member.getMemberList", &item);
        assert!(
            found[0].starts_with("/limit Limit: expected a whole number from 1 on, found "),
            "{found:?}"
        );
    }
    // A blank limit is none, as is one beyond what can be counted; without `returnAll` it is hidden.
    for limit in ["null", "\"\"", "99999999999999999999999"] {
        let item = format!(r#"{{"consumerCode":"C","returnAll":true,"limit":{limit}}}"#);
        assert_eq!(
            all("member.getMemberList", &item, &[pages[0], pages[1], "{}"])
                .0
                .unwrap()
                .len(),
            4,
            "{limit}"
        );
    }
    assert_eq!(
        sent("member.getMemberList", r#"{"consumerCode":"C","limit":"x"}"#),
        "GET /v1/member/list/C?pageNo=1&pageSize=10"
    );
}

#[test]
fn a_blank_return_all_is_off() {
    for blank in ["null", "\"\"", "false", "\"false\""] {
        let item = format!(r#"{{"consumerCode":"C","returnAll":{blank},"pageNo":2}}"#);
        assert_eq!(
            body("order.getTransactionList", &item),
            r#"{"pageNo":2,"pageSize":10}"#,
            "{blank}"
        );
    }
    let found = problems(
        "order.getTransactionList",
        r#"{"consumerCode":"C","returnAll":"yes"}"#,
    );
    assert_eq!(
        found,
        [r#"/returnAll Return All: expected `true` or `false`, found "yes""#]
    );
}

#[test]
fn a_failing_page_fails_the_item() {
    let script = scripted([reply(200, r#"{"data":[{"a":1}]}"#), reply(429, "")]);
    let result = script.execute(call(
        "member.getMemberList",
        &[r#"{"consumerCode":"C","returnAll":true}"#],
    ));
    assert!(matches!(result.unwrap().remove(0), Err(Failure::Throttled(_))));
}

#[test]
fn pages_without_end_are_a_failure() {
    let script = scripted((0..10_000).map(|number| reply(200, format!(r#"{{"data":[{{"n":{number}}}]}}"#))));
    let result = script.execute(call(
        "member.getMemberList",
        &[r#"{"consumerCode":"C","returnAll":true}"#],
    ));
    match result.unwrap().remove(0) {
        Err(Failure::Limit(why)) => assert!(why.contains("10000 pages"), "{why}"),
        result => panic!("{}", result.is_ok()),
    }
    assert_eq!(script.sent().len(), 10_000);
}
