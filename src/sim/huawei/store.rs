//! The object store: links that are signed the old way (HMAC-SHA1 in the query), and the archives behind them.

use std::collections::HashMap;
use std::io::{Cursor, Write};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::error::ApiError;
use super::model::{Download, Instance};
use super::request::Received;
use crate::sim::alibaba::{Text, certificate};

/// The store's own key; nobody else has it.
const ACCESS_KEY: &str = "SIMULATEDOBSKEY00001";
const SECRET: &str = "simulated-secret-of-the-object-store";
/// How long a link is good.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(10);
/// So many objects are kept at most; the oldest are of no use any more.
const KEPT: usize = 10_000;

/// Stands in every link, so that tests can look for links where none may be.
pub const LINK_MARKER: &str = "notafter-simulated-link";

/// Objects by bucket and key, and whose CA they are.
#[derive(Default)]
pub(super) struct Store {
    objects: HashMap<String, Text>,
    made: u64,
}

/// A new object.
pub(super) struct Made {
    /// `CA-{milliseconds}.zip`.
    pub(super) file_name: String,
    /// `bucket-external-` and 32 hexadecimal digits.
    pub(super) bucket: String,
    /// The address with its signature.
    pub(super) link: String,
}

impl Store {
    /// Makes an object of an instance's CA, and a link below `base`.
    pub(super) fn make(&mut self, id: &Text, base: &str, stale: bool, now: DateTime<Utc>) -> Made {
        if self.objects.len() >= KEPT {
            self.objects.clear();
        }
        self.made += 1;
        let bucket =
            format!("bucket-external-{}", hex::encode(&digest(&SHA256, id.as_bytes()).as_ref()[..16]));
        let file_name = format!("CA-{}.zip", now.timestamp_millis());
        let object = format!("{bucket}/ssl-{LINK_MARKER}-{}/{file_name}", self.made);
        let expires = if stale { now - TimeDelta::seconds(1) } else { now + GOOD_FOR };
        let expires = expires.timestamp().to_string();
        let signature = signature(&["GET", "", "", &expires], &object);
        let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
        let link = format!(
            "{base}/obs/{object}?AWSAccessKeyId={ACCESS_KEY}&Expires={expires}&Signature={signature}"
        );
        self.objects.insert(object, id.clone());
        Made { file_name, bucket, link }
    }

    /// Whose CA an object is.
    pub(super) fn owner(&self, object: &str) -> Option<Text> {
        self.objects.get(object).cloned()
    }

    /// Whose CA is asked for, if the link is right and nothing came with it that breaks its signature.
    pub(super) fn open(&self, received: &Received<'_>, now: DateTime<Utc>) -> Result<Text, ApiError> {
        let headers = &received.parts.headers;
        let foreign = headers.keys().find(|name| {
            let name = name.as_str();
            name == "authorization" || name.starts_with("x-")
        });
        let [key, expires, sent] = ["AWSAccessKeyId", "Expires", "Signature"].map(|name| received.get(name));
        let (Some(expires), Some(sent)) = (expires, sent) else {
            return Err(ApiError::store(403, "AccessDenied", "Access Denied"));
        };
        if key != Some(ACCESS_KEY) {
            return Err(ApiError::store(403, "InvalidAccessKeyId", "The access key id does not exist."));
        }
        let parts = ["GET", received.header("content-md5"), received.header("content-type"), expires];
        if foreign.is_some() || signature(&parts, received.resource) != sent {
            let text = format!("StringToSign: {} {}", parts.join(" "), received.resource);
            return Err(ApiError::store(403, "SignatureDoesNotMatch", text));
        }
        if expires.parse().is_ok_and(|expires: i64| expires <= now.timestamp()) {
            return Err(ApiError::store(403, "AccessDenied", "Request has expired"));
        }
        let owner = self.objects.get(received.resource).cloned();
        owner.ok_or_else(|| ApiError::store(404, "NoSuchKey", "The specified key does not exist."))
    }
}

fn signature(parts: &[&str; 4], object: &str) -> String {
    let text = format!("{}\n/{object}", parts.join("\n"));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// What the object has in it.
pub(super) fn content(instance: &Instance) -> Bytes {
    match &instance.download {
        Download::Bytes(bytes) => bytes.clone(),
        Download::Ca(ends) => {
            let begins = *ends - TimeDelta::days(3650);
            archive("ca.crt", certificate("DCS simulated CA", begins, *ends).as_bytes())
        }
    }
}

/// A zip with one file in it.
pub fn archive(name: &str, content: &[u8]) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut write = || {
        writer.start_file(name, SimpleFileOptions::default())?;
        writer.write_all(content)?;
        Ok::<_, zip::result::ZipError>(())
    };
    write().expect("writing to memory cannot fail");
    let written = writer.finish().expect("writing to memory cannot fail");
    written.into_inner().into()
}
