//! X.509: from PEM or DER to dates and names, for clouds that return certificates.
//!
//! The PEM reader is our own because the usual ones yield nothing, silently, for a byte order mark, indented lines or
//! `\n` written as two characters, all of which clouds send. Finding no certificate is an error, never an empty list.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use crate::domain::resource::Subject;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
/// The most alternative names that are kept of a certificate.
const NAMES: usize = 50;
/// No host has a longer name (RFC 1035).
const LONGEST_NAME: usize = 253;
const END: &str = "-----END CERTIFICATE-----";

/// What is read of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Begin of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// Names, serial, hash and key.
    pub subject: Subject,
    /// It may issue others (basic constraints).
    pub is_ca: bool,
    /// The first host name it is for, among its alternative names.
    pub host: Option<Box<str>>,
}

/// Why there is no certificate to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum X509Error {
    /// Nothing in the text begins like a certificate.
    #[error("no certificate found")]
    Missing,
    /// A block that begins does not end, or is not base64.
    #[error("broken PEM block")]
    BrokenPem,
    /// The bytes are no X.509 certificate.
    #[error("not an X.509 certificate")]
    BrokenDer,
    /// A date that no calendar has.
    #[error("validity out of range")]
    Validity,
}

/// Every certificate of a PEM text, in order, with whatever stands around the blocks left out.
///
/// # Errors
/// The first block that cannot be read, or that there is none.
pub fn from_pem(text: &str) -> Result<Vec<Parsed>, X509Error> {
    let parsed = blocks(text).collect::<Result<Vec<_>, _>>()?;
    if parsed.is_empty() { Err(X509Error::Missing) } else { Ok(parsed) }
}

/// The certificates of a PEM text one by one, so that one that cannot be read does not cost the others. Whatever is
/// no certificate (a private key among them) is passed over and never taken out of the text.
pub fn blocks(text: &str) -> impl Iterator<Item = Result<Parsed, X509Error>> {
    ders(text).map(|der| from_der(&der?))
}

/// The same, not parsed yet.
pub(super) fn ders(text: &str) -> impl Iterator<Item = Result<Vec<u8>, X509Error>> {
    text.split(BEGIN).skip(1).map(|block| {
        let (body, _) = block.split_once(END).ok_or(X509Error::BrokenPem)?;
        decode(body)
    })
}

/// One certificate in DER.
///
/// # Errors
/// The bytes are no certificate.
pub fn from_der(der: &[u8]) -> Result<Parsed, X509Error> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| X509Error::BrokenDer)?;
    if !rest.is_empty() {
        return Err(X509Error::BrokenDer);
    }
    let validity = certificate.validity();
    let date = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(X509Error::Validity);
    Ok(Parsed {
        not_before: date(validity.not_before.timestamp())?,
        not_after: date(validity.not_after.timestamp())?,
        subject: Subject {
            common_name: common_name(certificate.subject()),
            issuer: certificate.issuer().to_string().into(),
            serial: hex::encode(certificate.raw_serial()).into(),
            sha256: hex::encode(digest(&SHA256, der)).into(),
            key: key(certificate.public_key()),
            names: names(&certificate),
        },
        is_ca: certificate.is_ca(),
        host: host(&certificate),
    })
}

fn host(certificate: &X509Certificate<'_>) -> Option<Box<str>> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(host) => Some((*host).into()),
        _ => None,
    })
}

/// Hosts and addresses among its alternative names; what is longer than a host can be is none.
fn names(certificate: &X509Certificate<'_>) -> Box<[Box<str>]> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Box::default() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(host) => Some((*host).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    let names = names.value.general_names.iter().filter_map(name);
    let names = names.filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME);
    names.take(NAMES).map(String::into_boxed_str).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn decode(block: &str) -> Result<Vec<u8>, X509Error> {
    let unescaped;
    let block = if block.contains("\\n") {
        unescaped = block.replace("\\r", "").replace("\\n", "");
        &unescaped
    } else {
        block
    };
    let packed: Vec<u8> = block.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).map_err(|_| X509Error::BrokenPem)
}

fn common_name(name: &X509Name<'_>) -> Box<str> {
    let first = name.iter_common_name().find_map(|attribute| attribute.as_str().ok());
    first.unwrap_or_default().into()
}

/// Kind and size, `rsa-2048` for example; the curve's size for elliptic ones.
fn key(info: &SubjectPublicKeyInfo<'_>) -> Box<str> {
    let algorithm = info.algorithm.algorithm.to_id_string();
    match (info.parsed(), algorithm.as_str()) {
        (_, "1.3.101.112") => "ed25519".into(),
        (Ok(PublicKey::RSA(rsa)), _) => format!("rsa-{}", rsa.key_size()).into(),
        (Ok(PublicKey::EC(point)), _) => {
            let sm2 = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let sm2 = sm2.is_some_and(|oid| oid.to_id_string() == "1.2.156.10197.1.301");
            if sm2 { "sm2".into() } else { format!("ec-{}", point.key_size()).into() }
        }
        _ => algorithm.into(),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pem(years: std::ops::Range<i32>) -> String {
        let mut params = CertificateParams::new(vec!["db.example.com".into()]).expect("params");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 2);
        params.not_after = rcgen::date_time_ymd(years.end, 3, 4);
        params.distinguished_name.push(rcgen::DnType::CommonName, "订单库");
        params.self_signed(&KeyPair::generate().expect("key")).expect("signed").pem()
    }

    #[test]
    fn dates_names_and_key_are_read() {
        let parsed = from_pem(&pem(2026..2061)).expect("readable");
        assert_eq!(parsed[0].not_before.to_rfc3339(), "2026-01-02T00:00:00+00:00");
        assert_eq!(parsed[0].not_after.to_rfc3339(), "2061-03-04T00:00:00+00:00", "beyond 2050");
        assert_eq!((&*parsed[0].subject.common_name, &*parsed[0].subject.key), ("订单库", "ec-256"));
        assert_eq!(parsed[0].subject.sha256.len(), 64);
    }

    #[test]
    fn hosts_and_addresses_are_read_and_not_without_end() {
        let of = |names: Vec<String>| {
            let params = CertificateParams::new(names).expect("params");
            let pem = params.self_signed(&KeyPair::generate().expect("key")).expect("signed").pem();
            let names = from_pem(&pem).expect("readable")[0].subject.names.clone();
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let some = ["r-1.redis.example.com", "*.example.com", "10.1.2.3", "2001:db8::1"].map(str::to_owned);
        assert_eq!(of(some.to_vec()), some);
        assert_eq!(of(Vec::new()), [] as [&str; 0]);
        let many: Vec<String> = (0..80).map(|n| format!("h{n}.example.com")).collect();
        assert_eq!(of(many.clone()), many[..NAMES]);
        assert_eq!(of(vec![format!("{}.example.com", "x".repeat(260))]), [] as [&str; 0], "no host's name");
    }

    #[test]
    fn every_shape_of_pem_that_clouds_send_is_read() {
        let pem = pem(2026..2027);
        let want = from_pem(&pem);
        let one_line = pem.replace('\n', "");
        for (name, text) in [
            ("CRLF", pem.replace('\n', "\r\n")),
            ("byte order mark", format!("\u{feff}{pem}")),
            ("indented", pem.replace('\n', "\n    ")),
            ("newlines as two characters", pem.replace('\n', "\\n")),
            ("one line", one_line),
            ("text around", format!("Bag Attributes\n{pem}issuer: x\n")),
        ] {
            assert_eq!(from_pem(&text), want, "{name}");
        }
        assert_eq!(from_pem(&format!("{pem}{pem}")).map(|all| all.len()), Ok(2));
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        let pem = pem(2026..2027);
        for (name, text, want) in [
            ("empty", String::new(), X509Error::Missing),
            ("a key", pem.replace("CERTIFICATE", "PRIVATE KEY"), X509Error::Missing),
            ("cut", pem[..pem.len() / 2].to_owned(), X509Error::BrokenPem),
            ("not base64", format!("{BEGIN}\n!!\n{END}"), X509Error::BrokenPem),
            ("not DER", format!("{BEGIN}\naGVsbG8=\n{END}"), X509Error::BrokenDer),
        ] {
            assert_eq!(from_pem(&text), Err(want), "{name}");
        }
    }

    #[test]
    fn a_broken_block_does_not_cost_the_others() {
        let pem = pem(2026..2027);
        let cut = &pem[..pem.len() / 2];
        let read =
            |text: &str| blocks(text).map(|block| block.map(|parsed| parsed.is_ca)).collect::<Vec<_>>();
        assert_eq!(read(&format!("{pem}{cut}")), [Ok(false), Err(X509Error::BrokenPem)]);
        assert_eq!(read(&format!("{cut}\n{pem}")), [Err(X509Error::BrokenPem), Ok(false)]);
        let key = pem.replace("CERTIFICATE", "EC PRIVATE KEY");
        assert_eq!(read(&format!("{key}{pem}{key}")), [Ok(false)]);
        assert_eq!(from_pem(&pem).expect("readable")[0].host.as_deref(), Some("db.example.com"));
    }

    #[test]
    fn issuers_are_told_from_leaves() {
        let mut params = CertificateParams::new(vec![]).expect("params");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&KeyPair::generate().expect("key")).expect("signed").pem();
        let parsed = from_pem(&pem).expect("readable");
        assert_eq!((parsed[0].is_ca, parsed[0].host.as_deref()), (true, None));
    }

    /// Chinese curve and signature algorithm (GB/T 32918), which most libraries do not know.
    #[test]
    fn dates_and_names_of_an_sm2_certificate_are_read() {
        let pem = pem(2026..2027);
        let mut der = decode(&pem[BEGIN.len()..pem.find(END).expect("ends")]).expect("base64");
        let mut replace = |from: &[u8], to: &[u8]| {
            let places: Vec<_> = (0..der.len() - 8).filter(|at| &der[*at..at + 8] == from).collect();
            assert!(!places.is_empty());
            for at in &places {
                der[*at..at + 8].copy_from_slice(to);
            }
        };
        replace(b"\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x2a\x81\x1c\xcf\x55\x01\x82\x2d");
        replace(b"\x2a\x86\x48\xce\x3d\x04\x03\x02", b"\x2a\x81\x1c\xcf\x55\x01\x83\x75");
        let parsed = from_der(&der).expect("readable");
        assert_eq!((&*parsed.subject.key, &*parsed.subject.common_name), ("sm2", "订单库"));
        assert_eq!(parsed.not_after.to_rfc3339(), "2027-03-04T00:00:00+00:00");
    }

    proptest::proptest! {
        #[test]
        fn mutated_certificates_never_panic(at in 0..600_usize, byte in 0..=255_u8) {
            let pem = pem(2026..2027);
            let mut der = decode(&pem[BEGIN.len()..pem.find(END).expect("ends")]).expect("base64");
            let at = at % der.len();
            der[at] = byte;
            let _ = from_der(&der);
        }
    }
}
