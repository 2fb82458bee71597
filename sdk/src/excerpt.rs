//! What was probably meant by a name that nobody knows, and how much of a long value a message shows.

/// A message shows this much of a value: enough to recognise it by.
const SHOWN_CHARS: usize = 60;

/// The known name with the fewest differences, upper and lower case counting as the same.
pub fn nearest(name: &str, known: &mut dyn Iterator<Item = &'static str>) -> Option<&'static str> {
    let name: String = name
        .chars()
        .take(SHOWN_CHARS)
        .collect::<String>()
        .to_ascii_lowercase();
    known.min_by_key(|known| strsim::levenshtein(&name, &known.to_ascii_lowercase()))
}

/// The beginning of a value.
pub fn shown(value: &str) -> String {
    cut(value, SHOWN_CHARS)
}

/// The first `chars` characters of `text`, with an ellipsis as the last of them where some are missing.
pub fn cut(text: &str, chars: usize) -> String {
    let mut characters = text.char_indices().skip(chars.saturating_sub(1));
    match (characters.next(), characters.next()) {
        (Some((end, _)), Some(_)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let known = ["operationId", "operationType", "pointValue"];
        assert_eq!(nearest("operatonId", &mut known.into_iter()), Some("operationId"));
        assert_eq!(nearest("POINTVALUE", &mut known.into_iter()), Some("pointValue"));
        assert_eq!(
            nearest(&"x".repeat(1_000_000), &mut known.into_iter()),
            Some("operationId")
        );
        assert_eq!(nearest("x", &mut [].into_iter()), None);
    }

    #[test]
    fn long_values_are_cut_by_characters() {
        assert_eq!(shown("short"), "short");
        assert_eq!(shown(&"会".repeat(60)), "会".repeat(60));
        assert_eq!(shown(&"会".repeat(61)), "会".repeat(59) + "…");
    }
}
