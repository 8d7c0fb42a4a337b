//! What became of one attempt to say something.

use std::time::Duration;

use crate::domain::reason::Reason;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side says that it has it.
    Delivered(Receipt),
    /// It may succeed later. Whether it arrived is not known; a duplicate is better than a loss.
    Retry {
        /// Not before; `None`: the usual backoff.
        after: Option<Duration>,
        /// What went wrong.
        trouble: Trouble,
    },
    /// It will not succeed by itself.
    Refused {
        /// What of it is refused.
        what: Refusal,
        /// What went wrong.
        trouble: Trouble,
    },
}

/// What the other side gave back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// What to remember for later messages of this channel (`thread:FINGERPRINT` and a message id, for example).
    /// Nothing secret. Of a state that several places are told: those that did not take it, and why.
    pub notes: Vec<(String, String)>,
    /// What it said, in a few words, for people who test the channel.
    pub said: String,
}

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This message: too long, or in a form that is not understood. Another one may pass.
    Content,
    /// Who we are: token, signature, key, allowed addresses.
    Credentials,
    /// Where it should go: dissolved, moved, not found.
    Target,
    /// The same, and the other side says that it is so for good (HTTP 410): it is not to be asked again by itself.
    Gone,
}

impl Refusal {
    /// The word used in the API and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Credentials => "credentials",
            Self::Target => "target",
            Self::Gone => "gone",
        }
    }
}

/// What went wrong, without any secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// For the counters.
    pub reason: Reason,
    /// For people, in one line: status, the other side's own code and words, and what to do where that is known.
    pub text: String,
    /// No answer came, or none that can be understood: it may have arrived all the same.
    pub unanswered: bool,
}

impl Trouble {
    /// A trouble; the text is made safe to show and cut to a reasonable length.
    pub fn new(reason: Reason, text: impl AsRef<str>) -> Self {
        let unanswered = match reason {
            Reason::Timeout | Reason::Unreadable | Reason::TooLarge | Reason::Internal => true,
            Reason::Denied | Reason::Throttled | Reason::Unreachable | Reason::Refused => false,
        };
        Self { reason, text: crate::call::clean(text.as_ref()), unanswered }
    }
}
