//! What a node tells its operator: lines of its log, and why and where it panicked.
//!
//! A trapped component cannot be entered again, so a panic has to be told before it traps, by an import. The contract's world
//! gives no import for texts. So the text is a header of `fields` that are made and dropped: Nodule shows it, and any
//! other host has made a list of headers that is never sent (`wit/world.wit`).

use std::fmt::Arguments;
use std::panic::Location;

/// The most of a text that is handed over. Nodule reads no more of a line; other hosts limit what headers may have.
#[cfg(any(target_family = "wasm", test))]
const MESSAGE_BYTES: usize = 8 * 1024;

/// Tells the operator something, such as what the service answered that the node did not expect: `log!("{left} rows left")`.
///
/// In Nodule it becomes the event `printed` of the target `nodule::node`, with file and line, and without secrets. What one call
/// may log is limited, and nothing is shown of a log-in or a signature. Other hosts ignore it. In a native test it goes to
/// standard error.
///
/// ```
/// nodule_sdk::log!("{} rows left", 3);
/// ```
#[macro_export]
macro_rules! log {
    ($($message:tt)+) => {
        $crate::report::log(::core::format_args!($($message)+))
    };
}

/// See [`log!`](crate::log!).
#[doc(hidden)]
#[track_caller]
pub fn log(message: Arguments<'_>) {
    tell("nodule-log", Location::caller(), &message.to_string());
}

/// Tells the operator why and where the node panics, before it traps: for [`export!`](crate::export).
#[cfg(target_family = "wasm")]
pub extern "C" fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            tell("nodule-panic", place, panic.payload_as_str().unwrap_or_default());
        }
    }));
}

/// Has a component's panics told from its beginning on.
#[doc(hidden)]
#[macro_export]
macro_rules! __tell_panics {
    () => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "a name of a section")]
        const _: () = {
            #[used]
            #[unsafe(link_section = ".init_array")]
            static TELL_PANICS: extern "C" fn() = $crate::report::panics;
        };
    };
}

#[cfg(target_family = "wasm")]
fn tell(header: &str, place: &Location<'_>, message: &str) {
    let text = text(place, message);
    // In another host the text may be no header. There it is not needed either.
    let _ = crate::bindings::wasi::http::types::Fields::from_list(&[(header.to_owned(), text.into_bytes())]);
}

#[cfg(not(target_family = "wasm"))]
#[expect(clippy::print_stderr, reason = "a test shows it where it fails")]
fn tell(_: &str, place: &Location<'_>, message: &str) {
    eprintln!("{place}: {message}");
}

#[cfg(any(target_family = "wasm", test))]
fn text(place: &Location<'_>, message: &str) -> String {
    let shown = message.floor_char_boundary(MESSAGE_BYTES);
    let message = message.get(..shown).unwrap_or_default();
    [place.file(), ":", &place.line().to_string(), ": ", message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_where_and_has_a_bound() {
        let here = Location::caller();
        let place = format!("{}:{}: ", here.file(), here.line());
        assert_eq!(text(here, "as it is"), format!("{place}as it is"));
        assert_eq!(
            text(here, &"é".repeat(1 << 20)).len(),
            place.len() + MESSAGE_BYTES
        );
    }
}
