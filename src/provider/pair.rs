//! A certificate of the operator's own and its key, as certbot or acme.sh leave them: read from two files, checked before it
//! is ever sent, and kept no longer than the call.

use std::fmt;

use crate::secret::Secret;

/// A certificate with its chain, and its key.
pub struct Pair {
    /// PEM, leaf first.
    pub certificates: String,
    /// PEM.
    pub key: Secret,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}
