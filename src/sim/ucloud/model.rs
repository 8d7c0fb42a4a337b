//! What a certificate entry is, how it is written, and what is true of it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::account::Text;
use crate::domain::identity::CertRole;
use crate::sim::pem;

/// One entry of DescribeSSLV2.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `ssl-…`.
    pub id: Text,
    /// Name, chosen by people.
    pub name: Text,
    /// Where it belongs: account by name, project, region.
    pub account: Text,
    /// Id of the project.
    pub project: Text,
    /// Id of the region.
    pub region: Text,
    /// What `SSLContent` holds.
    pub content: Content,
    /// When it was uploaded.
    pub created: DateTime<Utc>,
    /// What uses it.
    pub relations: Relations,
    /// The main name, as the cloud found it.
    pub domains: Text,
    /// The field `NotBefore`.
    pub not_before: Date,
    /// The field `NotAfter`.
    pub not_after: Date,
    /// Members that the honest answer does not have, or that replace those it has.
    pub more: Vec<(String, Value)>,
}

impl Entry {
    /// An entry with key, leaf and issuer, that ends then and that nobody uses. The fields say the same as the leaf.
    pub fn new(id: &str, account: &str, project: &str, region: &str, ends: DateTime<Utc>) -> Self {
        let begins = ends - chrono::TimeDelta::days(365);
        let host = format!("{id}.example.com");
        Self {
            id: id.into(),
            name: id.into(),
            account: account.into(),
            project: project.into(),
            region: region.into(),
            content: Content::Bundle(vec![
                Block::Key("RSA "),
                Block::Leaf { host: host.as_str().into(), begins, ends },
                Block::Issuer { ends: ends + chrono::TimeDelta::days(2000) },
            ]),
            created: begins,
            relations: Relations::None,
            domains: host.into(),
            not_before: Date::At(begins),
            not_after: Date::At(ends),
            more: vec![],
        }
    }

    /// The same, for a host of this name.
    #[must_use]
    pub fn for_host(mut self, name: &str) -> Self {
        self.domains = name.into();
        if let Content::Bundle(blocks) = &mut self.content {
            for block in blocks {
                if let Block::Leaf { host, .. } = block {
                    *host = name.into();
                }
            }
        }
        self
    }

    /// The same, used by a listener.
    #[must_use]
    pub fn used_by(mut self, balancer: &str, listener: &str) -> Self {
        let relation = Relation { balancer: balancer.into(), listener: listener.into() };
        match &mut self.relations {
            Relations::List(list) => list.push(relation),
            other => *other = Relations::List(vec![relation]),
        }
        self
    }
}

/// What `SSLContent` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// PEM blocks, one behind the other.
    Bundle(Vec<Block>),
    /// The same with CRLF, text before the first block, and no end of line behind the last.
    Untidy(Vec<Block>),
    /// Any text: empty, masked, nonsense.
    Text(Text),
    /// Something that is no text.
    Odd(Value),
    /// Not there.
    Absent,
}

/// A block of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A private key of this kind (`RSA `, `EC `, or nothing).
    Key(&'static str),
    /// The certificate of a server.
    Leaf {
        /// For this host.
        host: Text,
        /// Begin of validity.
        begins: DateTime<Utc>,
        /// End of validity.
        ends: DateTime<Utc>,
    },
    /// The certificate of an issuer.
    Issuer {
        /// End of validity.
        ends: DateTime<Utc>,
    },
    /// A certificate that cannot be read.
    Broken,
}

impl Block {
    fn pem(&self) -> String {
        match self {
            Self::Key(kind) => pem::private_key_of(kind),
            Self::Leaf { host, begins, ends } => pem::certificate(host, *begins, *ends),
            Self::Issuer { ends } => pem::issuer("notafter simulated CA", DateTime::UNIX_EPOCH, *ends),
            Self::Broken => {
                "-----BEGIN CERTIFICATE-----\nTm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n".into()
            }
        }
    }
}

impl Content {
    fn json(&self) -> Option<Value> {
        let text = |blocks: &[Block]| blocks.iter().map(Block::pem).collect::<String>();
        match self {
            Self::Bundle(blocks) => Some(text(blocks).into()),
            Self::Untidy(blocks) => {
                let text = format!("Bag Attributes\n  friendlyName: x\n{}", text(blocks));
                Some(text.trim_end().replace('\n', "\r\n").into())
            }
            Self::Text(text) => Some((&**text).into()),
            Self::Odd(value) => Some(value.clone()),
            Self::Absent => None,
        }
    }

    fn blocks(&self) -> &[Block] {
        match self {
            Self::Bundle(blocks) | Self::Untidy(blocks) => blocks,
            Self::Text(_) | Self::Odd(_) | Self::Absent => &[],
        }
    }

    /// What it says by itself; nothing where its leaf may be the block that cannot be read.
    fn truth(&self) -> Vec<(CertRole, DateTime<Utc>)> {
        let leaf = self.blocks().iter().find_map(|block| match block {
            Block::Leaf { ends, .. } => Some(*ends),
            _ => None,
        });
        let issuers = self.blocks().iter().filter_map(|block| match block {
            Block::Issuer { ends } => Some(*ends),
            _ => None,
        });
        match (leaf, issuers.min()) {
            (Some(leaf), Some(issuer)) => vec![(CertRole::Server, leaf), (CertRole::Chain, issuer)],
            (Some(leaf), None) => vec![(CertRole::Server, leaf)],
            (None, Some(issuer)) if !self.blocks().contains(&Block::Broken) => vec![(CertRole::Ca, issuer)],
            (None, _) => vec![],
        }
    }
}

/// How a date is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Date {
    /// Unix seconds.
    At(DateTime<Utc>),
    /// The same as text.
    AsText(DateTime<Utc>),
    /// Milliseconds, as the platform of the same cloud has them.
    Milliseconds(DateTime<Utc>),
    /// Anything else; it means nothing.
    Odd(Value),
    /// Not there.
    Absent,
}

impl Date {
    fn json(&self) -> Option<Value> {
        match self {
            Self::At(at) => Some(at.timestamp().into()),
            Self::AsText(at) => Some(at.timestamp().to_string().into()),
            Self::Milliseconds(at) => Some(at.timestamp_millis().into()),
            Self::Odd(value) => Some(value.clone()),
            Self::Absent => None,
        }
    }

    fn means(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) | Self::AsText(at) | Self::Milliseconds(at) => Some(*at),
            Self::Odd(_) | Self::Absent => None,
        }
    }
}

/// What uses an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relations {
    /// `[]`.
    None,
    /// `null`.
    Null,
    /// Not there.
    Absent,
    /// These.
    List(Vec<Relation>),
}

/// A listener of a balancer, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Name of the balancer.
    pub balancer: Text,
    /// Name of the listener.
    pub listener: Text,
}

impl Relations {
    fn json(&self) -> Option<Value> {
        match self {
            Self::None => Some(json!([])),
            Self::Null => Some(Value::Null),
            Self::Absent => None,
            Self::List(list) => Some(list.iter().map(Relation::json).collect()),
        }
    }
}

impl Relation {
    fn json(&self) -> Value {
        json!({
            "LoadBalancerId": format!("alb-{}", self.balancer), "LoadBalancerName": &*self.balancer,
            "ListenerId": format!("als-{}", self.listener), "ListenerName": &*self.listener, "IsDefault": true,
        })
    }
}

/// What is true of an entry, found out without the code that reads answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Name of the account.
    pub account: Text,
    /// Id of the project.
    pub project: Text,
    /// Id of the region.
    pub region: Text,
    /// Id of the entry.
    pub id: Text,
    /// What ends, by role; empty where nobody can tell.
    pub ends: Vec<(CertRole, DateTime<Utc>)>,
    /// Whether something uses it.
    pub in_use: bool,
}

impl Entry {
    /// What is true of it.
    pub(super) fn expected(&self) -> Expected {
        let mut ends = self.content.truth();
        if ends.is_empty() {
            ends.extend(self.not_after.means().map(|end| (CertRole::Server, end)));
        }
        Expected {
            account: self.account.clone(),
            project: self.project.clone(),
            region: self.region.clone(),
            id: self.id.clone(),
            ends,
            in_use: matches!(&self.relations, Relations::List(list) if !list.is_empty()),
        }
    }

    /// The row of the answer.
    pub(super) fn json(&self) -> Value {
        let mut row = json!({
            "SSLId": &*self.id, "SSLName": &*self.name, "SSLType": "Pem", "CreateTime": self.created.timestamp(),
            "HashValue": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "SSLSource": 0, "Domains": &*self.domains,
            "DNSNames": &*self.domains,
        });
        let fields = [
            ("SSLContent", self.content.json()),
            ("Relations", self.relations.json()),
            ("NotBefore", self.not_before.json()),
            ("NotAfter", self.not_after.json()),
        ];
        let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        for (name, value) in present.chain(self.more.iter().cloned()) {
            row[name] = value;
        }
        row
    }
}
