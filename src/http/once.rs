//! Calls that change something: each leaves this machine at most once, over a connection of its own.
//!
//! What restarts a database must not be sent again by anybody. HTTP libraries do so for a request that was lost on a kept
//! connection which the other side had closed meanwhile; without kept connections there is no such request. An error says whether
//! anything can have left: only what happens before there is a connection is certain.

use std::time::Duration;

use super::{AccountHttp, Answer, Attempt, CONNECT, Call, Outgoing, Waits};
use crate::call::{CallError, CallErrorKind};

/// No whole answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// What happened.
    pub error: CallError,
    /// Nothing of the request left this machine, for sure. Otherwise it may have arrived.
    pub unsent: bool,
}

impl Unanswered {
    /// It was not even tried.
    pub fn unsent(error: CallError) -> Self {
        Self { error, unsent: true }
    }
}

impl AccountHttp {
    /// Makes one call, once: waits for its turn, but no longer than a call may take, signs, sends over a connection of its
    /// own, reads within the limits, and has `read` say what the answer means. No error leads to a second request; one of
    /// `sign` keeps it from being made.
    ///
    /// # Errors
    /// There is no whole answer; else what `read` made of it is inside.
    pub async fn once<T>(
        &self,
        call: Call<'_>,
        sign: impl FnOnce() -> Result<Outgoing, CallError>,
        read: impl FnOnce(Answer) -> Result<T, CallError>,
    ) -> Result<Result<T, CallError>, Unanswered> {
        let client = self.http.client(self.route.clone(), self.single_use()).map_err(|text| {
            Unanswered::unsent(CallError::new(CallErrorKind::Unreachable, call.action, text))
        })?;
        let turn = tokio::time::timeout(self.timeout, self.turn(&call)).await;
        let turn = turn.unwrap_or_else(|_| Err(self.no_turn(&call))).map_err(Unanswered::unsent)?;
        // it may have become pointless while it waited for its turn
        let outgoing = sign().map_err(Unanswered::unsent)?;
        let sent = self.http.clock.elapsed();
        let answer = self.attempt(&client, &call, outgoing).await.map_err(Unanswered::from);
        let result = answer.map(read);
        drop(turn);
        let error = match &result {
            Ok(read) => read.as_ref().err(),
            Err(unanswered) => Some(&unanswered.error),
        };
        self.account_for(&call, sent, error);
        result
    }

    /// Connecting gets half of the time at most: when it runs out there it is known that nothing was sent.
    fn single_use(&self) -> Waits {
        Waits { connect: CONNECT.min(self.timeout / 2), whole: self.timeout, keep: false }
    }

    fn no_turn(&self, call: &Call<'_>) -> CallError {
        let waited: Duration = self.timeout;
        let text = format!("it was not its turn within {waited:?}, by the pace that the cloud asks for");
        CallError::new(CallErrorKind::NotSent, call.action, text)
    }
}

impl From<Attempt> for Unanswered {
    fn from(attempt: Attempt) -> Self {
        match attempt {
            Attempt::Unsent(error) => Self::unsent(error),
            Attempt::Dropped(error) | Attempt::Failed(error) => Self { error, unsent: false },
        }
    }
}
