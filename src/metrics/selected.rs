//! Parts of the page for who asks for them, within limits: whatever is asked for, the page itself is made beside it, and
//! what is kept and what is being read stays below a size.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use tokio::task;

use super::gzip::GzipPage;
use super::page::{Current, MetricsPage, RenderingFailed, lock};
use super::renderer::Renderer;
use super::selection::Selection;
use crate::domain::snapshot::Snapshot;

/// The most pages that are kept for who asks again.
const KEPT: usize = 32;
/// So many bytes all pages may have that are kept or being read, before another one is made.
const MOST: u64 = 192 * 1024 * 1024;
/// So many readers wait for their page to be made; who comes then is sent away.
const WAITING: usize = 64;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// A defect of ours.
    #[error(transparent)]
    Failed(#[from] RenderingFailed),
    /// Others have to be done first.
    #[error(
        "too many different parts of the metrics page are being made or read at the moment: try again in a while"
    )]
    TooMany,
}

/// What is kept of parts of the page.
#[derive(Debug)]
pub(super) struct Selected {
    /// One of its own: a part never holds up the page.
    renderer: Arc<tokio::sync::Mutex<Renderer>>,
    waiting: Arc<Semaphore>,
    kept: Mutex<Kept>,
    /// See [`MOST`].
    most: u64,
}

impl Default for Selected {
    fn default() -> Self {
        Self::with_most(MOST)
    }
}

impl Selected {
    pub(super) fn with_most(most: u64) -> Self {
        let waiting = Arc::new(Semaphore::new(WAITING));
        Self { renderer: Arc::default(), waiting, kept: Mutex::default(), most }
    }
}

#[derive(Default)]
struct Kept {
    /// The youngest last.
    pages: VecDeque<(Selection, Current)>,
    /// Pages that somebody may be reading, with their sizes.
    alive: Vec<(Weak<[Bytes]>, u64)>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("pages", &self.pages.len()).finish_non_exhaustive()
    }
}

impl Kept {
    fn of(&self, selection: &Selection) -> Option<&Current> {
        self.pages.iter().find(|(kept, _)| kept.is_same(selection)).map(|(_, current)| current)
    }

    fn put(&mut self, selection: Selection, current: Current) {
        self.alive.push((current.page().weak(), current.page().len()));
        self.pages.retain(|(kept, current)| !kept.is_same(&selection) && current.is_of_use());
        self.pages.push_back((selection, current));
        if self.pages.len() > KEPT {
            self.pages.pop_front();
        }
    }

    fn bytes(&mut self) -> u64 {
        self.alive.retain(|(pieces, _)| pieces.strong_count() > 0);
        self.alive.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Whether there is room for another page; what is kept and not being read makes place.
    fn has_room(&mut self, most: u64) -> bool {
        if self.bytes() > most {
            self.pages.clear();
        }
        self.bytes() <= most
    }
}

impl MetricsPage {
    /// The gzip form of a part, at most a second behind `snapshot`.
    ///
    /// # Errors
    /// Too many others are being made or read.
    pub async fn selected(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        selection: Selection,
        now: DateTime<Utc>,
    ) -> Result<GzipPage, NotMade> {
        let waits = Arc::clone(&self.selected.waiting).try_acquire_owned().map_err(|_| NotMade::TooMany)?;
        if let Some(page) = self.young_part(&selection) {
            return Ok(page);
        }
        let mut renderer = Arc::clone(&self.selected.renderer).lock_owned().await;
        if let Some(page) = self.young_part(&selection) {
            return Ok(page);
        }
        if !lock(&self.selected.kept).has_room(self.selected.most) {
            return Err(NotMade::TooMany);
        }
        let (this, snapshot) = (Arc::clone(self), Arc::clone(snapshot));
        let made = task::spawn_blocking(move || {
            let page = this.make_part(&mut renderer, &snapshot, selection, now);
            drop(waits);
            page
        });
        Ok(made.await.map_err(RenderingFailed::from)?)
    }

    fn young_part(&self, selection: &Selection) -> Option<GzipPage> {
        let edition = self.edition();
        let kept = lock(&self.selected.kept);
        kept.of(selection).filter(|current| current.is_young(edition)).map(|current| current.page().clone())
    }

    fn make_part(
        &self,
        renderer: &mut Renderer,
        snapshot: &Arc<Snapshot>,
        selection: Selection,
        now: DateTime<Utc>,
    ) -> GzipPage {
        self.count_rendering();
        let (around, edition) = self.around();
        let kept = lock(&self.selected.kept)
            .of(&selection)
            .and_then(|current| current.head_of(snapshot, &around.policy));
        let (head, head_made_at) = kept.unwrap_or_else(|| {
            let made_at = tokio::time::Instant::now();
            (renderer.selected_head(snapshot, &selection, &around.policy, now), made_at)
        });
        let page = renderer.selected_with_tail(head.clone(), snapshot, &selection, &around);
        let current = Current::new(page.clone(), edition, (head, head_made_at), snapshot, around.policy);
        lock(&self.selected.kept).put(selection, current);
        page
    }
}
