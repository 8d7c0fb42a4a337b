//! Carries the numbers of the channels to the metrics page, has those looked after that are not configured any more, and
//! throws old messages away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::outbox::Away;
use crate::metrics::{ChannelNumbers, MetricsPage};
use crate::notifier::Sender;
use crate::shutdown::Shutdown;
use crate::store::Counts;

/// Numbers that change all the time are counted at most so often.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// They are counted at least so often.
const COUNT_AGAIN: Duration = Duration::from_secs(30);
/// What is too old is thrown away this often.
const PRUNE_EVERY: Duration = Duration::from_hours(6);
/// The first time only after the daemon has had time to start.
const FIRST_PRUNE: Duration = Duration::from_mins(5);

/// Counts and prunes until asked to stop.
pub(super) async fn run(context: Arc<Context>, metrics: Arc<MetricsPage>, stop: Shutdown) {
    let (mut known, mut looked) = (Counts::new(), Instant::now());
    let mut prune_at = Instant::now() + FIRST_PRUNE;
    loop {
        if let Ok(counts) = context.outbox.counts().await {
            let passed = std::mem::replace(&mut looked, Instant::now()).elapsed();
            if context.removed.look(&context, &counts, passed).await.is_ok_and(|given_up| given_up > 0) {
                context.changed.notify_one();
            }
            known = counts;
        }
        metrics.show_channels(numbers(&context, &known));
        if Instant::now() >= prune_at {
            prune(&context).await;
            prune_at = Instant::now() + PRUNE_EVERY;
        }
        let changed = async {
            context.changed.notified().await;
            tokio::time::sleep(COUNT_EVERY).await;
        };
        tokio::select! {
            () = stop.requested() => return,
            () = tokio::time::sleep(COUNT_AGAIN) => {}
            () = changed => {}
        }
    }
}

/// Of every configured channel, and of those that are not configured any more and have messages left.
pub(super) fn numbers(context: &Context, counts: &Counts) -> Vec<ChannelNumbers> {
    let now = context.now();
    let mut left: BTreeMap<_, _> = counts.iter().collect();
    let mut numbers: Vec<ChannelNumbers> = Vec::new();
    for line in &context.lines {
        let waiting = left.remove(&line.channel.name).copied().unwrap_or_default();
        let health = line.health();
        numbers.push(ChannelNumbers {
            name: line.channel.name.clone(),
            up: Some(!health.is_failing(now)),
            down: matches!(line.channel.sender, Sender::State(_)).then(|| line.down().len()),
            last_success: health.last_success,
            queued: waiting.queued,
            dead: waiting.dead,
        });
    }
    numbers.extend(left.into_iter().map(|(name, waiting)| ChannelNumbers {
        name: name.clone(),
        up: None,
        down: None,
        last_success: None,
        queued: waiting.queued,
        dead: waiting.dead,
    }));
    numbers
}

async fn prune(context: &Context) {
    match context.outbox.prune(context.now()).await {
        Ok(0) => {}
        Ok(messages) => tracing::info!(messages, "old messages were thrown away"),
        Err(Away) => tracing::debug!("old messages are thrown away later: the store is away"),
    }
}
