//! Scopes: which are blind and since when, and how each fares.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::table::story;
use super::times::Stamp;
use super::why;
use super::words::{Words, fill, number};
use crate::domain::identity::Scope;
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::TlsState;
use crate::domain::snapshot::{ScopeView, Snapshot};
use crate::visible::shortened;
use crate::web::context::PageContext;

/// The most causes of blindness that are told one by one.
const CAUSES: usize = 12;
/// So many of them are not folded.
const FIRST_CAUSES: usize = 3;
/// The most scopes in the table.
const SCOPES: usize = 100;
/// More scopes than these are folded: their causes stand above.
const FEW: usize = 5;
/// Names are cut behind so many characters.
const NAME: usize = 80;

/// All that the page says of scopes.
#[derive(Debug)]
pub struct Scopes {
    /// How many cannot be read.
    pub blind: usize,
    /// How many were not looked at yet.
    pub pending: usize,
    /// Why, longest first; one for all scopes of an account that fail for the same reason.
    pub causes: Vec<Cause>,
    /// The rest of them, folded with a text of their own.
    pub folded_causes: Vec<Cause>,
    /// "and 3 more causes"
    pub causes_text: Option<String>,
    /// "and 3 more causes"
    pub more_causes: Option<String>,
    /// Blind ones first, then those to come.
    pub rows: Vec<ScopeRow>,
    /// They are many: folded, with this text.
    pub rows_text: Option<String>,
    /// Those that are read well and have resources.
    pub well: Vec<ScopeRow>,
    /// How many of those there are.
    pub well_text: Option<String>,
    /// "212 scopes are read well and have no resources."
    pub empty: Option<String>,
    /// "40 more scopes are in the API."
    pub more: Option<String>,
}

/// Why scopes of one account cannot be read.
#[derive(Debug)]
pub struct Cause {
    /// The account.
    pub account: String,
    /// Code of its cloud.
    pub provider: String,
    /// The scope, or how many of how many.
    pub what: String,
    /// "since 2026-11-22 08:00 UTC", or that it was never read.
    pub since: String,
    /// "3 h ago", where it was read before.
    pub age: Option<String>,
    /// The stable reason.
    pub reason: &'static str,
    /// What that means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: String,
    /// The story of the one that is blind for longest.
    pub text: String,
}

/// A scope.
#[derive(Debug)]
#[allow(missing_docs)] // named as the columns
pub struct ScopeRow {
    pub provider: String,
    pub account: String,
    pub service: String,
    pub region: String,
    pub project: String,
    /// `failing`, `pending` or `up`: the class in the style sheet.
    pub class: &'static str,
    pub state: &'static str,
    /// How many in all.
    pub resources: String,
    /// How many of what, as far as there are any.
    pub counts: Vec<String>,
    pub listed: Option<Stamp>,
    pub listed_ago: String,
    pub failures: Vec<ScopeFailure>,
}

/// What fails in a scope.
#[derive(Debug)]
pub struct ScopeFailure {
    /// Listing or looks.
    pub what: &'static str,
    /// How long ago.
    pub ago: String,
    /// The stable reason.
    pub reason: &'static str,
    /// What to do.
    pub remedy: String,
    /// The story.
    pub text: String,
}

/// Builds what the page says of scopes.
pub fn scopes(
    snapshot: &Snapshot,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &'static Words,
) -> Scopes {
    let mut sorted: Vec<(&Scope, &ScopeView)> = snapshot.scopes.iter().map(|(s, v)| (&**s, &**v)).collect();
    sorted.sort_by_key(|(_, view)| Condition::of(view));
    let count = |condition| sorted.iter().filter(|(_, view)| Condition::of(view) == condition).count();
    let (blind, pending, empty) =
        (count(Condition::Failing), count(Condition::Pending), count(Condition::Empty));
    let mut causes = causes(snapshot, now, context, words);
    let more_causes = causes.len().saturating_sub(CAUSES);
    causes.truncate(CAUSES);
    let folded_causes = causes.split_off(FIRST_CAUSES.min(causes.len()));
    let shown = sorted.len() - empty;
    let row = |(scope, view): &(&Scope, &ScopeView)| scope_row(scope, view, now, context, words);
    let (troubled, well) = sorted[..shown.min(SCOPES)].split_at((blind + pending).min(SCOPES));
    let used = shown - blind - pending;
    Scopes {
        blind,
        pending,
        causes,
        causes_text: (!folded_causes.is_empty()).then(|| words.more_blind.of(folded_causes.len())),
        folded_causes,
        more_causes: (more_causes > 0).then(|| words.more_blind.of(more_causes)),
        rows: troubled.iter().map(row).collect(),
        rows_text: (troubled.len() > FEW).then(|| fill(words.more.scopes_ill, &[&number(blind + pending)])),
        well: well.iter().map(row).collect(),
        well_text: (!well.is_empty()).then(|| fill(words.more.scopes_well, &[&number(used)])),
        empty: (empty > 0).then(|| words.empty_scopes.of(empty)),
        more: (shown > SCOPES).then(|| words.more_scopes.of(shown - SCOPES)),
    }
}

/// What is wrong with a scope, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    Failing,
    Pending,
    Used,
    Empty,
}

impl Condition {
    fn of(view: &ScopeView) -> Self {
        match () {
            () if view.failure().is_some() => Self::Failing,
            () if view.listed_at.is_none() => Self::Pending,
            () if view.resources.is_empty() && view.excluded == 0 => Self::Empty,
            () => Self::Used,
        }
    }
}

/// When a scope was last seen whole: its last good listing, or, where only the looks fail, the last good look.
fn seen_until(view: &ScopeView) -> Option<DateTime<Utc>> {
    if view.listing_failure.is_some() {
        return view.listed_at;
    }
    view.resources.iter().filter_map(|resource| resource.reading.as_ref()).map(|reading| reading.at).max()
}

/// Blind scopes of one account that fail for one reason: an account whose key is refused is one cause, not a hundred.
struct Group<'s> {
    since: Option<DateTime<Utc>>,
    failure: &'s Failure,
    scope: &'s Scope,
    count: usize,
}

fn causes(
    snapshot: &Snapshot,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &'static Words,
) -> Vec<Cause> {
    let mut groups: BTreeMap<(&str, Reason), Group<'_>> = BTreeMap::new();
    for (scope, view) in &snapshot.scopes {
        let Some(failure) = view.failure() else { continue };
        let since = seen_until(view);
        let fresh = Group { since, failure, scope, count: 0 };
        let group = groups.entry((&scope.account, failure.reason)).or_insert(fresh);
        group.count += 1;
        if since < group.since {
            *group = Group { since, failure, scope, count: group.count };
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| group.since);
    let of_account =
        |account: &str| snapshot.scopes.keys().filter(|scope| &*scope.account == account).count();
    groups.iter().map(|group| cause(group, of_account(&group.scope.account), now, context, words)).collect()
}

fn cause(
    Group { since, failure, scope, count }: &Group<'_>,
    of_account: usize,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &'static Words,
) -> Cause {
    let name = |text: &str| shortened(text, NAME).into_owned();
    let what = match count {
        1 => format!("{} · {}", name(&scope.service), region(scope, words)),
        _ => fill(words.scopes_of_account, &[&number(*count), &number(of_account)]),
    };
    let since_text = since.map_or_else(
        || words.since_ever.to_owned(),
        |since| {
            let stamp = Stamp::new(since, context.timezone);
            let utc = format!("{} {}", stamp.utc, words.utc);
            fill(words.since, &[&stamp.local.map_or(utc.clone(), |local| format!("{utc} ({local})"))])
        },
    );
    let (meaning, remedy) = why::reason(failure.reason, words.locale);
    Cause {
        account: name(&scope.account),
        provider: name(&scope.provider),
        what,
        since: since_text,
        age: since.map(|since| words.ago(now - since)),
        reason: failure.reason.as_str(),
        meaning,
        remedy: fill(words.more.remedy, &[remedy]),
        text: story(&failure.text),
    }
}

fn region(scope: &Scope, words: &Words) -> String {
    if scope.is_placeholder() {
        words.all_regions.to_owned()
    } else {
        shortened(&scope.region, NAME).into_owned()
    }
}

fn scope_row(
    scope: &Scope,
    view: &ScopeView,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &'static Words,
) -> ScopeRow {
    let name = |text: &str| shortened(text, NAME).into_owned();
    let (class, state) = match Condition::of(view) {
        Condition::Failing => ("failing", words.state_failing),
        Condition::Pending => ("pending", words.state_pending),
        Condition::Used | Condition::Empty => ("up", words.state_up),
    };
    ScopeRow {
        provider: name(&scope.provider),
        account: name(&scope.account),
        service: name(&scope.service),
        region: region(scope, words),
        project: name(&scope.project),
        class,
        state,
        resources: number(view.resources.len()),
        counts: counts(view, now, context, words),
        listed: view.listed_at.map(|at| Stamp::new(at, context.timezone)),
        listed_ago: view.listed_at.map_or_else(|| words.never.to_owned(), |at| words.ago(now - at)),
        failures: failures(view, now, words),
    }
}

fn counts(view: &ScopeView, now: DateTime<Utc>, context: &PageContext<'_>, words: &Words) -> Vec<String> {
    [
        (words.enabled, view.counts.of(TlsState::Enabled)),
        (words.disabled, view.counts.of(TlsState::Disabled)),
        (words.unsupported, view.counts.of(TlsState::Unsupported)),
        (words.unknown, view.counts.of(TlsState::Unknown)),
        (words.stale_count, view.stale(context.poll, now)),
        (words.excluded, view.excluded),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(pattern, count)| fill(pattern, &[&number(count)]))
    .collect()
}

fn failures(view: &ScopeView, now: DateTime<Utc>, words: &'static Words) -> Vec<ScopeFailure> {
    [(words.listing_fails, &view.listing_failure), (words.looks_fail, &view.look_failure)]
        .into_iter()
        .filter_map(|(what, failure)| {
            let Failure { reason, text, at } = failure.as_ref()?;
            Some(ScopeFailure {
                what,
                ago: words.ago(now - *at),
                reason: reason.as_str(),
                remedy: fill(words.more.remedy, &[why::reason(*reason, words.locale).1]),
                text: story(text),
            })
        })
        .collect()
}
