//! Certificates and keys out of PEM files, and why not. What stands in a file is never repeated.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::zeroize::Zeroizing;

/// No honest chain, bundle or key is longer; a wrong path such as `/dev/zero` is.
const LONGEST: usize = 1024 * 1024;

/// Why the files of our own TLS cannot be used. Carries paths, never content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file is not there, or not for us.
    #[error("{}: {source}{}", path.display(), way_out(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than [`LONGEST`] bytes.
    #[error("{}: longer than any certificate or key", .0.display())]
    TooLong(PathBuf),
    /// It begins like PEM and is none.
    #[error("{}: broken PEM; write the file anew", .0.display())]
    Broken(PathBuf),
    /// Nothing in it is a certificate.
    #[error("{}: no certificate in it; it begins with -----BEGIN CERTIFICATE-----, our own first, then its chain (from DER: openssl x509 -inform der)", .0.display())]
    NoCertificate(PathBuf),
    /// Nothing in it is a key.
    #[error("{}: no private key in it; it begins with -----BEGIN PRIVATE KEY----- (from DER: openssl pkey -inform der)", .0.display())]
    NoKey(PathBuf),
    /// Nobody could be asked for the passphrase.
    #[error("{}: the key has a passphrase, and nobody is there to type it: openssl pkey -in OLD -out NEW writes it without", .0.display())]
    EncryptedKey(PathBuf),
    /// Of another kind, or too short.
    #[error("{}: this key cannot be used; RSA from 2048 bits on, ECDSA (P-256, P-384, P-521) and Ed25519 can", .0.display())]
    UnusableKey(PathBuf),
    /// Something else than a certificate between the marks.
    #[error("{}: the first certificate in it cannot be used", .0.display())]
    UnusableCertificate(PathBuf),
    /// Each is good for itself.
    #[error("{} and {} do not belong together: the first certificate must be that of the key", cert.display(), key.display())]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Nobody could be let in.
    #[error("{}: a certificate in it cannot be used as an authority for clients", .0.display())]
    NoAuthority(PathBuf),
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; the user that notafter runs as must be able to read it",
        _ => "",
    }
}

/// All certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = bytes_of(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::NoCertificate(path.to_owned())),
        Ok(found) => Ok(found),
        Err(_) => Err(TlsError::Broken(path.to_owned())),
    }
}

/// The first key of a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = bytes_of(path)?;
    let encrypted = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
    if encrypted.iter().any(|mark| bytes.windows(mark.len()).any(|window| window == mark.as_bytes())) {
        return Err(TlsError::EncryptedKey(path.to_owned()));
    }
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(Error::NoItemsFound) => Err(TlsError::NoKey(path.to_owned())),
        // What the parser says repeats a line of the file.
        Err(_) => Err(TlsError::Broken(path.to_owned())),
    }
}

fn bytes_of(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    // With room for all of it from the start: a buffer that grows leaves what it had behind.
    let room = usize::try_from(length).unwrap_or(LONGEST).min(LONGEST) + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > LONGEST { Err(TlsError::TooLong(path.to_owned())) } else { Ok(bytes) }
}
