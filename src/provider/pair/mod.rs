//! A certificate of the operator's own and its key, as certbot or acme.sh leave them: read from two files, checked before it
//! is ever sent, and kept no longer than the call.
//!
//! `files` reads, `pem` finds the blocks, `key` and `chain` check. Nothing in here sends anything, and the key is in no
//! error, no `Debug` text and no reason.

mod chain;
mod files;
mod key;
mod pem;
#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use secrecy::zeroize::Zeroizing;

pub use files::PairError;

use crate::domain::policy::OwnCertificate;
use crate::domain::renewal::method::Material;
use crate::secret::{Secret, SecretSource};
use chain::Chain;

/// So many characters of a key in a row are no chance.
const PART_OF_A_KEY: usize = 16;

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

impl Pair {
    /// Reads both files now, which may take as long as a disk takes. Of each is kept what belongs there, and nothing that
    /// stands around it: a key that somebody put into the file of the certificate stays behind.
    ///
    /// # Errors
    /// A file is not there, not for us, no file, too long, or not text. Its content is in no error.
    pub fn read(files: &OwnCertificate) -> Result<Self, PairError> {
        let certificates = pem::only(&files::text(&files.cert_file)?, pem::is_certificate);
        let key = pem::only(&files::text(&files.key_file)?, pem::is_key);
        Ok(Self { certificates: certificates.to_string(), key: Secret::new(key.as_str()) })
    }

    /// Says so if every user of the machine can read the key.
    pub fn warning(files: &OwnCertificate) -> Option<String> {
        SecretSource::File(files.key_file.clone()).warning()
    }

    /// Whether it can take the place of a certificate for `host` that ends at `present_end`: readable, leaf first, with its
    /// own key and every issuer but the root, for that host, valid now, and for more than a day longer. Who trusts the
    /// root is for clients to say. Without a host nothing fits, for what it protects has to be known.
    pub fn material(&self, host: Option<&str>, present_end: DateTime<Utc>, now: DateTime<Utc>) -> Material {
        match self.check(host, present_end, now) {
            Ok(not_after) => Material::Fit { not_after },
            Err(why) => Material::Unfit { why: crate::call::clean(&why).into() },
        }
    }

    fn check(
        &self,
        host: Option<&str>,
        present_end: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, String> {
        let ders = chain::ders(&self.certificates)?;
        let chain = Chain::parse(&ders)?;
        let public = key::public(&self.key)?;
        chain.belongs_to(&public)?;
        chain.is_for(host)?;
        chain.is_complete(now)?;
        chain.ends_later(present_end, now)
    }

    /// Whether a text that somebody else wrote repeats a part of the key, or a certificate as a whole block. Percent codes
    /// and line breaks do not hide it.
    pub fn is_repeated_in(&self, text: &str) -> bool {
        let decoded = Zeroizing::new(percent_decode_str(text).decode_utf8_lossy().into_owned());
        if decoded.contains("-----BEGIN") {
            return true;
        }
        let packed = packed(&decoded.replace("\\n", "").replace("\\r", ""));
        let key = Zeroizing::new(pem::bodies(self.key.expose()).concat());
        let key = packed_bytes(&key);
        key.windows(PART_OF_A_KEY).any(|part| contains(packed.as_bytes(), part))
    }
}

fn packed(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.split_ascii_whitespace().collect())
}

fn packed_bytes(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
