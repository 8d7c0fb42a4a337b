//! What a delivery leaves to the one that takes its place at a reload: what was decided last, whom it concerns, and how
//! fast each robot may be spoken to. Everything else stands in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::Delivery;
use super::context::Context;
use super::pace::Robots;
use super::watch::{Board, Rules, States};
use crate::domain::alert::delivery::health::Health;
use crate::domain::alert::routing::Routing;
use crate::domain::policy::{AlertPolicy, PollPolicy};

/// See [`Delivery::estate`]. The default is that of nobody.
#[derive(Clone)]
pub struct Estate {
    /// `None`: nobody was there before.
    context: Option<Arc<Context>>,
    pub(super) robots: Robots,
    pub(super) states: watch::Sender<Arc<States>>,
    pub(super) rules: watch::Sender<Arc<Rules>>,
    pub(in crate::daemon) board: watch::Sender<Arc<Board>>,
    pub(super) ask: Arc<Notify>,
    pub(super) written: Arc<Notify>,
}

impl Default for Estate {
    fn default() -> Self {
        let (alert, poll) = (AlertPolicy::default(), PollPolicy::default());
        let routing = Routing { channels: Vec::new(), routes: Vec::new() };
        let rules = Rules { accounts: BTreeMap::new(), alert, poll, routing };
        Self {
            context: None,
            robots: Robots::new(),
            states: watch::Sender::default(),
            rules: watch::Sender::new(Arc::new(rules)),
            board: watch::Sender::default(),
            ask: Arc::default(),
            written: Arc::default(),
        }
    }
}

impl Estate {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            context: Some(Arc::clone(&delivery.context)),
            robots: delivery.robots.clone(),
            states: delivery.states.clone(),
            rules: delivery.rules.clone(),
            board: delivery.board.clone(),
            ask: Arc::clone(&delivery.ask),
            written: Arc::clone(&delivery.written),
        }
    }

    /// Whether nobody was there before.
    pub(super) fn is_empty(&self) -> bool {
        self.context.is_none()
    }

    /// How a channel of this name was. The settings may be others: one attempt shows whether a pause is still wanted.
    pub(super) fn health_of(&self, channel: &str, now: DateTime<Utc>) -> Health {
        let lines = self.context.iter().flat_map(|context| &context.lines);
        let known: BTreeMap<&str, Health> = lines.map(|line| (line.name(), line.health())).collect();
        let mut health = known.get(channel).cloned().unwrap_or_default();
        health.let_in(now);
        health
    }
}
