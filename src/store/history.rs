//! What became of messages: lists for people, counts, what they do about those that were given up, and what is thrown
//! away after a while.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Error;

use super::rows::Fields;
use super::words::{id_key, id_of, stamp};
use super::{Store, StoreError, json, outbox, statements};
use crate::domain::alert::message::{Kind, Message};
use crate::domain::alert::outbox::{Row, State};

/// What arrived, or was overtaken, is kept so long.
const KEEP_SETTLED: TimeDelta = TimeDelta::days(30);
/// What was given up is kept so long.
const KEEP_DEAD: TimeDelta = TimeDelta::days(90);
/// A silence that has ended is kept so long.
const KEEP_SILENCES: TimeDelta = TimeDelta::days(30);
/// A note that was not written again is kept so long.
const KEEP_NOTES: TimeDelta = TimeDelta::days(90);
/// So many are thrown away at once, so that nobody waits for long.
const PRUNED_AT_ONCE: i64 = 500;

/// A place in a list of messages, the youngest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When the message before it was decided.
    pub at: DateTime<Utc>,
    /// Its id.
    pub id: Box<str>,
}

impl Cursor {
    /// Behind this message.
    pub fn behind(message: &Message) -> Self {
        Self { at: message.at, id: message.id.clone() }
    }
}

/// Messages of a channel that are not done with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Queued, or being sent.
    pub queued: usize,
    /// Given up.
    pub dead: usize,
}

/// By channel.
pub type Counts = BTreeMap<Box<str>, Waiting>;

impl Store {
    /// Messages in these states, the youngest first, at most `limit`, behind `before`.
    ///
    /// One that cannot be read is shown with its id, channel, time and state, and tells nothing.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn messages(
        &self,
        states: &[State],
        limit: usize,
        before: Option<&Cursor>,
    ) -> Result<Vec<Row>, StoreError> {
        let (at, id) =
            before.map_or((i64::MAX, String::new()), |cursor| (stamp(cursor.at), id_key(&cursor.id)));
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        self.within_limit(async {
            let mut rows = Vec::new();
            for state in states {
                let page = sqlx::query(statements::HISTORY).bind(state.as_str()).bind(at).bind(id.clone());
                for row in page.bind(most).fetch_all(&self.pool).await? {
                    let odd = |id, channel, at, _: &str| Ok(unreadable(id, channel, at));
                    let row = match outbox::read(&row)? {
                        Ok(row) => Some(row),
                        Err(_) => outbox::read_with(&row, odd)?.ok(),
                    };
                    rows.extend(row);
                }
            }
            rows.sort_by(|a, b| {
                let key = |row: &Row| (stamp(row.message.at), row.message.id.clone());
                key(b).cmp(&key(a))
            });
            rows.truncate(limit);
            Ok(rows)
        })
        .await
    }

    /// Queues a message that was given up, due at `now`, with its attempts counted anew. `false`: there is none with
    /// this id that was given up.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn retry(&self, id: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.within_limit(async {
            let done = sqlx::query(statements::RETRY).bind(id_key(id)).bind(stamp(now));
            Ok(done.execute(&self.pool).await?.rows_affected() == 1)
        })
        .await
    }

    /// A message that was given up is not worth sending any more. `false`: there is none with this id that was given up.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn discard(&self, id: &str) -> Result<bool, StoreError> {
        self.within_limit(async {
            let done = sqlx::query(statements::DISCARD).bind(id_key(id)).execute(&self.pool).await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// Gives up everything that is queued for a channel and was written down before `before`. Tells how many there were.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn give_up(
        &self,
        channel: &str,
        before: DateTime<Utc>,
        error: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        self.within_limit(async {
            let old = sqlx::query(statements::GIVE_UP_OLD).bind(id_key(channel)).bind(stamp(before));
            let given_up = old.bind(stamp(now)).bind(json::write_text(error)).execute(&self.pool).await?;
            Ok(usize::try_from(given_up.rows_affected()).unwrap_or(usize::MAX))
        })
        .await
    }

    /// The channel of a message; `None`: there is no such message.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn channel_of(&self, id: &str) -> Result<Option<Box<str>>, StoreError> {
        self.within_limit(async {
            let row = sqlx::query(statements::CHANNEL_OF).bind(id_key(id)).fetch_optional(&self.pool).await?;
            let Some(row) = row else { return Ok(None) };
            let channel = id_of(Fields::of(&row).text()?).map_err(|odd| Error::Decode(odd.into()))?;
            Ok(Some((*channel).into()))
        })
        .await
    }

    /// How many messages wait, and how many were given up, by channel. Channels without either are left out.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        self.within_limit(async {
            let mut counts = Counts::new();
            for (channel, count) in self.count(statements::COUNT_WAITING).await? {
                counts.entry(channel).or_default().queued = count;
            }
            for (channel, count) in self.count(statements::COUNT_DEAD).await? {
                counts.entry(channel).or_default().dead = count;
            }
            Ok(counts)
        })
        .await
    }

    async fn count(&self, statement: &'static str) -> Result<Vec<(Box<str>, usize)>, Error> {
        let mut counts = Vec::new();
        for row in sqlx::query(statement).fetch_all(&self.pool).await? {
            let mut fields = Fields::of(&row);
            let (key, count) = (fields.text()?, fields.number()?);
            let channel = id_of(key).map_or_else(|_| key.into(), |channel| (*channel).into());
            counts.push((channel, usize::try_from(count).unwrap_or(0)));
        }
        Ok(counts)
    }

    /// Throws away what is too old to be of interest: what arrived or was overtaken 30 days ago, what was given up 90 days
    /// ago, silences that ended 30 days ago, and notes that were not written for 90 days. A little at a time: others get
    /// their turn in between. Tells how many messages went.
    ///
    /// # Errors
    /// The database cannot be written. Some of it may be gone.
    pub async fn prune(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut gone = 0;
        for (state, keep) in
            [(State::Delivered, KEEP_SETTLED), (State::Superseded, KEEP_SETTLED), (State::Dead, KEEP_DEAD)]
        {
            loop {
                let erased = self.prune_some(state, now - keep).await?;
                gone += erased;
                if erased == 0 {
                    break;
                }
            }
        }
        self.within_limit(async {
            for (statement, keep) in
                [(statements::PRUNE_SILENCES, KEEP_SILENCES), (statements::PRUNE_NOTES, KEEP_NOTES)]
            {
                sqlx::query(statement).bind(stamp(now - keep)).execute(&self.pool).await?;
            }
            Ok(gone)
        })
        .await
    }

    async fn prune_some(&self, state: State, before: DateTime<Utc>) -> Result<usize, StoreError> {
        self.within_limit(async {
            let some = sqlx::query(statements::PRUNE_OUTBOX).bind(state.as_str()).bind(stamp(before));
            let erased = some.bind(PRUNED_AT_ONCE).execute(&self.pool).await?.rows_affected();
            Ok(usize::try_from(erased).unwrap_or(usize::MAX))
        })
        .await
    }
}

/// In the place of a message that this program did not write.
fn unreadable(id: Box<str>, channel: Box<str>, at: DateTime<Utc>) -> Message {
    Message {
        id,
        channel,
        kind: Kind::News,
        route: "".into(),
        at,
        items: Vec::new(),
        left_out: 0,
        overview: None,
    }
}
