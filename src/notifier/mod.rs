//! The channels: one folder for each type, one list of all of them.
//!
//! A type reads its own keys of the channel table here, so that `config` names none. Built like `provider`.

pub mod alertmanager;
pub mod dingtalk;
pub mod email;
pub mod feishu;
pub mod pagerduty;
pub mod slack;
pub mod teams;
pub mod telegram;
pub mod webhook;
pub mod wecom;

pub(crate) mod address;
pub mod desk;
pub mod outcome;
pub mod post;
#[doc(hidden)]
pub mod samples;
pub mod script;
pub mod text;

mod answer;
mod foreign;
mod robot;

pub use outcome::{Outcome, Receipt, Refusal, Trouble};
pub use robot::Robot;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::alert::standing::State;
use crate::domain::finding::Stage;
use crate::domain::policy::Locale;
use crate::fields::show::Entries;
use crate::fields::{Fault, Fields, Plain, SecretSetting, check_base, check_url};
use crate::secret::{Secret, SecretError};

/// A type of channel, as far as the configuration has to know it.
#[derive(Debug)]
pub struct NotifierKind {
    /// Value of `type`.
    pub name: &'static str,
    /// Reads its own keys of a channel table; reports what is wrong to the fields.
    pub settings: fn(&mut Fields<'_>) -> Option<Box<dyn ChannelSettings>>,
    /// The least stage that it is told of, unless a route asks for more: a pager is not for planning.
    pub least: Stage,
    /// Messages per minute at most; below the limit of the vendor, and shared by all who use the same robot.
    pub per_minute: f64,
    /// So many may go at once after a rest.
    pub burst: u32,
    /// Makes a channel of its settings; `None` while this version cannot speak to it.
    pub build: Option<Build>,
}

/// Makes a channel of its settings.
pub type Build = fn(&Order<'_>) -> Result<Sender, BuildError>;

/// What a channel is made of.
pub struct Order<'a> {
    /// Its name.
    pub channel: &'a str,
    /// Its type's own keys.
    pub settings: &'a dyn ChannelSettings,
    /// On the way there.
    pub proxy: Option<&'a str>,
    /// Reads a secret.
    pub secret: &'a dyn Fn(&SecretSetting) -> Result<Secret, SecretError>,
}

/// Why a channel cannot be made although its settings are well-formed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A secret could not be read.
    #[error("{subject}: {source}")]
    Secret {
        /// Which one.
        subject: String,
        /// Why.
        source: SecretError,
    },
    /// A secret was read and cannot be one; says what is wrong without repeating it.
    #[error("{subject}: {problem}")]
    OddSecret {
        /// Which one.
        subject: String,
        /// What is wrong.
        problem: String,
    },
    /// No client could be made.
    #[error("{0}")]
    Client(String),
}

/// A channel that is ready.
#[derive(Debug, Clone)]
pub enum Sender {
    /// Takes messages, one by one, through the outbox.
    Messages(Arc<dyn Messenger>),
    /// Is told the present state again and again, and decides by itself what to say.
    State(Arc<dyn Replica>),
}

/// A channel that takes messages.
pub trait Messenger: fmt::Debug + Send + Sync {
    /// Everything that has to be posted to say a message, in order, each within the limits of the channel. Depends on
    /// nothing but its arguments. Never empty.
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part>;

    /// The message once more as short plain text, for when its form was refused; `None` where that makes no sense.
    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part>;

    /// Posts one part, once. Signs, and puts the time on it, now.
    fn post<'a>(&'a self, part: &'a Part, stamp: Stamp<'a>) -> BoxFuture<'a, Outcome>;

    /// What a refused part leaves behind all the same (see [`Receipt::notes`]), where each part stands for itself and
    /// the others go on without it; `None`: the parts are pieces of one text, which is of no use with a gap.
    fn without(&self, _part: &Part) -> Option<Vec<(String, String)>> {
        None
    }

    /// The same part with as little in it as possible, for when it was refused while the others go on.
    fn simpler(&self, _part: &Part) -> Option<Part> {
        None
    }

    /// What has to be remembered before a part is sent: whatever becomes of it then, it may have begun.
    fn beforehand(&self, _part: &Part) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Tells robots apart: channels with the same one share its pace. A hash; nothing secret can be read from it.
    fn robot(&self) -> u64;

    /// Where it goes, for people: scheme and host, nothing secret.
    fn place(&self) -> &str;
}

/// A channel that is told the present state.
pub trait Replica: fmt::Debug + Send + Sync {
    /// Tells every instance; one that accepts suffices. `resend` is how soon the next call comes.
    fn replicate<'a>(
        &'a self,
        state: &'a State,
        setting: &'a Setting<'a>,
        resend: Duration,
    ) -> BoxFuture<'a, Outcome>;

    /// Where it goes, for people: schemes and hosts, nothing secret.
    fn place(&self) -> &str;
}

/// What a message is rendered for.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The moment of rendering; days left are counted from here.
    pub now: DateTime<Utc>,
    /// Beside UTC.
    pub timezone: Tz,
    /// Language.
    pub locale: Locale,
    /// Address of the status page, where it has one.
    pub external_url: Option<&'a str>,
    /// The operator's own words, where there are any.
    pub template: Option<&'a text::Template>,
    /// What earlier messages of this channel left behind (see [`Receipt::notes`]).
    pub notes: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// One thing to post. Kept by nobody: made anew for each attempt, from the facts as of then.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What the channel's type makes of it; usually the body before it is signed.
    pub content: serde_json::Value,
    /// A short name for logs: `1/3`, or the key of an incident.
    pub name: String,
}

/// What is new with each attempt.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// Id of the event; the same for each attempt.
    pub id: &'a str,
    /// The moment of this attempt.
    pub now: DateTime<Utc>,
}

/// Every type, in documented order.
pub const NOTIFIERS: &[NotifierKind] = &[
    slack::KIND,
    webhook::KIND,
    dingtalk::KIND,
    feishu::KIND,
    wecom::KIND,
    teams::KIND,
    telegram::KIND,
    pagerduty::KIND,
    alertmanager::KIND,
    email::KIND,
];

/// Types whose messages people read as they come: twenty at once are read by nobody.
const CHATS: &[&str] = &["slack", "dingtalk", "feishu", "wecom", "teams", "telegram"];

impl NotifierKind {
    /// Whether people read its messages as they come.
    pub fn is_chat(&self) -> bool {
        CHATS.contains(&self.name)
    }
}

/// The type of that name.
pub fn find(name: &str) -> Option<&'static NotifierKind> {
    NOTIFIERS.iter().find(|kind| kind.name == name)
}

/// The settings of one channel that only its type understands; `Any`, so that the type gets its own back.
pub trait ChannelSettings: Any + fmt::Debug + Send + Sync {
    /// Every secret in it, with the position where it is written.
    fn secrets(&self) -> Vec<&SecretSetting>;

    /// The settings for people, literal secrets hidden, in documented order.
    fn effective(&self) -> Entries;
}

/// A literal address that is a secret itself: whoever has it can write to the channel.
fn secret_url(text: &str) -> Result<(), Fault> {
    check_url(text, Plain::Loopback).map(drop)
}

/// The same for receivers inside one's own network.
fn own_url(text: &str) -> Result<(), Fault> {
    check_url(text, Plain::Anywhere).map(drop)
}

/// The vendor's address, or one that stands in for it; without a slash at its end.
fn base_url(text: &str) -> Result<String, Fault> {
    check_base(text, Plain::Loopback)?;
    Ok(text.trim_end_matches('/').to_owned())
}
