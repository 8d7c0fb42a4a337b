//! A certificate on the page of its resource: its dates, where each was read, and what makes it recognisable.

use chrono::{DateTime, Utc};

use super::kind::Kind;
use super::renewals::{STORY, minute};
use super::resource::Fact;
use super::times::Stamp;
use super::words::{Words, fill};
use crate::domain::finding::{Stage, entered_at, stage};
use crate::domain::identity::{CertRole, Scope};
use crate::domain::resource::{Certificate, DateSource, Resource};
use crate::visible::shortened;
use crate::web::context::PageContext;
use crate::web::rows::Row;

/// Names of hosts are many: they are cut later than a story.
const NAMES: usize = 1000;

/// A certificate.
#[derive(Debug)]
pub struct CertificateView {
    /// The class in the style sheet.
    pub class: &'static str,
    /// How close to its end it is, in a word.
    pub stage: &'static str,
    /// What it is to those who connect, in a word.
    pub role: &'static str,
    /// And in a few.
    pub meaning: &'static str,
    /// "12 d left", "ended 3 d ago".
    pub left: String,
    /// Its end.
    pub ends: Stamp,
    /// How much of its life is over, in hundredths.
    pub life: Option<Life>,
    /// What else is known.
    pub facts: Vec<Fact>,
}

/// The life of a certificate.
#[derive(Debug)]
pub struct Life {
    /// In hundredths.
    pub over: i64,
    /// The same in words.
    pub text: String,
}

/// Every certificate of a resource, in the order in which they were read.
pub fn certificates(
    scope: &Scope,
    resource: &Resource,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> Vec<CertificateView> {
    let view = |certificate| {
        view(&Row { scope, resource, certificate: Some(certificate) }, certificate, now, context)
    };
    resource.certificates().iter().map(view).collect()
}

fn view(
    row: &Row<'_>,
    certificate: &Certificate,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> CertificateView {
    let (w, m) = (context.tongue.words, context.tongue.words.more);
    let (kind, end) = (Kind::of(row, context, now), certificate.not_after);
    let left =
        if end > now { fill(m.left, &[&w.length(end - now)]) } else { fill(m.over, &[&w.ago(now - end)]) };
    CertificateView {
        class: kind.as_str(),
        stage: w.kinds[kind as usize],
        role: m.role(certificate.role),
        meaning: match certificate.role {
            CertRole::Server => m.server_explained,
            CertRole::Ca => m.ca_explained,
            CertRole::Chain => m.chain_explained,
        },
        left,
        ends: Stamp::new(end, context.timezone),
        life: certificate.not_before.and_then(|begin| life(begin, end, now, w)),
        facts: facts(row, certificate, now, context),
    }
}

fn life(begin: DateTime<Utc>, end: DateTime<Utc>, now: DateTime<Utc>, w: &Words) -> Option<Life> {
    let (length, gone) = ((end - begin).num_minutes(), (now - begin).num_minutes());
    let over = (gone.clamp(0, length.max(0)) * 100).checked_div(length)?;
    Some(Life { over, text: fill(w.more.life, &[&over.to_string()]) })
}

fn facts(
    row: &Row<'_>,
    certificate: &Certificate,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> Vec<Fact> {
    let m = context.tongue.words.more;
    let subject = &certificate.subject;
    let names = shortened(&subject.names.join(", "), NAMES).into_owned();
    let begins = certificate.not_before.map(|at| minute(at, context));
    let known = [
        (m.begins, begins.unwrap_or_default(), false),
        (m.read_from, source(certificate.source, context.tongue.words).to_owned(), false),
        (m.other_source, other(certificate, context), false),
        (m.next_stage, next_stage(row, certificate, now, context).unwrap_or_default(), false),
        (m.common_name, subject.common_name.to_string(), true),
        (m.issuer, subject.issuer.to_string(), true),
        (m.serial, subject.serial.to_string(), true),
        (m.sha256, subject.sha256.to_string(), true),
        (m.key, subject.key.to_string(), true),
        (m.names, names, true),
    ];
    let known = known.into_iter().filter(|(_, text, _)| !text.is_empty());
    known
        .map(|(label, text, code)| Fact {
            label,
            text: shortened(&text, if label == m.names { NAMES } else { STORY }).into_owned(),
            code,
        })
        .collect()
}

fn source(source: DateSource, w: &Words) -> &'static str {
    match source {
        DateSource::Api => w.more.source_api,
        DateSource::X509 => w.more.source_x509,
    }
}

/// What the other source says of the same end.
fn other(certificate: &Certificate, context: &PageContext<'_>) -> String {
    let (w, m) = (context.tongue.words, context.tongue.words.more);
    let name = match certificate.source {
        DateSource::Api => source(DateSource::X509, w),
        DateSource::X509 => source(DateSource::Api, w),
    };
    let Some(other) = certificate.other_not_after else {
        return format!("{name}: {}", m.one_source);
    };
    let apart = w.length(other - certificate.not_after);
    let said = match certificate.dates_disagree() {
        Some(true) => fill(m.dates_differ, &[&minute(other, context), &apart]),
        _ => fill(m.dates_agree, &[&minute(other, context)]),
    };
    format!("{name}: {said}")
}

fn next_stage(
    row: &Row<'_>,
    certificate: &Certificate,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> Option<String> {
    let thresholds = (context.thresholds)(row.scope, row.resource);
    let here = stage(certificate, &thresholds, now);
    let next = *Stage::ALL.iter().find(|stage| **stage > here)?;
    let w = context.tongue.words;
    let at = entered_at(certificate, &thresholds, next);
    Some(fill(w.more.from, &[w.stage(next), &minute(at, context)]))
}
