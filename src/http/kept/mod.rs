//! The last answers of the clouds, for a support bundle: kept in memory, few, small, and with everything taken out that could
//! be a secret at the moment of keeping. What a maintainer gets is the form of an answer, and the values that a reading is
//! made of; see `clean` for what stays.
//!
//! Which fields may keep their values is said by those who make the call ([`Shown`]), because only they know the answer.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Answer;
use crate::call::CallError;

mod clean;
mod pem;

/// So many failures of one call with one status are kept, the youngest.
const ALIKE: usize = 5;
/// So many failures are kept in all, the youngest.
const FAILURES: usize = 50;
/// So many kinds of call are kept, of which there are about thirty.
const KINDS: usize = 64;
/// An answer that is longer is not looked into.
const LONGEST: usize = 512 * 1024;
/// What is kept of one is not longer. Rows beyond that are left out.
const KEPT: usize = 64 * 1024;
/// Of each list, so many rows stay where the whole is too long.
const ROWS: usize = 20;
/// A good answer is replaced by a younger one no more often: looking into it costs time.
const EVERY: Duration = Duration::from_secs(15);

/// The fields of an answer that keep their values, if these look like what stands there. Everything else keeps its name and
/// its type.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    /// Ids, words, dates, numbers and names of hosts.
    pub words: &'static [&'static str],
    /// Certificates in PEM; of what stands around them nothing is kept.
    pub certificates: &'static [&'static str],
}

impl Shown {
    /// No value at all: answers that lend keys.
    pub const NOTHING: &'static Self = &Self { words: &[], certificates: &[] };
}

/// How the answer of one call is kept.
#[derive(Clone, Copy)]
pub struct Keeping<'a> {
    /// Which fields keep their values.
    pub shown: &'static Shown,
    /// What the call was made with, lest it is repeated: a text with one of them in it is not kept.
    pub secrets: [&'a str; 3],
}

impl Keeping<'_> {
    /// Nothing but the form.
    pub const FORM: Self = Self { shown: Shown::NOTHING, secrets: [""; 3] };
}

impl fmt::Debug for Keeping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").field("shown", self.shown).finish_non_exhaustive()
    }
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The cloud.
    pub provider: String,
    /// The account.
    pub account: String,
    /// The call, by the cloud's own name.
    pub action: String,
    /// Where.
    pub region: String,
    /// When it was answered.
    pub at: DateTime<Utc>,
    /// HTTP status; `None`: there was no answer.
    pub status: Option<u16>,
    /// Those headers that a reading looks at.
    pub headers: BTreeMap<String, String>,
    /// How long it was.
    pub bytes: usize,
    /// What it was: `json`, `html`, `empty`, `too long` or `other`.
    pub form: String,
    /// What is kept of it; `None` for what is no JSON.
    pub body: Option<Value>,
    /// Rows were left out.
    pub shortened: bool,
    /// What was made of it, if that was a failure.
    pub error: Option<String>,
}

/// The answers. Clones are the same ones.
#[derive(Clone, Default)]
pub struct KeptAnswers(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// By cloud and call.
    last: BTreeMap<(Arc<str>, &'static str), KeptAnswer>,
    failures: VecDeque<KeptAnswer>,
}

/// Who was asked, and for what.
pub(super) struct Place<'a> {
    pub(super) provider: &'a Arc<str>,
    pub(super) account: &'a str,
    pub(super) action: &'static str,
    pub(super) region: &'a str,
}

impl fmt::Debug for KeptAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptAnswers(…)")
    }
}

impl KeptAnswers {
    /// All of them, the last of each kind and then the failures, the oldest first.
    pub fn all(&self) -> Vec<KeptAnswer> {
        let kept = self.lock();
        kept.last.values().chain(&kept.failures).cloned().collect()
    }

    /// Keeps what has to be kept of this one. A call without an answer is kept if it failed.
    pub(super) fn keep(
        &self,
        place: &Place<'_>,
        keeping: Keeping<'_>,
        answer: Option<&Answer>,
        error: Option<&CallError>,
        now: DateTime<Utc>,
    ) {
        if error.is_none() && !self.wants(place, now) {
            return;
        }
        let kept = KeptAnswer::of(place, keeping, answer, error, now);
        let mut all = self.lock();
        if error.is_some() {
            // an outage says the same again and again; what is odd must not be pushed out by it
            let of = |one: &KeptAnswer| {
                (one.provider.clone(), one.account.clone(), one.action.clone(), one.status)
            };
            let this = of(&kept);
            let alike = |other: &KeptAnswer| of(other) == this;
            if all.failures.iter().filter(|other| alike(other)).count() >= ALIKE {
                let oldest = all.failures.iter().position(alike).unwrap_or_default();
                all.failures.remove(oldest);
            }
            if all.failures.len() >= FAILURES {
                all.failures.pop_front();
            }
            all.failures.push_back(kept);
        } else if all.last.len() < KINDS || all.last.contains_key(&key(place)) {
            all.last.insert(key(place), kept);
        }
    }

    fn wants(&self, place: &Place<'_>, now: DateTime<Utc>) -> bool {
        let kept = self.lock();
        let last = kept.last.get(&key(place));
        last.is_none_or(|last| (now - last.at).to_std().is_ok_and(|age| age >= EVERY))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(place: &Place<'_>) -> (Arc<str>, &'static str) {
    (Arc::clone(place.provider), place.action)
}

impl KeptAnswer {
    /// The answer again, to be read offline; `None` where there was none, or nothing is kept of it.
    pub fn answer(&self) -> Option<Answer> {
        let pairs = self.headers.iter().map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        let body = match (&self.body, &*self.form) {
            (Some(body), _) => Bytes::from(body.to_string()),
            (None, "empty") => Bytes::new(),
            _ => return None,
        };
        Some(Answer {
            status: StatusCode::from_u16(self.status?).ok()?,
            headers: pairs.collect::<Option<_>>()?,
            body,
        })
    }

    fn of(
        place: &Place<'_>,
        keeping: Keeping<'_>,
        answer: Option<&Answer>,
        error: Option<&CallError>,
        now: DateTime<Utc>,
    ) -> Self {
        let bytes = answer.map_or(0, |answer| answer.body.len());
        let body = answer.map(|answer| answer.body.trim_ascii()).unwrap_or_default();
        let parsed = if body.len() > LONGEST { None } else { serde_json::from_slice(body).ok() };
        let form = form(body, parsed.as_ref());
        let (body, shortened) = match parsed.map(|value| clean::cleaned(value, keeping)) {
            None => (None, false),
            Some(value) if value.to_string().len() <= KEPT => (Some(value), false),
            Some(value) => {
                (Some(clean::shortened(value, ROWS)).filter(|v| v.to_string().len() <= KEPT), true)
            }
        };
        Self {
            provider: place.provider.to_string(),
            account: place.account.to_owned(),
            action: place.action.to_owned(),
            region: place.region.to_owned(),
            at: now,
            status: answer.map(|answer| answer.status.as_u16()),
            headers: answer.map(|answer| clean::headers(&answer.headers, keeping)).unwrap_or_default(),
            bytes,
            form: form.to_owned(),
            body,
            shortened,
            error: error.map(ToString::to_string),
        }
    }
}

fn form(body: &[u8], parsed: Option<&Value>) -> &'static str {
    match body {
        [] => "empty",
        _ if parsed.is_some() => "json",
        long if long.len() > LONGEST => "too long",
        [b'<', ..] => "html",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::call::CallErrorKind;
    use crate::domain::testing::moment;

    fn answer(body: &str) -> Answer {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Answer { status: StatusCode::OK, headers: HeaderMap::new(), body }
    }

    fn place(provider: &Arc<str>) -> Place<'_> {
        Place { provider, account: "prod", action: "rds:X", region: "cn-hangzhou" }
    }

    #[test]
    fn the_last_of_each_kind_and_the_last_failures_are_kept() {
        let (kept, cloud) = (KeptAnswers::default(), Arc::from("alibaba"));
        let failed = CallError::new(CallErrorKind::Refused, "rds:X", "no");
        for minute in 0..100 {
            let now = moment() + chrono::TimeDelta::minutes(minute);
            let account = format!("account {minute}");
            kept.keep(&place(&cloud), Keeping::FORM, Some(&answer(&format!("[{minute}]"))), None, now);
            kept.keep(&Place { account: &account, ..place(&cloud) }, Keeping::FORM, None, Some(&failed), now);
        }
        let all = kept.all();
        assert_eq!(all.len(), 1 + FAILURES);
        assert_eq!(all[0].at, moment() + chrono::TimeDelta::minutes(99), "the youngest of its kind");
        assert_eq!(all[1].at, moment() + chrono::TimeDelta::minutes(50), "the oldest failure that is kept");
        assert_eq!((all[1].status, all[1].error.as_deref()), (None, Some("rds:X: refused: no")));
        kept.keep(&place(&cloud), Keeping::FORM, Some(&answer("[1]")), None, all[0].at);
        assert_eq!(kept.all()[0], all[0], "not twice within a moment");
    }

    #[test]
    fn an_outage_does_not_push_out_what_is_odd() {
        let (kept, cloud) = (KeptAnswers::default(), Arc::from("alibaba"));
        let failed = |text: &str| CallError::new(CallErrorKind::Refused, "rds:X", text);
        let odd = Place { action: "rds:Y", ..place(&cloud) };
        kept.keep(&odd, Keeping::FORM, None, Some(&failed("odd")), moment());
        for minute in 0..100 {
            let now = moment() + chrono::TimeDelta::minutes(minute);
            kept.keep(&place(&cloud), Keeping::FORM, None, Some(&failed(&format!("no, {minute}"))), now);
        }
        let errors: Vec<_> = kept.all().into_iter().filter_map(|answer| answer.error).collect();
        assert_eq!((errors.len(), &*errors[0]), (1 + ALIKE, "rds:X: refused: odd"), "{errors:?}");
        assert_eq!(errors[ALIKE], "rds:X: refused: no, 99");
    }

    #[test]
    fn what_is_kept_is_short_and_says_what_it_was() {
        let cloud = Arc::from("alibaba");
        let kept =
            |body: &str| KeptAnswer::of(&place(&cloud), Keeping::FORM, Some(&answer(body)), None, moment());
        for (body, form) in
            [("", "empty"), ("<html>", "html"), ("PLANTED", "other"), ("{}", "json"), ("[", "other")]
        {
            let kept = kept(body);
            assert_eq!(
                (&*kept.form, kept.bytes, kept.body.is_some()),
                (form, body.len(), form == "json"),
                "{body}"
            );
        }
        let rows = vec![r#"{"a":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}"#; 5000].join(",");
        let long = kept(&format!(r#"{{"rows":[{rows}]}}"#));
        assert!(
            long.shortened
                && long.body.is_some_and(|body| body["rows"].as_array().map(Vec::len) == Some(ROWS))
        );
        assert_eq!(kept(&"1".repeat(LONGEST + 1)).form, "too long");
    }
}
