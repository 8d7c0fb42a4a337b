//! What a template can use: every fact under a plain name, always there, empty where it is not known.
//!
//! `docs/templates.md` lists all of it; a test compares. Names stay what they are: people's templates use them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use percent_encoding::AsciiSet;

use super::marks::marked;
use crate::domain::alert::message::{
    By, CertificateFacts, CertificateItem, ChannelItem, ChannelNews, Gone, Item, Kind, Message, News,
    Overview, RenewalItem, RenewalNews, RenewalNote, SourceItem, SourceNews, Tone,
};
use crate::domain::finding::Stage;
use crate::domain::renewal::method::Restarts;
use crate::notifier::Setting;
use crate::notifier::script::{Entry, Line, Script, Span};
use crate::notifier::text::certificate::{label, stage_now, stage_word};
use crate::notifier::text::markup::plain;
use crate::notifier::text::moments::Voice;
use crate::notifier::text::phrase::tidy;
use crate::notifier::text::source::reason_word;

/// What ends an address in some markup. A percent sign is left alone: addresses come encoded.
const MARKUP: &AsciiSet = &percent_encoding::CONTROLS
    .add(b'<')
    .add(b'>')
    .add(b'"')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'[')
    .add(b']')
    .add(b'|')
    .add(b'*')
    .add(b'`')
    .add(b'\\')
    .add(b' ');

/// Names and values.
pub(super) type Record = BTreeMap<&'static str, Value>;

/// A line of ours: each channel writes it in its own way.
#[derive(Debug)]
pub(super) struct Words(Line);

impl Words {
    /// With a mark around each piece.
    pub(super) fn marked(&self) -> String {
        marked(&self.0)
    }
}

impl Object for Words {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_empty()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.0))
    }
}

/// Labels: those that an account does not have are empty.
#[derive(Debug)]
struct Labels(BTreeMap<Box<str>, Box<str>>);

impl Object for Labels {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(text(self.0.get(key.as_str()?).map_or("", |value| value)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|key| text(key)).collect())
    }
}

/// Everything about a message, with its first `kept` items.
pub(super) fn context(
    message: &Message,
    script: &Script,
    items: &[Value],
    kept: usize,
    setting: &Setting<'_>,
) -> Record {
    let voice = Voice::of(setting);
    let lines = |lines: &[Line]| lines.iter().cloned().map(words).collect::<Value>();
    BTreeMap::from([
        ("title", words(script.title.clone())),
        ("kind", Value::from(kind(message.kind))),
        ("type", text(message.type_name())),
        ("tone", Value::from(tone(script.tone))),
        ("severity", Value::from(message.severity().as_str())),
        ("opening", lines(&script.opening)),
        ("closing", lines(&script.closing)),
        ("footer", words(script.footer.clone())),
        ("items", items[..kept].iter().cloned().collect()),
        ("total", number(message.items.len() + message.left_out)),
        ("left_out", number(message.items.len() - kept + message.left_out)),
        ("overview", overview(message.overview.as_ref())),
        ("status_page", link(voice.words.status_page, setting.external_url.unwrap_or_default())),
        ("status_page_url", Value::from(address(setting.external_url.unwrap_or_default()))),
        ("channel", text(&message.channel)),
        ("route", text(&message.route)),
        ("event_id", text(&message.id)),
        ("locale", Value::from(setting.locale.as_str())),
        ("now", moment(voice.now, voice)),
        ("now_local", Value::from(voice.in_zone(voice.now))),
    ])
}

/// Everything about an item.
pub(super) fn item(item: &Item, entry: &Entry, voice: Voice) -> Value {
    let mut record = blank();
    record.extend([
        ("type", text(item.type_name())),
        ("severity", Value::from(item.severity().as_str())),
        ("tone", Value::from(tone(entry.tone))),
        ("head", words(entry.head.clone())),
        ("lines", entry.lines.iter().cloned().map(words).collect()),
        ("line", words(entry.short.clone())),
    ]);
    record.extend(match item {
        Item::Certificate(item) => certificate(item, voice),
        Item::Source(source) => self::source(source, voice),
        Item::Channel(channel) => self::channel(channel, voice),
        Item::Renewal(item) => self::renewed(item, voice),
    });
    Value::from_object(record)
}

/// Every name of an item, with nothing in it.
pub(super) fn blank() -> Record {
    const TEXTS: [&str; 56] = [
        "about",
        "news",
        "type",
        "severity",
        "tone",
        "head",
        "line",
        "name",
        "id",
        "provider",
        "account",
        "project",
        "region",
        "service",
        "role",
        "owner",
        "not_after",
        "not_after_local",
        "left",
        "stage",
        "stage_text",
        "previous_stage",
        "since",
        "link",
        "link_url",
        "serial",
        "sha256",
        "managed_by",
        "last_seen",
        "renewal",
        "renewal_at",
        "old_not_after",
        "old_serial",
        "by",
        "gone",
        "reason",
        "reason_text",
        "error",
        "last_success",
        "worst",
        "until",
        "not_after_utc",
        "attempt",
        "who",
        "rule",
        "call",
        "restarts",
        "window_from",
        "window_until",
        "missed",
        "expected_by",
        "new_not_after",
        "failure",
        "code",
        "request_id",
        "renewal_link",
    ];
    const NUMBERS: [&str; 7] =
        ["days_left", "seconds_left", "not_after_unix", "certificates", "failures", "queued", "delayed"];
    let texts = TEXTS.map(|name| (name, Value::from("")));
    let numbers = NUMBERS.map(|name| (name, Value::from(0)));
    let lists = ["lines", "services", "regions"].map(|name| (name, Value::from_iter(Vec::<Value>::new())));
    let answers = ["stale", "again", "asks", "stops", "unwatched"].map(|name| (name, Value::from(false)));
    let unknown = [("in_use", Value::from(())), ("labels", Value::from_object(Labels(BTreeMap::new())))];
    texts.into_iter().chain(numbers).chain(lists).chain(answers).chain(unknown).collect()
}

fn certificate(item: &CertificateItem, voice: Voice) -> Record {
    let mut record = facts(&item.facts, voice);
    record.insert("about", Value::from("certificate"));
    record.extend(news(item, voice));
    record
}

fn facts(facts: &CertificateFacts, voice: Voice) -> Record {
    let left = facts.not_after - voice.now;
    let url = facts.console_url.as_deref().unwrap_or_default();
    let mut record = Record::from([
        ("name", text(label(facts))),
        ("id", text(&facts.resource_id)),
        ("provider", text(&facts.provider)),
        ("account", text(&facts.account)),
        ("project", text(&facts.project)),
        ("region", text(&facts.region)),
        ("service", text(&facts.service)),
        ("role", text(&facts.role)),
        ("labels", Value::from_object(Labels(facts.labels.clone()))),
        ("owner", text(facts.owner.as_deref().unwrap_or_default())),
        ("not_after", moment(facts.not_after, voice)),
        ("not_after_local", Value::from(voice.in_zone(facts.not_after))),
        ("not_after_utc", Value::from(facts.not_after.format("%Y-%m-%d %H:%M").to_string())),
        ("not_after_unix", Value::from(facts.not_after.timestamp())),
        ("left", Value::from(voice.state(facts.not_after))),
        ("days_left", Value::from(left.num_seconds().div_euclid(86_400))),
        ("seconds_left", Value::from(left.num_seconds())),
        ("link", link(voice.words.console, url)),
        ("link_url", Value::from(address(url))),
        ("serial", text(&facts.serial)),
        ("sha256", text(&facts.sha256)),
        ("in_use", facts.in_use.map_or(Value::from(()), Value::from)),
        ("managed_by", text(facts.managed_by.as_deref().unwrap_or_default())),
        ("last_seen", moment(facts.last_seen, voice)),
        ("stale", Value::from(facts.stale)),
        ("renewal", Value::from(renewal(&facts.renewal))),
    ]);
    if let RenewalNote::Planned { at } = facts.renewal {
        record.insert("renewal_at", moment(at, voice));
    }
    record
}

fn renewed(item: &RenewalItem, voice: Voice) -> Record {
    let mut record = facts(&item.facts, voice);
    let url = item.link.as_deref().unwrap_or_default();
    let restarts = match item.restarts {
        Restarts::Yes => "yes",
        Restarts::No => "no",
        Restarts::Unknown => "unknown",
    };
    record.extend([
        ("about", Value::from("renewal")),
        ("news", Value::from(item.news.as_str())),
        ("attempt", text(&item.attempt)),
        ("who", text(&item.who)),
        ("rule", text(&item.rule)),
        ("call", text(&item.call)),
        ("restarts", Value::from(restarts)),
        ("renewal_link", link(voice.words.renewal_link, url)),
    ]);
    record.extend(match &item.news {
        RenewalNews::Planned { from, until, asks, missed } => vec![
            ("window_from", moment(*from, voice)),
            ("window_until", moment(*until, voice)),
            ("asks", Value::from(*asks)),
            ("missed", missed.map_or(Value::from(""), |at| moment(at, voice))),
        ],
        RenewalNews::Started { expected_by } => vec![("expected_by", moment(*expected_by, voice))],
        RenewalNews::Held { text: why } => vec![("error", text(why))],
        RenewalNews::Succeeded { new_not_after } => vec![("new_not_after", moment(*new_not_after, voice))],
        RenewalNews::Failed { how, code, request_id, text: said, stops } => vec![
            ("failure", Value::from(how.as_str())),
            ("code", text(code)),
            ("request_id", text(request_id)),
            ("error", text(said)),
            ("stops", Value::from(*stops)),
        ],
    });
    record
}

fn news(item: &CertificateItem, voice: Voice) -> Record {
    let staged = |name: &'static str, stage: Stage| {
        let stage = stage_now(stage, &item.facts, voice);
        let stages = [("stage", stage.as_str()), ("stage_text", stage_word(stage, voice)), ("news", name)];
        stages.into_iter().map(|(key, value)| (key, Value::from(value)))
    };
    let old = |not_after: DateTime<Utc>, serial: &str| {
        [("old_not_after", moment(not_after, voice)), ("old_serial", text(serial))]
    };
    match &item.news {
        News::Entered { stage, previous, since } => {
            let previous = previous.map_or("", Stage::as_str);
            let rest = [("previous_stage", Value::from(previous)), ("since", moment(*since, voice))];
            staged("entered", *stage).chain(rest).collect()
        }
        News::Reminder { stage, since } => {
            staged("reminder", *stage).chain([("since", moment(*since, voice))]).collect()
        }
        News::Renewed { old_not_after, old_serial, by, stage, told } => {
            let by = if *by == By::Notafter { "notafter" } else { "external" };
            let rest = [("by", Value::from(by)), ("previous_stage", Value::from(told.as_str()))];
            staged("renewed", *stage).chain(old(*old_not_after, old_serial)).chain(rest).collect()
        }
        News::Changed { old_not_after, old_serial, stage } => {
            staged("changed", *stage).chain(old(*old_not_after, old_serial)).collect()
        }
        News::Gone { how, told } => {
            let how = match how {
                Gone::NotListed => "not_listed",
                Gone::TlsOff => "tls_off",
                Gone::NotShown => "not_shown",
                Gone::NotWatched => "not_watched",
            };
            let told = ("previous_stage", Value::from(told.as_str()));
            Record::from([("news", Value::from("gone")), ("gone", Value::from(how)), told])
        }
    }
}

fn source(source: &SourceItem, voice: Voice) -> Record {
    let texts = |texts: &[Box<str>]| texts.iter().map(|known| text(known)).collect::<Value>();
    let mut record = Record::from([
        ("about", Value::from("source")),
        ("name", text(&source.account)),
        ("account", text(&source.account)),
        ("provider", text(&source.provider)),
        ("reason", text(&source.reason)),
        ("reason_text", Value::from(reason_word(&source.reason, voice))),
        ("services", texts(&source.services)),
        ("regions", texts(&source.regions)),
        ("error", text(&source.error)),
        ("certificates", number(source.certificates)),
        ("worst", Value::from(source.worst.as_str())),
    ]);
    if let Some(at) = source.last_success {
        record.insert("last_success", moment(at, voice));
    }
    record.extend(match source.news {
        SourceNews::Blind { since, again, .. } => vec![
            ("news", Value::from("blind")),
            ("since", moment(since, voice)),
            ("again", Value::from(again)),
        ],
        SourceNews::Recovered { since, until, unwatched } => vec![
            ("news", Value::from("recovered")),
            ("since", moment(since, voice)),
            ("until", moment(until, voice)),
            ("unwatched", Value::from(unwatched)),
        ],
    });
    record
}

fn channel(channel: &ChannelItem, voice: Voice) -> Record {
    let about = [("about", Value::from("channel")), ("name", text(&channel.channel))];
    let news = match &channel.news {
        ChannelNews::Failing { since, failures, error, queued } => vec![
            ("news", Value::from("failing")),
            ("since", moment(*since, voice)),
            ("failures", Value::from(*failures)),
            ("error", text(error)),
            ("queued", number(*queued)),
        ],
        ChannelNews::Recovered { since, delayed } => vec![
            ("news", Value::from("recovered")),
            ("since", moment(*since, voice)),
            ("delayed", number(*delayed)),
        ],
    };
    about.into_iter().chain(news).collect()
}

/// Nothing at all in messages without one, so that `{% if overview %}` tells.
fn overview(overview: Option<&Overview>) -> Value {
    let Some(overview) = overview else { return Value::from(()) };
    let count = |stage: Stage| number(overview.stages.get(&stage).copied().unwrap_or(0));
    let stages: Record = Stage::ALL.into_iter().map(|stage| (stage.as_str(), count(stage))).collect();
    let service = |service: &str, count: usize| {
        Value::from_object(Record::from([("service", text(service)), ("count", number(count))]))
    };
    let services = overview.services.iter().map(|(name, count)| service(name, *count));
    Value::from_object(Record::from([
        ("stages", Value::from_object(stages)),
        ("services", services.collect()),
        ("blind", number(overview.blind)),
        ("planned", number(overview.planned)),
    ]))
}

fn text(text: &str) -> Value {
    Value::from(tidy(text).into_owned())
}

fn number(number: usize) -> Value {
    Value::from(u64::try_from(number).unwrap_or(u64::MAX))
}

fn words(line: Line) -> Value {
    Value::from_object(Words(line))
}

fn moment(at: DateTime<Utc>, voice: Voice) -> Value {
    words(voice.moment(at))
}

fn link(label: &str, url: &str) -> Value {
    let link = Span::Link { label: label.to_owned(), url: url.to_owned() };
    words(if url.is_empty() { Line::new() } else { vec![link] })
}

/// An address that can stand in any markup.
fn address(url: &str) -> String {
    percent_encoding::utf8_percent_encode(&tidy(url), MARKUP).to_string()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::News => "news",
        Kind::Digest => "digest",
        Kind::First => "first",
        Kind::Test => "test",
    }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Health => "health",
        Tone::Info => "info",
        Tone::Warning => "warning",
        Tone::Critical => "critical",
        Tone::Expired => "expired",
    }
}

fn renewal(note: &RenewalNote) -> &'static str {
    match note {
        RenewalNote::Manual => "manual",
        RenewalNote::NoApi => "no_api",
        RenewalNote::Planned { .. } => "planned",
    }
}
