//! The rules where the vendor's node goes wrong, 1 to 12: each test fails when its rule is broken. 13 to 21 are in
//! `rules_values`.

use super::script::{BASE, NOW_MS, body, call, problems, reply, run, scripted, sent};
use nodule_sdk::Failure;

#[test]
fn rule_01_path_values_stay_one_segment() {
    assert_eq!(
        sent("member.getMember", r#"{"cardNo":"A/B?x=1#y"}"#),
        "GET /v1/member/A%2FB%3Fx%3D1%23y"
    );
    assert_eq!(
        sent("member.getMember", r#"{"cardNo":"../auth/token"}"#),
        "GET /v1/member/..%2Fauth%2Ftoken"
    );
    for value in ["", "  ", ".", "..", " .. ", "\\t.\\n"] {
        let found = problems("member.getMember", &format!(r#"{{"cardNo":"{value}"}}"#));
        assert_eq!(found.len(), 1, "{value:?}");
        assert!(
            found[0].starts_with("/cardNo Member Card Number: expected a text"),
            "{found:?}"
        );
    }
    assert_eq!(
        problems("order.getTransactionDetail", r#"{"orderCode":".."}"#),
        [r#"/orderCode Transaction Number: expected a text other than `.` and `..`, found "..""#]
    );
}

#[test]
fn rule_02_blanks_are_left_out_and_null_clears_only_in_an_update() {
    let blank = r#"{"loyaltyCode":"L","mobilePhone":"1","memberName":"N","storeCode":"S","email":BLANK}"#;
    for value in [r#""""#, r#""  ""#, "null"] {
        assert!(
            !body("member.memberAdmission", &blank.replace("BLANK", value)).contains("email"),
            "{value}"
        );
    }
    // An explicit blank is not replaced by the default.
    assert_eq!(
        sent(
            "points.getPointsAccount",
            r#"{"cardNo":"M","pageNo":null,"pageSize":""}"#
        ),
        "GET /v1/points/pointsAccount/M"
    );
    let update =
        r#"{"consumerCode":"C","email":null,"birthday":null,"receiveSmsFlag":null,"name":"","address":" "}"#;
    assert_eq!(
        body("consumer.updateConsumer", update),
        r#"{"email":null,"birthday":null,"receiveSmsFlag":null}"#
    );
    assert_eq!(
        problems("consumer.updateConsumer", r#"{"consumerCode":null,"email":null}"#),
        ["/consumerCode Customer Code: expected a text, found `null`"]
    );
}

#[test]
fn rule_03_an_update_sends_only_what_was_set() {
    assert_eq!(
        body("consumer.updateConsumer", r#"{"consumerCode":"C","name":"Li"}"#),
        r#"{"name":"Li"}"#
    );
    assert_eq!(
        body(
            "consumer.updateConsumer",
            r#"{"consumerCode":"C","receiveLineFlag":0}"#
        ),
        r#"{"receiveLineFlag":0}"#
    );
    for item in [
        r#"{"consumerCode":"C"}"#,
        r#"{"consumerCode":"C","name":"","gender":" ","receiveSmsFlag":""}"#,
    ] {
        assert_eq!(
            problems("consumer.updateConsumer", item),
            [" Update Customer Information: expected at least one field to change, found none"]
        );
    }
}

#[test]
fn rule_04_language_is_sent() {
    assert_eq!(
        body(
            "consumer.updateConsumer",
            r#"{"consumerCode":"C","language":"en"}"#
        ),
        r#"{"language":"en"}"#
    );
}

/// An item of one event row with these properties.
fn event(properties: &str) -> String {
    format!(
        r#"{{"data":{{"event":[{{"eventKey":"k","eventTime":1700000000000,"customerCode":"C","eventId":"E","tenantId":"T","properties":{properties}}}]}}}}"#
    )
}

#[test]
fn rule_05_event_properties_are_an_object() {
    let properties = |given: &str| {
        let body = body("consumer.importConsumerEventData", &event(given));
        let (_, properties) = body.split_once(r#""properties":"#).unwrap();
        properties.strip_suffix("}]}").unwrap().to_owned()
    };
    assert_eq!(
        properties(r#"{ "b" : 1.0, "a" : "x y" }"#),
        r#"{"b":1.0,"a":"x y"}"#
    );
    assert_eq!(
        properties(r#""{ \"b\" : 1.0, \"a\" : \"x y\" }""#),
        r#"{"b":1.0,"a":"x y"}"#
    );
    // Keys that mean something to a JSON library mean nothing here.
    let magic = r#"{"$serde_json::private::Number":"1","n":{"$serde_json::private::RawValue":"[]"}}"#;
    assert_eq!(properties(magic), magic);
    assert_eq!(properties(&nodule_sdk::json::quote(magic)), magic);
    for wrong in [
        "[]",
        "1",
        "true",
        r#""text""#,
        r#""[1]""#,
        r#""{""#,
        r#""{} x""#,
        r#""null""#,
    ] {
        let found = problems("consumer.importConsumerEventData", &event(wrong));
        assert_eq!(found.len(), 1, "{wrong}");
        let start =
            "/data/event/0/properties Event Properties: row 1: expected a JSON object, or its text, found ";
        assert!(found[0].starts_with(start), "{found:?}");
    }
    for blank in [r#""""#, "null"] {
        assert_eq!(
            problems("consumer.importConsumerEventData", &event(blank)).len(),
            1,
            "{blank}"
        );
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(
        problems(
            "consumer.importConsumerEventData",
            &event(&nodule_sdk::json::quote(&deep))
        )
        .len(),
        1
    );
}

#[test]
fn rule_06_numbers_keep_their_digits() {
    assert_eq!(
        sent("member.getMember", r#"{"cardNo":9007199254740993}"#),
        "GET /v1/member/9007199254740993"
    );
    assert_eq!(
        sent("member.getMember", r#"{"cardNo":123456789012345678901234567890}"#),
        "GET /v1/member/123456789012345678901234567890"
    );
    assert_eq!(
        body(
            "consumer.updateConsumer",
            r#"{"consumerCode":"C","name":1.10,"postalCode":20000000000000000001}"#
        ),
        r#"{"name":"1.10","postelCode":"20000000000000000001"}"#
    );
    let price = r#"{"batchReq":{"product":{"code":"P","name":"N","price":PRICE}}}"#;
    for digits in [
        "9007199254740993",
        "0.10",
        "123456789012345678901234567890.5",
        "1e3",
    ] {
        for given in [digits.to_owned(), format!("\"{digits}\"")] {
            let body = body("masterdata.batchSyncProduct", &price.replace("PRICE", &given));
            assert!(body.contains(&format!("\"price\":{digits},")), "{body}");
        }
    }
    // A text takes a number, and nothing else that is no text.
    for wrong in ["true", "[]", "{}"] {
        assert_eq!(
            problems("member.getMember", &format!(r#"{{"cardNo":{wrong}}}"#)),
            [format!(
                "/cardNo Member Card Number: expected a text, found `{wrong}`"
            )]
        );
    }
}

const ADJUST: &str = r#"{"accountCode":"M1","operationId":"op","pointValue":1,"effectiveEndTime":WHEN}"#;

#[test]
fn rule_07_a_date_that_cannot_be_read_is_refused_by_its_label() {
    assert_eq!(
        problems("points.adjustPoints", &ADJUST.replace("WHEN", r#""next week""#)),
        [r#"/effectiveEndTime Points Expiry Time: expected an ISO 8601 date-time, found "next week""#]
    );
    for wrong in [
        r#""2025-13-01""#,
        r#""2025""#,
        "true",
        "{}",
        "1.5",
        "1e30",
        r#""NaN""#,
    ] {
        assert_eq!(
            problems("points.adjustPoints", &ADJUST.replace("WHEN", wrong)).len(),
            1,
            "{wrong}"
        );
    }
    let millis = |when: &str| body("points.adjustPoints", &ADJUST.replace("WHEN", when));
    // Without an offset it is UTC.
    assert_eq!(
        millis(r#""2025-12-31T23:59:59""#),
        millis(r#""2025-12-31T23:59:59Z""#)
    );
    assert_eq!(
        millis(r#""2025-12-31T23:59:59""#),
        millis(r#""2026-01-01T07:59:59+08:00""#)
    );
    assert_eq!(
        problems(
            "consumer.updateConsumer",
            r#"{"consumerCode":"C","birthday":"31.01.2000"}"#
        ),
        [r#"/birthday Birthday: expected a calendar date as `yyyy-MM-dd`, found "31.01.2000""#]
    );
}

#[test]
fn rule_08_timestamp_and_nonce_are_filled_in_fresh() {
    let script = scripted([reply(200, "{}"), reply(200, "{}")]);
    let items = [
        r#"{"query":"1"}"#,
        r#"{"query":"1","timestamp":" ","nonceId":null}"#,
    ];
    for result in script.execute(call("consumer.queryConsumer", &items)).unwrap() {
        result.unwrap();
    }
    let nonces: Vec<String> = script
        .requests()
        .iter()
        .map(|line| {
            let (rest, nonce) = line.split_once("&nonceId=").unwrap();
            assert_eq!(
                rest,
                format!("GET /v1/consumer/info?type=1&query=1&phonePrefCode=%2B86&timestamp={NOW_MS}")
            );
            nonce.to_owned()
        })
        .collect();
    assert!(
        nonces
            .iter()
            .all(|nonce| nonce.len() == 32 && nonce.chars().all(|c| c.is_ascii_hexdigit())),
        "{nonces:?}"
    );
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn rule_09_envelope_errors_at_http_200_are_errors() {
    for envelope in [
        r#"{"code":"1001","msg":"no such member"}"#,
        r#"{"resultCode":1001,"resultMessage":"no such member"}"#,
        r#"{"status":"1001","message":"no such member"}"#,
        r#"{"code":null,"resultCode":{},"status":1001,"msg":null,"message":"no such member"}"#,
    ] {
        match run("member.getMember", r#"{"cardNo":"M"}"#, [reply(200, envelope)]) {
            Err(Failure::Rejected(answer)) => {
                assert_eq!(
                    (answer.status, answer.code.as_deref(), answer.message.as_str()),
                    (200, Some("1001"), "no such member")
                );
            }
            result => panic!("{envelope}: {result:?}"),
        }
    }
}

#[test]
fn rule_10_unknown_names_are_refused_with_the_nearest_known_one() {
    let refused = |operation: &str| match scripted([]).execute(call(operation, &["{}"])) {
        Err(Failure::InvalidInput(message)) => message,
        result => panic!("{result:?}"),
    };
    // The host suggests operations, from the description.
    assert_eq!(
        refused("points.adjustPoint"),
        "unknown operation `points.adjustPoint`"
    );
    assert_eq!(
        refused("points.getMember"),
        "unknown operation `points.getMember`"
    );
    let item = r#"{"accountCode":"M","operatonId":"x","pointValue":1,"effectiveEndTime":0,"operationId":"x","point/~Desc":1}"#;
    assert_eq!(
        problems("points.adjustPoints", item),
        [
            "/operatonId operatonId: expected a parameter of Adjust Member Points, found `operatonId`; did you mean `operationId`?",
            "/point~1~0Desc point/~Desc: expected a parameter of Adjust Member Points, found `point/~Desc`; did you mean `pointDesc`?",
        ]
    );
    let row = r#"{"batchReq":{"product":[{"code":"P","name":"N","colour":"red"}]}}"#;
    assert_eq!(
        problems("masterdata.batchSyncProduct", row),
        [
            "/batchReq/product/0/colour colour: row 1: expected a parameter of Product, found `colour`; did you mean `color`?"
        ]
    );
    assert_eq!(
        problems("member.getLoyaltyPrograms", r#"{"x":1}"#),
        ["/x x: expected a parameter of Query Loyalty Program List, found `x`"]
    );
}

#[test]
fn rule_11_a_choice_has_its_own_type_on_the_wire_and_in_conditions() {
    for kind in ["1", "\"1\"", "\" 1 \"", "1.0"] {
        let line = sent(
            "consumer.queryConsumer",
            &format!(r#"{{"type":{kind},"query":"q","timestamp":"1","nonceId":"n"}}"#),
        );
        assert_eq!(
            line, "GET /v1/consumer/info?type=1&query=q&phonePrefCode=%2B86&timestamp=1&nonceId=n",
            "{kind}"
        );
    }
    let store = r#"{"organizationCode":"O","organizationName":"N","type":"99","storeStatus":"20"}"#;
    assert!(body("masterdata.saveStore", store).ends_with(r#""type":99,"storeStatus":20}"#));
    let admission =
        r#"{"loyaltyCode":"L","mobilePhone":"1","memberName":"N","storeCode":"S","sourceCode":CODE}"#;
    for (given, wire) in [
        ("10140001", r#""10140001""#),
        ("10140077", r#""10140077""#),
        (r#""x y""#, r#""x y""#),
    ] {
        let body = body("member.memberAdmission", &admission.replace("CODE", given));
        assert!(body.ends_with(&format!("\"sourceCode\":{wire}}}")), "{body}");
    }
    let binding = r#"{"consumerCode":"C","unionId":"U","accountType":TYPE}"#;
    for (given, wire) in [
        ("100014", "100014"),
        (r#""100015""#, "100015"),
        (r#""wechat""#, r#""wechat""#),
        ("1.5", "1.5"),
    ] {
        let body = body(
            "consumer.bindConsumerThirdAccount",
            &binding.replace("TYPE", given),
        );
        assert!(body.contains(&format!("\"accountType\":{wire},")), "{body}");
    }
    for wrong in ["true", "{}", "[100014]"] {
        assert_eq!(
            problems(
                "consumer.bindConsumerThirdAccount",
                &binding.replace("TYPE", wrong)
            )
            .len(),
            1,
            "{wrong}"
        );
    }
}

#[test]
fn rule_12_what_is_hidden_is_neither_required_nor_checked_nor_sent() {
    for kind in ["2", "\"2\""] {
        for hidden in [
            "",
            r#","phonePrefCode":"+86""#,
            r#","phonePrefCode":"""#,
            r#","phonePrefCode":{}"#,
        ] {
            let item = format!(r#"{{"type":{kind},"query":"q","timestamp":"1","nonceId":"n"{hidden}}}"#);
            assert_eq!(
                sent("consumer.queryConsumer", &item),
                "GET /v1/consumer/info?type=2&query=q&timestamp=1&nonceId=n"
            );
        }
    }
    assert_eq!(
        problems("consumer.queryConsumer", r#"{"query":"q","phonePrefCode":""}"#),
        [r#"/phonePrefCode Phone Prefix: expected a text, found """#]
    );
    // Whether it is hidden by a value that is wrong itself, nobody knows: one problem is enough.
    assert_eq!(
        problems(
            "consumer.queryConsumer",
            r#"{"type":9,"query":"q","phonePrefCode":""}"#
        )
        .len(),
        1
    );
    assert!(BASE.contains("openapi-prod"));
}
