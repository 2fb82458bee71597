//! Measures a JSON text before it is parsed.
//!
//! A parsed value takes about a hundred bytes, whatever it is, so `[0,0,0,…]` grows to fifty times its text. So the
//! values are counted first, in one pass without recursion or allocation that understands only strings, brackets and
//! commas.

/// The most that a JSON text may contain.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// How deep lists and objects may nest.
    pub depth: usize,
    /// Texts, numbers, booleans, nulls, lists and objects together.
    pub values: usize,
}

/// Which limit a text exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Nested lists and objects.
    Depth,
    /// Values.
    Values,
}

/// Refuses a text that contains more than `most`. Text that is not JSON may pass, because the parser refuses it.
pub fn within(text: &[u8], most: Most) -> Result<(), Excess> {
    // The document counts as one value. Each list or object adds one, and each comma adds one element.
    let (mut values, mut depth) = (1_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                values += 1;
            }
            b',' => values += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most.depth {
            return Err(Excess::Depth);
        }
        if values > most.values {
            return Err(Excess::Values);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(text: &str, depth: usize, values: usize) -> Result<(), Excess> {
        within(text.as_bytes(), Most { depth, values })
    }

    #[test]
    fn values_are_counted_and_never_too_few() {
        for (text, values) in [
            ("0", 1),
            ("[0,0,0]", 4),
            (r#"{"a":[1,{"b":null}],"c":","}"#, 6),
            (r#""a,\",[{""#, 1),
        ] {
            assert_eq!(measured(text, 9, values + 1), Ok(()), "{text}");
            assert_eq!(measured(text, 9, values - 1), Err(Excess::Values), "{text}");
        }
    }

    #[test]
    fn nesting_is_counted_outside_of_strings() {
        assert_eq!(measured("[[0]]", 2, 99), Ok(()));
        assert_eq!(measured("[[0]]", 1, 99), Err(Excess::Depth));
        assert_eq!(measured(r#"["[[[["]"#, 1, 99), Ok(()));
        // Not JSON, but harmless.
        assert_eq!(measured("]]]][", 1, 99), Ok(()));
    }
}
