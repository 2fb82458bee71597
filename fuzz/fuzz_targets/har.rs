//! A recording is read or refused; one that was read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodule_parsers::recording::Recording;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = Recording::from_json(bytes, "fuzz.har") {
        let written = recording.to_json();
        let again = Recording::from_json(written.as_bytes(), "fuzz.har").expect("what was written can be read");
        assert_eq!(again.exchanges().len(), recording.exchanges().len());
        assert_eq!(again.to_json(), written);
    }
});
