//! The health of a channel over restarts, and how others hear of it.

use chrono::{DateTime, Utc};

use super::context::{Context, Line};
use super::outbox::Away;
use super::removed;
use crate::domain::alert::delivery::health::Health;
use crate::domain::alert::message::ChannelNews;

/// What the store knows of the health of a channel, and what only the log was told.
#[derive(Debug, Default)]
pub(super) struct Saved {
    known: Option<Health>,
    /// It fails since then, and there is nobody else to tell.
    alone: Option<DateTime<Utc>>,
}

impl Saved {
    /// Reads it at the first opportunity, tells what is owed, and writes what is new.
    pub(super) async fn keep(&mut self, context: &Context, line: &Line) -> Result<(), Away> {
        if self.known.is_none() {
            self.read(context, line).await?;
        }
        self.tell(context, line).await?;
        let health = line.health();
        if self.known.as_ref() != Some(&health) {
            let text = serde_json::to_string(&health).expect("a health becomes JSON");
            context.outbox.keep_value(&key(line), &text).await?;
            self.known = Some(health);
            context.changed.notify_one();
        }
        Ok(())
    }

    async fn read(&mut self, context: &Context, line: &Line) -> Result<(), Away> {
        let text = context.outbox.value(&key(line)).await?;
        let is_back = removed::is_back(&*context.outbox, line.name()).await?;
        let known = text.and_then(|text| serde_json::from_str::<Health>(&text).ok()).unwrap_or_default();
        line.edit_health(|health| {
            // what happened meanwhile is newer than what was written down
            let untouched = *health == Health::default();
            if untouched {
                health.clone_from(&known);
                // the settings may be others: one attempt shows it
                health.let_in(context.now());
            } else {
                health.told = health.told.or(known.told);
            }
            if is_back {
                // what waited for it could not have been tried
                health.released_at = Some(context.now());
            }
        });
        if known.is_barred() {
            line.ask_for_probe();
        }
        self.known = Some(known);
        context.changed.notify_one();
        Ok(())
    }

    /// Tells others, if there is something to tell.
    async fn tell(&mut self, context: &Context, line: &Line) -> Result<(), Away> {
        let now = context.now();
        if line.health().since.is_none()
            && let Some(since) = self.alone.take()
        {
            log(line.name(), &ChannelNews::Recovered { since, delayed: 0 }, &[]);
        }
        let Some(news) = line.health().owed(0, now) else { return Ok(()) };
        let messages = context.told_of(line.name(), &news);
        if messages.is_empty() {
            self.nobody_hears(line, &news);
            return Ok(());
        }
        let waiting = context.outbox.queued(line.name(), now).await?.len();
        let Some(news) = line.health().owed(waiting, now) else { return Ok(()) };
        let messages = context.told_of(line.name(), &news);
        context.outbox.commit(&messages, now).await?;
        line.edit_health(|health| health.note_told(&news));
        let through: Vec<&str> = messages.iter().map(|message| &*message.channel).collect();
        log(line.name(), &news, &through);
        context.wake(|name| through.contains(&name));
        Ok(())
    }

    /// A channel that fails stays untold: one that is added later hears of it. That it delivers again concerns only those
    /// who were told.
    fn nobody_hears(&mut self, line: &Line, news: &ChannelNews) {
        match news {
            ChannelNews::Failing { since, .. } if self.alone == Some(*since) => {}
            ChannelNews::Failing { since, .. } => {
                self.alone = Some(*since);
                log(line.name(), news, &[]);
            }
            ChannelNews::Recovered { .. } => {
                line.edit_health(|health| health.note_told(news));
                log(line.name(), news, &[]);
            }
        }
    }
}

fn key(line: &Line) -> String {
    format!("channel/{}", line.name())
}

fn log(channel: &str, news: &ChannelNews, through: &[&str]) {
    let through = through.join(", ");
    match news {
        ChannelNews::Failing { since, failures, error, queued } => {
            tracing::error!(channel, %since, failures, %error, queued, through, "the channel does not deliver");
        }
        ChannelNews::Recovered { since, delayed } => {
            tracing::info!(channel, %since, delayed, through, "the channel delivers again");
        }
    }
}
