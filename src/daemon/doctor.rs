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
use crate::domain::listing::Listing;
use crate::domain::reason::Reason;

/// An id that no resource has. A cloud that answers "no such resource" has let the call pass.
const NOBODY: &str = "notafter-doctor";
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
        /// The whole story in one line.
        text: String,
    },
    /// It was not made, and why.
    NotAsked(&'static str),
}

impl Diagnosis {
    /// Everything that was asked works.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| !matches!(finding.verdict, Verdict::Fails { .. }))
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
    let mut findings = Vec::new();
    let mut scopes = Vec::new();
    for service in &account.services {
        let calls = account.provider.calls(service);
        let placeholder = placeholder(&account, service);
        if key_refused(&findings) {
            findings
                .extend(calls.reading().map(|action| not_asked(action, &placeholder, "the key is refused")));
        } else if let Some(configured) = account.provider.configured_scopes(service) {
            findings.extend(
                calls.scopes.iter().map(|a| not_asked(a, &placeholder, "the regions are configured")),
            );
            scopes.extend(configured);
        } else {
            let answer = account.provider.scopes(service).await;
            findings.extend(step(calls.scopes, &placeholder, answer.as_ref().err()));
            if answer.is_err() {
                let rest = calls.listing.iter().chain(calls.detail);
                findings.extend(rest.map(|action| not_asked(action, &placeholder, "no region is known")));
            }
            scopes.extend(answer.into_iter().flatten());
        }
        findings.extend(calls.renewal.iter().map(|action| not_asked(action, &placeholder, RENEWAL)));
    }
    findings.extend(examine_scopes(&account, scopes, key_refused(&findings)).await);
    findings.sort_by(|a, b| (a.action, &a.scope).cmp(&(b.action, &b.scope)));
    let clock_ahead = account.provider.clock_ahead();
    Diagnosis { account: account.name, provider: account.provider_name, clock_ahead, findings }
}

const RENEWAL: &str = "it would change something";

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
        let calls = account.provider.calls(&scope.service);
        let rest = calls.listing.iter().chain(calls.detail);
        findings.extend(rest.map(|action| not_asked(action, &scope, "the key is refused")));
    }
    findings
}

async fn examine_scope(account: &Account, scope: Scope) -> Vec<Finding> {
    let calls = account.provider.calls(&scope.service);
    let listing = account.provider.discover(&scope).await;
    let mut findings = step(calls.listing, &scope, listing.as_ref().err());
    let Ok(listing) = listing else {
        findings.extend(calls.detail.iter().map(|action| not_asked(action, &scope, "the listing fails")));
        return findings;
    };
    note_what_was_tolerated(&mut findings, &scope, &listing);
    if !calls.detail.is_empty() {
        let first = listing.resources.iter().find(|listed| listed.inspectable);
        let id = first.map_or(NOBODY, |listed| &*listed.id);
        let answer = account.provider.inspect(&scope, id).await;
        findings.extend(step(calls.detail, &scope, answer.as_ref().err()));
    }
    findings
}

/// A step makes its calls in order: those before the one that failed work, those behind it were not reached.
fn step(actions: &'static [&'static str], scope: &Scope, error: Option<&CallError>) -> Vec<Finding> {
    let failed = error.map(|error| actions.iter().position(|action| *action == error.action).unwrap_or(0));
    let verdict = |place: usize| match (failed, error) {
        (Some(failed), Some(error)) if place == failed => fails(error),
        (Some(failed), _) if place > failed => Verdict::NotAsked("the call before it fails"),
        _ => Verdict::Works,
    };
    let finding = |(place, action): (usize, &&'static str)| Finding {
        action,
        scope: scope.clone(),
        verdict: verdict(place),
    };
    actions.iter().enumerate().map(finding).collect()
}

fn note_what_was_tolerated(findings: &mut [Finding], scope: &Scope, listing: &Listing) {
    for remark in &listing.remarks {
        let named =
            findings.iter_mut().find(|finding| finding.action == remark.action && finding.scope == *scope);
        if let Some(finding) = named {
            finding.verdict = Verdict::Fails { reason: remark.reason, key: false, text: remark.text.clone() };
        }
    }
    for finding in findings.iter_mut().filter(|finding| listing.unasked.contains(&finding.action)) {
        finding.verdict = Verdict::NotAsked("there is nothing to ask about");
    }
    if let (Some((reason, text)), Some(first)) = (&listing.incomplete, findings.first_mut()) {
        first.verdict = Verdict::Fails { reason: *reason, key: false, text: text.clone() };
    }
}

fn fails(error: &CallError) -> Verdict {
    let key = error.kind == CallErrorKind::KeyDenied;
    Verdict::Fails { reason: error.kind.reason(), key, text: error.to_string() }
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
