//! What only a running daemon has beside what it saw: channels, what was told, the store. Filled in by `daemon`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::context::Telling;
use super::refusal::Refusal;
use crate::call::BoxFuture;
use crate::domain::alert::board::{Board, Rules};
use crate::domain::alert::decide::{Renewal, World};
use crate::domain::alert::memory::Memory;
use crate::domain::alert::message::Fingerprint;
use crate::domain::alert::outbox::State;
use crate::domain::alert::silence::{Silence, SilenceRow};
use crate::domain::identity::Scope;
use crate::domain::renewal::{
    self,
    attempt::{Attempt, ResourceKey},
};
use crate::domain::snapshot::Snapshot;
use crate::http::KeptAnswers;
use crate::metrics::MetricsPage;
use crate::notifier::desk::{Desk, DeskError};
use crate::provider;
use crate::store::{Handle, Store, StoreError};

/// So many dead letters are shown on the page.
const DEAD: usize = 20;

/// What only a running daemon has.
#[derive(Default)]
pub struct Inside {
    /// What is told; `None`: no channel is configured.
    pub alerting: Option<Alerting>,
    /// What is kept; `None`: nothing.
    pub store: Option<Handle>,
    /// Calls a second that may go to the detail API of a scope now; `None` where the listing carries everything.
    pub pace: Option<Pace>,
    /// Tells all that is known of a resource.
    pub explain: OnceLock<Explainer>,
    /// What is renewed; `None`: this program watches only.
    pub renewing: Option<Renewing>,
    /// Whether the configuration that is used is the one that was read last; `None`: nobody says.
    pub reading: Option<watch::Receiver<Arc<Reading>>>,
    /// Reads the configuration again; `None`: it was not read from a file.
    pub reload: Option<Arc<dyn Reload>>,
    /// What is logged; `None`: the process does not say.
    pub logging: Option<Arc<dyn Logging>>,
    /// What a support bundle is made of beside that; `None`: there is none.
    pub bundling: Option<Bundling>,
}

/// What only a support bundle has.
#[derive(Clone)]
pub struct Bundling {
    /// The configuration that is used, with its secrets hidden.
    pub config: Arc<str>,
    /// The last answers of the clouds.
    pub answers: KeptAnswers,
    /// The metrics page.
    pub metrics: Arc<MetricsPage>,
}

/// Knows and changes what is logged.
pub trait Logging: Send + Sync {
    /// As it is now.
    fn levels(&self) -> LogLevels;

    /// Logs by `levels` for so long, and after that as configured again. `by`: who wants it. `Err`: what is wrong with
    /// `levels` and what is possible.
    fn set(&self, levels: &str, length: Duration, by: &str) -> Result<(), String>;

    /// Logs as configured again, at once.
    fn reset(&self, by: &str);

    /// The last warnings and errors, the oldest first.
    fn recent(&self) -> Vec<String>;
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevels {
    /// Now.
    pub levels: String,
    /// Without anybody's wish.
    pub configured: String,
    /// How long the wish holds; `None`: there is none.
    pub until: Option<DateTime<Utc>>,
    /// Whose wish it is.
    pub by: Option<String>,
}

/// How the last reading of the configuration ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When the configuration that is used was read.
    pub used_since: DateTime<Utc>,
    /// When a later one was refused, and why; `None`: the last one that was read is used.
    pub refused: Option<(DateTime<Utc>, Box<str>)>,
}

/// Reads the configuration again.
pub trait Reload: Send + Sync {
    /// Has it read and used, all of it or nothing. `by`: who wants it. What is answered are words for that person.
    fn reload<'a>(&'a self, by: &'a str) -> BoxFuture<'a, Result<Reloaded, ReloadRefused>>;
}

/// A configuration that is used from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// How many accounts there are.
    pub accounts: usize,
    /// How many channels.
    pub channels: usize,
    /// Not wrong, but not good either; empty or lines.
    pub warnings: String,
}

/// Why nothing is different.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadRefused {
    /// The configuration cannot be used. All that is wrong with it.
    #[error("{0}")]
    Wrong(String),
    /// Nobody reads it at the moment.
    #[error("the daemon is stopping")]
    Stopping,
    /// Nobody knows yet how it ends.
    #[error(
        "the configuration is still being read or put to use, because a disk or the store does not answer; the log and \
         `notafter status` say how it ends, and nothing has to be asked again"
    )]
    UnderWay,
}

/// What is renewed, and who takes orders.
#[derive(Clone)]
pub struct Renewing {
    /// What the last plan knew.
    pub board: watch::Receiver<Arc<renewal::board::Board>>,
    /// Who takes orders of people.
    pub desk: Arc<dyn RenewalDesk>,
}

/// Takes orders of people about renewals. Each is written down before it is answered, and begins nothing by itself: the
/// next plan sees it, and every refusal that holds for a rule holds for a person too.
pub trait RenewalDesk: Send + Sync {
    /// A person wants this attempt made, in its window or at once.
    fn approve<'a>(&'a self, id: &'a str, word: Word<'a>) -> BoxFuture<'a, Ordered>;

    /// A person does not want this attempt made.
    fn reject<'a>(&'a self, id: &'a str, word: Word<'a>) -> BoxFuture<'a, Ordered>;

    /// A person wants this resource renewed, announced or not, tried before or not.
    fn order<'a>(&'a self, resource: &'a ResourceKey, word: Word<'a>) -> BoxFuture<'a, Ordered>;
}

/// What a person says.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// Who.
    pub by: &'a str,
    /// Not only in the window: now.
    pub at_once: bool,
    /// Since when the attempt that this person saw was in its state, to the second. What became another since is not
    /// decided about. `None`: nothing is said of it.
    pub seen: Option<DateTime<Utc>>,
}

/// The attempt as it is written down now, or why nothing was.
pub type Ordered = Result<Attempt, OrderError>;

/// Why an order is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Nothing with this id is known.
    #[error("there is no such renewal: see `notafter plan`")]
    Unknown,
    /// It would not be made.
    #[error("refused, {}: {}{}", .why.code(), .why.text(), more(.detail))]
    Refused {
        /// Why.
        why: renewal::refusal::Refusal,
        /// More of it, or empty.
        detail: Box<str>,
    },
    /// It was decided, made or changed meanwhile; the word of its state.
    #[error("it is {0} already")]
    Over(&'static str),
    /// It is not any more what was shown: another window, another state.
    #[error("it changed since it was shown: look at it again")]
    Changed,
    /// Nothing can be written down now.
    #[error("the store cannot be used at the moment")]
    StoreAway,
}

fn more(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

/// What is known of the renewal of a certificate, by the code of its cloud and its identity.
pub type RenewalOf = Arc<dyn Fn(&str, Fingerprint) -> Renewal + Send + Sync>;

/// See [`Inside::pace`].
pub type Pace = Box<dyn Fn(&Scope) -> Option<f64> + Send + Sync>;

/// Makes the text of an explanation. `Err` is the answer for a resource that is not known.
pub type Explainer = Box<dyn Fn(&Asked<'_>) -> Result<String, String> + Send + Sync>;

/// What an explanation is made of, beside the configuration.
pub struct Asked<'a> {
    /// The cloud's id of the resource.
    pub id: &'a str,
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// See [`Inside::pace`].
    pub pace: &'a dyn Fn(&Scope) -> Option<f64>,
    /// Where the daemon's own timeline stands.
    pub uptime: Duration,
    /// What is told, and what was told before; `None`: no channel is configured.
    pub alerts: Option<(&'a World<'a>, &'a Memory)>,
    /// What is renewed; `None`: this program watches only.
    pub renewals: Option<&'a renewal::board::Board>,
    /// The moment everything is measured from.
    pub now: DateTime<Utc>,
}

/// What is told to whom, and by whom.
#[derive(Clone)]
pub struct Alerting {
    /// What the configuration says.
    pub rules: watch::Receiver<Arc<Rules>>,
    /// What the last evaluation knew.
    pub board: watch::Receiver<Arc<Board>>,
    /// Rung when a silence changed.
    pub ask: Arc<Notify>,
    /// Who knows channels and messages.
    pub desk: Arc<dyn Desk>,
    /// Where silences are kept.
    pub store: Handle,
    /// What is known of the renewal of a certificate.
    pub renewal: RenewalOf,
    /// Makes the id of a silence.
    pub silence_id: fn(DateTime<Utc>) -> Box<str>,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Inside {
    /// What is told, or why there is nothing to say about that.
    pub(super) fn alerting(&self) -> Result<&Alerting, Refusal> {
        self.alerting
            .as_ref()
            .ok_or_else(|| Refusal::conflict("no channel is configured: nobody is told anything"))
    }

    /// How things stand with what is told, for one page.
    pub(super) async fn telling(&self) -> Option<Telling> {
        let alerting = self.alerting.as_ref()?;
        let channels = alerting.desk.channels().await;
        let has_dead =
            channels.as_ref().is_ok_and(|channels| channels.iter().any(|channel| channel.dead > 0));
        let dead =
            if has_dead { alerting.desk.messages(&[State::Dead], DEAD, None).await } else { Ok(Vec::new()) };
        let board = Arc::clone(&alerting.board.borrow());
        Some(Telling { channels, dead: dead.unwrap_or_default(), board })
    }
}

impl Alerting {
    /// Has the last evaluation's memory and the present rules looked at together with a snapshot.
    pub(super) fn with_world<T>(
        &self,
        snapshot: &Snapshot,
        now: DateTime<Utc>,
        look: impl FnOnce(&World<'_>, &Memory) -> T,
    ) -> T {
        let (rules, board) = (Arc::clone(&self.rules.borrow()), Arc::clone(&self.board.borrow()));
        let silences: Vec<Silence> = board.silences.iter().filter_map(SilenceRow::read).collect();
        let console = |scope: &Scope, id: &str| Some((provider::find(&scope.provider)?.console)(scope, id));
        let world = World {
            snapshot,
            accounts: &rules.accounts,
            alert: &rules.alert,
            poll: &rules.poll,
            routing: &rules.routing,
            silences: &silences,
            // what was not delivered matters only for news that the next evaluation settles anyway
            undelivered: &BTreeSet::new(),
            renewal: &*self.renewal,
            console: &console,
            now,
        };
        look(&world, &board.memory)
    }

    /// Has something done with the store, and says so where that is not possible.
    pub(super) async fn kept<T>(
        &self,
        work: impl AsyncFnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<T, Refusal> {
        let away = || Refusal::unavailable(DeskError::StoreAway.to_string());
        let store = self.store.store().ok_or_else(away)?;
        work(&store).await.map_err(|error| {
            self.store.report(&store, error);
            away()
        })
    }
}
