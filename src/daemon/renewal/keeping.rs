//! What the renewal loop needs of the store. One that cannot be used at the moment means: nothing is begun.

use chrono::{DateTime, Utc};

use crate::call::BoxFuture;
use crate::domain::alert::renewals::Letter;
use crate::domain::alert::silence::{Silence, SilenceRow};
use crate::domain::renewal::attempt::Attempt;
use crate::domain::renewal::ledger::Change;
use crate::store::{Committed, Handle, StoreError};

/// Nothing can be read or written at the moment, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Away(pub(super) String);

/// What is written down.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The latest first.
    pub attempts: Vec<Attempt>,
    pub silences: Vec<Silence>,
}

/// Attempts that are lost by no crash.
pub(super) trait Keeping: Send + Sync {
    /// Everything that a plan needs.
    fn read(&self, now: DateTime<Utc>) -> BoxFuture<'_, Result<Known, Away>>;

    /// Changes and the messages that tell of them, all or nothing. `false`: somebody else was faster, and nothing was written.
    fn write<'a>(
        &'a self,
        changes: &'a [Change],
        letters: &'a [Letter],
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<bool, Away>>;
}

impl Keeping for Handle {
    fn read(&self, now: DateTime<Utc>) -> BoxFuture<'_, Result<Known, Away>> {
        Box::pin(async move {
            let store = self.store().ok_or_else(nothing)?;
            let known = async {
                let attempts = store.attempts(now).await?;
                let silences = store.silences().await?.iter().filter_map(SilenceRow::read).collect();
                Ok::<_, StoreError>(Known { attempts, silences })
            };
            known.await.map_err(|error| {
                let away = Away(error.to_string());
                self.report(&store, error);
                away
            })
        })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Change],
        letters: &'a [Letter],
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<bool, Away>> {
        Box::pin(async move {
            let store = self.store().ok_or_else(nothing)?;
            match store.commit_renewals(changes, letters, now).await {
                Ok(committed) => Ok(committed == Committed::Done),
                Err(error) => {
                    let away = Away(error.to_string());
                    self.report(&store, error);
                    Err(away)
                }
            }
        })
    }
}

fn nothing() -> Away {
    Away("the store cannot be used at the moment".to_owned())
}
