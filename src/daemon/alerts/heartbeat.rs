//! A sign of life: while the daemon can tell, an address of the operator's choice is called every minute, so that
//! somebody else notices when it cannot.
//!
//! A process that runs and can tell nothing is as silent as none: without a recent evaluation, or without a store to
//! write down what is told, it does not beat. (The watchdog of Alertmanager goes on: what is told there needs no store.)

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use tokio::sync::watch;
use tokio::time::Instant;

use super::channels::{ChannelError, secrets};
use super::watch::Board;
use crate::config::Config;
use crate::fields::Plain;
use crate::notifier::address::Address;
use crate::notifier::post::Post;
use crate::notifier::{BuildError, Outcome};
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// How often.
const EVERY: Duration = Duration::from_mins(1);
/// An evaluation that is older says nothing about now.
const FRESH: Duration = Duration::from_mins(5);
/// The first one may wait for the clouds for as long by itself, and then takes a moment.
const GRACE: Duration = EVERY;

/// The address, and the way there.
#[derive(Debug)]
pub struct Heartbeat {
    address: Address,
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
        let address = Address::read(url, setting, Plain::Anywhere).map_err(ChannelError::Heartbeat)?;
        let post = Post::new(None, address.secrets()).map_err(ChannelError::Heartbeat)?;
        Ok(Some(Self { address, post }))
    }

    /// Beats until asked to stop.
    pub(super) async fn run(
        self,
        board: watch::Receiver<Arc<Board>>,
        telemetry: Arc<Telemetry>,
        stop: Shutdown,
    ) {
        telemetry.preset_heartbeat();
        let mut mouth = Mouth::new(board);
        let mut failing = false;
        loop {
            failing = match mouth.trouble() {
                Some(trouble) => {
                    tracing::warn!(trouble, "no heartbeat, because nothing can be told");
                    true
                }
                None => self.beat_once(&telemetry, failing).await,
            };
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Whether it failed.
    async fn beat_once(&self, telemetry: &Telemetry, failing: bool) -> bool {
        let trouble = self.beat().await;
        match &trouble {
            Some(error) => {
                telemetry.heartbeat_failed();
                tracing::warn!(error, "the heartbeat did not arrive");
            }
            None if failing => tracing::info!("the heartbeat arrives again"),
            None => {}
        }
        trouble.is_some()
    }

    /// What went wrong, if anything did.
    async fn beat(&self) -> Option<String> {
        let reply = self.post.json(self.address.expose(), HeaderMap::new(), Bytes::from_static(b"{}")).await;
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

/// Whether anything could be told.
struct Mouth {
    board: watch::Receiver<Arc<Board>>,
    /// When the board was found to be another one last. Not its own time: clocks jump.
    changed: Instant,
}

impl Mouth {
    fn new(board: watch::Receiver<Arc<Board>>) -> Self {
        Self { board, changed: Instant::now() + GRACE }
    }

    /// Why nothing can be told, if so.
    fn trouble(&mut self) -> Option<String> {
        // an error means that nobody writes on it any more: it gets old
        if self.board.has_changed().unwrap_or(false) {
            self.changed = Instant::now();
        }
        let board = self.board.borrow_and_update();
        let old = self.changed.elapsed() >= FRESH;
        let stands_still =
            || old.then(|| format!("no evaluation for {} s", self.changed.elapsed().as_secs()));
        board.trouble.as_deref().map(str::to_owned).or_else(stands_still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn pass(minutes: u64) -> impl Future<Output = ()> {
        tokio::time::advance(Duration::from_mins(minutes))
    }

    #[tokio::test(start_paused = true)]
    async fn it_beats_only_while_something_could_be_told() {
        let board = watch::Sender::new(Arc::new(Board::default()));
        let mut mouth = Mouth::new(board.subscribe());
        let mut is_well = || mouth.trouble().is_none();
        assert!(is_well(), "at the start nothing is known yet");
        pass(5).await;
        assert!(is_well(), "the first evaluation waits for the clouds");
        pass(1).await;
        assert!(!is_well(), "there was none");
        let publish = |trouble: Option<&str>| {
            board.send_replace(Arc::new(Board { trouble: trouble.map(Into::into), ..Board::default() }));
        };
        publish(None);
        assert!(is_well(), "there was one");
        pass(4).await;
        assert!(is_well(), "it is young");
        publish(Some("the store cannot be used"));
        assert!(!is_well(), "nothing can be written down");
        publish(None);
        assert!(is_well(), "it can again");
        pass(5).await;
        assert!(!is_well(), "evaluations stand still");
    }

    #[test]
    fn no_part_of_its_address_is_ever_shown() {
        let text = "[alert]\nheartbeat = { env = \"H\" }\n[[account]]\nname = \"prod\"\nprovider = \"alibaba\"\n\
                    credentials = { access_key_id = { env = \"ID\" }, access_key_secret = { env = \"ID\" } }\n";
        let config = config::parse(text, "c.toml").unwrap_or_else(|problems| panic!("{problems}"));
        let of = |url: &'static str| Heartbeat::of(&config, &|_| Some(url.to_owned()));
        let heartbeat =
            of("https://h.example/ping/0123-hunter2?token=hunter3").expect("an address").expect("one");
        let said = "no check 0123-hunter2 at /ping/0123-hunter2, token hunter3";
        let shown = heartbeat.post.clean(said);
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(!format!("{heartbeat:?}").contains("hunter"));
        let odd = of("hunter2").expect_err("no address").to_string();
        assert!(odd.contains("`alert.heartbeat`") && !odd.contains("hunter"), "{odd}");
    }
}
