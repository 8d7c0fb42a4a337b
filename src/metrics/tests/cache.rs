//! What is kept of the gzip form is always what a fresh one would be, and no more is made anew than has to be.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::support::{failure, inflated, plain, surroundings, without_process};
use crate::domain::identity::Scope;
use crate::domain::listing::Inspection;
use crate::domain::policy::PollPolicy;
use crate::domain::reason::Reason;
use crate::domain::resource::{Reading, TlsState};
use crate::domain::shelf::CHUNK;
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{certificate, listing, moment, reading, scope};
use crate::metrics::{Renderer, Surroundings};

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("r-{n:05}")).collect()
}

fn fleet(scopes: &[Arc<Scope>], resources: usize) -> Snapshot {
    let mut snapshot = Snapshot::of_scopes(scopes.iter().cloned());
    let ids = ids(resources);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for scope in scopes {
        let view = snapshot.scope_mut(scope);
        view.absorb_listing(listing(&ids), Duration::from_secs(1), moment());
        for id in &ids {
            let read = reading(vec![certificate(moment() + TimeDelta::days(90))]);
            view.absorb_inspection(id, Inspection::Read(read), moment());
        }
    }
    snapshot
}

fn read(snapshot: &mut Snapshot, scope: &Arc<Scope>, id: &str, days: i64, at: DateTime<Utc>) {
    let reading = Reading { at, ..reading(vec![certificate(moment() + TimeDelta::days(days))]) };
    snapshot.scope_mut(scope).absorb_inspection(id, Inspection::Read(reading), at);
}

fn assert_current(renderer: &mut Renderer, snapshot: &Snapshot, around: &Surroundings, now: DateTime<Utc>) {
    let page = inflated(renderer.page(snapshot, around, now));
    assert_eq!(without_process(&page), without_process(&plain(snapshot, around, now)));
}

#[test]
fn after_one_change_only_the_pieces_of_its_chunk_are_new() {
    let scopes = ["rds", "redis"].map(|service| Arc::new(scope(service)));
    let mut snapshot = fleet(&scopes, 3 * CHUNK);
    let (mut renderer, around) = (Renderer::default(), surroundings());
    renderer.page(&snapshot, &around, moment());
    let before = renderer.piece_addresses(&snapshot);
    assert_eq!(before.len(), 6);

    read(&mut snapshot, &scopes[1], "r-00300", 20, moment());
    assert_current(&mut renderer, &snapshot, &around, moment());
    let after = renderer.piece_addresses(&snapshot);
    let same: Vec<_> = before.iter().zip(&after).map(|(before, after)| before == after).collect();
    assert_eq!(same, [true, true, true, true, false, true]);
}

#[test]
fn the_passing_of_time_makes_no_piece_anew() {
    let scopes = [Arc::new(scope("redis"))];
    let snapshot = fleet(&scopes, 2 * CHUNK);
    let (mut renderer, around) = (Renderer::default(), surroundings());
    renderer.page(&snapshot, &around, moment());
    let before = renderer.piece_addresses(&snapshot);
    let later = moment() + TimeDelta::days(1);
    assert_current(&mut renderer, &snapshot, &around, later);
    assert_eq!(renderer.piece_addresses(&snapshot), before);
    let stale = format!("state=\"stale\"}} {}\n", 2 * CHUNK);
    assert!(inflated(renderer.page(&snapshot, &around, later)).contains(&stale));
}

#[test]
fn what_is_removed_is_gone_from_the_next_page_and_comes_back_with_its_new_content() {
    let scopes = [Arc::new(scope("redis"))];
    let mut snapshot = fleet(&scopes, 3);
    let (mut renderer, around) = (Renderer::default(), surroundings());
    let with = inflated(renderer.page(&snapshot, &around, moment()));
    assert!(with.contains("\"r-00001\""));

    snapshot.scope_mut(&scopes[0]).take_out("r-00001");
    assert!(!inflated(renderer.page(&snapshot, &around, moment())).contains("\"r-00001\""));

    snapshot.scope_mut(&scopes[0]).absorb_listing(listing(&["r-00001"]), Duration::ZERO, moment());
    read(&mut snapshot, &scopes[0], "r-00001", 1, moment());
    assert_current(&mut renderer, &snapshot, &around, moment());

    snapshot.remove_scope(&scopes[0]);
    assert!(!inflated(renderer.page(&snapshot, &around, moment())).contains("resource_id=\"r-"));
}

#[test]
fn a_page_that_nobody_reads_keeps_no_old_resources() {
    let scopes = [Arc::new(scope("redis"))];
    let mut snapshot = fleet(&scopes, 1);
    let (mut renderer, around) = (Renderer::default(), surroundings());
    renderer.page(&snapshot, &around, moment());
    let old = snapshot.resources().map(|(_, resource)| Arc::downgrade(resource)).next().expect("one");
    read(&mut snapshot, &scopes[0], "r-00000", 1, moment());
    assert!(old.upgrade().is_none());
}

#[test]
fn a_shared_chunk_has_the_labels_of_each_scope() {
    let scopes = ["rds", "redis"].map(|service| Arc::new(scope(service)));
    let mut snapshot = fleet(&scopes[..1], 2);
    let view = Arc::clone(&snapshot.scopes[&scopes[0]]);
    snapshot.scopes.insert(Arc::clone(&scopes[1]), view);
    let (mut renderer, around) = (Renderer::default(), surroundings());
    for _ in 0..2 {
        assert_current(&mut renderer, &snapshot, &around, moment());
    }
}

#[test]
fn counters_that_move_are_on_the_next_page() {
    let (mut renderer, around) = (Renderer::default(), surroundings());
    let snapshot = Snapshot::default();
    for _ in 0..3 {
        around.telemetry.call("alibaba", "prod", "New", Duration::from_millis(1));
        assert_current(&mut renderer, &snapshot, &around, moment());
    }
}

/// What may happen between two scrapes.
#[derive(Debug, Clone)]
enum Event {
    Read { scope: usize, id: usize, days: i64 },
    Off { scope: usize, id: usize },
    Gone { scope: usize, id: usize },
    Listed { scope: usize, count: usize },
    Failed { scope: usize },
    Forgotten { scope: usize },
    Counted,
    Reloaded { hours: u64 },
    Waited { minutes: i64 },
}

fn event() -> impl Strategy<Value = Event> {
    let id = 0..CHUNK + 40;
    prop_oneof![
        4 => (0..3_usize, id.clone(), -9..400_i64).prop_map(|(scope, id, days)| Event::Read { scope, id, days }),
        1 => (0..3_usize, id.clone()).prop_map(|(scope, id)| Event::Off { scope, id }),
        2 => (0..3_usize, id.clone()).prop_map(|(scope, id)| Event::Gone { scope, id }),
        1 => (0..3_usize, id).prop_map(|(scope, count)| Event::Listed { scope, count }),
        1 => (0..3_usize).prop_map(|scope| Event::Failed { scope }),
        1 => (0..3_usize).prop_map(|scope| Event::Forgotten { scope }),
        1 => Just(Event::Counted),
        1 => (1..9_u64).prop_map(|hours| Event::Reloaded { hours }),
        2 => (-30..900_i64).prop_map(|minutes| Event::Waited { minutes }),
    ]
}

struct World {
    scopes: [Arc<Scope>; 3],
    snapshot: Snapshot,
    around: Surroundings,
    now: DateTime<Utc>,
}

impl World {
    fn happen(&mut self, event: &Event) {
        let id = |id: usize| format!("r-{id:05}");
        match *event {
            Event::Read { scope, id: n, days } => {
                read(&mut self.snapshot, &self.scopes[scope], &id(n), days, self.now);
            }
            Event::Off { scope, id: n } => {
                let off = Reading { state: TlsState::Disabled, at: self.now, ..reading(vec![]) };
                let view = self.snapshot.scope_mut(&self.scopes[scope]);
                view.absorb_inspection(&id(n), Inspection::Read(off), self.now);
            }
            Event::Gone { scope, id: n } => {
                let view = self.snapshot.scope_mut(&self.scopes[scope]);
                view.take_out(&id(n));
            }
            Event::Listed { scope, count } => {
                let ids = ids(count);
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let view = self.snapshot.scope_mut(&self.scopes[scope]);
                view.absorb_listing(listing(&ids), Duration::from_millis(7), self.now);
            }
            Event::Failed { scope } => {
                self.snapshot.scope_mut(&self.scopes[scope]).listing_failed(failure(Reason::Timeout));
            }
            Event::Forgotten { scope } => self.snapshot.remove_scope(&self.scopes[scope]),
            Event::Counted => self.around.telemetry.round(&self.scopes[0]),
            Event::Reloaded { hours } => {
                let policy = PollPolicy { max_age: Duration::from_hours(hours), ..PollPolicy::default() };
                self.around.policy = Arc::new(policy);
            }
            Event::Waited { minutes } => self.now += TimeDelta::minutes(minutes),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_page_out_of_kept_pieces_is_the_page_of_the_snapshot(
        events in proptest::collection::vec((event(), any::<bool>()), 1..24),
    ) {
        let scopes = ["mongodb", "rds", "redis"].map(|service| Arc::new(scope(service)));
        let mut snapshot = fleet(&scopes[..1], CHUNK + 20);
        snapshot.scope_mut(&scopes[1]);
        let mut world = World { scopes, snapshot, around: surroundings(), now: moment() };
        let mut renderer = Renderer::default();
        for (event, scraped) in &events {
            world.happen(event);
            if *scraped {
                assert_current(&mut renderer, &world.snapshot, &world.around, world.now);
            }
        }
        assert_current(&mut renderer, &world.snapshot, &world.around, world.now);
    }
}
