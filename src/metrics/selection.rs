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
    /// Any of them; none: everything.
    matchers: Vec<Matcher>,
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
    /// The parts (`None`: all that the expressions can choose from) of what any of the expressions means; without any,
    /// of everything.
    ///
    /// # Errors
    /// A part has nothing that the expressions could choose by.
    pub fn new(
        parts: Option<Vec<Part>>,
        matchers: Vec<Matcher>,
        accounts: Arc<dyn AccountLabels>,
    ) -> Result<Self, SelectionError> {
        let narrow = matchers.iter().flat_map(Matcher::labels).find(|label| !Label::is_of_scope(label));
        let all = match (matchers.is_empty(), narrow) {
            (true, _) => &Part::ALL[..],
            (false, None) => &[Part::Resources, Part::Scopes],
            (false, Some(_)) => &[Part::Resources],
        };
        let mut parts = parts.unwrap_or_else(|| all.to_vec());
        parts.sort_unstable();
        parts.dedup();
        match (parts.iter().find(|part| !all.contains(part)), narrow) {
            (None, _) => Ok(Self { parts, matchers, accounts }),
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
        self.matchers.is_empty() && self.parts == Part::ALL
    }

    /// Whether both mean the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.parts == other.parts
            && self.matchers == other.matchers
            && std::ptr::addr_eq(Arc::as_ptr(&self.accounts), Arc::as_ptr(&other.accounts))
    }

    /// Which resources of a scope are wanted.
    pub(super) fn choice(&self, scope: &Scope) -> Choice {
        if self.matchers.is_empty() {
            return Choice::All;
        }
        let account_label = |key: &str| self.accounts.label(&scope.account, key);
        let described = DescribedScope { scope, account_label: &account_label };
        let of = |matcher: &Matcher| match matcher.labels().all(Label::is_of_scope) {
            true if described.is(matcher) => Choice::All,
            false if described.may_hold(matcher) => Choice::Some,
            _ => Choice::None,
        };
        self.matchers.iter().map(of).max().unwrap_or(Choice::None)
    }

    /// Whether this one is.
    pub(super) fn is_wanted(&self, scope: &Scope, resource: &Resource) -> bool {
        let account_label = |key: &str| self.accounts.label(&scope.account, key);
        let is = |matcher: &Matcher| Described::new(scope, resource, &account_label).is(matcher);
        self.is_any(is)
    }
}

impl Selection {
    fn is_any(&self, is: impl Fn(&Matcher) -> bool) -> bool {
        self.matchers.is_empty() || self.matchers.iter().any(is)
    }

    /// The same of a resource of which only this is known.
    pub(super) fn is_wanted_by_id(&self, scope: &Scope, id: &str) -> bool {
        let account_label = |key: &str| self.accounts.label(&scope.account, key);
        let described = DescribedScope { scope, account_label: &account_label };
        let value = |label: &Label| match label {
            Label::ResourceId => Some(id),
            other => described.label(other),
        };
        self.is_any(|matcher| matcher.matches(&value))
    }
}

/// Which resources of a scope are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Choice {
    /// None of them.
    None,
    /// Those that match.
    Some,
    /// Every one.
    All,
}
