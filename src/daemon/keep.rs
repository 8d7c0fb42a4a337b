//! Keeps what is known: follows the published snapshots and writes what changed to the store.
//!
//! It only reads the snapshots, so it can be slow, or fail, without anybody else noticing. A store that cannot be used
//! is told once, shown on the metrics page, and tried again with growing waits; meanwhile everything else goes on. It
//! ends when the poll loop has ended, after a last save, once nobody uses the store any more.
//!
//! It is also the one who opens and closes the store for everybody else: they have a [`Handle`], and report errors.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config;
use crate::domain::difference::Difference;
use crate::domain::identity::Scope;
use crate::domain::snapshot::Snapshot;
use crate::metrics::MetricsPage;
use crate::secret::Secret;
use crate::store::{self, Handle, Holder, Store, StoreError, Trouble};

/// At most so often something is written.
const SAVE_EVERY: Duration = Duration::from_secs(2);
/// A store that cannot be used is tried again after this, then after twice as long, and so on.
const RETRY: Duration = Duration::from_secs(2);
/// A store is not waited for longer when it closes.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
/// At the end, others get this long to be done with the store.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// Messages are not counted for longer at a start or a reload.
const COUNT_LIMIT: Duration = Duration::from_secs(2);
/// The longest wait between two tries.
const LONGEST_RETRY: Duration = Duration::from_mins(5);

type Opened = Result<(Arc<Store>, Arc<Snapshot>), StoreError>;

/// A store as it was found at the start of the daemon.
pub(super) struct Found {
    url: Secret,
    opened: Opened,
    has_messages: bool,
    holder: Holder,
    handle: Handle,
}

impl Found {
    /// Opens the store that is configured and reads it.
    pub(super) async fn at_start(
        store: &config::Store,
        env: &dyn Fn(&str) -> Option<String>,
        clock: &Clock,
    ) -> Self {
        let (url, opened) = match store.address(env) {
            Ok(url) => (url.clone(), open(&url, clock, false).await),
            Err(error) => {
                let trouble = Trouble::Address(error.to_string());
                (Secret::new(""), Err(StoreError { place: "`store.url`".into(), trouble }))
            }
        };
        let (holder, handle) = store::handle();
        let shown = opened.as_ref().ok().map(|(store, _)| Arc::clone(store));
        let has_messages = has_messages(shown.as_deref()).await;
        holder.show(shown);
        Self { url, opened, has_messages, holder, handle }
    }

    /// Whether messages wait in it, or were given up.
    pub(super) fn has_messages(&self) -> bool {
        self.has_messages
    }

    /// For those who use the store besides. It is closed when all handles are gone, or a little after the poll loop.
    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// What was known when it was last saved.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.opened.as_ref().map(|(_, snapshot)| (**snapshot).clone()).unwrap_or_default()
    }

    /// Follows these snapshots until the poll loop ends.
    pub(super) async fn keep(
        self,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        metrics: Arc<MetricsPage>,
        clock: Clock,
    ) {
        let Self { url, opened, holder, handle, .. } = self;
        drop(handle);
        Keeper { url, snapshots, metrics, clock, holder, failures: 0, worked: false, damaged: false }
            .run(opened)
            .await;
    }
}

struct Keeper {
    url: Secret,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    metrics: Arc<MetricsPage>,
    clock: Clock,
    holder: Holder,
    /// Tries in a row that failed.
    failures: u32,
    /// It could be used at some time.
    worked: bool,
    /// The last error said that it is damaged.
    damaged: bool,
}

impl Keeper {
    async fn run(mut self, mut opened: Opened) {
        loop {
            let last_try = self.has_ended();
            let error = match opened {
                Ok((store, saved)) => match self.use_up(&store, saved).await {
                    Ok(()) => return,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.tell(&error);
            if last_try {
                return;
            }
            self.pause().await;
            opened = open(&self.url, &self.clock, self.damaged).await;
            if let Ok((_, saved)) = &mut opened {
                spare_unseen(Arc::make_mut(saved), &self.snapshots.borrow());
            }
        }
    }

    /// Lets everybody use the store until the end, or until somebody got an error from it.
    async fn use_up(&mut self, store: &Arc<Store>, saved: Arc<Snapshot>) -> Result<(), StoreError> {
        self.holder.show(Some(Arc::clone(store)));
        let followed = self.follow(store, saved).await;
        if followed.is_ok() {
            // What is on its way is settled in the store: those who send get their time.
            let _ = tokio::time::timeout(LEAVE_LIMIT, self.holder.unused()).await;
        }
        self.holder.show(None);
        close(store).await;
        followed
    }

    /// Saves until the poll loop ends. After an error nobody knows what the store holds: it has to be read anew.
    async fn follow(&mut self, store: &Store, mut saved: Arc<Snapshot>) -> Result<(), StoreError> {
        if self.failures == 0 {
            self.metrics.show_store(true);
            self.worked = true;
        }
        // After trouble it has to do well for as long as it was waited for, lest one that always opens and never works
        // is told as good and bad in turns.
        let proven = Instant::now() + self.wait();
        loop {
            let began = Instant::now();
            let current = Arc::clone(&self.snapshots.borrow_and_update());
            let change = Difference::between(&saved, &current);
            if !change.is_empty() {
                store.save(&change, self.clock.wall_of(Duration::ZERO)).await?;
                let (chunks, took) = (change.chunks.len(), began.elapsed().as_millis());
                tracing::debug!(store = store.place(), chunks, took, "saved");
            }
            saved = current;
            let next = next(&mut self.snapshots, began + SAVE_EVERY);
            tokio::select! {
                more = next => if !more {
                    return Ok(());
                },
                error = self.holder.broken() => return Err(error),
                () = tokio::time::sleep_until(proven), if self.failures > 0 => self.tell_success(store),
            }
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(self.wait()) => {}
            () = ended(self.snapshots.clone()) => {}
        }
    }

    fn wait(&self) -> Duration {
        RETRY.saturating_mul(1 << self.failures.saturating_sub(1).min(10)).min(LONGEST_RETRY)
    }

    fn has_ended(&self) -> bool {
        self.snapshots.has_changed().is_err()
    }

    fn tell(&mut self, error: &StoreError) {
        self.failures = self.failures.saturating_add(1);
        self.damaged = matches!(error.trouble, Trouble::Damaged(_));
        self.metrics.show_store(false);
        let (store, error) = (&*error.place, error.to_string());
        match (self.failures, self.worked) {
            (1, false) => tracing::error!(
                store,
                error,
                "what is known is not kept over a restart; everything else goes on"
            ),
            (1, true) => tracing::warn!(
                store,
                error,
                "what is known is not kept at the moment; everything else goes on"
            ),
            (tries, _) => tracing::debug!(store, error, tries, "the store still cannot be used"),
        }
    }

    fn tell_success(&mut self, store: &Store) {
        self.metrics.show_store(true);
        (self.worked, self.failures) = (true, 0);
        tracing::info!(store = store.place(), "what is known is kept over a restart again");
    }
}

/// Waits for something new, and until `earliest` unless the poll loop ends before. `false`: nothing will come.
async fn next(snapshots: &mut watch::Receiver<Arc<Snapshot>>, earliest: Instant) -> bool {
    if snapshots.changed().await.is_err() {
        return false;
    }
    tokio::select! {
        () = tokio::time::sleep_until(earliest) => {}
        () = ended(snapshots.clone()) => {}
    }
    true
}

/// Whether messages wait in a store, or were given up. One that does not say is taken for empty: whoever has no channel
/// configured waits for nothing.
pub(super) async fn has_messages(store: Option<&Store>) -> bool {
    let Some(store) = store else { return false };
    let counts = tokio::time::timeout(COUNT_LIMIT, store.counts()).await;
    matches!(counts, Ok(Ok(counts)) if !counts.is_empty())
}

async fn open(url: &Secret, clock: &Clock, damaged: bool) -> Opened {
    let opened =
        if damaged { Store::open_damaged(url.expose()).await } else { Store::open(url.expose()).await };
    let store = opened?;
    let loaded = store.load(clock.wall_of(Duration::ZERO)).await?;
    if let Some((rows, first)) = loaded.odd {
        let store = store.place();
        tracing::warn!(store, rows, first, "some rows are not of this program and were erased");
    }
    Ok((Arc::new(store), Arc::new(loaded.snapshot)))
}

/// A database that hangs is left to itself.
async fn close(store: &Store) {
    if tokio::time::timeout(CLOSE_LIMIT, store.close()).await.is_err() {
        tracing::warn!("the store did not close in time");
    }
}

/// Waits for the end of the poll loop.
async fn ended(mut snapshots: watch::Receiver<Arc<Snapshot>>) {
    while snapshots.changed().await.is_ok() {}
}

/// Of a store that was opened late, nothing is erased that this daemon cannot know of: scopes that it has not listed
/// yet, and all of a service while its regions are not known.
fn spare_unseen(saved: &mut Snapshot, current: &Snapshot) {
    let placeholder = |scope: &Scope| Scope { project: "".into(), region: "".into(), ..scope.clone() };
    saved.scopes.retain(|scope, _| match current.scopes.get(scope) {
        Some(view) => view.listed_at.is_some(),
        None => !current.scopes.contains_key(&placeholder(scope)),
    });
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::snapshot::ScopeView;
    use crate::domain::testing::{moment, resource, scope};

    #[test]
    fn a_store_that_was_opened_late_loses_nothing_that_was_not_looked_for_yet() {
        let known = || {
            let mut view = ScopeView::default().with_resources([resource("r-1")]);
            view.listed_at = Some(moment());
            Arc::new(view)
        };
        let mut listed = ScopeView::default();
        listed.listed_at = Some(moment() + TimeDelta::days(1));
        let blind = Scope { region: "eu-central-1".into(), ..scope("redis") };
        let removed = Scope { account: "removed".into(), ..scope("redis") };
        let waiting = Scope { region: "".into(), ..scope("mongodb") };
        let mut saved = Snapshot::default();
        for scope in [scope("redis"), blind.clone(), removed.clone(), scope("mongodb")] {
            saved.scopes.insert(Arc::new(scope), known());
        }
        let mut current = Snapshot::of_scopes([Arc::new(blind), Arc::new(waiting)]);
        current.scopes.insert(Arc::new(scope("redis")), Arc::new(listed));
        spare_unseen(&mut saved, &current);
        let change = Difference::between(&saved, &current);
        assert_eq!(change.gone_scopes, [&removed], "the others may still be there");
        assert_eq!(change.gone_chunks, [(&scope("redis"), "r-1")], "a complete listing did not have it");
    }
}
