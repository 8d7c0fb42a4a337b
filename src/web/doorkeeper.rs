//! Who may come in when the house is full.
//!
//! There are so many places and no more, so that visitors can never use up the files that polling needs. When all are
//! taken, the visitor who has been here longest without a single whole request has to leave: a crowd that says
//! nothing only pushes itself out, and a scraper that asks at once is answered at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Gives out places.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    places: Arc<Semaphore>,
    silent: Mutex<Silent>,
}

/// Visitors that have not said anything yet, in the order in which they came.
#[derive(Debug, Default)]
struct Silent {
    next: u64,
    visitors: BTreeMap<u64, CancellationToken>,
}

/// Somebody who has a place. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Visit {
    door: Arc<Doorkeeper>,
    number: u64,
    asked_to_leave: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Doorkeeper {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places: Arc::new(Semaphore::new(places.max(1))), silent: Mutex::default() })
    }

    /// A place for the next visitor; somebody silent leaves for it if need be.
    pub(super) async fn place(self: &Arc<Self>) -> Visit {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.wait_for_place().await,
        };
        let asked_to_leave = CancellationToken::new();
        let mut silent = self.silent();
        let number = silent.next;
        silent.next += 1;
        silent.visitors.insert(number, asked_to_leave.clone());
        drop(silent);
        Visit { door: Arc::clone(self), number, asked_to_leave, _place: place }
    }

    async fn wait_for_place(&self) -> OwnedSemaphorePermit {
        if let Some((_, visitor)) = self.silent().visitors.pop_first() {
            visitor.cancel();
        }
        let places = Arc::clone(&self.places);
        places.acquire_owned().await.expect("the semaphore is never closed")
    }

    fn silent(&self) -> MutexGuard<'_, Silent> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    /// A whole request has come: this visitor stays until it is answered.
    pub(super) fn speaks(&self) {
        self.door.silent().visitors.remove(&self.number);
    }

    /// Becomes cancelled when the visitor has to leave.
    pub(super) fn asked_to_leave(&self) -> CancellationToken {
        self.asked_to_leave.clone()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.speaks();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_visitor_makes_room() {
        let door = Doorkeeper::new(3);
        let speaking = door.place().await;
        speaking.speaks();
        let (first, second) = (door.place().await, door.place().await);
        let (first_leaves, second_leaves) = (first.asked_to_leave(), second.asked_to_leave());
        let leaving = tokio::spawn(async move {
            first_leaves.cancelled().await;
            drop(first);
        });
        let _third = door.place().await;
        leaving.await.expect("left");
        assert!(!second_leaves.is_cancelled() && !speaking.asked_to_leave().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn while_everybody_is_being_answered_the_next_one_waits() {
        let door = Doorkeeper::new(1);
        let busy = door.place().await;
        busy.speaks();
        assert!(timeout(Duration::from_mins(1), door.place()).await.is_err());
        assert!(!busy.asked_to_leave().is_cancelled());
        drop(busy);
        assert!(timeout(Duration::from_mins(1), door.place()).await.is_ok());
    }
}
