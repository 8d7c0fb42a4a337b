//! The key of a pair: read by the library that serves TLS with such keys, to find out to which certificate it belongs.

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::pem::{self, Block};
use crate::secret::Secret;

const UNREADABLE: &str = "the private key cannot be read: damaged, or of a kind that is not supported (RSA of at least 2048 \
    bits, ECDSA of P-256, P-384 or P-521, Ed25519)";

/// The public half (SubjectPublicKeyInfo, DER) of the one key in a PEM text.
pub(super) fn public(key: &Secret) -> Result<Vec<u8>, String> {
    let blocks: Vec<_> = pem::blocks(key.expose()).filter(|block| pem::is_key(block.label)).collect();
    let block = match &*blocks {
        [block] => block,
        [] => return Err("the key file holds no private key in PEM".into()),
        more => return Err(format!("the key file holds {} private keys, and one is needed", more.len())),
    };
    if is_encrypted(block) {
        return Err(
            "the private key is encrypted, and there is nobody to ask for the passphrase: it is needed \
            without one"
                .into(),
        );
    }
    let bytes = block.decoded().ok_or("the private key is damaged: its PEM block cannot be read")?;
    let der = match block.label {
        "PRIVATE KEY" => PrivateKeyDer::from(PrivatePkcs8KeyDer::from(bytes.as_slice())),
        "RSA PRIVATE KEY" => PrivateKeyDer::from(PrivatePkcs1KeyDer::from(bytes.as_slice())),
        "EC PRIVATE KEY" => PrivateKeyDer::from(PrivateSec1KeyDer::from(bytes.as_slice())),
        _ => return Err(UNREADABLE.into()),
    };
    // Its own words may be about the bytes.
    let key = any_supported_type(&der).map_err(|_| UNREADABLE)?;
    let public = key.public_key().ok_or(UNREADABLE)?;
    Ok(public.to_vec())
}

/// In either of the two forms: a kind of its own, or two header lines.
fn is_encrypted(block: &Block<'_>) -> bool {
    block.label == "ENCRYPTED PRIVATE KEY" || block.body.contains("ENCRYPTED")
}
