//! Keys, tokens and signed links: where they come from, and how they are kept from showing.
//!
//! A [`Secret`] shows nothing in `Debug` and has no `Display`; [`Secret::expose`] is called only where a request is
//! signed or sent. What holds one is overwritten when it is dropped, as far as it is ours ([`wiped`], [`WipedBuffer`];
//! ARCHITECTURE.md says what is not). This module knows nothing of configuration files or of clouds.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// No honest key is longer; a wrong path such as `/dev/zero` is.
const LONGEST: u64 = 64 * 1024;

/// Room for any secret and for the byte that makes it too long.
const READ_AT_ONCE: usize = 64 * 1024 + 64;

/// The right of everybody to read, among the permission bits of a file.
const READABLE_BY_OTHERS: u32 = 0o004;

/// A value that must not be seen.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        let value = Zeroizing::new(value.into());
        // Copied, because shrinking a text moves it and leaves the old one where it was.
        Self(SecretString::from(value.as_str()))
    }

    /// The value itself, for the one place that signs or sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// A text that is to be sent and carries a secret: overwritten when the last who holds it lets go.
pub fn wiped(text: String) -> Bytes {
    Bytes::from_owner(Wiped(text.into_bytes()))
}

/// Collects bytes that may carry secrets: what it leaves behind when it grows is overwritten, and so is the whole when
/// the last who holds it lets go.
#[derive(Default)]
pub struct WipedBuffer(Wiped);

impl WipedBuffer {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    /// Adds some.
    pub fn push(&mut self, bytes: &[u8]) {
        let needed = self.len() + bytes.len();
        if needed > self.0.0.capacity() {
            let mut larger = Vec::with_capacity(needed.next_power_of_two());
            larger.extend_from_slice(&self.0.0);
            self.0 = Wiped(larger);
        }
        self.0.0.extend_from_slice(bytes);
    }

    /// All of them.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self.0)
    }
}

/// Bytes that only ever grow within their room, and are overwritten at their end. In one go and not byte by byte as
/// `zeroize` does it, because answers have megabytes.
#[derive(Default)]
struct Wiped(Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // Somebody might look: without that the filling could be left out, since nobody reads it.
        std::hint::black_box(&self.0);
    }
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Has the system write no core dump of this process, whatever its limits say, and lets nobody but root look into it: secrets
/// are in memory while they are used. Programs that it starts are not concerned.
///
/// # Errors
/// The system does not let us.
pub fn forbid_core_dumps() -> io::Result<()> {
    // a limit of nothing is not obeyed where dumps are handed to a program (core(5)); this is
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    match setrlimit(Resource::Core, none) {
        // forbidden by the unit's filter of system calls, and then `LimitCORE=0` stands there too
        Err(Errno::PERM | Errno::NOSYS) => Ok(()),
        set => Ok(set?),
    }
}

/// Where a secret is to be taken from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// Written in the configuration itself.
    Literal(Secret),
    /// Name of an environment variable.
    Env(String),
    /// Path of a file.
    File(PathBuf),
    /// Name of a file in systemd's `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why a secret could not be had. Carries names, never values.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not there.
    #[error("environment variable `{0}` is not set")]
    NoVariable(String),
    /// The service manager handed over no credentials at all.
    #[error("credential `{0}` needs $CREDENTIALS_DIRECTORY, which is not set")]
    NoCredentials(String),
    /// The file is not there, or not for us.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than [`LONGEST`] bytes.
    #[error("{}: longer than any secret", .0.display())]
    TooLong(PathBuf),
    /// Not UTF-8.
    #[error("{}: not text", .0.display())]
    NotText(PathBuf),
    /// Nothing in it but perhaps an end of line.
    #[error("the secret from {0} is empty")]
    Empty(String),
}

impl SecretSource {
    /// Reads the secret now. One newline at its end is dropped: editors and `echo` leave it there.
    ///
    /// `env` answers for environment variables; `credentials` is systemd's `$CREDENTIALS_DIRECTORY`.
    pub fn load(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
        credentials: Option<&Path>,
    ) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Literal(secret) => Zeroizing::new(secret.expose().to_owned()),
            Self::Env(name) => {
                Zeroizing::new(env(name).ok_or_else(|| SecretError::NoVariable(name.clone()))?)
            }
            Self::File(path) => read(path)?,
            Self::Credential(name) => {
                let directory = credentials.ok_or_else(|| SecretError::NoCredentials(name.clone()))?;
                read(&directory.join(name))?
            }
        };
        let secret = without_end_of_line(&text);
        if secret.is_empty() { Err(SecretError::Empty(self.to_string())) } else { Ok(Secret::new(secret)) }
    }

    /// The file that it stands in, if it stands in one. `credentials` as for [`SecretSource::load`].
    pub fn path(&self, credentials: Option<&Path>) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => credentials.map(|directory| directory.join(name)),
            Self::Literal(_) | Self::Env(_) => None,
        }
    }

    /// Says so if the file behind this secret can be read by every user of the machine.
    pub fn warning(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let mode = path.metadata().ok()?.permissions().mode();
        let path = path.display();
        is_exposed(mode).then(|| format!("secret file {path} can be read by others: chmod o-rwx {path}"))
    }

    /// Whether it stands in the configuration itself.
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }
}

impl fmt::Display for SecretSource {
    /// Kind and name, never a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("the configuration"),
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "credential `{name}`"),
        }
    }
}

/// Whether permission bits let every user of the machine read the file.
pub fn is_exposed(mode: u32) -> bool {
    mode & READABLE_BY_OTHERS != 0
}

fn read(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    // Large enough from the start: a buffer that grows leaves what it had behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(READ_AT_ONCE));
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(SecretError::TooLong(path.to_owned()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotText(path.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn without_end_of_line(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn no_env(_: &str) -> Option<String> {
        None
    }

    fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, content).unwrap();
        (directory, path)
    }

    #[test]
    fn one_newline_at_the_end_goes() {
        for (name, content, want) in [
            ("none", "abc", "abc"),
            ("one", "abc\n", "abc"),
            ("one of Windows", "abc\r\n", "abc"),
            ("only one of two", "abc\n\n", "abc\n"),
            ("blanks stay", " abc ", " abc "),
        ] {
            let (_keep, path) = file(content.as_bytes());
            let secret = SecretSource::File(path).load(&no_env, None).unwrap();
            assert_eq!(secret.expose(), want, "{name}");
        }
    }

    #[test]
    fn a_buffer_that_is_wiped_holds_what_was_put_into_it() {
        let mut buffer = WipedBuffer::default();
        assert!(buffer.is_empty());
        let parts: Vec<Vec<u8>> = (0..200_u8).map(|n| vec![n; usize::from(n)]).collect();
        for part in &parts {
            buffer.push(part);
        }
        let whole = parts.concat();
        assert_eq!((buffer.len(), &buffer.freeze()[..]), (whole.len(), &whole[..]));
        assert_eq!(wiped("text".to_owned()), "text");
    }

    #[test]
    fn what_cannot_be_loaded_says_why() {
        let (_keep, empty) = file(b"\n");
        let (_keep, binary) = file(&[0xff, 0xfe]);
        let (_keep, huge) = file(&vec![b'x'; 70_000]);
        for (name, source, want) in [
            ("variable", SecretSource::Env("NOPE".into()), "environment variable `NOPE` is not set"),
            (
                "no directory",
                SecretSource::Credential("k".into()),
                "credential `k` needs $CREDENTIALS_DIRECTORY",
            ),
            ("missing file", SecretSource::File("/nowhere/key".into()), "/nowhere/key: No such file"),
            ("empty file", SecretSource::File(empty), "is empty"),
            ("binary file", SecretSource::File(binary), "not text"),
            ("huge file", SecretSource::File(huge), "longer than any secret"),
            (
                "empty literal",
                SecretSource::Literal(Secret::new("")),
                "the secret from the configuration is empty",
            ),
        ] {
            let error = source.load(&no_env, None).unwrap_err().to_string();
            assert!(error.contains(want), "{name}: {error}");
        }
    }

    #[test]
    fn a_credential_is_a_file_in_the_directory() {
        let (keep, _) = file(b"abc\n");
        let secret = SecretSource::Credential("key".into()).load(&no_env, Some(keep.path())).unwrap();
        assert_eq!(secret.expose(), "abc");
    }

    #[test]
    fn an_empty_variable_is_refused() {
        let error = SecretSource::Env("KEY".into()).load(&|_| Some(String::new()), None).unwrap_err();
        assert_eq!(error.to_string(), "the secret from environment variable `KEY` is empty");
    }

    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        let (_keep, path) = file(b"abc");
        let source = SecretSource::File(path.clone());
        for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(source.warning().is_some(), warned, "{mode:o}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let source = SecretSource::Literal(Secret::new("hunter2"));
        assert_eq!(format!("{source:?} {source}"), "Literal([REDACTED]) the configuration");
    }
}
