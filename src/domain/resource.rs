//! One resource of a cloud and the certificates that were read from it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::{CertRole, ResourceId};
use super::reason::Failure;

/// Whether clients can speak TLS to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsState {
    /// On: its certificate matters.
    Enabled,
    /// Off: a date that comes with it says nothing.
    Disabled,
    /// This kind of instance cannot have it.
    Unsupported,
    /// Not read yet, or the answer did not say.
    Unknown,
}

impl TlsState {
    /// The word used in labels and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Unsupported => "unsupported",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a date was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DateSource {
    /// A field of the cloud's answer.
    Api,
    /// The X.509 certificate itself.
    X509,
}

impl DateSource {
    /// The value of the label `source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::X509 => "x509",
        }
    }
}

/// Who brought the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManagedBy {
    /// The cloud issued it and can issue the next one.
    Cloud,
    /// The customer uploaded it; nothing but new material of the customer renews it.
    Customer,
}

impl ManagedBy {
    /// The value of the label `managed_by`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Customer => "customer",
        }
    }
}

/// An end that moved by less is the same one, told by another source (the API rounds, the certificate does not).
pub const SAME_END: TimeDelta = TimeDelta::days(1);

/// A certificate as last read. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What it is to those who connect.
    pub role: CertRole,
    /// End of validity: the moment everything here is about.
    pub not_after: DateTime<Utc>,
    /// Begin of validity, where the cloud or the certificate says so.
    pub not_before: Option<DateTime<Utc>>,
    /// Where `not_after` was read.
    pub source: DateSource,
    /// The end according to the other source, where both exist.
    pub other_not_after: Option<DateTime<Utc>>,
    /// Names and numbers that make the certificate recognisable.
    pub subject: Subject,
}

impl Certificate {
    /// Both sources exist and differ by more than a day. `None` where there is only one source.
    pub fn dates_disagree(&self) -> Option<bool> {
        self.other_not_after.map(|other| (other - self.not_after).abs() > SAME_END)
    }
}

/// Names and numbers that make a certificate recognisable; empty where not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Common name, or what the cloud calls so.
    pub common_name: Box<str>,
    /// Distinguished name of the issuer.
    pub issuer: Box<str>,
    /// Serial number, lower-case hexadecimal.
    pub serial: Box<str>,
    /// SHA-256 of the DER form, lower-case hexadecimal.
    pub sha256: Box<str>,
    /// Kind and size of the key, `rsa-2048` for example.
    pub key: Box<str>,
    /// The hosts and addresses it is for (its alternative names), in its order; known only from the X.509 form.
    pub names: Box<[Box<str>]>,
}

/// What a good look at a resource found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Whether TLS is on.
    pub state: TlsState,
    /// The certificates; empty unless `state` is enabled.
    pub certificates: Vec<Certificate>,
    /// Who brought them, where the cloud says so.
    pub managed_by: Option<ManagedBy>,
    /// The cloud itself asks for a renewal (RDS `RequireUpdate`, Huawei `ssl_validated=false`).
    pub renewal_required: Option<bool>,
    /// When the answer came.
    pub at: DateTime<Utc>,
}

impl Reading {
    /// The certificate that ends first.
    pub fn earliest(&self) -> Option<&Certificate> {
        self.certificates.iter().min_by_key(|certificate| certificate.not_after)
    }
}

/// Tags of a resource, sorted by key. Shared, because many resources of a scope have the same ones.
pub type Tags = Arc<[(Arc<str>, Arc<str>)]>;

/// What the listing of a scope says of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Display name; chosen by people, never trusted as text.
    pub name: Box<str>,
    /// The cloud's own word for its condition (`Running`, `SSLModifying`). A change of it causes a look at once.
    pub status: Arc<str>,
    /// Engine, version and build as the cloud words them (`MySQL 8.0`). A change of it causes a look at once.
    pub engine: Arc<str>,
    /// The cloud's own tags.
    pub tags: Tags,
    /// Members of one replication group carry the same value; renewals never touch two of them together.
    pub group: Option<Box<str>>,
    /// The instance is locked (expired subscription, full disk); renewals leave it alone.
    pub locked: bool,
    /// Whether anything uses the certificate; `None` where the cloud does not say. One that nobody uses may end in peace.
    pub in_use: Option<bool>,
    /// What uses it, in the cloud's own names (the listeners of a balancer).
    pub used_by: Box<[Box<str>]>,
}

impl Facts {
    /// The value of the label `in_use`.
    pub fn in_use_label(&self) -> Option<&'static str> {
        self.in_use.map(|in_use| if in_use { "true" } else { "false" })
    }
}

/// A resource, all that is known of it. Kept behind an `Arc`: a change makes a new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The cloud's id.
    pub id: ResourceId,
    /// From the listing.
    pub facts: Facts,
    /// From the last good look; kept when a later one fails.
    pub reading: Option<Reading>,
    /// Of the last look, if it failed. Cleared by the next good one.
    pub failure: Option<Box<Failure>>,
    /// How many looks in a row failed.
    pub failures_in_a_row: u32,
    /// When the last look came back, good or bad.
    pub looked_at: Option<DateTime<Utc>>,
    /// When the next look is due; on the daemon's own timeline (time since start), `None` while it is not planned.
    pub due: Option<Duration>,
    /// The last listing carried its reading; no look at it alone is needed.
    pub carried: bool,
}

impl Resource {
    /// A resource that was listed and not looked at yet.
    pub fn new(id: ResourceId, facts: Facts) -> Self {
        Self {
            id,
            facts,
            reading: None,
            failure: None,
            failures_in_a_row: 0,
            looked_at: None,
            due: None,
            carried: false,
        }
    }

    /// Whether TLS is on, as far as known.
    pub fn state(&self) -> TlsState {
        self.reading.as_ref().map_or(TlsState::Unknown, |reading| reading.state)
    }

    /// The certificates of the last good look.
    pub fn certificates(&self) -> &[Certificate] {
        self.reading.as_ref().map_or(&[], |reading| &reading.certificates)
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.facts.tags.iter().find(|(name, _)| &**name == key).map(|(_, value)| &**value)
    }
}
