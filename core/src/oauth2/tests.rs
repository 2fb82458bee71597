use url::Url;

use super::*;
use crate::address::Permit;
use crate::description::EXAMPLE;
use crate::policy::Policy;

const USER: &str = r#"{"$credential": "cityLibraryOAuth2Api", "baseUrl": "https://library.example/api", "city": "uri",
    "clientId": "c1", "clientSecret": "s3cr3t"}"#;
const MACHINE: &str = r#"{"$credential": "cityLibraryMachineApi", "baseUrl": "https://library.example/api",
    "clientId": "m1", "clientSecret": "s3cr3t"}"#;

fn node() -> Node {
    serde_json::from_str(EXAMPLE).unwrap()
}

fn client(text: &str) -> Result<OauthClient, CredentialError> {
    let node = node();
    let credential = Credential::from_json(&node, text).unwrap();
    OauthClient::new(&node, &credential).map(|client| client.expect("it is OAuth2"))
}

fn policy(text: &str) -> Policy {
    Policy::from_toml(text, "policy.toml").unwrap()
}

#[test]
fn a_client_is_the_description_with_the_fields_filled_in() {
    let user = client(USER).unwrap();
    assert_eq!(
        user.authorization_url.as_ref().unwrap().to_string(),
        "https://uri.login.library.example/authorize"
    );
    assert_eq!(
        user.token_url.to_string(),
        "https://uri.login.library.example/token"
    );
    assert_eq!(
        (user.id.as_str(), user.pkce, user.is_in_body),
        ("c1", true, false)
    );
    assert_eq!(user.scope.as_deref(), Some("books loans"));
    assert_eq!(user.secret.as_ref().unwrap().expose(), "s3cr3t");
    assert!(!format!("{user:?}").contains("s3cr3t"));
    let public = client(&USER.replace(r#", "clientSecret": "s3cr3t""#, "")).unwrap();
    assert!(public.secret.is_none());
    let machine = client(MACHINE).unwrap();
    assert!(machine.scope.is_none() && machine.is_in_body);
    assert_eq!(machine.token_body[0].value, "library");
}

#[test]
fn other_schemes_have_no_client() {
    let node = node();
    let fixed = r#"{"$credential": "cityLibraryTokenApi", "baseUrl": "https://library.example", "reader": "ann", "key": "k3y"}"#;
    let credential = Credential::from_json(&node, fixed).unwrap();
    assert!(OauthClient::new(&node, &credential).unwrap().is_none());
}

#[test]
fn a_field_that_would_lead_to_another_host_is_refused_without_its_value() {
    let error = client(&USER.replace("\"uri\"", "\"evil.example/\"")).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("`city`") && !message.contains("evil"),
        "{message}"
    );
}

#[test]
fn a_token_is_renewed_a_minute_early_or_at_half_its_time() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let at = |seconds: i64| {
        now.checked_add(Duration::from_secs(seconds.unsigned_abs()))
            .unwrap()
    };
    assert_eq!(renew_at(now, at(3600)), at(3540));
    assert_eq!(renew_at(now, at(60)), at(30));
    assert_eq!(renew_at(now, now), now);
    assert_eq!(renew_at(at(60), now), now, "it has ended");
}

#[test]
fn stored_tokens_come_back_as_they_were_and_show_none() {
    let tokens = StoredTokens {
        binding: client(USER).unwrap().binding(),
        access_token: Secret::new("acc3ss".to_owned()),
        refresh_token: Some(Secret::new("r3fresh".to_owned())),
        renew_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
    };
    let text = tokens.to_text();
    let read = StoredTokens::from_text(text.expose()).unwrap();
    assert_eq!(read.binding, tokens.binding);
    assert_eq!(read.access_token.expose(), "acc3ss");
    assert_eq!(read.refresh_token.as_ref().unwrap().expose(), "r3fresh");
    assert_eq!(read.renew_at, tokens.renew_at);
    let shown = format!("{read:?}");
    assert!(!shown.contains("acc3ss") && !shown.contains("r3fresh"), "{shown}");
    for wrong in [
        "",
        "{}",
        "[\"acc3ss\"]",
        &text.expose().replace("2026-01", "acc3ss"),
    ] {
        let error = StoredTokens::from_text(wrong).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("acc3ss"));
    }
}

fn code(url: &str) -> Result<Secret, RedirectProblem> {
    let client = client(USER).unwrap();
    let redirected = Redirected {
        redirect_url: &Url::parse("http://127.0.0.1:4711/callback").unwrap(),
        authorization_url: client.authorization_url.as_ref().unwrap(),
        state: &Secret::new("st4te".to_owned()),
    };
    redirected.code(url)
}

#[test]
fn a_redirected_url_gives_its_code() {
    let plain = code("http://127.0.0.1:4711/callback?code=c0de%2B&state=st4te\n").unwrap();
    assert_eq!(plain.expose(), "c0de+");
    code("http://127.0.0.1:4711/callback?iss=https://uri.login.library.example&code=c&state=st4te").unwrap();
}

#[test]
fn what_has_not_the_state_of_this_log_in_is_a_strangers() {
    for url in [
        "http://127.0.0.1:4711/callback?code=c",
        "http://127.0.0.1:4711/callback?code=c&state=",
        "http://127.0.0.1:4711/callback?code=c&state=st4te2",
        "http://127.0.0.1:4711/callback?error=access_denied&state=other",
        "http://127.0.0.1:4711/callback?code=c&state=other&state=st4te",
        "http://127.0.0.1:4712/callback?code=c&state=st4te",
        "http://127.0.0.1:4711/other?code=c&state=st4te",
        "http://evil@127.0.0.1:4711/callback?code=c&state=st4te",
        "c",
    ] {
        let problem = code(url).unwrap_err();
        assert!(problem.is_of_a_stranger(), "{url}: {problem}");
    }
}

#[test]
fn another_providers_code_is_refused() {
    for issuer in [
        "https://evil.example",
        "https://uri.login.library.example.evil.example",
        "http://uri.login.library.example",
        "https://uri.login.library.example:8443",
        "",
    ] {
        let url = format!("http://127.0.0.1:4711/callback?code=c&state=st4te&iss={issuer}");
        let problem = code(&url).unwrap_err();
        assert!(matches!(problem, RedirectProblem::Issuer { .. }), "{issuer}");
        assert!(!problem.is_of_a_stranger());
    }
}

#[test]
fn a_providers_error_is_bounded_and_acts_on_no_terminal() {
    let long = "x".repeat(100_000);
    let url = format!(
        "http://127.0.0.1:4711/callback?state=st4te&error=access_denied&error_description=%1b[2J%e2%80%ae{long}"
    );
    let problem = code(&url).unwrap_err().to_string();
    assert!(
        problem.starts_with("the provider refused the log-in: `access_denied`: "),
        "{problem}"
    );
    assert!(problem.len() < 1_000 && !problem.contains('\u{1b}') && !problem.contains('\u{202e}'));
    for url in [
        "http://127.0.0.1:4711/callback?state=st4te",
        "http://127.0.0.1:4711/callback?state=st4te&code=",
    ] {
        assert_eq!(code(url).unwrap_err(), RedirectProblem::NoCode);
    }
}

#[test]
fn a_token_endpoint_at_the_base_urls_origin_is_granted_as_the_base_url_is() {
    let mut machine = client(MACHINE).unwrap();
    machine.token_url = CanonicalUrl::parse("https://library.example/token").unwrap();
    assert_eq!(policy("").decide_token_endpoint(&machine), Ok(Permit::PublicOnly));
    let listed = policy("base-url = \"listed\"");
    assert!(listed.decide_token_endpoint(&machine).is_err());
    let private = policy("[[allow]]\norigin = \"https://library.example\"\nprivate = true");
    assert_eq!(
        private.decide_token_endpoint(&machine),
        Ok(Permit::PrivateAllowed)
    );
}

#[test]
fn a_clients_secret_goes_elsewhere_only_with_a_grant() {
    let machine = client(MACHINE).unwrap();
    let entry = policy("[[allow]]\norigin = \"https://login.library.example\"");
    for refused in [
        policy(""),
        // An entry lets requests out, and no access.
        entry,
        policy("declared = [\"https://library.example\"]"),
        policy("declared = [\"https://login.library.example.evil.example\"]"),
    ] {
        let denial = refused.decide_token_endpoint(&machine).unwrap_err();
        let hint = denial.hint().unwrap();
        assert!(
            hint.ends_with("declared = [\"https://login.library.example\"]"),
            "{hint}"
        );
    }
    for granted in [
        "declared = true",
        "declared = [\"https://login.library.example\"]",
    ] {
        assert_eq!(
            policy(granted).decide_token_endpoint(&machine),
            Ok(Permit::PublicOnly)
        );
    }
}

#[test]
fn a_users_consent_grants_a_token_endpoint_with_public_addresses() {
    let user = client(USER).unwrap();
    assert_eq!(policy("").decide_token_endpoint(&user), Ok(Permit::PublicOnly));
    let private = policy("[[allow]]\norigin = \"https://uri.login.library.example\"\nprivate = true");
    assert_eq!(private.decide_token_endpoint(&user), Ok(Permit::PrivateAllowed));
    let mut local = user.clone();
    local.token_url = CanonicalUrl::parse("https://127.0.0.1:9/token").unwrap();
    assert_eq!(policy("").decide_token_endpoint(&local), Ok(Permit::PublicOnly));
}

/// A name of this machine may lead anywhere, and `http` shows the secret to whoever is on the way.
#[test]
fn without_tls_only_this_machine_is_reached() {
    let mut user = client(USER).unwrap();
    user.token_url = CanonicalUrl::parse("http://localhost:9/token").unwrap();
    let here = Permit::Literal([127, 0, 0, 1].into());
    let hint = policy("")
        .decide_token_endpoint(&user)
        .unwrap_err()
        .hint()
        .unwrap();
    let (_, lines) = hint.split_once('\n').unwrap();
    let private = policy(lines);
    assert_eq!(private.decide_token_endpoint(&user), Ok(here));
}
