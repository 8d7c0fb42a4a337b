//! Asks each account for everything that it would be asked for, once, and says what works.
//!
//! Uses the providers as the poll loop does, so that what works here works there. Changes nothing: for renewal it can
//! only name the permission.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::task::JoinSet;

use super::poll::Account;
use crate::call::{CallError, CallErrorKind};
use crate::domain::identity::Scope;
use crate::domain::listing::{Listing, ScopeList};
use crate::domain::reason::Reason;
use crate::provider::{Calls, Extra};

/// An id that no resource has. A cloud that answers "no such resource" has let the call pass.
const NOBODY: &str = "notafter-doctor";
/// So many resources of a scope are looked at to find one for which something is tried beside the look.
const LOOKS: usize = 8;
/// Scopes of one account that are asked at the same time.
const TOGETHER: usize = 8;

/// What was found out about one account.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// Its name.
    pub account: Arc<str>,
    /// Its cloud.
    pub provider: Arc<str>,
    /// How far this machine's clock is ahead of the cloud's.
    pub clock_ahead: Option<TimeDelta>,
    /// What each call said, by call and region.
    pub findings: Vec<Finding>,
}

/// What one call said in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The call, by the cloud's own name.
    pub action: &'static str,
    /// Where; without region for calls that concern the whole account.
    pub scope: Scope,
    /// What it said.
    pub verdict: Verdict,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Works,
    /// It fails.
    Fails {
        /// The stable reason.
        reason: Reason,
        /// The key itself is refused, not only this call.
        key: bool,
        /// The key is accepted, and the role that was asked for with it is not given.
        role: bool,
        /// The whole story in one line.
        text: String,
    },
    /// It fails, and the account can do without: it only sees less.
    Without {
        /// What is lost, and what would grant it.
        extra: &'static Extra,
        /// The stable reason.
        reason: Reason,
        /// The whole story in one line.
        text: String,
    },
    /// It was not made, and why.
    NotAsked(&'static str),
}

impl Diagnosis {
    /// Everything that watching needs works.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| !matches!(finding.verdict, Verdict::Fails { .. }))
    }

    /// Everything works, what it could do without included.
    pub fn sees_everything(&self) -> bool {
        let missing = |verdict: &Verdict| matches!(verdict, Verdict::Fails { .. } | Verdict::Without { .. });
        self.findings.iter().all(|finding| !missing(&finding.verdict))
    }
}

/// Examines every account; accounts do not wait for each other.
pub async fn examine(accounts: Vec<Account>) -> Vec<Diagnosis> {
    let mut running = JoinSet::new();
    for (place, account) in accounts.into_iter().enumerate() {
        running.spawn(async move { (place, examine_account(account).await) });
    }
    let mut found = running.join_all().await;
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, diagnosis)| diagnosis).collect()
}

async fn examine_account(account: Account) -> Diagnosis {
    let (mut findings, mut scopes) = (Vec::new(), Vec::new());
    for service in &account.services {
        let (found, known) = examine_service(&account, service, key_refused(&findings)).await;
        findings.extend(found);
        scopes.extend(known);
        let (calls, placeholder) = (account.provider.calls(service), placeholder(&account, service));
        findings.extend(calls.renewal.iter().map(|action| not_asked(action, &placeholder, RENEWAL)));
    }
    findings.extend(examine_scopes(&account, scopes, key_refused(&findings)).await);
    findings.sort_by(|a, b| (a.action, &a.scope).cmp(&(b.action, &b.scope)));
    let clock_ahead = account.provider.clock_ahead();
    Diagnosis { account: account.name, provider: account.provider_name, clock_ahead, findings }
}

/// Where a service is, as far as this account may know.
async fn examine_service(account: &Account, service: &str, refused: bool) -> (Vec<Finding>, Vec<Scope>) {
    let (calls, placeholder) = (account.provider.calls(service), placeholder(account, service));
    let skipped = |action, why| not_asked(action, &placeholder, why);
    if refused {
        let all = calls.reading().chain(beside(calls));
        return (all.map(|action| skipped(action, "the key is refused")).collect(), Vec::new());
    }
    if let Some(configured) = account.provider.configured_scopes(service) {
        let regions = calls.scopes.iter().map(|action| skipped(action, "the regions are configured"));
        return (regions.collect(), configured);
    }
    let answer = account.provider.scopes(service).await;
    let mut findings = step(calls.scopes, &placeholder, answer.as_ref().err());
    let Ok(list) = answer else {
        let rest = behind_the_regions(calls);
        findings.extend(rest.map(|action| skipped(action, "no region is known")));
        return (findings, Vec::new());
    };
    note_what_is_missing(&mut findings, &list);
    (findings, list.scopes)
}

const RENEWAL: &str = "it is made for a renewal only";
const BEFORE: &str = "the call before it fails";

/// The first scope goes alone: it proves the key, and a refused key is not used again.
async fn examine_scopes(account: &Account, scopes: Vec<Scope>, refused: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut refused = refused;
    let mut waiting = scopes.into_iter();
    let mut running = JoinSet::new();
    let mut proven = false;
    loop {
        let places = if proven { TOGETHER } else { 1 };
        while running.len() < places && !refused {
            let Some(scope) = waiting.next() else { break };
            let account = account.clone();
            running.spawn(async move { examine_scope(&account, scope).await });
        }
        let Some(done) = running.join_next().await else { break };
        let done = done.unwrap_or_default();
        refused |= key_refused(&done);
        proven = true;
        findings.extend(done);
    }
    for scope in waiting {
        let rest = behind_the_regions(account.provider.calls(&scope.service));
        findings.extend(rest.map(|action| not_asked(action, &scope, "the key is refused")));
    }
    findings
}

async fn examine_scope(account: &Account, scope: Scope) -> Vec<Finding> {
    let calls = account.provider.calls(&scope.service);
    let listing = account.provider.discover(&scope).await;
    let mut findings = step(calls.listing, &scope, listing.as_ref().err());
    let Ok(listing) = listing else {
        let rest = calls.detail.iter().copied().chain(beside(calls));
        findings.extend(rest.map(|action| not_asked(action, &scope, "the listing fails")));
        return findings;
    };
    note_what_was_tolerated(&mut findings, &scope, &listing);
    if !calls.detail.is_empty() {
        findings.extend(examine_resources(account, &scope, &listing, calls).await);
    }
    findings
}

/// Looks at one resource, or at none that there is; and at some more while nothing was tried beside the look.
async fn examine_resources(
    account: &Account,
    scope: &Scope,
    listing: &Listing,
    calls: Calls,
) -> Vec<Finding> {
    let looks = if calls.beside.is_empty() { 1 } else { LOOKS };
    let there = listing.resources.iter().filter(|listed| listed.inspectable).map(|listed| &*listed.id);
    let mut ids: Vec<&str> = there.take(looks).collect();
    if ids.is_empty() {
        ids.push(NOBODY);
    }
    let (mut error, mut outcome) = (None, None);
    for id in ids {
        match account.provider.examine(scope, id).await {
            Ok(examined) => outcome = examined.beside,
            Err(failed) => error = Some(failed),
        }
        if error.is_some() || outcome.is_some() {
            break;
        }
    }
    let mut findings = step(calls.detail, scope, error.as_ref());
    let why = if error.is_some() { "the look fails" } else { "nothing was found to make it for" };
    match outcome {
        None => findings.extend(beside(calls).map(|action| not_asked(action, scope, why))),
        Some(outcome) => findings.extend(spared(calls.beside, scope, outcome.as_ref().err())),
    }
    findings
}

/// What an account can do without is no failure of the account.
fn spared(extras: &'static [Extra], scope: &Scope, error: Option<&CallError>) -> Vec<Finding> {
    let failed =
        error.map(|error| extras.iter().position(|extra| extra.action == error.action).unwrap_or_default());
    let finding = |(place, extra): (usize, &'static Extra)| {
        let verdict = match (failed, error) {
            (Some(failed), Some(error)) if place == failed => {
                Verdict::Without { extra, reason: error.kind.reason(), text: error.to_string() }
            }
            (Some(failed), _) if place > failed => Verdict::NotAsked(BEFORE),
            _ => Verdict::Works,
        };
        Finding { action: extra.action, scope: scope.clone(), verdict }
    };
    extras.iter().enumerate().map(finding).collect()
}

fn beside(calls: Calls) -> impl Iterator<Item = &'static str> {
    calls.beside.iter().map(|extra| extra.action)
}

/// Every call that is made once the regions are known.
fn behind_the_regions(calls: Calls) -> impl Iterator<Item = &'static str> {
    calls.listing.iter().chain(calls.detail).copied().chain(beside(calls))
}

/// A step makes its calls in order: those before the one that failed work, those behind it were not reached. None was,
/// where a call failed that gets the keys.
fn step(actions: &'static [&'static str], scope: &Scope, error: Option<&CallError>) -> Vec<Finding> {
    let place = |error: &CallError| actions.iter().position(|action| *action == error.action);
    if let Some(error) = error.filter(|error| place(error).is_none()) {
        let failed = Finding { action: error.action, scope: scope.clone(), verdict: fails(error) };
        let rest = actions.iter().map(|action| not_asked(action, scope, "there is no key to ask with"));
        return std::iter::once(failed).chain(rest).collect();
    }
    let failed = error.and_then(place);
    let verdict = |place: usize| match (failed, error) {
        (Some(failed), Some(error)) if place == failed => fails(error),
        (Some(failed), _) if place > failed => Verdict::NotAsked(BEFORE),
        _ => Verdict::Works,
    };
    let finding = |(place, action): (usize, &&'static str)| Finding {
        action,
        scope: scope.clone(),
        verdict: verdict(place),
    };
    actions.iter().enumerate().map(finding).collect()
}

fn note_what_is_missing(findings: &mut [Finding], list: &ScopeList) {
    if let (Some((reason, text)), Some(first)) = (&list.incomplete, findings.first_mut()) {
        first.verdict = partly(*reason, text);
    }
}

fn note_what_was_tolerated(findings: &mut [Finding], scope: &Scope, listing: &Listing) {
    for remark in &listing.remarks {
        let named =
            findings.iter_mut().find(|finding| finding.action == remark.action && finding.scope == *scope);
        if let Some(finding) = named {
            finding.verdict = partly(remark.reason, &remark.text);
        }
    }
    for finding in findings.iter_mut().filter(|finding| listing.unasked.contains(&finding.action)) {
        finding.verdict = Verdict::NotAsked("there is nothing to ask about");
    }
    if let (Some((reason, text)), Some(first)) = (&listing.incomplete, findings.first_mut()) {
        first.verdict = partly(*reason, text);
    }
}

fn fails(error: &CallError) -> Verdict {
    let key = error.kind == CallErrorKind::KeyDenied;
    Verdict::Fails { reason: error.kind.reason(), key, role: error.role_refused, text: error.to_string() }
}

fn partly(reason: Reason, text: &str) -> Verdict {
    Verdict::Fails { reason, key: false, role: false, text: text.to_owned() }
}

fn not_asked(action: &'static str, scope: &Scope, why: &'static str) -> Finding {
    Finding { action, scope: scope.clone(), verdict: Verdict::NotAsked(why) }
}

fn key_refused(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| matches!(finding.verdict, Verdict::Fails { key: true, .. }))
}

fn placeholder(account: &Account, service: &str) -> Scope {
    Scope {
        provider: Arc::clone(&account.provider_name),
        account: Arc::clone(&account.name),
        project: "".into(),
        region: "".into(),
        service: service.into(),
    }
}
