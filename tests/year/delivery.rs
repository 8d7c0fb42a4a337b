//! Channels that fail: for a moment, for days, after the message arrived, or for good.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::delivery::current::{Present, certificates, current};
use notafter::domain::alert::delivery::fold::fold;
use notafter::domain::alert::delivery::{Attempt, Step, Tries, after};
use notafter::domain::alert::outbox::{Row, Settled, State};
use notafter::domain::alert::steady::Steady;
use notafter::domain::policy::PollPolicy;
use notafter::store::Store;

use crate::Time;
use crate::dice::Dice;
use crate::fleet::Fleet;
use crate::ledger::Ledger;

const CHANNELS: [&str; 3] = ["chat", "team", "pager"];

#[derive(Default)]
pub(crate) struct Delivery {
    /// By channel: nothing gets through until then.
    down: BTreeMap<&'static str, DateTime<Utc>>,
    paused: BTreeMap<&'static str, DateTime<Utc>>,
    pub(crate) attempts: usize,
    folds: u64,
    /// Messages that were given up, and sent again by a person.
    pub(crate) retried: usize,
    /// Messages of which something, or all, was not worth saying any more.
    pub(crate) overtaken: usize,
    steady: Steady,
}

impl Delivery {
    /// What the couriers of all channels do in one round.
    pub(crate) async fn round(
        &mut self,
        store: &Store,
        fleet: &Fleet,
        ledger: &mut Ledger,
        dice: &mut Dice,
        time: Time,
    ) {
        if self.steady.jumped(time.wall, time.monotonic).is_some() {
            return;
        }
        let now = time.wall;
        for channel in CHANNELS {
            if dice.one_in(300) {
                let length = TimeDelta::hours(i64::try_from(dice.below(100)).expect("small"));
                self.down.insert(channel, now + length);
            }
            self.draw_together(store, ledger, channel, now).await;
            self.handle_dead(store, dice, now).await;
            while self.paused.get(channel).is_none_or(|until| now >= *until) {
                let Some(row) = store.claim(channel, now).await.expect("the store answers") else { break };
                self.attempt(store, fleet, (ledger, dice), row, time).await;
            }
        }
    }

    /// Now and then a person has something sent that was given up.
    async fn handle_dead(&mut self, store: &Store, dice: &mut Dice, now: DateTime<Utc>) {
        if dice.one_in(40) {
            let dead = store.messages(&[State::Dead], 1, None).await.expect("the store answers");
            for row in dead {
                assert!(store.retry(&row.message.id, now).await.expect("the store answers"));
                self.retried += 1;
            }
        }
    }

    async fn draw_together(&mut self, store: &Store, ledger: &Ledger, channel: &str, now: DateTime<Utc>) {
        let rows = store.queued(channel, now).await.expect("the store answers");
        self.folds += 1;
        let id = || format!("evt_fold{}", self.folds).into();
        if let Some(folded) = fold(&rows, id, now) {
            ledger.folded(&rows, &folded);
            store
                .collapse(channel, &folded.message, &folded.instead_of, now)
                .await
                .expect("the store takes it");
        }
    }

    async fn attempt(
        &mut self,
        store: &Store,
        fleet: &Fleet,
        (ledger, dice): (&mut Ledger, &mut Dice),
        row: Row,
        time: Time,
    ) {
        let now = time.wall;
        let (id, channel) = (row.message.id.clone(), row.message.channel.clone());
        let poll = PollPolicy::default();
        let believed = store.believed(&certificates(&row.message)).await.expect("the store answers");
        let (snapshot, believed) = (&fleet.snapshot, &believed);
        let present = Present { snapshot, poll: &poll, believed, owner_tag: &|_| None, now };
        let left = current(row.message.clone(), row.parts_done > 0, &present);
        Ledger::overtaken(&row.message, left.as_ref(), fleet);
        self.overtaken +=
            usize::from(left.as_ref().is_none_or(|left| left.items.len() < row.message.items.len()));
        let Some(message) = left else {
            store.settle(&id, &Settled::Superseded, now).await.expect("the store takes it");
            return;
        };
        self.attempts += 1;
        assert!(time.is_trusted, "{id} is worded by a clock that jumped a moment ago");
        let down = self.down.get(&*channel).is_some_and(|until| now < *until);
        // an answer says that it did not arrive, and no answer says nothing
        let mut unanswered = dice.one_in(4);
        let (arrives, attempt) = match dice.below(20) {
            _ if down => (false, Attempt::Failed { after: None }),
            0 => (true, Attempt::Failed { after: Some(Duration::from_secs(30)) }),
            1 => (false, Attempt::Failed { after: None }),
            2 if dice.one_in(10) => (false, Attempt::Barred),
            // it arrived, or did not, and then the power went: nobody noted it
            3 if dice.one_in(3) => {
                ledger.arrived(&message, now);
                return;
            }
            4 if dice.one_in(3) => {
                ledger.may_have_arrived(&message);
                return;
            }
            _ => (true, Attempt::Delivered),
        };
        if arrives {
            ledger.arrived(&message, now);
            unanswered = true;
        } else if unanswered && matches!(attempt, Attempt::Failed { .. }) {
            ledger.may_have_arrived(&message);
        }
        let tries = Tries { attempts: row.attempts, since: row.message.at, dead_in_a_row: 0 };
        let settled = match after(attempt, &tries, now, 0.5) {
            Step::Done => Settled::Delivered { notes: Vec::new() },
            Step::Again(next_at) => Settled::Again { next_at, error: "later".into(), unanswered },
            Step::Pause(until) => {
                let name = CHANNELS.into_iter().find(|name| **name == *channel).expect("a known channel");
                self.paused.insert(name, until);
                Settled::Again { next_at: until, error: "refused".into(), unanswered: false }
            }
            Step::GiveUp | Step::Plain | Step::Stop => Settled::Dead { error: "given up".into(), unanswered },
        };
        store.settle(&id, &settled, now).await.expect("the store takes it");
    }

    /// Everything gets through at last.
    pub(crate) async fn finish(&mut self, store: &Store, ledger: &mut Ledger, now: DateTime<Utc>) {
        let later = now + TimeDelta::days(1);
        store.return_sending(later).await.expect("the store answers");
        for channel in CHANNELS {
            while let Some(row) = store.claim(channel, later).await.expect("the store answers") {
                ledger.arrived(&row.message, later);
                let delivered = Settled::Delivered { notes: Vec::new() };
                store.settle(&row.message.id, &delivered, later).await.expect("the store takes it");
            }
        }
        let states = [State::Queued, State::Sending];
        let open = store.messages(&states, 10, None).await.expect("the store answers");
        assert!(open.is_empty(), "{open:?}");
        for (state, seen) in [(State::Delivered, true), (State::Superseded, false), (State::Dead, false)] {
            let mut before = None;
            loop {
                let rows = store.messages(&[state], 500, before.as_ref()).await.expect("the store answers");
                let Some(last) = rows.last() else { break };
                before = Some(notafter::store::Cursor::behind(&last.message));
                for row in &rows {
                    ledger.settled(&row.message.id, state, seen);
                }
            }
        }
    }
}
