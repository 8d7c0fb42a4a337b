//! What people do not want to hear for a while.

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, Error};

use super::rows::Fields;
use super::words::{OddRows, id_key, stamp};
use super::{Store, StoreError, json, statements};
use crate::domain::alert::silence::SilenceRow;

impl Store {
    /// Keeps a silence; one with the same id is written over.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn add_silence(&self, silence: &SilenceRow) -> Result<(), StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            write(&mut work, silence).await?;
            work.commit().await
        })
        .await
    }

    /// Ends a silence at `now`. `false`: there is none with this id that had not ended.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn end_silence(&self, id: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            let found = sqlx::query(statements::READ_SILENCE).bind(id_key(id)).bind(stamp(now));
            let Some(row) = found.fetch_optional(&mut *work).await? else { return Ok(false) };
            let mut fields = Fields::of(&row);
            let (key, text) = (fields.text()?, fields.text()?);
            match serde_json::from_str::<SilenceRow>(text) {
                Ok(silence) => write(&mut work, &SilenceRow { ends_at: now, ..silence }).await?,
                Err(_) => erase(&mut work, key).await?,
            }
            work.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Every silence that is kept, those that ended lately among them; by id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn silences(&self) -> Result<Vec<SilenceRow>, StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            let silences = read_all(&mut work, &mut OddRows::default()).await?;
            work.commit().await?;
            Ok(silences)
        })
        .await
    }
}

/// Reads all and erases those that this program did not write.
pub(super) async fn read_all(
    connection: &mut AnyConnection,
    odd: &mut OddRows,
) -> Result<Vec<SilenceRow>, Error> {
    let mut silences = Vec::new();
    for row in sqlx::query(statements::READ_SILENCES).fetch_all(&mut *connection).await? {
        let mut fields = Fields::of(&row);
        let (key, text) = (fields.text()?, fields.text()?);
        match serde_json::from_str(text) {
            Ok(silence) => silences.push(silence),
            Err(problem) => {
                odd.note(|| format!("silence {key}: {problem}"));
                erase(connection, key).await?;
            }
        }
    }
    Ok(silences)
}

async fn write(connection: &mut AnyConnection, silence: &SilenceRow) -> Result<(), Error> {
    let row = sqlx::query(statements::WRITE_SILENCE.as_str()).bind(id_key(&silence.id));
    row.bind(stamp(silence.ends_at)).bind(json::to_text(silence)).execute(&mut *connection).await.map(drop)
}

async fn erase(connection: &mut AnyConnection, key: &str) -> Result<(), Error> {
    sqlx::query(statements::ERASE_SILENCE).bind(key.to_owned()).execute(&mut *connection).await.map(drop)
}
