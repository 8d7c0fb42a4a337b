//! A support bundle as a file, and what this version makes of the answers in one.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::text::utc;
use crate::http::KeptAnswer;
use crate::provider;
use crate::visible::visible;
use crate::web::bundle::{ANSWERS, File};

mod tar;

/// No bundle is larger when it is unpacked.
const LONGEST: u64 = 256 * 1024 * 1024;

/// Refuses a place where something is already, before anything is gathered for it.
pub(super) fn is_free(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already, and is not overwritten"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a bundle where nothing was, for its owner only.
pub(super) fn write(path: &Path, files: &[File], now: DateTime<Utc>) -> io::Result<()> {
    let files = files.iter().map(|file| (&*file.name, file.text.as_bytes()));
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&tar::write(files, now.timestamp()))?;
    let archive = packer.finish()?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&archive).inspect_err(|_| drop(fs::remove_file(path)))
}

/// The answers in a bundle, or in a file of answers alone.
pub(super) fn answers(path: &Path) -> io::Result<Vec<KeptAnswer>> {
    let bytes = fs::read(path)?;
    let text = if bytes.starts_with(&[0x1f, 0x8b]) { unpacked(&bytes)? } else { bytes };
    serde_json::from_slice(&text).map_err(|error| odd(&format!("the answers are not understood: {error}")))
}

fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    GzDecoder::new(bytes).take(LONGEST).read_to_end(&mut archive)?;
    let found = tar::read(&archive)?.into_iter().find(|(name, _)| name == ANSWERS);
    found.map(|(_, text)| text).ok_or_else(|| odd(&format!("there is no {ANSWERS} in it")))
}

fn odd(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What this version makes of each answer, offline.
pub(super) fn replayed(answers: &[KeptAnswer]) -> String {
    let mut out = String::new();
    for answer in answers {
        let told = one(answer);
        write!(out, "{told}").expect("writing to a string cannot fail");
    }
    out + &format!("{} answers read again\n", answers.len())
}

fn one(kept: &KeptAnswer) -> String {
    let KeptAnswer { provider, account, action, region, at, status, bytes, form, shortened, error, .. } =
        kept;
    let status = status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
    let cut = if *shortened { ", rows left out" } else { "" };
    let names = [provider, account, action, region].map(|name| visible(name).into_owned()).join(" ");
    let then = error.as_deref().map_or("read well".into(), visible);
    let head = format!(
        "== {names}, {}, {status}, {bytes} bytes of {}{cut}\n   then: {then}\n",
        utc(*at),
        visible(form)
    );
    head + "   now:  " + &now(kept) + "\n"
}

fn now(kept: &KeptAnswer) -> String {
    let Some(answer) = kept.answer() else { return "nothing was kept that could be read".to_owned() };
    let cloud = provider::find(&kept.provider);
    match cloud.and_then(|cloud| (cloud.replay)(&kept.action, &answer, kept.at)) {
        None => "this call is not read again".to_owned(),
        Some(Err(error)) => visible(&error.to_string()).into_owned(),
        Some(Ok(reading)) => {
            let lines = reading.lines().map(|line| format!("\n         {}", visible(line)));
            "read well".to_owned() + &lines.collect::<String>()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;
    use crate::domain::testing::moment;

    fn kept(action: &str, status: u16, body: serde_json::Value) -> KeptAnswer {
        let [provider, account, region] = ["alibaba", "prod", "cn-hangzhou"].map(str::to_owned);
        KeptAnswer {
            provider,
            account,
            action: action.to_owned(),
            region,
            at: moment(),
            status: Some(status),
            headers: BTreeMap::new(),
            bytes: 99,
            form: "json".to_owned(),
            body: Some(body),
            shortened: false,
            error: None,
        }
    }

    #[test]
    fn a_bundle_is_written_once_and_its_answers_are_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bundle.tar.gz");
        is_free(&path).expect("nothing is there");
        let ends = json!({ "SSLEnabled": "Enable", "SSLExpiredTime": "2027-01-01T00:00:00Z" });
        let answers = [
            kept("kvstore:DescribeInstanceSSL", 200, ends),
            kept("kvstore:DescribeInstanceSSL", 403, json!({ "Code": "Forbidden.RAM", "Message": "**" })),
            kept("sts:AssumeRole", 200, json!({})),
            KeptAnswer { body: None, form: "html".to_owned(), ..kept("rds:DescribeRegions", 502, json!(0)) },
        ];
        let files = [File::new("about.json", "{}"), File::json(ANSWERS, &answers)];
        write(&path, &files, moment()).expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert!(is_free(&path).is_err() && write(&path, &files, moment()).is_err(), "never overwritten");
        let read = self::answers(&path).expect("a bundle");
        assert_eq!(read, answers);
        let told = replayed(&read);
        for want in [
            "== alibaba prod kvstore:DescribeInstanceSSL cn-hangzhou, 2026-11-22 08:00:00 UTC, status 200, 99 bytes of json\n",
            "not_after: 2027-01-01T00:00:00Z",
            "now:  kvstore:DescribeInstanceSSL: denied (Forbidden.RAM): **",
            "this call is not read again",
            "nothing was kept that could be read",
            "4 answers read again\n",
        ] {
            assert!(told.contains(want), "{want}: {told}");
        }
        fs::write(&path, "{").expect("written");
        assert!(self::answers(&path).is_err());
    }
}
