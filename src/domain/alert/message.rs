//! What is told: facts in no language, from which each channel makes its own words.
//!
//! A message is kept in the outbox as JSON, so fields may be added but never change their meaning. It holds nothing
//! secret. Days left are not in it: they are counted when it is sent.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::finding::Stage;
use crate::domain::identity::Scope;
use crate::domain::renewal::method::Restarts;

/// One thing to tell one channel. The unit of delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `evt_` and a ULID; the same over every retry.
    pub id: Box<str>,
    /// Name of the channel.
    pub channel: Box<str>,
    /// What sort of message it is.
    pub kind: Kind,
    /// The route that led to the channel, as people call it (`route 2`); empty where there was none.
    pub route: Box<str>,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// What it tells, the most urgent first.
    pub items: Vec<Item>,
    /// How many more there were than `items` holds.
    pub left_out: usize,
    /// The state of everything that concerns the channel; with digests and the first message.
    pub overview: Option<Overview>,
}

/// The sorts of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something happened.
    News,
    /// At a fixed time of day.
    Digest,
    /// The first one that a channel gets: how things stand.
    First,
    /// A person wanted to see whether it arrives.
    Test,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Item {
    /// A certificate.
    Certificate(CertificateItem),
    /// A source (account × reason) that cannot be read.
    Source(SourceItem),
    /// A channel that does not deliver.
    Channel(ChannelItem),
    /// A renewal that this daemon makes, or is going to make.
    Renewal(RenewalItem),
}

/// A certificate and what is new about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateItem {
    /// What is new.
    pub news: News,
    /// Which one, as known when it was decided.
    pub facts: CertificateFacts,
}

/// What may be told of a certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// It entered a deeper stage than was told before.
    Entered {
        /// The stage now.
        stage: Stage,
        /// The deepest one told before for this end; `None`: none.
        previous: Option<Stage>,
        /// When it was entered: the moment at which the threshold was crossed.
        since: DateTime<Utc>,
    },
    /// Nothing changed, and that is the trouble.
    Reminder {
        /// The stage, as told before.
        stage: Stage,
        /// When it was entered.
        since: DateTime<Utc>,
    },
    /// It ends later than before.
    Renewed {
        /// The end before.
        old_not_after: DateTime<Utc>,
        /// The serial number before, lower-case hexadecimal, where known.
        old_serial: Box<str>,
        /// Who did it.
        by: By,
        /// The stage of the new one; `Ok` mostly.
        stage: Stage,
        /// The deepest stage that was told of the old one.
        told: Stage,
    },
    /// Another certificate took its place that ends earlier.
    Changed {
        /// The end before.
        old_not_after: DateTime<Utc>,
        /// The serial number before, where known.
        old_serial: Box<str>,
        /// The stage of the present one.
        stage: Stage,
    },
    /// It is no longer there.
    Gone {
        /// What became of it.
        how: Gone,
        /// The deepest stage that was told.
        told: Stage,
    },
}

impl News {
    /// Nothing was told before: whoever does not get this message does not know that there was any trouble. Who is told
    /// of a renewal knows of the end before.
    pub fn is_first_word(&self) -> bool {
        match self {
            Self::Entered { previous, .. } => previous.is_none(),
            Self::Changed { .. } => true,
            Self::Renewed { .. } | Self::Reminder { .. } | Self::Gone { .. } => false,
        }
    }
}

/// Who renewed a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// This daemon.
    Notafter,
    /// Somebody else, or the cloud itself.
    External,
}

/// How a certificate went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// Its resource is no longer listed.
    NotListed,
    /// TLS was switched off.
    TlsOff,
    /// The resource no longer shows a certificate of this role.
    NotShown,
    /// Nobody looks any more: its account, project, region or service was taken out, or is not there any more.
    NotWatched,
}

/// A certificate as messages show it. Empty text where something is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// Identity of the certificate, 16 hexadecimal digits; the same over renewals.
    pub fingerprint: Fingerprint,
    /// Code of the cloud.
    pub provider: Box<str>,
    /// Name of the account.
    pub account: Box<str>,
    /// The cloud's id of the project.
    pub project: Box<str>,
    /// The cloud's id of the region.
    pub region: Box<str>,
    /// Product of the cloud.
    pub service: Box<str>,
    /// The cloud's id of the resource.
    pub resource_id: Box<str>,
    /// `server`, `ca` or `chain`.
    pub role: Box<str>,
    /// Display name; chosen by people, never trusted as text.
    pub resource_name: Box<str>,
    /// Labels of the account.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Whom the account's `owner_tag` names.
    pub owner: Option<Box<str>>,
    /// Begin of validity.
    pub not_before: Option<DateTime<Utc>>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// Serial number, lower-case hexadecimal.
    pub serial: Box<str>,
    /// SHA-256 of the DER form, lower-case hexadecimal.
    pub sha256: Box<str>,
    /// When it was read last.
    pub last_seen: DateTime<Utc>,
    /// What is known is older than the policy promises.
    pub stale: bool,
    /// Whether anything uses it, where the cloud says so.
    pub in_use: Option<bool>,
    /// `cloud` or `customer`, where known.
    pub managed_by: Option<Box<str>>,
    /// Where to look at it in the cloud's console.
    pub console_url: Option<Box<str>>,
    /// What renewal will do.
    pub renewal: RenewalNote,
}

impl CertificateFacts {
    /// Where its resource is, or was.
    pub fn scope(&self) -> Scope {
        Scope {
            provider: (&*self.provider).into(),
            account: (&*self.account).into(),
            project: (&*self.project).into(),
            region: (&*self.region).into(),
            service: (&*self.service).into(),
        }
    }
}

/// What messages say about renewal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum RenewalNote {
    /// A person has to do it.
    #[default]
    Manual,
    /// The cloud has no call for it: a new certificate has to be uploaded or the cloud's support asked.
    NoApi,
    /// It is planned for that moment.
    Planned {
        /// When.
        at: DateTime<Utc>,
    },
}

/// An account that cannot be read, for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceItem {
    /// Blind, or seeing again.
    pub news: SourceNews,
    /// Code of the cloud.
    pub provider: Box<str>,
    /// Name of the account.
    pub account: Box<str>,
    /// One of the closed list of reasons.
    pub reason: Box<str>,
    /// Which services.
    pub services: Vec<Box<str>>,
    /// Which regions; empty text for an account whose regions are not known.
    pub regions: Vec<Box<str>>,
    /// What the cloud said, secrets removed, in one line.
    pub error: Box<str>,
    /// The last time that one of them was read well.
    pub last_success: Option<DateTime<Utc>>,
    /// Certificates that nobody looks at meanwhile.
    pub certificates: usize,
    /// The deepest stage among them, by their last known dates.
    pub worst: Stage,
}

/// What may be told of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum SourceNews {
    /// It cannot be read.
    Blind {
        /// Since when.
        since: DateTime<Utc>,
        /// How bad that is by now.
        severity: Severity,
        /// It was told before, and is still so.
        again: bool,
    },
    /// It can be read again, or nobody has to any more.
    Recovered {
        /// Since when it could not.
        since: DateTime<Utc>,
        /// When that was over.
        until: DateTime<Utc>,
        /// It cannot be read for all that is known: it is not watched any more.
        #[serde(default)]
        unwatched: bool,
    },
}

/// Another channel, as told through this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelItem {
    /// Its name.
    pub channel: Box<str>,
    /// What happened.
    pub news: ChannelNews,
}

/// What may be told of a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum ChannelNews {
    /// It does not deliver.
    Failing {
        /// Since when.
        since: DateTime<Utc>,
        /// Attempts that failed.
        failures: u32,
        /// What the other side said, secrets removed.
        error: Box<str>,
        /// Messages that wait.
        queued: usize,
    },
    /// It delivers again.
    Recovered {
        /// Since when it did not.
        since: DateTime<Utc>,
        /// Messages that came late by it.
        delayed: usize,
    },
}

/// A renewal, as people are told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenewalItem {
    /// What is new.
    pub news: RenewalNews,
    /// The certificate that is renewed; its end is the old one.
    pub facts: CertificateFacts,
    /// Id of the attempt.
    pub attempt: Box<str>,
    /// Who wants it: `rule`, or a person's name.
    pub who: Box<str>,
    /// The expression of the rule that allows it.
    pub rule: Box<str>,
    /// The cloud's name for the call.
    pub call: Box<str>,
    /// What the call interrupts.
    pub restarts: Restarts,
    /// Where it can be looked at, approved and rejected; nothing secret.
    pub link: Option<Box<str>>,
}

/// What may be told of a renewal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum RenewalNews {
    /// It will be made in a window.
    Planned {
        /// The window begins.
        from: DateTime<Utc>,
        /// The window ends.
        until: DateTime<Utc>,
        /// Only if a person approves.
        asks: bool,
        /// The end of an earlier window that passed without a call.
        missed: Option<DateTime<Utc>>,
    },
    /// The call is being made.
    Started {
        /// It should be over by then.
        expected_by: DateTime<Utc>,
    },
    /// It was to be made and was not: a hook said no, or nothing could be sent. It is tried again.
    Held {
        /// Why.
        text: Box<str>,
    },
    /// A later end was read.
    Succeeded {
        /// That end.
        new_not_after: DateTime<Utc>,
    },
    /// It was made and did not help. It is not made again unless a person orders it.
    Failed {
        /// In which way.
        how: RenewalFailure,
        /// The cloud's code, or empty.
        code: Box<str>,
        /// The cloud's id of the request, or empty.
        request_id: Box<str>,
        /// The cloud's words, secrets removed, or empty.
        text: Box<str>,
        /// So many failed in a row that no other is begun either.
        stops: bool,
    },
}

/// How a renewal failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewalFailure {
    /// The cloud did not take it, for a reason that may pass.
    RefusedForNow,
    /// The cloud did not take it, and a person has to do something first.
    RefusedForAPerson,
    /// The cloud will never take it.
    RefusedForGood,
    /// The cloud took it, and said later that it failed.
    Later,
    /// The cloud took it and finished, and the end is the old one.
    WithoutEffect,
    /// No answer came, and the end is the old one.
    Unknown,
}

impl RenewalNews {
    /// The word in bodies for programs and in templates.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::Started { .. } => "started",
            Self::Held { .. } => "held",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
        }
    }
}

impl RenewalFailure {
    /// The word in bodies for programs and in templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RefusedForNow => "refused_for_now",
            Self::RefusedForAPerson => "refused_for_a_person",
            Self::RefusedForGood => "refused_for_good",
            Self::Later => "later",
            Self::WithoutEffect => "without_effect",
            Self::Unknown => "unknown",
        }
    }
}

/// How things stand, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overview {
    /// Certificates by stage.
    pub stages: BTreeMap<Stage, usize>,
    /// Certificates in a stage (info or deeper) by service.
    pub services: BTreeMap<Box<str>, usize>,
    /// Scopes that cannot be read.
    pub blind: usize,
    /// Renewals that are planned.
    pub planned: usize,
}

/// How bad something is, as receivers understand it. Expired is critical too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth planning.
    Warning,
    /// Worth waking somebody.
    Critical,
}

impl Severity {
    /// Value of the label `severity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Of a certificate in this stage.
    pub fn of(stage: Stage) -> Self {
        match stage {
            Stage::Ok | Stage::Info => Self::Info,
            Stage::Warning => Self::Warning,
            Stage::Critical | Stage::Expired => Self::Critical,
        }
    }
}

/// How a message looks: the colour of its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tone {
    /// About the watching itself, or nothing at all.
    Health,
    /// Good news.
    Good,
    /// Worth knowing.
    Info,
    /// Worth planning.
    Warning,
    /// Worth waking somebody.
    Critical,
    /// Over.
    Expired,
}

impl Item {
    /// The label `type`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Certificate(item) => match item.news {
                News::Entered { stage: Stage::Expired, .. } => "certificate.expired",
                News::Entered { .. } => "certificate.expiring",
                News::Reminder { .. } => "certificate.reminder",
                News::Renewed { .. } => "certificate.renewed",
                News::Changed { .. } => "certificate.changed",
                News::Gone { .. } => "certificate.gone",
            },
            Self::Source(item) => match item.news {
                SourceNews::Blind { .. } => "source.blind",
                SourceNews::Recovered { .. } => "source.recovered",
            },
            Self::Channel(item) => match item.news {
                ChannelNews::Failing { .. } => "channel.failing",
                ChannelNews::Recovered { .. } => "channel.recovered",
            },
            Self::Renewal(item) => match item.news {
                RenewalNews::Planned { .. } => "renewal.planned",
                RenewalNews::Started { .. } => "renewal.started",
                RenewalNews::Held { .. } => "renewal.held",
                RenewalNews::Succeeded { .. } => "renewal.succeeded",
                RenewalNews::Failed { .. } => "renewal.failed",
            },
        }
    }

    /// The label `severity`.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Certificate(item) => match item.news {
                News::Entered { stage, .. } | News::Reminder { stage, .. } | News::Renewed { stage, .. } => {
                    Severity::of(stage)
                }
                News::Changed { stage, .. } => Severity::of(stage).max(Severity::Warning),
                News::Gone { .. } => Severity::Info,
            },
            Self::Source(item) => match item.news {
                SourceNews::Blind { severity, .. } => severity,
                SourceNews::Recovered { .. } => Severity::Info,
            },
            Self::Channel(item) => match item.news {
                ChannelNews::Failing { .. } => Severity::Warning,
                ChannelNews::Recovered { .. } => Severity::Info,
            },
            Self::Renewal(item) => match item.news {
                RenewalNews::Planned { .. } | RenewalNews::Started { .. } | RenewalNews::Succeeded { .. } => {
                    Severity::Info
                }
                RenewalNews::Held { .. } => Severity::Warning,
                RenewalNews::Failed { .. } => Severity::Critical,
            },
        }
    }

    /// How it looks.
    pub fn tone(&self) -> Tone {
        let of = |stage| match stage {
            Stage::Ok => Tone::Health,
            Stage::Info => Tone::Info,
            Stage::Warning => Tone::Warning,
            Stage::Critical => Tone::Critical,
            Stage::Expired => Tone::Expired,
        };
        match self {
            Self::Certificate(item) => match item.news {
                News::Renewed { stage: Stage::Ok, .. } => Tone::Good,
                News::Entered { stage, .. } | News::Reminder { stage, .. } | News::Renewed { stage, .. } => {
                    of(stage)
                }
                News::Changed { stage, .. } => of(stage).max(Tone::Warning),
                News::Gone { .. } => Tone::Health,
            },
            Self::Source(item) => match item.news {
                SourceNews::Blind { severity: Severity::Critical, .. } => Tone::Critical,
                SourceNews::Blind { .. } => Tone::Warning,
                SourceNews::Recovered { unwatched: true, .. } => Tone::Health,
                SourceNews::Recovered { .. } => Tone::Good,
            },
            Self::Channel(item) => match item.news {
                ChannelNews::Failing { .. } => Tone::Warning,
                ChannelNews::Recovered { .. } => Tone::Good,
            },
            Self::Renewal(item) => match item.news {
                RenewalNews::Planned { .. } | RenewalNews::Started { .. } => Tone::Info,
                RenewalNews::Held { .. } => Tone::Warning,
                RenewalNews::Succeeded { .. } => Tone::Good,
                RenewalNews::Failed { .. } => Tone::Critical,
            },
        }
    }
}

impl Message {
    /// The worst severity in it; that of a test is info.
    pub fn severity(&self) -> Severity {
        self.items.iter().map(Item::severity).max().unwrap_or(Severity::Info)
    }

    /// How it looks: as its worst item.
    pub fn tone(&self) -> Tone {
        self.items.iter().map(Item::tone).max().unwrap_or(Tone::Health)
    }

    /// Value of `type` in the webhook's body: that of its first item, unless the message is more than its items.
    pub fn type_name(&self) -> &'static str {
        match (self.kind, self.items.first()) {
            (Kind::Test, _) => "test",
            (Kind::News, Some(item)) => item.type_name(),
            _ => "digest",
        }
    }
}

/// Identity of a certificate over renewals: a hash of provider, account, project, region, service, resource and role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
