//! A wrong wire format is noticed.

use bytes::Bytes;
use http::Method;
use nodule_core::json;
use nodule_core::json::Json;

use crate::client::{Session, adjustment, changed};

#[tokio::test]
async fn a_wrong_body_is_refused_by_the_name_of_its_field() {
    let session = Session::start().await;
    for (changes, code, name) in [
        (json!({ "operationId": null }), "40001", "`operationId`"),
        (json!({ "operationId": " " }), "40001", "`operationId`"),
        (json!({ "operationId": 7 }), "40002", "`operationId`"),
        (json!({ "operationType": "6" }), "40002", "`operationType`"),
        (json!({ "operationType": 5 }), "40004", "`operationType`"),
        (json!({ "pointValue": "10" }), "40002", "`pointValue`"),
        (json!({ "pointDesc": "" }), "40004", "`pointDesc`"),
        (
            json!({ "effectiveEndTime": "2030-01-01" }),
            "40002",
            "`effectiveEndTime`",
        ),
        (json!({ "upgradeTierFlag": false }), "40002", "`upgradeTierFlag`"),
        (json!({ "value": 1 }), "40003", "`value`"),
        (
            json!({ "accountCode": "M99999999" }),
            "40401",
            "there is no member `M99999999`",
        ),
        (
            json!({ "accountType": 1 }),
            "40402",
            "there is no points account `M17`",
        ),
    ] {
        let answer = session
            .post(
                "/v1/points/adjustment",
                changed(adjustment("op"), changes.clone()),
            )
            .await;
        assert_eq!(answer["code"], code, "{changes}: {answer}");
        assert!(
            answer["msg"].as_str().unwrap().starts_with(name),
            "{changes}: {answer}"
        );
        assert_eq!(answer.get("data"), None);
    }
    assert_eq!(session.simulator.balance("M17").as_deref(), Some("1000"));
    session.simulator.stop();
}

#[tokio::test]
async fn a_wrong_query_is_refused_by_the_name_of_its_parameter() {
    let session = Session::start().await;
    for (path, code, name) in [
        ("/v1/member/M17?x=1", "40003", "`x`"),
        ("/v1/member/list/C17?pageNo=one", "40002", "`pageNo`"),
        ("/v1/member/list/C17?pageNo=0", "40004", "`pageNo`"),
        ("/v1/member/list/C17?pageNo=1&pageNo=2", "40000", "`pageNo`"),
        ("/v1/member/list/C17?loyaltyCode=", "40004", "`loyaltyCode`"),
        ("/v1/points/pointsRecords/P17?status=", "40002", "`status`"),
        ("/v1/points/pointsRecords/P17?status=3", "40004", "`status`"),
        (
            "/v1/consumer/info?type=1&query=1&phonePrefCode=+86&timestamp=1&nonceId=n",
            "40004",
            "`phonePrefCode`",
        ),
        (
            "/v1/consumer/info?type=1&query=1&timestamp=1&nonceId=n",
            "40001",
            "`phonePrefCode`",
        ),
        (
            "/v1/consumer/info?type=2&query=1&phonePrefCode=%2B86&timestamp=1&nonceId=n",
            "40003",
            "`phonePrefCode`",
        ),
        (
            "/v1/consumer/info?type=2&query=1&timestamp=1",
            "40001",
            "`nonceId`",
        ),
        (
            "/v1/consumer/info?type=3&query=1&timestamp=1&nonceId=n",
            "40004",
            "`type`",
        ),
        ("/v1/member/%FF", "40000", "the path"),
    ] {
        let answer = session.get(path).await;
        assert_eq!(answer["code"], code, "{path}: {answer}");
        assert!(
            answer["msg"].as_str().unwrap().starts_with(name),
            "{path}: {answer}"
        );
    }
    session.simulator.stop();
}

#[tokio::test]
async fn a_body_has_to_be_json_where_there_is_one_and_absent_where_there_is_none() {
    let session = Session::start().await;
    let post = |path: &'static str, body: &'static str| {
        session.request(
            Method::POST,
            path,
            &session.token,
            Some(Bytes::from_static(body.as_bytes())),
        )
    };
    for (path, body) in [
        ("/v1/points/adjustment", ""),
        ("/v1/points/adjustment", "{"),
        ("/v1/points/adjustment", "[]"),
        ("/v1/transactions/sync", "7"),
        ("/v1/transactions/T1", "{}"),
    ] {
        let answer = post(path, body).await.unwrap().json();
        assert_eq!(answer["code"], "40000", "{path} {body}: {answer}");
    }
    for (path, body, code) in [
        ("/v1/masterdata/product/batchSync", r#"{"batchReq":[]}"#, "40002"),
        ("/v1/masterdata/product/batchSync", "[]", "40001"),
        ("/v1/masterdata/product/batchSync", "[1]", "40002"),
        (
            "/v1/masterdata/product/batchSync",
            r#"[{"type":0,"code":"A","name":"A","gender":"Other"}]"#,
            "40004",
        ),
        ("/v1/consumer/event/data", r#"{"event":[]}"#, "40001"),
    ] {
        let answer = post(path, body).await.unwrap().json();
        assert_eq!(answer["code"], code, "{path} {body}: {answer}");
    }
    let get = session.request(
        Method::GET,
        "/v1/member/M17",
        &session.token,
        Some(Bytes::from_static(b"{}")),
    );
    assert_eq!(get.await.unwrap().json()["code"], "40000");

    let plain = format!(
        "POST /v1/points/adjustment HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}",
        session.token
    );
    let mut socket = session.connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut socket, plain.as_bytes())
        .await
        .unwrap();
    let ending = crate::client::read_to_end(&mut socket).await;
    assert!(
        ending
            .text
            .contains("`Content-Type`: expected `application/json`"),
        "{}",
        ending.text
    );
    session.simulator.stop();
}

#[tokio::test]
async fn a_row_is_named_by_its_number() {
    let session = Session::start().await;
    let row = json!({
        "eventKey": "k", "eventType": "track", "eventTime": 1, "customerCode": "C", "eventId": "e", "tenantId": "t",
        "properties": {}
    });
    let text_properties = changed(row.clone(), json!({ "properties": "{}" }));
    let rows: Json = json!({ "data": [row, text_properties] });
    let answer = session.post("/v1/consumer/event/data", rows).await;
    assert_eq!(answer["code"], "40002");
    assert_eq!(
        answer["msg"],
        "`data[1].properties`: expected an object, found `\"{}\"`"
    );
    // Nothing of a refused body is taken in.
    assert!(session.simulator.ledger().events.is_empty());
    session.simulator.stop();
}
