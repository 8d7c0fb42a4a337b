//! The default chain of a cloud: keys that its own tools left in the environment or in files, else those of the machine.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Fits, FixedKeys, KeySource, as_key_part, from_files};
use crate::provider::{BuildError, Order};
use crate::secret::Secret;

/// Keys that a chain leads to.
#[derive(Debug)]
pub struct Found {
    /// The half that names the key.
    pub id: Secret,
    /// The half that signs.
    pub secret: Secret,
    /// The token of a temporary key.
    pub token: Option<Secret>,
    /// Where they were found, for people.
    pub origin: String,
}

impl Found {
    fn keys(self, fits: Fits) -> Result<Arc<dyn KeySource>, BuildError> {
        let Self { id, secret, token, origin } = self;
        let part = |part: Secret| as_key_part(part, &origin, fits);
        Ok(FixedKeys::of(part(id)?, part(secret)?, token.map(part).transpose()?))
    }
}

/// Keys that `find` finds in the contents of `files` (`None`: no such file), and finds anew when one changes; where it
/// finds none, those of the machine.
///
/// # Errors
/// A file cannot be read, or what is found is broken.
pub fn default_chain<E: Display>(
    order: &Order<'_>,
    files: Vec<PathBuf>,
    fits: Fits,
    find: impl Fn(&[Option<Secret>]) -> Result<Option<Found>, E> + Send + Sync + 'static,
    machine: impl Fn() -> Arc<dyn KeySource> + Send + Sync + 'static,
) -> Result<Arc<dyn KeySource>, BuildError> {
    from_files(order, files, move |contents| {
        match find(contents).map_err(|error| BuildError::Chain(error.to_string()))? {
            Some(found) => found.keys(fits),
            None => Ok(machine()),
        }
    })
}
