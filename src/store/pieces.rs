//! A large change is written in several transactions, so that nobody waits for long who has a message to send: SQLite has
//! one writer at a time.
//!
//! Rows that cannot be told from whole ones never come to be: resources go first, and what says that they were all listed
//! goes last. A process that ends in between leaves resources that are newer than their scope, or that belong to a
//! scope that is not there yet; the next listing is due earlier than it might have been, and nothing is missing.

use crate::domain::difference::Difference;
use crate::domain::identity::Scope;
use crate::domain::resource::Resource;
use crate::domain::snapshot::{RegionList, ScopeView};

/// So many resources are written in one transaction, in a few hundredths of a second.
const AT_ONCE: usize = 1000;

/// What is written in one transaction; see [`Difference`].
#[derive(Debug, Default)]
pub(super) struct Piece<'c> {
    pub(super) gone_scopes: &'c [&'c Scope],
    pub(super) gone_regions: &'c [&'c Scope],
    pub(super) gone: &'c [(&'c Scope, &'c str)],
    pub(super) resources: &'c [(&'c Scope, &'c Resource)],
    pub(super) scopes: &'c [(&'c Scope, &'c ScopeView)],
    pub(super) regions: &'c [(&'c Scope, RegionList)],
}

/// The pieces of a change, in the order in which they are to be written.
pub(super) fn of<'c>(change: &'c Difference<'c>) -> Vec<Piece<'c>> {
    let Difference { scopes, gone_scopes, resources, gone, regions, gone_regions } = change;
    let last = Piece { gone_regions, scopes, regions, ..Piece::default() };
    if resources.len() + gone.len() <= AT_ONCE && gone_scopes.len() <= 1 {
        return vec![Piece { gone_scopes, gone, resources, ..last }];
    }
    let scopes = gone_scopes.chunks(1).map(|gone_scopes| Piece { gone_scopes, ..Piece::default() });
    let gone = gone.chunks(AT_ONCE).map(|gone| Piece { gone, ..Piece::default() });
    let resources = resources.chunks(AT_ONCE).map(|resources| Piece { resources, ..Piece::default() });
    scopes.chain(gone).chain(resources).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::Snapshot;
    use crate::domain::testing::{resource, scope};

    fn snapshot(count: usize) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let resources = (0..count).map(|n| resource(&format!("r-{n:04}")));
        snapshot.scopes.insert(
            scope("redis").into(),
            std::sync::Arc::new(ScopeView::default().with_resources(resources)),
        );
        snapshot
    }

    #[test]
    fn a_small_change_is_one_piece() {
        let (old, new) = (Snapshot::default(), snapshot(AT_ONCE));
        let change = Difference::between(&old, &new);
        let pieces = of(&change);
        assert_eq!((pieces.len(), pieces[0].resources.len(), pieces[0].scopes.len()), (1, AT_ONCE, 1));
    }

    #[test]
    fn a_large_change_tells_last_that_everything_was_listed() {
        let (old, new) = (Snapshot::default(), snapshot(2 * AT_ONCE + 1));
        let change = Difference::between(&old, &new);
        let sizes: Vec<_> =
            of(&change).iter().map(|piece| (piece.resources.len(), piece.scopes.len())).collect();
        assert_eq!(sizes, [(AT_ONCE, 0), (AT_ONCE, 0), (1, 0), (0, 1)]);
    }
}
