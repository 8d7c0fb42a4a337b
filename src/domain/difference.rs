//! What changed between two snapshots, for whoever keeps a copy of what is known (`store`).
//!
//! Snapshots share what did not change, so sharing is what is asked about: scopes and chunks by their address. The cost
//! follows the change; of the fleet only one address for each chunk is looked at, and only in scopes where something
//! changed. A copy is kept chunk by chunk, each under the id of its first resource.

use std::collections::HashSet;
use std::sync::Arc;

use super::identity::Scope;
use super::resource::Resource;
use super::shelf::{Chunk, Shelf};
use super::snapshot::{RegionList, ScopeView, Snapshot};

/// What has to be written and erased for a copy of one snapshot to become a copy of another.
#[derive(Debug, Default)]
pub struct Difference<'s> {
    /// New scopes, and ones of which something other than their resources changed.
    pub scopes: Vec<(&'s Scope, &'s ScopeView)>,
    /// Scopes that are gone, with all their resources.
    pub gone_scopes: Vec<&'s Scope>,
    /// Scopes of which this is the first complete listing. Whatever a copy has of them is older than all that is known here,
    /// and may have resources that are long gone: it goes before their chunks are written.
    pub fresh_scopes: Vec<&'s Scope>,
    /// Chunks of resources that are new, or of which something changed; sorted by scope and by id.
    pub chunks: Vec<(&'s Scope, &'s Arc<Chunk>)>,
    /// Chunks that are gone from scopes that are still there: scope, and id of the first resource.
    pub gone_chunks: Vec<(&'s Scope, &'s str)>,
    /// Lists of regions that were read anew.
    pub regions: Vec<(&'s Scope, RegionList)>,
    /// Lists of regions that nobody wants any more.
    pub gone_regions: Vec<&'s Scope>,
}

impl<'s> Difference<'s> {
    /// The way from one snapshot to another.
    pub fn between(old: &'s Snapshot, new: &'s Snapshot) -> Self {
        let mut found = Self::default();
        for (scope, view) in &new.scopes {
            match old.scopes.get(scope) {
                Some(before) if Arc::ptr_eq(before, view) => {}
                before => found.compare(scope, before.map(|before| &**before), view),
            }
        }
        let gone = old.scopes.keys().filter(|scope| !new.scopes.contains_key(*scope));
        found.gone_scopes = gone.map(|scope| &**scope).collect();
        let listed = new.regions_listed.iter();
        let listed = listed.filter(|(scope, list)| old.regions_listed.get(*scope) != Some(*list));
        found.regions = listed.map(|(scope, list)| (&**scope, *list)).collect();
        let unlisted = old.regions_listed.keys().filter(|scope| !new.regions_listed.contains_key(*scope));
        found.gone_regions = unlisted.map(|scope| &**scope).collect();
        found
    }

    /// Nothing changed that is worth keeping.
    pub fn is_empty(&self) -> bool {
        let Self { scopes, gone_scopes, fresh_scopes, chunks, gone_chunks, regions, gone_regions } = self;
        scopes.is_empty()
            && gone_scopes.is_empty()
            && fresh_scopes.is_empty()
            && chunks.is_empty()
            && gone_chunks.is_empty()
            && regions.is_empty()
            && gone_regions.is_empty()
    }

    fn compare(&mut self, scope: &'s Scope, old: Option<&'s ScopeView>, new: &'s ScopeView) {
        if old.is_none_or(|old| !same_head(old, new)) {
            self.scopes.push((scope, new));
        }
        let is_fresh = new.listed_at.is_some() && old.is_none_or(|old| old.listed_at.is_none());
        if is_fresh {
            self.fresh_scopes.push(scope);
        }
        let Some(old) = old.filter(|_| !is_fresh) else {
            self.chunks.extend(new.resources.chunks().map(|chunk| (scope, chunk)));
            return;
        };
        let written: Vec<_> = only_in(&new.resources, &old.resources).collect();
        let keys: HashSet<&str> = written.iter().map(|chunk| first_id(chunk)).collect();
        self.chunks.extend(written.iter().map(|chunk| (scope, *chunk)));
        let gone = only_in(&old.resources, &new.resources)
            .map(|chunk| first_id(chunk))
            .filter(|id| !keys.contains(id));
        self.gone_chunks.extend(gone.map(|id| (scope, id)));
    }
}

/// The key of a chunk in its scope. No chunk is empty.
pub fn first_id(chunk: &[Arc<Resource>]) -> &str {
    &chunk[0].id
}

/// The chunks of a shelf that the other shelf does not share.
fn only_in<'s>(shelf: &'s Shelf, other: &Shelf) -> impl Iterator<Item = &'s Arc<Chunk>> {
    let shared: HashSet<*const Chunk> = other.chunks().map(Arc::as_ptr).collect();
    shelf.chunks().filter(move |chunk| !shared.contains(&Arc::as_ptr(chunk)))
}

/// Everything about a scope but its resources.
fn same_head(a: &ScopeView, b: &ScopeView) -> bool {
    let times = |view: &ScopeView| (view.attempted_at, view.listed_at, view.listing_took);
    let numbers = |view: &ScopeView| (view.excluded, view.filtered_by, view.listing_failures);
    times(a) == times(b)
        && numbers(a) == numbers(b)
        && a.key_failure == b.key_failure
        && a.listing_failure == b.listing_failure
        && a.look_failure == b.look_failure
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::listing::Inspection;
    use crate::domain::testing::{listing, moment, reading, scope};

    const SECOND: Duration = Duration::from_secs(1);

    /// A copy that is brought up to date by differences alone.
    type Copy = BTreeMap<Scope, (ScopeView, BTreeMap<Box<str>, Chunk>)>;

    fn apply(copy: &mut Copy, difference: &Difference<'_>) {
        for scope in &difference.gone_scopes {
            copy.remove(scope);
        }
        for scope in &difference.fresh_scopes {
            copy.remove(scope);
        }
        for (scope, view) in &difference.scopes {
            let mut head = (*view).clone();
            head.resources = Shelf::default();
            copy.entry((*scope).clone()).or_default().0 = head;
        }
        for (scope, id) in &difference.gone_chunks {
            let removed = copy.get_mut(*scope).and_then(|(_, chunks)| chunks.remove(*id));
            assert!(removed.is_some(), "{id} was never there");
        }
        for (scope, chunk) in &difference.chunks {
            let chunks = &mut copy.entry((*scope).clone()).or_default().1;
            chunks.insert(first_id(chunk).into(), chunk.to_vec());
        }
    }

    fn assert_copy_of(copy: &Copy, snapshot: &Snapshot) {
        assert_eq!(copy.len(), snapshot.scopes.len());
        for (scope, view) in &snapshot.scopes {
            let (head, chunks) = &copy[&**scope];
            assert!(same_head(head, view), "{scope}");
            assert!(chunks.values().eq(view.resources.chunks().map(|chunk| &**chunk)), "{scope}");
        }
    }

    fn large() -> (Arc<Scope>, Snapshot) {
        let scope = Arc::new(scope("redis"));
        let mut snapshot = Snapshot::of_scopes([Arc::clone(&scope)]);
        let ids: Vec<String> = (0..5000).map(|n| format!("r-{n:05}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        snapshot.scope_mut(&scope).absorb_listing(listing(&ids), SECOND, moment());
        (scope, snapshot)
    }

    #[test]
    fn one_look_is_one_chunk_and_no_scope() {
        let (scope, mut snapshot) = large();
        let old = snapshot.clone();
        snapshot.scope_mut(&scope).absorb_inspection("r-02500", Inspection::Read(reading(vec![])), moment());
        let found = Difference::between(&old, &snapshot);
        assert_eq!((found.chunks.len(), found.scopes.len(), found.gone_chunks.len()), (1, 0, 0));
        assert!(found.chunks[0].1.iter().any(|resource| &*resource.id == "r-02500"));
        assert!(Difference::between(&snapshot, &snapshot.clone()).is_empty());
    }

    #[test]
    fn the_first_complete_listing_stands_for_all_that_was_there_before() {
        let (scope, listed) = large();
        let known = |view: ScopeView| {
            let mut snapshot = listed.clone();
            *snapshot.scope_mut(&scope) = view;
            snapshot
        };
        let mut unlisted = (*listed.scopes[&scope]).clone();
        unlisted.listed_at = None;
        for (name, old) in [("not known", Snapshot::default()), ("not listed", known(unlisted))] {
            let found = Difference::between(&old, &listed);
            assert_eq!((found.fresh_scopes.len(), found.gone_chunks.len()), (1, 0), "{name}");
            assert_eq!(found.chunks.len(), listed.scopes[&scope].resources.chunks().count(), "{name}");
        }
        let again = known((*listed.scopes[&scope]).clone());
        assert!(Difference::between(&listed, &again).fresh_scopes.is_empty());
        let nothing = Snapshot::of_scopes([Arc::clone(&scope)]);
        assert!(
            Difference::between(&Snapshot::default(), &nothing).fresh_scopes.is_empty(),
            "not listed yet"
        );
    }

    #[test]
    fn a_resource_that_goes_moves_nothing_else() {
        let (scope, mut snapshot) = large();
        let old = snapshot.clone();
        snapshot.scope_mut(&scope).take_out("r-00000");
        let found = Difference::between(&old, &snapshot);
        assert_eq!(found.gone_chunks, [(&*scope, "r-00000")]);
        let written: Vec<_> = found.chunks.iter().map(|(_, chunk)| first_id(chunk)).collect();
        assert_eq!(written, ["r-00001"], "the rest of its chunk has another key now");
    }

    #[test]
    fn lists_of_regions_are_compared_by_their_time() {
        let (a, b) = (Arc::new(scope("redis")), Arc::new(scope("rds")));
        let lists = |lists: &[(&Arc<Scope>, i64)]| Snapshot {
            regions_listed: lists
                .iter()
                .map(|(scope, minute)| (Arc::clone(scope), moment() + TimeDelta::minutes(*minute)))
                .map(|(scope, at)| (scope, RegionList { at, asked_for: 7 }))
                .collect(),
            ..Snapshot::default()
        };
        let (old, new) = (lists(&[(&a, 0), (&b, 0)]), lists(&[(&a, 1)]));
        let found = Difference::between(&old, &new);
        assert_eq!((found.regions.len(), found.gone_regions), (1, vec![&*b]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn a_copy_follows_whatever_happens(
            steps in proptest::collection::vec((0..3_usize, 0..5_u8, 0..900_usize, 1..600_usize), 1..25)
        ) {
            let services = ["redis", "rds", "mongodb"].map(|service| Arc::new(scope(service)));
            let (mut snapshot, mut copy) = (Snapshot::default(), Copy::new());
            let mut saved = snapshot.clone();
            for (service, what, from, count) in steps {
                let scope = &services[service];
                let ids: Vec<String> = (from..from + count).map(|n| format!("r-{n:04}")).collect();
                match what {
                    0 | 1 => {
                        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                        snapshot.scope_mut(scope).absorb_listing(listing(&ids), SECOND, moment());
                    }
                    2 => for id in &ids {
                        let read = Inspection::Read(reading(vec![]));
                        snapshot.scope_mut(scope).absorb_inspection(id, read, moment());
                    },
                    3 => snapshot.remove_scope(scope),
                    _ => snapshot.scope_mut(scope).plan(&ids[0], SECOND),
                }
                if from % 3 == 0 {
                    apply(&mut copy, &Difference::between(&saved, &snapshot));
                    saved = snapshot.clone();
                    assert_copy_of(&copy, &snapshot);
                }
            }
            apply(&mut copy, &Difference::between(&saved, &snapshot));
            assert_copy_of(&copy, &snapshot);
        }
    }
}
