//! What the status page says of renewals: what is under way, what is planned, what is refused, what was done.

use chrono::{DateTime, Utc};

use super::order::{order_link, resource_link};
use super::renewal_words::RenewalWords;
use super::timeline::{Timeline, timeline};
use super::times::Stamp;
use super::why as words_of;
use super::words::{Words, fill, number};
use crate::domain::identity::Scope;
use crate::domain::renewal::attempt::{Attempt, State};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::method::Call;
use crate::domain::renewal::plan::Decision;
use crate::domain::renewal::refusal::Refusal;
use crate::domain::renewal::window::Span;
use crate::visible::shortened;
use crate::web::context::PageContext;
use crate::web::planned::{Entry, entries};

/// Names are cut behind so many characters.
pub(super) const NAME: usize = 80;
/// Stories are cut behind so many.
pub(super) const STORY: usize = 300;
/// The most rows of each table.
const ROWS: usize = 10;
/// A longer table is folded.
const SHORT: usize = 3;

/// All that the page says of renewals.
#[derive(Debug)]
pub struct Renewals {
    /// The words of its language.
    pub r: &'static RenewalWords,
    /// How far renewal goes, when it was planned, and what keeps it from beginning.
    pub state: Vec<String>,
    /// Those that have a window.
    pub timeline: Option<Timeline>,
    /// Each with a title and at least one row.
    pub groups: Vec<Group>,
    /// How many are allowed and not due.
    pub too_early: Option<String>,
}

/// Rows of one kind.
#[derive(Debug)]
pub struct Group {
    /// What they have in common.
    pub title: &'static str,
    /// The first of them.
    pub rows: Vec<RenewalRow>,
    /// How many there are.
    pub count: String,
    /// It is short, or what happens now: not folded.
    pub open: bool,
    /// How many are not shown.
    pub more: Option<String>,
}

/// A renewal.
#[derive(Debug)]
#[allow(missing_docs)] // named as the columns
pub struct RenewalRow {
    /// The class in the style sheet.
    pub class: &'static str,
    pub state: String,
    /// To the page of the resource.
    pub resource: Option<String>,
    /// To its own page.
    pub link: Option<String>,
    /// To the page where it can be ordered by hand.
    pub order: Option<String>,
    pub name: String,
    pub resource_id: String,
    pub place: String,
    pub ends: Option<Stamp>,
    pub window: Option<(Stamp, Stamp)>,
    pub call: Option<String>,
    /// Sentences: the reason, what to do, who approved.
    pub why: Vec<String>,
}

/// Builds what the page says of renewals.
pub fn renewals(board: &Board, now: DateTime<Utc>, context: &PageContext<'_>, words: &Words) -> Renewals {
    let r = words.renewal;
    let kinds = [r.under_way, r.planned, r.refused, r.outcomes];
    let mut found: [Vec<Entry<'_>>; 4] = Default::default();
    let mut too_early = 0;
    for entry in entries(board).filter(Entry::matters) {
        match group(&entry) {
            Some(number) => found[number].push(entry),
            None => too_early += 1,
        }
    }
    found[3].sort_by_key(|entry| entry.attempt.map(|attempt| std::cmp::Reverse(attempt.changed_at)));
    let groups = kinds.into_iter().zip(found).filter(|(_, entries)| !entries.is_empty());
    let groups = groups.map(|(title, entries)| Group {
        title,
        count: number(entries.len()),
        open: title == r.under_way || entries.len() <= SHORT,
        more: (entries.len() > ROWS).then(|| r.more.of(entries.len() - ROWS)),
        rows: entries.iter().take(ROWS).map(|entry| row(entry, now, context, words)).collect(),
    });
    let groups: Vec<Group> = groups.collect();
    let planned =
        board.at.map_or_else(|| r.not_planned.to_owned(), |at| fill(r.planned_at, &[&words.ago(now - at)]));
    let trouble = board.trouble.as_deref().map(|trouble| fill(r.trouble, &[&shortened(trouble, STORY)]));
    let nothing = (groups.is_empty() && board.at.is_some()).then(|| r.nothing.to_owned());
    let state = [Some(format!("{} {planned}", r.mode(board.mode))), trouble, nothing];
    Renewals {
        r,
        state: state.into_iter().flatten().collect(),
        timeline: timeline(board, now, context),
        groups,
        too_early: (too_early > 0).then(|| r.too_early.of(too_early)),
    }
}

/// The table that a row belongs to; `None`: it is not due, and only counted.
fn group(entry: &Entry<'_>) -> Option<usize> {
    let Some(step) = entry.step else { return Some(3) };
    match &step.decision {
        Decision::Resume { .. } => Some(0),
        Decision::Wait { why: Refusal::TooEarly, .. } if entry.attempt.is_none() => None,
        Decision::Renew { .. } | Decision::Wait { .. } => Some(1),
        Decision::Refuse { .. } => Some(2),
    }
}

/// A row of one renewal.
pub(super) fn row(
    entry: &Entry<'_>,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &Words,
) -> RenewalRow {
    let r = words.renewal;
    let key = entry.resource();
    let text = |text: &str| shortened(text, NAME).into_owned();
    let (class, state) = state(entry, now, r);
    let window = entry.step.and_then(|step| step.planned);
    RenewalRow {
        class,
        state: state.to_owned(),
        resource: key.map(|key| context.tongue.keep(resource_link(key))),
        link: entry.attempt.map(|attempt| context.tongue.keep(format!("renewals/{}", attempt.id))),
        order: key
            .filter(|_| entry.can_order())
            .map(|key| context.tongue.keep(format!("renewals/{}", order_link(key)))),
        name: entry.step.map(|step| text(&step.name)).unwrap_or_default(),
        resource_id: key.map(|key| text(&key.resource_id)).unwrap_or_default(),
        place: key.map(|key| text(&place(&key.scope()))).unwrap_or_default(),
        ends: entry.not_after().map(|end| Stamp::new(end, context.timezone)),
        window: window.map(|window| span(window, context)),
        call: entry.step.and_then(|step| step.call.as_ref()).map(|call| called(call, r)),
        why: why(entry, now, context, words),
    }
}

fn place(scope: &Scope) -> String {
    let Scope { account, region, service, project, .. } = scope;
    let parts = [account, service, region, project];
    let parts = parts.into_iter().map(|part| &**part).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" · ")
}

/// Of an end on the same day, the time of day is enough.
fn span(window: Span, context: &PageContext<'_>) -> (Stamp, Stamp) {
    let [begin, mut end] = [window.begin, window.end].map(|at| Stamp::new(at, context.timezone));
    let day = |stamp: &Stamp| stamp.utc.split(' ').next().map(str::to_owned);
    if day(&begin) == day(&end) {
        end.utc = window.end.format("%H:%M").to_string();
    }
    (begin, end)
}

fn state(entry: &Entry<'_>, now: DateTime<Utc>, r: &RenewalWords) -> (&'static str, &'static str) {
    let decision = entry.step.map(|step| &step.decision);
    let attempt = entry.attempt;
    match (decision, attempt.map(|attempt| &attempt.state)) {
        (Some(Decision::Resume { overdue, .. }), Some(state)) => {
            (if *overdue { "warning" } else { "info" }, r.attempt_word(state.as_str()))
        }
        (Some(Decision::Renew { .. }), _) => ("info", r.begins_now),
        (Some(Decision::Wait { why: Refusal::NotApproved, .. }), _) => ("warning", r.waits_for_approval),
        (Some(Decision::Wait { .. }), Some(state @ (State::Announced | State::Approved))) => {
            ("ok", r.attempt_word(state.as_str()))
        }
        (Some(Decision::Wait { .. }), _) => ("off", r.waits),
        (_, Some(state)) if attempt.is_some_and(|attempt| attempt.state.has_failed()) => {
            ("critical", r.attempt_word(state.as_str()))
        }
        (_, Some(State::Confirmed { .. })) => ("ok", r.confirmed),
        (Some(Decision::Refuse { .. }), None) => ("warning", r.refuses),
        (_, Some(state)) if attempt.is_some_and(|attempt| attempt.is_overdue(now)) => {
            ("warning", r.attempt_word(state.as_str()))
        }
        (_, Some(state)) => ("off", r.attempt_word(state.as_str())),
        (_, None) => ("off", r.waits),
    }
}

/// The call and what it does to the instance.
pub(in crate::web) fn called(call: &Call, r: &RenewalWords) -> String {
    let own = call.material.is_some().then_some(r.own_certificate);
    let parts = [Some(call.action), own, Some(r.restarting(call.restarts)), r.beginning(call.begins)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Why it is so, what to do, and who has said what.
pub(super) fn why(
    entry: &Entry<'_>,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &Words,
) -> Vec<String> {
    let r = words.renewal;
    let mut said = Vec::new();
    match entry.step.map(|step| &step.decision) {
        Some(Decision::Wait { why, until, detail }) => {
            let until = until.filter(|until| *until > now);
            let until = until.map(|until| fill(r.until, &[&minute(until, context)]));
            said.push(
                [Some(reason(*why, detail, words)), until]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; "),
            );
        }
        Some(Decision::Refuse { why, detail }) => {
            said.push(reason(*why, detail, words));
            said.push(fill(r.to_do, &[words_of::refusal(*why, words.locale).1]));
        }
        Some(Decision::Resume { overdue: true, .. }) => said.push(r.overdue.to_owned()),
        Some(Decision::Resume { .. } | Decision::Renew { .. }) | None => {}
    }
    said.extend(entry.attempt.and_then(|attempt| outcome(attempt, entry, context, r)));
    said
}

fn outcome(
    attempt: &Attempt,
    entry: &Entry<'_>,
    context: &PageContext<'_>,
    r: &RenewalWords,
) -> Option<String> {
    let text = |text: &str| (!text.is_empty()).then(|| shortened(text, STORY).into_owned());
    match &attempt.state {
        State::Approved => approval(attempt, context, r),
        State::Confirmed { new_not_after } => {
            Some(format!("{}: {}", r.new_end, minute(*new_not_after, context)))
        }
        State::Refused { code, .. } => text(code).map(|code| format!("{}: {code}", r.answer)),
        State::FailedLater { text: said } => text(said).map(|said| format!("{}: {said}", r.answer)),
        State::NotSent { text: said } => text(said),
        State::Rejected { person } if entry.step.is_none() => text(person),
        _ => None,
    }
}

/// Who approved, and for how long that counts.
pub(super) fn approval(attempt: &Attempt, context: &PageContext<'_>, r: &RenewalWords) -> Option<String> {
    let approval = attempt.approval.as_ref()?;
    let who = shortened(&approval.by, NAME);
    let said = fill(r.approved_by, &[&who, &minute(approval.until, context)]);
    let at_once = if approval.at_once { format!("; {}", r.at_once) } else { String::new() };
    Some(said + &at_once)
}

pub(super) fn reason(why: Refusal, detail: &str, words: &Words) -> String {
    let detail = shortened(detail, STORY);
    let more = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    format!("{}{more}", words_of::refusal(why, words.locale).0)
}

/// `2026-11-22 20:00 UTC`, with the configured zone beside it where that is another one.
pub(super) fn minute(at: DateTime<Utc>, context: &PageContext<'_>) -> String {
    let stamp = Stamp::new(at, context.timezone);
    let local = stamp.local.map_or_else(String::new, |local| format!(" ({local})"));
    format!("{} UTC{local}", stamp.utc)
}
