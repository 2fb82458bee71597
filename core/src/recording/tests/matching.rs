//! Which requests are the same, which exchange is served, and how often.

use std::time::Instant;

use super::{
    super::{Player, Spelled},
    *,
};

fn player(exchanges: impl IntoIterator<Item = Exchange>) -> Player {
    Player::new(recorded(exchanges), &base())
}

fn serves(recorded: Request, sent: &Request) -> bool {
    player([operation(recorded, "served")])
        .serve(Role::Operation, None, sent)
        .is_ok()
}

#[test]
fn requests_that_are_the_same() {
    let rows = [
        (("GET", "v1/a?x=1&y=2", ""), ("GET", "v1/a?y=2&x=1", "")),
        (("GET", "v1/a?x=1&x=2&x=1", ""), ("GET", "v1/a?x=1&x=1&x=2", "")),
        (("GET", "v1/a?q=a+b", ""), ("GET", "v1/a?q=a%20b", "")),
        (("GET", "v1/a?q", ""), ("GET", "v1/a?q=", "")),
        (("GET", "v1/%41?%71=%7e", ""), ("GET", "v1/A?q=~", "")),
        (("GET", "v1/会员", ""), ("GET", "v1/%e4%bc%9a%E5%91%98", "")),
        (("GET", "v1/a", ""), ("GET", "v1/a#fragment", "")),
        (
            ("POST", "a", r#"{"a":1,"b":{"c":[1,2],"d":"é"}}"#),
            ("POST", "a", r#" {"b":{"d":"\u00e9","c":[1,2]},"a":1}"#),
        ),
        (
            ("POST", "a", "{\"n\":12345678901234567890}"),
            ("POST", "a", "{\"n\": 12345678901234567890}"),
        ),
    ];
    for ((method, path, body), sent) in rows {
        let sent = request(sent.0, sent.1, sent.2);
        assert!(
            serves(request(method, path, body), &sent),
            "{method} {path} {body}"
        );
    }
}

#[test]
fn requests_that_are_not() {
    let rows = [
        (("GET", "v1/a", ""), ("POST", "v1/a", "")),
        (("GET", "v1/a", ""), ("GET", "v1/a/", "")),
        (("GET", "v1/a/b", ""), ("GET", "v1/a%2Fb", "")),
        (("GET", "v1/a", ""), ("GET", "v1/A", "")),
        (("GET", "v1/a?x=1", ""), ("GET", "v1/a?x=1&x=1", "")),
        (("GET", "v1/a?x=1", ""), ("GET", "v1/a?x=2", "")),
        (("GET", "v1/a?x=%FF", ""), ("GET", "v1/a?x=%FE", "")),
        (("GET", "v1/a?x=1%262", ""), ("GET", "v1/a?x=1&2", "")),
        (("POST", "a", "{\"a\":1}"), ("POST", "a", "{\"a\":1.0}")),
        (("POST", "a", "{\"a\":1}"), ("POST", "a", "{\"a\":\"1\"}")),
        (
            ("POST", "a", "{\"a\":12345678901234567890}"),
            ("POST", "a", "{\"a\":12345678901234567891}"),
        ),
        (("POST", "a", "{\"a\":null}"), ("POST", "a", "{}")),
        (("POST", "a", "[1,2]"), ("POST", "a", "[2,1]")),
        (("POST", "a", "{}"), ("POST", "a", "")),
        (("POST", "a", "{\"cut"), ("POST", "a", "{ \"cut")),
    ];
    for ((method, path, body), sent) in rows {
        let sent = request(sent.0, sent.1, sent.2);
        assert!(
            !serves(request(method, path, body), &sent),
            "{method} {path} {body}"
        );
    }
}

#[test]
fn of_the_headers_only_the_type_of_a_body_counts() {
    let typed = |content_type: &str| {
        let mut request = request("POST", "a", "{}");
        request.headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        request
    };
    assert!(serves(
        typed("application/json"),
        &typed("Application/JSON; charset=utf-8")
    ));
    assert!(!serves(typed("application/json"), &typed("text/plain")));
    let mut signed = request("POST", "a", "{}");
    signed
        .headers
        .push(("authorization".to_owned(), "Bearer x".to_owned()));
    signed.headers.push(("x-trace".to_owned(), "1".to_owned()));
    assert!(serves(request("POST", "a", "{}"), &signed));
    let mut empty = request("GET", "a", "");
    empty
        .headers
        .push(("content-type".to_owned(), "text/plain".to_owned()));
    assert!(serves(request("GET", "a", ""), &empty));
}

#[test]
fn headers_of_the_node_s_own_are_compared_and_named_where_they_differ() {
    let keyed = |key: Option<&str>| {
        let mut request = request("POST", "a", "{}");
        let key = key.map(|key| ("Idempotency-Key".to_owned(), key.to_owned()));
        request.headers.extend(key);
        request
            .headers
            .push(("user-agent".to_owned(), "node/1".to_owned()));
        request
            .headers
            .push(("authorization".to_owned(), "Bearer x".to_owned()));
        request
    };
    let recording = recorded([operation(keyed(Some("k1")), "served")]);
    // Neither who asks nor a secret is compared.
    assert_eq!(recording.case().unwrap().headers, ["idempotency-key"]);
    let miss = |sent: &Request| {
        let player = Player::new(recording.clone(), &base());
        assert!(player.serve_spelled(None, &Spelled::recorded(sent)).is_none());
        let miss = player.serve(Role::Operation, None, sent).err();
        miss.map(|miss| miss.nearest.unwrap().difference.unwrap().to_string())
    };
    assert_eq!(miss(&keyed(Some("k1"))), None);
    assert_eq!(
        miss(&keyed(Some("k2"))).as_deref(),
        Some("header `idempotency-key`: recorded `k1`, sent `k2`")
    );
    assert_eq!(
        miss(&keyed(None)).as_deref(),
        Some("header `idempotency-key`: recorded `k1`, sent nothing")
    );
}

#[test]
fn bodies_that_are_not_json_are_compared_by_bytes() {
    let raw = |body: &'static [u8]| {
        let mut request = request("PUT", "a", "");
        request.body = Bytes::from_static(body);
        request
    };
    assert!(serves(raw(&[0, 0xff, 1]), &raw(&[0, 0xff, 1])));
    assert!(!serves(raw(&[0, 0xff, 1]), &raw(&[0, 0xff, 2])));
    assert!(
        !serves(raw(b"1"), &raw(b" 1")),
        "a number in a text of no type is a text"
    );
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(
        serves(request("POST", "a", &deep), &request("POST", "a", &deep)),
        "too deep to be read as JSON"
    );
}

#[test]
fn paths_are_compared_below_the_two_base_urls() {
    for (base_url, sent) in [
        ("https://crm.example.com", "https://crm.example.com/v1/a"),
        ("https://crm.example.com/", "https://crm.example.com/v1/a"),
        (
            "https://crm.example.com/deep/api/",
            "https://crm.example.com/deep/api/v1/a",
        ),
        ("http://[::1]:9/crm", "http://[::1]:9/crm/v1/a"),
    ] {
        let player = Player::new(
            recorded([operation(request("GET", "v1/a", ""), "served")]),
            &Url::parse(base_url).unwrap(),
        );
        let mut other = request("GET", "", "");
        other.url = Url::parse("https://other.example/v1/a").unwrap();
        assert!(
            player.serve(Role::Operation, None, &other).is_err(),
            "not below the base URL"
        );
        other.url = Url::parse(sent).unwrap();
        assert!(player.serve(Role::Operation, None, &other).is_ok(), "{base_url}");
    }
}

#[test]
fn a_prefix_ends_at_a_slash() {
    let mut beside = request("GET", "", "");
    beside.url = Url::parse("http://127.0.0.1:8080/crmx/v1/a").unwrap();
    assert!(!serves(request("GET", "x/v1/a", ""), &beside));
    assert!(
        serves(beside.clone(), &beside),
        "outside the base URL the whole address counts"
    );
}

/// Whether an exchange is served by its exact spelling, to a run whose service is at `base_url`.
fn serves_spelled(recorded_as: &Request, base_url: &str, sent: &Request) -> bool {
    let player = Player::new(
        recorded([operation(recorded_as.clone(), "served")]),
        &Url::parse(base_url).unwrap(),
    );
    let is_served = player.serve_spelled(None, &Spelled::recorded(sent)).is_some();
    if is_served {
        assert!(
            player.serve_spelled(None, &Spelled::recorded(sent)).is_none(),
            "once"
        );
        assert!(player.serve(Role::Operation, None, sent).is_err(), "once");
    }
    is_served
}

#[test]
fn what_is_written_as_it_was_recorded_is_found_by_that() {
    let post = |path: &str, body: &str| request("POST", path, body);
    let at = |url: &str| Request {
        url: Url::parse(url).unwrap(),
        ..post("", "{}")
    };
    assert!(serves_spelled(&post("a?b=1", "{}"), BASE, &post("a?b=1", "{}")));
    for base_url in ["https://other.example", "https://other.example/"] {
        let sent = at("https://other.example/a?b=1");
        assert!(serves_spelled(&post("a?b=1", "{}"), base_url, &sent));
    }
    let with_query = "https://other.example/?b=1";
    let sent = at("https://other.example/?b=1/a");
    assert!(!serves_spelled(&post("a", "{}"), with_query, &sent));
    // Another spelling of the same request is left to the full comparison.
    assert!(!serves_spelled(&post("%41", "{}"), BASE, &post("A", "{}")));
    assert!(!serves_spelled(&post("a", "{}"), BASE, &post("a", "{ }")));
    assert!(!serves_spelled(
        &post("a?x=1&y=2", "{}"),
        BASE,
        &post("a?y=2&x=1", "{}")
    ));
    // URLs beside the base URL, not below it.
    for beside in ["http://127.0.0.1:8080/crmx/a", "http://127.0.0.1:8081/crm/a"] {
        assert!(!serves_spelled(&at(beside), BASE, &at(beside)), "{beside}");
    }
}

#[test]
fn what_differs_in_a_part_is_not_found_by_how_it_is_written() {
    let recorded_as = request("POST", "a?b=1", "{}");
    let mut other_type = recorded_as.clone();
    other_type.headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    let rows = [
        request("PUT", "a?b=1", "{}"),
        request("POST", "a?b=2", "{}"),
        request("POST", "a?b=1", "{}}"),
        request("POST", "a?b=1{}", ""),
        other_type,
    ];
    for sent in rows {
        assert!(!serves_spelled(&recorded_as, BASE, &sent), "{sent:?}");
    }
}

#[test]
fn an_authentication_is_not_found_by_how_it_is_written() {
    let sent = request("POST", "token", "{}");
    let token = exchange(Role::Authentication, None, sent.clone(), answer("{}"));
    assert!(
        player([token])
            .serve_spelled(None, &Spelled::recorded(&sent))
            .is_none()
    );
}

#[test]
fn equals_are_served_once_each_and_in_order() {
    let get = || request("GET", "a", "");
    let player = player(["one", "two", "three"].map(|body| operation(get(), body)));
    for expected in ["one", "two", "three"] {
        assert_eq!(
            body(player.serve(Role::Operation, None, &get()).unwrap()),
            expected
        );
    }
    let miss = player.serve(Role::Operation, None, &get()).unwrap_err();
    assert_eq!(miss.nearest.unwrap().difference, None);
}

#[test]
fn of_equals_an_item_gets_its_own_first() {
    let get = || request("GET", "a", "");
    let of = |item, text: &str| exchange(Role::Operation, Some(item), get(), answer(text.to_owned()));
    let player = player([of(0, "0a"), of(0, "0b"), of(1, "1a")]);
    let serve = |item| body(player.serve(Role::Operation, item, &get()).unwrap()).to_owned();
    assert_eq!(serve(Some(1)), "1a");
    assert_eq!(serve(None), "0a");
    assert_eq!(
        serve(Some(1)),
        "0b",
        "the items may be numbered otherwise than they were recorded"
    );
}

#[test]
fn authentication_matches_by_method_and_path_alone() {
    let token = |body: &str| {
        exchange(
            Role::Authentication,
            None,
            request("POST", "token?a=b", "{}"),
            answer(body.to_owned()),
        )
    };
    let player = player([token("\"first\""), token("\"second\"")]);
    let sent = request("POST", "token?c=d", "{\"secret\":\"dummy\"}");
    assert!(
        player.serve(Role::Operation, None, &sent).is_err(),
        "an operation does not get it"
    );
    assert!(
        player
            .serve(Role::Authentication, None, &request("GET", "token", ""))
            .is_err()
    );
    assert_eq!(
        body(player.serve(Role::Authentication, None, &sent).unwrap()),
        "\"first\""
    );
    assert_eq!(
        body(player.serve(Role::Authentication, None, &sent).unwrap()),
        "\"second\""
    );
    assert!(
        player.serve(Role::Authentication, None, &sent).is_err(),
        "served again only if recorded again"
    );
}

#[test]
fn failures_and_broken_answers_are_served_as_they_were() {
    let reset = Outcome::Failed {
        error: "connection-reset".to_owned(),
    };
    let player = player([exchange(
        Role::Operation,
        None,
        request("GET", "a", ""),
        reset.clone(),
    )]);
    assert_eq!(
        player
            .serve(Role::Operation, None, &request("GET", "a", ""))
            .unwrap(),
        &reset
    );
}

#[test]
fn what_was_not_used_is_told_by_role() {
    let player = player([
        exchange(
            Role::Authentication,
            None,
            request("POST", "token?secret=x", "{}"),
            answer("{}"),
        ),
        operation(request("GET", "used", ""), ""),
        exchange(
            Role::Operation,
            Some(1),
            request("GET", "left?a=1", ""),
            answer(""),
        ),
    ]);
    player
        .serve(Role::Operation, None, &request("GET", "used", ""))
        .unwrap();
    let unused = player.unused();
    let texts: Vec<String> = unused.operation.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["`log.entries[2]`: recorded and never sent: `GET /left?a=1`"]
    );
    assert_eq!(unused.operation[0].item, Some(1));
    assert_eq!(unused.authentication[0].request, "POST /token");
    player
        .serve(Role::Operation, None, &request("GET", "left?a=1", ""))
        .unwrap();
    player
        .serve(Role::Authentication, None, &request("POST", "token", ""))
        .unwrap();
    assert!(player.unused().is_empty());
}

#[test]
fn overlapping_requests_get_each_exchange_once() {
    let player = player((0..400).map(|index| operation(request("GET", "a", ""), &index.to_string())));
    let served = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let outcome = player
                        .serve(Role::Operation, Some(0), &request("GET", "a", ""))
                        .unwrap();
                    served
                        .lock()
                        .unwrap()
                        .push(body(outcome).parse::<usize>().unwrap());
                }
            });
        }
    });
    let mut served = served.into_inner().unwrap();
    served.sort_unstable();
    assert_eq!(served, (0..400).collect::<Vec<_>>());
}

/// Comparing each request with every exchange would parse JSON 200 million times, which takes hours. The lookup takes
/// about a second.
#[test]
fn twenty_thousand_exchanges_of_one_path_are_looked_up() {
    let count = 20_000;
    let body = |index: usize| format!("{{\"index\":{index}}}");
    let player = player((0..count).map(|index| operation(request("POST", "a", &body(index)), "")));
    let began = Instant::now();
    for index in (0..count).rev() {
        player
            .serve(Role::Operation, Some(0), &request("POST", "a", &body(index)))
            .unwrap();
    }
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert!(player.unused().is_empty());
}
