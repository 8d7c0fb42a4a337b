//! A sorted collection of resources that is cheap to change and cheap to share.
//!
//! Readers hold clones of a [`Shelf`]; a change copies one chunk of at most [`CHUNK`] pointers and nothing else, so
//! folding one result into 100,000 resources costs what it costs in 1,000 (`BENCHMARKS.md`). Chunks also are the unit
//! by which the metrics page is rendered and compressed again: an `Arc<Chunk>` that is still the same one has the
//! same text.

use std::sync::Arc;

use super::resource::Resource;

/// The most resources that share one chunk.
pub const CHUNK: usize = 256;

/// A run of resources, sorted by id.
pub type Chunk = Vec<Arc<Resource>>;

/// Resources of one scope, sorted by id.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    chunks: Vec<Arc<Chunk>>,
    len: usize,
}

impl Shelf {
    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunks, in order. Two shelves that share a chunk (`Arc::ptr_eq`) share its content.
    pub fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    /// Every resource, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The resource with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<Resource>> {
        let (chunk, slot) = self.find(id);
        slot.ok().map(|slot| &self.chunks[chunk][slot])
    }

    /// The resource with this id, to be changed. It is copied first if a reader holds it.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Resource> {
        let (index, slot) = self.find(id);
        let slot = slot.ok()?;
        Some(Arc::make_mut(&mut self.chunk_mut(index)[slot]))
    }

    /// Puts a resource in its place; returns the one that stood there.
    pub fn insert(&mut self, resource: Arc<Resource>) -> Option<Arc<Resource>> {
        let (index, slot) = self.find(&resource.id);
        let slot = match slot {
            Ok(slot) => return Some(std::mem::replace(&mut self.chunk_mut(index)[slot], resource)),
            Err(slot) => slot,
        };
        self.len += 1;
        if self.chunks.is_empty() {
            self.chunks.push(Arc::default());
        }
        if self.chunks[index].len() < CHUNK {
            self.chunk_mut(index).insert(slot, resource);
        } else {
            self.split_and_insert(index, slot, resource);
        }
        None
    }

    /// Takes a resource out.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Resource>> {
        let (index, slot) = self.find(id);
        let slot = slot.ok()?;
        self.len -= 1;
        let removed = self.chunk_mut(index).remove(slot);
        if self.chunks[index].is_empty() {
            self.chunks.remove(index);
        }
        Some(removed)
    }

    /// The chunk where `id` is or belongs, and its slot there (`Err`: where it would go).
    fn find(&self, id: &str) -> (usize, Result<usize, usize>) {
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| &*first.id <= id));
        let index = after.saturating_sub(1);
        let slot = self
            .chunks
            .get(index)
            .map_or(Err(0), |chunk| chunk.binary_search_by(|resource| (*resource.id).cmp(id)));
        (index, slot)
    }

    fn chunk_mut(&mut self, index: usize) -> &mut Chunk {
        Arc::make_mut(&mut self.chunks[index])
    }

    /// A full chunk gives half away; one that grows at its end (a first listing, sorted) starts a fresh one instead,
    /// so that bulk loading leaves full chunks behind.
    fn split_and_insert(&mut self, index: usize, slot: usize, resource: Arc<Resource>) {
        let middle = if slot == CHUNK { CHUNK } else { CHUNK / 2 };
        let mut upper = self.chunk_mut(index).split_off(middle);
        if slot > middle || (slot == CHUNK && middle == CHUNK) {
            upper.insert(slot - middle, resource);
        } else {
            self.chunk_mut(index).insert(slot, resource);
        }
        self.chunks.insert(index + 1, Arc::new(upper));
    }
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
            tags: Box::default(),
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
        assert_eq!(shelf.chunks().iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), [CHUNK; 4]);
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
        let shared = reader.chunks().iter().zip(shelf.chunks()).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, 2);
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
            prop_assert!(shelf.chunks().iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK));
            for (id, resource) in &model {
                prop_assert_eq!(shelf.get(id), Some(resource));
            }
        }
    }
}
