//! The poll loop: one task owns the snapshot, the due list and the gates; looks run beside it and bring results back.
//!
//! It takes what is due, asks the gates whether the key may be used, and lets each look wait for the pace of its own
//! call. Every result is folded into the snapshot, which is published at most ten times a second. A look may be
//! dropped at any moment: nothing in here changes anything at a cloud.

mod account;
mod change;
mod key;
mod leave;
mod look;
mod plan;
mod regions;
mod resume;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

pub use account::{Account, Filter};
pub use change::{Change, Changes};
pub use plan::Mode;

use account::AccountState;
use look::{Done, Look};
use plan::ScopeState;
use regions::RegionsState;

use super::pulse::Pulse;
use crate::clock::Clock;
use crate::domain::due::{DueList, LaneId};
use crate::domain::gate::Admission;
use crate::domain::identity::Scope;
use crate::domain::policy::PollPolicy;
use crate::domain::snapshot::{ScopeView, Snapshot};
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// Readers see a new snapshot at most this often.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// How often the clocks are compared and the backlog is counted.
const TICK: Duration = Duration::from_secs(5);

/// So many wishes wait; what is more is wished for again.
const WISHES: usize = 256;
/// Who wishes to know more of a resource wants a listing that is no older either.
const OLD_LISTING: TimeDelta = TimeDelta::minutes(45);

/// Has single resources looked at before they are due. Only the renewal loop wishes: no request from outside does.
#[derive(Debug, Clone)]
pub struct Wishes(mpsc::Sender<(Scope, Box<str>)>);

impl Wishes {
    /// Looks at this resource as soon as the pace allows.
    pub fn look_at(&self, scope: Scope, id: &str) {
        if let Err(refused) = self.0.try_send((scope, id.into())) {
            tracing::debug!(%refused, "one more wish than the poll loop takes");
        }
    }
}

/// Polls all accounts.
#[derive(Debug)]
pub struct Poller {
    clock: Clock,
    policy: PollPolicy,
    telemetry: Arc<Telemetry>,
    mode: Mode,
    accounts: Vec<AccountState>,
    scopes: Vec<ScopeState>,
    /// Scopes that are gone included.
    by_scope: HashMap<Arc<Scope>, usize>,
    lists: Vec<RegionsState>,
    due: DueList<Look>,
    /// Whose lane it is, by the number of the lane.
    lanes: Vec<LaneOwner>,
    under_way: HashMap<Id, Started>,
    running: JoinSet<Done>,
    snapshot: Snapshot,
    publish: watch::Sender<Arc<Snapshot>>,
    published: (u64, Duration),
    ticked: Duration,
    wishes: mpsc::Receiver<(Scope, Box<str>)>,
    /// Keeps the other end open, and is handed out.
    wished: Wishes,
    changes: mpsc::Receiver<Change>,
    /// Keeps the other end open, and is handed out.
    changing: Changes,
    pulse: Pulse,
}

#[derive(Debug, Clone, Copy)]
struct LaneOwner {
    lane: LaneId,
    account: usize,
    /// The lane is for detail calls of this scope, which have a gate of their own.
    details_of: Option<usize>,
}

#[derive(Debug)]
struct Started {
    lane: LaneId,
    look: Look,
    at: Duration,
    task: AbortHandle,
}

impl Poller {
    /// A poller that has not looked at anything yet.
    pub fn new(
        accounts: Vec<Account>,
        policy: PollPolicy,
        mode: Mode,
        clock: Clock,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self::resumed(accounts, policy, mode, clock, telemetry, Snapshot::default())
    }

    /// A poller that goes on where another one stopped: what was known is shown at once, with its age, and nothing is
    /// asked before it is due. Looks planned in `restored` are on the timeline of `clock`; scopes of accounts, services
    /// and regions that are not configured any more are left out.
    pub fn resumed(
        accounts: Vec<Account>,
        policy: PollPolicy,
        mode: Mode,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        mut restored: Snapshot,
    ) -> Self {
        let (ear, wishes) = mpsc::channel(WISHES);
        let (changing, changes) = change::channel();
        let mut poller = Self {
            wishes,
            wished: Wishes(ear),
            changes,
            changing,
            pulse: Pulse::default(),
            clock,
            policy,
            telemetry,
            mode,
            accounts: vec![],
            scopes: vec![],
            by_scope: HashMap::new(),
            lists: vec![],
            due: DueList::default(),
            lanes: vec![],
            under_way: HashMap::new(),
            running: JoinSet::new(),
            snapshot: Snapshot::default(),
            publish: watch::Sender::new(Arc::default()),
            published: (0, Duration::ZERO),
            ticked: Duration::ZERO,
        };
        for account in accounts {
            poller.add_account(account, &mut restored);
        }
        poller.publish_now(poller.clock.elapsed());
        poller
    }

    /// Snapshots as they come; the first one is there at once.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.publish.subscribe()
    }

    /// For those who need to know more of a resource now.
    pub fn wishes(&self) -> Wishes {
        self.wished.clone()
    }

    /// For those who read the configuration again.
    pub fn changes(&self) -> Changes {
        self.changing.clone()
    }

    /// Each turn of the loop is a beat of this pulse.
    pub fn beats(&mut self, pulse: Pulse) {
        self.pulse = pulse;
    }

    /// Polls until asked to stop; in mode [`Mode::Once`] until everything had its look.
    pub async fn run(mut self, stop: Shutdown) {
        loop {
            self.pulse.beat();
            self.start_what_is_due();
            if self.mode.is_once() && self.running.is_empty() && self.due.next_at().is_none() {
                break;
            }
            let wake = self.clock.instant_of(self.wake_at());
            tokio::select! {
                biased;
                () = stop.requested() => break,
                // before the results: where these never end, somebody would wait for ever
                Some(change) = self.changes.recv() => self.change(change),
                Some(done) = self.running.join_next_with_id() => self.take_in(done),
                Some((scope, id)) = self.wishes.recv() => self.look_sooner(&scope, &id),
                () = tokio::time::sleep_until(wake) => {}
            }
            self.housekeeping();
        }
        self.publish_now(self.clock.elapsed());
    }

    /// A look that is due later is due now; one that is under way is made again. Where the listing is not of now either,
    /// it is made as well.
    fn look_sooner(&mut self, scope: &Scope, id: &str) {
        let now = self.clock.elapsed();
        let Some(&index) = self.by_scope.get(scope) else { return };
        let wall = self.clock.now();
        let is_old = |view: &ScopeView| {
            view.listing_failures == 0 && view.listed_at.is_none_or(|at| wall - at > OLD_LISTING)
        };
        if self.scopes[index].next_listing > now
            && self.snapshot.scopes.get(scope).is_some_and(|view| is_old(view))
        {
            self.list_now(index, now);
        }
        let resource = self.snapshot.scopes.get(scope).and_then(|view| view.resources.get(id));
        let Some(resource) = resource.filter(|resource| !resource.carried) else { return };
        if resource.due.is_none_or(|due| due > now) {
            let id = Arc::clone(&resource.id);
            self.plan_wished(index, &id, now);
        }
    }

    fn start_what_is_due(&mut self) {
        let now = self.clock.elapsed();
        while let Some((lane, due, look)) = self.due.take(now) {
            if !self.is_current(&look, due) {
                self.due.finish(lane);
                continue;
            }
            match self.admit(lane, now) {
                Admission::Go => self.start(lane, look, now),
                Admission::Wait(_) if self.mode.is_once() => self.due.park(lane, due, look),
                Admission::Wait(until) => self.due.put_back(lane, due, look, until),
                Admission::Probing => self.due.park(lane, due, look),
            }
        }
    }

    /// Both gates must let it through: the account's, and for a detail call the scope's. A place taken at the first is
    /// given back when the second says no.
    fn admit(&mut self, lane: LaneId, now: Duration) -> Admission {
        let owner = self.lanes[lane.index()];
        let gate = &mut self.accounts[owner.account].gate;
        let admission = gate.admit(now);
        let Some(scope) = owner.details_of.filter(|_| admission == Admission::Go) else { return admission };
        let second = self.scopes[scope].gate.admit(now);
        if second != Admission::Go {
            gate.given_back();
        }
        second
    }

    fn start(&mut self, lane: LaneId, look: Look, now: Duration) {
        let provider = Arc::clone(&self.accounts[self.lanes[lane.index()].account].account.provider);
        let task = match &look {
            Look::Regions { list } => self.running.spawn(look::regions(provider, self.lists[*list].service)),
            Look::Listing { scope } => {
                self.running.spawn(look::listing(provider, Arc::clone(&self.scopes[*scope].scope)))
            }
            Look::Detail { scope, id } => {
                let scope = Arc::clone(&self.scopes[*scope].scope);
                self.running.spawn(look::detail(provider, scope, Arc::clone(id)))
            }
        };
        self.under_way.insert(task.id(), Started { lane, look, at: now, task });
    }

    /// Takes in this result and all others that are there already, so that one publication serves many.
    fn take_in(&mut self, first: Result<(Id, Done), JoinError>) {
        let mut next = Some(first);
        while let Some(result) = next {
            let (id, done) = match result {
                Ok((id, done)) => (id, done),
                Err(error) => (error.id(), Done::Panicked),
            };
            if let Some(started) = self.under_way.remove(&id) {
                self.due.finish(started.lane);
                self.fold(started, done);
            }
            next = self.running.try_join_next_with_id();
        }
    }

    fn wake_at(&self) -> Duration {
        let tick = self.ticked + TICK;
        let next = self.due.next_at().map_or(tick, |due| due.min(tick));
        if self.snapshot.revision == self.published.0 {
            next
        } else {
            next.min(self.published.1 + PUBLISH_EVERY)
        }
    }

    fn housekeeping(&mut self) {
        let now = self.clock.elapsed();
        if now >= self.ticked + TICK {
            self.ticked = now;
            self.tick(now);
        }
        if self.snapshot.revision != self.published.0 && now >= self.published.1 + PUBLISH_EVERY {
            self.publish_now(now);
        }
    }

    fn tick(&mut self, now: Duration) {
        if let Some(jump) = self.clock.notice_jump() {
            tracing::warn!(
                seconds = jump.num_seconds(),
                "the clock jumped; everything due by now is looked at"
            );
        }
        let backlog = self.due.backlog(now);
        if backlog != self.snapshot.backlog {
            self.snapshot.backlog = backlog;
            self.snapshot.revision += 1;
        }
    }

    fn publish_now(&mut self, now: Duration) {
        self.published = (self.snapshot.revision, now);
        self.publish.send_replace(Arc::new(self.snapshot.clone()));
    }
}
