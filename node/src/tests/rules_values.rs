//! The rules where the vendor's node goes wrong, 13 to 21.

use super::script::{BASE, NOW_MS, body, call, problems, reply, run, scripted, sent};
use nodule_sdk::Session;
use nodule_sdk::base_url::BaseUrl;
use nodule_sdk::json;
use nodule_sdk::{Access, Failure};

const MEMBER: (&str, &str) = ("member.getMember", r#"{"cardNo":"M"}"#);

#[test]
fn rule_13_the_whole_answer_is_the_item() {
    let out = |status: u16, body: &str| run(MEMBER.0, MEMBER.1, [reply(status, body)]);
    for (answer, item) in [
        (r#"{"body":{"x":1}}"#, r#"{"body":{"x":1}}"#),
        (
            "\n {\"z\": 1.50, \"code\":200,\n \"a\":12345678901234567890}\n",
            "{\"z\": 1.50, \"code\":200,\n \"a\":12345678901234567890}",
        ),
        ("[1, {\"a\":2}]", r#"{"data":[1, {"a":2}]}"#),
        ("[]", r#"{"data":[]}"#),
        ("", "{}"),
        (" \r\n", "{}"),
        ("\u{feff}{\"code\":\"200\"}", r#"{"code":"200"}"#),
        (r#"{"name":"\ud83d"}"#, r#"{"name":"\ufffd"}"#),
    ] {
        assert_eq!(out(200, answer).unwrap(), [item], "{answer:?}");
    }
    assert_eq!(out(204, "").unwrap(), ["{}"]);
    // Only `returnAll` makes items of rows.
    let list = |item: &str, answers: &[&str]| {
        run(
            "member.getMemberList",
            item,
            answers.iter().map(|answer| reply(200, answer)),
        )
        .unwrap()
    };
    assert_eq!(list(r#"{"consumerCode":"C"}"#, &["[1]"]), [r#"{"data":[1]}"#]);
    assert_eq!(
        list(
            r#"{"consumerCode":"C","returnAll":true}"#,
            &[r#"[{"a":1}]"#, "[]"]
        ),
        [r#"{"a":1}"#]
    );
    match out(200, "<html>\n <h1>Bad\tGateway</h1></html>") {
        Err(Failure::Unintelligible(answer)) => assert!(
            answer.message.contains("`<html> <h1>Bad Gateway</h1></html>`"),
            "{answer:?}"
        ),
        result => panic!("{result:?}"),
    }
}

#[test]
fn rule_14_an_error_keeps_what_the_service_said() {
    let answer = |reply| match run(MEMBER.0, MEMBER.1, [reply]) {
        Err(Failure::Rejected(answer)) => (
            answer.status,
            answer.code.unwrap_or_default(),
            answer.message,
            answer.request_id.unwrap_or_default(),
        ),
        result => panic!("{result:?}"),
    };
    let said =
        |status: u16, code: &str, message: &str, id: &str| (status, code.into(), message.into(), id.into());
    let body = r#"{"code":"E1","msg":"no\u0020way","requestId":"r-1","traceId":"t-1"}"#;
    assert_eq!(
        answer(reply(404, body).header("x-request-id", "h-1")),
        said(404, "E1", "no way", "r-1")
    );
    assert_eq!(
        answer(reply(400, r#"{"resultCode":7,"message":"m","traceId":99}"#)),
        said(400, "7", "m", "99")
    );
    assert_eq!(
        answer(reply(200, r#"{"status":"x"}"#).header("x-request-id", "h-1")),
        said(200, "x", "HTTP 200: {\"status\":\"x\"}", "h-1")
    );
    assert_eq!(answer(reply(422, "")), said(422, "", "HTTP 422", ""));
    let long = format!(r#"{{"code":1,"msg":"{}"}}"#, "会".repeat(3_000));
    let (_, _, message, _) = answer(reply(200, long));
    assert_eq!(message.chars().count(), 2_000);
}

const CREDENTIAL: &str =
    r#"{"baseUrl":"https://api.example/openapi-prod/","appId":"demo","appSecret":"demo-secret"}"#;
const TOKEN: &str =
    r#"{"code":"200","data":{"accessToken":"tok-2","refreshToken":"ref-2","expiresIn":7200}}"#;

#[test]
fn rule_15_the_credential_test_says_yes_when_the_credential_works() {
    let script = scripted([reply(200, TOKEN)]);
    let session = script.log_in(CREDENTIAL, None).unwrap();
    assert_eq!(session.access.headers[0].value, "tok-2");
    let script = scripted([reply(200, r#"{"code":"500100","msg":"successful?"}"#)]);
    assert!(matches!(
        script.log_in(CREDENTIAL, None),
        Err(Failure::Unauthenticated(_))
    ));
}

#[test]
fn rule_16_after_a_refusal_the_token_is_a_new_one() {
    for refusal in [reply(401, ""), reply(200, r#"{"code":401}"#)] {
        assert!(matches!(
            run(MEMBER.0, MEMBER.1, [refusal]),
            Err(Failure::Unauthenticated(_))
        ));
    }
    // The host then asks without a session to renew, and gets a token that was asked for anew.
    let script = scripted([reply(200, TOKEN), reply(200, "{}")]);
    let session = script.log_in(CREDENTIAL, None).unwrap();
    let mut second = call(MEMBER.0, &[MEMBER.1]);
    second.service.access = Some(session.access);
    script.execute(second).unwrap().remove(0).unwrap();
    assert_eq!(
        script.requests()[0],
        "POST /v1/auth/token\n{\"appId\":\"demo\",\"appSecret\":\"demo-secret\"}"
    );
    assert!(script.headers()[1].contains(&("authorization".into(), "tok-2".into())));
    // Only a session that has merely grown old is refreshed.
    let old = Session {
        access: Access {
            headers: Vec::new(),
            query: Vec::new(),
        },
        expires_in_s: None,
        renewal: Some("ref-1".into()),
    };
    let script = scripted([reply(200, TOKEN)]);
    script.log_in(CREDENTIAL, Some(old)).unwrap();
    assert_eq!(
        script.requests()[0],
        "POST /v1/auth/refreshToken\n{\"refreshToken\":\"ref-1\"}"
    );
}

#[test]
fn rule_17_spellings_of_a_base_url_make_the_same_requests() {
    for spelling in [
        BASE,
        "https://api.example/openapi-prod/",
        "  https://API.example/openapi-prod \n",
    ] {
        assert_eq!(BaseUrl::parse(spelling), BaseUrl::parse(BASE));
        let mut call = call(MEMBER.0, &[MEMBER.1]);
        call.service.base_url = spelling.into();
        let script = scripted([reply(200, "{}")]);
        script.execute(call).unwrap().remove(0).unwrap();
        assert_eq!(script.requests(), ["GET /v1/member/M"]);
    }
    for wrong in [
        "",
        "ftp://a",
        "https://u:hunter2@a",
        "https://a?hunter2",
        "https://a#b",
        "a.example",
    ] {
        let mut call = call(MEMBER.0, &[MEMBER.1]);
        call.service.base_url = wrong.into();
        match scripted([]).execute(call) {
            Err(Failure::InvalidInput(message)) => {
                assert!(
                    message.starts_with("base URL: expected ") && !message.contains("hunter2"),
                    "{message}"
                );
            }
            result => panic!("{wrong}: {result:?}"),
        }
        let credential = CREDENTIAL.replace("https://api.example/openapi-prod/", wrong);
        match scripted([]).log_in(&credential, None) {
            Err(Failure::InvalidParameters(problems)) => {
                assert_eq!(
                    (problems[0].pointer.as_str(), problems[0].label.as_str()),
                    ("/baseUrl", "Base URL")
                );
                assert!(!problems[0].message.contains("hunter2"));
            }
            result => panic!("{wrong}: {result:?}"),
        }
    }
}

#[test]
fn rule_18_calendar_dates_are_real() {
    let birthday = |day: &str| format!(r#"{{"consumerCode":"C","birthday":"{day}"}}"#);
    assert_eq!(
        body("consumer.updateConsumer", &birthday("2024-02-29")),
        r#"{"birthday":"2024-02-29"}"#
    );
    for day in [
        "2025-02-30",
        "2025-02-29",
        "2025-04-31",
        "1900-02-29",
        "2025-00-10",
        "2025-01-32",
    ] {
        assert_eq!(
            problems("consumer.updateConsumer", &birthday(day)).len(),
            1,
            "{day}"
        );
        let records = format!(r#"{{"accountCode":"A","beginDate":"{day}","endDate":"{day}T10:00:00Z"}}"#);
        assert_eq!(problems("points.getPointsRecords", &records).len(), 2, "{day}");
        let list = format!(r#"{{"consumerCode":"C","beginDate":"{day}"}}"#);
        assert_eq!(problems("order.getTransactionList", &list).len(), 1, "{day}");
    }
}

#[test]
fn rule_19_one_object_is_a_list_of_one_and_nothing_else_is_rows() {
    let row = r#"{"code":"P","name":"N"}"#;
    let one = r#"[{"type":0,"code":"P","name":"N","gender":"Unknown"}]"#;
    let product = |rows: &str| format!(r#"{{"batchReq":{{"product":{rows}}}}}"#);
    assert_eq!(body("masterdata.batchSyncProduct", &product(row)), one);
    assert_eq!(
        body("masterdata.batchSyncProduct", &product(&format!("[{row}]"))),
        one
    );
    for (rows, pointer, label) in [
        ("{}", "/batchReq", "Product Data Collection"),
        ("[]", "/batchReq", "Product Data Collection"),
        ("null", "/batchReq", "Product Data Collection"),
        ("\"\"", "/batchReq", "Product Data Collection"),
        ("\"x\"", "/batchReq", "Product Data Collection"),
        ("7", "/batchReq", "Product Data Collection"),
        (r#"{"products":[]}"#, "/batchReq", "Product Data Collection"),
        (row, "/batchReq", "Product Data Collection"),
        (
            r#"[{"code":"P","name":"N"}]"#,
            "/batchReq",
            "Product Data Collection",
        ),
        (r#"{"product":[]}"#, "/batchReq/product", "Product"),
        (r#"{"product":null}"#, "/batchReq/product", "Product"),
        (r#"{"product":"x"}"#, "/batchReq/product", "Product"),
        (r#"{"product":[7]}"#, "/batchReq/product/0", "Product"),
        (r#"{"product":[null]}"#, "/batchReq/product/0", "Product"),
    ] {
        let found = problems(
            "masterdata.batchSyncProduct",
            &format!(r#"{{"batchReq":{rows}}}"#),
        );
        assert_eq!(found.len(), 1, "{rows}: {found:?}");
        assert!(
            found[0].starts_with(&format!("{pointer} {label}: ")) && found[0].contains("expected "),
            "{rows}: {found:?}"
        );
        assert!(found[0].contains("product"), "{rows}: {found:?}");
    }
    assert_eq!(problems("masterdata.batchSyncProduct", "{}").len(), 1);
    assert_eq!(
        problems(
            "masterdata.batchSyncProduct",
            r#"{"batchReq":{"product":{"code":"P","name":"N"},"other":1}}"#
        ),
        ["/batchReq/other other: expected `product` only, found `other`"]
    );
}

#[test]
fn rule_20_everything_is_checked_before_anything_is_sent() {
    let item = r#"{"accountType":3,"accountCode":"","operationType":"6.5","pointValue":"ten","upgradeTierFlag":[],"pointDesk":0}"#;
    assert_eq!(
        problems("points.adjustPoints", item),
        [
            "/accountType Account Type: expected one of `1` Points Account, `2` Member Card Number, found `3`",
            r#"/accountCode Account Code: expected a text, found """#,
            "/operationId Operation ID: expected a text, found nothing",
            r#"/operationType Operation Type: expected one of `6` Behavior Increase, `7` Behavior Decrease, `8` Gift Redemption Decrease, `9` Coupon Redemption Decrease, found "6.5""#,
            r#"/pointValue Point Value: expected a number, found "ten""#,
            "/effectiveEndTime Points Expiry Time: expected an ISO 8601 date-time, found nothing",
            "/upgradeTierFlag Upgradeable: expected one of `0` No, `1` Yes, found `[]`",
            "/pointDesk pointDesk: expected a parameter of Adjust Member Points, found `pointDesk`; did you mean `pointDesc`?",
        ]
    );
    for size in [
        "0",
        "101",
        "-1",
        "\"101\"",
        "99999999999999999999",
        "1.5",
        "true",
        "\"x\"",
    ] {
        let found = problems(
            "member.getMemberList",
            &format!(r#"{{"consumerCode":"C","pageSize":{size}}}"#),
        );
        assert!(
            found[0].starts_with("/pageSize Page Size: expected a whole number from 1 to 100, found "),
            "{found:?}"
        );
    }
    assert_eq!(
        sent(
            "points.getPointsAccount",
            r#"{"cardNo":"M","pageNo":"2.0","pageSize":1e1}"#
        ),
        "GET /v1/points/pointsAccount/M?pageNo=2&pageSize=10"
    );
    let details = r#"{"params":"1","transactionCode":"T","storeCode":"S","orderDate":"2025-06-30 10:00:00","totalPrice":"12345678901234567890","details":{"detail":[{"detailCode":"D","productCode":"P","title":"T","qty":"2"},{"detailCode":"D","productCode":"P","title":"T","qty":"many","price":9.5},{"detailCode":"D","productCode":"P","title":"T"}]}}"#;
    assert_eq!(
        problems("order.syncTransaction", details),
        [
            r#"/details/detail/1/qty Product Quantity: row 2: expected a number, found "many""#,
            "/details/detail/1/price Product Unit Price: row 2: expected a whole number, found `9.5`",
            "/details/detail/2/qty Product Quantity: row 3: expected a number, found nothing",
        ]
    );
    // A default that would be a mistake is none.
    let event = r#"{"data":{"event":{"eventKey":"k","customerCode":"C","eventId":"E","tenantId":"T"}}}"#;
    assert_eq!(
        problems("consumer.importConsumerEventData", event),
        ["/data/event/eventTime Event Time: row 1: expected a whole number, found nothing"]
    );
    // Seconds, of any day until the year 2286, and digits of none.
    for seconds in [
        "1732800000",
        "\"1732800000\"",
        "1",
        "-1732800000",
        "1732800000000000000",
    ] {
        let event = format!(
            r#"{{"data":{{"event":{{"eventKey":"k","eventTime":{seconds},"customerCode":"C","eventId":"E","tenantId":"T"}}}}}}"#
        );
        let told = problems("consumer.importConsumerEventData", &event);
        assert!(
            told[0].contains("row 1: expected epoch milliseconds (13 digits where seconds have 10), found"),
            "{told:?}"
        );
    }
    let zero = r#"{"accountCode":"M","operationId":"o","pointValue":0,"effectiveEndTime":0}"#;
    assert!(body("points.adjustPoints", zero).contains(r#""pointValue":0,"#));
    // What is long is cut.
    let long = problems(
        "points.adjustPoints",
        &zero.replace(":0,", &format!(":\"{}\",", "x".repeat(5_000))),
    );
    assert!(long[0].chars().count() < 150 && long[0].contains('…'), "{long:?}");
}

#[test]
fn rule_21_instants_in_every_form_and_order_dates_in_one() {
    let millis = |when: &str| {
        sent(
            "points.getPointsRecords",
            &format!(r#"{{"accountCode":"A","pageNo":"","pageSize":"","beginDate":{when}}}"#),
        )
    };
    for when in [
        r#""2025-06-30T12:00:00.123Z""#,
        r#""2025-06-30 12:00:00.123""#,
        r#""2025-06-30T20:00:00.123+08:00""#,
        "1751284800123",
        r#""1751284800123""#,
    ] {
        assert_eq!(
            millis(when),
            format!("GET /v1/points/pointsRecords/A?beginDate={NOW_MS}"),
            "{when}"
        );
    }
    assert_eq!(
        millis(r#""2025-06-30""#),
        "GET /v1/points/pointsRecords/A?beginDate=1751241600000"
    );
    // This one sends what was given, after the same check.
    for given in [
        r#""2025-06-30""#,
        r#""2025-06-30 12:00:00""#,
        r#""2025-06-30T20:00:00+08:00""#,
        "1751284800123",
    ] {
        let item = format!(r#"{{"consumerCode":"C","pageNo":"","pageSize":"","endDate":{given}}}"#);
        assert_eq!(
            body("order.getTransactionList", &item),
            format!("{{\"endDate\":{given}}}")
        );
    }
    assert_eq!(
        problems(
            "order.getTransactionList",
            r#"{"consumerCode":"C","endDate":"soon"}"#
        )
        .len(),
        1
    );
    // Seconds and microseconds are other instants.
    for (when, found) in [
        ("1751284800", "`1751284800`"),
        (r#""1751284800""#, r#""1751284800""#),
        ("1751284800000000", "`1751284800000000`"),
    ] {
        for (operation, name, label) in [
            ("points.getPointsRecords", "beginDate", "Start Time"),
            ("order.getTransactionList", "endDate", "End Date"),
        ] {
            let told = problems(operation, &format!(r#"{{"{name}":{when}}}"#));
            let expected = format!(
                "/{name} {label}: expected an ISO 8601 date-time or epoch milliseconds (13 digits where seconds have 10), found {found}"
            );
            assert!(told.contains(&expected), "{when}: {told:?}");
        }
    }
    let order = r#"{"params":"1","transactionCode":"T","storeCode":"S","orderDate":WHEN,"details":{"detail":{"detailCode":"D","productCode":"P","title":"T","qty":1}}}"#;
    for wrong in [
        r#""2025-06-31 10:00:00""#,
        r#""2025-06-30T10:00:00""#,
        r#""2025-06-30""#,
        r#"" 2025-06-30 10:00:00""#,
        "1751284800123",
    ] {
        assert_eq!(
            problems("order.syncTransaction", &order.replace("WHEN", wrong)).len(),
            1,
            "{wrong}"
        );
    }
    // Values are otherwise sent as given.
    assert!(
        body(
            "consumer.updateConsumer",
            r#"{"consumerCode":"C","name":"  Li  "}"#
        )
        .contains(&json::quote("  Li  "))
    );
}
