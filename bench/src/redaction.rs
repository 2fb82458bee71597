//! Searches a response for secrets: a usual response, one that contains a secret, and the worst case that a node and a
//! service can construct together.

use std::time::Instant;

use nodule::redact::Redactor;
use nodule::secret::Secret;

use crate::bench::{Bench, says};
use crate::figure::{Figure, Of, Target, Unit};

/// Size of the responses: the default limit.
const BYTES: usize = 16_000_000;
/// The worst response may take this many times as long as a usual one with a secret. Redaction is linear in the
/// response's size; if the number of secrets multiplied the time, the factor would be in the hundreds.
const WORST: f64 = 10.0;

/// Time per million bytes.
pub fn measure(bench: &Bench) -> Vec<Figure> {
    let token = Secret::new("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0NzExIn0.dGhlLXNpZ25hdHVyZQ".to_owned());
    let secret = Secret::new("demo-secret/0123456789+abcdef".to_owned());
    let usual = Redactor::for_answers([&token, &secret]);
    // Eight secrets with a common ending, and eight that almost match at every byte.
    let period = "abcdefgh".repeat(128);
    let same = (0..8).filter_map(|index| period.get(index * 8..).map(str::to_owned));
    let nearly = (0..8).filter_map(|index| Some(format!("{}{index:x}z", period.get(index..)?)));
    let hostile: Vec<Secret> = same.chain(nearly).map(Secret::new).collect();
    let hostile = Redactor::for_answers(&hostile);

    let row =
        r#"{"memberCode":"M0000004711","name":"Ada \"Countess\" Lovelace","level":"gold","points":12345},"#;
    let fill = |piece: &str| piece.repeat(BYTES / piece.len());
    let clean = fill(&row.replace('\\', ""));
    let escaped = fill(row);
    let echo = format!("{escaped}{}", token.expose());
    let worst = fill("abcdefghabc\\u0064efghabc%64efgh");
    let texts: [(&str, &Redactor, &str); 4] = [
        ("an answer without a secret", &usual, &clean),
        ("an answer with escapes in it", &usual, &escaped),
        ("an answer with a secret in it", &usual, &echo),
        ("the worst answer", &hostile, &worst),
    ];
    let mut runs: [Vec<f64>; 4] = Default::default();
    for round in 0..bench.rounds() {
        says("redaction", &format!("round {} of {}", round + 1, bench.rounds()));
        for ((_, redactor, text), runs) in texts.iter().zip(&mut runs) {
            let clock = Instant::now();
            std::hint::black_box(redactor.bytes(text.as_bytes()));
            let megabytes = u32::try_from(text.len()).map_or(f64::MAX, f64::from) / 1e6;
            runs.push(clock.elapsed().as_secs_f64() * 1e6 / megabytes);
        }
    }
    let beside = runs.get(2).cloned().unwrap_or_default();
    let figures = texts.iter().zip(runs).map(|((name, ..), runs)| {
        let figure = Figure::new("redaction", format!("{name}: per MB"), Unit::Micros, runs);
        if name.starts_with("the worst") {
            figure
                .beside("an answer with a secret in it", &beside)
                .target(Target::at_most(Of::Ratio, WORST))
        } else {
            figure
        }
    });
    figures.collect()
}
