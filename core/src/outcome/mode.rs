//! Ways in which a run treats its items, each by one word on the command line, over HTTP and in recordings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that names none of the ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {}, found `{found}`", expected.map(|word| format!("`{word}`")).join(" or "))]
#[non_exhaustive]
pub struct UnknownMode<const N: usize> {
    /// The words that there are.
    pub expected: [&'static str; N],
    /// What was given, cut to a line.
    pub found: String,
}

/// As much as anybody reads of a wrong word.
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
            /// All there are.
            pub const ALL: [Self; $count] = [$(Self::$variant),+];

            /// Its word.
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
    /// What a failed item does to those after it.
    OnFailure, 2:
    /// They do not start; those under way end.
    Stop = "stop",
    /// They run.
    #[default]
    Continue = "continue",
}

modes! {
    /// In which order results are given.
    ResultOrder, 2:
    /// The items' own: the first result is that of the first item.
    #[default]
    Items = "items",
    /// Each as soon as it is known, and in the journal where there is one; each comes with the index of its item. Items that
    /// share a call are known when the call ends, so calls hold one item each unless the service answers quickly. An item
    /// that takes long holds back no result, but it does bound how far later items may run ahead of it.
    Completion = "completion",
}

modes! {
    /// What becomes of the items of a plain write whose outcome an earlier run with the same journal did not learn.
    OnUnknown, 3:
    /// They are run again, at the risk of doing them twice.
    Retry = "retry",
    /// They are left out: no output items and no failure.
    Skip = "skip",
    /// They fail, with a failure of the kind `unknown`.
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
