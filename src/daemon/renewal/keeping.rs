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
    /// What the store's turn was before the attempts were read.
    pub turn: i64,
}

/// Attempts that are lost by no crash.
pub(super) trait Keeping: Send + Sync {
    /// Everything that a plan needs.
    fn read(&self, now: DateTime<Utc>) -> BoxFuture<'_, Result<Known, Away>>;

    /// Changes and the messages that tell of them, all or nothing; with `seen`, only as long as nobody else wrote anything
    /// since. `false`: somebody else was faster, and nothing was written.
    fn write<'a>(
        &'a self,
        changes: &'a [Change],
        letters: &'a [Letter],
        now: DateTime<Utc>,
        seen: Option<i64>,
    ) -> BoxFuture<'a, Result<bool, Away>>;
}

impl Keeping for Handle {
    fn read(&self, now: DateTime<Utc>) -> BoxFuture<'_, Result<Known, Away>> {
        Box::pin(async move {
            let store = self.store().ok_or_else(nothing)?;
            let known = async {
                let turn = store.renewal_turn().await?;
                let attempts = store.attempts(now).await?;
                Ok::<_, StoreError>((turn, attempts, store.silences().await?))
            };
            let (turn, attempts, rows) = known.await.map_err(|error| {
                let away = Away(error.to_string());
                self.report(&store, error);
                away
            })?;
            Ok(Known { attempts, silences: silences(&rows, now)?, turn })
        })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Change],
        letters: &'a [Letter],
        now: DateTime<Utc>,
        seen: Option<i64>,
    ) -> BoxFuture<'a, Result<bool, Away>> {
        Box::pin(async move {
            let store = self.store().ok_or_else(nothing)?;
            match store.commit_renewals(changes, letters, now, seen).await {
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

/// A silence that cannot be read may be the one that means: leave it alone.
fn silences(rows: &[SilenceRow], now: DateTime<Utc>) -> Result<Vec<Silence>, Away> {
    let read = |row: &SilenceRow| {
        row.read()
            .ok_or_else(|| Away(format!("the silence {} cannot be read, and may hold a renewal", row.id)))
    };
    rows.iter().filter(|row| row.ends_at > now).map(read).collect()
}

fn nothing() -> Away {
    Away("the store cannot be used at the moment".to_owned())
}
