//! `/api/v1/renewals`: what is planned for each certificate, why not, and what became of what was done.
//!
//! Without `all=true` the list has what a rule allows, what is under way and what was done; with it every certificate, so
//! that "why is this one not renewed" has an answer for each. The id is that of the attempt, or the one that its first
//! attempt will have.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::context::PageContext;
use super::super::cursor::{decode, encode};
use super::super::json::{List, Moment};
use super::super::planned::{Entry, Place, entries, entry};
use super::super::query::{Given, LIMIT, is_not, limit, matcher, not_a_cursor};
use super::super::refusal::Refusal;
use crate::domain::described::{Described, DescribedScope};
use crate::domain::identity::CertRole;
use crate::domain::matcher::{Label, LabelSet, Matcher};
use crate::domain::renewal::attempt::{Approval, Attempt, Class, ResourceKey, State};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::ledger;
use crate::domain::renewal::method::{Begins, Call, Restarts};
use crate::domain::renewal::plan::Decision;
use crate::domain::renewal::refusal;
use crate::domain::renewal::window::Span;
use crate::domain::snapshot::Snapshot;

/// What `/api/v1/renewals` is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RenewalsQuery {
    matcher: Option<Matcher>,
    all: bool,
    limit: usize,
    after: Option<Place>,
}

impl RenewalsQuery {
    /// Its parameters, as documented.
    pub const PARAMETERS: [&str; 4] = ["match", "all", "limit", "cursor"];

    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut given = Given::read(query, &Self::PARAMETERS);
        let parsed = Self {
            matcher: given.take("match", |text| matcher(text, LabelSet::CERTIFICATE)),
            all: given.take("all", yes_or_no).unwrap_or_default(),
            limit: given.take("limit", limit).unwrap_or(LIMIT),
            after: given.take("cursor", |text| decode(text).ok_or_else(not_a_cursor)),
        };
        given.finish(parsed)
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(is_not(text, "true, false")),
    }
}

/// What is planned for a certificate, and what was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // here and below named as the members, which the OpenAPI document explains
pub struct RenewalItem {
    pub id: String,
    pub cloud_provider: String,
    pub cloud_account: String,
    pub cloud_project: String,
    pub cloud_region: String,
    pub cloud_service: String,
    pub resource_id: String,
    pub resource_name: Option<String>,
    pub cert_role: Option<String>,
    pub not_after: Option<Moment>,
    pub decision: Option<String>,
    pub reason: Option<ReasonMember>,
    pub until: Option<Moment>,
    pub rule: Option<usize>,
    pub window: Option<WindowMember>,
    pub call: Option<CallMember>,
    pub can_approve: bool,
    pub can_reject: bool,
    pub can_order: bool,
    pub attempt: Option<AttemptMember>,
}

/// Why nothing is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ReasonMember {
    pub code: String,
    pub text: String,
    pub detail: Option<String>,
    pub advice: String,
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WindowMember {
    pub begin: Moment,
    pub end: Moment,
}

/// The call that would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CallMember {
    pub action: String,
    pub parameters: BTreeMap<String, String>,
    pub own_certificate: bool,
    pub restarts: String,
    pub begins: String,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AttemptMember {
    pub id: String,
    pub number: u32,
    pub state: String,
    pub by: String,
    pub rule: String,
    pub announced_at: Option<Moment>,
    pub window: Option<WindowMember>,
    pub missed_at: Option<Moment>,
    pub approval: Option<ApprovalMember>,
    pub stored_at: Option<Moment>,
    pub expected_by: Option<Moment>,
    pub overdue: bool,
    pub changed_at: Moment,
    pub new_not_after: Option<Moment>,
    pub class: Option<String>,
    pub code: Option<String>,
    pub text: Option<String>,
    pub request_id: Option<String>,
}

/// A person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ApprovalMember {
    pub by: String,
    pub at: Moment,
    pub until: Moment,
    pub at_once: bool,
}

/// One renewal and how it came to where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RenewalDetail {
    #[serde(flatten)]
    pub item: RenewalItem,
    pub history: Vec<EntryMember>,
}

/// Something that happened to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EntryMember {
    pub at: Moment,
    pub state: String,
    pub who: String,
    pub rule: String,
    pub request_id: Option<String>,
    pub text: Option<String>,
}

/// The renewals that were asked for, in the order of the plan.
pub fn renewals(
    snapshot: &Snapshot,
    query: &RenewalsQuery,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> List<RenewalItem> {
    let Some(board) = context.renewals else { return List { items: Vec::new(), next: None } };
    let means = |entry: &Entry<'_>| {
        query.matcher.as_ref().is_none_or(|matcher| is_meant(entry, matcher, snapshot, context))
    };
    let found = entries(board).filter(|entry| query.all || entry.matters()).filter(means);
    let mut found: Vec<(Place, Entry<'_>)> = found.map(|entry| (entry.place(), entry)).collect();
    found.retain(|(place, _)| query.after.as_ref().is_none_or(|after| place > after));
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| more).map(|(place, _)| encode(place));
    List { items: found.iter().map(|(_, entry)| RenewalItem::new(entry, now)).collect(), next }
}

/// All that a board has, in its order.
pub fn of_board(board: &Board, now: DateTime<Utc>) -> List<RenewalItem> {
    List { items: entries(board).map(|entry| RenewalItem::new(&entry, now)).collect(), next: None }
}

/// One of them, with its history; `ledger` is what is written down of it, the oldest first, where that can be read.
pub fn renewal(
    id: &str,
    ledger: Option<&[ledger::Entry]>,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> Option<RenewalDetail> {
    let found = entry(context.renewals?, id)?;
    let history = history(found.attempt, ledger);
    Some(RenewalDetail { item: RenewalItem::new(&found, now), history })
}

/// Whether an expression means it. What is gone from the listing has the labels of its scope and its id left.
pub(in crate::web) fn is_meant(
    entry: &Entry<'_>,
    matcher: &Matcher,
    snapshot: &Snapshot,
    context: &PageContext<'_>,
) -> bool {
    let Some(key) = entry.resource() else { return false };
    let scope = key.scope();
    let account_label = |label: &str| context.account_label(&key.account, label);
    let role = entry.role();
    match snapshot.scopes.get(&scope).and_then(|view| view.resources.get(&key.resource_id)) {
        Some(resource) => Described { role, ..Described::new(&scope, resource, &account_label) }.is(matcher),
        None => matcher.matches(&|label| match label {
            Label::ResourceId => Some(&key.resource_id),
            Label::CertRole => role.map(CertRole::as_str),
            other => DescribedScope { scope: &scope, account_label: &account_label }.label(other),
        }),
    }
}

impl RenewalItem {
    /// What is known of a renewal now.
    pub fn new(entry: &Entry<'_>, now: DateTime<Utc>) -> Self {
        let key = entry.resource();
        let part = |part: fn(&ResourceKey) -> &str| key.map_or_else(String::new, |key| part(key).to_owned());
        let decision = entry.step.map(|step| &step.decision);
        let (reason, until) = decision.map_or((None, None), why);
        Self {
            id: entry.id().into(),
            cloud_provider: part(|key| &key.provider),
            cloud_account: part(|key| &key.account),
            cloud_project: part(|key| &key.project),
            cloud_region: part(|key| &key.region),
            cloud_service: part(|key| &key.service),
            resource_id: part(|key| &key.resource_id),
            resource_name: entry.step.and_then(|step| known(&step.name)),
            cert_role: entry.role().map(|role| role.as_str().to_owned()),
            not_after: entry.not_after().map(Moment),
            decision: entry.word().map(str::to_owned),
            reason,
            until,
            rule: entry.step.and_then(|step| step.rule).map(|number| number + 1),
            window: entry.step.and_then(|step| step.planned).map(WindowMember::from),
            call: entry.step.and_then(|step| step.call.as_ref()).map(CallMember::new),
            can_approve: entry.can_approve(),
            can_reject: entry.can_reject(),
            can_order: entry.can_order(),
            attempt: entry.attempt.map(|attempt| AttemptMember::new(attempt, now)),
        }
    }
}

fn why(decision: &Decision) -> (Option<ReasonMember>, Option<Moment>) {
    match decision {
        Decision::Resume { .. } | Decision::Renew { .. } => (None, None),
        Decision::Wait { why, until, detail } => (Some(ReasonMember::new(*why, detail)), until.map(Moment)),
        Decision::Refuse { why, detail } => (Some(ReasonMember::new(*why, detail)), None),
    }
}

impl ReasonMember {
    fn new(why: refusal::Refusal, detail: &str) -> Self {
        Self {
            code: why.code().to_owned(),
            text: why.text().to_owned(),
            detail: known(detail),
            advice: why.advice().to_owned(),
        }
    }
}

impl From<Span> for WindowMember {
    fn from(Span { begin, end }: Span) -> Self {
        Self { begin: Moment(begin), end: Moment(end) }
    }
}

impl CallMember {
    fn new(call: &Call) -> Self {
        let parameters = call.parameters.iter();
        Self {
            action: call.action.to_owned(),
            parameters: parameters.map(|(name, value)| ((*name).to_owned(), value.to_string())).collect(),
            own_certificate: call.material.is_some(),
            restarts: restarts(call.restarts).to_owned(),
            begins: begins(call.begins).to_owned(),
        }
    }
}

/// The word of the API.
pub fn restarts(restarts: Restarts) -> &'static str {
    match restarts {
        Restarts::Yes => "yes",
        Restarts::No => "no",
        Restarts::Unknown => "unknown",
    }
}

fn begins(begins: Begins) -> &'static str {
    match begins {
        Begins::AtOnce => "at_once",
        Begins::InCloudWindow => "in_cloud_window",
    }
}

impl AttemptMember {
    /// An attempt as of now.
    pub fn new(attempt: &Attempt, now: DateTime<Utc>) -> Self {
        let Told { new_not_after, class, code, text, request_id } = Told::of(&attempt.state);
        Self {
            id: attempt.id.to_string(),
            number: attempt.number,
            state: attempt.state.as_str().to_owned(),
            by: attempt.by.name().to_owned(),
            rule: attempt.rule.to_string(),
            announced_at: attempt.announced_at.map(Moment),
            window: attempt.planned.map(WindowMember::from),
            missed_at: attempt.missed_at.map(Moment),
            approval: attempt.approval.as_ref().map(ApprovalMember::new),
            stored_at: attempt.stored_at.map(Moment),
            expected_by: attempt.expected_by.map(Moment),
            overdue: attempt.is_overdue(now),
            changed_at: Moment(attempt.changed_at),
            new_not_after: new_not_after.map(Moment),
            class: class.map(str::to_owned),
            code: code.and_then(known),
            text: text.and_then(known),
            request_id: request_id.and_then(known),
        }
    }
}

impl ApprovalMember {
    fn new(approval: &Approval) -> Self {
        let Approval { by, at, until, at_once } = approval;
        Self { by: by.to_string(), at: Moment(*at), until: Moment(*until), at_once: *at_once }
    }
}

/// What a state tells beside its word.
#[derive(Default)]
struct Told<'a> {
    new_not_after: Option<DateTime<Utc>>,
    class: Option<&'static str>,
    code: Option<&'a str>,
    text: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn of(state: &'a State) -> Self {
        let nothing = Self::default();
        match state {
            State::Announced | State::Approved | State::Stored | State::WithoutEffect | State::Unknown => {
                nothing
            }
            State::Rejected { person } => Self { text: Some(person), ..nothing },
            State::NotSent { text } | State::FailedLater { text } => Self { text: Some(text), ..nothing },
            State::Accepted { request_id } => Self { request_id: Some(request_id), ..nothing },
            State::Confirmed { new_not_after } => Self { new_not_after: Some(*new_not_after), ..nothing },
            State::Refused { class, code, request_id } => Self {
                class: Some(class_word(*class)),
                code: Some(code),
                request_id: Some(request_id),
                ..nothing
            },
        }
    }
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::Retry => "retry",
        Class::Person => "person",
        Class::Permanent => "permanent",
    }
}

/// What happened to an attempt, the oldest first: as it is written down, else what the attempt itself remembers.
pub fn history(attempt: Option<&Attempt>, ledger: Option<&[ledger::Entry]>) -> Vec<EntryMember> {
    match ledger {
        Some(ledger) => ledger.iter().map(EntryMember::new).collect(),
        None => attempt.map(remembered).unwrap_or_default(),
    }
}

impl EntryMember {
    fn new(entry: &ledger::Entry) -> Self {
        let ledger::Entry { at, state, who, rule, request_id, text, .. } = entry;
        Self {
            at: Moment(*at),
            state: state.to_string(),
            who: who.to_string(),
            rule: rule.to_string(),
            request_id: known(request_id),
            text: known(text),
        }
    }
}

/// Its first time and its last, which is all that there is room for.
fn remembered(attempt: &Attempt) -> Vec<EntryMember> {
    let entry = |at: DateTime<Utc>, state: &str, who: &str| EntryMember {
        at: Moment(at),
        state: state.to_owned(),
        who: who.to_owned(),
        rule: attempt.rule.to_string(),
        request_id: None,
        text: None,
    };
    let by = attempt.by.name();
    let announced = attempt.announced_at.map(|at| entry(at, "announced", by));
    let approved = attempt.approval.as_ref().map(|approval| entry(approval.at, "approved", &approval.by));
    let stored = attempt.stored_at.map(|at| entry(at, "stored", by));
    let mut all: Vec<EntryMember> = [announced, approved, stored].into_iter().flatten().collect();
    let state = attempt.state.as_str();
    if !all.iter().any(|entry| entry.state == state) {
        all.push(last(attempt, entry(attempt.changed_at, state, "cloud")));
    }
    all.sort_by_key(|entry| entry.at.0);
    all
}

fn last(attempt: &Attempt, entry: EntryMember) -> EntryMember {
    let Told { new_not_after, code, text, request_id, .. } = Told::of(&attempt.state);
    let who = match &attempt.state {
        State::Rejected { person } => person.to_string(),
        State::NotSent { .. } => attempt.by.name().to_owned(),
        _ => entry.who.clone(),
    };
    let text = match &attempt.state {
        State::Rejected { .. } => None,
        _ => text.or(code).and_then(known),
    };
    let new = new_not_after.map(|end| format!("ends {}", end.format("%Y-%m-%d %H:%M UTC")));
    EntryMember { who, text: text.or(new), request_id: request_id.and_then(known), ..entry }
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
