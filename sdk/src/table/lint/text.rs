//! Texts, as far as the compiler can read and write them while it evaluates constants.

/// So much of all problems is shown.
const ROOM: usize = 8_192;

/// Problems, one line each.
pub struct Problems {
    text: [u8; ROOM],
    length: usize,
    group: &'static str,
    operation: &'static str,
}

impl Problems {
    pub(super) const fn new() -> Self {
        Self {
            text: [0; ROOM],
            length: 0,
            group: "",
            operation: "",
        }
    }

    /// What follows is about this operation.
    pub(super) const fn enter(&mut self, group: &'static str, operation: &'static str) {
        self.group = group;
        self.operation = operation;
    }

    /// A problem of the operation.
    pub(super) const fn report(&mut self, parts: &[&str]) {
        self.begin();
        self.write(self.group);
        self.write(".");
        self.write(self.operation);
        self.write(" ");
        self.parts(parts);
    }

    /// A problem of the service.
    pub(super) const fn push(&mut self, parts: &[&str]) {
        self.begin();
        self.parts(parts);
    }

    const fn begin(&mut self) {
        if self.length > 0 {
            self.write("\n");
        }
    }

    const fn parts(&mut self, parts: &[&str]) {
        let mut index = 0;
        while index < parts.len() {
            self.write(parts[index]);
            index += 1;
        }
    }

    const fn write(&mut self, text: &str) {
        let bytes = text.as_bytes();
        // A text that does not fit is left out whole, so that no letter is cut.
        if self.length + bytes.len() > ROOM {
            return;
        }
        let mut index = 0;
        while index < bytes.len() {
            self.text[self.length] = bytes[index];
            self.length += 1;
            index += 1;
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The lines.
    pub const fn text(&self) -> &str {
        match str::from_utf8(self.text.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

pub(super) const fn eq(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

pub(super) const fn contains(texts: &[&str], text: &str) -> bool {
    let mut index = 0;
    while index < texts.len() {
        if eq(texts[index], text) {
            return true;
        }
        index += 1;
    }
    false
}

/// The text from `from` up to the first of these bytes.
pub(super) const fn until(text: &str, from: usize, end: u8) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut index = from;
    while index < bytes.len() {
        if bytes[index] == end {
            return Some(text.split_at(index).0.split_at(from).1);
        }
        index += 1;
    }
    None
}

/// Whether a host takes it for a name of anything but a parameter.
pub(super) const fn is_camel_case(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() {
            return false;
        }
        at += 1;
    }
    matches!(bytes, [b'a'..=b'z', ..])
}

/// Whether it is neither empty, padded nor ends with a full stop.
pub(super) const fn is_sentence(text: &str) -> bool {
    !matches!(text.as_bytes(), [] | [b' ', ..] | [.., b' ' | b'.'])
}

pub(super) const fn is_lower_case(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        if bytes[index].is_ascii_uppercase() {
            return false;
        }
        index += 1;
    }
    true
}
