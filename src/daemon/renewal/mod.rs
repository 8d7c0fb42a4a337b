//! Carries renewal plans out: announces, reads what is missing, makes one call, and reads what became of it.
//!
//! One round (`round`) is: take in what was read and answered, read the attempts, plan, write down, begin at most one
//! call. Everything that a round must know stands in the store; what is only remembered here (details, hooks that said
//! yes) may be lost at any moment and is read again. What to do is decided in `domain::renewal`, never in here.

mod begin;
mod desk;
mod hook;
mod keeping;
mod outcome;
mod own;
mod round;
mod tell;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use desk::Desk;

use self::keeping::Keeping;
use self::own::OwnOrders;
use self::work::{Answer, Done};
use super::poll::Wishes;
use super::pulse::Pulse;
use crate::clock::Clock;
use crate::domain::alert::board::Rules;
use crate::domain::identity::Scope;
use crate::domain::policy::{RenewalMode, RenewalPolicy};
use crate::domain::renewal::attempt::{Attempt, ResourceKey};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::method::Detail;
use crate::domain::snapshot::Snapshot;
use crate::metrics::MetricsPage;
use crate::provider::Provider;
use crate::shutdown::Shutdown;
use crate::store::Handle;
use crate::telemetry::Telemetry;
use crate::web::inside::RenewalOf;

/// Between two rounds: plans are cheap, and made no more often than this.
const SOONEST: Duration = Duration::from_secs(2);
/// And, so that time alone makes something due, at least this often.
const LATEST: Duration = Duration::from_secs(20);
/// A large fleet is planned no more than this share of the time.
const SHARE: u32 = 20;
/// And hardly ever where all that comes of it is to be looked at.
const SHARE_WHEN_OFF: u32 = 50;
/// A stop waits this long for the answer to a call that was made.
const LAST_ANSWER: Duration = Duration::from_secs(3);

/// What the loop is made of.
pub struct Parts {
    /// What may be renewed, and how carefully.
    pub policy: RenewalPolicy,
    /// Accounts, zone, channels and routes.
    pub rules: watch::Receiver<Arc<Rules>>,
    /// Address of the status page, for links in messages.
    pub page: Option<String>,
    /// What is known.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Whom to ask, by account.
    pub providers: BTreeMap<Arc<str>, Arc<dyn Provider>>,
    /// Where attempts are kept.
    pub store: Handle,
    /// Has single resources looked at.
    pub wishes: Wishes,
    /// Rung when messages were written down.
    pub written: Arc<Notify>,
    /// The page that shows what is renewed.
    pub metrics: Arc<MetricsPage>,
    /// Counts.
    pub telemetry: Arc<Telemetry>,
    /// The time.
    pub clock: Clock,
}

/// What loop and desk share.
struct Context {
    policy: RenewalPolicy,
    rules: watch::Receiver<Arc<Rules>>,
    page: Option<String>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    providers: BTreeMap<Arc<str>, Arc<dyn Provider>>,
    keeping: Arc<dyn Keeping>,
    wishes: Wishes,
    written: Arc<Notify>,
    metrics: Arc<MetricsPage>,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    board: watch::Sender<Arc<Board>>,
    /// Rung when a person ordered something.
    ask: Notify,
    /// `None`: everything that is planned is carried out.
    own: Option<OwnOrders>,
}

/// The renewal loop.
pub struct Renewals {
    context: Arc<Context>,
    course: Course,
    pulse: Pulse,
}

/// What one round leaves to the next. None of it is needed for what is safe.
#[derive(Default)]
struct Course {
    details: BTreeMap<ResourceKey, Detail>,
    /// When each resource was read last for a renewal.
    asked: BTreeMap<ResourceKey, DateTime<Utc>>,
    /// Resources that are being read.
    reading: BTreeSet<ResourceKey>,
    /// Attempts whose hook is running, or whose call is being made.
    beginning: BTreeSet<Box<str>>,
    /// Those of them whose call is being made.
    calling: BTreeSet<Box<str>>,
    /// Why the last reading of a resource failed, and how many did in a row.
    troubles: BTreeMap<ResourceKey, Box<str>>,
    failed: BTreeMap<ResourceKey, u32>,
    /// Rounds since the start, or since the clock jumped.
    rounds: u32,
    /// When people hear of what is announced now, where that is later.
    heard: BTreeMap<ResourceKey, DateTime<Utc>>,
    /// Outcomes of which nobody knows whether they were written down.
    unsure: Vec<Attempt>,
    /// Attempts whose hook said yes, and when.
    cleared: BTreeMap<Box<str>, DateTime<Utc>>,
    /// Answers of clouds that are not written down yet.
    answers: Vec<Answer>,
    /// Attempts whose hook said no, and why.
    vetoed: Vec<(Box<str>, String)>,
    /// What came back since the last round.
    arrived: Vec<Done>,
    work: JoinSet<Done>,
    /// Scopes whose counters exist.
    counted: BTreeSet<Scope>,
    epoch: Epoch,
    /// Wall and monotonic time of the last round.
    before: Option<(DateTime<Utc>, Instant)>,
    /// Why nothing is begun, as told in the log.
    told: Option<String>,
    /// Why something could not be written down in this round.
    unwritten: Option<String>,
}

/// When something was begun that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Epoch {
    /// Grows with each jump of the clock: nobody knows how old that is which comes from before.
    clock: u32,
    /// Grows with each policy: files that were read, and a hook that was asked, were those of the one before.
    policy: u32,
}

impl Renewals {
    /// A loop that has not planned yet.
    pub fn new(parts: Parts) -> Self {
        let keeping = Arc::new(parts.store.clone());
        Self::with_keeping(parts, keeping)
    }

    fn with_keeping(parts: Parts, keeping: Arc<dyn Keeping>) -> Self {
        let Parts {
            policy,
            rules,
            page,
            snapshots,
            providers,
            wishes,
            written,
            metrics,
            telemetry,
            clock,
            ..
        } = parts;
        let board = Board { mode: policy.mode, ..Board::default() };
        let context = Context {
            policy,
            rules,
            page,
            snapshots,
            providers,
            keeping,
            wishes,
            written,
            metrics,
            telemetry,
            clock,
            board: watch::Sender::new(Arc::new(board)),
            ask: Notify::new(),
            own: None,
        };
        Self { context: Arc::new(context), course: Course::default(), pulse: Pulse::default() }
    }

    /// The same in the place of one that was stopped for it: calls and readings that are under way go on, and whoever
    /// looks at the board of that one sees what is known here. What was found out by its policy is found out anew. To be
    /// called before anything is made of this one.
    #[must_use]
    pub fn in_place_of(mut self, before: Self) -> Self {
        let Self { context, course, .. } = before;
        let own = Arc::get_mut(&mut self.context).expect("nothing was made of it yet");
        let mode = own.policy.mode;
        own.board = context.board.clone();
        own.board.send_modify(|board| {
            if board.mode != mode {
                *board = Arc::new(Board { mode, ..(**board).clone() });
            }
        });
        let fresh = Course::default();
        let Course { details, asked, cleared, troubles, failed, heard, .. } = fresh;
        let epoch = Epoch { policy: course.epoch.policy + 1, ..course.epoch };
        self.course = Course { details, asked, troubles, failed, heard, cleared, epoch, ..course };
        self
    }

    /// Each turn of the loop is a beat of this pulse.
    pub fn beats(&mut self, pulse: Pulse) {
        self.pulse = pulse;
    }

    /// What is known of renewals.
    pub fn board(&self) -> watch::Receiver<Arc<Board>> {
        self.context.board.subscribe()
    }

    /// Takes orders of people.
    pub fn desk(&self) -> Desk {
        Desk { context: Arc::clone(&self.context) }
    }

    /// What alerts say of the renewal of a certificate; `usual` for what no plan knows.
    pub fn notes(&self, usual: RenewalOf) -> RenewalOf {
        let board = self.board();
        Arc::new(move |provider, fingerprint| {
            let known = board.borrow().notes.of(fingerprint).cloned();
            known.unwrap_or_else(|| usual(provider, fingerprint))
        })
    }

    /// Renews until asked to stop. A call that was made by then is given a moment for its answer; without one, the next
    /// start finds out by reading.
    pub async fn run(mut self, stop: Shutdown) {
        self.run_until(stop.requested()).await;
        self.last_answers().await;
    }

    /// Renews until asked to stop (`None`), or until somebody else is to go on.
    pub async fn run_or_hand_over(mut self, stop: Shutdown, handed_over: Shutdown) -> Option<Self> {
        let ended = async {
            tokio::select! {
                () = stop.requested() => {}
                () = handed_over.requested() => {}
            }
        };
        self.run_until(ended).await;
        if handed_over.is_requested() && !stop.is_requested() {
            return Some(self);
        }
        self.last_answers().await;
        None
    }

    async fn run_until(&mut self, ended: impl Future<Output = ()>) {
        tokio::pin!(ended);
        if self.context.policy.mode > RenewalMode::Plan {
            let (mode, rules) = (self.context.policy.mode.as_str(), self.context.policy.allow.len());
            tracing::info!(mode, rules, "renewal is on");
        }
        loop {
            self.pulse.beat();
            let began = Instant::now();
            let more = self.round().await;
            let pause = match self.context.policy.mode {
                _ if more => SOONEST,
                RenewalMode::Off => (began.elapsed() * SHARE_WHEN_OFF).clamp(SOONEST, LATEST),
                _ => (began.elapsed() * SHARE).clamp(SOONEST, LATEST),
            };
            tokio::select! {
                () = &mut ended => return,
                () = self.next(pause, more) => {}
            }
        }
    }

    /// Waits for time to pass, an answer, or an order.
    async fn next(&mut self, pause: Duration, more: bool) {
        let deadline = Instant::now() + if more { pause } else { LATEST };
        tokio::time::sleep(pause).await;
        let mut snapshots = self.context.snapshots.clone();
        snapshots.mark_unchanged();
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => {}
            () = self.context.ask.notified() => {}
            Some(done) = self.course.work.join_next() => self.course.arrive(done),
            Ok(()) = snapshots.changed() => {}
        }
    }

    /// Calls that were made are waited for, as long as a stop allows, and what they brought is written down.
    async fn last_answers(&mut self) {
        let waited = tokio::time::timeout(LAST_ANSWER, async {
            while self.course.is_calling()
                && let Some(done) = self.course.work.join_next().await
            {
                self.course.arrive(done);
            }
        });
        if waited.await.is_err() {
            tracing::warn!(
                "a renewal was begun and its answer did not come before the stop; it is found out by reading"
            );
        }
        self.write_answers().await;
    }

    /// Waits for everything that is under way; for tests and for a single run.
    pub async fn settle(&mut self) {
        while let Some(done) = self.course.work.join_next().await {
            self.course.arrive(done);
        }
    }

    /// Whether an attempt is under way, or an answer is waited for.
    pub fn is_busy(&self) -> bool {
        !self.course.work.is_empty()
            || !self.course.arrived.is_empty()
            || !self.course.answers.is_empty()
            || self.context.board.borrow().attempts.iter().any(|attempt| attempt.state.is_open())
    }
}
