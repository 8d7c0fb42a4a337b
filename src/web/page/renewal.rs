//! The page of one renewal: all that is known of it, how it came there, and a form for who may decide.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use super::frame::Frame;
use super::order::resource_link;
use super::query::encoded;
use super::renewal_words::RenewalWords;
use super::renewals::{STORY, approval, called, minute, row};
use super::times::Stamp;
use super::why;
use super::words::{Words, fill};
use crate::domain::renewal::attempt::{Attempt, State};
use crate::domain::renewal::ledger;
use crate::domain::renewal::plan::Step;
use crate::visible::shortened;
use crate::web::api::renewals::{EntryMember, history};
use crate::web::context::PageContext;
use crate::web::inside::OrderError;
use crate::web::planned::{Entry, entry};
use crate::web::query::pairs;

/// What was ordered shows up within this time.
const SOON: TimeDelta = TimeDelta::minutes(1);

/// Who looks at a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// May only look.
    Reader,
    /// May decide; over the control socket nobody knows who it is.
    Somebody,
    /// May decide, and is known.
    User(String),
}

/// What stands behind the `?`, read leniently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// An order was written down at this moment, in milliseconds.
    after: Option<i64>,
}

impl Asked {
    /// Reads a query.
    pub fn read(query: Option<&str>) -> Self {
        let after = pairs(query).flatten().find(|(name, _)| name == "after");
        Self { after: after.and_then(|(_, value)| value.parse().ok()) }
    }
}

/// What became of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It was filled in before something changed.
    Stale,
    /// The order was not taken.
    Refused(OrderError),
}

/// The page of one renewal.
#[derive(Debug, Template)]
#[template(path = "renewal.html")]
pub struct RenewalPage {
    pub(super) r: &'static RenewalWords,
    pub(super) frame: Frame,
    /// To the resource.
    pub(super) resource: Option<String>,
    pub(super) title: String,
    pub(super) id: String,
    pub(super) chip: Option<(&'static str, String)>,
    /// Class and text.
    pub(super) notice: Option<(&'static str, String)>,
    /// It is asked for again in a moment, by the browser.
    pub(super) again: bool,
    pub(super) lead: Option<&'static str>,
    pub(super) why: Vec<String>,
    pub(super) facts: Vec<Fact>,
    pub(super) history: Vec<HistoryRow>,
    /// Links to each of several.
    pub(super) choices: Vec<(String, String)>,
    pub(super) form: Option<Form>,
    pub(super) command: Option<String>,
}

/// A row of facts.
#[derive(Debug)]
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// What is known.
    pub text: String,
}

/// Something that happened.
#[derive(Debug)]
pub struct HistoryRow {
    at: Stamp,
    state: String,
    who: String,
    text: String,
    request_id: String,
}

/// A form that orders something.
#[derive(Debug)]
pub struct Form {
    pub(super) title: &'static str,
    /// Beside this page.
    pub(super) action: String,
    pub(super) hidden: Vec<(&'static str, String)>,
    /// `None`: who orders is asked for.
    pub(super) user: Option<String>,
    /// It can be asked for at once.
    pub(super) now: bool,
    /// Value and text of each button; the first one is the one that goes on.
    pub(super) buttons: Vec<(&'static str, &'static str)>,
}

/// What a form is sealed with: it counts as long as these are the same.
pub fn about(entry: &Entry<'_>) -> [String; 3] {
    let state = entry.attempt.map_or("none", |attempt| attempt.state.as_str());
    let changed_at = entry.attempt.map_or(0, |attempt| attempt.changed_at.timestamp_micros());
    [entry.id().into(), state.to_owned(), changed_at.to_string()]
}

/// What the page is made of.
pub struct Reading<'a> {
    /// The id that was asked for.
    pub id: &'a str,
    /// What is written down of it, the oldest first; `None`: that cannot be read.
    pub ledger: Option<&'a [ledger::Entry]>,
    /// Who looks.
    pub viewer: &'a Viewer,
    /// What else was asked for.
    pub asked: &'a Asked,
    /// Seals a form.
    pub token: &'a dyn Fn(&[&str]) -> String,
}

/// Builds the page; `None`: there is no such renewal, and none is to be expected.
pub fn renewal_page(
    reading: &Reading<'_>,
    notice: Option<Notice>,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> Option<RenewalPage> {
    let Reading { id, ledger, viewer, asked, token } = *reading;
    let w = context.tongue.words;
    let found = context.renewals.and_then(|board| entry(board, id));
    let expected =
        asked.after.and_then(DateTime::from_timestamp_millis).is_some_and(|at| (now - at).abs() <= SOON);
    let Some(found) = found else { return expected.then(|| pending(id, now, context)) };
    let changed_at = found.attempt.map_or(0, |attempt| attempt.changed_at.timestamp_millis());
    let waits = expected && asked.after.is_some_and(|after| changed_at < after);
    let row = row(&found, now, context, w);
    let r = w.renewal;
    let said = notice.map(|notice| ("critical", text_of(&notice, w)));
    let written = || asked.after.map(|_| if waits { ("info", r.pending) } else { ("ok", r.written) });
    let may = !waits && *viewer != Viewer::Reader;
    let open = found.can_approve() || found.can_reject();
    Some(RenewalPage {
        resource: found.resource().map(|key| context.tongue.keep(format!("../{}", resource_link(key)))),
        title: if row.name.is_empty() { row.resource_id.clone() } else { row.name.clone() },
        id: shortened(id, STORY).into_owned(),
        notice: said.or_else(|| written().map(|(class, text)| (class, text.to_owned()))),
        again: waits,
        chip: Some((row.class, row.state)),
        why: row.why,
        facts: facts(&found, context, w),
        history: told(history(found.attempt, ledger), context, r),
        form: (may && open).then(|| form(&found, viewer, token, context)),
        command: (!may && !waits && open).then(|| format!("notafter renewals approve {}", found.id())),
        ..empty(&found.id(), now, context)
    })
}

pub(super) fn text_of(notice: &Notice, w: &Words) -> String {
    match notice {
        Notice::Stale => w.renewal.stale.to_owned(),
        Notice::Refused(error) => fill(w.renewal.not_taken, &[&shortened(&why::order(error, w), STORY)]),
    }
}

/// A page with nothing on it.
pub(super) fn empty(here: &str, now: DateTime<Utc>, context: &PageContext<'_>) -> RenewalPage {
    let w = context.tongue.words;
    RenewalPage {
        r: w.renewal,
        frame: Frame::new("../", here, now, context),
        resource: None,
        title: w.renewal.title.to_owned(),
        id: String::new(),
        chip: None,
        notice: None,
        again: false,
        lead: None,
        why: Vec::new(),
        facts: Vec::new(),
        history: Vec::new(),
        choices: Vec::new(),
        form: None,
        command: None,
    }
}

/// What was ordered is not on the board yet.
fn pending(id: &str, now: DateTime<Utc>, context: &PageContext<'_>) -> RenewalPage {
    let notice = Some(("info", context.tongue.words.renewal.pending.to_owned()));
    RenewalPage { notice, again: true, ..empty(&encoded(id), now, context) }
}

/// What is known of it, in rows.
pub(super) fn facts(entry: &Entry<'_>, context: &PageContext<'_>, w: &Words) -> Vec<Fact> {
    let r = w.renewal;
    let mut facts = Facts(Vec::new());
    if let Some(key) = entry.resource() {
        facts.say(r.resource, &key.resource_id);
        facts.say(r.account, &format!("{} ({})", key.account, key.provider));
        facts.say(r.service, &key.service);
        facts.say(r.region, &key.region);
        facts.say(r.project, &key.project);
    }
    if let Some(end) = entry.not_after() {
        facts.say(r.ends, &minute(end, context));
    }
    if let Some(step) = entry.step {
        of_step(step, &mut facts, context, r);
    }
    if let Some(attempt) = entry.attempt {
        of_attempt(attempt, &mut facts, context, r);
    }
    facts.0
}

struct Facts(Vec<Fact>);

impl Facts {
    fn say(&mut self, label: &'static str, text: &str) {
        if !text.is_empty() {
            self.0.push(Fact { label, text: shortened(text, STORY).into_owned() });
        }
    }

    fn at(&mut self, label: &'static str, at: Option<DateTime<Utc>>, context: &PageContext<'_>) {
        if let Some(at) = at {
            self.say(label, &minute(at, context));
        }
    }
}

fn of_step(step: &Step, facts: &mut Facts, context: &PageContext<'_>, r: &RenewalWords) {
    if let Some(window) = step.planned {
        let (begin, end) = (minute(window.begin, context), minute(window.end, context));
        facts.say(r.window, &format!("{begin} – {end}"));
    }
    if let Some(call) = &step.call {
        let parameters = call.parameters.iter().map(|(name, value)| format!("{name}={value}"));
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        facts.say(r.call, &format!("{} [{parameters}]", called(call, r)));
    }
}

fn of_attempt(attempt: &Attempt, facts: &mut Facts, context: &PageContext<'_>, r: &RenewalWords) {
    facts.say(r.rule, &attempt.rule);
    facts.say(r.wanted_by, attempt.by.name());
    facts.say(r.approval, &approval(attempt, context, r).unwrap_or_default());
    facts.at(r.missed, attempt.missed_at, context);
    facts.at(r.ordered, attempt.stored_at, context);
    facts.at(r.expected_by, attempt.expected_by.filter(|_| attempt.state.is_open()), context);
    match &attempt.state {
        State::Accepted { request_id } => facts.say(r.request, request_id),
        State::Refused { code, request_id, .. } => {
            facts.say(r.answer, code);
            facts.say(r.request, request_id);
        }
        State::FailedLater { text } | State::NotSent { text } => facts.say(r.answer, text),
        State::Confirmed { new_not_after } => facts.at(r.new_end, Some(*new_not_after), context),
        _ => {}
    }
}

fn told(history: Vec<EntryMember>, context: &PageContext<'_>, r: &RenewalWords) -> Vec<HistoryRow> {
    let short = |text: &str| shortened(text, STORY).into_owned();
    let row = |entry: EntryMember| HistoryRow {
        at: Stamp::new(entry.at.0, context.timezone),
        state: r.attempt_word(&entry.state).to_owned(),
        who: short(&entry.who),
        text: short(&entry.text.unwrap_or_default()),
        request_id: short(&entry.request_id.unwrap_or_default()),
    };
    history.into_iter().map(row).collect()
}

fn form(
    entry: &Entry<'_>,
    viewer: &Viewer,
    token: &dyn Fn(&[&str]) -> String,
    context: &PageContext<'_>,
) -> Form {
    let r = context.tongue.words.renewal;
    let about = about(entry);
    let approve = entry.can_approve().then_some(("approve", r.approve));
    let reject = entry.can_reject().then_some(("reject", r.reject));
    Form {
        title: r.decide,
        action: context.tongue.keep(&*about[0]),
        hidden: vec![("token", token(&about.each_ref().map(String::as_str)))],
        user: user(viewer),
        now: approve.is_some(),
        buttons: [approve, reject].into_iter().flatten().collect(),
    }
}

pub(super) fn user(viewer: &Viewer) -> Option<String> {
    match viewer {
        Viewer::User(name) => Some(shortened(name, STORY).into_owned()),
        Viewer::Reader | Viewer::Somebody => None,
    }
}
