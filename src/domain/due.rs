//! The due list: what is to be looked at when, in lanes that cannot hold each other up.
//!
//! A lane is one kind of call in one scope. It has a limit of looks under way, so a lane whose cloud hangs or
//! throttles fills its own places and nobody else's. Times are points on the daemon's timeline (time since start).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

/// A lane of a [`DueList`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(usize);

impl LaneId {
    /// Lanes are numbered in the order in which they were added, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What is due when. `K` says what is to be looked at.
#[derive(Debug)]
pub struct DueList<K> {
    lanes: Vec<Lane<K>>,
    /// Lanes that have something to do and a place free, by the time of the first thing.
    ready: BTreeSet<(Duration, LaneId)>,
    sequence: u64,
}

#[derive(Debug)]
struct Lane<K> {
    heap: BinaryHeap<Reverse<Entry<K>>>,
    under_way: usize,
    places: usize,
    held: Hold,
    indexed: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    No,
    Until(Duration),
    Parked,
}

#[derive(Debug)]
struct Entry<K> {
    due: Duration,
    sequence: u64,
    key: K,
}

/// How far behind the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many things are due.
    pub due: usize,
    /// How late the latest of them is.
    pub lag: Duration,
}

impl<K> Default for DueList<K> {
    fn default() -> Self {
        Self { lanes: Vec::new(), ready: BTreeSet::new(), sequence: 0 }
    }
}

impl<K> DueList<K> {
    /// Adds a lane with this many places for looks under way.
    pub fn add_lane(&mut self, places: usize) -> LaneId {
        self.lanes.push(Lane {
            heap: BinaryHeap::new(),
            under_way: 0,
            places: places.max(1),
            held: Hold::No,
            indexed: None,
        });
        LaneId(self.lanes.len() - 1)
    }

    /// Plans a look.
    pub fn schedule(&mut self, lane: LaneId, due: Duration, key: K) {
        self.sequence += 1;
        let entry = Entry { due, sequence: self.sequence, key };
        self.lanes[lane.0].heap.push(Reverse(entry));
        self.index(lane);
    }

    /// Takes what has been due longest, if anything is due at `now`. The lane keeps a place for it until
    /// [`DueList::finish`].
    pub fn take(&mut self, now: Duration) -> Option<(LaneId, Duration, K)> {
        let &(at, lane) = self.ready.first()?;
        if at > now {
            return None;
        }
        let Reverse(entry) = self.lanes[lane.0].heap.pop()?;
        self.lanes[lane.0].held = Hold::No;
        self.lanes[lane.0].under_way += 1;
        self.index(lane);
        Some((lane, entry.due, entry.key))
    }

    /// A look of this lane is under way that was not taken here; it ends with [`DueList::finish`].
    pub fn occupy(&mut self, lane: LaneId) {
        self.lanes[lane.0].under_way += 1;
        self.index(lane);
    }

    /// A look that was taken has ended.
    pub fn finish(&mut self, lane: LaneId) {
        let state = &mut self.lanes[lane.0];
        state.under_way = state.under_way.saturating_sub(1);
        self.index(lane);
    }

    /// Gives back what was taken, untouched, and keeps its lane quiet until then.
    pub fn put_back(&mut self, lane: LaneId, due: Duration, key: K, until: Duration) {
        self.lanes[lane.0].held = Hold::Until(until);
        self.schedule(lane, due, key);
        self.finish(lane);
    }

    /// Gives back what was taken, untouched, and keeps its lane quiet until [`DueList::unpark`].
    pub fn park(&mut self, lane: LaneId, due: Duration, key: K) {
        self.lanes[lane.0].held = Hold::Parked;
        self.schedule(lane, due, key);
        self.finish(lane);
    }

    /// Lets a parked lane run again; one that is held until a time stays so.
    pub fn unpark(&mut self, lane: LaneId) {
        if self.lanes[lane.0].held == Hold::Parked {
            self.lanes[lane.0].held = Hold::No;
            self.index(lane);
        }
    }

    /// Changes how many looks of a lane may be under way.
    pub fn set_places(&mut self, lane: LaneId, places: usize) {
        self.lanes[lane.0].places = places.max(1);
        self.index(lane);
    }

    /// Forgets everything planned in a lane; what is under way still ends with [`DueList::finish`].
    pub fn clear(&mut self, lane: LaneId) {
        self.lanes[lane.0].heap.clear();
        self.index(lane);
    }

    /// When something can be taken next; `None` while everything is under way, parked or empty.
    pub fn next_at(&self) -> Option<Duration> {
        self.ready.first().map(|&(at, _)| at)
    }

    /// Nothing is planned and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.lanes.iter().all(|lane| lane.heap.is_empty() && lane.under_way == 0)
    }

    /// How many looks of this lane are planned.
    pub fn planned(&self, lane: LaneId) -> usize {
        self.lanes[lane.0].heap.len()
    }

    /// How far behind the list is, leaving out lanes that are held on purpose. Walks the lanes that are behind.
    pub fn backlog(&self, now: Duration) -> Backlog {
        let behind = self.lanes.iter().filter(|lane| lane.held == Hold::No);
        behind.fold(Backlog::default(), |sum, lane| {
            let Some(Reverse(first)) = lane.heap.peek().filter(|entry| entry.0.due <= now) else {
                return sum;
            };
            let due = lane.heap.iter().filter(|entry| entry.0.due <= now).count();
            Backlog { due: sum.due + due, lag: sum.lag.max(now.saturating_sub(first.due)) }
        })
    }

    fn index(&mut self, lane: LaneId) {
        let state = &mut self.lanes[lane.0];
        let at = state.ready_at();
        if at == state.indexed {
            return;
        }
        if let Some(old) = std::mem::replace(&mut state.indexed, at) {
            self.ready.remove(&(old, lane));
        }
        if let Some(new) = at {
            self.ready.insert((new, lane));
        }
    }
}

impl<K> Lane<K> {
    fn ready_at(&self) -> Option<Duration> {
        let first = self.heap.peek().filter(|_| self.under_way < self.places)?.0.due;
        match self.held {
            Hold::No => Some(first),
            Hold::Until(until) => Some(first.max(until)),
            Hold::Parked => None,
        }
    }
}

impl<K> PartialEq for Entry<K> {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl<K> Eq for Entry<K> {}

impl<K> PartialOrd for Entry<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Entry<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.sequence).cmp(&(other.due, other.sequence))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_due_longest_comes_first_across_lanes() {
        let mut list = DueList::default();
        let (a, b) = (list.add_lane(9), list.add_lane(9));
        list.schedule(a, at(3), "a3");
        list.schedule(b, at(1), "b1");
        list.schedule(a, at(2), "a2");
        list.schedule(b, at(9), "b9");
        let taken: Vec<_> = std::iter::from_fn(|| list.take(at(5))).map(|(_, _, key)| key).collect();
        assert_eq!(taken, ["b1", "a2", "a3"]);
        assert_eq!(list.next_at(), Some(at(9)));
    }

    #[test]
    fn a_lane_whose_looks_hang_does_not_hold_up_another() {
        let mut list = DueList::default();
        let (hanging, well) = (list.add_lane(2), list.add_lane(2));
        for n in 0..5 {
            list.schedule(hanging, at(0), n);
        }
        list.schedule(well, at(1), 100);
        let taken: Vec<_> = std::iter::from_fn(|| list.take(at(1))).map(|(_, _, key)| key).collect();
        assert_eq!(taken, [0, 1, 100]);
        list.finish(hanging);
        assert_eq!(list.take(at(1)).map(|(_, _, key)| key), Some(2));
    }

    #[test]
    fn a_parked_lane_is_silent_until_it_is_released() {
        let mut list = DueList::default();
        let lane = list.add_lane(1);
        list.schedule(lane, at(0), "x");
        let (_, due, key) = list.take(at(0)).expect("due");
        list.park(lane, due, key);
        assert_eq!((list.take(at(99)), list.next_at(), list.backlog(at(99)).due), (None, None, 0));
        list.unpark(lane);
        assert_eq!(list.take(at(99)).map(|(_, _, key)| key), Some("x"));
    }

    #[test]
    fn a_held_lane_keeps_the_time_it_was_due() {
        let mut list = DueList::default();
        let lane = list.add_lane(1);
        list.schedule(lane, at(0), "x");
        let (_, due, key) = list.take(at(0)).expect("due");
        list.put_back(lane, due, key, at(15));
        assert_eq!((list.take(at(14)), list.next_at()), (None, Some(at(15))));
        assert_eq!(list.take(at(15)), Some((lane, at(0), "x")));
    }

    #[test]
    fn the_backlog_counts_what_is_late_and_how_late() {
        let mut list = DueList::default();
        let lane = list.add_lane(1);
        for due in [1, 4, 20] {
            list.schedule(lane, at(due), ());
        }
        assert_eq!(list.backlog(at(10)), Backlog { due: 2, lag: at(9) });
    }

    proptest! {
        #[test]
        fn nothing_is_lost_nothing_is_early_and_no_lane_exceeds_its_places(
            plan in proptest::collection::vec((0..4_usize, 0..50_u64), 1..200), places in 1..4_usize,
        ) {
            let mut list = DueList::default();
            let lanes: Vec<_> = (0..4).map(|_| list.add_lane(places)).collect();
            for &(lane, due) in &plan {
                list.schedule(lanes[lane], at(due), due);
            }
            let mut seen = Vec::new();
            for second in 0..1000 {
                let mut under_way = Vec::new();
                while let Some((lane, due, key)) = list.take(at(second)) {
                    prop_assert!(due <= at(second) && at(key) == due);
                    under_way.push(lane);
                    seen.push(key);
                }
                for lane in &lanes {
                    prop_assert!(under_way.iter().filter(|other| *other == lane).count() <= places);
                }
                for lane in under_way {
                    list.finish(lane);
                }
            }
            let mut wanted: Vec<_> = plan.iter().map(|&(_, due)| due).collect();
            wanted.sort_unstable();
            seen.sort_unstable();
            prop_assert_eq!(seen, wanted);
            prop_assert!(list.is_idle());
        }
    }
}
