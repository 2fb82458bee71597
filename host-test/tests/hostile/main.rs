//! The attacks and faults that a host of untrusted nodes has to survive, by number.
//!
//! `make test-hostile` runs them all and prints a table; `cargo test -p host-test --test hostile -- 26 31` runs two. A
//! row's function performs the attack and asserts the outcome; it fails if the protection is removed. Guests run in
//! both ways: by turns, and through `wasi:http`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::result_large_err,
    clippy::unused_self,
    clippy::pedantic,
    reason = "a test that panics fails, which is the point; clippy's exception covers test functions only"
)]

mod asking;
mod bench;
mod bombs;
mod certified;
mod claims;
mod connections;
mod crowd;
mod deadline;
mod declared;
mod describing;
mod emitting;
mod ending;
mod files;
mod guests;
mod heap;
mod inputs;
mod keys;
mod loading;
mod many;
mod moving;
mod network;
mod oauth2;
mod outbound;
mod quarantine;
mod readings;
mod saying;
mod secret;
mod server;
mod service;
mod serving;
mod share;
mod shown;
mod signing;
mod streaming;
mod tls;
mod void;
mod who;

use std::io::Write as _;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Instant;

use bench::Bench;

type Test = fn(&'static Bench) -> Pin<Box<dyn Future<Output = ()> + Send>>;

struct Row {
    number: u8,
    name: &'static str,
    test: Test,
}

macro_rules! rows {
    ($($number:literal $name:literal $test:path;)*) => {
        &[$(Row { number: $number, name: $name, test: |bench| Box::pin($test(bench)) }),*]
    };
}

const ROWS: &[Row] = rows! {
    1 "an origin that is not listed, an empty list" who::not_listed;
    2 "names that look like a listed one" who::look_alike_names;
    3 "user info and backslashes before the path" who::user_info;
    4 "other spellings of a listed name" who::spellings;
    5 "IDN look-alikes" who::idn;
    6 "another port, another scheme" who::port_and_scheme;
    7 "paths that lead out of a path rule" who::paths;
    8 "item values in a path parameter" who::item_values;
    9 "addresses in disguise" who::disguised_addresses;
    10 "IPv6 that carries or replaces IPv4" who::embedded_addresses;
    11 "private, metadata and special addresses" who::special_addresses;
    12 "a listed name that resolves to one of those" who::names_of_private_addresses;
    13 "a name with a public and a private address" who::mixed_addresses;
    14 "rebinding" who::rebinding;
    15 "redirects" who::redirects;
    16 "proxy variables" who::proxy_variables;
    17 "a policy that says less than it seems" who::bad_policies;
    18 "another allowed host or path" secret::not_added_elsewhere;
    19 "a search of the executing instance" secret::memory_search;
    20 "an authenticating instance that calls elsewhere" secret::quarantine;
    21 "a server that echoes the secret" secret::echo;
    22 "headers of the node's own" secret::own_headers;
    23 "a recording that would hold a secret" secret::recording;
    24 "debug and error output" secret::debug_output;
    25 "expired and refused sessions" service::sessions;
    26 "an endless loop, in and out of the host" share::endless;
    27 "memory, handles, a gigabyte for the host" share::memory;
    28 "deep recursion" share::recursion;
    29 "ten thousand requests at once" share::flood;
    30 "too many, too large and broken headers" share::headers;
    31 "endless, inflated and miscounted answers" share::bodies;
    32 "drips and silence" share::drips;
    33 "a panic on item k of n" share::panics;
    34 "a run that is dropped half-way" share::dropped_run;
    35 "ten thousand runs in a row" many::many_runs;
    36 "429 and 503" service::throttled;
    37 "connections that break" service::resets;
    38 "answers that are none" service::bad_answers;
    39 "certificates" service::certificates;
    40 "components that may not run" service::foreign_components;
    41 "replay" service::replay;
    42 "limits of the policy file are enforced" keys::every_limit;
    43 "no secret and no item data in any event" secret::events;
    44 "every other key of the policy file is enforced" keys::every_key;
    45 "turns that break the rules" share::turns;
    64 "every function of the host in an endless loop" deadline::every_loop;
    65 "two hostile nodes beside an honest tenant" deadline::neighbours;
    66 "names that are code, or act on a terminal" loading::names;
    67 "guesses that come back, redacted or not" quarantine::no_oracle;
    68 "sessions whose size is a message" quarantine::sizes;
    69 "answers that are one secret at every byte" quarantine::bomb;
    70 "components that are dear to compile" loading::compile_bombs;
    71 "descriptions that make much of little" describing::bombs;
    72 "failures of more words than anybody reads" shown::long_failures;
    73 "texts that act on a terminal" shown::terminal_controls;
    74 "a cache folder that others can write to" files::cache_folder;
    75 "a description that changes from time to time" describing::flips;
    76 "failures of authenticate that hold the secret" quarantine::failures;
    77 "a service that answers more often than it is asked" connections::surplus_answers;
    78 "a node's own copy of the session's query" quarantine::query;
    79 "a policy that narrows the base URL" connections::narrowed_base;
    80 "files that others can use" files::modes_and_links;
    81 "large files, and files without an end" loading::large_files;
    82 "headers that talk round the policy" connections::override_headers;
    83 "icons that draw without end" describing::icons;
    84 "a flood of requests by authenticate" quarantine::few_requests;
    85 "the environment and the memory of the command" files::process;
    86 "large recordings, and files without end" files::large_files;
    87 "an address that the engine blocks" outbound::blocked_addresses;
    88 "a proxy, its user and forbidden addresses" outbound::proxy;
    89 "what a server inherits, reads and may gain" serving::process;
    90 "callers without the token, of another user" serving::strangers;
    91 "signals that end a service" ending::signals;
    92 "a standard error that nobody reads" ending::unread_events;
    93 "failures that speak for the host" claims::failures;
    94 "a line of items that does not end" inputs::endless_items;
    95 "a folder of cases with links in it" inputs::linked_cases;
    96 "times, rates and places without an end" inputs::numbers;
    97 "many calls that compute, short or at once" crowd::many_calls;
    98 "a flood of denials in the log" claims::denials;
    99 "paths that some servers read as others" readings::paths;
    100 "results that nobody reads" ending::unread_results;
    101 "a declared origin that nobody granted" declared::not_granted;
    102 "look-alikes of a granted origin" declared::look_alikes;
    103 "a granted origin at a private address" declared::private_address;
    104 "a fixed secret in a query" declared::secret_in_query;
    105 "a fixed template that breaks out of its header" declared::header_break;
    106 "more writes than an item may send" declared::more_writes;
    120 "a signing instance that reaches out" signing::reaches_out;
    121 "a signature for another origin" signing::other_origin;
    122 "headers that no signature may set" signing::headers;
    123 "signatures that never end, fail or fill the memory" signing::limits;
    124 "a signed path that the policy refuses" signing::other_path;
    125 "a service that repeats a signature" signing::repeated;
    126 "a signature that is a message" signing::messages;
    127 "a signing instance that keeps what it saw" signing::state;
    110 "a state of another log-in" oauth2::state;
    111 "a code that comes twice" oauth2::code_twice;
    112 "a code of another provider" oauth2::mix_up;
    113 "token endpoints that redirect, or that nobody granted" oauth2::endpoints;
    114 "answers of a token endpoint that are none" oauth2::answers;
    115 "two processes that renew at once" oauth2::two_at_once;
    116 "a renewal that cannot be stored, or is cut short" oauth2::unwritten;
    117 "a log-in that ends, or is for another endpoint" oauth2::refused;
    118 "tokens in a recording, an event, an error" oauth2::told;
    130 "a page of a million choices" asking::much;
    131 "choices that act on a terminal" asking::deceptive;
    132 "choices and columns that are expressions" asking::expressions;
    133 "a form that changes something" asking::changes;
    134 "kept answers of others, and other questions" asking::kept;
    140 "a connection whose certificate nobody checked" tls::other_runner;
    141 "a client certificate at another origin" tls::client_certificate;
    142 "look-alikes of an origin without a check" tls::insecure_look_alikes;
    143 "the key of a client certificate" tls::key;
    150 "void WASI used to the full" void::void_wasi;
    151 "more requests at once than the call may have" crowd::more_than_allowed;
    152 "logs and panics that flood, deceive or tell secrets" saying::logs_and_panics;
    153 "rows that never end, or are another item's" emitting::rows;
    154 "files of items that are links, pipes, elsewhere or lie" moving::files_of_items;
    155 "names of files that lead elsewhere" moving::names_of_files;
    156 "files that never end, are many or another item's" moving::files_that_come_out;
    157 "files by streams that lie, are kept or never end" streaming::files_by_streams;
};

fn main() -> ExitCode {
    let wanted: Vec<u8> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    let by_turns: &'static Bench = Box::leak(Box::new(Bench::new()));
    let through_wasi: &'static Bench = Box::leak(Box::new(by_turns.through_wasi()));
    // Row 35 takes long and mixes all guests, and rows 45 and 153 to 157 are about one way; the other rows stop before anything runs, or
    // run the command itself.
    let once = |row: &Row| {
        matches!(
            row.number,
            35 | 45 | 66 | 70 | 71 | 74 | 80 | 81 | 85 | 86 | 89 | 90 | 153..=157
        )
    };
    let also = ROWS.iter().filter(|row| !once(row));
    let all = ROWS.iter().map(|row| (row, by_turns, ""));
    let all = all.chain(also.map(|row| (row, through_wasi, ", through wasi:http")));
    // The table shows why a row failed.
    std::panic::set_hook(Box::new(|_| ()));
    let mut failures = Vec::new();
    let mut out = std::io::stdout().lock();
    let mut line = |text: String| writeln!(out, "{text}").expect("standard output");
    line("row  outcome        time  attack".to_owned());
    for (&Row { number, name, test }, bench, way) in all {
        if !wanted.is_empty() && !wanted.contains(&number) {
            continue;
        }
        let clock = Instant::now();
        let result = runtime.block_on(async { tokio::spawn(test(bench)).await });
        let millis = clock.elapsed().as_millis();
        let outcome = if result.is_ok() { "as expected" } else { "FAILED" };
        line(format!("{number:>3}  {outcome:<11} {millis:>5} ms  {name}{way}"));
        if let Err(error) = result {
            failures.push(format!("row {number}, {name}{way}: {}", words(error)));
        }
    }
    for failure in &failures {
        line(format!("\n{failure}"));
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn words(error: tokio::task::JoinError) -> String {
    let panic = match error.try_into_panic() {
        Ok(panic) => panic,
        Err(error) => return error.to_string(),
    };
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (_, Some(text)) => (*text).to_owned(),
        _ => "a panic without words".to_owned(),
    }
}
