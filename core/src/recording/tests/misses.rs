//! Messages about a request that was not recorded.

use super::{super::Player, *};

fn player(exchanges: impl IntoIterator<Item = Exchange>) -> Player {
    Player::new(recorded(exchanges), &base())
}

fn miss(recorded: Request, sent: &Request) -> String {
    player([operation(recorded, "")])
        .serve(Role::Operation, None, sent)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_first_difference_is_named() {
    let rows = [
        (
            ("POST", "v1/a", ""),
            ("PUT", "v1/a", ""),
            "method: recorded `POST`, sent `PUT`",
        ),
        (
            ("GET", "v1/a", ""),
            ("GET", "v1/b", ""),
            "path: recorded `/v1/a`, sent `/v1/b`",
        ),
        (
            ("GET", "a?page=1&size=5", ""),
            ("GET", "a?size=5&page=2", ""),
            "query parameter `page`: recorded `1`, sent `2`",
        ),
        (
            ("GET", "a", ""),
            ("GET", "a?名=值", ""),
            "query parameter `名`: recorded nothing, sent `值`",
        ),
        (
            ("GET", "a?x=1&x=1", ""),
            ("GET", "a?x=1", ""),
            "query parameter `x`: recorded `1`, sent nothing",
        ),
        (
            ("POST", "a", r#"{"a":{"b":[1,2]}}"#),
            ("POST", "a", r#"{"a":{"b":[1,3]}}"#),
            "body `/a/b/1`: recorded `2`, sent `3`",
        ),
        (
            ("POST", "a", r#"{"n":1}"#),
            ("POST", "a", r#"{"n":1.0}"#),
            "body `/n`: recorded `1`, sent `1.0`",
        ),
        (
            ("POST", "a", r#"{"a/b~c":"🎉"}"#),
            ("POST", "a", "{}"),
            "body `/a~1b~0c`: recorded `\"🎉\"`, sent nothing",
        ),
        (
            ("POST", "a", "[]"),
            ("POST", "a", "[12345678901234567890]"),
            "body `/0`: recorded nothing, sent `12345678901234567890`",
        ),
        (
            ("POST", "a", "{}"),
            ("POST", "a", ""),
            "body: recorded `{}`, sent nothing",
        ),
        (
            ("POST", "a", "abc<"),
            ("POST", "a", "abd"),
            "body from byte 2: recorded `c<`, sent `d`",
        ),
    ];
    for ((method, path, body), sent, expected) in rows {
        let text = miss(request(method, path, body), &request(sent.0, sent.1, sent.2));
        let tail = format!("not recorded; the nearest, `log.entries[0]` of item 0 differs in {expected}");
        assert!(text.ends_with(&tail), "{text}");
    }
}

#[test]
fn a_type_that_differs_is_named_last() {
    let mut sent = request("POST", "a", "{}");
    sent.headers = Vec::new();
    let text = miss(request("POST", "a", "{}"), &sent);
    assert!(
        text.ends_with("differs in content type: recorded `application/json`, sent nothing"),
        "{text}"
    );
}

#[test]
fn the_nearest_is_the_one_that_differs_least() {
    let bodies = [
        r#"{"a":1,"b":1,"c":1}"#,
        r#"{"a":9,"b":9,"c":1}"#,
        r#"{"a":9,"b":9,"c":9}"#,
    ];
    let mut exchanges: Vec<Exchange> = bodies
        .iter()
        .map(|body| operation(request("POST", "v1/points", body), ""))
        .collect();
    exchanges.push(operation(request("POST", "v1/member", bodies[2]), ""));
    let player = player(exchanges);
    let miss = player
        .serve(
            Role::Operation,
            None,
            &request("POST", "v1/points", r#"{"a":9,"b":9,"c":8}"#),
        )
        .unwrap_err();
    assert_eq!(miss.nearest.unwrap().entry, 1);
    let miss = player
        .serve(Role::Operation, None, &request("POST", "v1/member/x", ""))
        .unwrap_err();
    assert_eq!(miss.nearest.unwrap().entry, 3);
}

#[test]
fn a_request_that_was_recorded_less_often_is_told_apart() {
    let player = player([operation(request("GET", "a", ""), "")]);
    player
        .serve(Role::Operation, None, &request("GET", "a", ""))
        .unwrap();
    let again = player
        .serve(Role::Operation, None, &request("GET", "a", ""))
        .unwrap_err();
    assert_eq!(
        again.to_string(),
        "`GET /a`: recorded, but sent once more: `log.entries[0]` of item 0 has already been served"
    );
    let other = player
        .serve(Role::Operation, None, &request("GET", "b", ""))
        .unwrap_err();
    assert_eq!(
        other.to_string(),
        "`GET /b`: not recorded; the nearest, `log.entries[0]` of item 0, which has already been served, differs in \
         path: recorded `/a`, sent `/b`"
    );
    assert!(other.nearest.unwrap().served);
}

#[test]
fn an_empty_recording_says_so() {
    let miss = player([])
        .serve(
            Role::Authentication,
            None,
            &request("POST", "token?secret=hush", ""),
        )
        .unwrap_err();
    assert_eq!(
        miss.to_string(),
        "`POST /token`: `the new recording` holds no authentication exchange"
    );
    assert!(miss.hint().contains("method and path"));
}

#[test]
fn values_are_cut_and_cannot_steer_a_terminal() {
    let long = "x".repeat(10_000);
    let text = miss(
        request("POST", "a", "{\"a\":1}"),
        &request("POST", "a", &format!("{{\"a\":\"{long}\"}}")),
    );
    assert!(text.len() < 300 && text.contains('…'), "{text}");
    let text = miss(
        request("POST", "a", "safe"),
        &request("POST", "a", "\u{1b}[2J\u{9b}\u{202e}"),
    );
    assert!(text.ends_with(r"sent `\u{1b}[2J\u{9b}\u{202e}`"), "{text}");
}

#[test]
fn an_authentications_miss_shows_no_secret() {
    let player = player([exchange(
        Role::Authentication,
        None,
        request("POST", "token", "{}"),
        answer("{}"),
    )]);
    let sent = request("POST", "other?secret=hush", "{\"secret\":\"hush\"}");
    let miss = player.serve(Role::Authentication, None, &sent).unwrap_err();
    assert!(!format!("{miss} {miss:?} {sent:?}").contains("hush"));
}
