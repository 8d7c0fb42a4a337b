//! One metrics page for all readers.
//!
//! Readers of the gzip form share one rendering: whoever comes first causes it, the others wait for it, and within a
//! second all get the same page. It runs on a thread for blocking work, so that it never holds up a poll.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task;
use tokio::time::Instant;

use super::gzip::{GzipPage, Head};
use super::plain::PlainPage;
use super::process::ConfigStatus;
use super::renderer::Renderer;
use super::selected::Selected;
use super::{ChannelNumbers, RateLimit, RenewalNumbers, Surroundings};
use crate::domain::policy::PollPolicy;
use crate::domain::renewal::board::Board;
use crate::domain::snapshot::Snapshot;
use crate::telemetry::Telemetry;

/// A page is not made anew before it is this old, however much changes.
const YOUNG: Duration = Duration::from_secs(1);
/// A page is made anew after this time even if nothing changed: what is stale depends on the time alone.
const OLD: Duration = Duration::from_secs(30);

/// The page that all readers share.
#[derive(Debug)]
pub struct MetricsPage {
    around: Mutex<Around>,
    current: Mutex<Option<Current>>,
    /// Whoever holds it makes the next page.
    renderer: Arc<tokio::sync::Mutex<Renderer>>,
    renderings: AtomicU64,
    /// Parts of it.
    pub(super) selected: Selected,
}

/// A page could not be made: a defect of ours, told in the log.
#[derive(Debug, thiserror::Error)]
#[error("cannot render the metrics page")]
pub struct RenderingFailed(#[from] task::JoinError);

#[derive(Debug)]
struct Around {
    values: Surroundings,
    /// Grows with what a reader wants to see at once.
    edition: u64,
}

/// A page that was made, and of what.
#[derive(Debug)]
pub(super) struct Current {
    page: GzipPage,
    made_at: Instant,
    edition: u64,
    head: Head,
    head_made_at: Instant,
    /// What `head` shows. Holds the address, not the content.
    snapshot: Weak<Snapshot>,
    policy: Arc<PollPolicy>,
}

impl Current {
    /// Of a page that was made just now, with its part from the snapshot and when that was made.
    pub(super) fn new(
        page: GzipPage,
        edition: u64,
        (head, head_made_at): (Head, Instant),
        snapshot: &Arc<Snapshot>,
        policy: Arc<PollPolicy>,
    ) -> Self {
        let (made_at, snapshot) = (Instant::now(), Arc::downgrade(snapshot));
        Self { page, made_at, edition, head, head_made_at, snapshot, policy }
    }

    /// The page.
    pub(super) fn page(&self) -> &GzipPage {
        &self.page
    }

    /// Whether it is handed out as it is.
    pub(super) fn is_young(&self, edition: u64) -> bool {
        self.edition == edition && self.made_at.elapsed() < YOUNG
    }

    /// Whether anything of it may still be handed out.
    pub(super) fn is_of_use(&self) -> bool {
        self.head_made_at.elapsed() < OLD
    }

    /// The part that comes from the snapshot and when it was made, where it is still right.
    pub(super) fn head_of(
        &self,
        snapshot: &Arc<Snapshot>,
        policy: &Arc<PollPolicy>,
    ) -> Option<(Head, Instant)> {
        let same = std::ptr::eq(self.snapshot.as_ptr(), Arc::as_ptr(snapshot))
            && Arc::ptr_eq(&self.policy, policy)
            && self.is_of_use();
        same.then(|| (self.head.clone(), self.head_made_at))
    }
}

impl MetricsPage {
    /// A page for a process that was started then.
    pub fn new(telemetry: Arc<Telemetry>, policy: PollPolicy, started_at: DateTime<Utc>) -> Self {
        let values = Surroundings {
            telemetry,
            policy: Arc::new(policy),
            rate_limits: Arc::default(),
            config: ConfigStatus::default(),
            store_up: None,
            channels: Arc::default(),
            renewals: Arc::default(),
            started_at,
        };
        Self {
            around: Mutex::new(Around { values, edition: 0 }),
            current: Mutex::default(),
            renderer: Arc::default(),
            renderings: AtomicU64::new(0),
            selected: Selected::default(),
        }
    }

    /// The configuration was read and is used from now on.
    pub fn config_accepted(&self, policy: PollPolicy, at: DateTime<Utc>) {
        self.edit(|values| {
            values.policy = Arc::new(policy);
            values.config = ConfigStatus { successful: Some(true), read_at: Some(at) };
        });
    }

    /// The configuration was read and could not be used; the one before stays.
    pub fn config_refused(&self) {
        self.edit(|values| values.config.successful = Some(false));
    }

    /// What was refused can be used now, and it is the configuration from before.
    pub fn config_mended(&self) {
        self.edit(|values| values.config.successful = Some(true));
    }

    /// What is known is kept over a restart, or is not.
    pub fn show_store(&self, up: bool) {
        if lock(&self.around).values.store_up != Some(up) {
            self.edit(|values| values.store_up = Some(up));
        }
    }

    /// Shows these rate limits from the next page on. Of two with the same labels the lower one is shown.
    pub fn show_rate_limits(&self, mut limits: Vec<RateLimit>) {
        fn key(limit: &RateLimit) -> [&str; 4] {
            [&limit.provider, &limit.account, &limit.region, &limit.action]
        }
        limits.sort_by(|a, b| key(a).cmp(&key(b)).then(a.per_second.total_cmp(&b.per_second)));
        limits.dedup_by(|later, kept| key(later) == key(kept));
        let mut around = lock(&self.around);
        // The same ones again would cost a rendering.
        if *around.values.rate_limits != *limits {
            around.values.rate_limits = limits.into();
        }
    }

    /// Shows these numbers of the channels from the next page on.
    pub fn show_channels(&self, channels: Vec<ChannelNumbers>) {
        if *lock(&self.around).values.channels != *channels {
            self.edit(|values| values.channels = channels.into());
        }
    }

    /// Shows what this plan and its attempts say from the next page on.
    pub fn show_renewals(&self, board: &Board) {
        let numbers = RenewalNumbers::of(board);
        if *lock(&self.around).values.renewals != numbers {
            self.edit(|values| values.renewals = Arc::new(numbers));
        }
    }

    /// The gzip form, at most a second behind `snapshot`.
    pub async fn gzip(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        now: DateTime<Utc>,
    ) -> Result<GzipPage, RenderingFailed> {
        if let Some(page) = self.young_page() {
            return Ok(page);
        }
        // The guard goes along with the rendering: it is still the only one when its reader has gone away.
        let mut renderer = Arc::clone(&self.renderer).lock_owned().await;
        if let Some(page) = self.young_page() {
            return Ok(page);
        }
        let (this, snapshot) = (Arc::clone(self), Arc::clone(snapshot));
        Ok(task::spawn_blocking(move || this.make(&mut renderer, &snapshot, now)).await?)
    }

    /// The plain form, which is made while it is read. Only the counters come in one piece, made beforehand.
    pub async fn plain(
        &self,
        snapshot: Arc<Snapshot>,
        now: DateTime<Utc>,
    ) -> Result<PlainPage, RenderingFailed> {
        let around = lock(&self.around).values.clone();
        let telemetry = Arc::clone(&around.telemetry);
        let counted = task::spawn_blocking(move || telemetry.text()).await?;
        Ok(PlainPage::new(snapshot, around, counted, now))
    }

    /// How many times a gzip page was made.
    pub fn renderings(&self) -> u64 {
        self.renderings.load(Ordering::Relaxed)
    }

    fn edit(&self, edit: impl FnOnce(&mut Surroundings)) {
        let mut around = lock(&self.around);
        edit(&mut around.values);
        around.edition += 1;
    }

    /// What stands beside the snapshot, and its edition.
    pub(super) fn around(&self) -> (Surroundings, u64) {
        let around = lock(&self.around);
        (around.values.clone(), around.edition)
    }

    pub(super) fn edition(&self) -> u64 {
        lock(&self.around).edition
    }

    pub(super) fn count_rendering(&self) {
        self.renderings.fetch_add(1, Ordering::Relaxed);
    }

    fn young_page(&self) -> Option<GzipPage> {
        let edition = self.edition();
        let current = lock(&self.current);
        current.as_ref().filter(|current| current.is_young(edition)).map(|current| current.page.clone())
    }

    fn make(&self, renderer: &mut Renderer, snapshot: &Arc<Snapshot>, now: DateTime<Utc>) -> GzipPage {
        self.count_rendering();
        let (around, edition) = self.around();
        let kept = lock(&self.current).as_ref().and_then(|current| current.head_of(snapshot, &around.policy));
        let (head, head_made_at) = kept.unwrap_or_else(|| {
            let made_at = Instant::now();
            (renderer.head(snapshot, &around.policy, now), made_at)
        });
        let page = renderer.with_tail(head.clone(), &around);
        let current = Current::new(page.clone(), edition, (head, head_made_at), snapshot, around.policy);
        *lock(&self.current) = Some(current);
        page
    }
}

/// What these locks protect is replaced whole, so a panic while one is held leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
