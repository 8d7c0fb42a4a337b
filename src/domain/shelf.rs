//! A sorted collection of resources that is cheap to change and cheap to share.
//!
//! Readers hold clones of a [`Shelf`]. It is a tree of three levels: branches of chunks of resources. A change copies
//! one chunk and one branch of pointers and nothing else, so folding one result into 100,000 resources costs what it
//! costs in 1,000 (`BENCHMARKS.md`). Chunks also are the unit by which the metrics page is rendered and compressed
//! again: an `Arc<Chunk>` that is still the same one has the same text.

use std::sync::Arc;

use super::resource::Resource;

/// The most resources that share one chunk.
pub const CHUNK: usize = 256;
/// The most chunks that share one branch: 16,384 resources, so that a million are 62 branches. Few in tests, which
/// then see branches come and go with few resources.
const BRANCH: usize = if cfg!(test) { 3 } else { 64 };

/// A run of resources, sorted by id.
pub type Chunk = Vec<Arc<Resource>>;

/// A run of chunks, none of them empty.
type Branch = Vec<Arc<Chunk>>;

/// Resources of one scope, sorted by id.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    branches: Vec<Arc<Branch>>,
    len: usize,
}

/// Where a resource is, or would be.
#[derive(Debug, Clone, Copy)]
struct Place {
    branch: usize,
    chunk: usize,
    slot: usize,
}

impl Shelf {
    /// A shelf with exactly these chunks, for whoever keeps a copy of it chunk by chunk. `None` unless they are what a
    /// shelf is made of: in order, none empty, none with more than [`CHUNK`], each id once.
    pub fn of_chunks(chunks: Vec<Chunk>) -> Option<Self> {
        let ids = || chunks.iter().flatten().map(|resource| &*resource.id);
        let in_order = ids().zip(ids().skip(1)).all(|(a, b)| a < b);
        if !in_order || chunks.iter().any(|chunk| chunk.is_empty() || chunk.len() > CHUNK) {
            return None;
        }
        let len = ids().count();
        let mut chunks = chunks.into_iter().map(Arc::new).peekable();
        let mut branches = Vec::new();
        while chunks.peek().is_some() {
            branches.push(Arc::new(chunks.by_ref().take(BRANCH).collect()));
        }
        Some(Self { branches, len })
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunks, in order. Two shelves that share a chunk (`Arc::ptr_eq`) share its content.
    pub fn chunks(&self) -> impl Iterator<Item = &Arc<Chunk>> {
        self.branches.iter().flat_map(|branch| branch.iter())
    }

    /// The chunk with this number, counted from 0.
    pub fn chunk(&self, number: usize) -> Option<&Arc<Chunk>> {
        let mut left = number;
        for branch in &self.branches {
            if let Some(chunk) = branch.get(left) {
                return Some(chunk);
            }
            left -= branch.len();
        }
        None
    }

    /// Every resource, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.chunks().flat_map(|chunk| chunk.iter())
    }

    /// The resource with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<Resource>> {
        let Place { branch, chunk, slot } = self.find(id).ok()?;
        Some(&self.branches[branch][chunk][slot])
    }

    /// The resource with this id, to be changed. It is copied first if a reader holds it.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Resource> {
        let place = self.find(id).ok()?;
        Some(Arc::make_mut(&mut self.chunk_mut(place)[place.slot]))
    }

    /// Puts a resource in its place; returns the one that stood there.
    pub fn insert(&mut self, resource: Arc<Resource>) -> Option<Arc<Resource>> {
        let place = match self.find(&resource.id) {
            Ok(place) => return Some(std::mem::replace(&mut self.chunk_mut(place)[place.slot], resource)),
            Err(place) => place,
        };
        self.len += 1;
        if self.branches.is_empty() {
            self.branches.push(Arc::new(vec![Arc::default()]));
        }
        let chunk = self.chunk_mut(place);
        if let Some(upper) = insert_or_split(chunk, CHUNK, place.slot, resource) {
            let branch = Arc::make_mut(&mut self.branches[place.branch]);
            if let Some(upper) = insert_or_split(branch, BRANCH, place.chunk + 1, Arc::new(upper)) {
                self.branches.insert(place.branch + 1, Arc::new(upper));
            }
        }
        None
    }

    /// Takes a resource out.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Resource>> {
        let place = self.find(id).ok()?;
        self.len -= 1;
        let chunk = self.chunk_mut(place);
        let removed = chunk.remove(place.slot);
        if chunk.is_empty() {
            let branch = Arc::make_mut(&mut self.branches[place.branch]);
            branch.remove(place.chunk);
            if branch.is_empty() {
                self.branches.remove(place.branch);
            }
        }
        Some(removed)
    }

    /// Where `id` is; `Err`: where it would go.
    fn find(&self, id: &str) -> Result<Place, Place> {
        let branch = last_from(&self.branches, |branch| &branch[0][0].id, id);
        let Some(chunks) = self.branches.get(branch) else {
            return Err(Place { branch: 0, chunk: 0, slot: 0 });
        };
        let chunk = last_from(chunks, |chunk| &chunk[0].id, id);
        let slot = chunks[chunk].binary_search_by(|resource| (*resource.id).cmp(id));
        slot.map(|slot| Place { branch, chunk, slot }).map_err(|slot| Place { branch, chunk, slot })
    }

    fn chunk_mut(&mut self, place: Place) -> &mut Chunk {
        Arc::make_mut(&mut Arc::make_mut(&mut self.branches[place.branch])[place.chunk])
    }
}

/// The last of some runs that begins at `id` or before it, else the first.
fn last_from<T>(runs: &[T], first: impl Fn(&T) -> &str, id: &str) -> usize {
    runs.partition_point(|run| first(run) <= id).saturating_sub(1)
}

/// Inserts into a run. A full one gives its upper part away, which is returned: half of it, or nothing but the new
/// item where that comes last, so that bulk loading in order (a first listing) leaves full runs behind.
fn insert_or_split<T>(run: &mut Vec<T>, most: usize, slot: usize, item: T) -> Option<Vec<T>> {
    if run.len() < most {
        run.insert(slot, item);
        return None;
    }
    if slot == run.len() {
        return Some(vec![item]);
    }
    let middle = run.len() / 2;
    let mut upper = run.split_off(middle);
    if slot > middle {
        upper.insert(slot - middle, item);
    } else {
        run.insert(slot, item);
    }
    Some(upper)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::resource::Facts;

    fn resource(id: &str, status: &str) -> Arc<Resource> {
        let facts = Facts {
            name: "".into(),
            status: status.into(),
            engine: "".into(),
            tags: Arc::default(),
            group: None,
            locked: false,
            in_use: None,
            used_by: Box::default(),
        };
        Arc::new(Resource::new(id.into(), facts))
    }

    #[test]
    fn bulk_loading_in_order_leaves_full_chunks() {
        let mut shelf = Shelf::default();
        for n in 0..CHUNK * 4 {
            shelf.insert(resource(&format!("{n:08}"), "a"));
        }
        assert_eq!(shelf.chunks().map(|chunk| chunk.len()).collect::<Vec<_>>(), [CHUNK; 4]);
    }

    #[test]
    fn a_shelf_is_made_anew_of_its_chunks_and_of_nothing_else() {
        let mut shelf = Shelf::default();
        for n in 0..CHUNK * BRANCH * 2 {
            shelf.insert(resource(&format!("{:08}", n * 7919 % 100_003), "a"));
        }
        let chunks = || shelf.chunks().map(|chunk| (**chunk).clone()).collect::<Vec<_>>();
        let mut again = Shelf::of_chunks(chunks()).expect("its own");
        assert_eq!((again.len(), chunks()), (shelf.len(), again.chunks().map(|c| (**c).clone()).collect()));
        assert!(again.branches.iter().all(|branch| branch.len() <= BRANCH));
        assert!(again.insert(resource("00000000x", "new")).is_none() && again.get("00000000x").is_some());
        assert!(Shelf::of_chunks(Vec::new()).is_some_and(|shelf| shelf.is_empty()));
        let one = |id: &str| vec![resource(id, "a")];
        let large: Chunk = (0..=CHUNK).map(|n| resource(&format!("{n:08}"), "a")).collect();
        for (name, odd) in [
            ("an empty one", vec![one("a"), Vec::new()]),
            ("out of order", vec![one("b"), one("a")]),
            ("twice", vec![one("a"), one("a")]),
            ("twice in one", vec![[one("a"), one("a")].concat()]),
            ("too large", vec![large]),
        ] {
            assert!(Shelf::of_chunks(odd).is_none(), "{name}");
        }
    }

    #[test]
    fn a_reader_keeps_what_it_had_and_other_chunks_are_shared() {
        let mut shelf = Shelf::default();
        for n in 0..CHUNK * 3 {
            shelf.insert(resource(&format!("{n:08}"), "old"));
        }
        let reader = shelf.clone();
        shelf.insert(resource("00000001", "new"));
        assert_eq!(&*reader.get("00000001").expect("kept").facts.status, "old");
        assert_eq!(&*shelf.get("00000001").expect("there").facts.status, "new");
        let shared = reader.chunks().zip(shelf.chunks()).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, 2);
    }

    #[test]
    fn a_change_copies_one_branch_and_one_chunk_however_many_there_are() {
        for branches in [2, 8] {
            let mut shelf = Shelf::default();
            for n in 0..CHUNK * BRANCH * branches {
                shelf.insert(resource(&format!("{n:08}"), "old"));
            }
            let reader = shelf.clone();
            shelf.get_mut("00000001").expect("there").failures_in_a_row = 1;
            let pairs = || reader.branches.iter().zip(&shelf.branches);
            assert_eq!(pairs().filter(|(a, b)| !Arc::ptr_eq(a, b)).count(), 1, "{branches} branches");
            let chunks = reader.chunks().zip(shelf.chunks());
            assert_eq!(chunks.filter(|(a, b)| !Arc::ptr_eq(a, b)).count(), 1, "{branches} branches");
        }
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_sorted_map(steps in proptest::collection::vec((0..1500_u32, any::<bool>(), 0..4_u8), 0..4000)) {
            let mut shelf = Shelf::default();
            let mut model = BTreeMap::new();
            for (n, insert, version) in steps {
                let id = format!("r-{n}");
                if insert {
                    let new = resource(&id, &version.to_string());
                    prop_assert_eq!(shelf.insert(Arc::clone(&new)), model.insert(id, new));
                } else {
                    prop_assert_eq!(shelf.remove(&id), model.remove(&id));
                }
                prop_assert_eq!(shelf.len(), model.len());
            }
            prop_assert!(shelf.iter().eq(model.values()));
            prop_assert!(shelf.chunks().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK));
            prop_assert!(shelf.branches.iter().all(|branch| !branch.is_empty() && branch.len() <= BRANCH));
            prop_assert!(shelf.chunks().enumerate().all(|(n, chunk)| shelf.chunk(n).is_some_and(|c| Arc::ptr_eq(c, chunk))));
            prop_assert!(shelf.chunk(shelf.chunks().count()).is_none());
            for (id, resource) in &model {
                prop_assert_eq!(shelf.get(id), Some(resource));
            }
        }
    }
}
