//! The names that a component may have.
//!
//! The author of a component chooses the names of its imports, exports, types and their parts, and other programs put
//! them into generated JavaScript, messages and logs. All names, at every level of nesting, have to follow one grammar,
//! which is checked before anything is compiled, generated or printed. It allows no character that closes or escapes a
//! string in any language, acts on a terminal, or looks like another character.
//!
//! | name | allowed characters |
//! | --- | --- |
//! | of an import, export, alias, argument, type, field, case | ASCII letters, digits, `_-.:/@[]#$+` and the vertical
//! bar |
//! | of a custom section | those and spaces |
//! | in a section of debug names and producers | every character that is not [deceptive](is_deceptive) |
//!
//! Compilers write debug names such as `<T as Trait<'_>>::{{closure}}`. Nothing links by them and the host shows none,
//! but an engine's stack traces may, so they have to be safe to print.

use crate::error::Error;
use nodule_core::text::{is_deceptive, shown};

/// C++ mangles templates into names of several hundred bytes; names of interfaces stay below a hundred.
const NAME_BYTES: usize = 2048;

/// Rust's debug names spell types out; those of nested futures have some thousand bytes.
const DEBUG_NAME_BYTES: usize = 64 * 1024;

/// The length of a name in a message.
const SHOWN: usize = 60;

/// The characters that a name may have beside ASCII letters and digits.
const PUNCTUATION: &str = "_-.:/@[]#$|+";

/// Refuses an invalid name that something is linked by; `place` says what it names.
pub(super) fn linked(name: &str, place: &'static str, at: usize) -> Result<(), Error> {
    checked(name, place, at, NAME_BYTES, |character| {
        character.is_ascii_alphanumeric() || PUNCTUATION.contains(character)
    })
}

/// Refuses an invalid name of a custom section.
pub(super) fn section(name: &str, at: usize) -> Result<(), Error> {
    checked(name, "a custom section", at, NAME_BYTES, |character| {
        character.is_ascii_alphanumeric() || character == ' ' || PUNCTUATION.contains(character)
    })
}

/// Refuses an invalid debug name.
pub(super) fn debug(name: &str, place: &'static str, at: usize) -> Result<(), Error> {
    checked(name, place, at, DEBUG_NAME_BYTES, |character| {
        !is_deceptive(character)
    })
}

fn checked(
    name: &str,
    place: &'static str,
    at: usize,
    most: usize,
    may_have: impl Fn(char) -> bool,
) -> Result<(), Error> {
    // As the key of a JavaScript object literal, this replaces the object's prototype.
    if name == "__proto__" {
        return Err(refused(
            name,
            place,
            at,
            "it has a meaning of its own in JavaScript".to_owned(),
        ));
    }
    if name.len() > most {
        let problem = format!("it has {} bytes, and may have {most}", name.len());
        return Err(refused(name, place, at, problem));
    }
    match name.chars().find(|character| !may_have(*character)) {
        None => Ok(()),
        Some(character) => {
            let problem = format!("it may not have {}", worded(character));
            Err(refused(name, place, at, problem))
        }
    }
}

fn worded(character: char) -> String {
    if character.is_ascii_graphic() {
        format!("the character {character}")
    } else {
        format!("the character U+{:04X}", u32::from(character))
    }
}

fn refused(name: &str, place: &'static str, at: usize, problem: String) -> Error {
    Error::Name {
        place,
        at,
        name: shown(name, SHOWN),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: [&str; 28] = [
        "",
        "0",
        "$root",
        "$imports",
        "env",
        "GOT.mem",
        "GOT.func",
        "memory",
        "cabi_realloc",
        "_initialize",
        "__main_module__",
        "__indirect_function_table",
        "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
        "_ZN5alloc3vec16Vec$LT$T$C$A$GT$4push17h00E",
        "cm32p2|wasi:io/streams@0.2|[method]input-stream.read",
        "cm32p2_memory",
        "wasi_snapshot_preview1",
        "wit-component:shim",
        "wit-component:fixups",
        "wasi:http/types@0.2.12",
        "wasi:io/streams@0.2.0-rc.1+build",
        "[method]outgoing-request.set-method",
        "[resource-drop]fields",
        "[constructor]fields",
        "[static]fields.from-list",
        "[async-lower][cancel]",
        "workflow:node/execution@0.2.0#execute",
        "libcomponentize_py_runtime.so:memory_base",
    ];

    #[test]
    fn the_names_that_compilers_make_pass() {
        for name in REAL {
            linked(name, "an import", 0).unwrap();
        }
        section("component-type:wit-bindgen:0.63.0:encoded world", 0).unwrap();
        section(".debug_info", 0).unwrap();
        debug(
            "<alloc::vec::Vec<T> as Drop<'_>>::drop::{{closure}}",
            "a function",
            0,
        )
        .unwrap();
    }

    #[test]
    fn a_name_ends_no_text_in_any_language() {
        for character in ('\0'..='\u{ff}').filter(|character| !character.is_ascii_alphanumeric()) {
            let name = format!("a{character}b");
            let is_allowed = PUNCTUATION.contains(character);
            assert_eq!(linked(&name, "an import", 0).is_ok(), is_allowed, "{name:?}");
        }
        for name in [
            "${a}",
            "a\u{2028}b",
            "a\u{202e}b",
            "ａ",
            "а",
            "a\u{301}",
            "__proto__",
        ] {
            assert!(linked(name, "an import", 0).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_debug_name_is_safe_to_print() {
        for name in ["a\u{1b}[2J", "a\nb", "a\u{9b}0m", "a\u{202e}b"] {
            assert!(debug(name, "a function", 0).is_err(), "{name:?}");
        }
        assert!(section("__proto__", 0).is_err());
        assert!(debug(&"a".repeat(DEBUG_NAME_BYTES + 1), "a function", 0).is_err());
    }

    #[test]
    fn a_refusal_says_where_and_shows_the_name_escaped_and_cut() {
        let error = linked("a':0,[\u{1b}]:0,'b", "a core import", 1234).unwrap_err();
        assert_eq!(
            error.to_string(),
            r"the component is refused: the name `a':0,[\u{1b}]:0,'b` of a core import (at byte 1234): it may not have the character '"
        );
        let long = linked(&"a".repeat(NAME_BYTES + 1), "an export", 0).unwrap_err();
        assert!(long.to_string().len() < 200, "{long}");
    }
}
