//! Escapes texts of a description for one output format each.

use std::fmt::Write;

use nodule::description::is_deceptive;

/// One line for a terminal: line feeds become spaces, and every character that acts on a terminal or is invisible is
/// spelt out.
pub fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => line.push(' '),
            character if is_deceptive(character) => line.extend(character.escape_unicode()),
            character => line.push(character),
        }
    }
    line
}

/// A JSON document with the same characters as JSON escapes; in JSON they occur only inside strings.
pub fn json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for character in document.chars() {
        if is_deceptive(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Markdown that renders as the plain text, also in a table cell: no markup, no HTML, no links, no mentions.
pub fn markdown(text: &str) -> String {
    let line = line(text);
    let mut escaped = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            // GitHub turns bare URLs into links.
            ':' if rest.peek() == Some(&'/') => escaped.push_str("\\:"),
            '.' if ends_with_www(&escaped) => escaped.push_str("\\."),
            character => escaped.push(character),
        }
    }
    escaped
}

fn ends_with_www(text: &str) -> bool {
    let last = text.as_bytes().last_chunk::<3>();
    last.is_some_and(|last| last.eq_ignore_ascii_case(b"www"))
}

/// A code span that shows the text, also in a table cell.
pub fn code(text: &str) -> String {
    let line = line(text).replace('|', "\\|");
    let longest = line
        .split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // Renderers strip one space on each side; without it a back-tick would join the fence.
    let blank = if line.is_empty() || line.starts_with('`') || line.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{blank}{line}{blank}{fence}")
}

/// The target of a Markdown link.
pub fn target(url: &str) -> String {
    let mut escaped = String::from("<");
    for character in url.chars() {
        if is_deceptive(character) || matches!(character, '<' | '>' | '\\' | '|' | ' ' | '"') {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                _ = write!(escaped, "%{byte:02X}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped.push('>');
    escaped
}

/// HTML that renders as the plain text.
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("<br>"),
            character => escaped.push(character),
        }
    }
    escaped
}
