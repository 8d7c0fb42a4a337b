//! Renewals: what is known of each attempt, written down before anything is called, and a ledger that only grows.
//!
//! What is in here decides whether a cloud is called, so it errs to one side: whoever was overtaken, and whoever cannot
//! read everything, calls nobody. Commits take turns (`renewal_turn`), also those of several daemons over one database, so
//! that what one of them looks at before it writes is still so when it has written.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error};

use super::outbox::bind_letter;
use super::rows::{Fields, Read};
use super::words::{Odd, OddRows, exact, id_key, id_of, precise, scope_key, stamp};
use super::{Store, StoreError, Trouble, in_batches, json, statements};
use crate::domain::alert::renewals::Letter;
use crate::domain::renewal::attempt::{Attempt, AttemptKey, ResourceKey, State};
use crate::domain::renewal::ledger::{Change, Entry};
use crate::domain::resource::SAME_END;

/// An attempt is read for so long after everything that it concerns, and longer while it may still matter.
const RECENT: TimeDelta = TimeDelta::days(400);

/// What became of a commit.
#[must_use = "whoever was overtaken must not call anybody"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// All of it is written, and on the disk.
    Done,
    /// Somebody else was faster, or is at the same resource or message: nothing is written. Read and plan anew.
    Overtaken,
}

impl Store {
    /// Every attempt that a plan made now has to know, the latest first: those that are open; those whose ends, windows
    /// and changes are younger than 400 days; those since the last success of all, that one included; and each that no
    /// success on the same resource came after, however old: a certificate that stayed expired is not tried again because
    /// time went by, or because the clock went wrong.
    ///
    /// # Errors
    /// The database cannot be read; or a row among them cannot be, be it damaged or of a newer version
    /// ([`Trouble::Unreadable`]): who does not know all that was sent must not send anything.
    pub async fn attempts(&self, now: DateTime<Utc>) -> Result<Vec<Attempt>, StoreError> {
        let since = now.checked_sub_signed(RECENT).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let (mut attempts, mut odd) = (Vec::new(), OddRows::default());
        self.within_limit(async {
            let rows = sqlx::query(statements::READ_RENEWALS).bind(stamp(since));
            for row in rows.fetch_all(&self.pool).await? {
                match read_attempt(&row)? {
                    Ok(attempt) => attempts.push(attempt),
                    Err(problem) => {
                        let id = Fields::of(&row).text()?;
                        odd.note(|| format!("{id}: {problem}"));
                    }
                }
            }
            Ok(())
        })
        .await?;
        match odd.found {
            None => Ok(attempts),
            Some((count, first)) => {
                Err(StoreError { place: self.place.clone(), trouble: Trouble::Unreadable { count, first } })
            }
        }
    }

    /// A number that grows with every commit of renewals, of this daemon and of others. To be read before the attempts, and
    /// given to [`Self::commit_renewals`] with what depends on all of them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn renewal_turn(&self) -> Result<i64, StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            let turn = turn(&mut work).await?;
            work.commit().await?;
            Ok(turn)
        })
        .await
    }

    /// Writes changes of attempts, what the ledger remembers of them, and the messages that tell of them; all of it, or
    /// nothing. A letter that may not go out yet waits in the outbox, eight days at most.
    ///
    /// With `seen`, only as long as nothing was committed since [`Self::renewal_turn`] gave that number.
    ///
    /// Overtaken is a change whose attempt is not as it was read; and one that begins where another attempt on the same
    /// resource is under way, or has the same number for the same end (one within a day).
    ///
    /// # Errors
    /// The database cannot be written. Nobody knows whether it was: nothing may be called, and attempts are to be read
    /// anew. Repeating it is harmless: what is written already overtakes it.
    pub async fn commit_renewals(
        &self,
        changes: &[Change],
        letters: &[Letter],
        now: DateTime<Utc>,
        seen: Option<i64>,
    ) -> Result<Committed, StoreError> {
        self.within_limit(async {
            let rows = changes.iter().map(Row::of).collect::<Result<Vec<_>, _>>()?;
            let mut work = self.begin().await?;
            take_turn(&mut work).await?;
            // whoever decided by what others do is overtaken by anything that they did since
            if let Some(seen) = seen
                && turn(&mut work).await? != seen.saturating_add(1)
            {
                work.rollback().await?;
                return Ok(Committed::Overtaken);
            }
            for row in &rows {
                if !row.write(&mut work).await? {
                    work.rollback().await?;
                    return Ok(Committed::Overtaken);
                }
            }
            let bind = |statement, letter: &Letter| bind_letter(statement, letter, now);
            in_batches(&mut work, &statements::QUEUE, letters, bind).await?;
            work.commit().await?;
            Ok(Committed::Done)
        })
        .await
    }

    /// What is written down of all attempts, or of one, the latest first, at most `limit`; behind the entry of this moment
    /// and attempt. An entry that cannot be read is shown with both, and says so.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn entries(
        &self,
        attempt: Option<&str>,
        limit: usize,
        before: Option<(DateTime<Utc>, &str)>,
    ) -> Result<Vec<Entry>, StoreError> {
        let (at, id) = before.map_or((i64::MAX, String::new()), |(at, id)| (nearest(at), id_key(id)));
        let statement = match attempt {
            None => sqlx::query(statements::LEDGER),
            Some(attempt) => sqlx::query(statements::LEDGER_OF).bind(id_key(attempt)),
        };
        let page = statement.bind(at).bind(id).bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.within_limit(async {
            let rows = page.fetch_all(&self.pool).await?;
            rows.iter().map(read_entry).collect()
        })
        .await
    }
}

/// A change, as bound.
struct Row<'c> {
    change: &'c Change,
    id: String,
    resource: String,
    not_after: i64,
    changed_at: i64,
    instead_of: Option<i64>,
    happened_at: i64,
}

impl<'c> Row<'c> {
    fn of(change: &'c Change) -> Result<Self, Error> {
        let Attempt { id, key, changed_at, .. } = &change.attempt;
        let changed_at_exact = exactly(*changed_at)?;
        let instead_of = change.instead_of.map(exactly).transpose()?;
        // Otherwise a second one that read the same attempt would fit as well.
        if instead_of.is_some_and(|before| before >= changed_at_exact) {
            return Err(Error::Encode(format!("attempt {id} is not changed later than before").into()));
        }
        Ok(Self {
            change,
            id: id_key(id),
            resource: resource_key(&key.resource),
            not_after: stamp(key.not_after),
            changed_at: changed_at_exact,
            instead_of,
            happened_at: change.entry.as_ref().map_or(Ok(0), |entry| exactly(entry.at))?,
        })
    }

    /// `false`: somebody else was faster.
    async fn write(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        if self.change.attempt.state.is_open() && self.is_elsewhere(connection).await? {
            return Ok(false);
        }
        let fits = match self.instead_of {
            None => !self.is_same_end(connection).await? && self.insert(connection).await?,
            Some(before) => self.update(connection, before).await?,
        };
        Ok(fits && self.remember(connection).await?)
    }

    /// Another attempt on the same resource is under way.
    async fn is_elsewhere(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        let other = sqlx::query(statements::OTHER_OPEN).bind(self.resource.clone()).bind(self.id.clone());
        Ok(other.fetch_optional(connection).await?.is_some())
    }

    /// One with the same number is for this end, as another source tells it.
    async fn is_same_end(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        let day = SAME_END.num_milliseconds();
        let other = sqlx::query(statements::SAME_RENEWAL).bind(self.resource.clone()).bind(self.number());
        let other = other.bind(self.not_after.saturating_sub(day)).bind(self.not_after.saturating_add(day));
        Ok(other.fetch_optional(connection).await?.is_some())
    }

    async fn insert(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        let Attempt { state, .. } = &self.change.attempt;
        let new = sqlx::query(statements::NEW_RENEWAL).bind(self.id.clone()).bind(self.resource.clone());
        let new = new.bind(self.not_after).bind(self.number()).bind(state.as_str()).bind(self.changed_at);
        let new = new.bind(stamp(concerns_until(&self.change.attempt)));
        let new = new.bind(json::to_text(&self.change.attempt));
        Ok(new.execute(connection).await?.rows_affected() == 1)
    }

    async fn update(&self, connection: &mut AnyConnection, before: i64) -> Result<bool, Error> {
        let Attempt { state, .. } = &self.change.attempt;
        let row = sqlx::query(statements::CHANGE_RENEWAL).bind(self.id.clone()).bind(self.resource.clone());
        let row = row.bind(self.not_after).bind(self.number()).bind(before);
        let row = row.bind(state.as_str()).bind(self.changed_at);
        let row = row.bind(stamp(concerns_until(&self.change.attempt)));
        let row = row.bind(json::to_text(&self.change.attempt));
        Ok(row.execute(connection).await?.rows_affected() == 1)
    }

    async fn remember(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        let Some(entry) = &self.change.entry else { return Ok(true) };
        let row = sqlx::query(statements::NEW_ENTRY).bind(self.happened_at).bind(id_key(&entry.attempt));
        Ok(row.bind(json::to_text(entry)).execute(connection).await?.rows_affected() == 1)
    }

    fn number(&self) -> i64 {
        i64::from(self.change.attempt.number)
    }
}

async fn turn(connection: &mut AnyConnection) -> Result<i64, Error> {
    let row = sqlx::query(statements::READ_TURN).fetch_one(connection).await?;
    Fields::of(&row).number()
}

/// Waits until nobody else commits.
async fn take_turn(connection: &mut AnyConnection) -> Result<(), Error> {
    match sqlx::query(statements::TAKE_TURN).execute(connection).await?.rows_affected() {
        1 => Ok(()),
        found => Err(Error::Decode(format!("renewal_turn has {found} rows, not 1").into())),
    }
}

/// The last moment that it says something about.
fn concerns_until(attempt: &Attempt) -> DateTime<Utc> {
    let reached = match attempt.state {
        State::Confirmed { new_not_after } => Some(new_not_after),
        _ => None,
    };
    let planned = attempt.planned.map(|window| window.end);
    let ends = [Some(attempt.key.not_after), reached, planned].into_iter().flatten();
    ends.fold(attempt.changed_at, DateTime::max)
}

fn resource_key(resource: &ResourceKey) -> String {
    format!("{}/{}", scope_key(&resource.scope()), id_key(&resource.resource_id))
}

fn exactly(at: DateTime<Utc>) -> Result<i64, Error> {
    exact(at).ok_or_else(|| Error::Encode(format!("no time of a renewal: {at}").into()))
}

/// For looking around it: the end of what can be stored stands for everything behind it.
fn nearest(at: DateTime<Utc>) -> i64 {
    exact(at).unwrap_or(if at < DateTime::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

/// A row of `renewal`. What it says has to be what its columns say, by which rows are compared, and all of what it says
/// has to be known: it would be lost with the next change, and may be what forbids that.
fn read_attempt(row: &AnyRow) -> Read<Attempt> {
    let mut fields = Fields::of(row);
    let (id, resource) = (fields.text()?, fields.text()?);
    let (not_after, number) = (fields.number()?, fields.number()?);
    let (state, changed_at, text) = (fields.text()?, fields.number()?, fields.text()?);
    let read = || {
        let attempt: Attempt = serde_json::from_str(text)?;
        let AttemptKey { resource: named, not_after: end } = &attempt.key;
        let same = id_key(&attempt.id) == id
            && resource_key(named) == resource
            && (stamp(*end), i64::from(attempt.number)) == (not_after, number)
            && attempt.state.as_str() == state
            && exact(attempt.changed_at) == Some(changed_at);
        if !same {
            return Err(Odd::Columns);
        }
        let unknown = unknown_in(&serde_json::from_str(text)?, &serde_json::to_value(&attempt)?);
        unknown.map_or(Ok(attempt), |name| Err(Odd::Unknown(name)))
    };
    Ok(read())
}

/// A field of `stored` that `known` does not have, or has otherwise.
fn unknown_in(stored: &Value, known: &Value) -> Option<Box<str>> {
    let (Value::Object(stored), Value::Object(known)) = (stored, known) else {
        return (stored != known).then(|| Box::from(""));
    };
    let names: BTreeSet<&String> = stored.keys().collect();
    names.into_iter().find_map(|name| match known.get(name) {
        None => Some(name.as_str().into()),
        Some(known) => unknown_in(&stored[name], known).map(|inner| {
            let dot = if inner.is_empty() { "" } else { "." };
            format!("{name}{dot}{inner}").into()
        }),
    })
}

/// A row of `renewal_ledger`.
fn read_entry(row: &AnyRow) -> Result<Entry, Error> {
    let mut fields = Fields::of(row);
    let (happened_at, attempt, text) = (fields.number()?, fields.text()?, fields.text()?);
    let at = precise(happened_at);
    let attempt = id_of(attempt).map_or_else(|_| attempt.into(), |id| (*id).into());
    let odd = match serde_json::from_str::<Entry>(text) {
        Ok(entry) if entry.at == at && entry.attempt == attempt => return Ok(entry),
        Ok(_) => Odd::Columns,
        Err(problem) => problem.into(),
    };
    let text = format!("not an entry of this program: {odd}").into();
    let none = Box::<str>::default;
    Ok(Entry { at, attempt, state: none(), who: none(), rule: none(), request_id: none(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_and_not_known_is_found_and_what_is_new_is_not() {
        for (name, stored, known, want) in [
            ("the same", r#"{"a":1,"b":{"c":2}}"#, r#"{"a":1,"b":{"c":2}}"#, None),
            ("a newer field of ours", r#"{"a":1}"#, r#"{"a":1,"b":false}"#, None),
            ("one that is not known", r#"{"a":1,"z":1}"#, r#"{"a":1}"#, Some("z")),
            ("deep inside", r#"{"b":{"c":2,"d":3}}"#, r#"{"b":{"c":2}}"#, Some("b.d")),
            ("another value", r#"{"b":{"c":2}}"#, r#"{"b":{"c":3}}"#, Some("b.c")),
        ] {
            let value = |text: &str| serde_json::from_str(text).expect("JSON");
            assert_eq!(unknown_in(&value(stored), &value(known)).as_deref(), want, "{name}");
        }
    }
}
