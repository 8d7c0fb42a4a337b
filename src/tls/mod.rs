//! TLS of our own port: from files to what is shown to those who connect, and who may connect at all.
//!
//! Files are read when the daemon starts ([`Tls::open`]) and again when they change ([`Tls::follow`]); a set that cannot
//! be used leaves the one before in place. Nothing here knows of sockets or of HTTP, and no error repeats anything that
//! stands in a file: one of them is a private key.

mod pem;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub use pem::TlsError;

use crate::secret::is_exposed;
use crate::shutdown::Shutdown;
use crate::stamp::Files;

/// What is spoken inside; HTTP/2 is not.
const PROTOCOL: &[u8] = b"http/1.1";

/// The files of our own TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: our certificate first, then its chain.
    pub cert_file: PathBuf,
    /// PEM, without a passphrase.
    pub key_file: PathBuf,
    /// PEM. Who connects must show a certificate that one of these authorities issued.
    pub client_ca_file: Option<PathBuf>,
}

/// What is shown to those who connect; follows its files.
pub struct Tls {
    files: TlsFiles,
    used: Mutex<Used>,
}

/// One reading of the files.
#[derive(Clone)]
struct Used {
    config: Arc<ServerConfig>,
    /// End of our own certificate, where it can be read.
    ends: Option<DateTime<Utc>>,
    /// The files as they were when they were read.
    taken: Files,
}

impl TlsFiles {
    fn paths(&self) -> Vec<PathBuf> {
        [&self.cert_file, &self.key_file].into_iter().chain(&self.client_ca_file).cloned().collect()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them cannot be read or used, or certificate and key do not belong together.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let used = Mutex::new(read(&files)?);
        Ok(Self { files, used })
    }

    /// What is to be shown to the next one who connects.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.lock().config)
    }

    /// End of our own certificate, where it can be read.
    pub fn ends(&self) -> Option<DateTime<Utc>> {
        self.lock().ends
    }

    /// Says so if everybody on the machine can read the key.
    pub fn warning(&self) -> Option<String> {
        let path = &self.files.key_file;
        let exposed = fs::metadata(path).is_ok_and(|file| is_exposed(file.mode()));
        let path = path.display();
        exposed.then(|| format!("key file {path} can be read by others: chmod o-rwx {path}"))
    }

    /// Looks so often whether the files changed, and reads them again when they did and have come to rest: a pair that
    /// is replaced one file after the other is not read in between. Ends when asked to.
    pub async fn follow(self: Arc<Self>, every: Duration, stop: Shutdown) {
        let mut watched = self.lock().taken.clone();
        loop {
            tokio::select! {
                () = stop.requested() => return,
                () = sleep(every) => {}
            }
            let look = move |_: &Self| (watched.look(), watched);
            let (changed, looked) = self.beside(look).await;
            watched = looked;
            if changed {
                watched.take();
                self.beside(Self::read_again).await;
            }
        }
    }

    /// A folder on a network may keep one waiting.
    async fn beside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let own = Arc::clone(self);
        spawn_blocking(move || work(&own)).await.expect("nothing in there panics")
    }

    fn read_again(&self) {
        match read(&self.files) {
            Ok(used) => {
                let ends = used.ends.map(tracing::field::display);
                info!(ends, "the files of [web] tls have changed; what they say now is used from here on");
                *self.lock() = used;
            }
            Err(error) => {
                warn!(%error, "the files of [web] tls have changed and cannot be used: what they said before is used on");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles) -> Result<Used, TlsError> {
    // Taken before the reading, so that what changes meanwhile is seen later.
    let taken = Files::new(files.paths());
    let chain = pem::certificates(&files.cert_file)?;
    let ends = ends(&chain[0]);
    let key = pem::key(&files.key_file)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pair = pair(files, chain, key, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider knows both");
    let builder = match &files.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let clients = WebPkiClientVerifier::builder_with_provider(authorities(path)?, provider).build();
            builder.with_client_cert_verifier(clients.map_err(|_| TlsError::NoAuthority(path.clone()))?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Used { config: Arc::new(config), ends, taken })
}

fn pair(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|_| TlsError::UnusableKey(files.key_file.clone()))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { cert: files.cert_file.clone(), key: files.key_file.clone() })
        }
        Err(_) => Err(TlsError::UnusableCertificate(files.cert_file.clone())),
    }
}

fn authorities(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(path)? {
        roots.add(certificate).map_err(|_| TlsError::NoAuthority(path.to_owned()))?;
    }
    Ok(Arc::new(roots))
}

fn ends(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
}

#[cfg(test)]
mod tests;
