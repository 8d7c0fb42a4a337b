//! Messages on their way: taken by a courier, settled, postponed, collapsed.
//!
//! What became of a message is for the courier to say; in here it is only made sure that nobody takes a message that
//! another one has taken, and that what has settled stays so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error};

use super::rows::{Fields, Read, Statement};
use super::words::{Odd, id_key, id_of, moment, number, stamp};
use super::{Store, StoreError, json, kept, statements};
use crate::domain::alert::decide::Unheard;
use crate::domain::alert::delivery::PUT_OFF_AT_MOST;
use crate::domain::alert::message::{Item, Message, News, Severity};
use crate::domain::alert::outbox::{Row, Settled, State};
use crate::domain::alert::renewals::Letter;

/// No message is held back for longer, from the moment on in which it was written. One that is was written with a clock
/// that went wrong.
const HELD_AT_MOST: TimeDelta = TimeDelta::days(8);

impl Store {
    /// For the start of a daemon, once, before anything is claimed: what was being sent when it ended is queued again,
    /// due at once and noted as unanswered. Tells how many there were.
    ///
    /// Assumes that no other daemon sends at the moment.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn return_sending(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        self.within_limit(async {
            let returned =
                sqlx::query(statements::RETURN_SENDING).bind(stamp(now)).execute(&self.pool).await?;
            Ok(usize::try_from(returned.rows_affected()).unwrap_or(usize::MAX))
        })
        .await
    }

    /// Takes the next message of a channel that is due: critical ones first, then the oldest. One that is put off for
    /// longer than [any wait](PUT_OFF_AT_MOST), or held back for longer than eight days, is due too: the clock was wrong for a while. It is `sending` from then
    /// on, with one more attempt, and nobody else gets it. One that cannot be read is given up.
    ///
    /// # Errors
    /// The database cannot be read or written. A message that was taken all the same is `sending` until it is settled or
    /// [returned](Self::return_sending).
    pub async fn claim(&self, channel: &str, now: DateTime<Utc>) -> Result<Option<Row>, StoreError> {
        let later = |wait| now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let (put_off, held) = (later(PUT_OFF_AT_MOST), later(HELD_AT_MOST));
        self.within_limit(async {
            loop {
                let next = sqlx::query(statements::NEXT_MESSAGE).bind(id_key(channel)).bind(stamp(now));
                let next = next.bind(stamp(put_off)).bind(stamp(held));
                let Some(next) = next.fetch_optional(&self.pool).await? else { return Ok(None) };
                let key = Fields::of(&next).text()?.to_owned();
                match read(&next)? {
                    Ok(row) => {
                        let taken =
                            sqlx::query(statements::TAKE_MESSAGE).bind(key).execute(&self.pool).await?;
                        if taken.rows_affected() == 1 {
                            return Ok(Some(Row {
                                state: State::Sending,
                                attempts: row.attempts + 1,
                                ..row
                            }));
                        }
                    }
                    Err(odd) => {
                        let given_up = sqlx::query(statements::GIVE_UP).bind(key).bind(stamp(now));
                        let why = format!("not a message of this program: {odd}");
                        given_up.bind(json::write_text(&why)).bind(0_i64).execute(&self.pool).await?;
                    }
                }
            }
        })
        .await
    }

    /// Remembers how many parts of a message the other side has already. One that begins again, divided otherwise, may have
    /// arrived in part.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn progress(&self, id: &str, parts_done: u32) -> Result<(), StoreError> {
        self.within_limit(async {
            let noted = sqlx::query(statements::NOTE_PROGRESS).bind(id_key(id)).bind(i64::from(parts_done));
            noted.execute(&self.pool).await.map(drop)
        })
        .await
    }

    /// Writes what became of an attempt, and what the other side left behind, in one transaction. It may be repeated. A
    /// message that has settled stays as it is, unless it turns out to have arrived.
    ///
    /// # Errors
    /// The database cannot be written. Nobody knows whether it was.
    pub async fn settle(&self, id: &str, settled: &Settled, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            settle(&mut work, id_key(id), settled, now).await?;
            work.commit().await
        })
        .await
    }

    /// When the earliest queued message of a channel is due; `None`: none is queued.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn next_due(&self, channel: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.within_limit(async {
            let next = sqlx::query(statements::NEXT_DUE).bind(id_key(channel));
            let Some(row) = next.fetch_optional(&self.pool).await? else { return Ok(None) };
            let at = Fields::of(&row).number()?;
            moment(at).map(Some).map_err(|odd| Error::Decode(odd.into()))
        })
        .await
    }

    /// What is remembered as told, and did not arrive: wherever the first word about an end is in a message that is queued
    /// or was given up, and no word about that end came to the channel since, as far as anybody knows. What is being sent,
    /// what was not answered and what was sent in part may have come. With the messages that would tell of it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn undelivered(&self) -> Result<BTreeMap<Unheard, BTreeSet<Box<str>>>, StoreError> {
        let rows = self.readable(sqlx::query(statements::UNDELIVERED)).await?;
        let mut unheard: BTreeMap<Unheard, BTreeSet<Box<str>>> = BTreeMap::new();
        let mut since: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
        for row in &rows {
            let before = unheard.len();
            unheard.extend(ends(row, News::is_first_word).map(|end| (end, BTreeSet::new())));
            if unheard.len() > before {
                let at = row.message.at;
                since.entry(&row.message.channel).and_modify(|first| *first = at.min(*first)).or_insert(at);
            }
        }
        for (channel, since) in since {
            let heard = sqlx::query(statements::HEARD).bind(id_key(channel)).bind(stamp(since));
            for row in self.readable(heard).await? {
                for end in ends(&row, is_of_this_end) {
                    unheard.remove(&end);
                }
            }
        }
        for row in &rows {
            for end in ends(row, is_of_this_end) {
                if let Some(messages) = unheard.get_mut(&end) {
                    messages.insert(row.message.id.clone());
                }
            }
        }
        Ok(unheard)
    }

    /// Everything that is queued for a channel, due or not, in the order in which it would be sent; without what is held
    /// back at the moment, which nobody waits for.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn queued(&self, channel: &str, now: DateTime<Utc>) -> Result<Vec<Row>, StoreError> {
        self.readable(sqlx::query(statements::QUEUED).bind(id_key(channel)).bind(stamp(now))).await
    }

    /// One message in the place of several: `into` is queued, due at `now`, and those that it stands for are
    /// superseded, unless somebody took one of them meanwhile. It may be repeated.
    ///
    /// # Errors
    /// The database cannot be written. Nobody knows whether it was.
    pub async fn collapse(
        &self,
        channel: &str,
        into: &Message,
        superseded: &[Box<str>],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            for id in superseded {
                let overtaken =
                    sqlx::query(statements::SUPERSEDE_QUEUED).bind(id_key(id)).bind(id_key(channel));
                overtaken.bind(stamp(now)).execute(&mut *work).await?;
            }
            bind_new(sqlx::query(statements::QUEUE.for_one()), into, now).execute(&mut *work).await?;
            work.commit().await
        })
        .await
    }

    /// Everything that is queued for a channel is due at `until`, be it later or earlier than before; what is held back
    /// until after that, then. `error` says why;
    /// `None` leaves what was said before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn postpone(
        &self,
        channel: &str,
        until: DateTime<Utc>,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        self.within_limit(async {
            let postponed = sqlx::query(statements::POSTPONE).bind(id_key(channel)).bind(stamp(until));
            postponed.bind(error.map(json::write_text)).execute(&self.pool).await.map(drop)
        })
        .await
    }

    /// Rows that can be read; the others are given up when their turn comes.
    async fn readable(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.within_limit(async {
            let mut rows = Vec::new();
            for row in statement.fetch_all(&self.pool).await? {
                rows.extend(read(&row)?.ok());
            }
            Ok(rows)
        })
        .await
    }
}

/// Whoever gets it knows of the end.
fn is_of_this_end(news: &News) -> bool {
    !matches!(news, News::Gone { .. })
}

/// The ends of certificates of which a message has such news.
fn ends(row: &Row, such: impl Fn(&News) -> bool) -> impl Iterator<Item = Unheard> {
    row.message.items.iter().filter_map(move |item| match item {
        Item::Certificate(item) if such(&item.news) => {
            Some((row.message.channel.clone(), item.facts.fingerprint, item.facts.not_after))
        }
        _ => None,
    })
}

async fn settle(
    connection: &mut AnyConnection,
    key: String,
    settled: &Settled,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let statement = match settled {
        Settled::Delivered { notes } => {
            kept::write_notes(connection, &key, notes, now).await?;
            sqlx::query(statements::DELIVERED).bind(key).bind(stamp(now))
        }
        Settled::Again { next_at, error, unanswered } => {
            let again = sqlx::query(statements::AGAIN).bind(key).bind(stamp(*next_at));
            again.bind(json::write_text(error)).bind(i64::from(*unanswered))
        }
        Settled::Dead { error, unanswered } => {
            let dead = sqlx::query(statements::GIVE_UP).bind(key).bind(stamp(now));
            dead.bind(json::write_text(error)).bind(i64::from(*unanswered))
        }
        Settled::Superseded => sqlx::query(statements::SUPERSEDE).bind(key).bind(stamp(now)),
    };
    statement.execute(&mut *connection).await.map(drop)
}

/// Binds a message that nobody has taken yet.
pub(super) fn bind_new(statement: Statement, message: &Message, now: DateTime<Utc>) -> Statement {
    bind_held(statement, message, now, None)
}

/// The same for one that may have to wait.
pub(super) fn bind_letter(statement: Statement, letter: &Letter, now: DateTime<Utc>) -> Statement {
    let latest = now.checked_add_signed(HELD_AT_MOST).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let not_before = letter.not_before.filter(|at| *at > now).map(|at| at.min(latest));
    bind_held(statement, &letter.message, now, not_before)
}

fn bind_held(
    statement: Statement,
    message: &Message,
    now: DateTime<Utc>,
    not_before: Option<DateTime<Utc>>,
) -> Statement {
    statement
        .bind(id_key(&message.id))
        .bind(id_key(&message.channel))
        .bind(State::Queued.as_str())
        .bind(i64::from(message.severity() < Severity::Critical))
        .bind(0_i64)
        .bind(0_i64)
        .bind(stamp(message.at))
        .bind(stamp(not_before.unwrap_or(now)))
        .bind(json::to_text(message))
        .bind(not_before.map(stamp))
}

/// A row of `outbox`.
pub(super) fn read(row: &AnyRow) -> Read<Row> {
    read_with(row, |_, _, _, text| Ok(serde_json::from_str(text)?))
}

/// A row of `outbox` whose message `message` makes, from id, channel, time and text.
pub(super) fn read_with(
    row: &AnyRow,
    message: impl FnOnce(Box<str>, Box<str>, DateTime<Utc>, &str) -> Result<Message, Odd>,
) -> Read<Row> {
    let mut fields = Fields::of(row);
    let (id, channel, state) = (fields.text()?, fields.text()?, fields.text()?);
    let (attempts, parts_done) = (fields.number()?, fields.number()?);
    let (created_at, next_at) = (fields.number()?, fields.number()?);
    let (settled_at, last_error) = (fields.optional_number()?, fields.optional_text()?);
    let (unanswered, text) = (fields.number()?, fields.text()?);
    let read = || {
        Ok(Row {
            message: message((*id_of(id)?).into(), (*id_of(channel)?).into(), moment(created_at)?, text)?,
            state: State::ALL
                .into_iter()
                .find(|known| known.as_str() == state)
                .ok_or_else(|| Odd::Word(state.into()))?,
            attempts: number(attempts)?,
            parts_done: number(parts_done)?,
            next_at: moment(next_at)?,
            last_error: last_error.map(json::read_text).transpose()?,
            unanswered: unanswered != 0,
            settled_at: settled_at.map(moment).transpose()?,
        })
    };
    Ok(read())
}
