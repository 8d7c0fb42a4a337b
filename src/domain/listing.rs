//! What a cloud hands over: the results of the three kinds of look.

use super::identity::{ResourceId, Scope};
use super::reason::Reason;
use super::resource::{Facts, Reading};

/// The answer to "which regions (and projects) does this account have?", for one service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeList {
    /// Every scope once.
    pub scopes: Vec<Scope>,
    /// Why it may lack something; `None` when every row was understood. Only a complete list speaks against a scope
    /// that it does not name.
    pub incomplete: Option<(Reason, String)>,
}

impl ScopeList {
    /// These and no others.
    pub fn complete(scopes: Vec<Scope>) -> Self {
        Self { scopes, incomplete: None }
    }
}

/// A resource as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The cloud's id.
    pub id: ResourceId,
    /// What the listing says of it.
    pub facts: Facts,
    /// The tags in `facts` were read; else those known before stay.
    pub tags_known: bool,
    /// Where the listing already carries the certificates (UCloud).
    pub reading: Option<Reading>,
    /// Whether a look at it makes sense now; not while it is being created or released.
    pub inspectable: bool,
}

/// The answer to "what is in this scope?".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Every resource once.
    pub resources: Vec<Listed>,
    /// Why the listing may lack something; `None` when all pages were read to their end and every row was understood.
    /// Only a complete listing may remove anything.
    pub incomplete: Option<(Reason, String)>,
    /// What failed beside it without making it incomplete: tags that could not be read, for example.
    pub remarks: Vec<Remark>,
    /// Calls that belong to a listing and were not made this time, because there was nothing to ask about.
    pub unasked: Vec<&'static str>,
}

/// Something that failed and that the listing can do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The call, by the cloud's own name for it.
    pub action: &'static str,
    /// Why.
    pub reason: Reason,
    /// The whole story in one line.
    pub text: String,
}

/// The answer to "what is the state of this resource?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// Read well.
    Read(Reading),
    /// TLS is on, and its certificate could not be read; says what was found. Certificates known before stay.
    ReadInPart(Reading, String),
    /// The cloud does not know it any more: its series go, and that is no error.
    Gone,
    /// In the middle of a change: what was known stays, and it is looked at again soon.
    Busy,
}
