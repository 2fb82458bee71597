//! Searches the whole of its linear memory for texts. They come masked, every byte with its lowest bit turned, so that the
//! search does not find itself. Reports how often each was found, and everything else that it was given.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, Session, guest, parse, session, token};
use serde_json::{Value, json};

struct Searches;

impl Behaviour for Searches {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let given = json!({
            "group": call.group,
            "operation": call.operation,
            "baseUrl": call.base_url,
            "hasAccess": call.access.is_some(),
            "arguments": std::env::args().count(),
        });
        Ok(call
            .items
            .iter()
            .map(|item| {
                Ok(vec![
                    json!({"found": found(&parse(item)["masked"]), "given": given}).to_string(),
                ])
            })
            .collect())
    }

    /// The same search where the secret is known: what it finds shows that it can find.
    fn authenticate(credential: Value) -> Result<Session, Failure> {
        let masked = json!([credential["mode"]]);
        let found = found(&masked);
        assert!(
            found.iter().all(|count| *count > 0),
            "the secret is in this memory"
        );
        Ok(session(&format!("Bearer {}", token(&credential))))
    }
}

fn found(masked: &Value) -> Vec<usize> {
    let bytes = core::arch::wasm32::memory_size(0) * 64 * 1024;
    masked
        .as_array()
        .into_iter()
        .flatten()
        .map(|text| {
            let text = text.as_str().unwrap_or_default().as_bytes();
            (0..bytes.saturating_sub(text.len()))
                .filter(|start| is_at(*start, text))
                .count()
        })
        .collect()
}

fn is_at(start: usize, masked: &[u8]) -> bool {
    masked.iter().enumerate().all(|(index, byte)| {
        let place = (start + index) as *const u8;
        // SAFETY: it is inside of the memory; what is there may change, and is only compared.
        (unsafe { place.read_volatile() }) == byte ^ 1
    })
}

guest!(Searches);
