//! What an error code of a detail call says about the resource: three of its meanings are findings, not failures.

use crate::call::CallError;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// TLS is not to be had here.
    Unsupported,
    /// The resource is gone.
    Gone,
    /// It is being changed.
    Busy,
    /// A failure.
    Failure,
}

/// A cloud's codes for the three findings.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    /// For [`Verdict::Unsupported`].
    pub unsupported: &'static [&'static str],
    /// For [`Verdict::Gone`].
    pub gone: &'static [&'static str],
    /// For [`Verdict::Busy`].
    pub busy: &'static [&'static str],
}

impl Codes {
    /// What the code of a failed detail call says about the resource. Without a code it says nothing.
    pub fn verdict(&self, error: &CallError) -> Verdict {
        let Some(code) = error.code.as_deref() else { return Verdict::Failure };
        match () {
            () if self.unsupported.contains(&code) => Verdict::Unsupported,
            () if self.gone.contains(&code) => Verdict::Gone,
            () if self.busy.contains(&code) => Verdict::Busy,
            () => Verdict::Failure,
        }
    }
}
