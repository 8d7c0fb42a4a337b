//! Reads a file with a certificate or a key: a real file, of a size that such a file has.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

/// A chain of ten large certificates has a quarter of it.
const LONGEST: usize = 128 * 1024;

/// Why a file could not be read. Carries its name, never its content.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// It is not there, or not for us.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, a device, a pipe.
    #[error("{}: not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Longer than any honest one.
    #[error("{}: longer than any certificate or key", .0.display())]
    TooLong(PathBuf),
    /// Not UTF-8; DER for example.
    #[error("{}: not text; PEM is needed", .0.display())]
    NotText(PathBuf),
}

/// The text of a file. A link is followed, as certbot needs it (`live/` leads to `archive/`), but only to a file.
pub(super) fn text(path: &Path) -> Result<Zeroizing<String>, PairError> {
    let unreadable = |source| PairError::Unreadable { path: path.to_owned(), source };
    let not_a_file = || PairError::NotAFile(path.to_owned());
    // Before it is opened, for opening a pipe waits until somebody writes; and after, for it is another one then perhaps.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(not_a_file());
    }
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(not_a_file());
    }
    // Large enough from the start: a buffer that grows leaves what it had behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 64));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > LONGEST {
        return Err(PairError::TooLong(path.to_owned()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| PairError::NotText(path.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}
