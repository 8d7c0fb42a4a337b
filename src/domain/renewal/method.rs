//! How a cloud is asked for a renewal, as plain data: each cloud's folder has its tables, the planner only reads them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::policy::OwnCertificate;
use crate::domain::resource::ManagedBy;

/// Whether a certificate can be renewed by a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// The cloud has no call for it.
    NoApi,
    /// It has one, and for this engine its parameters are not known.
    UnknownEngine,
    /// In this way.
    Call(&'static Method),
}

/// A parameter and its value.
pub type Fixed = (&'static str, &'static str);

/// The call that renews a certificate of one engine. Only what stands in here is ever sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// The cloud's name for the call.
    pub action: &'static str,
    /// Parameter for the id.
    pub id: &'static str,
    /// Parameters for a certificate of the cloud.
    pub fixed: &'static [Fixed],
    /// Parameter for the protected host, where the call asks for it.
    pub host: Option<&'static str>,
    /// Where the customer may have brought the certificate.
    pub own: Option<OwnMethod>,
    /// Where the cloud can keep the order until its maintenance window.
    pub deferring: Option<Deferring>,
    /// What it interrupts.
    pub restarts: Restarts,
    /// Status words of an instance that can be renewed.
    pub ready: &'static [&'static str],
    /// Status words while its TLS is being changed.
    pub changing_tls: &'static [&'static str],
    /// Status words of other changes that end by themselves.
    pub changing: &'static [&'static str],
}

/// How a new certificate of the customer's is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnMethod {
    /// Parameters in place of those for a certificate of the cloud.
    pub fixed: &'static [Fixed],
    /// Parameter for the certificates, PEM.
    pub certificate: &'static str,
    /// Parameter for the key, PEM.
    pub key: &'static str,
}

/// How the cloud is told when to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferring {
    /// At once.
    pub at_once: Fixed,
    /// In the maintenance window of the instance.
    pub in_window: Fixed,
}

/// Whether connections break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restarts {
    /// Documented to restart.
    Yes,
    /// Documented not to.
    No,
    /// Not documented for sure; to be treated as a restart.
    Unknown,
}

impl Restarts {
    /// In a plan and in messages.
    pub fn text(self) -> &'static str {
        match self {
            Self::Yes => "restarts it",
            Self::No => "restarts nothing",
            Self::Unknown => "may restart it",
        }
    }
}

/// The condition of an instance, from the cloud's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It takes orders.
    Ready,
    /// Its TLS is being changed.
    ChangingTls,
    /// Something else is being changed.
    Changing,
    /// Anything else.
    NotRunning,
}

impl Method {
    /// What a status word means.
    pub fn condition(&self, status: &str) -> Condition {
        let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(status));
        match () {
            () if is(self.ready) => Condition::Ready,
            () if is(self.changing_tls) => Condition::ChangingTls,
            () if is(self.changing) => Condition::Changing,
            () => Condition::NotRunning,
        }
    }
}

/// What was read of one resource on the way to its renewal, beside the looks that everything gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// When.
    pub at: DateTime<Utc>,
    /// Its condition then, in the cloud's word.
    pub status: Option<Box<str>>,
    /// The one host that its certificate protects, for sure; `None` while that is uncertain.
    pub host: Option<Box<str>>,
    /// The maintenance window as the cloud reports it, `18:00Z-22:00Z`.
    pub window: Option<Box<str>>,
    /// Whether the cloud renews by itself; `None` where it does not say.
    pub rotation: Option<bool>,
    /// The end of the certificate that clients are shown, by the cloud's field; `None` where it does not say.
    pub not_after: Option<DateTime<Utc>>,
    /// Whose certificate it is, where the cloud says so.
    pub managed_by: Option<ManagedBy>,
    /// Whether the instance is locked, where the cloud says so.
    pub locked: Option<bool>,
    /// The cloud's word that the last change of TLS failed.
    pub failed: Option<Box<str>>,
    /// What the files of the rule hold, where it names some.
    pub material: Material,
}

impl Detail {
    /// Read at that moment, and nothing was said.
    pub fn silent(at: DateTime<Utc>) -> Self {
        Self {
            at,
            status: None,
            host: None,
            window: None,
            rotation: None,
            not_after: None,
            managed_by: None,
            locked: None,
            failed: None,
            material: Material::Unread,
        }
    }
}

/// A new certificate of the customer's, as it was found in its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// Nobody has looked.
    Unread,
    /// A pair that belongs together, complete, for the protected host.
    Fit {
        /// Its end.
        not_after: DateTime<Utc>,
    },
    /// It cannot be used.
    Unfit {
        /// Why.
        why: Box<str>,
    },
}

/// A call as it would be made, complete but for the secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The cloud's name for it.
    pub action: &'static str,
    /// Every parameter, in order, but for certificate and key of the customer.
    pub parameters: Vec<(&'static str, Box<str>)>,
    /// The parameters for certificate and key of the customer, and the files.
    pub material: Option<(&'static str, &'static str, OwnCertificate)>,
    /// What it interrupts.
    pub restarts: Restarts,
    /// Who waits for the window.
    pub begins: Begins,
}

/// When a call takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// As soon as it is made.
    AtOnce,
    /// When the maintenance window of the instance opens.
    InCloudWindow,
}

impl Method {
    /// The call for one resource. `host` is asked for only where the method has a parameter for it, and is needed there.
    pub fn call(
        &self,
        id: &str,
        host: Option<&str>,
        material: Option<&OwnCertificate>,
        begins: Begins,
    ) -> Call {
        let own = self.own.zip(material);
        let fixed = own.map_or(self.fixed, |(own, _)| own.fixed);
        let deferring = self.deferring.map(|deferring| match begins {
            Begins::AtOnce => deferring.at_once,
            Begins::InCloudWindow => deferring.in_window,
        });
        let named = [(self.id, id)].into_iter().chain(self.host.zip(host));
        let all = named.chain(fixed.iter().copied()).chain(deferring);
        Call {
            action: self.action,
            parameters: all.map(|(name, value)| (name, value.into())).collect(),
            material: own.map(|(own, files)| (own.certificate, own.key, files.clone())),
            restarts: self.restarts,
            begins,
        }
    }
}
