//! What was told to whom, and the messages that tell it: read at the start, written together.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{AnyConnection, Error};

use super::outbox::bind_new;
use super::rows::{Fields, Statement};
use super::words::{self, OddRows, id_key};
use super::{Committed, PAGE, Store, StoreError, in_batches, silences, statements};
use crate::domain::alert::memory::{self, Memory};
use crate::domain::alert::message::{Fingerprint, Message};
use crate::domain::alert::silence::SilenceRow;

/// What a store remembers of alerts.
#[derive(Debug, Default)]
pub struct Alerts {
    /// What was told to whom. Empty on the first start.
    pub memory: Memory,
    /// Every silence that is kept, those that ended lately among them; by id.
    pub silences: Vec<SilenceRow>,
    /// Rows that this program did not write, and what was odd about the first of them. They are left out and erased.
    pub odd: Option<(usize, String)>,
}

/// What is believed, of what is remembered of one certificate.
#[derive(Deserialize)]
struct Epoch {
    epoch: DateTime<Utc>,
}

impl Store {
    /// Reads what was told to whom, and the silences.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn load_alerts(&self) -> Result<Alerts, StoreError> {
        self.within_limit(async {
            let (mut work, mut odd) = (self.begin().await?, OddRows::default());
            let memory = read_memory(&mut work, &mut odd).await?;
            let silences = silences::read_all(&mut work, &mut odd).await?;
            work.commit().await?;
            Ok(Alerts { memory, silences, odd: odd.found })
        })
        .await
    }

    /// The ends of these certificates that are believed; one that nobody was told of has none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn believed(
        &self,
        certificates: &BTreeSet<Fingerprint>,
    ) -> Result<BTreeMap<Fingerprint, DateTime<Utc>>, StoreError> {
        self.within_limit(async {
            let mut believed = BTreeMap::new();
            for fingerprint in certificates {
                let past = sqlx::query(statements::READ_PAST).bind(id_key(&fingerprint.to_string()));
                let Some(row) = past.fetch_optional(&self.pool).await? else { continue };
                let past = serde_json::from_str(Fields::of(&row).text()?);
                believed.extend(past.ok().map(|Epoch { epoch }| (*fingerprint, epoch)));
            }
            Ok(believed)
        })
        .await
    }

    /// Writes changes of the memory and queues messages from `now` on, all of it or nothing.
    ///
    /// A message whose id is there already is left alone, whatever became of it: a commit whose answer was lost may be
    /// repeated.
    ///
    /// # Errors
    /// The database cannot be written. Nobody knows whether it was.
    pub async fn commit_alerts(
        &self,
        memory: &[memory::Row],
        messages: &[Message],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.commit_decision(memory, messages, &BTreeSet::new(), now).await.map(drop)
    }

    /// The same for what was decided by it that these messages ([`Self::undelivered`]) did not arrive. If one of them is
    /// not as it was, on its way for example, nothing is written: whoever hears a warning now has to hear of its end.
    ///
    /// # Errors
    /// The database cannot be written. Nobody knows whether it was.
    pub async fn commit_decision(
        &self,
        memory: &[memory::Row],
        messages: &[Message],
        unsent: &BTreeSet<Box<str>>,
        now: DateTime<Utc>,
    ) -> Result<Committed, StoreError> {
        let mut written = Vec::new();
        let mut erased = Vec::new();
        for memory::Row { kind, key, value } in memory {
            match value {
                Some(value) => written.push((*kind, &**key, &**value)),
                None => erased.push((*kind, id_key(key))),
            }
        }
        self.within_limit(async {
            let mut work = self.begin().await?;
            if !hold_unsent(&mut work, unsent).await? {
                work.rollback().await?;
                return Ok(Committed::Overtaken);
            }
            in_batches(&mut work, &statements::ERASE_MEMORY, &erased, bind_key).await?;
            in_batches(&mut work, &statements::WRITE_MEMORY, &written, bind_memory).await?;
            let bind = |statement, message: &Message| bind_new(statement, message, now);
            in_batches(&mut work, &statements::QUEUE, messages, bind).await?;
            work.commit().await?;
            Ok(Committed::Done)
        })
        .await
    }
}

/// Nobody sends these until the end of the transaction. `false`: somebody did something with one of them already.
async fn hold_unsent(connection: &mut AnyConnection, unsent: &BTreeSet<Box<str>>) -> Result<bool, Error> {
    for id in unsent {
        let held = sqlx::query(statements::HOLD_UNSENT).bind(id_key(id)).execute(&mut *connection).await?;
        if held.rows_affected() != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn bind_memory(statement: Statement, (kind, key, value): &(&'static str, &str, &str)) -> Statement {
    statement.bind(*kind).bind(id_key(key)).bind((*value).to_owned())
}

/// A key as stored.
fn bind_key<K: AsRef<str>>(statement: Statement, (kind, key): &(K, String)) -> Statement {
    statement.bind(kind.as_ref().to_owned()).bind(key.clone())
}

async fn read_memory(connection: &mut AnyConnection, odd: &mut OddRows) -> Result<Memory, Error> {
    let (mut memory, mut erased) = (Memory::default(), Vec::new());
    let mut after = (String::new(), String::new());
    loop {
        let page = sqlx::query(statements::READ_MEMORY).bind(after.0).bind(after.1).bind(PAGE);
        let page = page.fetch_all(&mut *connection).await?;
        for row in &page {
            let mut fields = Fields::of(row);
            let (kind, key, value) = (fields.text()?, fields.text()?, fields.text()?);
            if let Err(problem) = take_in(&mut memory, kind, key, value) {
                odd.note(|| problem);
                erased.push((kind.to_owned(), key.to_owned()));
            }
        }
        let Some(last) = page.last() else { break };
        let mut fields = Fields::of(last);
        after = (fields.text()?.to_owned(), fields.text()?.to_owned());
    }
    in_batches(connection, &statements::ERASE_MEMORY, &erased, bind_key).await?;
    Ok(memory)
}

fn take_in(memory: &mut Memory, kind: &str, key: &str, value: &str) -> Result<(), String> {
    let plain = words::id_of(key).map_err(|odd| format!("{kind} {key}: {odd}"))?;
    memory.take_in(kind, &plain, value).map_err(|odd| odd.to_string())
}
