//! Modes in which a run treats its items. Each has one word, used on the command line, over HTTP and in recordings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The word names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {}, found `{found}`", expected.map(|word| format!("`{word}`")).join(" or "))]
#[non_exhaustive]
pub struct UnknownMode<const N: usize> {
    /// The accepted words.
    pub expected: [&'static str; N],
    /// The word that was found, cut to one line.
    pub found: String,
}

/// Longer wrong words are cut.
const SHOWN_CHARS: usize = 60;

macro_rules! modes {
    ($(#[$about:meta])* $mode:ident, $count:literal: $($(#[$mode_about:meta])* $variant:ident = $word:literal,)+) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $mode {
            $($(#[$mode_about])* $variant,)+
        }

        impl $mode {
            /// All modes.
            pub const ALL: [Self; $count] = [$(Self::$variant),+];

            /// The word for the mode.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $mode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $mode {
            type Err = UnknownMode<$count>;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let named = Self::ALL.into_iter().find(|mode| mode.name() == word);
                named.ok_or_else(|| UnknownMode {
                    expected: Self::ALL.map(Self::name),
                    found: crate::text::shown(word, SHOWN_CHARS),
                })
            }
        }
    };
}

modes! {
    /// What happens to later items after an item fails.
    OnFailure, 2:
    /// Later items do not start; items in flight finish.
    Stop = "stop",
    /// Later items run.
    #[default]
    Continue = "continue",
}

modes! {
    /// The order in which results are returned.
    ResultOrder, 2:
    /// In item order: the first result belongs to the first item.
    #[default]
    Items = "items",
    /// Each result as soon as it is known (and in the journal, if there is one), with the index of its item. Items of
    /// one call finish together, so each call contains one item unless the service responds quickly. A slow item delays
    /// no result, but it limits how far later items may run ahead of it.
    Completion = "completion",
}

modes! {
    /// What happens to items of a plain write whose outcome an earlier run with the same journal did not learn.
    OnUnknown, 3:
    /// They run again, which may do them twice.
    Retry = "retry",
    /// They are skipped: no output items and no failure.
    Skip = "skip",
    /// They fail with the kind `unknown`.
    #[default]
    Fail = "fail",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_read_by_the_word_that_it_is_written_with() {
        for mode in OnUnknown::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            let json = format!("\"{mode}\"");
            assert_eq!(serde_json::to_string(&mode).unwrap(), json);
            assert_eq!(serde_json::from_str::<OnUnknown>(&json).unwrap(), mode);
        }
        for mode in OnFailure::ALL {
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
        for mode in ResultOrder::ALL {
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
    }

    #[test]
    fn another_word_is_answered_with_those_that_there_are() {
        assert_eq!(
            "Stop\u{1b}".parse::<OnFailure>().unwrap_err().to_string(),
            r"expected `stop` or `continue`, found `Stop\u{1b}`"
        );
    }
}
