//! Converts a node's failure into a plain type of this crate, and bounds it before anything is parsed, copied or shown.
//!
//! A node chooses every text of its failure, and the failure of a whole call becomes the failure of each item.
//! `output-bytes` bounds what the host copies out of the node. Here each failure is truncated to what people read, so
//! that neither the number of items nor parsing multiplies it.

use nodule_core::json::Json;

use super::types;
use nodule_core::failure::{
    Answer, Certainty, Failure, LOGIN_REQUIRED, ParameterProblem, TOKEN_STORE, UNKNOWN,
};
use nodule_core::json_size::{Most, within};

/// People read messages, so longer ones are truncated.
const MESSAGE_CHARS: usize = 4_000;
/// The maximum length of codes, names of exchanges and other names. Some services have names of a hundred characters.
const NAME_CHARS: usize = 256;
/// The maximum length of a kind. The contract's own kinds have up to eighteen letters.
const KIND_CHARS: usize = 64;
/// Replaces a kind that is not in kebab-case or that a node may not use: people group and count by kinds.
const OTHER: &str = "other";
/// The kinds that the contract and the host use. A node that used one would speak for the host: an item that was never
/// sent would count as perhaps done, or as denied by the policy.
const TAKEN: [&str; 23] = [
    "authentication",
    "bad-output",
    "file",
    "bad-session",
    "denied",
    "interrupted",
    "invalid-input",
    "invalid-parameters",
    "journal",
    "limit",
    LOGIN_REQUIRED,
    "no-test",
    "not-run",
    "rejected",
    "signing",
    "throttled",
    TOKEN_STORE,
    "trap",
    "unauthenticated",
    "unavailable",
    "uncertain",
    "unintelligible",
    UNKNOWN,
];
/// The maximum number of problems; nobody reads more.
const PROBLEMS: usize = 1_000;
/// The maximum size of all problems together: a thousand of some 60 bytes each. At least one is kept.
const PROBLEMS_BYTES: usize = 64 * 1024;
/// The maximum size of a detail. A larger one is omitted, since half of a JSON document is not JSON.
const DETAIL_BYTES: usize = 64 * 1024;
/// The maximum number of values in a detail. A parsed value takes some hundred bytes, so these take less than half a
/// megabyte.
const DETAIL: Most = Most {
    depth: 64,
    values: 4_096,
};

impl From<types::Failure> for Failure {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::InvalidParameters(list) => Failure::InvalidParameters(problems(list)),
            types::Failure::InvalidInput(message) => Failure::InvalidInput(cut(message)),
            types::Failure::Unauthenticated(answer) => Failure::Unauthenticated(answer.into()),
            types::Failure::Rejected(answer) => Failure::Rejected(answer.into()),
            types::Failure::Throttled(types::Throttle {
                answer,
                retry_after_ms,
            }) => Failure::Throttled {
                answer: answer.into(),
                retry_after_ms,
            },
            types::Failure::Unavailable(outage) => Failure::Unavailable {
                certainty: outage.certainty.into(),
                message: cut(outage.message),
                answer: outage.answer.map(Into::into),
                retry_after_ms: outage.retry_after_ms,
            },
            types::Failure::Denied(message) => Failure::Denied {
                message: cut(message),
                hint: None,
            },
            types::Failure::Unintelligible(answer) => Failure::Unintelligible(answer.into()),
            types::Failure::Limit(message) => Failure::Limit(cut(message)),
            types::Failure::NotRun => Failure::NotRun,
            types::Failure::Other(other) => Failure::Other {
                kind: kind(other.kind),
                message: cut(other.message),
                detail: other.detail.and_then(detail),
            },
        }
    }
}

impl From<types::Answer> for Answer {
    fn from(answer: types::Answer) -> Self {
        let name = |text: Option<String>| text.map(|text| bounded(text, NAME_CHARS));
        Self {
            status: answer.status,
            code: name(answer.code),
            message: cut(answer.message),
            request_id: name(answer.request_id),
        }
    }
}

impl From<types::Certainty> for Certainty {
    fn from(certainty: types::Certainty) -> Self {
        match certainty {
            types::Certainty::NotDone => Certainty::NotDone,
            types::Certainty::Unknown => Certainty::Unknown,
        }
    }
}

/// The first problems that fit into the limits.
fn problems(problems: Vec<types::Problem>) -> Vec<ParameterProblem> {
    let mut left = PROBLEMS_BYTES;
    let mut kept = Vec::new();
    for problem in problems.into_iter().take(PROBLEMS) {
        let problem = ParameterProblem {
            pointer: cut(problem.pointer),
            label: cut(problem.label),
            message: cut(problem.message),
        };
        let bytes = problem.pointer.len() + problem.label.len() + problem.message.len();
        let Some(rest) = left.checked_sub(bytes).or(kept.is_empty().then_some(0)) else {
            break;
        };
        left = rest;
        kept.push(problem);
    }
    kept
}

/// Parses a detail. Text that is not JSON is kept as a string, since people read it. A detail that is too large, or
/// would be when parsed, is omitted.
fn detail(text: String) -> Option<Json> {
    if text.len() > DETAIL_BYTES || within(text.as_bytes(), DETAIL).is_err() {
        return None;
    }
    Some(Json::parse(&text).unwrap_or(Json::String(text)))
}

fn kind(kind: String) -> String {
    let is_name = !kind.is_empty()
        && kind.len() <= KIND_CHARS
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let is_taken = TAKEN.contains(&kind.as_str());
    if is_taken || !is_name {
        OTHER.to_owned()
    } else {
        kind
    }
}

fn cut(text: String) -> String {
    bounded(text, MESSAGE_CHARS)
}

/// Truncates a text to this many characters and frees the memory of the rest.
fn bounded(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text.shrink_to_fit();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(kind: &str, detail: Option<String>) -> Failure {
        types::Failure::Other(types::OtherFailure {
            kind: kind.to_owned(),
            message: "m".to_owned(),
            detail,
        })
        .into()
    }

    fn detail_of(text: impl Into<String>) -> Option<Json> {
        match other("k", Some(text.into())) {
            Failure::Other { detail, .. } => detail,
            failure => panic!("{failure:?}"),
        }
    }

    #[test]
    fn a_detail_is_parsed_where_it_is_small_and_left_out_where_it_is_not() {
        assert_eq!(
            detail_of(r#"{"a":[1,2]}"#),
            Some(nodule_core::json!({"a": [1, 2]}))
        );
        assert_eq!(detail_of("no JSON"), Some(Json::from("no JSON")));
        let zeros = |count: usize| format!("[{}0]", "0,".repeat(count));
        assert!(detail_of(zeros(4_000)).is_some());
        for large in [
            zeros(5_000),
            format!("\"{}\"", "a".repeat(DETAIL_BYTES)),
            "[".repeat(100),
            format!("{}{}", "{\"a\":".repeat(100), "}".repeat(100)),
        ] {
            assert_eq!(detail_of(large), None);
        }
    }

    #[test]
    fn a_kind_is_a_name() {
        for (given, expected) in [
            ("rate-limited", "rate-limited"),
            ("e42", "e42"),
            ("", "other"),
            ("\u{1b}[2J", "other"),
            ("Kind", "other"),
            ("a\nb", "other"),
            ("unknown", "other"),
            ("trap", "other"),
            ("denied", "other"),
            (&*"k".repeat(64), &*"k".repeat(64)),
            (&*"k".repeat(65), "other"),
        ] {
            assert_eq!(other(given, None).kind(), expected, "{given:?}");
        }
    }

    /// Checks every kind in the sources of this crate, except in tests.
    #[test]
    fn no_kind_of_the_hosts_own_is_a_nodes_to_give() {
        fn kinds(folder: &std::path::Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    kinds(&path, found);
                } else {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                    let parts = code.split("kind: \"").skip(1);
                    found.extend(parts.filter_map(|part| Some(part.split_once("\".into()")?.0.to_owned())));
                }
            }
        }
        let mut found = vec![UNKNOWN.to_owned(), Failure::NotRun.kind().to_owned()];
        kinds(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut found,
        );
        for expected in ["trap", "bad-output", "file", "interrupted", "journal"] {
            assert!(
                found.iter().any(|kind| kind == expected),
                "{expected} in {found:?}"
            );
        }
        for kind in found {
            assert_eq!(other(&kind, None).kind(), OTHER, "{kind}");
        }
    }

    #[test]
    fn texts_are_cut_and_hold_no_memory_that_they_do_not_need() {
        let long = "é".repeat(1 << 20);
        let answer = types::Answer {
            status: 400,
            code: Some(long.clone()),
            message: long.clone(),
            request_id: Some(long.clone()),
        };
        let Failure::Rejected(answer) = types::Failure::Rejected(answer).into() else {
            panic!("rejected")
        };
        assert_eq!(answer.message.chars().count(), MESSAGE_CHARS + 1);
        assert!(answer.message.ends_with('…') && answer.message.capacity() < 3 * MESSAGE_CHARS);
        for name in [answer.code, answer.request_id] {
            assert!(
                name.is_some_and(|name| name.chars().count() == NAME_CHARS + 1 && name.capacity() < 2 * 1024)
            );
        }
    }

    #[test]
    fn problems_have_a_number_and_a_size() {
        let problem = |bytes: usize| types::Problem {
            pointer: "/a".to_owned(),
            label: "A".to_owned(),
            message: "m".repeat(bytes),
        };
        let kept = |count: usize, bytes: usize| {
            let list = (0..count).map(|_| problem(bytes)).collect();
            match types::Failure::InvalidParameters(list).into() {
                Failure::InvalidParameters(problems) => problems.len(),
                failure => panic!("{failure:?}"),
            }
        };
        assert_eq!(kept(3, 1 << 20), 3);
        assert_eq!(kept(100_000, 10), PROBLEMS);
        assert_eq!(kept(1_000, 4_000), PROBLEMS_BYTES / 4_003);
    }
}
