//! What was downloaded, taken apart: a zip, a PEM text or one certificate in DER; bytes in, certificates out.
//!
//! Nothing in it is trusted. Kinds are told by content, names are never looked at, nothing is written anywhere,
//! sizes are counted while unpacking. What is no certificate (a key above all) is left out and never named. An archive
//! that breaks a limit is refused as a whole; an entry that is merely broken costs itself.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::provider::x509::{self, Parsed};

/// An honest archive has a handful of entries of a few KiB.
const MOST_ENTRIES: usize = 64;
const LONGEST_ENTRY: u64 = 256 * 1024;
const LONGEST_IN_ALL: u64 = 2 * 1024 * 1024;

/// Why no certificate could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArchiveError {
    /// Begins like a zip and is none.
    #[error("the archive is broken")]
    Broken,
    /// More entries than any honest one.
    #[error("the archive has more than {MOST_ENTRIES} entries")]
    TooManyEntries,
    /// An entry that unpacks to too much.
    #[error("an entry of the archive is longer than {} KiB", LONGEST_ENTRY / 1024)]
    EntryTooLong,
    /// Entries that together unpack to too much.
    #[error("the archive unpacks to more than {} MiB", LONGEST_IN_ALL / 1024 / 1024)]
    TooLong,
    /// Nothing readable, and something encrypted.
    #[error("the archive is encrypted")]
    Encrypted,
    /// Read to its end.
    #[error("no certificate was found in what was downloaded")]
    NoCertificate,
}

/// Every certificate in a download, each once, the one that ends first in front.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Parsed>, ArchiveError> {
    let (found, nothing) = if bytes.starts_with(b"PK") {
        unpack(bytes)?
    } else {
        (readable_in(bytes), ArchiveError::NoCertificate)
    };
    let once: BTreeMap<_, _> =
        found.into_iter().map(|parsed| ((parsed.not_after, parsed.subject.sha256.clone()), parsed)).collect();
    if once.is_empty() { Err(nothing) } else { Ok(once.into_values().collect()) }
}

/// The certificates of a zip, and what to say if there are none.
fn unpack(bytes: &[u8]) -> Result<(Vec<Parsed>, ArchiveError), ArchiveError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| ArchiveError::Broken)?;
    if archive.len() > MOST_ENTRIES {
        return Err(ArchiveError::TooManyEntries);
    }
    let (mut found, mut nothing, mut left) = (Vec::new(), ArchiveError::NoCertificate, LONGEST_IN_ALL);
    for index in 0..archive.len() {
        match entry(&mut archive, index, left) {
            Ok(content) => {
                left -= content.len() as u64;
                found.extend(readable_in(&content));
            }
            Err(Skipped::Encrypted) => nothing = ArchiveError::Encrypted,
            Err(Skipped::Broken) => nothing = ArchiveError::Broken,
            Err(Skipped::NoFile) => {}
            Err(Skipped::Hostile(error)) => return Err(error),
        }
    }
    Ok((found, nothing))
}

/// Why an entry has no content for us.
enum Skipped {
    NoFile,
    Encrypted,
    Broken,
    Hostile(ArchiveError),
}

/// The content of one entry, whose checksum was found right.
fn entry(archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize, left: u64) -> Result<Vec<u8>, Skipped> {
    let entry = archive.by_index(index).map_err(|error| match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Skipped::Encrypted,
        _ => Skipped::Broken,
    })?;
    if entry.is_dir() || entry.is_symlink() {
        return Err(Skipped::NoFile);
    }
    let limit = left.min(LONGEST_ENTRY);
    let mut content = Vec::new();
    let read = entry.take(limit + 1).read_to_end(&mut content);
    if content.len() as u64 > limit {
        let error = if limit < LONGEST_ENTRY { ArchiveError::TooLong } else { ArchiveError::EntryTooLong };
        return Err(Skipped::Hostile(error));
    }
    read.map(|_| content).map_err(|_| Skipped::Broken)
}

/// The certificates of one file, in DER (which begins with a sequence) or PEM, with whatever stands around them.
fn readable_in(bytes: &[u8]) -> Vec<Parsed> {
    if bytes.first() == Some(&0x30)
        && let Ok(parsed) = x509::from_der(bytes)
    {
        return vec![parsed];
    }
    x509::blocks(&String::from_utf8_lossy(bytes)).filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rcgen::{CertificateParams, KeyPair};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    /// A certificate that ends in that year, in PEM.
    fn pem(year: i32) -> String {
        made(year).pem()
    }

    fn made(year: i32) -> rcgen::Certificate {
        let mut params = CertificateParams::new(vec!["dcs.example.com".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// A zip without sizes in its local headers, as it is written to a stream.
    fn streamed(name: &str, content: &[u8]) -> Vec<u8> {
        let mut writer = ZipWriter::new_stream(Vec::new());
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn years(bytes: &[u8]) -> Result<Vec<String>, ArchiveError> {
        let year = |parsed: &Parsed| parsed.not_after.format("%Y").to_string();
        certificates(bytes).map(|all| all.iter().map(year).collect())
    }

    /// The bit that says "encrypted" set in every header; the content is as good as noise then.
    fn encrypted(mut zip: Vec<u8>) -> Vec<u8> {
        let headers: [(&[u8], usize); 2] = [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)];
        for (magic, flags) in headers {
            let found: Vec<usize> = (0..zip.len() - 4).filter(|at| zip[*at..].starts_with(magic)).collect();
            for at in found {
                zip[at + flags] |= 1;
            }
        }
        zip
    }

    /// One bit of the content of the first entry is another one; all headers are right.
    fn bit_flipped(mut zip: Vec<u8>) -> Vec<u8> {
        zip[60] ^= 0x10;
        zip
    }

    #[test]
    fn every_kind_of_honest_download_is_read() {
        let (one, other, der) = (pem(2031), pem(2029), made(2033).der().to_vec());
        let key = "-----BEGIN PRIVATE KEY-----\nUExBTlRFRA==\n-----END PRIVATE KEY-----\n";
        let crlf = format!("\u{feff}Bag Attributes\r\n{}", one.replace('\n', "\r\n"));
        for (name, bytes, want) in [
            ("a zip with ca.crt", zip(&[("ca.crt", one.as_bytes())]), &["2031"][..]),
            ("a zip written to a stream", streamed("ca.crt", one.as_bytes()), &["2031"]),
            ("a zip with DER in it", zip(&[("ca.der", &der)]), &["2033"]),
            ("plain PEM", one.clone().into_bytes(), &["2031"]),
            ("PEM of another system", crlf.into_bytes(), &["2031"]),
            ("plain DER", der.clone(), &["2033"]),
            ("several in one file", format!("{one}{other}").into_bytes(), &["2029", "2031"]),
            ("several files", zip(&[("a", one.as_bytes()), ("b", other.as_bytes())]), &["2029", "2031"]),
            ("the same twice", zip(&[("a", one.as_bytes()), ("b", one.as_bytes())]), &["2031"]),
            (
                "foreign files",
                zip(&[
                    ("README.txt", b"hello"),
                    ("client.jks", b"\xfe\xed\xfe\xed\x00\x00\x00\x02"),
                    ("empty", b""),
                    ("noise", &[0x30; 100]),
                    ("key.pem", key.as_bytes()),
                    ("ca.crt", one.as_bytes()),
                ]),
                &["2031"],
            ),
            ("a key before the certificate", format!("{key}{one}").into_bytes(), &["2031"]),
            ("names that climb", zip(&[("../../etc/cron.d/x", one.as_bytes())]), &["2031"]),
            ("an absolute name", zip(&[("/etc/ssl/ca.crt", one.as_bytes())]), &["2031"]),
            (
                "a broken one beside a good one",
                format!("{}{one}", other.replacen("MII", "!!!", 1)).into(),
                &["2031"],
            ),
        ] {
            assert_eq!(years(&bytes), Ok(want.iter().map(|year| (*year).to_owned()).collect()), "{name}");
        }
    }

    #[test]
    fn every_hostile_or_useless_download_is_refused() {
        use ArchiveError::{Broken, Encrypted, EntryTooLong, NoCertificate, TooLong, TooManyEntries};
        let one = pem(2031);
        let good = zip(&[("ca.crt", one.as_bytes())]);
        let many: Vec<(String, Vec<u8>)> = (0..65).map(|n| (format!("{n}"), one.clone().into())).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(name, text)| (&**name, &**text)).collect();
        let (bomb, large) = (vec![0_u8; 30 * 1024 * 1024], vec![0_u8; 250 * 1024]);
        let tens: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let tens: Vec<(&str, &[u8])> = tens.iter().map(|name| (&**name, &*large)).collect();
        for (name, bytes, want) in [
            ("nothing", vec![], NoCertificate),
            ("HTML", b"<html>no</html>".to_vec(), NoCertificate),
            ("JSON", br#"{"error_code":"DCS.5000"}"#.to_vec(), NoCertificate),
            (
                "XML",
                b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>".to_vec(),
                NoCertificate,
            ),
            ("only PK", b"PK".to_vec(), Broken),
            ("cut in the middle", good[..good.len() / 2].to_vec(), Broken),
            ("cut at the end", good[..good.len() - 10].to_vec(), Broken),
            ("a flipped bit", bit_flipped(good.clone()), Broken),
            ("encrypted", encrypted(good.clone()), Encrypted),
            ("too many entries", zip(&many), TooManyEntries),
            ("a bomb", zip(&[("ca.crt", &bomb)]), EntryTooLong),
            ("a bomb behind a certificate", zip(&[("ca.crt", one.as_bytes()), ("x", &bomb)]), EntryTooLong),
            ("many large ones", zip(&tens), TooLong),
            ("an archive in an archive", zip(&[("inner.zip", &good)]), NoCertificate),
            ("an empty archive", zip(&[]), NoCertificate),
            ("a directory", zip(&[("ca.crt/", b"")]), NoCertificate),
            ("garbage", (0..=255).rev().cycle().take(5000).collect(), NoCertificate),
            ("cut PEM", one.as_bytes()[..one.len() / 2].to_vec(), NoCertificate),
        ] {
            assert_eq!(years(&bytes), Err(want), "{name}");
        }
    }

    #[test]
    fn a_symlink_is_not_followed() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("ca.crt", "/etc/ssl/certs/ca.pem", SimpleFileOptions::default()).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        assert_eq!(years(&bytes), Err(ArchiveError::NoCertificate));
    }

    #[test]
    fn a_size_that_lies_does_not_help() {
        let bomb = vec![0_u8; 30 * 1024 * 1024];
        let mut bytes = zip(&[("ca.crt", &bomb)]);
        let directory = (0..bytes.len()).rposition(|at| bytes[at..].starts_with(b"PK\x01\x02")).unwrap();
        bytes[directory + 24..directory + 28].copy_from_slice(&100_u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&100_u32.to_le_bytes());
        assert!(years(&bytes).is_err());
    }

    proptest::proptest! {
        #[test]
        fn mutated_archives_never_panic(at in 0..2000_usize, byte in 0..=255_u8) {
            let mut bytes = zip(&[("ca.crt", PEM.as_bytes()), ("b", b"text")]);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = certificates(&bytes);
        }
    }

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
}
