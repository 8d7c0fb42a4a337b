//! Which part of the page somebody wants: so that a fleet that is too large for one scrape is read by several.
//!
//! Every series belongs to exactly one part, so jobs that ask for different ones never read a series twice.

use std::sync::Arc;

use crate::domain::described::{Described, DescribedScope};
use crate::domain::identity::Scope;
use crate::domain::matcher::{Label, Matcher};
use crate::domain::resource::Resource;

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Series of certificates and resources.
    Resources,
    /// Series of scopes, their counters and what adds up their certificates.
    Scopes,
    /// Everything else: polling, calls, channels, the process.
    Daemon,
}

impl Part {
    /// Every part, in the order of the page.
    pub const ALL: [Self; 3] = [Self::Resources, Self::Scopes, Self::Daemon];

    /// The word used in the query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Scopes => "scopes",
            Self::Daemon => "daemon",
        }
    }
}

/// The labels of accounts, as configured.
pub trait AccountLabels: Send + Sync {
    /// Of an account the label of this key.
    fn label(&self, account: &str, key: &str) -> Option<&str>;
}

/// What is wanted of the page.
#[derive(Clone)]
pub struct Selection {
    parts: Vec<Part>,
    matcher: Option<Matcher>,
    accounts: Arc<dyn AccountLabels>,
}

/// Why something cannot be wanted; the words for who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// An expression has nothing to choose from.
    #[error("`part=daemon` is the same whatever `match` says: ask for it without `match`")]
    NothingToChoose,
    /// Scopes do not have this label.
    #[error(
        "`match` asks for `{0}`, which series of scopes do not have, so that their numbers would be those of more than \
         it chooses: ask for `part=resources`"
    )]
    NotOfScopes(Box<str>),
}

impl Selection {
    /// The parts (`None`: all that `matcher` can choose from) of what an expression means.
    ///
    /// # Errors
    /// A part has nothing that the expression could choose by.
    pub fn new(
        parts: Option<Vec<Part>>,
        matcher: Option<Matcher>,
        accounts: Arc<dyn AccountLabels>,
    ) -> Result<Self, SelectionError> {
        let narrow = matcher.as_ref().and_then(|matcher| matcher.labels().find(|label| !is_of_scopes(label)));
        let all = match (&matcher, narrow) {
            (None, _) => &Part::ALL[..],
            (Some(_), None) => &[Part::Resources, Part::Scopes],
            (Some(_), Some(_)) => &[Part::Resources],
        };
        let mut parts = parts.unwrap_or_else(|| all.to_vec());
        parts.sort_unstable();
        parts.dedup();
        match (parts.iter().find(|part| !all.contains(part)), narrow) {
            (None, _) => Ok(Self { parts, matcher, accounts }),
            (Some(Part::Scopes), Some(label)) => Err(SelectionError::NotOfScopes(label.to_string().into())),
            (Some(_), _) => Err(SelectionError::NothingToChoose),
        }
    }

    /// Whether a part is wanted.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Whether it is the page itself.
    pub fn is_everything(&self) -> bool {
        self.matcher.is_none() && self.parts == Part::ALL
    }

    /// Whether both mean the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.parts == other.parts
            && self.matcher == other.matcher
            && std::ptr::addr_eq(Arc::as_ptr(&self.accounts), Arc::as_ptr(&other.accounts))
    }

    /// Which resources of a scope are wanted.
    pub(super) fn choice(&self, scope: &Scope) -> Choice {
        let Some(matcher) = &self.matcher else { return Choice::All };
        let account_label = |key: &str| self.accounts.label(&scope.account, key);
        let described = DescribedScope { scope, account_label: &account_label };
        if matcher.labels().all(is_of_scopes) {
            return if described.is(matcher) { Choice::All } else { Choice::None };
        }
        if described.may_hold(matcher) { Choice::Some } else { Choice::None }
    }

    /// Whether this one is.
    pub(super) fn is_wanted(&self, scope: &Scope, resource: &Resource) -> bool {
        let account_label = |key: &str| self.accounts.label(&scope.account, key);
        let is = |matcher| Described::new(scope, resource, &account_label).is(matcher);
        self.matcher.as_ref().is_none_or(is)
    }
}

impl Selection {
    /// The same of a resource of which only this is known.
    pub(super) fn is_wanted_by_id(&self, scope: &Scope, id: &str) -> bool {
        let account_label = |key: &str| self.accounts.label(&scope.account, key);
        let described = DescribedScope { scope, account_label: &account_label };
        let value = |label: &Label| match label {
            Label::ResourceId => Some(id),
            other => described.label(other),
        };
        self.matcher.as_ref().is_none_or(|matcher| matcher.matches(&value))
    }
}

/// Which resources of a scope are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Every one.
    All,
    /// Those that match.
    Some,
    /// None of them.
    None,
}

fn is_of_scopes(label: &Label) -> bool {
    matches!(
        label,
        Label::CloudProvider
            | Label::CloudAccount
            | Label::CloudProject
            | Label::CloudRegion
            | Label::CloudService
            | Label::AccountLabel(_)
    )
}
