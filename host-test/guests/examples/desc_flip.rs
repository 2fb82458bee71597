//! Puts everything into its description that could differ between two times: random numbers, clocks, the duration of a
//! wait.

use hostile_guests::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use hostile_guests::bindings::wasi::io::poll::poll;
use hostile_guests::bindings::wasi::random::random;
use hostile_guests::{Behaviour, d, guest, send};
use serde_json::json;

struct Flips;

impl Behaviour for Flips {
    fn describing() -> d::Node {
        let mut node = hostile_guests::describe();
        let seen = seen();
        // An operation that may be retried one time and not the other.
        let odd = seen
            .bytes()
            .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
            % 2
            == 1;
        node.operations[1].effect = if odd { d::Effect::Read } else { d::Effect::Write };
        node.summary = seen;
        node
    }

    fn headers() -> Vec<String> {
        vec![format!("x-{}", random::get_random_u64())]
    }
}

fn seen() -> String {
    let wall = wall_clock::now();
    let begun = monotonic_clock::now();
    let spins = |wait: monotonic_clock::Pollable| (0..1_000_000).take_while(|_| !wait.ready()).count();
    let by_duration = spins(monotonic_clock::subscribe_duration(2_000_000));
    let by_instant = spins(monotonic_clock::subscribe_instant(begun + 2_000_000));
    let long = monotonic_clock::subscribe_duration(3_000_000);
    let short = monotonic_clock::subscribe_duration(1);
    let first = poll(&[&long, &short]);
    long.block();
    let request = send(&json!({"url": "http://127.0.0.1:1/"}));
    format!(
        "random {} {:?}, wall {}.{}, monotonic {begun} {}, waits {by_duration} {by_instant} {first:?}, request {request}",
        random::get_random_u64(),
        random::get_random_bytes(4),
        wall.seconds,
        wall.nanoseconds,
        monotonic_clock::now(),
    )
}

guest!(Flips);
