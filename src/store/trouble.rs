//! Why the store cannot be used: which database, what is wrong with it, and the way out.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use sqlx::Error;

/// What kind of database it is; their error codes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {trouble}; {}", .trouble.way_out(.place))]
pub struct StoreError {
    /// The file, or the address of the server without its password.
    pub place: Box<str>,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What is wrong with a store. Texts come from the database or the system and hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The address cannot be one.
    #[error("this is no address of a store ({0})")]
    Address(String),
    /// The system does not let us have the file.
    #[error("{}: {source}", path.display())]
    System {
        /// What could not be opened.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another daemon holds the lock file.
    #[error("another notafter uses it{}", .process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    InUse {
        /// Its process id, as far as it can be told.
        process: Option<u32>,
    },
    /// Another program holds a lock inside of the database.
    #[error("another program holds a lock on it ({0})")]
    Busy(String),
    /// Not a database, or one that is broken.
    #[error("it is damaged ({0})")]
    Damaged(String),
    /// Written by a later version.
    #[error("it was written by a newer notafter (tables of version {found}; this one knows version {known})")]
    Newer {
        /// The newest migration in it.
        found: i64,
        /// The newest migration we know.
        known: i64,
    },
    /// Its tables are not ours.
    #[error("its tables are not those of this program ({0})")]
    Foreign(String),
    /// The file is there and cannot be opened.
    #[error("it cannot be opened ({0})")]
    Shut(String),
    /// It can be read and not written.
    #[error("it cannot be written ({0})")]
    ReadOnly(String),
    /// No room left.
    #[error("there is no room left ({0})")]
    Full(String),
    /// No connection, or a broken one.
    #[error("it cannot be reached ({0})")]
    Unreachable(String),
    /// No answer in time.
    #[error("it did not answer in time")]
    Silent,
    /// Rows of renewals that this program did not write. What is in them may forbid a renewal.
    #[error("renewals in it cannot be read ({count}; {first})")]
    Unreadable {
        /// How many.
        count: usize,
        /// Which one is the first, and what is odd about it.
        first: String,
    },
    /// Anything else that the database said.
    #[error("{0}")]
    Refused(String),
}

impl Trouble {
    /// A short word for it, for those who count or compare.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::System { .. } => "system",
            Self::InUse { .. } => "in_use",
            Self::Busy(_) => "busy",
            Self::Damaged(_) => "damaged",
            Self::Newer { .. } => "newer",
            Self::Foreign(_) => "foreign",
            Self::Shut(_) => "shut",
            Self::ReadOnly(_) => "read_only",
            Self::Full(_) => "full",
            Self::Unreachable(_) => "unreachable",
            Self::Silent => "silent",
            Self::Unreadable { .. } => "unreadable",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether opening the store anew may help; if not, everything else in it goes on.
    pub(super) fn opening_may_help(&self) -> bool {
        !matches!(self, Self::Unreadable { .. })
    }

    /// What an operator can do. Nothing needs a restart: the store is tried again.
    pub fn way_out(&self, place: &str) -> String {
        match self {
            Self::Address(_) => "correct `store.url`".to_owned(),
            Self::System { source, .. } => system_way_out(source).to_owned(),
            Self::InUse { .. } => "stop that one, or give this one a `store.url` of its own".to_owned(),
            Self::Busy(_) => "close the program that has it open (a database shell, a backup)".to_owned(),
            Self::Damaged(_) => {
                format!(
                    "restore a backup, or move it away (mv {place} {place}.damaged): everything is looked at anew"
                )
            }
            Self::Newer { .. } => {
                format!(
                    "use that version again, or move it away (mv {place} {place}.newer): everything is looked at anew"
                )
            }
            Self::Foreign(_) => "give notafter a database of its own in `store.url`".to_owned(),
            Self::Shut(_) | Self::ReadOnly(_) => {
                "let the user that notafter runs as read and write the file and its folder".to_owned()
            }
            Self::Full(_) => "make room".to_owned(),
            Self::Unreachable(_) | Self::Silent => "start the database, or correct `store.url`".to_owned(),
            Self::Unreadable { .. } => {
                "use the version that wrote them again, or restore a backup; nothing is renewed until then"
                    .to_owned()
            }
            Self::Refused(_) => "see the log of the database".to_owned(),
        }
    }

    /// What an error of the database means.
    pub(super) fn of(kind: Kind, error: &Error) -> Self {
        match error {
            Error::Database(said) => {
                let (code, text) = (said.code().unwrap_or(Cow::Borrowed("")), said.message().to_owned());
                match kind {
                    Kind::Sqlite => of_sqlite(&code, text),
                    Kind::Postgres => of_postgres(&code, text),
                }
            }
            Error::PoolTimedOut => Self::Silent,
            Error::Io(error) => Self::Unreachable(error.to_string()),
            Error::Tls(error) => Self::Unreachable(format!("TLS: {error}")),
            Error::Protocol(text) => Self::Unreachable(text.clone()),
            Error::PoolClosed | Error::WorkerCrashed => {
                Self::Unreachable("the connection is closed".to_owned())
            }
            Error::Configuration(error) => Self::Address(error.to_string()),
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => {
                Self::Damaged(error.to_string())
            }
            other => Self::Refused(other.to_string()),
        }
    }
}

fn system_way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "make the folder, or correct `store.url`",
        io::ErrorKind::PermissionDenied => {
            "let the user that notafter runs as read and write the file and its folder"
        }
        io::ErrorKind::ReadOnlyFilesystem => "name a place in `store.url` that can be written",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room",
        _ => "correct `store.url`",
    }
}

/// The lower eight bits are the kind of failure (<https://sqlite.org/rescode.html>).
fn of_sqlite(code: &str, text: String) -> Trouble {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => Trouble::Busy(text),
        Ok(8) => Trouble::ReadOnly(text),
        Ok(11 | 26) => Trouble::Damaged(text),
        Ok(13) => Trouble::Full(text),
        Ok(14) => Trouble::Shut(text),
        _ => Trouble::Refused(text),
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_postgres(code: &str, text: String) -> Trouble {
    match code {
        "53100" => Trouble::Full(text),
        "25006" => Trouble::ReadOnly(text),
        "55P03" => Trouble::Busy(text),
        "42P07" => Trouble::Foreign(text),
        "XX001" | "XX002" => Trouble::Damaged(text),
        _ if code.starts_with("08") || code.starts_with("57P") => Trouble::Unreachable(text),
        _ => Trouble::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_by_database() {
        let text = || "text".to_owned();
        for (name, found, want) in [
            ("SQLITE_BUSY", of_sqlite("5", text()), "busy"),
            ("SQLITE_BUSY_SNAPSHOT", of_sqlite("517", text()), "busy"),
            ("SQLITE_READONLY_DIRECTORY", of_sqlite("1544", text()), "read_only"),
            ("SQLITE_CORRUPT_INDEX", of_sqlite("779", text()), "damaged"),
            ("SQLITE_NOTADB", of_sqlite("26", text()), "damaged"),
            ("SQLITE_CANTOPEN_ISDIR", of_sqlite("526", text()), "shut"),
            ("SQLITE_FULL", of_sqlite("13", text()), "full"),
            ("SQLITE_IOERR_WRITE", of_sqlite("778", text()), "refused"),
            ("disk_full", of_postgres("53100", text()), "full"),
            ("read_only_sql_transaction", of_postgres("25006", text()), "read_only"),
            ("admin_shutdown", of_postgres("57P01", text()), "unreachable"),
            ("duplicate_table", of_postgres("42P07", text()), "foreign"),
            ("invalid_password", of_postgres("28P01", text()), "refused"),
        ] {
            assert_eq!(found.reason(), want, "{name}");
        }
    }

    #[test]
    fn an_error_names_the_place_the_cause_and_the_way_out() {
        let trouble = Trouble::Damaged("file is not a database".to_owned());
        let error = StoreError { place: "/var/lib/n.db".into(), trouble };
        assert_eq!(
            error.to_string(),
            "/var/lib/n.db: it is damaged (file is not a database); restore a backup, or move it away (mv \
             /var/lib/n.db /var/lib/n.db.damaged): everything is looked at anew"
        );
    }
}
