//! From what is read again to what is used: a whole configuration at a reload, or the files alone that are used to tell
//! with, when these changed.

use std::sync::Arc;
use std::time::Duration;

use super::Running;
use super::parts::Part;
use crate::config::{Config, LoadError, Loaded};
use crate::daemon::draft::{Draft, Means};
use crate::daemon::keep;
use crate::daemon::reload::{Ask, ReloadError};
use crate::daemon::renewal::Renewals;
use crate::domain::policy::PollPolicy;
use crate::secret::Secret;
use crate::systemd::Word;
use crate::web::inside::{Reading, ReloadRefused, Reloaded};

/// A message that is being sent when a reload begins gets this long. After that it is sent again, with the same id.
const LAST_MESSAGE: Duration = Duration::from_secs(8);
/// The renewal loop ends its round first. A round that takes longer waits for the store, and people are told so.
const ROUND: Duration = Duration::from_secs(5);

impl Running {
    /// Does what is asked for, and answers.
    pub(in crate::daemon) async fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Files => self.use_files_again().await,
            Ask::Reload { by, answer } => {
                let done = self.reload(&by).await;
                // whoever asked may have gone
                let _ = answer.send(done);
            }
        }
    }

    /// Reads the configuration again and uses it, or says why not and goes on as before.
    async fn reload(&mut self, by: &str) -> Result<Reloaded, ReloadRefused> {
        self.base.notify.say(Word::Reloading);
        let outcome = self.try_reload().await;
        match &outcome {
            Ok(done) => tracing::info!(
                by,
                accounts = done.accounts,
                channels = done.channels,
                "the configuration was read again and is used from now on"
            ),
            Err(error) => {
                let problems = error.to_string();
                tracing::error!(
                    by,
                    problems,
                    "the configuration was read again and is refused: nothing is different"
                );
                self.bad_file = false;
                self.refuse(problems);
            }
        }
        self.service().ready();
        outcome.map_err(|error| ReloadRefused::Wrong(error.to_string()))
    }

    async fn try_reload(&mut self) -> Result<Reloaded, ReloadError> {
        let source = self.base.source.clone().ok_or(ReloadError::NoSource)?;
        let env = source.env;
        // a file may lie on a disk that keeps one waiting
        let read = tokio::task::spawn_blocking(move || {
            let loaded = (source.read)()?;
            let url = loaded.config.store.as_ref().and_then(|store| store.address(&env).ok());
            Ok::<_, LoadError>((loaded, url))
        });
        let (Loaded { config, warnings, .. }, store_url) = read.await.map_err(|_| ReloadError::Defect)??;
        if config.web.control_socket != self.base.control_socket {
            return Err(ReloadError::ControlSocket);
        }
        let [now, before] = [&store_url, &self.base.store_url].map(|url| url.as_ref().map(Secret::expose));
        if now != before {
            return Err(ReloadError::Store);
        }
        let draft = self.draft(Arc::new(config), env).await?;
        let (accounts, channels) = (draft.accounts.len(), draft.told.channels.len());
        self.replace(draft).await;
        self.bad_file = false;
        let warnings = if warnings.is_empty() { String::new() } else { warnings.to_string() };
        if !warnings.is_empty() {
            tracing::warn!(warnings, "what was read can be used, and is not as good as it could be");
        }
        Ok(Reloaded { accounts, channels, warnings })
    }

    /// Makes it beside the runtime, which goes on while a disk keeps one waiting.
    async fn draft(
        &self,
        config: Arc<Config>,
        env: fn(&str) -> Option<String>,
    ) -> Result<Draft, ReloadError> {
        let (known, clock, explainer) = (self.known.clone(), self.base.clock.clone(), self.base.explainer);
        let held = self.held();
        let made = tokio::task::spawn_blocking(move || {
            let http = |poll: &PollPolicy| known.http.with_limits(poll.timeout, poll.concurrency);
            let passed = known.listen.is_none();
            let before = Some(&known);
            let means = Means { clock: &clock, before, passed, held: &held, explainer, env: &env };
            Draft::make(config, http, &means)
        });
        Ok(made.await.map_err(|_| ReloadError::Defect)??)
    }

    /// A file that a channel or the sign of life is made of has changed: they are made anew, by the configuration that
    /// is used, or stay what they are.
    async fn use_files_again(&mut self) {
        let Some(env) = self.base.source.as_ref().map(|source| source.env) else { return };
        match self.draft(Arc::clone(&self.known.config), env).await {
            Ok(draft) => {
                self.replace(draft).await;
                tracing::info!(
                    "a file that channels are made of has changed; what it says now is used from here on"
                );
                self.mend();
            }
            Err(error) => {
                let problems = error.to_string();
                tracing::error!(
                    problems,
                    "a file that channels are made of has changed and cannot be used: nothing is different"
                );
                // what is wrong with the configuration itself is the greater trouble, and stays to be read
                if self.bad_file || self.base.reading.borrow().refused.is_none() {
                    self.bad_file = true;
                    self.refuse(format!(
                        "a file that channels are made of has changed and cannot be used: {problems}"
                    ));
                }
            }
        }
    }

    fn refuse(&self, problems: String) {
        let refused = Some((self.base.clock.now(), problems.into()));
        self.base.metrics.config_refused();
        self.base.reading.send_modify(|reading| {
            *reading = Arc::new(Reading { refused, ..(**reading).clone() });
        });
    }

    /// What was wrong with a file is not any more. That says nothing of a configuration that was refused.
    fn mend(&mut self) {
        if std::mem::take(&mut self.bad_file) {
            self.base.metrics.config_mended();
            self.base.reading.send_modify(|reading| {
                *reading = Arc::new(Reading { refused: None, ..(**reading).clone() });
            });
        }
    }

    /// Nothing in here can fail any more. What may wait for the store for long comes first, while everything else is told
    /// as before.
    async fn replace(&mut self, draft: Draft) {
        let is_another = !Arc::ptr_eq(&self.known.config, &draft.known.config);
        if is_another {
            self.changes.apply(draft.accounts.clone(), draft.poll.clone()).await;
        }
        let before = self.end_renewals().await;
        self.end_delivery().await;
        if is_another {
            let now = self.base.clock.now();
            self.base.metrics.config_accepted(draft.poll.clone(), now);
            self.base.reading.send_replace(Arc::new(Reading { used_since: now, refused: None }));
        }
        let has_messages = draft.told.is_nothing() && self.has_messages().await;
        self.use_draft(draft, before, has_messages);
    }

    /// What the renewal loop leaves to the next one.
    async fn end_renewals(&mut self) -> Option<Renewals> {
        let Part { stop, mut done, .. } = self.renewals.take()?;
        stop.request();
        let handed_over = if let Ok(handed_over) = tokio::time::timeout(ROUND, &mut done).await {
            handed_over
        } else {
            tracing::warn!(
                "what was read again is used as soon as the renewal loop has its answer from the store"
            );
            done.await
        };
        handed_over.ok().flatten()
    }

    async fn end_delivery(&mut self) {
        let Some(Part { stop, done, task }) = self.delivery.take() else { return };
        stop.request();
        if tokio::time::timeout(LAST_MESSAGE, done).await.is_err() {
            tracing::warn!("a message was under way for too long; it is sent again");
            task.abort();
        }
    }

    async fn has_messages(&self) -> bool {
        let store = self.base.store.as_ref().and_then(crate::store::Handle::store);
        keep::has_messages(store.as_deref()).await
    }
}
