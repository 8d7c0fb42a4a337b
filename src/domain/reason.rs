//! Why something failed: one closed list, used as label value, in the API and on the page.

use chrono::{DateTime, Utc};

/// The reasons of `notafter_*_errors_total{reason}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The cloud does not accept the key, or the key lacks a permission.
    Denied,
    /// Too many calls; the pace was lowered.
    Throttled,
    /// No answer came at all: name, connection, TLS, or a gateway that had nobody behind it.
    Unreachable,
    /// The answer did not come, or did not end, in time.
    Timeout,
    /// The cloud answered with an error of its own that fits nothing above.
    Refused,
    /// The answer, or a date in it, could not be understood.
    Unreadable,
    /// The answer was longer than any honest one.
    TooLarge,
    /// A defect of `notafter` itself.
    Internal,
}

impl Reason {
    /// Every reason, in documented order; counters exist for each of them from the start.
    pub const ALL: [Self; 8] = [
        Self::Denied,
        Self::Throttled,
        Self::Unreachable,
        Self::Timeout,
        Self::Refused,
        Self::Unreadable,
        Self::TooLarge,
        Self::Internal,
    ];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Internal => "internal",
        }
    }
}

/// A failed look, kept as data: shown, counted, and never a ground for removing a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable reason.
    pub reason: Reason,
    /// The whole story in one line, secrets already removed, outermost first.
    pub text: Box<str>,
    /// When the look that failed came back.
    pub at: DateTime<Utc>,
}
