//! Floor 3: the clouds, each in a folder of its own. Nothing above this floor knows a cloud by name.
//!
//! [`PROVIDERS`] is the whole truth; nothing registers itself from afar. A cloud reads its own keys of the account
//! table and makes a [`Provider`] of them, so that neither `config` nor the daemon ever names a cloud.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::call::CallError;
use crate::domain::absence::Named;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing, ScopeList};
use crate::domain::renewal::attempt::Class;
use crate::domain::renewal::method::{Call, Capability, Detail};
use crate::domain::resource::Resource;
use crate::domain::snapshot::ScopeView;
use crate::fields::{Fields, SecretSetting};
use crate::http::{Answer, Http, Rate};
use crate::secret::{Secret, SecretError};

pub mod alibaba;
pub mod digest;
mod hosts;
pub mod huawei;
pub mod keys;
pub mod loose;
pub mod pair;
pub mod settings;
pub mod ucloud;
pub mod verdict;
pub mod x509;

pub use crate::call::BoxFuture;
pub use pair::{Pair, PairError};
pub use settings::AccountSettings;

/// A cloud: what the configuration has to know of it, and how an account of it is made.
#[derive(Debug)]
pub struct ProviderKind {
    /// Value of `provider` and of the label `cloud_provider`.
    pub name: &'static str,
    /// Its services, values of the label `cloud_service`; all of them unless an account names some.
    pub services: &'static [&'static str],
    /// Whether scopes have a project.
    pub has_projects: bool,
    /// Keys of the table `endpoints`.
    pub endpoint_keys: &'static [&'static str],
    /// The calls that are made for one service.
    pub calls: fn(&str) -> Calls,
    /// The policy that grants every reading call, as shipped; a test holds it against the calls that are made.
    pub read_policy: &'static str,
    /// The policy that grants renewal, where there is such a thing.
    pub renew_policy: Option<&'static str>,
    /// How a resource is renewed, where the cloud has a call for it.
    pub renewal: fn(&Scope, &Resource) -> Capability,
    /// Where to look at a resource in the cloud's console: as near as an address is known to lead.
    pub console: fn(&Scope, &str) -> String,
    /// The ways out where a role is refused.
    pub roles: &'static [Role],
    /// What this version makes of an answer to a call of this name that was kept; `None` where the answer alone tells nothing.
    pub replay: Replay,
    /// Reads its own keys of an account table; reports what is wrong to the fields.
    pub settings: fn(&mut Fields<'_>) -> Option<Box<dyn AccountSettings>>,
    /// Makes an account of them; `None` while accounts of this cloud cannot be watched in this version.
    pub build: Option<Build>,
}

/// Reads an answer to a call of this name, kept at this time, and tells in words what is made of it.
pub type Replay = fn(&str, &Answer, DateTime<Utc>) -> Option<Result<String, CallError>>;

/// Makes an account of a cloud.
pub type Build = fn(&Order<'_>) -> Result<Arc<dyn Provider>, BuildError>;

/// Every cloud, in documented order.
pub const PROVIDERS: &[ProviderKind] = &[alibaba::KIND, ucloud::KIND, huawei::KIND];

/// The cloud of that name.
pub fn find(name: &str) -> Option<&'static ProviderKind> {
    PROVIDERS.iter().find(|kind| kind.name == name)
}

/// What an account is made of.
pub struct Order<'a> {
    /// Its name.
    pub account: &'a Arc<str>,
    /// Its cloud's own keys.
    pub settings: &'a dyn AccountSettings,
    /// As configured; `None`: those that the cloud lists.
    pub regions: Option<&'a [String]>,
    /// As configured; `None`: those that the cloud lists, or no such thing as a project.
    pub projects: Option<&'a [String]>,
    /// The operator's filters cannot be decided without tags.
    pub tags_needed: bool,
    /// Calls per second for each API and region.
    pub rate_limit: Option<f64>,
    /// On the way to the cloud.
    pub proxy: Option<&'a str>,
    /// The way out.
    pub http: &'a Http,
    /// Reads a secret.
    pub secret: &'a dyn Fn(&SecretSetting) -> Result<Secret, SecretError>,
    /// Answers for environment variables, for the default chains of the clouds.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Why an account cannot be made although its settings are well-formed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Accounts of this cloud cannot be watched in this version.
    #[error("accounts of this cloud cannot be watched in this version")]
    NotBuilt,
    /// A secret could not be read.
    #[error("{subject}: {source}")]
    Secret {
        /// Which one.
        subject: String,
        /// Why.
        source: SecretError,
    },
    /// No HTTP client could be made.
    #[error("{0}")]
    Http(String),
    /// A secret was read and cannot be one: control characters, for example.
    #[error("{0} holds characters that no key has")]
    OddSecret(String),
    /// A default chain leads to something that is broken or not supported.
    #[error("{0}")]
    Chain(String),
}

/// A call that lends keys: a role, an agency, those of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// The cloud's own name for it.
    pub action: &'static str,
    /// What a person can do when it is refused to a key that is accepted, in one line.
    pub way_out: &'static str,
}

/// A call that is tried beside the looks, and without which only something is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extra {
    /// The cloud's own name for it.
    pub action: &'static str,
    /// What a policy must allow for it, where that has another name or none is needed.
    pub permission: Option<&'static str>,
    /// The policy that grants it, as shipped.
    pub policy: &'static str,
    /// What is not seen without it, and what is seen all the same.
    pub lost: &'static str,
    /// What else that permission allows; to be known before it is granted.
    pub mind: &'static str,
}

/// A look at one resource, with how what was tried beside it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The look.
    pub inspection: Inspection,
    /// How the calls of [`Calls::beside`] ended; `None`: there was nothing to make them for.
    pub beside: Option<Result<(), CallError>>,
}

/// The calls of one service, by the cloud's own names, which are those of its permission policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// Made by [`Provider::scopes`].
    pub scopes: &'static [&'static str],
    /// Made by [`Provider::discover`].
    pub listing: &'static [&'static str],
    /// Made by [`Provider::inspect`]; empty where the listing carries everything.
    pub detail: &'static [&'static str],
    /// Tried by [`Provider::inspect`] beside them, where the key may and there is something to make them for.
    pub beside: &'static [Extra],
    /// That would renew a certificate.
    pub renewal: &'static [&'static str],
}

impl Calls {
    /// Every call that only reads and that a look needs.
    pub fn reading(self) -> impl Iterator<Item = &'static str> {
        [self.scopes, self.listing, self.detail].into_iter().flatten().copied()
    }
}

/// One account of one cloud, ready to be asked. Nothing in here repeats a failed call: the next look is the retry.
pub trait Provider: Debug + Send + Sync {
    /// The scopes of one service, where the configuration names them all and nobody has to be asked.
    fn configured_scopes(&self, service: &str) -> Option<Vec<Scope>>;

    /// The scopes of one service: regions (and projects) as the cloud lists them for the account.
    fn scopes<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<ScopeList, CallError>>;

    /// What the operator wrote down of them.
    fn named(&self) -> Named;

    /// What is known of a scope from before a restart. Told once, before anything is asked there, for what an account
    /// remembers between looks.
    fn recall(&self, _scope: &Scope, _known: &ScopeView) {}

    /// A scope is gone: what is remembered of it is worth nothing any more.
    fn forget(&self, _scope: &Scope) {}

    /// What is in a scope.
    fn discover<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Listing, CallError>>;

    /// The state and the certificates of one resource.
    fn inspect<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Inspection, CallError>>;

    /// The same look, with what was tried beside it: for those who want to know what a key may.
    fn examine<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Examined, CallError>> {
        Box::pin(async move { Ok(Examined { inspection: self.inspect(scope, id).await?, beside: None }) })
    }

    /// The calls that are made for one service.
    fn calls(&self, service: &str) -> Calls;

    /// The calls that are made to get the keys themselves, where they are lent.
    fn key_calls(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// How far this machine's clock is ahead of the cloud's, by its last answer.
    fn clock_ahead(&self) -> Option<TimeDelta>;

    /// What each call may be used for now.
    fn rates(&self) -> Vec<Rate>;

    /// How many looks a second a scope allows now.
    fn inspect_rate(&self, scope: &Scope) -> f64;

    /// Who makes the calls that change something, where the cloud has any.
    fn renewer(&self) -> Option<&dyn Renewer> {
        None
    }
}

/// Why a call is not to be made any more, asked at the last moment: it may have waited for its turn.
pub type Late<'l> = dyn Fn() -> Option<String> + Send + Sync + 'l;

/// Makes the calls that change something. Nobody has it but the renewal loop.
pub trait Renewer: Send + Sync {
    /// Reads what a renewal of this resource needs to know, and how far one is that was made. Changes nothing.
    fn examine<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Examination, CallError>>;

    /// Makes the call, exactly as it stands in `call`, once: nothing in here or below repeats it. `pair` goes where
    /// [`Call::material`] says. Not sent where `late` says why.
    fn renew<'a>(
        &'a self,
        scope: &'a Scope,
        call: &'a Call,
        pair: Option<&'a Pair>,
        late: &'a Late<'a>,
    ) -> BoxFuture<'a, Sent>;
}

/// What was read of one resource for a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// What the planner needs; of [`Detail::material`] a cloud knows nothing.
    pub detail: Detail,
    /// The end of the certificate that clients are shown, by the cloud's field; `None` if it does not say.
    pub not_after: Option<DateTime<Utc>>,
    /// The cloud's word that the last change of TLS failed.
    pub failed: Option<Box<str>>,
    /// Neither list nor detail knows the resource any more.
    pub gone: bool,
}

/// What became of a call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The cloud took the order.
    Accepted {
        /// Its number for it, or empty.
        request_id: Box<str>,
    },
    /// The cloud said no: nothing happens.
    Refused {
        /// What that means.
        class: Class,
        /// The cloud's code.
        code: Box<str>,
        /// Its words, secrets removed.
        text: Box<str>,
        /// Its number for the request, or empty.
        request_id: Box<str>,
    },
    /// Nothing left this machine, for sure.
    NotSent {
        /// Why.
        text: Box<str>,
    },
    /// It may have arrived, and no answer says so. Only reading can tell.
    Lost {
        /// What happened to the answer.
        text: Box<str>,
    },
}
