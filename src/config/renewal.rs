//! `[renewal]` and `[[renewal.allow]]`: what may be renewed, when, and how carefully.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::duration::show_duration;
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::policy::{Hook, OwnCertificate, RenewalMode, RenewalPolicy, RenewalRule, Window};
use crate::fields::{Fault, Fields};
use crate::problem::quoted;

use super::names::unique;
use super::times::{date, hours, timezone};

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_hours(365 * 24);

const STORE: &str =
    "name one, where every start finds it again:\n[store]\nurl = \"sqlite:/var/lib/notafter/notafter.db\"";

/// Reads the table. `stored`: the file says where the store is. What was ordered has to be found again, whichever folder
/// the daemon is started from, so the usual place is not enough.
pub(super) fn read(fields: &mut Fields<'_>, stored: bool) -> RenewalPolicy {
    let usual = RenewalPolicy::default();
    let mode = mode(fields);
    if mode != RenewalMode::Off && !stored {
        let predicate = format!(
            "is \"{}\", which needs `url` in [store]: what is planned and ordered is written down first, so that nothing \
             is ordered twice",
            mode.as_str()
        );
        fields.problem("mode", &predicate, STORE);
    }
    let before = fields.duration("before", SECOND..=YEAR).unwrap_or(usual.before);
    let announce = fields.duration("announce", SECOND..=YEAR).unwrap_or(usual.announce);
    let max_in_progress = count(fields, "max_in_progress").unwrap_or(usual.max_in_progress);
    let max_per_day = count(fields, "max_per_day").unwrap_or(usual.max_per_day);
    let stop_after_failures = count(fields, "stop_after_failures").unwrap_or(usual.stop_after_failures);
    let mut blackout = fields.list("blackout", unique(date)).unwrap_or_default();
    blackout.sort_unstable();
    let allow = fields.tables("allow", rule);
    if announce >= before {
        let predicate = format!("must be shorter than `before`, which is \"{}\"", show_duration(before));
        let hint = "otherwise a certificate ends before its renewal was announced long enough";
        fields.problem("announce", &predicate, hint);
    }
    let limits = RenewalPolicy { mode, before, announce, max_in_progress, max_per_day, ..usual };
    RenewalPolicy { stop_after_failures, blackout, allow, ..limits }
}

fn mode(fields: &mut Fields<'_>) -> RenewalMode {
    let word = fields.choice("mode", &RenewalMode::ALL.map(RenewalMode::as_str));
    RenewalMode::ALL.into_iter().find(|mode| Some(mode.as_str()) == word).unwrap_or_default()
}

fn count(fields: &mut Fields<'_>, key: &'static str) -> Option<u32> {
    fields.integer(key, 1..=1_000_000).and_then(|number| u32::try_from(number).ok())
}

fn rule(number: usize, fields: &mut Fields<'_>) -> Option<RenewalRule> {
    fields.set_context(&format!("renewal.allow {}", number + 1));
    let matcher = fields.require("match", "match = 'cloud_service=\"redis\", tag:env=\"staging\"'");
    let matcher = matcher.parsed("match", |text| Ok(Matcher::parse(text, LabelSet::CERTIFICATE)?));
    let window = window(fields);
    let certificate = fields.table("certificate", own_certificate);
    let hook = fields.table("hook", hook);
    Some(RenewalRule { matcher: matcher?, window: window?, certificate, hook })
}

const HOOK: &str = "hook = { before = [\"/usr/local/bin/PROGRAM\", \"ARGUMENT\"], timeout = \"60s\" }";

fn hook(fields: &mut Fields<'_>) -> Option<Hook> {
    let before = program(fields, "before");
    let after = program(fields, "after");
    let timeout = fields.duration("timeout", SECOND..=HOUR).unwrap_or(Hook::TIMEOUT);
    if !fields.has("before") && !fields.has("after") {
        fields.problem_here("has neither `before` nor `after`", HOOK);
        return None;
    }
    Some(Hook { before, after, timeout })
}

/// Program and arguments, as they are given to the system; there is no shell in between, and no search for the program.
fn program(fields: &mut Fields<'_>, key: &'static str) -> Option<Vec<String>> {
    let words = fields.list(key, |text| Ok(text.to_owned()))?;
    if words.first().is_none_or(|program| !program.starts_with('/')) {
        fields.problem(key, "must begin with the whole path of a program", HOOK);
        return None;
    }
    Some(words)
}

const WINDOW: &str = "window = { timezone = \"Asia/Shanghai\", days = [\"tue\"], from = \"02:00\", to = \"05:00\" }, or \"cloud\"";

fn window(fields: &mut Fields<'_>) -> Option<Window> {
    let item = fields.require("window", WINDOW).item("window")?;
    if item.is_table() {
        return item.table(local);
    }
    item.parsed(|text| match text {
        "cloud" => Ok(Window::Cloud),
        _ => Err(Fault::new(format!("cannot be {}", quoted(text)), WINDOW)),
    })
}

/// A window without a zone would open hours early or late, so it has no default.
fn local(fields: &mut Fields<'_>) -> Option<Window> {
    let timezone = fields.require("timezone", "timezone = \"Asia/Shanghai\"").parsed("timezone", timezone);
    let hours = hours(fields);
    Some(Window::Local { timezone: timezone?, hours: hours? })
}

fn own_certificate(fields: &mut Fields<'_>) -> Option<OwnCertificate> {
    let example = "certificate = { cert_file = \"PATH\", key_file = \"PATH\" }";
    let cert_file = fields.require("cert_file", example).string("cert_file").map(PathBuf::from);
    let key_file = fields.require("key_file", example).string("key_file").map(PathBuf::from);
    Some(OwnCertificate { cert_file: cert_file?, key_file: key_file? })
}
