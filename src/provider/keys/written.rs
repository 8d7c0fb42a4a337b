//! Keys as the configuration has them: literal, from the environment, from files.

use std::path::PathBuf;
use std::sync::Arc;

use super::watched::{Make, WatchedKeys};
use super::{FixedKeys, KeySource};
use crate::fields::SecretSetting;
use crate::provider::settings::KeyPair;
use crate::provider::{BuildError, Order};
use crate::secret::{Secret, SecretSource};
use crate::stamp::can_be_read_again;

/// Makes a source of written keys. Parts from files are read again when these change; the environment of a process
/// and the text of its configuration do not change under it.
///
/// # Errors
/// A part cannot be read, or cannot be part of a key.
pub fn written(order: &Order<'_>, pair: &KeyPair, fits: Fits) -> Result<Arc<dyn KeySource>, BuildError> {
    let id = Part::of(&pair.id, order, fits)?;
    let secret = Part::of(&pair.secret, order, fits)?;
    let token = pair.security_token.as_ref().map(|token| Part::of(token, order, fits)).transpose()?;
    let files: Vec<PathBuf> = [Some(&id), Some(&secret), token.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|part| if let Part::File { path, .. } = part { Some(path.clone()) } else { None })
        .collect();
    let read = move || -> Result<Arc<dyn KeySource>, BuildError> {
        Ok(FixedKeys::of(id.read()?, secret.read()?, token.as_ref().map(Part::read).transpose()?))
    };
    if files.is_empty() {
        return read();
    }
    let make: Make = Box::new(read);
    Ok(Arc::new(WatchedKeys::new(order.account, order.http.clock(), files, make)?))
}

/// Whether a text can be part of a key at all.
pub type Fits = fn(&str) -> bool;

/// For clouds whose keys travel in headers, where blanks and control characters have no place.
pub fn fits_a_header(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// For clouds whose keys travel in forms: blanks and every sign may stand there; what a terminal would obey is a mistake
/// in a file.
pub fn fits_a_form(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// The secret, if it can be part of a key; `subject` is how people are told which one it is.
///
/// # Errors
/// It cannot.
pub fn as_key_part(secret: Secret, subject: &str, fits: Fits) -> Result<Secret, BuildError> {
    if fits(secret.expose()) {
        return Ok(secret);
    }
    Err(BuildError::OddSecret(subject.to_owned()))
}

/// One part of a key.
enum Part {
    /// Never another one while the process lives.
    Fixed(Secret),
    /// A file, and how people are told which key it is.
    File { path: PathBuf, subject: String, fits: Fits },
}

impl Part {
    fn of(setting: &SecretSetting, order: &Order<'_>, fits: Fits) -> Result<Self, BuildError> {
        let subject = setting.subject.clone();
        let credentials = (order.env)("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let path = setting.source.path(credentials.as_deref());
        if let Some(path) = path.filter(|path| can_be_read_again(path)) {
            return Ok(Self::File { path, subject, fits });
        }
        let failed = |source| BuildError::Secret { subject: subject.clone(), source };
        let secret = (order.secret)(setting).map_err(failed)?;
        Ok(Self::Fixed(as_key_part(secret, &subject, fits)?))
    }

    fn read(&self) -> Result<Secret, BuildError> {
        match self {
            Self::Fixed(secret) => Ok(secret.clone()),
            Self::File { path, subject, fits } => {
                let failed = |source| BuildError::Secret { subject: subject.clone(), source };
                let secret = SecretSource::File(path.clone()).load(&|_| None, None).map_err(failed)?;
                as_key_part(secret, subject, *fits)
            }
        }
    }
}
