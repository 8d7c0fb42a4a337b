//! What people do with channels and messages, answered by the daemon.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::attempt::{Said, Saying};
use super::chance::event_id;
use super::channels::Channel;
use super::context::{Context, Line};
use super::pace::Pace;
use super::removed;
use super::replica::RESEND;
use super::watch::States;
use crate::domain::alert::delivery::health::Health;
use crate::domain::alert::message::{Kind, Message};
use crate::domain::alert::outbox::{Row, State};
use crate::domain::alert::standing;
use crate::domain::reason::Reason;
use crate::notifier::desk::{Answer, ChannelStatus, Desk, DeskError, Removal, Tested};
use crate::notifier::{Messenger, Outcome, Replica, Sender, Trouble};
use crate::shutdown::Stop;
use crate::store::{Counts, Cursor, Handle, Store, StoreError, Waiting};

/// Somebody waits for the answer to a test: so long for its turn, and no longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers for the daemon. Clones are the same.
#[derive(Debug, Clone)]
pub struct Office {
    pub(super) context: Arc<Context>,
    pub(super) paces: Arc<[Pace]>,
    pub(super) states: watch::Receiver<Arc<States>>,
    pub(super) store: Handle,
}

impl Office {
    /// Something was written down in the outbox of these channels: their couriers look at once.
    pub fn wake(&self, channels: impl Fn(&str) -> bool) {
        self.context.wake(channels);
    }

    async fn ask<T>(&self, work: impl AsyncFnOnce(&Store) -> Result<T, StoreError>) -> Result<T, DeskError> {
        let store = self.store.store().ok_or(DeskError::StoreAway)?;
        work(&store).await.map_err(|error| {
            self.store.report(&store, error);
            DeskError::StoreAway
        })
    }

    async fn test_one(&self, line: &Arc<Line>, pace: &Pace) -> Tested {
        let outcome = match &line.channel.sender {
            Sender::Messages(messenger) => self.test_messages(line, messenger, pace).await,
            Sender::State(replica) => self.test_state(line, &**replica).await,
        };
        self.context.telemetry.notification(line.name());
        match &outcome {
            Ok(_) => line.ask_for_probe(),
            Err(trouble) => self.context.telemetry.notification_failed(line.name(), trouble.reason),
        }
        Tested {
            channel: line.channel.name.clone(),
            type_name: line.channel.kind.name,
            place: line.channel.place().into(),
            outcome,
        }
    }

    async fn test_messages(
        &self,
        line: &Line,
        messenger: &Arc<dyn Messenger>,
        pace: &Pace,
    ) -> Result<String, Trouble> {
        if pace.wait() > PATIENCE {
            return Err(used_up(pace));
        }
        let patience = Stop::new();
        let stop = &patience.listener();
        let (context, channel) = (&*self.context, &line.channel);
        let message = test_message(channel, context.now());
        let saying = Saying { context, channel, messenger, pace, recorded: false, stop };
        // ends the waiting for a turn, and no post that is under way
        let impatience = async {
            tokio::time::sleep(PATIENCE).await;
            patience.request();
            std::future::pending::<Said>().await
        };
        let said = tokio::select! {
            said = saying.say(&message, 0, &|_| None) => said,
            said = impatience => said,
        };
        match said {
            Said::Everything(receipt) => Ok(receipt.said),
            Said::Trouble(_, trouble, _) => Err(trouble),
            Said::Stopped => Err(used_up(pace)),
        }
    }

    /// The present state once more: what it is told every minute anyway.
    async fn test_state(&self, line: &Line, replica: &dyn Replica) -> Result<String, Trouble> {
        let now = self.context.now();
        let state = self.states.borrow().get(line.name()).cloned();
        let state = standing::State { now, ..state.unwrap_or_default() };
        let setting = self.context.setting(&line.channel, &|_| None);
        match replica.replicate(&state, &setting, RESEND).await {
            Outcome::Delivered(receipt) => Ok(receipt.said),
            Outcome::Retry { trouble, .. } | Outcome::Refused { trouble, .. } => Err(trouble),
        }
    }

    fn lines(&self, channel: Option<&str>) -> Result<Vec<(&Arc<Line>, &Pace)>, DeskError> {
        let all = self.context.lines.iter().zip(self.paces.iter());
        let found: Vec<_> = all.filter(|(line, _)| channel.is_none_or(|name| name == line.name())).collect();
        match (channel, found.is_empty()) {
            (Some(name), true) => Err(DeskError::NoSuchChannel(name.to_owned())),
            _ => Ok(found),
        }
    }

    fn status(&self, line: &Line, counts: &Counts) -> ChannelStatus {
        let waiting = counts.get(&line.channel.name).copied().unwrap_or_default();
        let health = line.health();
        ChannelStatus {
            name: line.channel.name.clone(),
            type_name: line.channel.kind.name,
            place: line.channel.place().into(),
            replica: matches!(line.channel.sender, Sender::State(_)),
            failing: health.is_failing(self.context.now()),
            health,
            queued: waiting.queued,
            dead: waiting.dead,
            removed: None,
            down: line.down(),
        }
    }

    /// A channel that is not configured and has messages left.
    fn removed(&self, name: &str, waiting: Waiting) -> ChannelStatus {
        let kept_for = self.context.removed.kept_for(name).filter(|_| waiting.queued > 0);
        let kept_for = kept_for.and_then(|rest| TimeDelta::from_std(rest).ok());
        ChannelStatus {
            name: name.into(),
            type_name: "",
            place: "".into(),
            replica: false,
            failing: false,
            health: Health::default(),
            queued: waiting.queued,
            dead: waiting.dead,
            removed: Some(Removal { given_up_at: kept_for.map(|rest| self.context.now() + rest) }),
            down: Vec::new(),
        }
    }
}

impl Desk for Office {
    fn channels(&self) -> Answer<'_, Vec<ChannelStatus>> {
        Box::pin(async {
            let counts = self.ask(async |store| store.counts().await).await?;
            let lines = &self.context.lines;
            let is_left = |name: &str| lines.iter().all(|line| line.name() != name);
            let left = counts.iter().filter(|(name, _)| is_left(name));
            let left = left.map(|(name, waiting)| self.removed(name, *waiting));
            Ok(lines.iter().map(|line| self.status(line, &counts)).chain(left).collect())
        })
    }

    fn messages<'a>(
        &'a self,
        states: &'a [State],
        limit: usize,
        before: Option<(DateTime<Utc>, &'a str)>,
    ) -> Answer<'a, Vec<Row>> {
        Box::pin(async move {
            let before = before.map(|(at, id)| Cursor { at, id: id.into() });
            self.ask(async |store| store.messages(states, limit, before.as_ref()).await).await
        })
    }

    fn retry<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let now = self.context.now();
            let channel = self.ask(async |store| store.channel_of(id).await).await?;
            if let Some(channel) = channel.filter(|name| !removed::takes(&self.context, name)) {
                return Err(DeskError::NotConfigured(channel.into()));
            }
            let found = self.ask(async |store| store.retry(id, now).await).await?;
            self.context.wake(|_| found);
            Ok(found)
        })
    }

    fn discard<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let found = self.ask(async |store| store.discard(id).await).await?;
            self.context.changed.notify_one();
            Ok(found)
        })
    }

    fn test<'a>(&'a self, channel: Option<&'a str>) -> Answer<'a, Vec<Tested>> {
        Box::pin(async move {
            let mut tests = tokio::task::JoinSet::new();
            for (index, (line, pace)) in self.lines(channel)?.into_iter().enumerate() {
                let (office, line, pace) = (self.clone(), Arc::clone(line), pace.clone());
                tests.spawn(async move { (index, office.test_one(&line, &pace).await) });
            }
            let mut tested = tests.join_all().await;
            tested.sort_by_key(|(index, _)| *index);
            Ok(tested.into_iter().map(|(_, tested)| tested).collect())
        })
    }

    fn probe(&self, channel: Option<&str>) -> Result<(), DeskError> {
        for (line, _) in self.lines(channel)? {
            line.ask_for_probe();
        }
        Ok(())
    }
}

/// The robot of the channel may not be spoken to yet.
fn used_up(pace: &Pace) -> Trouble {
    let seconds = pace.wait().as_secs() + 1;
    Trouble::new(Reason::Throttled, format!("the channel's pace is used up, try again in {seconds} s"))
}

fn test_message(channel: &Channel, now: DateTime<Utc>) -> Message {
    Message {
        id: event_id(now),
        channel: channel.name.clone(),
        kind: Kind::Test,
        route: "".into(),
        at: now,
        items: Vec::new(),
        left_out: 0,
        overview: None,
    }
}
