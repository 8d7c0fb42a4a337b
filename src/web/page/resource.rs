//! The page of one resource: all that is known of it, when it is looked at next, who is told of it and why nobody is,
//! and what is planned about it.

use std::sync::Arc;

use askama::Template;
use chrono::{DateTime, Utc};

use super::certificate::{CertificateView, certificates};
use super::frame::Frame;
use super::history::{Happened, history};
use super::order::{OrderQuery, fields, resource_link};
use super::quiet::{Hands, QuietForm, acknowledgements, quiet_form};
use super::renewal::facts as renewal_facts;
use super::renewals::{NAME, RenewalRow, STORY, minute, row as renewal_row};
use super::words::{Words, fill};
use super::{kind::Kind, more_words::MoreWords, why};
use crate::domain::alert::board::{Line, lines};
use crate::domain::alert::decide::World;
use crate::domain::alert::judge::Verdict;
use crate::domain::alert::memory::Memory;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::reason::Failure;
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::renewal::ledger;
use crate::domain::resource::{ManagedBy, Resource, TlsState};
use crate::visible::shortened;
use crate::web::context::PageContext;
use crate::web::planned::entries;
use crate::web::query::pairs;
use crate::web::rows::Row;

/// The most tags and labels that are shown.
const TAGS: usize = 40;
/// The most resources that are offered where several have an id.
const CHOICES: usize = 20;

/// The page of one resource.
#[derive(Debug, Template)]
#[template(path = "resource.html")]
pub struct ResourcePage {
    frame: Frame,
    w: &'static Words,
    m: &'static MoreWords,
    title: String,
    lead: Option<&'static str>,
    choices: Vec<(String, String)>,
    known: Option<Shown>,
}

/// What is shown of a resource that is known.
#[derive(Debug)]
struct Shown {
    id: String,
    place: Vec<String>,
    chip: (&'static str, &'static str),
    console: Option<String>,
    json: String,
    explain: String,
    failure: Option<FailureView>,
    certificates: Vec<CertificateView>,
    facts: Vec<Fact>,
    looks: Vec<Fact>,
    told: Vec<ToldRow>,
    told_note: Option<&'static str>,
    done: Option<(&'static str, &'static str)>,
    quiet: Option<QuietForm>,
    /// What the address says of the language.
    lang: Option<&'static str>,
    renewal: Option<RenewalView>,
    no_renewal: &'static str,
    history: Vec<Happened>,
}

/// The last look, where it failed.
#[derive(Debug)]
struct FailureView {
    when: String,
    code: &'static str,
    meaning: &'static str,
    text: String,
    remedy: String,
}

/// A row of facts.
#[derive(Debug)]
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// What is known.
    pub text: String,
    /// A name for programs.
    pub code: bool,
}

/// A channel, and what it is told of a certificate.
#[derive(Debug)]
struct ToldRow {
    channel: String,
    role: &'static str,
    class: &'static str,
    stage: &'static str,
    way: String,
    told: String,
    now: String,
}

/// What is planned.
#[derive(Debug)]
struct RenewalView {
    row: RenewalRow,
    facts: Vec<super::renewal::Fact>,
}

/// All that the page is made of.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Where it is.
    pub scope: &'a Arc<Scope>,
    /// What was read.
    pub resource: &'a Resource,
    /// Who is told, and was; `None`: nobody.
    pub alerts: Option<(&'a World<'a>, &'a Memory)>,
    /// What is written down of its renewals.
    pub ledger: &'a [ledger::Entry],
    /// Where to look at it in the cloud's console.
    pub console: Option<&'a str>,
}

/// Which resource is asked for, as [`resource_link`] writes it.
pub fn asked_for(query: Option<&str>) -> OrderQuery {
    let given: Vec<(String, String)> = pairs(query).flatten().collect();
    OrderQuery::of_form(&|name| {
        let name = if name == "resource" { "id" } else { name };
        given.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone()).unwrap_or_default()
    })
}

/// The page where no resource is meant, or several.
pub fn nothing_or_several(
    found: &[ResourceKey],
    query: Option<&str>,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> ResourcePage {
    let m = context.tongue.words.more;
    let choice = |key: &ResourceKey| {
        (context.tongue.keep(resource_link(key)), shortened(&key.to_string(), 200).into_owned())
    };
    let same = pairs(query).flatten().filter(|(name, _)| name == "id");
    let same = same.map(|(_, id)| format!("resource?id={}", super::query::encoded(&id))).next();
    ResourcePage {
        frame: Frame::new("", same.as_deref().unwrap_or("resource"), now, context),
        w: context.tongue.words,
        m,
        title: m.unknown_title.to_owned(),
        lead: Some(if found.is_empty() { m.unknown_resource } else { m.several }),
        choices: found.iter().take(CHOICES).map(choice).collect(),
        known: None,
    }
}

/// Builds the page of a resource.
pub fn resource_page(reading: &Reading<'_>, now: DateTime<Utc>, context: &PageContext<'_>) -> ResourcePage {
    let Reading { scope, resource, .. } = *reading;
    let w = context.tongue.words;
    let key = ResourceKey::new(scope, &resource.id);
    let name = if resource.facts.name.is_empty() { &*resource.id } else { &*resource.facts.name };
    ResourcePage {
        frame: Frame::new("", &resource_link(&key), now, context),
        w,
        m: w.more,
        title: shortened(name, NAME).into_owned(),
        lead: None,
        choices: Vec::new(),
        known: Some(shown(reading, &key, now, context)),
    }
}

fn shown(reading: &Reading<'_>, key: &ResourceKey, now: DateTime<Utc>, context: &PageContext<'_>) -> Shown {
    let Reading { scope, resource, alerts, ledger, console } = *reading;
    let w = context.tongue.words;
    let told: Vec<ToldRow> = alerts.map(|alerts| told(reading, alerts, context)).unwrap_or_default();
    let told_note = match alerts {
        None => Some(w.more.told_by_nobody),
        Some(_) if told.is_empty() => Some(w.more.nothing_to_tell),
        Some(_) => None,
    };
    let worst = rows_of(scope, resource).map(|row| Kind::of(&row, context, now)).min();
    let worst = worst.unwrap_or(Kind::Unknown);
    let parts = [&scope.provider, &scope.account, &scope.service, &scope.region, &scope.project];
    let place = parts.into_iter().filter(|part| !part.is_empty());
    Shown {
        id: shortened(&resource.id, NAME).into_owned(),
        place: place.map(|part| shortened(part, NAME).into_owned()).collect(),
        chip: (worst.as_str(), w.kinds[worst as usize]),
        console: console.map(str::to_owned),
        json: json_link(key),
        explain: format!("api/v1/explain?resource_id={}", super::query::encoded(&resource.id)),
        failure: resource.failure.as_deref().map(|failure| failure_view(failure, now, w)),
        certificates: certificates(scope, resource, now, context),
        facts: facts(scope, resource, context),
        looks: looks(resource, now, context),
        told,
        told_note,
        done: context.hands.filter(Hands::may_change).and_then(|hands| Some(hands.done?.said(w.more))),
        lang: context.tongue.kept(),
        quiet: alerts.and_then(|(world, memory)| {
            let known = acknowledgements(world, memory, scope, resource);
            quiet_form(key, fields(key), &known, context)
        }),
        renewal: renewal(key, now, context),
        no_renewal: if context.renewals.is_some() { w.more.no_plan } else { w.more.renewal_off },
        history: history(scope, resource, alerts.map(|(_, memory)| memory), ledger, context),
    }
}

fn rows_of<'s>(scope: &'s Scope, resource: &'s Resource) -> impl Iterator<Item = Row<'s>> {
    let certificates = resource.certificates().iter().map(Some);
    let none = resource.certificates().is_empty().then_some(None);
    certificates.chain(none).map(move |certificate| Row { scope, resource, certificate })
}

/// The same resource in the API.
fn json_link(key: &ResourceKey) -> String {
    let labels = key.scope();
    let labels = labels.labels().map(|(name, value)| format!("{name}={}", quoted(value)));
    let expression = format!("{},resource_id={}", labels.join(","), quoted(&key.resource_id));
    format!("api/v1/certificates?state=all&match={}", super::query::encoded(&expression))
}

/// As an expression takes a value.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn failure_view(failure: &Failure, now: DateTime<Utc>, w: &Words) -> FailureView {
    let (meaning, remedy) = why::reason(failure.reason, w.locale);
    FailureView {
        when: fill(w.failed, &[&w.ago(now - failure.at)]),
        code: failure.reason.as_str(),
        meaning,
        text: shortened(&failure.text, STORY).into_owned(),
        remedy: fill(w.more.remedy, &[remedy]),
    }
}

/// Rows of facts; what is not known has none.
struct Facts(Vec<Fact>);

impl Facts {
    fn say(&mut self, label: &'static str, text: &str) {
        self.put(label, text, false);
    }

    fn put(&mut self, label: &'static str, text: &str, code: bool) {
        if !text.is_empty() {
            self.0.push(Fact { label, text: shortened(text, STORY).into_owned(), code });
        }
    }
}

fn facts(scope: &Scope, resource: &Resource, context: &PageContext<'_>) -> Vec<Fact> {
    let (w, m) = (context.tongue.words, context.tongue.words.more);
    let (facts, reading) = (&resource.facts, resource.reading.as_ref());
    let word = |yes: bool| if yes { m.yes } else { m.no };
    let mut rows = Facts(Vec::new());
    rows.say(m.tls, tls(resource.state(), m));
    rows.say(m.status, &facts.status);
    rows.say(m.engine, &facts.engine);
    rows.say(
        m.managed_by,
        match reading.and_then(|reading| reading.managed_by) {
            Some(ManagedBy::Cloud) => m.by_cloud,
            Some(ManagedBy::Customer) => m.by_customer,
            None => "",
        },
    );
    let asks = reading.and_then(|reading| reading.renewal_required);
    rows.say(m.cloud_asks, asks.map_or("", word));
    rows.say(m.use_, &super::table::use_of(facts, w).unwrap_or_default());
    rows.put(m.group, facts.group.as_deref().unwrap_or_default(), true);
    rows.say(m.locked, if facts.locked { m.yes } else { "" });
    rows.say(m.owner, context.owner(scope, resource).unwrap_or_default());
    let tags = facts.tags.iter().take(TAGS).map(|(key, value)| format!("{key}={value}"));
    rows.put(m.tags, &tags.collect::<Vec<_>>().join(", "), true);
    let labels = (context.account)(&scope.account).into_iter().flat_map(|account| &account.labels);
    let labels = labels.take(TAGS).map(|(key, value)| format!("{key}={value}"));
    rows.put(m.labels, &labels.collect::<Vec<_>>().join(", "), true);
    rows.0
}

fn tls(state: TlsState, m: &'static MoreWords) -> &'static str {
    match state {
        TlsState::Enabled => m.tls_enabled,
        TlsState::Disabled => m.tls_disabled,
        TlsState::Unsupported => m.tls_unsupported,
        TlsState::Unknown => m.tls_unknown,
    }
}

fn looks(resource: &Resource, now: DateTime<Utc>, context: &PageContext<'_>) -> Vec<Fact> {
    let (w, m) = (context.tongue.words, context.tongue.words.more);
    let at = |at: DateTime<Utc>| format!("{}, {}", minute(at, context), w.ago(now - at));
    let mut rows = Facts(Vec::new());
    let good = resource.reading.as_ref().map(|reading| reading.at);
    rows.say(m.last_good_look, &good.map_or_else(|| w.never.to_owned(), at));
    let last = resource.looked_at.filter(|last| Some(*last) != good);
    rows.say(m.last_look, &last.map(at).unwrap_or_default());
    let next = match context.next_look(resource) {
        None if resource.carried => m.with_listing.to_owned(),
        None => String::new(),
        Some(next) if next <= now => m.look_now.to_owned(),
        Some(next) => fill(m.look_due, &[&minute(next, context), &w.length(next - now)]),
    };
    rows.say(m.next_look, &next);
    if resource.failures_in_a_row > 0 {
        rows.say(m.failed_looks, &resource.failures_in_a_row.to_string());
    }
    rows.0
}

fn told(
    reading: &Reading<'_>,
    (world, memory): (&World<'_>, &Memory),
    context: &PageContext<'_>,
) -> Vec<ToldRow> {
    let mut rows = Vec::new();
    for certificate in reading.resource.certificates() {
        let lines = lines(world, memory, reading.scope, reading.resource, certificate);
        rows.extend(lines.iter().map(|line| told_row(line, certificate.role, world.now, context)));
    }
    rows
}

fn told_row(line: &Line<'_>, role: CertRole, now: DateTime<Utc>, context: &PageContext<'_>) -> ToldRow {
    let (w, m) = (context.tongue.words, context.tongue.words.more);
    let way = match line.way.map(|way| way.number) {
        None => m.no_way.to_owned(),
        Some(None) => m.every_route.to_owned(),
        Some(Some(number)) => fill(m.route, &[&number.to_string()]),
    };
    ToldRow {
        channel: shortened(&line.channel.name, NAME).into_owned(),
        role: m.role(role),
        class: line.stage.as_str(),
        stage: w.stage(line.stage),
        way,
        told: line.told.map_or_else(
            || w.never.to_owned(),
            |told| format!("{}: {}", w.ago(now - told.at), w.stage(told.stage)),
        ),
        now: match &line.verdict {
            Verdict::Tell(tell) => why::when(tell.when, w).to_owned(),
            Verdict::Settle(hold) | Verdict::Hold(hold) => why::hold(hold, context, w),
        },
    }
}

fn renewal(key: &ResourceKey, now: DateTime<Utc>, context: &PageContext<'_>) -> Option<RenewalView> {
    let w = context.tongue.words;
    let mut mine = entries(context.renewals?).filter(|entry| entry.resource() == Some(key));
    let entry = mine.next()?;
    let r = w.renewal;
    let mut facts = renewal_facts(&entry, context, w);
    // the page says where it is already
    facts.retain(|fact| ![r.resource, r.account, r.service, r.region, r.project].contains(&fact.label));
    Some(RenewalView { row: renewal_row(&entry, now, context, w), facts })
}

#[cfg(test)]
mod tests;
