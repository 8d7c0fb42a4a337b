//! The annotations of an alert: what people read of it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::call::clean;
use crate::domain::alert::message::{
    CertificateFacts, CertificateItem, Gone, Item, Kind, Message, News, SourceItem, SourceNews,
};
use crate::domain::alert::standing::{Ended, How};
use crate::domain::finding::Stage;
use crate::domain::policy::Locale;
use crate::notifier::{Setting, text};

/// Names and values.
pub(super) type Texts = BTreeMap<String, String>;

/// Of something that stands.
pub(super) fn item(item: &Item, setting: &Setting<'_>) -> Texts {
    let mut all = told(item, setting);
    match item {
        Item::Certificate(item) => {
            if let News::Entered { stage, .. } = item.news {
                add(&mut all, "stage", stage.as_str());
            }
            certificate(&item.facts, setting.now, &mut all);
        }
        Item::Source(source) => blind(source, &mut all),
        Item::Channel(_) | Item::Renewal(_) => {}
    }
    all
}

/// Of something that ended: how, and of a renewal both dates.
pub(super) fn ended(ended: &Ended, setting: &Setting<'_>) -> Texts {
    let was = &ended.was.item;
    let mut all = item(&as_news(was, ended), setting);
    if let (Item::Certificate(was), How::Renewed { .. } | How::Otherwise { .. }) = (was, &ended.how) {
        add(&mut all, "old_not_after", &moment(was.facts.not_after));
    }
    all
}

/// Of the alert that always fires.
pub(super) fn watchdog(locale: Locale) -> Texts {
    let (summary, description) = match locale {
        Locale::En => (
            "notafter is alive",
            "Always fires. When it ends, nobody watches the certificates: send it to a dead man's switch.",
        ),
        Locale::Zh => {
            ("notafter 运行正常", "此告警始终触发；一旦消失，说明已无人监视证书。请将其接入“死人开关”。")
        }
    };
    [("summary", summary), ("description", description)].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

/// As a message would tell it.
fn as_news(was: &Item, ended: &Ended) -> Item {
    match was {
        Item::Certificate(was) => Item::Certificate(certificate_ended(was, &ended.how)),
        Item::Source(was) => {
            let unwatched = ended.how == How::NotWatched;
            let news = SourceNews::Recovered { since: ended.was.since, until: ended.at, unwatched };
            Item::Source(SourceItem { news, ..was.clone() })
        }
        Item::Channel(_) | Item::Renewal(_) => was.clone(),
    }
}

fn certificate_ended(was: &CertificateItem, how: &How) -> CertificateItem {
    let told = match was.news {
        News::Entered { stage, .. } | News::Reminder { stage, .. } => stage,
        _ => Stage::Ok,
    };
    match how {
        How::Renewed { now, stage, by } => {
            let (old_not_after, old_serial) = (was.facts.not_after, was.facts.serial.clone());
            let news = News::Renewed { old_not_after, old_serial, by: *by, stage: *stage, told };
            CertificateItem { news, facts: (**now).clone() }
        }
        How::Otherwise { now } => CertificateItem { news: was.news.clone(), facts: (**now).clone() },
        How::Gone(how) => gone(was, *how, told),
        How::Readable | How::NotWatched => gone(was, Gone::NotWatched, told),
    }
}

fn gone(was: &CertificateItem, how: Gone, told: Stage) -> CertificateItem {
    CertificateItem { news: News::Gone { how, told }, facts: was.facts.clone() }
}

/// Summary and description, in the words that every channel uses.
fn told(item: &Item, setting: &Setting<'_>) -> Texts {
    let message = Message {
        id: "".into(),
        channel: "".into(),
        kind: Kind::News,
        route: "".into(),
        at: setting.now,
        items: vec![item.clone()],
        left_out: 0,
        overview: None,
    };
    let script = text::script(&message, setting);
    let mut all = Texts::new();
    for entry in &script.entries {
        let lines = std::iter::once(&entry.head).chain(&entry.lines);
        let lines: Vec<_> = lines.map(text::plain).collect();
        add(&mut all, "summary", &text::plain(&entry.short));
        add(&mut all, "description", &lines.join("\n"));
    }
    all
}

fn certificate(facts: &CertificateFacts, now: DateTime<Utc>, all: &mut Texts) {
    let days_left = (facts.not_after - now).num_seconds().div_euclid(24 * 60 * 60);
    add(all, "not_after", &moment(facts.not_after));
    add(all, "days_left", &days_left.to_string());
    add(all, "resource_name", &clean(&facts.resource_name));
    add(all, "serial", &facts.serial);
    add(all, "console_url", facts.console_url.as_deref().unwrap_or_default());
    add(all, "owner", &clean(facts.owner.as_deref().unwrap_or_default()));
    if facts.stale {
        add(all, "last_seen", &moment(facts.last_seen));
    }
}

fn blind(source: &SourceItem, all: &mut Texts) {
    add(all, "services", &source.services.join(", "));
    add(all, "regions", &source.regions.join(", "));
    add(all, "error", &clean(&source.error));
    add(all, "last_success", &source.last_success.map(moment).unwrap_or_default());
}

fn add(all: &mut Texts, name: &str, value: &str) {
    if !value.is_empty() {
        all.insert(name.to_owned(), value.to_owned());
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
