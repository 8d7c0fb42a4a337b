//! What there is at the simulated cloud: accounts, projects and instances with their certificates. Plain values.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::resource::TlsState;
use crate::sim::alibaba::{Expiry, Key, Text};

/// An account and its keys.
#[derive(Clone)]
pub struct Account {
    /// The account's id (`domain_id`).
    pub id: Text,
    /// The name by which the configuration knows it.
    pub name: Text,
    /// Its keys; rights are named as in policies (`dcs:ssl:modify`).
    pub keys: Vec<Key>,
}

/// A project: a region, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// 32 hexadecimal digits.
    pub id: Text,
    /// The region's id, or `{region}_{name}`.
    pub name: Text,
    /// The account, or the project of the region.
    pub parent: Text,
    /// The account that it belongs to.
    pub account: Text,
    /// The region that it belongs to; empty for those of no region.
    pub region: Text,
}

impl Project {
    /// A region's own project.
    pub fn new(id: &str, region: &str, account: &str) -> Self {
        Self {
            id: id.into(),
            name: region.into(),
            parent: account.into(),
            account: account.into(),
            region: region.into(),
        }
    }

    /// A part of it.
    #[must_use]
    pub fn part(&self, id: &str, name: &str) -> Self {
        let name = format!("{}_{name}", self.region).into();
        Self { id: id.into(), name, parent: self.id.clone(), ..self.clone() }
    }
}

/// Whether TLS is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ssl {
    /// On, with the end that the detail shows.
    On(Expiry),
    /// Off: 204 without a body.
    Off,
    /// Off, said in JSON.
    OffInJson,
    /// 400 `DCS.4201`.
    Unsupported,
    /// 400 `DCS.4049`.
    Busy,
    /// Listed, but 404 `DCS.3022` when asked about.
    Gone,
}

/// What the link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    /// A zip with `ca.crt` in it, which ends then.
    Ca(DateTime<Utc>),
    /// Exactly these bytes.
    Bytes(Bytes),
}

/// The link itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Good for ten minutes.
    Honest,
    /// Expired when it is made.
    Expired,
    /// Exactly this text.
    Text(String),
    /// Not in the answer.
    Absent,
}

/// A cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// A UUID.
    pub id: Text,
    /// Display name.
    pub name: Text,
    /// Id of its project.
    pub project: Text,
    /// `Redis` or `Memcached`.
    pub engine: Text,
    /// `6.0` for example.
    pub version: Text,
    /// `RUNNING` for example.
    pub status: Text,
    /// Sorted by nobody.
    pub tags: Vec<(Text, Text)>,
    /// What `features.support_ssl` says; `None`: there is no `features`.
    pub supports_ssl: Option<bool>,
    /// Whether TLS is on.
    pub ssl: Ssl,
    /// What `ssl_validated` says.
    pub validated: Option<bool>,
    /// The link to the CA.
    pub link: Link,
    /// What is behind it.
    pub download: Download,
    /// Types that break the documentation, as the vendor's own examples do.
    pub loose_types: bool,
}

impl Instance {
    /// A Redis 6.0 with TLS on.
    pub fn new(id: &str, project: &str, ends: DateTime<Utc>, ca_ends: DateTime<Utc>) -> Self {
        Self {
            id: id.into(),
            name: format!("dcs-{id}").into(),
            project: project.into(),
            engine: "Redis".into(),
            version: "6.0".into(),
            status: "RUNNING".into(),
            tags: vec![],
            supports_ssl: Some(true),
            ssl: Ssl::On(Expiry::At(ends)),
            validated: Some(true),
            link: Link::Honest,
            download: Download::Ca(ca_ends),
            loose_types: false,
        }
    }

    /// What a reader can know at best.
    pub fn truth(&self) -> Truth {
        let supported = self.supports_ssl != Some(false) && &*self.engine == "Redis";
        let state = match &self.ssl {
            _ if !supported => TlsState::Unsupported,
            Ssl::On(_) => TlsState::Enabled,
            Ssl::Off | Ssl::OffInJson => TlsState::Disabled,
            Ssl::Unsupported => TlsState::Unsupported,
            Ssl::Busy | Ssl::Gone => TlsState::Unknown,
        };
        let on = state == TlsState::Enabled;
        let server = match &self.ssl {
            Ssl::On(Expiry::At(at)) if on => Some(*at),
            Ssl::On(expiry) if on => expiry.means(),
            _ => None,
        };
        let ca = match &self.download {
            Download::Ca(at) if on && self.link == Link::Honest => Some(*at),
            _ => None,
        };
        Truth { state, server, ca }
    }
}

/// What is really so, for comparison with what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// Whether TLS is on; unknown while asking is answered with "busy" or "gone".
    pub state: TlsState,
    /// The end that the detail shows, to the millisecond.
    pub server: Option<DateTime<Utc>>,
    /// The end of the CA in the archive.
    pub ca: Option<DateTime<Utc>>,
}

/// How many calls the cloud takes: counted per key, region and call, and only those it takes.
#[derive(Debug, Clone)]
pub struct Quota {
    /// Name of the call (`ShowInstanceSslDetail`); `None` for each.
    pub action: Option<Text>,
    /// So many calls
    pub calls: usize,
    /// in any such span of whole seconds.
    pub per: TimeDelta,
}

/// Everything there is.
#[derive(Clone, Default)]
pub struct Fleet {
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Projects.
    pub projects: Vec<Project>,
    /// Quotas; the first that fits counts.
    pub quotas: Vec<Quota>,
    /// `instance_num` is the number of the page, not of the list: the documentation allows both.
    pub counts_pages: bool,
    /// Pages have at most this many rows, whatever was asked for.
    pub page_cap: Option<usize>,
    /// By id.
    instances: BTreeMap<Text, Instance>,
}

impl Fleet {
    /// Adds an instance, or replaces the one with its id.
    pub fn insert(&mut self, instance: Instance) {
        self.instances.insert(instance.id.clone(), instance);
    }

    /// Takes an instance away.
    pub fn remove(&mut self, id: &str) -> Option<Instance> {
        self.instances.remove(id)
    }

    /// One instance.
    pub fn get(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id)
    }

    /// One instance, to be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.get_mut(id)
    }

    /// Every instance, by id.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Nothing is there.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// The project with this id.
    pub fn project(&self, id: &str) -> Option<&Project> {
        self.projects.iter().find(|project| &*project.id == id)
    }

    /// The account and the key with this AK.
    pub(super) fn key(&self, id: &str) -> Option<(&Account, &Key)> {
        let keys =
            self.accounts.iter().flat_map(|account| account.keys.iter().map(move |key| (account, key)));
        keys.into_iter().find(|(_, key)| &*key.id == id)
    }

    /// The quota for a call.
    pub(super) fn quota(&self, action: &str) -> Option<&Quota> {
        self.quotas.iter().find(|quota| quota.action.as_deref().is_none_or(|wanted| wanted == action))
    }
}
