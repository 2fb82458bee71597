//! A URL has one canonical form, which is its own; what is below a base URL is so in every reading.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodule_parsers::canonical::CanonicalUrl;

fuzz_target!(|text: &str| {
    let (url, base) = text.split_once('\n').unwrap_or((text, "https://api.example.com/v1"));
    let Ok(url) = CanonicalUrl::parse(url) else { return };
    let shown = url.to_string();
    assert_eq!(CanonicalUrl::parse(&shown).as_ref(), Ok(&url));
    let whatwg = url::Url::parse(&shown).expect("what is sent is a URL to others too");
    assert_eq!(whatwg.host_str(), Some(url.host().to_string().as_str()));
    assert_eq!(whatwg.port_or_known_default(), Some(url.port()));
    assert!(whatwg.username().is_empty() && whatwg.password().is_none());
    assert_eq!(whatwg.path(), url.path(), "no other reader resolves it further");
    if let Ok(base) = CanonicalUrl::parse(base) {
        if url.is_below(&base) {
            assert!(url.same_origin(&base));
            assert!(url.path().starts_with(base.path().trim_end_matches('/')));
        }
    }
});
