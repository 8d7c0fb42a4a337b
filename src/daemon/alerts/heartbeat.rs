//! A sign of life: while the daemon runs, an address of the operator's choice is called every minute, so that somebody
//! else notices when it does not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::channels::{ChannelError, secrets};
use crate::config::Config;
use crate::notifier::post::Post;
use crate::notifier::{BuildError, Outcome};
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// How often.
const EVERY: Duration = Duration::from_mins(1);

/// The address, and the way there.
#[derive(Debug)]
pub struct Heartbeat {
    url: Secret,
    post: Post,
}

impl Heartbeat {
    /// As configured; `None`: it is not. `env` answers for environment variables.
    ///
    /// # Errors
    /// Its address cannot be had, or no client can be made.
    pub fn of(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, ChannelError> {
        let Some(setting) = &config.heartbeat else { return Ok(None) };
        let subject = || setting.subject.clone();
        let url = secrets(env)(setting)
            .map_err(|source| ChannelError::Heartbeat(BuildError::Secret { subject: subject(), source }))?;
        let post = Post::new(None, vec![url.clone()]).map_err(ChannelError::Heartbeat)?;
        Ok(Some(Self { url, post }))
    }

    /// Beats until asked to stop.
    pub(super) async fn run(self, telemetry: Arc<Telemetry>, stop: Shutdown) {
        telemetry.preset_heartbeat();
        let mut failing = false;
        loop {
            let trouble = self.beat().await;
            match &trouble {
                Some(error) => {
                    telemetry.heartbeat_failed();
                    tracing::warn!(error, "the heartbeat did not arrive");
                }
                None if failing => tracing::info!("the heartbeat arrives again"),
                None => {}
            }
            failing = trouble.is_some();
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// What went wrong, if anything did.
    async fn beat(&self) -> Option<String> {
        let reply = self.post.json(self.url.expose(), HeaderMap::new(), Bytes::from_static(b"{}")).await;
        let outcome = match reply {
            Ok(reply) => self.post.usual(&reply)?,
            Err(outcome) => outcome,
        };
        match outcome {
            Outcome::Delivered(_) => None,
            Outcome::Retry { trouble, .. } | Outcome::Refused { trouble, .. } => Some(trouble.text),
        }
    }
}
