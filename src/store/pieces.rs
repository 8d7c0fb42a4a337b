//! A large change is written in several transactions, so that nobody waits for long who has a message to send: SQLite has
//! one writer at a time.
//!
//! Rows that cannot be told from whole ones never come to be. Resources go first, and what says that they were all listed
//! goes last. Of the chunks of a scope the last goes first and those that are gone go after all others: what moves from one
//! chunk to another (a full one gives its upper half away, and its first resource is its key) stands in two for a while,
//! never in none. A process that ends in between leaves resources that are newer than their scope, that stand in two chunks,
//! or that belong to a scope that is not there yet; the next listing is due earlier than it might have been, and nothing
//! is missing.

use std::sync::Arc;

use crate::domain::difference::Difference;
use crate::domain::identity::Scope;
use crate::domain::shelf::Chunk;
use crate::domain::snapshot::{RegionList, ScopeView};

/// So many chunks are written in one transaction, a few megabytes in a hundredth of a second.
const AT_ONCE: usize = 64;

/// What is written in one transaction; see [`Difference`].
#[derive(Debug, Default)]
pub(super) struct Piece<'c> {
    pub(super) gone_scopes: &'c [&'c Scope],
    /// Nothing that is stored of them counts; they are not known until their head is written.
    pub(super) fresh_scopes: &'c [&'c Scope],
    pub(super) gone_regions: &'c [&'c Scope],
    pub(super) chunks: &'c [(&'c Scope, &'c Arc<Chunk>)],
    pub(super) gone_chunks: &'c [(&'c Scope, &'c str)],
    pub(super) scopes: &'c [(&'c Scope, &'c ScopeView)],
    pub(super) regions: &'c [(&'c Scope, RegionList)],
}

/// The pieces of a change, in the order in which they are to be written.
pub(super) fn of<'c>(change: &'c Difference<'c>) -> Vec<Piece<'c>> {
    let Difference { scopes, gone_scopes, fresh_scopes, chunks, gone_chunks, regions, gone_regions } = change;
    let last = Piece { gone_regions, scopes, regions, ..Piece::default() };
    if chunks.len() + gone_chunks.len() <= AT_ONCE && gone_scopes.len() <= 1 && fresh_scopes.len() <= AT_ONCE
    {
        return vec![Piece { gone_scopes, fresh_scopes, chunks, gone_chunks, ..last }];
    }
    let fresh = fresh_scopes.chunks(AT_ONCE).map(|fresh_scopes| Piece { fresh_scopes, ..Piece::default() });
    let scopes = gone_scopes.chunks(1).map(|gone_scopes| Piece { gone_scopes, ..Piece::default() });
    let chunks = chunks.rchunks(AT_ONCE).map(|chunks| Piece { chunks, ..Piece::default() });
    let gone = gone_chunks.chunks(AT_ONCE).map(|gone_chunks| Piece { gone_chunks, ..Piece::default() });
    scopes.chain(fresh).chain(chunks).chain(gone).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::difference::first_id;
    use crate::domain::shelf::CHUNK;
    use crate::domain::snapshot::Snapshot;
    use crate::domain::testing::{resource, scope};

    fn snapshot(chunks: usize) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let resources = (0..chunks * CHUNK).map(|n| resource(&format!("r-{n:06}")));
        snapshot
            .scopes
            .insert(scope("redis").into(), Arc::new(ScopeView::default().with_resources(resources)));
        snapshot
    }

    #[test]
    fn a_small_change_is_one_piece() {
        let (old, new) = (Snapshot::default(), snapshot(AT_ONCE));
        let change = Difference::between(&old, &new);
        let pieces = of(&change);
        assert_eq!((pieces.len(), pieces[0].chunks.len(), pieces[0].scopes.len()), (1, AT_ONCE, 1));
    }

    #[test]
    fn a_large_change_tells_last_that_everything_was_listed() {
        let (old, new) = (Snapshot::default(), snapshot(2 * AT_ONCE + 1));
        let change = Difference::between(&old, &new);
        let sizes: Vec<_> =
            of(&change).iter().map(|piece| (piece.chunks.len(), piece.scopes.len())).collect();
        assert_eq!(sizes, [(AT_ONCE, 0), (AT_ONCE, 0), (1, 0), (0, 1)]);
    }

    #[test]
    fn what_moves_to_another_chunk_is_written_there_before_it_is_gone_here() {
        let old = snapshot(AT_ONCE + 1);
        let mut new = old.clone();
        let scope = Arc::clone(new.scopes.keys().next().expect("one"));
        for chunk in 0..=AT_ONCE {
            new.scope_mut(&scope).take_out(&format!("r-{:06}", chunk * CHUNK));
        }
        let change = Difference::between(&old, &new);
        let order: Vec<_> = of(&change)
            .iter()
            .map(|piece| (piece.chunks.first().map(|(_, chunk)| first_id(chunk)), piece.gone_chunks.len()))
            .collect();
        assert_eq!(
            order,
            [(Some("r-000257"), 0), (Some("r-000001"), 0), (None, AT_ONCE), (None, 1), (None, 0)]
        );
    }
}
