//! Changes what is logged while the process runs, and changes it back: a level that somebody forgot would fill the disk for a
//! year.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::AbortHandle;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload::Handle;

use super::Levels;
use super::recent::Recent;
use crate::domain::duration::show_duration;
use crate::web::inside::{LogLevels, Logging};

/// See the module. Clones are the same switch.
#[derive(Clone)]
pub struct Switch(Arc<Inner>);

struct Inner {
    handle: Handle<Targets, Registry>,
    configured: Levels,
    recent: Recent,
    now: Mutex<Now>,
}

/// What somebody asked for.
#[derive(Default)]
struct Now {
    wanted: Option<Wanted>,
    /// Of the requests so far: who falls back has to know whether somebody else asked meanwhile.
    number: u64,
    /// Waits for the end of what is wanted.
    sleeper: Option<AbortHandle>,
}

struct Wanted {
    levels: Levels,
    until: DateTime<Utc>,
    by: Box<str>,
}

impl Switch {
    pub(super) fn new(handle: Handle<Targets, Registry>, configured: Levels, recent: Recent) -> Self {
        let this = Self(Arc::new(Inner { handle, configured, recent, now: Mutex::default() }));
        this.0.put(&this.0.configured);
        this
    }

    async fn fall_back_after(self, length: Duration, number: u64) {
        tokio::time::sleep(length).await;
        let mut now = self.0.now();
        if now.number == number {
            now.wanted = None;
            self.0.put(&self.0.configured);
            drop(now);
            let levels = self.0.configured.to_string();
            tracing::info!(levels, "the time is over: what is logged is as configured again");
        }
    }
}

impl Inner {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, levels: &Levels) {
        if let Err(error) = self.handle.reload(levels.targets.clone()) {
            tracing::error!(%error, "what is logged cannot be changed");
        }
    }
}

impl Logging for Switch {
    fn levels(&self) -> LogLevels {
        let now = self.0.now();
        let wanted = now.wanted.as_ref();
        LogLevels {
            levels: wanted.map_or(&self.0.configured, |wanted| &wanted.levels).to_string(),
            configured: self.0.configured.to_string(),
            until: wanted.map(|wanted| wanted.until),
            by: wanted.map(|wanted| wanted.by.to_string()),
        }
    }

    fn set(&self, levels: &str, length: Duration, by: &str) -> Result<(), String> {
        let levels = Levels::parse(levels).map_err(|error| error.to_string())?;
        let until = Utc::now() + TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        let text = levels.to_string();
        // before, so that who silences the log is told of as well
        tracing::warn!(
            by,
            levels = text,
            length = show_duration(length),
            "what is logged changes, and changes back by itself"
        );
        let mut now = self.0.now();
        self.0.put(&levels);
        now.number += 1;
        now.wanted = Some(Wanted { levels, until, by: by.into() });
        let sleeper = tokio::spawn(self.clone().fall_back_after(length, now.number));
        if let Some(before) = now.sleeper.replace(sleeper.abort_handle()) {
            before.abort();
        }
        Ok(())
    }

    fn reset(&self, by: &str) {
        let mut now = self.0.now();
        now.number += 1;
        if now.wanted.take().is_some() {
            self.0.put(&self.0.configured);
            drop(now);
            tracing::warn!(by, levels = %self.0.configured, "what is logged is as configured again");
        }
    }

    fn recent(&self) -> Vec<String> {
        self.0.recent.lines()
    }
}
