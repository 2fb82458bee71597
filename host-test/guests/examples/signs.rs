//! Signs requests. The credential's `mode` is a JSON document for the signing instance; its `how` says whether it signs
//! as a service wants it, with `nodule-sdk`, or does what a signature must not do. The executing instance sends the
//! requests in its items, one after the other, and reports what it sees of each.

use std::cell::Cell;

use hostile_guests::bindings::wasi::clocks::wall_clock;
use hostile_guests::{
    Answer, Behaviour, Call, Draft, DraftBody, Failure, Field, Item, ItemResult, OtherFailure, Problem,
    SignedRequest, d, describe, guest, outputs, parse, send,
};
use nodule_sdk::sign::aws::{Keys, Payload, SigV4};
use nodule_sdk::sign::{hex, hmac_sha256, with_member, with_query, with_segment};
use serde_json::Value;

struct Signs;

thread_local! {
    /// How many requests this instance has signed.
    static SIGNED: Cell<u32> = const { Cell::new(0) };
}

impl Behaviour for Signs {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| {
            let item = parse(&item.parameters);
            let requests = item["requests"].as_array().cloned().unwrap_or_default();
            Ok(outputs(requests.iter().map(send)))
        };
        Ok(call.items.iter().map(run).collect())
    }

    fn sign(credential: Value, draft: Draft) -> Result<SignedRequest, Failure> {
        SIGNED.set(SIGNED.get() + 1);
        let text = |name: &str| credential[name].as_str().unwrap_or_default().to_owned();
        let signing = Signing {
            base: text("baseUrl"),
            secret: text("secret"),
            mode: parse(&text("mode")),
        };
        signing.sign(draft)
    }

    fn describing() -> d::Node {
        let mut node = describe();
        let credential = &mut node.credentials[0];
        credential.scheme = d::Scheme::Signed(d::Signed {
            needs: d::BodyNeed::Whole,
        });
        credential.test = Some("/test".to_owned());
        node
    }
}

struct Signing {
    base: String,
    secret: String,
    mode: Value,
}

impl Signing {
    fn sign(&self, draft: Draft) -> Result<SignedRequest, Failure> {
        let body = match &draft.body {
            DraftBody::Bytes(bytes) => bytes.clone(),
            _ => Vec::new(),
        };
        let secret = self.secret.as_str();
        let mut signed = SignedRequest {
            url: draft.url.clone(),
            headers: draft.headers.clone(),
            body: None,
        };
        let mut header = |name: &str, value: String| {
            signed.headers.push(Field {
                name: name.to_owned(),
                value,
            });
        };
        let text = |name: &str| self.mode[name].as_str().unwrap_or_default().to_owned();
        match self.mode["how"].as_str().unwrap_or_default() {
            "sigv4" => signed.headers = self.sigv4(&draft, &body)?,
            "hmac" => {
                let message = format!(
                    "{}\n{}\n{}",
                    draft.method,
                    draft.url,
                    String::from_utf8_lossy(&body)
                );
                let signature = hex(&hmac_sha256(secret.as_bytes(), message.as_bytes()));
                signed.url = with_query(&draft.url, "sign", &signature);
                header("x-signature", format!("v=1, sign={signature}"));
            }
            "path" => {
                signed.url = with_segment(&draft.url, &self.base, &format!("bot{secret}")).map_err(refused)?
            }
            "body" => signed.body = Some(with_member(&body, "token", secret).map_err(refused)?),
            "reaches" => {
                for url in self.mode["urls"].as_array().into_iter().flatten() {
                    let request = serde_json::json!({"url": url, "method": "POST", "body": secret});
                    header("x-outcome", send(&request)["error"].to_string());
                }
            }
            "url" => signed.url = text("url"),
            "header" => header(&text("name"), text("value")),
            "body-of" => {
                signed.body = Some(vec![
                    b'x';
                    self.mode["bytes"].as_u64().unwrap_or_default() as usize
                ])
            }
            "spins" => loop {
                std::hint::black_box(());
            },
            "fails" => return Err(fails(&text("kind"), secret)),
            // Says a bit of the secret by whether there is a signature.
            "bits" if self.bit(&draft.url) => return Err(fails("other", secret)),
            "counts" => header("x-count", SIGNED.get().to_string()),
            _ => {}
        }
        Ok(signed)
    }

    fn sigv4(&self, draft: &Draft, body: &[u8]) -> Result<Vec<Field>, Failure> {
        let headers: Vec<(String, String)> = draft
            .headers
            .iter()
            .map(|field| (field.name.clone(), field.value.clone()))
            .collect();
        let signer = SigV4 {
            keys: Keys {
                access_key_id: "AKIDEXAMPLE",
                secret_access_key: &self.secret,
                session_token: None,
            },
            region: "eu-central-1",
            service: self.mode["service"].as_str().unwrap_or_default(),
            seconds: wall_clock::now().seconds,
        };
        let signed = signer.sign(&draft.method, &draft.url, &headers, Payload::Bytes(body));
        let fields = signed.map_err(refused)?.into_iter();
        Ok(fields.map(|(name, value)| Field { name, value }).collect())
    }

    /// The bit of the secret whose number ends the URL.
    fn bit(&self, url: &str) -> bool {
        let number: usize = url
            .rsplit('/')
            .next()
            .and_then(|last| last.parse().ok())
            .unwrap_or_default();
        let byte = self
            .secret
            .as_bytes()
            .get(number / 8)
            .copied()
            .unwrap_or_default();
        byte >> (number % 8) & 1 == 1
    }
}

fn refused(error: nodule_sdk::sign::SignError) -> Failure {
    Failure::InvalidInput(error.to_string())
}

/// A failure with the secret in every text.
fn fails(kind: &str, secret: &str) -> Failure {
    let text = || secret.to_owned();
    match kind {
        "problems" => Failure::InvalidParameters(vec![Problem {
            pointer: "/secret".to_owned(),
            label: text(),
            message: text(),
        }]),
        "unauthenticated" => Failure::Unauthenticated(Answer {
            status: 401,
            code: Some(text()),
            message: text(),
            request_id: Some(text()),
        }),
        "denied" => Failure::Denied(text()),
        "limit" => Failure::Limit(text()),
        "trap" => panic!("{secret}"),
        _ => Failure::Other(OtherFailure {
            kind: text(),
            message: text(),
            detail: Some(serde_json::json!(secret).to_string()),
        }),
    }
}

guest!(Signs);
