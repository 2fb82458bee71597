use super::*;
use crate::address::Permit;
use crate::description::{EXAMPLE, Node};

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).unwrap()
}

fn allowing(rules: &[&str]) -> Policy {
    let mut policy = Policy::default();
    for rule in rules {
        policy.allow(Rule::parse(rule).unwrap());
    }
    policy
}

fn denied(policy: &Policy, method: &Method, text: &str) -> Denial {
    policy.decide(method, &url(text)).unwrap_err()
}

fn from_toml(text: &str) -> Policy {
    Policy::from_toml(text, "policy.toml").unwrap()
}

fn refusal(text: &str) -> String {
    Policy::from_toml(text, "policy.toml").unwrap_err().to_string()
}

/// rule, URL, whether it is allowed
const DECISIONS: &[(&str, &str, bool)] = &[
    ("https://good.com", "https://good.com/", true),
    ("https://good.com", "https://good.com/any/path?query", true),
    ("https://good.com", "https://GOOD.com.:443/", true),
    ("https://GOOD.com.", "https://good.com/", true),
    ("https://good.com/", "https://good.com/x", true),
    ("https://good.com", "https://good.com.evil.com/", false),
    ("https://good.com", "https://evilgood.com/", false),
    ("https://good.com", "https://evil.com/good.com", false),
    ("https://good.com", "https://a.good.com/", false),
    ("https://good.com", "https://com/", false),
    ("https://good.com", "http://good.com/", false),
    ("https://good.com", "http://good.com:443/", false),
    ("https://good.com", "https://good.com:8443/", false),
    ("https://good.com", "https://xn--gd-fmca.com/", false),
    (
        "https://xn--bcher-kva.example",
        "https://xn--bcher-kva.example/",
        true,
    ),
    ("https://bucher.example", "https://xn--bcher-kva.example/", false),
    ("http://good.com", "http://good.com/", true),
    ("http://good.com", "https://good.com/", false),
    ("https://good.com:8443", "https://good.com:8443/", true),
    ("https://good.com:8443", "https://good.com/", false),
    ("https://*.good.com", "https://a.good.com/", true),
    ("https://*.good.com", "https://b.a.good.com/", true),
    ("https://*.good.com", "https://good.com/", false),
    ("https://*.good.com", "https://evilgood.com/", false),
    ("https://*.good.com", "https://a.good.com.evil.com/", false),
    ("https://*.good.com:8443", "https://a.good.com:8443/", true),
    ("https://*.good.com:8443", "https://a.good.com/", false),
    ("https://good.com/v1", "https://good.com/v1", true),
    ("https://good.com/v1", "https://good.com/v1/x", true),
    ("https://good.com/v1", "https://good.com/v1/a%2Fb", true),
    ("https://good.com/v1", "https://good.com/v1X", false),
    ("https://good.com/v1", "https://good.com/", false),
    ("https://good.com/v1", "https://good.com/v1%2Fx", false),
    ("https://good.com/v1", "https://good.com/v1/%2e%2e%2fx", false),
    ("https://good.com/v1", "https://good.com/v1/x;y", false),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", true),
    ("http://127.0.0.1:8080", "http://2130706433:8080/", true),
    ("http://127.0.0.1:8080", "http://127.0.0.1/", false),
    ("http://127.0.0.1:8080", "http://127.0.0.2:8080/", false),
    ("http://127.0.0.1", "http://[::ffff:127.0.0.1]/", false),
    ("http://127.0.0.1", "http://localhost/", false),
    ("http://localhost", "http://127.0.0.1/", false),
    ("http://localhost", "http://0x7f.1/", false),
    ("http://localhost", "http://[::1]/", false),
    ("http://[::1]:8080", "http://[0:0::1]:8080/", true),
    ("http://[::1]:8080", "http://[::127.0.0.1]:8080/", false),
];

#[test]
fn a_rule_allows_what_it_says_and_nothing_like_it() {
    for (rule, text, expected) in DECISIONS {
        let policy = allowing(&[rule]);
        assert_eq!(
            policy.decide(&Method::GET, &url(text)).is_ok(),
            *expected,
            "{text} by {rule}"
        );
    }
}

#[test]
fn the_default_allows_nothing() {
    let denial = denied(
        &Policy::default(),
        &Method::GET,
        "https://good.com/x?token=s3cr3t",
    );
    assert_eq!(
        denial.to_string(),
        "`GET https://good.com/x` is not allowed: the policy allows nothing"
    );
    assert_eq!(Policy::from_toml("", "empty.toml"), Ok(Policy::default()));
}

#[test]
fn connect_and_trace_are_always_denied() {
    let policy = allowing(&["https://good.com"]);
    for method in FORBIDDEN_METHODS {
        let denial = denied(&policy, &method, "https://good.com/");
        assert_eq!(denial.why, Why::ForbiddenMethod);
        assert_eq!(denial.hint(), None);
        assert!(
            Rule::parse("https://good.com")
                .unwrap()
                .with_methods(vec![method])
                .is_err()
        );
    }
    assert!(
        policy
            .decide(
                &Method::from_bytes(b"PROPFIND").unwrap(),
                &url("https://good.com/")
            )
            .is_ok()
    );
}

#[test]
fn a_rule_without_any_method_cannot_be_made() {
    let rule = Rule::parse("https://good.com").unwrap();
    assert_eq!(rule.with_methods(Vec::new()), Err(RuleError::NoMethods));
}

#[test]
fn a_denial_names_the_nearest_entry_and_what_differs() {
    let policy = from_toml(
        "[[allow]]\norigin = \"https://other.org\"\n\
         [[allow]]\norigin = \"https://good.com\"\npath = \"/v1\"\nmethods = [\"GET\", \"PUT\"]\n",
    );
    for (method, text, expected) in [
        (Method::POST, "https://good.com/v1/x", "for other methods"),
        (Method::GET, "https://good.com/v2/x", "for another path"),
        (Method::GET, "http://good.com/v1", "for `https`, and for port 443"),
        (Method::GET, "https://good.com:8443/v1", "for port 443"),
        (
            Method::GET,
            "https://good.com.evil.com/v1",
            "for the host `good.com`",
        ),
        (Method::GET, "https://www.good.com/v1", "for the host `good.com`"),
        (
            Method::GET,
            "https://good.com/v1/..%2Fx",
            "and a server that decodes the path twice would be led out of it",
        ),
        (
            Method::GET,
            "https://good.com/v1/a;b",
            "below which `;` has to be written as `%3B`",
        ),
    ] {
        let denial = denied(&policy, &method, text);
        let Denial { origin, path, .. } = &denial;
        assert_eq!(
            denial.to_string(),
            format!(
                "`{method} {origin}{path}` is not allowed: the nearest entry is `GET,PUT https://good.com/v1`, {expected}"
            )
        );
    }
    let denial = denied(&policy, &Method::GET, "https://unrelated.net/");
    assert_eq!(denial.why, Why::HostNotListed);
}

#[test]
fn a_denial_never_shows_the_query() {
    for policy in [Policy::default(), allowing(&["https://good.com/v1"])] {
        let denial = denied(&policy, &Method::GET, "https://good.com/v2?token=s3cr3t");
        let all = format!("{denial} {denial:?} {:?}", denial.hint());
        assert!(!all.contains("s3cr3t"), "{all}");
    }
}

/// Users paste the lines of a hint, and they have to allow what was denied.
#[test]
fn pasting_the_hint_allows_the_request() {
    let policy = allowing(&["https://good.com/v1", "https://*.wild.com"]);
    for (method, text) in [
        (Method::POST, "https://good.com/v2/x?y=z"),
        (Method::GET, "https://unknown.org/a%2Fb"),
        (Method::GET, "http://good.com:8080/v1"),
        (Method::DELETE, "https://wild.com/"),
        (Method::GET, "http://127.0.0.1:9/"),
        (Method::GET, "http://[::1]:9/x"),
    ] {
        let hint = denied(&policy, &method, text).hint().unwrap();
        let toml = hint.strip_prefix("to allow it, add to the policy:\n").unwrap();
        let pasted = from_toml(toml);
        assert!(pasted.decide(&method, &url(text)).is_ok(), "{hint}");
        assert!(pasted.decide(&Method::PATCH, &url(text)).is_err(), "{hint}");
    }
}

#[test]
fn a_path_that_could_lead_out_gets_no_hint() {
    let policy = allowing(&["https://good.com/v1"]);
    assert_eq!(
        denied(&policy, &Method::GET, "https://good.com/v1/..%2Fx").hint(),
        None
    );
}

#[test]
fn which_addresses_a_rule_permits() {
    let name = Rule::parse("http://localhost:8080").unwrap();
    assert_eq!(name.permit(), Permit::PublicOnly);
    assert_eq!(name.with_private(true).permit(), Permit::PrivateAllowed);
    let address = Rule::parse("http://127.0.0.1").unwrap();
    assert_eq!(address.permit(), Permit::Literal("127.0.0.1".parse().unwrap()));
    let base = Rule::below(&url("https://good.com/openapi-prod")).unwrap();
    assert_eq!(base.permit(), Permit::PublicOnly);
    assert_eq!(base.to_string(), "https://good.com/openapi-prod");
}

/// The credential's rule comes first and does not allow private addresses; the operator's does.
#[test]
fn of_two_rules_that_allow_a_request_the_private_one_counts() {
    let mut policy = Policy::default();
    policy.allow(Rule::below(&url("http://crm.internal/api")).unwrap());
    let asked = url("http://crm.internal/api/x");
    assert_eq!(
        policy.decide(&Method::GET, &asked).unwrap().permit(),
        Permit::PublicOnly
    );
    policy.allow(Rule::parse("http://crm.internal").unwrap().with_private(true));
    assert_eq!(
        policy.decide(&Method::GET, &asked).unwrap().permit(),
        Permit::PrivateAllowed
    );
}

#[test]
fn a_credential_allows_its_base_url_and_not_the_rest_of_the_host() {
    let mut policy = Policy::default();
    policy.allow(Rule::below(&url("https://good.com/openapi-prod")).unwrap());
    assert!(
        policy
            .decide(&Method::POST, &url("https://good.com/openapi-prod/v1/token"))
            .is_ok()
    );
    assert!(
        policy
            .decide(&Method::POST, &url("https://good.com/other"))
            .is_err()
    );
    assert!(Rule::below(&url("https://good.com/a%2Fb")).is_err());
}

/// Texts that are not entries, and the first words of the reason.
const NO_RULES: &[(&str, &str)] = &[
    ("", "expected an origin with a scheme"),
    ("*", "expected an origin with a scheme"),
    ("*com", "expected an origin with a scheme"),
    ("good.com", "expected an origin with a scheme, found `good.com`"),
    ("good.com:443", "expected an origin with a scheme"),
    ("https://*", "expected a wildcard"),
    ("https://*com", "expected a wildcard"),
    ("https://*.com", "expected a wildcard"),
    ("https://*.com.", "expected a wildcard"),
    ("https://*good.com", "expected a wildcard"),
    ("https://a.*.good.com", "expected a wildcard"),
    ("https://*.*.good.com", "expected a wildcard"),
    ("https://good.*", "expected a wildcard"),
    ("https://*.0.0.1", "expected a wildcard"),
    ("https://*.127.0.0.1", "expected a wildcard"),
    ("https://good.com:*", "expected a wildcard"),
    ("*://good.com", "expected an origin with a scheme"),
    (
        "ftp://good.com",
        "scheme: expected `http` or `https`, found `ftp`",
    ),
    ("https://user@good.com", "host: expected no user info"),
    ("https://good.com?x", "expected an origin without a query"),
    ("https://good.com/v1?x", "expected an origin without a query"),
    ("https://good.com#x", "expected no fragment"),
    ("https://good.com/a/../b", "path: expected no `.` and `..`"),
    (
        "https://good.com/a%2Fb",
        "path: expected a rule without an encoded `/`",
    ),
    ("https://good.com:0", "port:"),
    ("https://*.good.com:0", "port:"),
    ("https://b\u{fc}cher.example", "host: expected ASCII"),
    ("https://*.b\u{fc}cher.example", "host: expected ASCII"),
    (
        "http://2130706433",
        "expected the address as `127.0.0.1`, found `2130706433`",
    ),
    (
        "http://0x7f.1:80",
        "expected the address as `127.0.0.1`, found `0x7f.1`",
    ),
    ("http://127.1", "expected the address as `127.0.0.1`"),
    ("http://0177.0.0.1", "expected the address as `127.0.0.1`"),
];

#[test]
fn what_is_no_entry_is_refused_with_the_accepted_forms() {
    for (text, reason) in NO_RULES {
        let error = match Rule::parse(text) {
            Err(error) => error,
            Ok(rule) => panic!("`{text}` is accepted as `{rule}`"),
        };
        assert!(error.to_string().starts_with(reason), "`{text}`: {error}");
        let says_what_to_write = error.hint().is_some() || matches!(error, RuleError::Notation { .. });
        assert!(says_what_to_write, "`{text}`: {error:?}");
    }
    let hint = Rule::parse("good.com").unwrap_err().hint().unwrap();
    assert_eq!(hint, "write `https://good.com`");
}

#[test]
fn a_rule_is_shown_as_it_is_written() {
    for text in [
        "https://good.com",
        "https://*.good.com:8443",
        "http://127.0.0.1:8080",
        "http://[::1]",
        "https://good.com/v1/x",
    ] {
        assert_eq!(Rule::parse(text).unwrap().to_string(), text);
    }
}

// The file. Each key has a test that fails when the key is ignored.

#[test]
fn the_key_origin_counts() {
    let policy = from_toml("[[allow]]\norigin = \"https://good.com:8443\"");
    assert!(
        policy
            .decide(&Method::GET, &url("https://good.com:8443/"))
            .is_ok()
    );
    assert!(policy.decide(&Method::GET, &url("https://good.com/")).is_err());
}

#[test]
fn the_key_path_counts() {
    let policy = from_toml("[[allow]]\norigin = \"https://good.com\"\npath = \"/v1\"");
    assert!(policy.decide(&Method::GET, &url("https://good.com/v1/x")).is_ok());
    assert!(
        policy
            .decide(&Method::GET, &url("https://good.com/v2/x"))
            .is_err()
    );
}

#[test]
fn the_key_methods_counts() {
    let policy = from_toml("[[allow]]\norigin = \"https://good.com\"\nmethods = [\"GET\", \"PROPFIND\"]");
    assert!(policy.decide(&Method::GET, &url("https://good.com/")).is_ok());
    assert!(
        policy
            .decide(
                &Method::from_bytes(b"PROPFIND").unwrap(),
                &url("https://good.com/")
            )
            .is_ok()
    );
    assert!(policy.decide(&Method::HEAD, &url("https://good.com/")).is_err());
    assert!(policy.decide(&Method::POST, &url("https://good.com/")).is_err());
}

#[test]
fn the_key_private_counts() {
    for (line, expected) in [
        ("private = true", Permit::PrivateAllowed),
        ("private = false", Permit::PublicOnly),
        ("", Permit::PublicOnly),
    ] {
        let policy = from_toml(&format!("[[allow]]\norigin = \"http://localhost\"\n{line}"));
        let rule = policy.decide(&Method::GET, &url("http://localhost/")).unwrap();
        assert_eq!(rule.permit(), expected);
    }
}

#[test]
fn every_key_of_limits_counts() {
    for knob in crate::limits::LIMIT_SPECS {
        let value = knob.read(&Limits::default()) + 1;
        let policy = from_toml(&format!("[limits]\n{} = {value}", knob.key));
        let limits = policy.limits_over(Limits::default());
        assert_eq!(knob.read(&limits), value, "{}", knob.key);
        assert_ne!(limits, Limits::default());
    }
    let policy = from_toml("[limits]\nmemory-bytes = 0x400_0000");
    assert_eq!(
        policy.limits_over(Limits::default()).memory_bytes,
        64 * 1024 * 1024
    );
}

#[test]
fn the_key_effects_counts() {
    let policy = from_toml("[effects]\n\"points.adjust\" = \"write\"");
    assert!(policy.lowers_to_write("points.adjust"));
    assert!(!policy.lowers_to_write("points.list"));
    assert_eq!(policy.lowered().collect::<Vec<_>>(), ["points.adjust"]);
}

#[test]
fn the_key_write_requests_counts() {
    let mut node = example();
    let operation = &mut node.operations[2];
    (operation.group, operation.name, operation.write_requests) = ("points".into(), "adjust".into(), 3);
    operation.effect = Effect::Write;
    let bound = |policy: &str, operation: &Operation| {
        let bound = from_toml(policy).write_bound(operation);
        bound.map(|bound| (bound.most, bound.is_of_policy))
    };
    let own = "[operations.\"points.adjust\"]\nwrite-requests = 1";
    for (policy, expected) in [
        ("", (3, false)),
        ("write-requests = 2", (2, true)),
        ("write-requests = 0", (0, true)),
        ("write-requests = 9", (3, false)),
        (own, (1, true)),
        (&format!("write-requests = 2\n{own}"), (1, true)),
        ("[operations.\"points.list\"]\nwrite-requests = 1", (3, false)),
        ("[effects]\n\"points.adjust\" = \"write\"", (3, false)),
    ] {
        assert_eq!(bound(policy, &node.operations[2]), Some(expected), "{policy}");
    }
    // What reads may search by POST, unless the policy does not believe that it reads.
    let operation = &mut node.operations[2];
    (operation.effect, operation.write_requests) = (Effect::Read, 0);
    let lowered = "[effects]\n\"points.adjust\" = \"write\"";
    for (policy, expected) in [
        ("", None),
        ("write-requests = 2", None),
        (lowered, Some((1, true))),
        (&format!("write-requests = 2\n{lowered}"), Some((2, true))),
    ] {
        assert_eq!(bound(policy, &node.operations[2]), expected, "{policy}");
    }
}

fn example() -> Node {
    serde_json::from_str(EXAMPLE).unwrap()
}

#[test]
fn the_key_base_url_counts() {
    let base = url("https://good.com/api/orders/1");
    for text in ["", "base-url = \"granted\""] {
        let policy = from_toml(text);
        assert_eq!(policy.base_url(), BaseUrl::Granted);
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(policy.decide_below_base(&method, &base), Ok(Permit::PublicOnly));
        }
        assert!(policy.decide_below_base(&Method::TRACE, &base).is_err());
    }
    let listed = "base-url = \"listed\"\n";
    assert!(from_toml(listed).decide_below_base(&Method::GET, &base).is_err());
    let narrow = "[[allow]]\norigin = \"https://good.com\"\npath = \"/api/orders\"\nmethods = [\"GET\"]\nprivate = true";
    let policy = from_toml(&format!("{listed}{narrow}"));
    assert_eq!(policy.base_url(), BaseUrl::Listed);
    assert_eq!(
        policy.decide_below_base(&Method::GET, &base),
        Ok(Permit::PrivateAllowed)
    );
    assert!(policy.decide_below_base(&Method::DELETE, &base).is_err());
    let other = url("https://good.com/api/users/1");
    assert!(policy.decide_below_base(&Method::GET, &other).is_err());
    // With everything below the base granted, an entry restricts nothing.
    let policy = from_toml(narrow);
    assert_eq!(
        policy.decide_below_base(&Method::DELETE, &other),
        Ok(Permit::PublicOnly)
    );
}

#[test]
fn the_key_imports_counts() {
    assert_eq!(Policy::default().imports(), Imports::Void);
    assert_eq!(from_toml("imports = \"void\"").imports(), Imports::Void);
    let policy = from_toml("imports = \"minimal\"");
    assert_eq!(policy.imports(), Imports::Minimal);
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
}

#[test]
fn a_denial_says_that_the_base_url_is_listed() {
    let policy = from_toml("base-url = \"listed\"");
    let denial = policy
        .decide_below_base(&Method::GET, &url("https://good.com/api/x"))
        .unwrap_err();
    assert_eq!(
        denial.to_string(),
        "`GET https://good.com/api/x` is not allowed: the policy allows nothing; the credential's base URL allows nothing by \
         itself (`base-url = \"listed\"`)"
    );
    let hint = denial.hint().unwrap();
    assert!(
        hint.contains("[[allow]]\norigin = \"https://good.com\""),
        "{hint}"
    );
    assert!(hint.ends_with("\nbase-url = \"granted\""), "{hint}");
}

/// The text of a file, and the whole error.
const BAD_FILES: &[(&str, &str)] = &[
    (
        "alow = 1",
        "policy.toml:1: unknown key `alow`: expected `write-requests`, `imports`, `base-url`, `declared`, `allow`, `limits`, `effects`, `operations`, `tls`",
    ),
    (
        "declared = \"all\"",
        "policy.toml:1: `declared`: expected true, false or a list such as [\"https://uploads.example.com\"], found \"all\"",
    ),
    (
        "declared = [\n\"https://good.com/v1\", 1]",
        "policy.toml:2: `declared`: expected nothing after the host and port, found `https://good.com/v1`\n\
         policy.toml:2: `declared`: expected true, false or a list such as [\"https://uploads.example.com\"], found 1",
    ),
    (
        "[operations.points.adjust]\nwrite-requests = 1",
        "policy.toml:1: unknown key `adjust` in `[operations.\"points.adjust\"]`: expected `write-requests`",
    ),
    (
        "[operations.adjust]\nwrite-requests = 1",
        "policy.toml:1: `operations`: expected an operation such as \"points.adjust\", found `adjust`",
    ),
    (
        "[operations.\"points.adjust\"]\nwrite-requests = 1001",
        "policy.toml:2: `write-requests`: expected 0 to 1000, found 1001",
    ),
    (
        "\n[[allow]]\norigin = \"https://good.com\"\nmethod = \"GET\"",
        "policy.toml:4: unknown key `method` in `[[allow]]`: expected `origin`, `path`, `methods`, `private`",
    ),
    (
        "[[allow]]\norigin = \"https://good.com\"\nmethods = []",
        "policy.toml:3: `methods`: expected at least one method, or no `methods` for every method",
    ),
    (
        "[[allow]]\norigin = \"https://good.com\"\nmethods = [\"get\"]",
        "policy.toml:3: `methods`: expected a method such as `GET`, and neither `CONNECT` nor `TRACE`, found `get`",
    ),
    (
        "[[allow]]\norigin = \"https://good.com\"\nmethods = [\"GET\",\n  \"CONNECT\"]",
        "policy.toml:4: `methods`: expected a method such as `GET`, and neither `CONNECT` nor `TRACE`, found `CONNECT`",
    ),
    (
        "[[allow]]\norigin = \"https://good.com\"\nmethods = \"GET\"",
        "policy.toml:3: `methods`: expected a list such as [\"GET\", \"POST\"], found \"GET\"",
    ),
    (
        "[[allow]]\norigin = \"https://good.com/v1\"",
        "policy.toml:2: `origin`: expected an origin without a path, found `/v1` after `https://good.com`",
    ),
    (
        "[[allow]]\norigin = \"https://*com\"",
        "policy.toml:2: `origin`: expected a wildcard such as `*.example.com`, found `*com`",
    ),
    (
        "[[allow]]\norigin = \"*com\"",
        "policy.toml:2: `origin`: expected an origin with a scheme, found `*com`",
    ),
    (
        "[[allow]]\norigin = \"*\"",
        "policy.toml:2: `origin`: expected an origin with a scheme, found `*`",
    ),
    (
        "[[allow]]\norigin = 1",
        "policy.toml:2: `origin`: expected a text such as \"https://api.example.com\", found 1",
    ),
    (
        "[[allow]]\npath = \"/v1\"",
        "policy.toml:1: `[[allow]]`: expected an `origin`, found none",
    ),
    (
        "[[allow]]\norigin = \"https://good.com\"\npath = \"v1\"",
        "policy.toml:3: path: expected it to start with `/`",
    ),
    (
        "[[allow]]\norigin = \"https://good.com\"\npath = \"\"",
        "policy.toml:3: path: expected it to start with `/`",
    ),
    (
        "[[allow]]\norigin = \"https://good.com\"\nprivate = \"yes\"",
        "policy.toml:3: `private`: expected true or false, found \"yes\"",
    ),
    (
        "[allow]\norigin = \"x\"",
        "policy.toml:1: `allow`: expected entries that start with `[[allow]]`, found a table",
    ),
    (
        "allow = [\"x\"]",
        "policy.toml:1: `allow`: expected an entry with an `origin`, found \"x\"",
    ),
    (
        "[limits]\nmemory-bytes = \"64 MB\"",
        "policy.toml:2: `memory-bytes`: expected 1048576 to 4294967296, found \"64 MB\"",
    ),
    (
        "[limits]\nmemory-bytes = -1",
        "policy.toml:2: `memory-bytes`: expected 1048576 to 4294967296, found -1",
    ),
    (
        "[limits]\ninstances = 0",
        "policy.toml:2: `instances`: expected 1 to 1000, found 0",
    ),
    (
        "[effects]\n\"points.adjust\" = \"read\"",
        "policy.toml:2: `points.adjust`: expected \"write\", since a policy may only lower an effect, found \"read\"",
    ),
    (
        "[effects]\npoints.adjust = \"write\"",
        "policy.toml:2: `points`: expected the operation in quotes, \"points.adjust\" = \"write\", found a table",
    ),
    (
        "[effects]\nadjust = \"write\"",
        "policy.toml:2: `effects`: expected an operation such as \"points.adjust\", found `adjust`",
    ),
    (
        "write-requests = 1001",
        "policy.toml:1: `write-requests`: expected 0 to 1000, found 1001",
    ),
    (
        "imports = \"all\"",
        "policy.toml:1: `imports`: expected \"void\" or \"minimal\", found \"all\"",
    ),
    (
        "base-url = \"denied\"",
        "policy.toml:1: `base-url`: expected \"granted\" or \"listed\", found \"denied\"",
    ),
    (
        "base-url = false",
        "policy.toml:1: `base-url`: expected \"granted\" or \"listed\", found false",
    ),
    (
        "write-requests = true",
        "policy.toml:1: `write-requests`: expected 0 to 1000, found true",
    ),
    (
        "[proxy]\nurl = \"http://proxy\"",
        "policy.toml:1: unknown key `proxy`: expected `write-requests`, `imports`, `base-url`, `declared`, `allow`, `limits`, `effects`, `operations`, `tls`",
    ),
    ("limits = 1", "policy.toml:1: `limits`: expected a table, found 1"),
    (
        "effects = 1",
        "policy.toml:1: `effects`: expected a table, found 1",
    ),
];

#[test]
fn a_bad_file_is_refused_with_its_line() {
    for (text, expected) in BAD_FILES {
        assert_eq!(refusal(text), *expected, "{text}");
    }
}

#[test]
fn an_unknown_limit_is_refused_with_its_line_and_the_known_ones() {
    let message = refusal("\n[limits]\nmemory = 1");
    assert!(
        message.starts_with("policy.toml:3: unknown limit `memory`: expected one of `memory-bytes`"),
        "{message}"
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    for text in [
        "write-requests = 1\nallow = [",
        "write-requests = 1\nwrite-requests = 2",
        "x = 1\n[[allow",
    ] {
        let message = refusal(text);
        assert!(
            message.starts_with("policy.toml:2: ") && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_lines() {
    let message = refusal(
        "what = 1\n[[allow]]\nmethods = []\n[limits]\ninstances = 0\n[effects]\n\"a.b\" = \"read\"\n",
    );
    let lines: Vec<&str> = message
        .lines()
        .filter_map(|line| line.split(": ").next())
        .collect();
    assert_eq!(
        lines,
        [
            "policy.toml:1",
            "policy.toml:2",
            "policy.toml:3",
            "policy.toml:5",
            "policy.toml:7"
        ]
    );
}

#[test]
fn the_hint_of_a_bad_entry_shows_what_to_write() {
    for (origin, expected) in [
        ("good.com", "write `https://good.com`"),
        (
            "https://good.com/v1",
            "write\norigin = \"https://good.com\"\npath = \"/v1\"",
        ),
        ("https://*com", "accepted are `https://api.example.com`"),
        (
            "https://user@good.com",
            "give the user and password as a credential",
        ),
    ] {
        let error = Policy::from_toml(&format!("[[allow]]\norigin = \"{origin}\""), "p").unwrap_err();
        let hint = error.hint().unwrap();
        assert!(hint.starts_with(expected), "{hint}");
    }
}

#[test]
fn the_documented_file_is_accepted() {
    let policy = from_toml(
        "write-requests = 2\n\
         base-url = \"listed\"\n\
         declared = [\"https://{bucket}.s3.example.com\"]\n\
         [[allow]]\norigin = \"https://api.example.com\"\npath = \"/v1\"\nmethods = [\"GET\"]\nprivate = false\n\
         [[allow]]\norigin = \"https://*.example.org:8443\"\n\
         [limits]\nmemory-bytes = 67108864\nconnect-timeout-ms = 1000\n\
         [effects]\n\"points.adjust\" = \"write\"\n",
    );
    let shown: Vec<String> = policy.rules().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["GET https://api.example.com/v1", "https://*.example.org:8443"]
    );
}

/// The documented file, and the same policy built by method calls.
fn twice() -> (Policy, Policy) {
    let file = from_toml(
        "write-requests = 2\n\
         base-url = \"listed\"\n\
         declared = [\"https://{bucket}.s3.example.com\"]\n\
         [[allow]]\norigin = \"https://api.example.com\"\npath = \"/v1\"\nmethods = [\"GET\", \"POST\"]\n\
         [[allow]]\norigin = \"http://*.example.org:8443\"\nprivate = true\n\
         [limits]\nmemory-bytes = 67108864\nconnect-timeout-ms = 1000\n\
         [effects]\n\"points.adjust\" = \"write\"\n\
         [operations.\"points.adjust\"]\nwrite-requests = 1\n",
    );
    let mut policy = Policy::default();
    policy.set_write_requests(2).unwrap();
    policy.set_base_url(BaseUrl::Listed);
    let rule = Rule::parse("https://api.example.com/v1").unwrap();
    policy.allow(rule.with_methods(vec![Method::GET, Method::POST]).unwrap());
    policy.allow(
        Rule::parse("http://*.example.org:8443")
            .unwrap()
            .with_private(true),
    );
    policy.set_limit("connect-timeout-ms", 1000).unwrap();
    policy.set_limit("memory-bytes", 1024 * 1024).unwrap();
    policy.set_limit("memory-bytes", 67_108_864).unwrap();
    policy.lower_to_write("points.adjust").unwrap();
    policy.set_write_requests_of("points.adjust", 1).unwrap();
    policy
        .allow_declared_origin("https://{bucket}.s3.example.com")
        .unwrap();
    (file, policy)
}

#[test]
fn what_a_file_says_can_be_said_by_methods() {
    let (file, methods) = twice();
    assert_eq!(file, methods);
    let mut policy = Policy::default();
    for (refused, expected) in [
        (
            policy.set_write_requests(1001).unwrap_err().to_string(),
            "write requests: expected 0 to 1000, found 1001",
        ),
        (
            policy
                .set_write_requests_of("points.adjust", 1001)
                .unwrap_err()
                .to_string(),
            "write requests: expected 0 to 1000, found 1001",
        ),
        (
            policy.set_write_requests_of("adjust", 1).unwrap_err().to_string(),
            "expected an operation such as `points.adjust`, found `adjust`",
        ),
        (
            policy.lower_to_write("adjust").unwrap_err().to_string(),
            "expected an operation such as `points.adjust`, found `adjust`",
        ),
        (
            policy.set_limit("memory-bytes", 1).unwrap_err().to_string(),
            "`memory-bytes`: expected 1048576 to 4294967296, found 1",
        ),
    ] {
        assert_eq!(refused, expected);
    }
    assert_eq!(policy, Policy::default());
}

#[test]
fn a_policy_is_a_serde_document_of_the_shape_of_its_file() {
    for policy in [twice().0, from_toml("declared = true")] {
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
    }
    assert_eq!(serde_json::from_str::<Policy>("{}").unwrap(), Policy::default());
    for (text, expected) in [
        (r#"{"alow":[]}"#, "unknown field `alow`"),
        (r#"{"write-requests":1001}"#, "expected 0 to 1000"),
        (r#"{"effects":{"a.b":"read"}}"#, "unknown variant `read`"),
        (r#"{"effects":{"a":"write"}}"#, "an operation such as"),
        (r#"{"allow":[{"path":"/v1"}]}"#, "missing field `origin`"),
        (r#"{"allow":[{"origin":"a.example"}]}"#, "an origin with a scheme"),
        (
            r#"{"allow":[{"origin":"https://a.example/v1"}]}"#,
            "without a path",
        ),
        (r#"{"allow":[{"origin":"https://a.example","path":""}]}"#, "path"),
        (
            r#"{"allow":[{"origin":"https://a.example","methods":[]}]}"#,
            "at least one method",
        ),
        (
            r#"{"allow":[{"origin":"https://a.example","methods":["get"]}]}"#,
            "found `get`",
        ),
        (r#"{"limits":{"instances":0}}"#, "`instances`: expected"),
        (
            r#"{"declared":["https://a.example/v1"]}"#,
            "nothing after the host",
        ),
        (
            r#"{"operations":{"a":{"write-requests":1}}}"#,
            "an operation such as",
        ),
        (
            r#"{"operations":{"a.b":{"write-requests":1001}}}"#,
            "expected 0 to 1000",
        ),
        (
            r#"{"operations":{"a.b":{"effect":"read"}}}"#,
            "unknown field `effect`",
        ),
    ] {
        let error = serde_json::from_str::<Policy>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
