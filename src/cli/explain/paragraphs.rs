//! The paragraphs of an explanation: a title and rows of a word and what is to be said about it.

use chrono::{DateTime, TimeDelta, Utc};

use super::why::regular_interval;
use super::{Applied, Found, Known};
use crate::cli::text::{about, left, plural, utc};
use crate::domain::duration::show_duration;
use crate::domain::finding::{Stage, stage};
use crate::domain::policy::Thresholds;
use crate::domain::resource::{Certificate, DateSource, Facts, ManagedBy, TlsState};
use crate::domain::schedule::{load, next_look};
use crate::visible::visible;

/// A paragraph under way.
pub(super) struct Paragraph(String);

impl Paragraph {
    pub(super) fn titled(title: &str) -> Self {
        Self(format!("{title}\n"))
    }

    pub(super) fn say(&mut self, word: &str, text: &str) {
        self.0.extend(["  ", &format!("{word:<13}"), &visible(text), "\n"]);
    }

    pub(super) fn say_known(&mut self, word: &str, text: &str) {
        if !text.is_empty() {
            self.say(word, text);
        }
    }
}

pub(super) fn of(found: Found<'_>, known: &Known<'_>) -> String {
    let mut paragraphs = vec![resource(found)];
    let certificates = found.resource.certificates().iter();
    paragraphs.extend(certificates.map(|certificate| self::certificate(certificate, found, known)));
    paragraphs.extend([looks(found, known), scope(found, known)]);
    paragraphs.extend(super::alerts::of(found, known));
    paragraphs.push(super::renewal::of(found, known));
    let texts: Vec<_> = paragraphs.into_iter().map(|Paragraph(text)| text).collect();
    texts.join("\n")
}

fn resource(found: Found<'_>) -> Paragraph {
    let Found { scope, resource, .. } = found;
    let mut paragraph = Paragraph::titled(&format!("Resource {}", visible(&resource.id)));
    let facts = &resource.facts;
    paragraph.say_known("name", &facts.name);
    paragraph.say("scope", &scope.to_string());
    paragraph.say_known("status", &facts.status);
    paragraph.say_known("engine", &facts.engine);
    let tags: Vec<_> = facts.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    paragraph.say_known("tags", &tags.join(", "));
    paragraph.say_known("group", facts.group.as_deref().unwrap_or_default());
    if facts.locked {
        paragraph.say("locked", "the cloud has locked it");
    }
    paragraph.say_known("in use", &in_use(facts));
    paragraph.say("TLS", tls(resource.state()));
    if let Some(reading) = &resource.reading {
        let managed_by = reading.managed_by.map(|managed_by| match managed_by {
            ManagedBy::Cloud => "the cloud issued it",
            ManagedBy::Customer => "the customer uploaded it",
        });
        paragraph.say_known("certificate", managed_by.unwrap_or_default());
        if reading.renewal_required == Some(true) {
            paragraph.say("renewal", "the cloud asks for it");
        }
    }
    paragraph
}

fn in_use(facts: &Facts) -> String {
    match facts.in_use {
        Some(true) if facts.used_by.is_empty() => "yes".to_owned(),
        Some(true) => format!("by {}", facts.used_by.join(", ")),
        Some(false) => "no, nothing uses it".to_owned(),
        None => String::new(),
    }
}

fn tls(state: TlsState) -> &'static str {
    match state {
        TlsState::Enabled => "on",
        TlsState::Disabled => "off, so no certificate matters",
        TlsState::Unsupported => "not possible on this kind of instance",
        TlsState::Unknown => "not known",
    }
}

fn certificate(certificate: &Certificate, found: Found<'_>, known: &Known<'_>) -> Paragraph {
    let mut paragraph = Paragraph::titled(&format!("Certificate, role {}", certificate.role.as_str()));
    paragraph.say("ends", &relative(certificate.not_after, known.now));
    if let Some(begin) = certificate.not_before {
        paragraph.say("began", &utc(begin));
    }
    paragraph.say("date from", &source(certificate));
    let subject = &certificate.subject;
    paragraph.say_known("common name", &subject.common_name);
    paragraph.say_known("issuer", &subject.issuer);
    paragraph.say_known("serial", &subject.serial);
    paragraph.say_known("sha256", &subject.sha256);
    paragraph.say_known("key", &subject.key);
    paragraph.say_known("names", &subject.names.join(", "));
    let applied = known.thresholds_of(found, certificate.role);
    let stage = stage(certificate, &applied.thresholds, known.now);
    paragraph.say("stage", &because(stage, certificate, &applied.thresholds));
    paragraph.say("thresholds", &thresholds(&applied));
    paragraph
}

fn source(certificate: &Certificate) -> String {
    let (this, other) = match certificate.source {
        DateSource::Api => ("the cloud's answer", "the certificate itself"),
        DateSource::X509 => ("the certificate itself", "the cloud's answer"),
    };
    match (certificate.other_not_after, certificate.dates_disagree()) {
        (Some(end), Some(true)) => format!("{this}; {other} disagrees: {}", utc(end)),
        (Some(_), _) => format!("{this}; {other} agrees"),
        (None, _) => this.to_owned(),
    }
}

fn because(stage: Stage, certificate: &Certificate, thresholds: &Thresholds) -> String {
    let word = stage.as_str();
    let (threshold, share, share_word) = match stage {
        Stage::Info => (thresholds.info, 3, "third"),
        Stage::Warning => (thresholds.warning, 6, "sixth"),
        Stage::Critical => (thresholds.critical, 12, "twelfth"),
        Stage::Expired => return format!("{word}: it is over"),
        Stage::Ok => return format!("{word}: no threshold is reached"),
    };
    let shown = show_duration(threshold);
    let life = certificate.not_before.and_then(|begin| (certificate.not_after - begin).to_std().ok());
    match life.map(|life| life / share) {
        Some(part) if part < threshold => {
            format!(
                "{word}: no more than {} left, a {share_word} of its life, less than {shown}",
                about(part)
            )
        }
        _ => format!("{word}: no more than {shown} left"),
    }
}

fn thresholds(applied: &Applied<'_>) -> String {
    let Thresholds { info, warning, critical } = applied.thresholds;
    let [info, warning, critical] = [info, warning, critical].map(show_duration);
    let by = match applied.rule {
        Some((number, matcher)) => {
            format!("[[alert.override]] number {number}, the first that matches: {matcher}")
        }
        None => "[alert] thresholds; no [[alert.override]] matches".to_owned(),
    };
    format!("info {info}, warning {warning}, critical {critical}, by {by}")
}

fn looks(found: Found<'_>, known: &Known<'_>) -> Paragraph {
    let Found { resource, .. } = found;
    let mut paragraph = Paragraph::titled("Looks");
    let last = resource.looked_at.map_or_else(|| "none yet".to_owned(), |at| relative(at, known.now));
    paragraph.say("last", &last);
    if let Some(failure) = &resource.failure {
        let failures = plural(resource.failures_in_a_row as usize, "failure");
        paragraph
            .say("failure", &format!("{}: {}; {failures} in a row", failure.reason.as_str(), failure.text));
        let good = resource.reading.as_ref().map(|reading| relative(reading.at, known.now));
        paragraph.say("last good", &good.unwrap_or_else(|| "none yet".to_owned()));
    }
    if (known.pace)(found.scope).is_none() || (known.uptime.is_some() && resource.due.is_none()) {
        let every = show_duration(known.policy.discover_every);
        paragraph.say("next", &format!("with the next listing of its scope, every {every}"));
        return paragraph;
    }
    paragraph.say("next", &next(found, known));
    let (_, rule) = regular_interval(resource, known.policy, known.now);
    paragraph.say("because", &format!("{rule}; a spread takes off up to a tenth"));
    if resource.failures_in_a_row > 0 {
        paragraph
            .say("", "after a failure it is tried again in a minute, then ever later, never beyond that");
    }
    paragraph
}

fn next(found: Found<'_>, known: &Known<'_>) -> String {
    let (Some(uptime), Some(due)) = (known.uptime, found.resource.due) else {
        let wait = next_look(found.scope, found.resource, known.policy, known.now);
        return format!("a daemon would look again within {}", about(wait));
    };
    let wait = due.saturating_sub(uptime);
    if wait.is_zero() {
        return "due now".to_owned();
    }
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    relative(known.now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC), known.now)
}

fn scope(found: Found<'_>, known: &Known<'_>) -> Paragraph {
    let Found { scope, view, .. } = found;
    let mut paragraph = Paragraph::titled(&format!("Scope {}", visible(&scope.to_string())));
    let listed = view.listed_at.map_or_else(|| "never completely".to_owned(), |at| relative(at, known.now));
    paragraph.say("listed", &listed);
    if let Some(took) = view.listing_took {
        let every = show_duration(known.policy.discover_every);
        paragraph.say(
            "",
            &format!("the last listing took {:.1} s, there is one every {every}", took.as_secs_f64()),
        );
    }
    if let Some(failure) = view.failure() {
        paragraph.say("failure", &format!("{}: {}", failure.reason.as_str(), failure.text));
    }
    paragraph.say("resources", &resources(found));
    paragraph.say("pace", &pace(found, known));
    paragraph
}

fn resources(found: Found<'_>) -> String {
    let counts = found.view.counts;
    let states = [TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown];
    let states = states.map(|state| format!("{} {}", counts.of(state), state.as_str()));
    format!("{}: {}; {} excluded", found.view.resources.len(), states.join(", "), found.view.excluded)
}

/// Whether the pace of a scope suffices for its size.
fn pace(found: Found<'_>, known: &Known<'_>) -> String {
    let Some(allowed) = (known.pace)(found.scope) else {
        return "the listing carries the certificates, no further calls are needed".to_owned();
    };
    let resources = found.view.resources.iter().map(|resource| &**resource);
    let load = load(resources, allowed, known.policy, known.now);
    let max_age = show_duration(known.policy.max_age);
    let needed = load.needed_per_second;
    let figures =
        format!("one look at each takes {} at {} ({needed:.3} needed)", about(load.round), rate(allowed));
    if !load.is_too_large(known.policy) {
        return format!("{figures}: max_age {max_age} is kept");
    }
    format!(
        "TOO SLOW: {figures}: data gets older than max_age {max_age}; raise rate_limit of the account, or max_age"
    )
}

fn rate(calls_per_second: f64) -> String {
    if calls_per_second < 1.0 {
        return format!("one call in {:.0} s", 1.0 / calls_per_second);
    }
    format!("{calls_per_second:.1} calls a second")
}

/// `2026-11-23 15:00:59 UTC, in 31 h`, or `…, 3 d ago`.
pub(super) fn relative(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let left_of_it = moment - now;
    let lead = if left_of_it > TimeDelta::zero() { "in " } else { "" };
    format!("{}, {lead}{}", utc(moment), left(left_of_it))
}
