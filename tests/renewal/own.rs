//! An instance with a certificate of the customer's own, and the pair of files that a program renews on its own time.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Datelike as _, NaiveTime, TimeDelta, Utc};
use notafter::domain::policy::OwnCertificate;
use notafter::provider::Pair;
use notafter::provider::alibaba::sign::payload_hash;
use notafter::sim::alibaba::{Call, Engine, Instance};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::dice::Dice;
use crate::support::REGION;

pub(crate) const ID: &str = "pgm-own";
/// The one host that its certificate protects, as the simulated cloud names it.
const HOST: &str = "pgm-own.pg.rds.aliyuncs.com";

/// See the module.
pub(crate) struct Own {
    folder: tempfile::TempDir,
    /// When the new pair is there, and how it turned out at first.
    renewed_at: DateTime<Utc>,
    first: Pairs,
    /// Of the certificate that the instance has at the beginning.
    end: DateTime<Utc>,
    /// What lies on the disk.
    pub(crate) now: Pairs,
}

/// What a pair on the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// That of the present certificate.
    Old,
    /// A new one for another host.
    ForAnother,
    /// A new certificate with the old key.
    Mixed,
    /// As it should be.
    Good,
}

impl Own {
    pub(crate) fn new(now: DateTime<Utc>, dice: &mut Dice) -> Self {
        let first = [Pairs::Good, Pairs::ForAnother, Pairs::Mixed][usize::try_from(dice.below(3)).unwrap()];
        let days = |days: u64| TimeDelta::days(i64::try_from(days).unwrap());
        let own = Self {
            folder: tempfile::tempdir().unwrap(),
            renewed_at: now + days(3 + dice.below(4)),
            first,
            end: midnight(now + days(14 + dice.below(6))),
            now: Pairs::Old,
        };
        write(&own.files(), HOST, own.end, None);
        own
    }

    pub(crate) fn instance(&self, uid: &str, _: DateTime<Utc>) -> Instance {
        Instance {
            custom_ca: true,
            host: HOST.into(),
            tags: vec![("own".into(), "yes".into())],
            ..Instance::new(Engine::PostgreSql, ID, uid, REGION, self.end)
        }
    }

    pub(crate) fn files(&self) -> OwnCertificate {
        let path = |name: &str| self.folder.path().join(name);
        OwnCertificate { cert_file: path("fullchain.pem"), key_file: path("privkey.pem") }
    }

    pub(crate) fn new_end(&self) -> DateTime<Utc> {
        midnight(self.end + TimeDelta::days(90))
    }

    /// What the program that renews files has done by now: first something that may be wrong, two days later what is right.
    pub(crate) fn pass(&mut self, now: DateTime<Utc>) {
        let want = match now - self.renewed_at {
            since if since < TimeDelta::zero() => Pairs::Old,
            since if since < TimeDelta::days(2) => self.first,
            _ => Pairs::Good,
        };
        if want == self.now {
            return;
        }
        self.now = want;
        let old_key = fs::read_to_string(self.files().key_file).unwrap();
        match want {
            Pairs::Old => unreachable!("time does not go back"),
            Pairs::ForAnother => write(&self.files(), "another.example", self.new_end(), None),
            Pairs::Mixed => write(&self.files(), HOST, self.new_end(), Some(&old_key)),
            Pairs::Good => write(&self.files(), HOST, self.new_end(), None),
        }
    }

    /// The cloud saw a call for it: with the pair that lies there now, and nothing else.
    pub(crate) fn called(&self, call: &Call) {
        let value = |name: &str| {
            let found = call.parameters.iter().find(|parameter| &*parameter.name == name);
            found.map_or("", |parameter| &*parameter.value)
        };
        assert_eq!(self.now, Pairs::Good, "an unfit pair was sent");
        assert_eq!(value("CAType"), "custom", "it became one of the cloud's");
        let pair = Pair::read(&self.files()).unwrap();
        assert_eq!(value("ServerCert"), pair.certificates, "another certificate than the one on the disk");
        assert_eq!(value("ServerKey"), payload_hash(pair.key.expose().as_bytes()), "another key");
        let is_private = |name: &str| name.starts_with("Server");
        assert!(
            call.parameters.iter().all(|one| one.in_body == is_private(&one.name)),
            "{:?}",
            call.parameters
        );
    }
}

/// No pair travels with a certificate of the cloud's.
pub(crate) fn has_none(call: &Call) {
    for parameter in &call.parameters {
        assert!(!parameter.name.starts_with("Server"), "{call:?}");
        assert!(&*parameter.name != "CAType" || &*parameter.value == "aliyun", "{call:?}");
    }
}

fn midnight(at: DateTime<Utc>) -> DateTime<Utc> {
    at.date_naive().and_time(NaiveTime::MIN).and_utc()
}

/// Writes a pair for a host; its end is a midnight.
fn write(files: &OwnCertificate, host: &str, end: DateTime<Utc>, key_file: Option<&str>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let part = |number: u32| u8::try_from(number).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(end.year(), part(end.month()), part(end.day()));
    put(&files.cert_file, &params.self_signed(&key).unwrap().pem());
    put(&files.key_file, key_file.unwrap_or(&key.serialize_pem()));
}

fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}
