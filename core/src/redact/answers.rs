//! Removes a session's secrets from the responses that a node reads, except secrets that the node wrote itself.
//!
//! A node can send guesses to a service that echoes them, as error messages do, and see which guess is missing from the
//! response. So a secret that occurs in a node's request, in any form, counts as the node's own text from then on and
//! is no longer looked for in any form. Only somebody who knows a secret that is hard to guess can write it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::patterns::Patterns;
use super::search::{Heard, Search};
use super::{Lookup, Redactor};
use crate::secret::Secret;

/// Removes secrets from responses. Its `Debug` shows no secret.
#[derive(Default)]
pub struct Answers {
    redactor: Redactor,
    /// For each secret, by number: whether the node wrote it.
    told: Box<[AtomicBool]>,
    is_any_told: AtomicBool,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.redactor.fmt(f)
    }
}

impl Answers {
    /// Makes the redactor for these secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut answers = Self {
            redactor: Redactor::for_answers(secrets),
            ..Self::default()
        };
        let count = answers.patterns().map_or(0, Patterns::secrets);
        answers.told = (0..count).map(|_| AtomicBool::new(false)).collect();
        answers
    }

    fn patterns(&self) -> Option<&Patterns> {
        match &self.redactor.0.as_deref()?.patterns {
            Lookup::In(patterns) => Some(patterns),
            Lookup::None | Lookup::Everything => None,
        }
    }

    /// Starts a search for secrets in a text that a node wrote; `None` if the text clearly has none. Pass the finished
    /// search to [`tell`](Self::tell).
    pub fn heard<'t>(&self, text: &'t [u8]) -> Option<Heard<'_, 't>> {
        let patterns = self
            .patterns()
            .filter(|patterns| !patterns.are_clearly_not_in(text))?;
        Some(Heard::new(patterns, text))
    }

    /// Marks the secrets that were found as known to the node.
    pub fn tell(&self, heard: Heard<'_, '_>) {
        for secret in heard.finish() {
            if let Some(told) = self.told.get(secret) {
                told.store(true, Ordering::Release);
                self.is_any_told.store(true, Ordering::Release);
            }
        }
    }

    /// Starts a search for secrets in a response; `None` if it clearly has none. Responses are searched for long
    /// secrets only.
    pub fn search<'t>(&self, text: &'t [u8]) -> Option<Search<'_, 't>> {
        let known = self.redactor.0.as_deref()?;
        if self
            .patterns()
            .is_some_and(|patterns| patterns.are_clearly_not_in(text))
        {
            return None;
        }
        let told = if self.is_any_told.load(Ordering::Acquire) {
            let told = self.told.iter().map(|told| told.load(Ordering::Acquire));
            told.collect()
        } else {
            Vec::new()
        };
        Some(Search::new(known, text, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOi.token.0123456789";
    const OTHER: &str = "another-secret-9876543210";

    fn answers() -> Answers {
        let secrets = [TOKEN, OTHER].map(|text| Secret::new(text.to_owned()));
        Answers::new(&secrets)
    }

    fn hear(answers: &Answers, text: &str) {
        if let Some(mut heard) = answers.heard(text.as_bytes()) {
            while heard.step() {}
            answers.tell(heard);
        }
    }

    fn read(answers: &Answers, text: &str) -> String {
        let mut search = answers.search(text.as_bytes()).unwrap();
        while search.step() {}
        let redacted = search.finish().unwrap_or_else(|| text.as_bytes().to_vec());
        String::from_utf8(redacted).unwrap()
    }

    #[test]
    fn what_a_node_wrote_itself_comes_back_to_it_in_every_form() {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD.encode(TOKEN);
        let digits = |escape: &str| -> String {
            let bytes = TOKEN.bytes();
            bytes
                .flat_map(|byte| [escape.to_owned(), format!("{byte:02x}")])
                .collect()
        };
        let (percent, json) = (digits("%"), digits("\\u00"));
        let forms = [TOKEN.to_owned(), base64, percent, json];
        for written in &forms {
            let answers = answers();
            for form in &forms {
                assert_eq!(read(&answers, &format!("<{form}>")), "<[redacted]>");
            }
            hear(&answers, &format!("https://api.example.com/?guess={written}&x"));
            for form in &forms {
                let echo = format!("<{form}> <{OTHER}>");
                assert_eq!(read(&answers, &echo), format!("<{form}> <[redacted]>"));
            }
        }
    }

    /// Both directions: a text that may contain a secret is searched, and a text that is skipped contains none.
    #[test]
    fn a_text_is_looked_through_where_it_may_hold_a_secret_in_any_form() {
        let answers = answers();
        for text in ["", "a text without a secret in it", &TOKEN[1..], &TOKEN[..8]] {
            assert!(answers.search(text.as_bytes()).is_none(), "{text}");
            assert!(answers.heard(text.as_bytes()).is_none(), "{text}");
        }
        for text in [
            TOKEN,
            &format!("{{\"a\":\"{OTHER}\"}}"),
            r"a text that is long enough to hold one \u0041",
            "a text that is long enough to hold one %41",
        ] {
            assert!(answers.search(text.as_bytes()).is_some(), "{text}");
            assert!(answers.heard(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn a_part_of_a_secret_is_no_knowledge_of_it() {
        let answers = answers();
        for part in [&TOKEN[1..], &TOKEN[..TOKEN.len() - 1], &TOKEN.to_uppercase()] {
            hear(&answers, part);
        }
        assert_eq!(read(&answers, TOKEN), "[redacted]");
    }

    /// Otherwise a node could hide a guess in a longer secret that it made up.
    #[test]
    fn a_secret_inside_of_another_that_a_node_wrote_is_known_too() {
        let secrets = [
            TOKEN.to_owned(),
            format!("decoy-{TOKEN}"),
            format!("{TOKEN}-decoy"),
        ]
        .map(Secret::new);
        let answers = Answers::new(&secrets);
        let both = format!("decoy-{TOKEN}-decoy");
        assert_eq!(read(&answers, &both), "[redacted]");
        hear(&answers, secrets[1].expose());
        assert_eq!(
            read(&answers, &format!("{TOKEN} decoy-{TOKEN}")),
            format!("{TOKEN} decoy-{TOKEN}")
        );
        // The node did not write the third secret, and sees no more of it than it wrote.
        assert_eq!(read(&answers, &format!("{TOKEN}-decoy")), "[redacted]");
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", answers()).contains("token"));
    }
}
