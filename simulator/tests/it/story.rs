//! Each endpoint's part in the story.

use http::{Method, StatusCode};
use nodule_core::json;
use nodule_core::json::Json;
use simulator::{Config, Count, Endpoint};

use crate::client::{Session, adjustment, changed, succeeded};

fn transaction(code: &str) -> Json {
    json!({
        "type": 1, "params": "13000000017", "phonePrefCode": "+86", "source": "10140001", "transactionCode": code,
        "storeCode": "S1", "orderDate": "2025-06-01 12:00:00", "direction": 0, "orderStatus": 0, "scorePointStatus": 0,
        "totalPrice": 100, "totalAmount": 100, "couponAmount": 0, "discountAmount": 0, "totalDisAmount": 0,
        "costAmount": 100, "grossAmount": 88, "freight": 0,
        "details": [{
            "direction": 0, "detailCode": "D1", "productCode": "A", "title": "杯子 ☕", "qty": 1, "price": 100,
            "totalAmount": 100, "couponAmount": 0, "discountAmount": 0, "totalDisAmount": 0, "costAmount": 100,
            "grossAmount": 88
        }]
    })
}

fn codes(page: &Json, name: &str) -> Vec<String> {
    page["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[name].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_million_members_exist() {
    let session = Session::start().await;
    for number in [0, 17, 999_999] {
        let member = session.got(&format!("/v1/member/M{number}")).await;
        assert_eq!(member["cardNo"], format!("M{number}"));
        assert_eq!(member["consumerCode"], format!("C{number}"));
    }
    for code in ["M1000000", "M01", "X1", "M", "M%2F1", "..%2FM1", "F250"] {
        assert_eq!(
            session.get(&format!("/v1/member/{code}")).await["code"],
            "40401",
            "{code}"
        );
    }
    session.simulator.stop();
}

#[tokio::test]
async fn a_member_is_admitted() {
    let session = Session::start().await;
    let programs = session.got("/v1/member/loyaltyprograms").await;
    assert_eq!(programs[1]["loyaltyProgramCode"], "LP002");
    let admission = json!({
        "loyaltyProgramCode": "LP002", "phonePrefCode": "+86", "mobilePhone": "13000000017", "name": "张三",
        "storeCode": "S1", "sourceCode": "10140001"
    });
    let member = session.posted("/v1/member/admission", admission.clone()).await;
    assert_eq!(
        (&member["cardNo"], &member["consumerCode"]),
        (&json!("M1000000"), &json!("C17"))
    );
    assert_eq!(session.got("/v1/member/M1000000").await, member);

    let list = session.got("/v1/member/list/C17").await;
    assert_eq!(codes(&list, "cardNo"), ["M17", "M1000000"]);
    let of_program = session
        .got("/v1/member/list/C17?pageNo=1&pageSize=10&loyaltyCode=LP002")
        .await;
    assert_eq!(codes(&of_program, "cardNo"), ["M1000000"]);
    assert_eq!(session.get("/v1/member/list/C1000000").await["code"], "40403");

    // Another phone is another consumer, and the new member has points like all others.
    let other = changed(
        admission,
        json!({ "mobilePhone": "555", "email": "z@example.org" }),
    );
    let member = session.posted("/v1/member/admission", other).await;
    assert_eq!(
        (&member["cardNo"], &member["consumerCode"]),
        (&json!("M1000001"), &json!("C1000000"))
    );
    assert_eq!(session.simulator.balance("M1000001").as_deref(), Some("1000"));
    let admissions = session.simulator.ledger().admissions;
    assert_eq!(
        admissions.into_iter().collect::<Vec<_>>(),
        [("13000000017".to_owned(), 1), ("555".to_owned(), 1)]
    );
    session.simulator.stop();
}

#[tokio::test]
async fn a_consumer_is_created_found_and_updated() {
    let session = Session::start().await;
    let creation = json!({
        "name": "Ana", "gender": 2, "mobilePhone": "600 1", "phonePrefCode": "+34", "email": "ana@example.org",
        "sourceCode": "10140001", "birthday": "1990-02-28", "identityType": 1, "organizationCode": "O"
    });
    let created = session.posted("/v1/consumer", creation).await;
    assert_eq!(created["consumerCode"], "C1000000");
    let by_phone =
        "/v1/consumer/info?type=1&query=600%201&phonePrefCode=%2B34&timestamp=1760000000000&nonceId=n";
    assert_eq!(session.got(by_phone).await, created);
    let by_email = |email: &str| format!("/v1/consumer/info?type=2&query={email}&timestamp=1&nonceId=n");
    assert_eq!(session.got(&by_email("ana@example.org")).await, created);
    assert_eq!(
        session.got(&by_email("c17@example.com")).await["consumerCode"],
        "C17"
    );
    assert_eq!(
        session.get(&by_email("nobody@example.com")).await["code"],
        "40403"
    );

    // Only what is sent changes, and `null` clears.
    let update =
        json!({ "email": "new@example.org", "postelCode": "28001", "receiveSmsFlag": 0, "birthday": null });
    let path = "/v1/consumer/updateInfo/C17";
    let updated = succeeded(
        &session
            .send(Method::PUT, path, Some(update))
            .await
            .unwrap()
            .json(),
    );
    assert_eq!(
        (&updated["name"], &updated["postelCode"]),
        (&json!("Member 17"), &json!("28001"))
    );
    let cleared = succeeded(
        &session
            .send(Method::PUT, path, Some(json!({ "gender": null })))
            .await
            .unwrap()
            .json(),
    );
    assert_eq!(
        (cleared.get("gender"), &cleared["receiveSmsFlag"]),
        (None, &json!(0))
    );
    assert_eq!(session.got(&by_email("new@example.org")).await, cleared);
    assert_eq!(session.get(&by_email("c17@example.com")).await["code"], "40403");
    assert_eq!(
        session
            .send(Method::PUT, path, Some(json!({})))
            .await
            .unwrap()
            .json()["code"],
        "40001"
    );
    session.simulator.stop();
}

#[tokio::test]
async fn a_third_party_account_is_bound_once() {
    let session = Session::start().await;
    let union_id = "o/6?#%";
    for nick in ["first", "second"] {
        let binding =
            json!({ "consumerCode": "C17", "accountType": 100_014, "unionId": union_id, "nickName": nick });
        session.posted("/v1/consumer/binding", binding).await;
    }
    let bound = session.got("/v1/consumer/thirdaccounts/o%2F6%3F%23%25").await;
    assert_eq!(
        bound,
        json!([{ "consumerCode": "C17", "accountType": 100_014, "unionId": union_id, "nickName": "second" }])
    );
    let unknown = json!({ "consumerCode": "C99999999", "accountType": 1, "unionId": "x" });
    assert_eq!(
        session.post("/v1/consumer/binding", unknown).await["code"],
        "40403"
    );
    session.simulator.stop();
}

#[tokio::test]
async fn an_event_counts_once() {
    let session = Session::start().await;
    let row = |id: &str| {
        json!({
            "eventKey": "view", "eventType": "track", "eventTime": 1_760_000_000_000_i64, "customerCode": "C17",
            "eventId": id, "tenantId": "T", "properties": { "a": [1] }
        })
    };
    let first = session
        .posted(
            "/v1/consumer/event/data",
            json!({ "data": [row("e1"), row("e2"), row("e1")] }),
        )
        .await;
    assert_eq!(first, json!({ "accepted": 2, "repeated": 1 }));
    let second = session
        .posted("/v1/consumer/event/data", json!({ "data": [row("e2")] }))
        .await;
    assert_eq!(second, json!({ "accepted": 0, "repeated": 1 }));
    let events = session.simulator.ledger().events;
    assert_eq!(
        events["e2"],
        Count {
            applied: 1,
            received: 2
        }
    );
    session.simulator.stop();
}

#[tokio::test]
async fn a_transaction_counts_once_and_keeps_its_digits() {
    let session = Session::start().await;
    // A literal of twenty digits: `json!` would round it.
    let digits: Json = Json::parse("12345678901234567890").unwrap();
    let sent = changed(transaction("T 1/2"), json!({ "totalPrice": digits }));
    let first = session.posted("/v1/transactions/sync", sent.clone()).await;
    assert_eq!(
        first,
        json!({ "transactionCode": "T 1/2", "consumerCode": "C17", "repeated": false })
    );
    let repeated = changed(sent, json!({ "totalPrice": 7 }));
    assert_eq!(
        session.posted("/v1/transactions/sync", repeated).await["repeated"],
        true
    );

    let answer = session
        .send(Method::POST, "/v1/transactions/T%201%2F2", None)
        .await
        .unwrap();
    assert_eq!(
        answer.json()["data"]["totalPrice"].to_string(),
        "12345678901234567890"
    );
    session.posted("/v1/transactions/sync", transaction("T2")).await;
    let list = session
        .posted(
            "/v1/transactions/page/C17",
            json!({ "pageNo": 1, "pageSize": 10 }),
        )
        .await;
    assert_eq!(codes(&list, "transactionCode"), ["T2", "T 1/2"]);
    assert_eq!(list["list"][0]["details"][0]["title"], "杯子 ☕");
    assert_eq!(
        session.simulator.ledger().transactions["T 1/2"],
        Count {
            applied: 1,
            received: 2
        }
    );
    assert_eq!(
        session
            .send(Method::POST, "/v1/transactions/T3", None)
            .await
            .unwrap()
            .json()["code"],
        "40404"
    );
    session.simulator.stop();
}

#[tokio::test]
async fn transactions_are_filtered_by_date_and_found_by_any_identifier() {
    let session = Session::start().await;
    let by_email = changed(
        transaction("T1"),
        json!({ "type": 2, "params": "c17@example.com", "phonePrefCode": null, "orderDate": "2025-05-01 00:00:00" }),
    );
    let by_employee = changed(
        transaction("T2"),
        json!({ "type": 3, "params": "E17", "phonePrefCode": null }),
    );
    for body in [by_email, by_employee] {
        assert_eq!(
            session.posted("/v1/transactions/sync", body).await["consumerCode"],
            "C17"
        );
    }
    let newcomer = changed(transaction("T3"), json!({ "params": "99" }));
    assert_eq!(
        session.posted("/v1/transactions/sync", newcomer).await["consumerCode"],
        "C1000000"
    );

    for (filter, expected) in [
        (json!({ "beginDate": "2025-05-15" }), vec!["T2"]),
        (json!({ "endDate": "2025-05-15T00:00:00+08:00" }), vec!["T1"]),
        (
            json!({ "beginDate": 1_746_057_600_000_i64, "endDate": 1_746_057_600_000_i64 }),
            vec!["T1"],
        ),
        (json!({ "beginDate": "2030-01-01" }), vec![]),
    ] {
        let list = session.posted("/v1/transactions/page/C17", filter.clone()).await;
        assert_eq!(codes(&list, "transactionCode"), expected, "{filter}");
    }
    session.simulator.stop();
}

#[tokio::test]
async fn an_adjustment_changes_the_balance_once() {
    let session = Session::start().await;
    let adjusted = session.posted("/v1/points/adjustment", adjustment("op-1")).await;
    assert_eq!(
        adjusted,
        json!({ "operationId": "op-1", "accountCode": "P17", "pointValue": 10, "balance": 1010, "repeated": false })
    );
    let again = changed(
        adjustment("op-1"),
        json!({ "pointValue": 500, "accountCode": "M18" }),
    );
    assert_eq!(
        session.posted("/v1/points/adjustment", again).await["repeated"],
        true
    );
    assert_eq!(session.simulator.balance("M17").as_deref(), Some("1010"));
    assert_eq!(session.simulator.balance("M18").as_deref(), Some("1000"));
    assert_eq!(
        session.simulator.ledger().operations["op-1"],
        Count {
            applied: 1,
            received: 2
        }
    );

    let account = session.got("/v1/points/pointsAccount/M17").await;
    assert_eq!(account["list"][0]["balance"], 1010);
    let records = session.got("/v1/points/pointsRecords/P17?status=0").await;
    assert_eq!(codes(&records, "operationId"), ["op-1", "OPENING"]);
    session.simulator.stop();
}

#[tokio::test]
async fn a_decrease_beyond_the_balance_is_refused_and_may_come_again() {
    let session = Session::start().await;
    let decrease = changed(
        adjustment("op-1"),
        json!({ "operationType": 7, "pointValue": 1000.5 }),
    );
    let refused = session
        .send(Method::POST, "/v1/points/adjustment", Some(decrease.clone()))
        .await
        .unwrap();
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::OK, &json!("40901"))
    );
    assert_eq!(
        session.simulator.ledger().operations["op-1"],
        Count {
            applied: 0,
            received: 1
        }
    );
    session.posted("/v1/points/adjustment", adjustment("op-2")).await;
    // Negative or not, a decrease takes the magnitude away.
    let negative = changed(decrease, json!({ "pointValue": -1000.5 }));
    assert_eq!(
        session.posted("/v1/points/adjustment", negative).await["balance"].to_string(),
        "9.5"
    );
    session.simulator.stop();
}

#[tokio::test]
async fn points_keep_twenty_digits_and_groups_apart() {
    let session = Session::start().await;
    let digits: Json = Json::parse("12345678901234567890").unwrap();
    let grouped = changed(
        adjustment("op-1"),
        json!({ "pointValue": digits, "pointsGroupCode": "VIP" }),
    );
    let adjusted = session.posted("/v1/points/adjustment", grouped).await;
    assert_eq!(adjusted["balance"].to_string(), "12345678901234567890");
    let by_account = changed(
        adjustment("op-2"),
        json!({ "accountType": 1, "accountCode": "P17.VIP", "pointValue": 0.25 }),
    );
    session.posted("/v1/points/adjustment", by_account).await;
    let accounts = session.got("/v1/points/pointsAccount/M17").await;
    assert_eq!(codes(&accounts, "accountCode"), ["P17", "P17.VIP"]);
    assert_eq!(
        accounts["list"][1]["balance"].to_string(),
        "12345678901234567890.25"
    );
    let filtered = session
        .got("/v1/points/pointsAccount/M17?pointsGroupCode=VIP")
        .await;
    assert_eq!(codes(&filtered, "accountCode"), ["P17.VIP"]);
    let records = session.got("/v1/points/pointsRecords/P17.VIP").await;
    assert_eq!(
        records["list"][1]["pointValue"].to_string(),
        "12345678901234567890"
    );
    assert_eq!(session.simulator.balance("M17").as_deref(), Some("1000"));
    assert_eq!(
        session.get("/v1/points/pointsRecords/P17.OTHER").await["code"],
        "40402"
    );
    session.simulator.stop();
}

#[tokio::test]
async fn records_are_filtered_by_status_and_time() {
    let session = Session::with(Config {
        epoch: Some(1_760_000_000),
        ..Config::default()
    })
    .await;
    let ended = changed(
        adjustment("old"),
        json!({ "effectiveEndTime": 1_750_000_000_000_i64 }),
    );
    session.posted("/v1/points/adjustment", ended).await;
    session.posted("/v1/points/adjustment", adjustment("new")).await;
    for (query, expected) in [
        ("status=2", vec!["old"]),
        ("status=0", vec!["new", "OPENING"]),
        ("status=1", vec![]),
        ("beginDate=1760000000000", vec!["new", "old"]),
        ("endDate=1759999999999", vec!["OPENING"]),
    ] {
        let records = session
            .got(&format!("/v1/points/pointsRecords/P17?{query}"))
            .await;
        assert_eq!(codes(&records, "operationId"), expected, "{query}");
    }
    session.simulator.stop();
}

#[tokio::test]
async fn products_are_overwritten_and_stores_added() {
    let session = Session::start().await;
    let products =
        |price: u32| json!([{ "type": 0, "code": "A", "name": "Cup", "price": price, "gender": "Unknown" }]);
    for (price, expected) in [
        (1, json!({ "created": 1, "changed": 0, "unchanged": 0 })),
        (1, json!({ "created": 0, "changed": 0, "unchanged": 1 })),
        (2, json!({ "created": 0, "changed": 1, "unchanged": 0 })),
    ] {
        assert_eq!(
            session
                .posted("/v1/masterdata/product/batchSync", products(price))
                .await,
            expected
        );
    }
    let store =
        json!({ "organizationCode": "O1", "organizationName": "Main", "type": 99, "storeStatus": 10 });
    assert_eq!(
        session.posted("/v1/masterdata/store", store.clone()).await["id"],
        "S1"
    );
    assert_eq!(session.posted("/v1/masterdata/store", store).await["id"], "S2");
    let ledger = session.simulator.ledger();
    assert_eq!((ledger.stores["O1"], ledger.products["A"]), (2, 3));
    session.simulator.stop();
}

#[tokio::test]
async fn every_list_can_be_paged_through() {
    let session = Session::with(Config {
        page_cap: 60,
        ..Config::default()
    })
    .await;
    let mut lengths = Vec::new();
    for page in 1..=5 {
        let asked = format!("pageNo={page}&pageSize=100");
        let members = session.got(&format!("/v1/member/list/F125?{asked}")).await;
        let accounts = session
            .got(&format!("/v1/points/pointsAccount/F125?{asked}"))
            .await;
        let records = session
            .got(&format!("/v1/points/pointsRecords/F125?{asked}"))
            .await;
        let body = json!({ "pageNo": page, "pageSize": 100 });
        let transactions = session.posted("/v1/transactions/page/F125", body).await;
        let count = |page: &Json| page["list"].as_array().unwrap().len();
        lengths.push([
            count(&members),
            count(&accounts),
            count(&records),
            count(&transactions),
        ]);
        if page == 2 {
            assert_eq!(members["list"][0]["cardNo"], "M60");
            assert_eq!(accounts["list"][0]["accountCode"], "F125-P60");
            assert_eq!(records["list"][0]["operationId"], "F125-R60");
            assert_eq!(transactions["list"][0]["transactionCode"], "F125-T60");
        }
    }
    assert_eq!(lengths, [[60; 4], [60; 4], [5; 4], [0; 4], [0; 4]]);
    assert_eq!(
        session.got("/v1/member/list/F125").await["list"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    assert_eq!(
        session.got("/v1/member/list/F5?pageNo=9223372036854775807").await,
        json!({ "list": [] })
    );
    session.simulator.stop();
}

#[tokio::test]
async fn everything_is_served_below_the_prefix_too() {
    let session = Session::start().await;
    assert_eq!(
        session.got("/openapi-prod/v1/member/M17").await,
        session.got("/v1/member/M17").await
    );
    assert_eq!(session.simulator.stats().by_endpoint[&Endpoint::GetMember], 2);
    for (path, status) in [
        ("/v1/nothing", 404),
        ("/v1/points/adjustment", 405),
        ("/openapi-prod", 404),
        ("/", 404),
    ] {
        let answer = session.send(Method::GET, path, None).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (status, Some(&*status.to_string()))
        );
    }
    assert_eq!(session.simulator.stats().unrouted, 4);
    session.simulator.stop();
}
