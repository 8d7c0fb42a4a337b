//! Small values by key: what the other side of a channel left behind, and whatever else a loop wants to find again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, Error};

use super::rows::Fields;
use super::words::{Odd, id_key, id_of, stamp};
use super::{Store, StoreError, json, statements};

impl Store {
    /// What deliveries on a channel left behind. Notes that were not written for 90 days are gone.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn notes(&self, channel: &str) -> Result<BTreeMap<String, String>, StoreError> {
        self.within_limit(async {
            let mut notes = BTreeMap::new();
            let rows =
                sqlx::query(statements::READ_NOTES).bind(id_key(channel)).fetch_all(&self.pool).await?;
            for row in rows {
                let mut fields = Fields::of(&row);
                let (key, value) = (fields.text()?, fields.text()?);
                let note = || Ok::<_, Odd>((id_of(key)?.to_string(), json::read_text(value)?.into()));
                let (key, value) = note().map_err(|odd| Error::Decode(odd.into()))?;
                notes.insert(key, value);
            }
            Ok(notes)
        })
        .await
    }

    /// Remembers what a message of a channel leaves behind, before it is settled.
    ///
    /// # Errors
    /// The database cannot be written. Nobody knows whether it was.
    pub async fn remember(
        &self,
        channel: &str,
        notes: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            write_all(&mut work, &id_key(channel), notes, now).await?;
            work.commit().await
        })
        .await
    }

    /// Keeps a value under a key, in the place of the one before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn keep_value(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.within_limit(async {
            let row = sqlx::query(statements::WRITE_KEPT.as_str()).bind(id_key(key));
            row.bind(json::write_text(value)).execute(&self.pool).await.map(drop)
        })
        .await
    }

    /// The value that was last kept under a key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn value(&self, key: &str) -> Result<Option<Box<str>>, StoreError> {
        self.within_limit(async {
            let row = sqlx::query(statements::READ_KEPT).bind(id_key(key)).fetch_optional(&self.pool).await?;
            let Some(row) = row else { return Ok(None) };
            let value = json::read_text(Fields::of(&row).text()?);
            value.map(Some).map_err(|odd| Error::Decode(odd.into()))
        })
        .await
    }
}

/// Writes what the delivery of a message left behind for its channel. `message` is the key of the message.
pub(super) async fn write_notes(
    connection: &mut AnyConnection,
    message: &str,
    notes: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if notes.is_empty() {
        return Ok(());
    }
    let found = sqlx::query(statements::CHANNEL_OF).bind(message.to_owned());
    let Some(row) = found.fetch_optional(&mut *connection).await? else { return Ok(()) };
    write_all(connection, Fields::of(&row).text()?, notes, now).await
}

async fn write_all(
    connection: &mut AnyConnection,
    channel: &str,
    notes: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for (key, value) in notes {
        let note = sqlx::query(statements::WRITE_NOTE.as_str()).bind(channel.to_owned()).bind(id_key(key));
        note.bind(json::write_text(value)).bind(stamp(now)).execute(&mut *connection).await?;
    }
    Ok(())
}
