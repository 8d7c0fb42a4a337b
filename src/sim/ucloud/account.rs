//! Who may call, in which projects and regions, and how often.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

/// A text that is shared by many.
pub type Text = Arc<str>;

/// An account: projects, and keys to them.
#[derive(Clone)]
pub struct Account {
    /// The name by which the configuration knows it.
    pub name: Text,
    /// Its projects; the first is the default one.
    pub projects: Vec<Project>,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A project.
#[derive(Debug, Clone)]
pub struct Project {
    /// `org-…`.
    pub id: Text,
    /// Name, chosen by people.
    pub name: Text,
}

impl Project {
    /// A project.
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.into(), name: name.into() }
    }
}

/// The token of a temporary key.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What must be sent as `SecurityToken`.
    pub text: Text,
    /// From then on it is refused.
    pub expires: DateTime<Utc>,
}

/// A key. It has no `Debug` form, like every key in `notafter`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Names the key.
    pub public: Text,
    /// Signs.
    pub private: Text,
    /// Of a temporary key.
    pub token: Option<Token>,
    /// Switched off by its owner.
    pub disabled: bool,
    /// Calls that IAM refuses, in the names of policies (`ulb:DescribeSSLV2`).
    pub denied: Vec<String>,
    /// Projects in which IAM refuses every call.
    pub denied_projects: Vec<String>,
}

impl Key {
    /// A permanent key that may do everything.
    pub fn new(public: &str, private: &str) -> Self {
        Self {
            public: public.into(),
            private: private.into(),
            token: None,
            disabled: false,
            denied: vec![],
            denied_projects: vec![],
        }
    }
}

/// A region.
#[derive(Debug, Clone)]
pub struct Region {
    /// Region id.
    pub id: Text,
    /// Name in Chinese.
    pub name_zh: Text,
    /// How many zones it has: each is a row of GetRegion.
    pub zones: u32,
    /// Open to the accounts; one that is not is listed all the same, and answers 230.
    pub open: bool,
}

impl Region {
    /// An open region with two zones.
    pub fn new(id: &str, name_zh: &str) -> Self {
        Self { id: id.into(), name_zh: name_zh.into(), zones: 2, open: true }
    }
}

/// How many calls of an account the gateway takes, over all regions.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// So many calls
    pub calls: usize,
    /// in any such span of time.
    pub per: TimeDelta,
}
