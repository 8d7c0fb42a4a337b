//! What people can ask and do about messages, as the page, the API and the commands see it. The daemon answers.

use chrono::{DateTime, Utc};

use super::Trouble;
use crate::call::BoxFuture;
use crate::domain::alert::delivery::health::Health;
use crate::domain::alert::outbox::{Row, State};

/// Answers about messages and channels.
pub trait Desk: Send + Sync {
    /// Every channel, in the order of the configuration; behind them those that are not configured and have messages left.
    fn channels(&self) -> Answer<'_, Vec<ChannelStatus>>;

    /// Messages in these states, the youngest first, at most `limit`; with `before`, those behind that one.
    fn messages<'a>(
        &'a self,
        states: &'a [State],
        limit: usize,
        before: Option<(DateTime<Utc>, &'a str)>,
    ) -> Answer<'a, Vec<Row>>;

    /// Has a message sent again that was given up. `false`: there is no such message. Refused where nobody would send it.
    fn retry<'a>(&'a self, id: &'a str) -> Answer<'a, bool>;

    /// Drops a message that was given up. `false`: there is no such message.
    fn discard<'a>(&'a self, id: &'a str) -> Answer<'a, bool>;

    /// Sends a test message to one channel, or to all, now, past the outbox, and waits for the answers.
    fn test<'a>(&'a self, channel: Option<&'a str>) -> Answer<'a, Vec<Tested>>;

    /// Has one channel, or all, tried now, whatever they wait for.
    fn probe(&self, channel: Option<&str>) -> Result<(), DeskError>;
}

/// An answer of the desk.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, DeskError>>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// Nobody knows what waits; try again later.
    #[error("the store cannot be used at the moment")]
    StoreAway,
    /// No channel has this name.
    #[error("there is no channel `{0}`")]
    NoSuchChannel(String),
    /// The message is for a channel that is not configured.
    #[error("its channel `{0}` is not configured: nobody would send it")]
    NotConfigured(String),
}

/// How a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Its name.
    pub name: Box<str>,
    /// Its type.
    pub type_name: &'static str,
    /// Where it goes: scheme and host, nothing secret.
    pub place: Box<str>,
    /// It is told the present state again and again, and has no messages of its own.
    pub replica: bool,
    /// Whether it counts as failing.
    pub failing: bool,
    /// The whole story.
    pub health: Health,
    /// Messages that wait or are being sent.
    pub queued: usize,
    /// Messages that were given up.
    pub dead: usize,
    /// It is not configured, and has messages left.
    pub removed: Option<Removal>,
    /// Of several places that are told the state, those that do not take it although another does, each with the reason.
    pub down: Vec<(String, String)>,
}

/// A channel that is not configured any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// What waits for it is given up then at the earliest, unless it comes back; `None`: nothing waits, or that is not known yet.
    pub given_up_at: Option<DateTime<Utc>>,
}

/// What came of a test message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Name of the channel.
    pub channel: Box<str>,
    /// Its type.
    pub type_name: &'static str,
    /// Where it went.
    pub place: Box<str>,
    /// What the other side said.
    pub outcome: Result<String, Trouble>,
}
