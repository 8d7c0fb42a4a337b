//! `explain`: all that is known of one resource, when it is looked at next, and why.
//!
//! Plain text from plain values. Everything said here is asked of the same functions that decide (`schedule`,
//! `finding`, `alert`); nothing is promised that this version does not do.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::select::Selection;
use crate::domain::alert::decide::World;
use crate::domain::alert::memory::Memory;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::matcher::Matcher;
use crate::domain::policy::{PollPolicy, RenewalRule, Thresholds};
use crate::domain::renewal::board::Board;
use crate::domain::resource::Resource;
use crate::domain::snapshot::{ScopeView, Snapshot};
use crate::visible::visible;

mod alerts;
mod paragraphs;
mod renewal;
mod unknown;
mod why;

/// What an explanation is made of.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// How often to look.
    pub policy: &'a PollPolicy,
    /// `[alert] thresholds`.
    pub thresholds: Thresholds,
    /// `[[alert.override]]`, in the order of the file; the first that matches wins.
    pub overrides: &'a [(Matcher, Thresholds)],
    /// Labels of accounts as configured: account and key to value, for `label:KEY`.
    pub account_label: &'a dyn Fn(&str, &str) -> Option<&'a str>,
    /// Calls a second that may go to the detail API of a scope now; `None` where the listing carries everything.
    pub pace: &'a dyn Fn(&Scope) -> Option<f64>,
    /// Where the daemon's own timeline stands, on which [`Resource::due`] is counted; `None` without a daemon.
    pub uptime: Option<Duration>,
    /// Who is told of it; `None` where no channel is configured.
    pub alerts: Option<Alerts<'a>>,
    /// What is planned and was renewed; `None` where a daemon renews nothing.
    pub renewals: Option<&'a Board>,
    /// `[[renewal.allow]]`, in the order of the file.
    pub allow: &'a [RenewalRule],
    /// The moment everything is measured from.
    pub now: DateTime<Utc>,
}

/// What decides who is told.
#[derive(Clone, Copy)]
pub struct Alerts<'a> {
    /// What a decision looks at.
    pub world: &'a World<'a>,
    /// What was told before.
    pub memory: &'a Memory,
    /// A daemon remembers it; else nobody knows what was told before.
    pub remembered: bool,
}

/// A resource with that id, and where it is.
#[derive(Clone, Copy)]
struct Found<'a> {
    scope: &'a Arc<Scope>,
    view: &'a ScopeView,
    resource: &'a Resource,
}

/// Which thresholds hold for a certificate, and who says so.
struct Applied<'a> {
    thresholds: Thresholds,
    /// Number (from 1) and condition of the override.
    rule: Option<(usize, &'a Matcher)>,
}

/// Explains the resource with this id, each one where several scopes have it. `Err` is the answer for an id that is not
/// known: the nearest ids, and where it may be hidden.
pub fn explain(id: &str, known: &Known<'_>) -> Result<String, String> {
    let found = known.snapshot.scopes.iter().filter_map(|(scope, view)| {
        let resource = view.resources.get(id)?;
        Some(Found { scope, view, resource })
    });
    let texts: Vec<_> = found.map(|found| paragraphs::of(found, known)).collect();
    match &texts[..] {
        [] => Err(unknown::answer(id, known.snapshot)),
        [only] => Ok(only.clone()),
        several => {
            let count = several.len();
            Ok(format!("{count} scopes have a resource {}.\n\n{}", visible(id), several.join("\n")))
        }
    }
}

impl<'a> Known<'a> {
    fn thresholds_of(&self, found: Found<'_>, role: CertRole) -> Applied<'a> {
        let meant = |matcher: &Matcher| {
            Selection::new(std::slice::from_ref(matcher), self.account_label).means(
                found.scope,
                found.resource,
                role,
            )
        };
        let first = self.overrides.iter().enumerate().find(|(_, (condition, _))| meant(condition));
        match first {
            Some((index, (matcher, thresholds))) => {
                Applied { thresholds: *thresholds, rule: Some((index + 1, matcher)) }
            }
            None => Applied { thresholds: self.thresholds, rule: None },
        }
    }
}

#[cfg(test)]
mod tests;
