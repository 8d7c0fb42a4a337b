//! The certificates of a pair: one for the server, then the issuer of each in turn.
//!
//! "Complete" is what can be said without a store of roots: every certificate is followed by its issuer, with signature,
//! up to the last, which is either a root or signed by somebody outside of the file. A server's certificate that is not
//! self-signed and stands alone is not complete: clients would have to have its issuer already.

use chrono::{DateTime, SecondsFormat, Utc};
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pem;
use crate::domain::resource::SAME_END;
use crate::provider::hosts;

/// Certificates in the order of the file.
pub(super) struct Chain<'d>(Vec<X509Certificate<'d>>);

/// The bytes of the certificates in a PEM text.
pub(super) fn ders(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let blocks = pem::blocks(text).filter(|block| pem::is_certificate(block.label));
    let ders = numbered(blocks)
        .map(|(number, block)| Ok(block.decoded().ok_or_else(|| damaged(number))?.to_vec()))
        .collect::<Result<Vec<_>, String>>()?;
    if ders.is_empty() { Err("the certificate file holds no certificate in PEM".into()) } else { Ok(ders) }
}

impl<'d> Chain<'d> {
    /// Reads the certificates.
    pub(super) fn parse(ders: &'d [Vec<u8>]) -> Result<Self, String> {
        let read = |(number, der): (usize, &'d Vec<u8>)| match X509Certificate::from_der(der) {
            Ok(([], certificate)) => Ok(certificate),
            _ => Err(damaged(number)),
        };
        for (number, der) in numbered(ders) {
            if let Some(first) = ders[..number - 1].iter().position(|earlier| earlier == der) {
                return Err(format!("certificate {number} of the file is the same as {}", first + 1));
            }
        }
        Ok(Self(numbered(ders).map(read).collect::<Result<_, _>>()?))
    }

    fn leaf(&self) -> &X509Certificate<'d> {
        &self.0[0]
    }

    /// The key with this public half is that of the first certificate.
    pub(super) fn belongs_to(&self, public: &[u8]) -> Result<(), String> {
        match self.0.iter().position(|certificate| certificate.public_key().raw == public) {
            Some(0) => Ok(()),
            Some(place) => Err(format!(
                "the private key belongs to certificate {} of the file: that of the server must come first",
                place + 1
            )),
            None => Err("the private key belongs to another certificate".into()),
        }
    }

    /// The first certificate is a server's, for this host.
    pub(super) fn is_for(&self, host: Option<&str>) -> Result<(), String> {
        let host =
            host.ok_or("whether it is for the protected host cannot be told: that host is not known")?;
        let names = hosts::names(self.leaf());
        if !hosts::cover(&names, host) {
            let others = if names.is_empty() { "no host".to_owned() } else { names.join(", ") };
            return Err(format!("it is not for {host}, but for {others}"));
        }
        match self.leaf().extended_key_usage() {
            Ok(Some(usage)) if !usage.value.server_auth && !usage.value.any => {
                Err("it is not meant for servers (extended key usage)".into())
            }
            _ => Ok(()),
        }
    }

    /// Each certificate is followed by its issuer, and all of those are valid now.
    pub(super) fn is_complete(&self, now: DateTime<Utc>) -> Result<(), String> {
        for (number, pair) in numbered(self.0.windows(2)) {
            let (subject, issuer) = (&pair[0], &pair[1]);
            if is_self_issued(subject) {
                return Err(format!("certificate {number} of the file is a root, and nothing may follow it"));
            }
            issued(subject, issuer, number)?;
            let ended = date(issuer.validity().not_after.timestamp()).is_none_or(|end| end <= now);
            if ended {
                return Err(format!("certificate {} of the file, an issuer, has ended", number + 1));
            }
        }
        if self.0.len() == 1 && !is_self_issued(self.leaf()) {
            return Err(format!(
                "the certificate of its issuer ({}) is missing: the file must hold the whole chain, such as \
                 certbot's fullchain.pem",
                self.leaf().issuer()
            ));
        }
        Ok(())
    }

    /// It is valid now, and for longer than the present one.
    ///
    /// Returns its end.
    pub(super) fn ends_later(
        &self,
        present_end: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, String> {
        let validity = self.leaf().validity();
        let begin = date(validity.not_before.timestamp());
        // a certificate is good for no longer than those that vouch for it
        let ends = self.0.iter().map(|one| date(one.validity().not_after.timestamp()));
        let end = ends.collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().min());
        let (begin, end) = begin.zip(end).ok_or("its validity is out of range")?;
        match () {
            () if begin > now => Err(format!("it begins only at {}", text(begin))),
            () if end <= now => Err(format!("it ended at {} already", text(end))),
            () if end < present_end + SAME_END => Err(format!(
                "it ends at {}, not a day later than the present one ({})",
                text(end),
                text(present_end)
            )),
            () => Ok(end),
        }
    }
}

/// Whether a certificate is issued by the next one, by names, right to issue, and signature.
fn issued(subject: &X509Certificate<'_>, issuer: &X509Certificate<'_>, number: usize) -> Result<(), String> {
    let next = number + 1;
    if subject.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(format!(
            "certificate {next} of the file ({}) is not the issuer of certificate {number} ({}): they must follow each \
             other, the server's first",
            issuer.subject(),
            subject.issuer()
        ));
    }
    if !issuer.is_ca() {
        return Err(format!("certificate {next} of the file may not issue others"));
    }
    match subject.verify_signature(Some(issuer.public_key())) {
        // No library here knows that kind of signature (SM2 for example); names have to do.
        Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm) => Ok(()),
        Err(_) => Err(format!("certificate {number} of the file is not signed by certificate {next}")),
    }
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

fn damaged(number: usize) -> String {
    format!("certificate {number} of the file is damaged")
}

fn numbered<I: IntoIterator>(items: I) -> impl Iterator<Item = (usize, I::Item)> {
    (1..).zip(items)
}

fn date(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
