//! What a round could not answer, and why.

use chrono::{DateTime, Utc};

use crate::domain::identity::Scope;
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::{Resource, TlsState};
use crate::domain::snapshot::ScopeView;

/// A scope or a resource that could not be looked at, or whose answer left the question open.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'s> {
    /// Where.
    pub scope: &'s Scope,
    /// Which resource; `None` for the scope as a whole.
    pub resource: Option<&'s Resource>,
    /// Why; `None` where nobody tried.
    pub reason: Option<Reason>,
    /// The whole story in one line.
    pub text: &'s str,
    /// When the look came back.
    pub at: Option<DateTime<Utc>>,
}

impl<'s> Unread<'s> {
    /// Why a scope could not be read, if so.
    pub(super) fn scope(scope: &'s Scope, view: &'s ScopeView) -> Option<Self> {
        let open = Self { scope, resource: None, reason: None, text: "not looked at", at: None };
        match view.failure() {
            Some(failure) => Some(open.because(failure)),
            None => (!view.is_up()).then_some(open),
        }
    }

    /// Why a resource is an open question, if it is. One that is not to be looked at yet (it is being created, or in
    /// the middle of a change) is none.
    pub(super) fn resource(scope: &'s Scope, resource: &'s Resource) -> Option<Self> {
        let open = Self { scope, resource: Some(resource), reason: None, text: "not looked at", at: None };
        if let Some(failure) = &resource.failure {
            return Some(open.because(failure));
        }
        let Some(reading) = &resource.reading else {
            let due = resource.looked_at.is_none() && resource.due.is_some();
            return due.then_some(open);
        };
        let text = match reading.state {
            TlsState::Unknown => "the answer did not say whether TLS is on",
            TlsState::Enabled if reading.certificates.is_empty() => "TLS is on, but no certificate was shown",
            _ => return None,
        };
        Some(Self { reason: Some(Reason::Unreadable), text, at: Some(reading.at), ..open })
    }

    fn because(self, failure: &'s Failure) -> Self {
        Self { reason: Some(failure.reason), text: &failure.text, at: Some(failure.at), ..self }
    }
}
