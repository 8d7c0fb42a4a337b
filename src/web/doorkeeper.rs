//! Who may come in when the house is full.
//!
//! There are so many places and no more, so that visitors can never use up the files that polling needs. When all are
//! taken, somebody who is waited for has to leave: first one who has not said what he wants, or wants nothing more at the
//! moment; then one who does not take his answer. Of these the peer with the most places loses one, and of its places
//! the one that was waited for longest. So a crowd that says nothing, or dribbles, only pushes itself out, and a scraper
//! that asks at once is answered at once. Whoever is being answered stays.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::peer::Peer;

/// Gives out places.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    places: Arc<Semaphore>,
    line: Mutex<Line>,
}

/// What somebody with a place is waited for. The first kind leaves first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Awaited {
    /// A whole request, or the handshake before it.
    Request,
    /// That something of the answer is taken.
    Reading,
}

type Place = (Awaited, u64);

/// Those who may have to leave, by what they are waited for and since when.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: BTreeMap<Place, (Peer, CancellationToken)>,
    counts: HashMap<(Awaited, Peer), usize>,
    /// So many stand before the door.
    before_the_door: usize,
    /// For so many of them somebody was asked to leave.
    sent_away: usize,
}

/// Somebody before the door. Dropping it is going in, or going home.
struct Standing<'d>(&'d Doorkeeper);

/// Somebody who has a place. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Visit {
    door: Arc<Doorkeeper>,
    peer: Peer,
    in_line: Mutex<Option<Place>>,
    /// The answer is made; what of it is not sent yet is on its way.
    answered: AtomicBool,
    asked_to_leave: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Doorkeeper {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places: Arc::new(Semaphore::new(places.max(1))), line: Mutex::default() })
    }

    /// A place for the next visitor; somebody who is waited for leaves for it if need be.
    pub(super) async fn place(self: &Arc<Self>, peer: Peer) -> Arc<Visit> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.wait_for_place().await,
        };
        let (door, asked_to_leave) = (Arc::clone(self), CancellationToken::new());
        let (in_line, answered) = (Mutex::default(), AtomicBool::new(false));
        let visit = Visit { door, peer, in_line, answered, asked_to_leave, _place: place };
        visit.is_waited_for(Awaited::Request);
        Arc::new(visit)
    }

    async fn wait_for_place(&self) -> OwnedSemaphorePermit {
        let _standing = Standing::new(self);
        let places = Arc::clone(&self.places);
        places.acquire_owned().await.expect("the semaphore is never closed")
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'d> Standing<'d> {
    fn new(door: &'d Doorkeeper) -> Self {
        let mut line = door.line();
        line.before_the_door += 1;
        if line.sent_away < line.before_the_door
            && let Some(token) = line.first_to_go().and_then(|place| line.leave(place))
        {
            line.sent_away += 1;
            token.cancel();
        }
        Self(door)
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.before_the_door -= 1;
        line.sent_away = line.sent_away.saturating_sub(1);
    }
}

impl Line {
    fn enter(&mut self, awaited: Awaited, peer: Peer, leave: CancellationToken) -> Place {
        let place = (awaited, self.next);
        self.next += 1;
        self.waiting.insert(place, (peer, leave));
        *self.counts.entry((awaited, peer)).or_default() += 1;
        place
    }

    fn leave(&mut self, place: Place) -> Option<CancellationToken> {
        let (peer, token) = self.waiting.remove(&place)?;
        let key = (place.0, peer);
        let count = self.counts.get_mut(&key)?;
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&key);
        }
        Some(token)
    }

    fn first_to_go(&self) -> Option<Place> {
        let (first, _) = self.waiting.keys().next()?;
        let of_kind = |(awaited, _): &(Awaited, Peer)| awaited == first;
        let most = self.counts.iter().filter(|(key, _)| of_kind(key)).map(|(_, count)| *count).max()?;
        let mut waiting = self.waiting.range((*first, 0)..=(*first, u64::MAX));
        waiting
            .find(|(_, (peer, _))| self.counts.get(&(*first, *peer)) == Some(&most))
            .map(|(place, _)| *place)
    }
}

impl Visit {
    /// Who it is.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// It is the visitor's turn to do something.
    pub(super) fn is_waited_for(&self, awaited: Awaited) {
        let mut in_line = self.in_line();
        let mut line = self.door.line();
        if let Some(place) = in_line.take() {
            line.leave(place);
        }
        if line.sent_away < line.before_the_door {
            line.sent_away += 1;
            self.asked_to_leave.cancel();
        } else {
            *in_line = Some(line.enter(awaited, self.peer, self.asked_to_leave.clone()));
        }
    }

    /// It is our turn: this visitor stays.
    pub(super) fn is_served(&self) {
        if let Some(place) = self.in_line().take() {
            self.door.line().leave(place);
        }
    }

    /// The next request has come, perhaps without its body yet.
    pub(super) fn asks(&self) {
        self.answered.store(false, Ordering::Relaxed);
    }

    /// The whole answer was handed over to be sent.
    pub(super) fn is_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Nothing can be sent, because the visitor does not read.
    pub(super) fn does_not_read(&self) {
        self.is_waited_for(Awaited::Reading);
    }

    /// Something could be sent again.
    pub(super) fn reads(&self) {
        self.is_served();
    }

    /// Everything there was is sent. With the end of an answer among it, the next request is waited for.
    pub(super) fn has_all(&self) {
        if self.answered.swap(false, Ordering::Relaxed) {
            self.is_waited_for(Awaited::Request);
        }
    }

    /// Becomes cancelled when the visitor has to leave.
    pub(super) fn asked_to_leave(&self) -> CancellationToken {
        self.asked_to_leave.clone()
    }

    fn in_line(&self) -> MutexGuard<'_, Option<Place>> {
        self.in_line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.is_served();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn peer(number: u8) -> Peer {
        Peer::of([192, 0, 2, number].into())
    }

    /// Leaves when asked to.
    fn polite(visit: Arc<Visit>) -> CancellationToken {
        let leave = visit.asked_to_leave();
        let asked = leave.clone();
        tokio::spawn(async move {
            asked.cancelled().await;
            drop(visit);
        });
        leave
    }

    async fn enter(door: &Arc<Doorkeeper>, number: u8) -> Arc<Visit> {
        timeout(Duration::from_mins(1), door.place(peer(number))).await.expect("a place")
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_who_was_waited_for_longest_makes_room() {
        let door = Doorkeeper::new(3);
        let speaking = enter(&door, 1).await;
        speaking.is_served();
        let (first, second) = (polite(enter(&door, 1).await), polite(enter(&door, 1).await));
        let _third = enter(&door, 1).await;
        assert!(first.is_cancelled() && !second.is_cancelled());
        assert!(!speaking.asked_to_leave().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn the_peer_with_most_places_loses_one() {
        let door = Doorkeeper::new(4);
        let alone = polite(enter(&door, 1).await);
        let (first, second) = (polite(enter(&door, 2).await), polite(enter(&door, 2).await));
        let other = polite(enter(&door, 3).await);
        let _next = enter(&door, 4).await;
        assert_eq!(
            [&alone, &first, &second, &other].map(CancellationToken::is_cancelled),
            [false, true, false, false]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_leaves_after_those_who_do_not_ask() {
        let door = Doorkeeper::new(2);
        let reading = enter(&door, 1).await;
        reading.does_not_read();
        let reading = polite(reading);
        let silent = polite(enter(&door, 1).await);
        let next = enter(&door, 1).await;
        assert!(silent.is_cancelled() && !reading.is_cancelled());
        next.is_served();
        let _last = enter(&door, 1).await;
        assert!(reading.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_an_answer_is_waited_for_once_all_of_it_is_sent() {
        let door = Doorkeeper::new(1);
        let visit = enter(&door, 1).await;
        visit.asks();
        visit.is_served();
        visit.has_all();
        visit.is_answered();
        assert!(timeout(Duration::from_mins(1), door.place(peer(2))).await.is_err(), "still being answered");
        visit.has_all();
        let first = polite(visit);
        assert!(!first.is_cancelled(), "who stood before the door has gone home");
        let _second = enter(&door, 2).await;
        assert!(first.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn while_everybody_is_being_answered_the_next_one_waits_for_the_first_who_is_done() {
        let door = Doorkeeper::new(2);
        let (busy, done) = (enter(&door, 1).await, enter(&door, 1).await);
        busy.is_served();
        done.is_served();
        let waiting = tokio::spawn({
            let door = Arc::clone(&door);
            async move { door.place(peer(2)).await }
        });
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!waiting.is_finished());
        done.is_answered();
        done.has_all();
        assert!(done.asked_to_leave().is_cancelled() && !busy.asked_to_leave().is_cancelled());
        drop(done);
        let third = timeout(Duration::from_mins(1), waiting).await.expect("in time").expect("a place");
        assert!(!third.asked_to_leave().is_cancelled(), "nobody stands before the door any more");
        drop((busy, third));
        let line = door.line();
        assert!(
            line.waiting.is_empty()
                && line.counts.is_empty()
                && (line.before_the_door, line.sent_away) == (0, 0)
        );
    }
}
