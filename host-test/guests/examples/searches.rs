//! Searches its whole linear memory for texts. The texts arrive masked, with the lowest bit of every byte flipped, so
//! that the search does not find its own input. Reports how often it found each one, and everything else that it
//! received.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, Session, guest, outputs, parse, session, token};
use serde_json::{Value, json};

struct Searches;

impl Behaviour for Searches {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let given = json!({
            "group": call.group,
            "operation": call.operation,
            "baseUrl": call.service.base_url,
            "hasAccess": call.service.access.is_some(),
            "arguments": std::env::args().count(),
        });
        Ok(call
            .items
            .iter()
            .map(|item| {
                let masked = &parse(&item.parameters)["masked"];
                Ok(outputs([json!({"found": found(masked), "given": given})]))
            })
            .collect())
    }

    /// The same search in the instance that knows the secret: a match here proves that the search works.
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
        // SAFETY: the address is inside the memory; its content may change, and is only compared.
        (unsafe { place.read_volatile() }) == byte ^ 1
    })
}

guest!(Searches);
