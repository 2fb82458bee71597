//! Deadlines. The clock is paused and jumps to the next deadline when every task waits. Where a server writes, the
//! clock is real and only the tested deadline is short.

use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(1000);

/// Makes all deadlines long; `change` shortens the tested one.
fn with_deadlines(kit: Kit, change: impl FnOnce(&mut Limits)) -> Kit {
    kit.limits(|limits| {
        (limits.connect_timeout, limits.first_byte_timeout) = (LONG, LONG);
        (limits.between_bytes_timeout, limits.request_timeout) = (LONG, LONG);
        change(limits);
    })
}

const SHORT: Duration = Duration::from_secs(2);

fn silent() -> Server {
    Server::start("")
}

async fn ends_after(gate: &Gate, options: Option<RequestOptions>) -> (&'static str, Duration) {
    let clock = Clock::now();
    let outcome = Arc::clone(&gate.pipeline).exchange(get(THINGS), options).await;
    (error_name::of(&outcome.err().unwrap()), clock.elapsed())
}

/// Tokio's timers have a resolution of a millisecond.
fn is_about(found: Duration, expected: Duration) -> bool {
    found >= expected && found < expected + Duration::from_millis(10)
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_waited_for_until_its_deadline() {
    let kit = Kit::new(Leads::IntoTheVoid);
    let gate = with_deadlines(kit, |limits| limits.connect_timeout = SHORT).live();
    let (error, after) = ends_after(&gate, None).await;
    assert_eq!(error, "connection-timeout");
    assert!(is_about(after, SHORT), "{after:?}");
    assert_eq!(gate.trouble(), "no connection in time (`connect-timeout-ms`)");
    assert_eq!(gate.pipeline.observed().sent, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_waited_for_as_long_as_a_connection() {
    let gate = with_deadlines(Kit::offline(), |limits| {
        (limits.connect_timeout, limits.requests_in_flight) = (SHORT, 1);
    })
    .live();
    let slot = gate.pipeline.slots.try_acquire().unwrap();
    let (error, after) = ends_after(&gate, None).await;
    assert_eq!(error, "connection-timeout");
    assert!(is_about(after, SHORT), "{after:?}");
    let words = "no free place among 1 requests in flight (`requests-in-flight`)";
    assert_eq!(gate.trouble(), words);
    assert!(gate.looked_up().is_empty());
    drop(slot);
    assert_eq!(gate.fails(get(THINGS)).await, "connection-refused");
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_given_back_with_the_response() {
    let gate = Kit::offline()
        .limits(|limits| limits.requests_in_flight = 1)
        .live();
    for _ in 0..3 {
        assert_eq!(gate.fails(get(THINGS)).await, "connection-refused");
    }
    assert_eq!(gate.pipeline.slots.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_byte_of_a_response_has_a_deadline() {
    let server = silent();
    let gate = with_deadlines(Kit::to(&server), |limits| limits.first_byte_timeout = SHORT).live();
    let (error, after) = ends_after(&gate, None).await;
    assert_eq!(error, "http-response-timeout");
    assert!(is_about(after, SHORT), "{after:?}");
    assert_eq!(
        gate.trouble(),
        "no answer within 2 seconds (`first-byte-timeout-ms`)"
    );
    assert_eq!(gate.pipeline.observed().sent, 1);
}

#[tokio::test(start_paused = true)]
async fn a_whole_request_has_a_deadline() {
    let server = silent();
    let gate = with_deadlines(Kit::to(&server), |limits| limits.request_timeout = SHORT).live();
    let (error, after) = ends_after(&gate, None).await;
    assert_eq!(error, "http-response-timeout");
    assert!(is_about(after, SHORT), "{after:?}");
    assert_eq!(
        gate.trouble(),
        "no complete answer within 2 seconds (`request-timeout-ms`)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_may_be_in_more_of_a_hurry_and_not_in_less() {
    let server = silent();
    for (wish, expected) in [(Duration::from_secs(1), Duration::from_secs(1)), (LONG, SHORT)] {
        let gate = with_deadlines(Kit::to(&server), |limits| limits.first_byte_timeout = SHORT).live();
        let options = RequestOptions {
            first_byte_timeout: Some(wish),
            ..RequestOptions::default()
        };
        let (_, after) = ends_after(&gate, Some(options)).await;
        assert!(is_about(after, expected), "{after:?}");
    }
}

#[tokio::test]
async fn a_body_that_stops_has_a_deadline() {
    let server = Server::start("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    let short = Duration::from_millis(50);
    let gate = with_deadlines(Kit::to(&server), |limits| limits.between_bytes_timeout = short).live();
    let (error, _) = ends_after(&gate, None).await;
    assert_eq!(error, "connection-read-timeout");
    let words = "nothing more of the answer within 0.05 seconds (`between-bytes-timeout-ms`)";
    assert_eq!(gate.trouble(), words);
}

#[tokio::test(start_paused = true)]
async fn requests_to_the_service_follow_each_other_at_the_rate() {
    let mut kit = Kit::offline();
    let now = Clock::now().into_std();
    kit.rate = Some(Arc::new(Pace::of(Bucket::new("1/s".parse().unwrap(), now))));
    let gate = kit.live();
    let clock = Clock::now();
    for _ in 0..3 {
        gate.fails(get(THINGS)).await;
    }
    let after = clock.elapsed();
    assert!(is_about(after, Duration::from_secs(2)), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replay_does_not_wait_for_the_rate() {
    let mut kit = Kit::offline();
    let now = Clock::now().into_std();
    kit.rate = Some(Arc::new(Pace::of(Bucket::new("1/h".parse().unwrap(), now))));
    let pipeline = kit.replay(of_one(("GET", THINGS, ""), recorded_response(200, "", None)));
    let clock = Clock::now();
    for _ in 0..3 {
        let _ = Arc::clone(&pipeline).exchange(get(THINGS), None).await;
    }
    assert_eq!(clock.elapsed(), Duration::ZERO);
}
