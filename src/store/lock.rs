//! The file of a SQLite store is for one daemon: a lock file beside it says whose.
//!
//! The kernel lets go of the lock when the process ends, however it ends, so nothing has to be cleaned up; the lock
//! file stays, since taking it away would let two daemons hold "the" lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::trouble::Trouble;

/// Held as long as the store is open.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock of a database file and makes the file where there is none. Both are for their owner only: names and
/// tags of databases are nobody else's business.
pub(super) fn take(database: &Path) -> Result<Lock, Trouble> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let mut file = open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Trouble::InUse { process: holder(&mut file) }),
        Err(TryLockError::Error(source)) => return Err(Trouble::System { path, source }),
    }
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    noted.map_err(|source| Trouble::System { path, source })?;
    make(database)?;
    Ok(Lock { _file: file })
}

fn open(path: &Path) -> Result<File, Trouble> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|source| Trouble::System { path: path.to_owned(), source })
}

/// A file that is there is not touched: closing it would drop the locks that SQLite holds on it in this process
/// (<https://sqlite.org/howtocorrupt.html>, 2.2).
fn make(path: &Path) -> Result<(), Trouble> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(Trouble::System { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
