//! What the host observes of a call's requests, and trusts more than the node's failure.

use std::cell::Cell;

use nodule_core::failure::{Answer as Said, Certainty};

use super::*;

#[tokio::test]
async fn what_is_sent_and_what_is_answered_is_counted() {
    let server = Server::start(ok("1234"));
    let gate = Kit::to(&server).live();
    let before = gate.pipeline.answered_so_far();
    for wanted in [
        get(THINGS),
        request("HEAD", THINGS, &[], ""),
        post(THINGS, "{}"),
        request("DELETE", THINGS, &[], ""),
    ] {
        gate.sent(wanted).await;
    }
    let observed = gate.pipeline.observed();
    assert_eq!((observed.sent, observed.answered), (4, 4));
    assert_eq!((observed.changing.sent, observed.changing.answered), (2, 2));
    assert_eq!(observed.took.len(), 4);
    let answered = gate.pipeline.answered_so_far().since(before);
    // A response to HEAD has no body.
    assert_eq!((answered.answers, answered.bytes), (4, 12));
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_its_request_sent() {
    let server = Server::start("");
    let gate = Kit::to(&server).live();
    let mut exchange = Box::pin(gate.send(post(THINGS, "{}")));
    while server.seen().is_empty() {
        tokio::select! {
            biased;
            _ = &mut exchange => panic!("a silent server has answered"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(exchange);
    let observed = gate.pipeline.observed();
    assert_eq!((observed.changing.sent, observed.changing.answered), (1, 0));
}

/// A node can cause a million denials a second.
#[test]
fn what_costs_a_node_nothing_is_told_a_thousand_times() {
    let pipeline = Kit::offline().dry_run().0;
    let told = Cell::new(0);
    for _ in 0..5000 {
        pipeline.audit(|| told.set(told.get() + 1));
    }
    // The 1024th report is the event `silence`.
    assert_eq!(told.get(), 1023);
}

async fn last_answer(status: &str, headers: &[(&str, &str)], body: &str) -> LastAnswer {
    let server = Server::start(response(status, headers, body));
    let gate = Kit::to(&server).authenticating().live();
    gate.sent(get(THINGS)).await;
    gate.pipeline.last_answer().unwrap()
}

#[tokio::test]
async fn of_an_authentications_last_response_status_and_wait_are_known() {
    let seen = last_answer("429 Slow", &[("retry-after", "3")], "{}").await;
    let expected = LastAnswer {
        status: 429,
        retry_after_ms: Some(3000),
        is_html: false,
        redirect: None,
    };
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_is_told_by_its_type_and_by_its_beginning() {
    for (headers, body, expected) in [
        (&[("content-type", "Text/HTML; charset=x")][..], "x", true),
        (&[], " <!doctype html>", true),
        (&[("content-type", "application/json")], "{}", false),
        (&[], "", false),
    ] {
        let seen = last_answer("200 OK", headers, body).await;
        assert_eq!(seen.is_html, expected, "{headers:?} {body}");
    }
}

#[tokio::test]
async fn where_a_redirect_leads_is_told_from_the_base_url() {
    for (to, expected) in [
        ("https://crm.example.com/api", Some(Redirect::Https)),
        ("/login", Some(Redirect::SameHost)),
        ("http://crm.example.com:8080/api", Some(Redirect::SameHost)),
        ("https://login.example.com/", Some(Redirect::OtherHost)),
        ("//login.example.com/", Some(Redirect::OtherHost)),
        ("http://[", None),
    ] {
        let seen = last_answer("302 Found", &[("location", to)], "").await;
        assert_eq!(seen.redirect, expected, "{to}");
    }
    let seen = last_answer("201 Created", &[("location", "/things/1")], "").await;
    assert_eq!(seen.redirect, None);
}

#[tokio::test]
async fn a_last_request_without_a_response_leaves_none() {
    let gate = Kit::offline().authenticating().live();
    gate.fails(get(THINGS)).await;
    assert_eq!(gate.pipeline.last_answer(), None);
}

fn unavailable(certainty: Certainty, message: &str, answer: Option<Said>) -> Failure {
    Failure::Unavailable {
        certainty,
        message: message.to_owned(),
        answer,
        retry_after_ms: None,
    }
}

fn denied_by_node() -> Failure {
    Failure::Denied {
        message: "widen it".to_owned(),
        hint: None,
    }
}

#[tokio::test]
async fn a_denial_is_told_in_the_hosts_words_where_there_was_one() {
    let gate = Kit::offline().live();
    let (message, hint) = gate.denied(get(OTHER)).await;
    let explained = gate.pipeline.explain(denied_by_node());
    assert_eq!(explained, Failure::Denied { message, hint });
}

#[test]
fn what_the_host_knows_nothing_of_is_told_as_the_nodes_word() {
    let pipeline = Kit::offline().dry_run().0;
    let Failure::Denied { message, .. } = pipeline.explain(denied_by_node()) else {
        panic!("another failure");
    };
    assert_eq!(message, "the node says: widen it");
    let limit = pipeline.explain(Failure::Limit("more memory".to_owned()));
    assert_eq!(limit, Failure::Limit("the node says: more memory".to_owned()));
}

#[tokio::test]
async fn a_limit_is_told_in_the_hosts_words_where_it_was_reached() {
    let gate = Kit::offline()
        .limits(|limits| limits.request_body_bytes = 1)
        .live();
    gate.fails(post(THINGS, "12")).await;
    let explained = gate.pipeline.explain(Failure::Limit("of mine".to_owned()));
    assert_eq!(explained, Failure::Limit(gate.limit()));
}

#[tokio::test]
async fn where_nothing_was_sent_nothing_was_done() {
    let gate = Kit::offline().live();
    gate.fails(post(THINGS, "{}")).await;
    let Failure::Unavailable {
        certainty, message, ..
    } = gate
        .pipeline
        .explain(unavailable(Certainty::Unknown, "no luck", None))
    else {
        panic!("another failure");
    };
    assert_eq!(certainty, Certainty::NotDone);
    assert_eq!(message, format!("no luck ({})", gate.trouble()));
}

#[tokio::test]
async fn where_something_was_sent_the_nodes_certainty_stands() {
    let server = Server::closing("");
    let gate = Kit::to(&server).live();
    gate.fails(post(THINGS, "{}")).await;
    for given in [Certainty::Unknown, Certainty::NotDone] {
        let Failure::Unavailable { certainty, .. } =
            gate.pipeline.explain(unavailable(given, "no luck", None))
        else {
            panic!("another failure");
        };
        assert_eq!(certainty, given);
    }
}

#[tokio::test]
async fn beside_what_a_service_said_the_network_says_nothing() {
    let gate = Kit::offline().live();
    gate.fails(get(THINGS)).await;
    let said = Said {
        status: 503,
        ..Said::default()
    };
    let Failure::Unavailable { message, .. } =
        gate.pipeline
            .explain(unavailable(Certainty::Unknown, "no luck", Some(said)))
    else {
        panic!("another failure");
    };
    assert_eq!(message, "no luck");
}

#[tokio::test]
async fn a_response_that_the_node_could_not_read_has_the_status_that_the_host_saw() {
    let server = Server::start(response("200 OK", &[("content-encoding", "compress")], "x"));
    let gate = Kit::to(&server).live();
    gate.fails(get(THINGS)).await;
    let unread = Failure::Unintelligible(Said::default());
    let Failure::Unintelligible(said) = gate.pipeline.explain(unread) else {
        panic!("another failure");
    };
    assert_eq!(said.status, 200);
    assert!(said.message.contains("compress"), "{said:?}");
    // A response that the node did read stays as the node described it.
    let read = Said {
        status: 418,
        message: "tea".to_owned(),
        ..Said::default()
    };
    let explained = gate.pipeline.explain(Failure::Unintelligible(read.clone()));
    assert_eq!(explained, Failure::Unintelligible(read));
}
