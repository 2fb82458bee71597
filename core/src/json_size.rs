//! How much a JSON text takes once it is parsed, found out before it is.
//!
//! A parsed value takes some hundred bytes, whatever it is: of `[0,0,0,…]` that is fifty times its text. So the values are
//! counted first, in one pass without recursion that allocates nothing and knows no more of JSON than its strings.

/// What a JSON text may hold.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// How deep lists and objects may be nested.
    pub depth: usize,
    /// Texts, numbers, truth values, nulls, lists and objects, all together.
    pub values: usize,
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Lists and objects in each other.
    Depth,
    /// Values.
    Values,
}

/// Refuse a text that holds more. A text that is no JSON may pass: the parser refuses it.
pub fn within(text: &[u8], most: Most) -> Result<(), Excess> {
    // One for the document. Each list or object adds itself, and each comma one more of its elements.
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
        // No JSON, and no harm.
        assert_eq!(measured("]]]][", 1, 99), Ok(()));
    }
}
