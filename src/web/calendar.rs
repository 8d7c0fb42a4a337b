//! `GET /calendar.ics`: ends of certificates and windows of renewals, for the calendars of people (RFC 5545).
//!
//! Calendars that subscribe ask again and replace what they had. So an event keeps its `UID` for as long as its place
//! does: after a renewal the end of the certificate is the same event on another day.

use std::fmt::Write as _;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, TimeDelta, Utc};

use super::api::renewals::is_meant;
use super::api::{first_certificates, is_asked_for};
use super::context::PageContext;
use super::cursor::Sort;
use super::page::tongue::Tongue;
use super::page::words::{Words, fill};
use super::planned::{Entry, entries};
use super::query::{CertificatesQuery, Given, MOST, limit, matcher, states, within};
use super::refusal::Refusal;
use super::rows::Row;
use super::view::Shown;
use crate::domain::hash::stable_hash;
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::renewal::window::Span;
use crate::domain::resource::TlsState;
use crate::domain::snapshot::Snapshot;
use crate::provider;
use crate::visible::shortened;

/// Names are cut behind so many characters.
const NAME: usize = 80;
/// A line has so many bytes at most, without its end (RFC 5545, 3.1).
const LINE: usize = 75;
/// An end is a moment; some calendars show nothing of what takes no time.
const SHOWN: TimeDelta = TimeDelta::minutes(30);

/// What `/calendar.ics` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarQuery {
    matcher: Option<Matcher>,
    states: Option<Vec<TlsState>>,
    within: Option<Duration>,
    limit: usize,
}

impl CalendarQuery {
    /// Its parameters, as documented.
    pub const PARAMETERS: [&str; 5] = ["match", "state", "within", "limit", "lang"];

    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut given = Given::read(query, &Self::PARAMETERS);
        let parsed = Self {
            matcher: given.take("match", |text| matcher(text, LabelSet::CERTIFICATE)),
            states: given.take("state", states),
            within: given.take("within", within),
            limit: given.take("limit", limit).unwrap_or(MOST),
        };
        given.finish(parsed)
    }
}

/// Answers with a calendar.
pub(super) async fn show(
    State(shown): State<Shown>,
    tongue: Tongue,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = CalendarQuery::parse(query.as_deref())?;
    let text =
        shown.make(move |snapshot, now, context| calendar(snapshot, &query, now, &context.speaking(tongue)));
    let headers = [
        (CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (CONTENT_DISPOSITION, "inline; filename=\"notafter.ics\""),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-language"),
    ];
    Ok((headers, text.await).into_response())
}

/// The calendar: what ends first, as much of it as was asked for, and the windows of renewals that are planned.
pub fn calendar(
    snapshot: &Snapshot,
    query: &CalendarQuery,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> String {
    let words = context.tongue.words;
    let asked = CertificatesQuery {
        matcher: query.matcher.clone(),
        within: query.within,
        states: query.states.clone(),
        sort: Sort::NotAfter,
        limit: query.limit,
        after: None,
    };
    let wanted = |row: &Row<'_>| row.certificate.is_some() && is_asked_for(row, &asked, now, context);
    let mut lines = Lines::default();
    lines.put("BEGIN", "VCALENDAR");
    lines.put("VERSION", "2.0");
    lines.put("PRODID", &format!("-//notafter//notafter {}//EN", context.version));
    lines.put("CALSCALE", "GREGORIAN");
    lines.put("METHOD", "PUBLISH");
    for name in ["NAME", "X-WR-CALNAME"] {
        lines.text(name, words.more.calendar_name);
    }
    lines.put("REFRESH-INTERVAL;VALUE=DURATION", "PT1H");
    lines.put("X-PUBLISHED-TTL", "PT1H");
    // A calendar must have something in it, and an empty one is still to be taken.
    lines.put("BEGIN", "VTIMEZONE");
    lines.put("TZID", "UTC");
    lines.put("BEGIN", "STANDARD");
    lines.put("DTSTART", "19700101T000000");
    lines.put("TZOFFSETFROM", "+0000");
    lines.put("TZOFFSETTO", "+0000");
    lines.put("END", "STANDARD");
    lines.put("END", "VTIMEZONE");
    for row in first_certificates(snapshot, query.limit, wanted) {
        end(&row, now, context, &mut lines);
    }
    for (entry, window) in windows(snapshot, query, now, context) {
        renewal(&entry, window, now, words, &mut lines);
    }
    lines.put("END", "VCALENDAR");
    lines.0
}

fn end(row: &Row<'_>, now: DateTime<Utc>, context: &PageContext<'_>, lines: &mut Lines) {
    let (words, Row { scope, resource, .. }) = (context.tongue.words, *row);
    let (Some(end), Some(role)) = (row.not_after(), row.role()) else { return };
    let name = |text: &str| shortened(text, NAME).into_owned();
    let shown = if resource.facts.name.is_empty() { name(&resource.id) } else { name(&resource.facts.name) };
    let mut about = vec![
        format!("{}: {}", words.id, name(&resource.id)),
        format!("{}: {} ({})", words.account, name(&scope.account), name(&scope.provider)),
        format!("{}: {}", words.service, name(&scope.service)),
        format!("{}: {}", words.region, name(&scope.region)),
        format!("{}: {}", words.role, words.more.role(role)),
    ];
    about.extend(context.owner(scope, resource).map(|owner| fill(words.owner, &[&name(owner)])));
    lines.put("BEGIN", "VEVENT");
    lines.put("UID", &format!("end-{:016x}@notafter", stable_hash([&*row.id()])));
    lines.put("DTSTAMP", &stamp(row.last_seen().unwrap_or(now)));
    lines.put("DTSTART", &stamp(end));
    lines.put("DTEND", &stamp(end.checked_add_signed(SHOWN).unwrap_or(end)));
    lines.text("SUMMARY", &fill(words.more.event_ends, &[&shown]));
    lines.text("DESCRIPTION", &about.join("\n"));
    lines.text(
        "LOCATION",
        &format!("{} {} {}", name(&scope.account), name(&scope.service), name(&scope.region)),
    );
    if let Some(stage) = row.stage(context, now) {
        lines.text("CATEGORIES", words.stage(stage));
    }
    if let Some(cloud) = provider::find(&scope.provider) {
        lines.put("URL", &uri(&(cloud.console)(scope, &resource.id)));
    }
    lines.put("TRANSP", "TRANSPARENT");
    lines.put("END", "VEVENT");
}

/// Windows that are still to come, of what the expression means.
fn windows<'b>(
    snapshot: &Snapshot,
    query: &CalendarQuery,
    now: DateTime<Utc>,
    context: &PageContext<'b>,
) -> Vec<(Entry<'b>, Span)> {
    let planned = context.renewals.into_iter().flat_map(entries);
    let planned = planned.filter_map(|entry: Entry<'b>| {
        let step = entry.step.filter(|step| step.rule.is_some())?;
        let window = step.planned.filter(|window| window.end > now)?;
        Some((entry, window))
    });
    let meant = |entry: &Entry<'_>| {
        query.matcher.as_ref().is_none_or(|matcher| is_meant(entry, matcher, snapshot, context))
    };
    let soon = |window: &Span| {
        query.within.is_none_or(|within| (window.begin - now).to_std().map_or(true, |wait| wait <= within))
    };
    planned.filter(|(entry, window)| meant(entry) && soon(window)).take(query.limit).collect()
}

fn renewal(entry: &Entry<'_>, window: Span, now: DateTime<Utc>, words: &Words, lines: &mut Lines) {
    let (Some(key), Some(step)) = (entry.resource(), entry.step) else { return };
    let name = |text: &str| shortened(text, NAME).into_owned();
    let shown = if step.name.is_empty() { name(&key.resource_id) } else { name(&step.name) };
    let mut about = vec![
        format!("{}: {}", words.id, name(&key.resource_id)),
        format!("{}: {} ({})", words.account, name(&key.account), name(&key.provider)),
        format!("{}: {}", words.service, name(&key.service)),
        format!("{}: {}", words.region, name(&key.region)),
    ];
    about.extend(step.call.as_ref().map(|call| super::page::renewals::called(call, words.renewal)));
    lines.put("BEGIN", "VEVENT");
    lines.put("UID", &format!("renewal-{}@notafter", entry.id()));
    lines.put("DTSTAMP", &stamp(entry.attempt.map_or(now, |attempt| attempt.changed_at)));
    lines.put("DTSTART", &stamp(window.begin));
    lines.put("DTEND", &stamp(window.end));
    lines.text("SUMMARY", &fill(words.more.event_renewal, &[&shown]));
    lines.text("DESCRIPTION", &about.join("\n"));
    lines.put("TRANSP", "TRANSPARENT");
    lines.put("END", "VEVENT");
}

/// As RFC 5545 writes a moment in UTC, within the years that it can write.
fn stamp(at: DateTime<Utc>) -> String {
    let first = DateTime::UNIX_EPOCH;
    let last = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(first);
    at.clamp(first, last).format("%Y%m%dT%H%M%SZ").to_string()
}

/// Nothing in an address of ours needs more than to stay within its line.
fn uri(address: &str) -> String {
    address.chars().filter(char::is_ascii_graphic).collect()
}

/// Lines as the format wants them.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// Text of people and clouds.
    fn text(&mut self, name: &str, text: &str) {
        let mut escaped = String::with_capacity(text.len() + 8);
        for character in text.chars() {
            match character {
                '\\' | ';' | ',' => escaped.extend(['\\', character]),
                '\n' => escaped.push_str("\\n"),
                control if control.is_control() => {}
                plain => escaped.push(plain),
            }
        }
        self.put(name, &escaped);
    }

    /// A line, folded by bytes so that no character is cut: what goes on begins with a space, which counts.
    fn put(&mut self, name: &str, value: &str) {
        let mut left = LINE;
        let mut line = String::with_capacity(name.len() + value.len() + 8);
        // writing to a String cannot fail
        let _ = write!(line, "{name}:{value}");
        for character in line.chars() {
            if character.len_utf8() > left {
                self.0.push_str("\r\n ");
                left = LINE - 1;
            }
            left -= character.len_utf8();
            self.0.push(character);
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests;
