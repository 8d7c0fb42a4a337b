//! Certificates for answers that carry one: right in every field that is read, signed by nobody.
//!
//! Written by hand, since making a real key and signature for each of 100,000 answers would take longer than
//! everything else. Those who watch ends of validity check no signatures.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Datelike, Utc};
use x509_parser::pem::Pem;

use crate::domain::hash::stable_hash;

/// Stands in every simulated private key, in the clear. Where this text turns up outside the simulated cloud, a key
/// was kept that should not have been.
pub const PRIVATE_KEY_MARKER: &str = "NotafterSimulatedPrivateKeyThatMustNeverLeak";

/// A private key as clouds hand it out beside certificates.
pub(in crate::sim) fn private_key() -> String {
    private_key_of("")
}

/// The same of a kind that is named in the block: `RSA `, `EC `.
pub(in crate::sim) fn private_key_of(kind: &str) -> String {
    format!("-----BEGIN {kind}PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END {kind}PRIVATE KEY-----\n")
}

/// A certificate for this host in PEM form.
pub fn certificate(host: &str, not_before: DateTime<Utc>, not_after: DateTime<Utc>) -> String {
    block(&der(host, &host_name(host), not_before, not_after))
}

/// A certificate of an issuer of this name in PEM form.
pub(in crate::sim) fn issuer(name: &str, not_before: DateTime<Utc>, not_after: DateTime<Utc>) -> String {
    block(&der(name, &may_issue(), not_before, not_after))
}

fn block(der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 60);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// End of the first certificate in a PEM text that a customer uploaded.
pub(in crate::sim) fn ends(pem: &str) -> Option<DateTime<Utc>> {
    let block = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?;
    let end = block.parse_x509().ok()?.validity().not_after.timestamp();
    DateTime::from_timestamp(end, 0)
}

/// RFC 5280, the fields in their order.
fn der(subject: &str, extension: &[u8], not_before: DateTime<Utc>, not_after: DateTime<Utc>) -> Vec<u8> {
    let serial = stable_hash([subject, &not_after.timestamp().to_string()]) >> 1 | 1 << 62;
    let to_be_signed = tlv(
        SEQUENCE,
        &[
            tlv(0xa0, &[tlv(INTEGER, &[[2]])]),
            tlv(INTEGER, &[serial.to_be_bytes()]),
            ecdsa_with_sha256(),
            name("notafter simulated CA"),
            tlv(SEQUENCE, &[time(not_before), time(not_after)]),
            name(subject),
            public_key(),
            tlv(0xa3, &[tlv(SEQUENCE, &[extension])]),
        ],
    );
    let signature = tlv(SEQUENCE, &[tlv(INTEGER, &[[1]]), tlv(INTEGER, &[[1]])]);
    tlv(SEQUENCE, &[to_be_signed, ecdsa_with_sha256(), bits(&signature)])
}

/// The extension with the alternative name.
fn host_name(host: &str) -> Vec<u8> {
    let names = tlv(SEQUENCE, &[tlv(0x82, &[host.as_bytes()])]);
    tlv(SEQUENCE, &[tlv(OID, &[b"\x55\x1d\x11"]), tlv(OCTETS, &[names])])
}

/// The critical extension that makes an issuer (basic constraints).
fn may_issue() -> Vec<u8> {
    let yes = || tlv(BOOLEAN, &[[0xff]]);
    let constraints = tlv(OCTETS, &[tlv(SEQUENCE, &[yes()])]);
    tlv(SEQUENCE, &[tlv(OID, &[b"\x55\x1d\x13"]), yes(), constraints])
}

const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Tag, length, value: the value is the parts one after the other.
fn tlv<T: AsRef<[u8]>>(tag: u8, parts: &[T]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.as_ref().len()).sum();
    let [.., high, low] = length.to_be_bytes();
    let mut bytes = Vec::with_capacity(length + 4);
    match length {
        0..0x80 => bytes.extend([tag, low]),
        0x80..0x100 => bytes.extend([tag, 0x81, low]),
        _ => bytes.extend([tag, 0x82, high, low]),
    }
    for part in parts {
        bytes.extend_from_slice(part.as_ref());
    }
    bytes
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[b"\x00", bytes])
}

fn ecdsa_with_sha256() -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(OID, &[b"\x2a\x86\x48\xce\x3d\x04\x03\x02"])])
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = tlv(SEQUENCE, &[tlv(OID, &[b"\x55\x04\x03"]), tlv(0x0c, &[common_name.as_bytes()])]);
    tlv(SEQUENCE, &[tlv(0x31, &[attribute])])
}

/// Two digits of year until 2049, four from then on.
fn time(at: DateTime<Utc>) -> Vec<u8> {
    if (1950..2050).contains(&at.year()) {
        tlv(0x17, &[at.format("%y%m%d%H%M%SZ").to_string()])
    } else {
        tlv(0x18, &[at.format("%Y%m%d%H%M%SZ").to_string()])
    }
}

/// The base point of P-256: a point of the curve like any other, whose private key is 1.
fn public_key() -> Vec<u8> {
    const POINT: &[u8] = b"\x04\
        \x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\
        \x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
        \x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\
        \x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";
    let algorithm = tlv(
        SEQUENCE,
        &[
            tlv(OID, &[b"\x2a\x86\x48\xce\x3d\x02\x01".as_slice()]),
            tlv(OID, &[b"\x2a\x86\x48\xce\x3d\x03\x01\x07".as_slice()]),
        ],
    );
    tlv(SEQUENCE, &[algorithm, bits(POINT)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_reads_back_what_was_written() {
        for end in
            ["2027-01-02T03:04:05Z", "2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
        {
            let end: DateTime<Utc> = end.parse().unwrap();
            let pem = certificate("pgm-1.pg.rds.aliyuncs.com", "2026-01-01T00:00:00Z".parse().unwrap(), end);
            assert_eq!(ends(&pem), Some(end));
            let block = Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap();
            let parsed = block.parse_x509().unwrap();
            assert_eq!(parsed.subject().to_string(), "CN=pgm-1.pg.rds.aliyuncs.com");
            assert_eq!(parsed.validity().not_before.timestamp(), 1_767_225_600);
            assert!(parsed.subject_alternative_name().unwrap().is_some());
        }
    }

    #[test]
    fn an_issuer_is_one_and_names_no_host() {
        let (begin, end) = (DateTime::UNIX_EPOCH, "2027-01-02T03:04:05Z".parse().unwrap());
        let pem = issuer("notafter simulated CA", begin, end);
        let block = Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap();
        let parsed = block.parse_x509().unwrap();
        assert!(parsed.is_ca() && parsed.subject_alternative_name().unwrap().is_none());
        assert!(
            !Pem::iter_from_buffer(certificate("a.example", begin, end).as_bytes())
                .next()
                .unwrap()
                .unwrap()
                .parse_x509()
                .unwrap()
                .is_ca()
        );
    }

    #[test]
    fn the_private_key_carries_the_marker() {
        assert!(private_key().contains(PRIVATE_KEY_MARKER));
    }
}
