//! The watch loop: looks at what is known, decides what to tell, writes it down, and wakes those who deliver.
//!
//! Nothing is told before it is written down. While the store cannot be used, alerts wait; receivers that are told the
//! whole state (Alertmanager) are kept up to date all the same. The decision itself is `domain::alert::decide`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::chance::event_id;
use crate::clock::Clock;
use crate::daemon::pulse::Pulse;
pub use crate::domain::alert::board::{Board, Rules};
use crate::domain::alert::decide::{self, Decision, Renewal, Seen, Unheard, Waiting, World};
use crate::domain::alert::memory::Memory;
use crate::domain::alert::message::{Fingerprint, RenewalNote};
use crate::domain::alert::silence::{Silence, SilenceRow};
use crate::domain::alert::standing::{self, State};
use crate::domain::alert::steady::Steady;
use crate::domain::identity::Scope;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal;
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;
use crate::provider;
use crate::shutdown::Shutdown;
use crate::store::{Committed, Handle, Store, StoreError};
use crate::web::inside::RenewalOf;

/// An evaluation takes this share of the time at most.
const SHARE: u32 = 20;
/// And comes at most so often.
const SOONEST: Duration = Duration::from_secs(1);
/// After so many decisions in a row that came too late the next one waits for its time, and people can see that.
const OVERTAKEN: u32 = 3;
const LATE: &str = "messages are sent faster than it is decided what to tell";
/// Stages change by time alone, so it comes at least so often.
const LATEST: Duration = Duration::from_secs(15);
/// The first evaluation waits so long for scopes that give no answer.
const PATIENCE: Duration = Duration::from_mins(5);
/// The first round is over when no first look came back for so long: what is left cannot be looked at.
const STILL: Duration = Duration::from_secs(20);
/// And however many there are, what is known by then is told.
const LONGEST_ROUND: Duration = Duration::from_hours(1);

/// The present state for receivers that are told all of it, by channel.
pub type States = BTreeMap<Box<str>, State>;

/// The loop, and what it listens to.
pub(super) struct Watch {
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) rules: watch::Receiver<Arc<Rules>>,
    /// `None`: nothing is kept, so nothing can be told.
    pub(super) store: Option<Handle>,
    pub(super) clock: Clock,
    pub(super) board: watch::Sender<Arc<Board>>,
    pub(super) states: watch::Sender<Arc<States>>,
    /// Somebody changed a silence, or wants to know now.
    pub(super) ask: Arc<Notify>,
    /// Something was written to the outbox.
    pub(super) written: Arc<Notify>,
    /// What is known of renewals; `None`: this daemon makes none.
    pub(super) renewals: Option<watch::Receiver<Arc<renewal::board::Board>>>,
    /// The same for single certificates.
    pub(super) renewal: RenewalOf,
    /// Beats at every turn.
    pub(super) pulse: Pulse,
}

/// What goes from one evaluation to the next.
#[derive(Default)]
struct Course {
    /// The store that the memory is of.
    store: Option<Arc<Store>>,
    memory: Arc<Memory>,
    waiting: Waiting,
    seen: Seen,
    /// The clocks at the last evaluation.
    steady: Steady,
    told_waiting: bool,
    /// So many decisions in a row came too late: a message was taken meanwhile.
    overtaken: u32,
    /// When the first round began.
    first_round: Option<Instant>,
    /// Resources that were not looked at yet, and since when that number is the same.
    unseen: Option<(usize, Instant)>,
    /// The first round is over: what comes now is news.
    had_a_round: bool,
}

impl Course {
    /// A decision came too late since there were `before` of them in a row, and not too many.
    fn decides_at_once(&self, before: u32) -> bool {
        self.overtaken > before && self.overtaken <= OVERTAKEN
    }

    /// Nobody was told anything yet, and the first looks are still under way: how things stand is told once they are
    /// known, not piece by piece. Ends when no look comes back any more, for whatever reason.
    fn is_first_round(&mut self, snapshot: &Snapshot) -> bool {
        if self.had_a_round || !self.memory.is_empty() {
            return false;
        }
        let waits = |resource: &&Arc<Resource>| resource.looked_at.is_none() && resource.reading.is_none();
        let unseen = snapshot.resources().filter(|(_, resource)| waits(resource)).count();
        let now = Instant::now();
        let began = *self.first_round.get_or_insert(now);
        let (before, since) = *self.unseen.get_or_insert((unseen, now));
        if unseen != before {
            self.unseen = Some((unseen, now));
        }
        let goes_on = unseen > 0 && (unseen != before || now - since < STILL) && now - began < LONGEST_ROUND;
        self.had_a_round = !goes_on;
        goes_on
    }
}

/// What an evaluation looks at; owned, so that it can be thought over elsewhere.
struct Question {
    snapshot: Arc<Snapshot>,
    rules: Arc<Rules>,
    silences: Vec<Silence>,
    undelivered: BTreeSet<Unheard>,
    memory: Arc<Memory>,
    waiting: Waiting,
    states: Arc<States>,
    renewal: RenewalOf,
    now: DateTime<Utc>,
    /// Messages are wanted too, not only the state.
    decide: bool,
}

/// What the store knows beside the memory.
#[derive(Default)]
struct Known {
    silences: Vec<SilenceRow>,
    undelivered: BTreeMap<Unheard, BTreeSet<Box<str>>>,
}

struct Answer {
    decision: Option<Decision>,
    states: States,
    seen: Seen,
}

impl Watch {
    /// Runs until asked to stop.
    pub(super) async fn run(mut self, stop: Shutdown) {
        // what waited for company goes on waiting from when it began, also where another one wrote the board
        let waiting = self.board.borrow().waiting.clone();
        let mut course = Course { waiting, ..Course::default() };
        loop {
            self.pulse.beat();
            let began = Instant::now();
            let before = course.overtaken;
            self.evaluate(&mut course).await;
            if course.decides_at_once(before) {
                continue;
            }
            let pause = (began.elapsed() * SHARE).clamp(SOONEST, LATEST);
            tokio::select! {
                () = stop.requested() => return,
                () = self.next(pause) => {}
            }
        }
    }

    /// Waits for something new, or for time to make something new.
    async fn next(&mut self, pause: Duration) {
        tokio::time::sleep(pause).await;
        let rest = LATEST.saturating_sub(pause);
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = self.ask.notified() => {}
            Ok(()) = self.snapshots.changed() => {}
            Ok(()) = self.rules.changed() => {}
        }
    }

    async fn evaluate(&mut self, course: &mut Course) {
        if self.clock_jumped(course) {
            return;
        }
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        if !snapshot.is_ready() && self.clock.elapsed() < PATIENCE {
            return;
        }
        let store = self.store.as_ref().and_then(Handle::store);
        let known = match &store {
            Some(store) => self.known(store, course).await,
            None => None,
        };
        let usable = known.is_some();
        let decide = usable && self.is_planned() && !course.is_first_round(&snapshot);
        let Known { silences, undelivered } = known.unwrap_or_default();
        let rows: Arc<[SilenceRow]> = silences.into();
        let question = Question {
            snapshot,
            rules: Arc::clone(&self.rules.borrow_and_update()),
            silences: rows.iter().filter_map(SilenceRow::read).collect(),
            undelivered: undelivered.keys().cloned().collect(),
            memory: Arc::clone(&course.memory),
            waiting: course.waiting.clone(),
            states: Arc::clone(&self.states.borrow()),
            renewal: Arc::clone(&self.renewal),
            now: self.clock.now(),
            decide,
        };
        let now = question.now;
        let seen = std::mem::take(&mut course.seen);
        let answer = tokio::task::spawn_blocking(move || question.answer(seen)).await;
        let Ok(Answer { decision, states, seen }) = answer else {
            tracing::error!(
                "an evaluation of alerts failed, which is a defect of notafter; it is tried again"
            );
            return;
        };
        course.seen = seen;
        self.publish(states);
        let trouble = match (store, decision) {
            (Some(store), Some(decision)) => {
                let unsent = decision.unheard.iter().filter_map(|end| undelivered.get(end));
                let unsent = unsent.flatten().cloned().collect();
                self.write(&store, course, decision, &unsent, now).await.err()
            }
            _ if usable => None,
            _ => Some("the store cannot be used".to_owned()),
        };
        Self::tell_waiting(course, trouble.as_deref());
        self.board.send_replace(Arc::new(Board {
            memory: Arc::clone(&course.memory),
            waiting: course.waiting.clone(),
            silences: rows,
            at: Some(now),
            trouble: trouble.map(Into::into),
        }));
    }

    /// What is planned to be renewed is known: before that, people would be told to do it by hand.
    fn is_planned(&self) -> bool {
        let waits = |board: &watch::Receiver<Arc<renewal::board::Board>>| {
            let board = board.borrow();
            board.mode > RenewalMode::Off && board.at.is_none() && board.trouble.is_none()
        };
        !self.renewals.as_ref().is_some_and(waits) || self.clock.elapsed() >= PATIENCE
    }

    /// An end is never concluded from one jump of the clock: this evaluation is left out, the next one believes it.
    fn clock_jumped(&self, course: &mut Course) -> bool {
        let jump = course.steady.jumped(self.clock.now(), self.clock.monotonic());
        let Some(jump) = jump else { return false };
        // what waited for company did so by the other time
        course.waiting.clear();
        let minutes = jump.num_minutes();
        tracing::warn!(minutes, "the clock jumped; alerts are evaluated at the next round");
        true
    }

    /// Silences, and what was never delivered. The memory is read anew whenever the store is another one.
    async fn known(&self, store: &Arc<Store>, course: &mut Course) -> Option<Known> {
        let known = async {
            if course.store.as_ref().is_none_or(|known| !Arc::ptr_eq(known, store)) {
                let alerts = store.load_alerts().await?;
                if let Some((rows, first)) = alerts.odd {
                    tracing::warn!(
                        rows,
                        first,
                        "some rows about alerts are not of this program and were erased"
                    );
                }
                course.memory = Arc::new(alerts.memory);
                course.store = Some(Arc::clone(store));
            }
            let (silences, undelivered) = (store.silences().await?, store.undelivered().await?);
            Ok::<_, StoreError>(Known { silences, undelivered })
        };
        match known.await {
            Ok(known) => Some(known),
            Err(error) => {
                self.report(store, course, error);
                None
            }
        }
    }

    /// Writes a decision down. Only then it counts. If a message that it takes for unsent (`unsent`) is on its way by now, it
    /// does not, and the next evaluation decides anew.
    async fn write(
        &self,
        store: &Arc<Store>,
        course: &mut Course,
        decision: Decision,
        unsent: &BTreeSet<Box<str>>,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        let rows = decision.memory.rows_since(&course.memory);
        if !rows.is_empty() || !decision.messages.is_empty() {
            match store.commit_decision(&rows, &decision.messages, unsent, now).await {
                Ok(Committed::Done) => {}
                Ok(Committed::Overtaken) => {
                    course.overtaken += 1;
                    tracing::debug!("a message was taken meanwhile; what to tell is decided anew");
                    self.ask.notify_one();
                    let is_late = course.overtaken > OVERTAKEN;
                    return if is_late { Err(LATE.to_owned()) } else { Ok(()) };
                }
                Err(error) => {
                    let text = error.to_string();
                    self.report(store, course, error);
                    return Err(text);
                }
            }
            course.memory = Arc::new(decision.memory);
        }
        course.overtaken = 0;
        course.waiting = decision.waiting;
        for message in &decision.messages {
            let (id, channel, kind) = (&*message.id, &*message.channel, message.type_name());
            tracing::info!(id, channel, kind, items = message.items.len(), "a message was written down");
        }
        if !decision.messages.is_empty() {
            self.written.notify_one();
        }
        Ok(())
    }

    /// Nobody knows what the store holds after an error: it is read again before anything else is decided.
    fn report(&self, store: &Arc<Store>, course: &mut Course, error: StoreError) {
        course.store = None;
        if let Some(handle) = &self.store {
            handle.report(store, error);
        }
    }

    /// Receivers wake up only for what they would say differently; what they say when they do is always of now.
    fn publish(&self, states: States) {
        self.states.send_if_modified(|known| {
            let same = known.len() == states.len()
                && states.iter().all(|(name, new)| known.get(name).is_some_and(|old| old.says_the_same(new)));
            *known = Arc::new(states);
            !same
        });
    }

    fn tell_waiting(course: &mut Course, trouble: Option<&str>) {
        match (trouble, course.told_waiting) {
            (Some(trouble), false) => {
                tracing::error!(trouble, "alerts wait: what is told must be written down first");
            }
            (None, true) => tracing::info!("alerts go on"),
            _ => {}
        }
        course.told_waiting = trouble.is_some();
    }
}

impl Question {
    fn answer(self, mut seen: Seen) -> Answer {
        let console = |scope: &Scope, id: &str| Some((provider::find(&scope.provider)?.console)(scope, id));
        let world = World {
            snapshot: &self.snapshot,
            accounts: &self.rules.accounts,
            alert: &self.rules.alert,
            poll: &self.rules.poll,
            routing: &self.rules.routing,
            silences: &self.silences,
            undelivered: &self.undelivered,
            renewal: &*self.renewal,
            console: &console,
            now: self.now,
        };
        let replicas = self.rules.routing.channels.iter().filter(|channel| channel.replica);
        let states = replicas.map(|channel| {
            let before = self.states.get(&channel.name);
            (channel.name.clone(), standing::next(before, &world, &self.memory, channel))
        });
        let states = states.collect();
        let decision = self.decide.then(|| {
            let mut new_id = || event_id(self.now);
            decide::decide(&world, &self.memory, &self.waiting, &mut seen, &mut new_id)
        });
        Answer { decision, states, seen }
    }
}

/// What is known of renewals while nothing is renewed by this daemon.
pub fn by_hand(provider: &str, _: Fingerprint) -> Renewal {
    let by_api = provider::find(provider).is_some_and(|kind| kind.renew_policy.is_some());
    let note = if by_api { RenewalNote::Manual } else { RenewalNote::NoApi };
    Renewal { note, ..Renewal::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::delivery::testing::{entered, item, message};
    use crate::domain::alert::memory::ChannelPast;
    use crate::domain::alert::message::Message;
    use crate::domain::finding::Stage;
    use crate::domain::testing::moment;

    fn watch() -> Watch {
        Watch {
            snapshots: watch::Sender::default().subscribe(),
            rules: crate::daemon::alerts::Estate::default().rules.subscribe(),
            store: None,
            clock: Clock::system(),
            board: watch::Sender::default(),
            states: watch::Sender::default(),
            ask: Arc::default(),
            written: Arc::default(),
            renewals: None,
            renewal: Arc::new(by_hand),
            pulse: Pulse::default(),
        }
    }

    /// The channel had its first message, and this is another one.
    fn decision(id: &str) -> Decision {
        let past = ChannelPast { since: moment(), digests: BTreeMap::new() };
        let memory = Memory { channels: [("chat".into(), past)].into(), ..Memory::default() };
        let messages = vec![said(id)];
        Decision { memory, messages, waiting: Waiting::new(), unheard: BTreeSet::new() }
    }

    fn said(id: &str) -> Message {
        let warned = message(vec![item("r-1", 7, entered(Stage::Critical, None))]);
        Message { id: id.into(), channel: "chat".into(), ..warned }
    }

    #[tokio::test]
    async fn a_decision_that_a_courier_overtook_is_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("n.db").display());
        let store = Arc::new(Store::open(&url).await.expect("a store"));
        let (watch, mut course) = (watch(), Course::default());
        store.commit_alerts(&[], &[said("evt_1")], moment()).await.expect("written");
        store.claim("chat", moment()).await.expect("read").expect("a courier has it");
        let unsent = ["evt_1".into()].into();
        let soon = || tokio::time::timeout(Duration::from_millis(10), watch.ask.notified());

        watch.write(&store, &mut course, decision("evt_2"), &unsent, moment()).await.expect("no trouble");
        assert!(course.memory.is_empty(), "what was not written down does not count");
        assert!(soon().await.is_ok(), "the next evaluation comes at once");
        assert!(course.decides_at_once(0));
        assert!(!course.decides_at_once(1), "one that decided nothing does not go round and round");
        for late in 2..=OVERTAKEN {
            watch.write(&store, &mut course, decision("evt_2"), &unsent, moment()).await.expect("no trouble");
            assert!(course.decides_at_once(late - 1));
        }
        let trouble = watch.write(&store, &mut course, decision("evt_2"), &unsent, moment()).await;
        assert_eq!((trouble, course.decides_at_once(OVERTAKEN)), (Err(LATE.to_owned()), false));
        assert!(soon().await.is_ok());

        let nothing = BTreeSet::new();
        watch.write(&store, &mut course, decision("evt_3"), &nothing, moment()).await.expect("no trouble");
        assert!(!course.memory.is_empty() && course.overtaken == 0, "and that one counts");
        assert!(soon().await.is_err());
        let queued = store.queued("chat", moment()).await.expect("read");
        let ids: Vec<&str> = queued.iter().map(|row| &*row.message.id).collect();
        assert_eq!(ids, ["evt_3"]);
        store.close().await;
    }
}
