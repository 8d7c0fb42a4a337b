//! A finished page: one gzip member out of pieces, handed out in blocks.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::blocks::Blocks;
use super::deflate::{Checksum, HEADER, Piece};

/// Pieces are handed out in blocks of about this size, so that 100,000 resources are not thousands of tiny writes.
const BLOCK: usize = 64 * 1024;
/// A piece of at least this size is a block of its own.
const LARGE: usize = BLOCK / 2;

/// A finished page: one gzip member. Cheap to clone; its bytes are those that are kept for the next page.
#[derive(Debug, Clone)]
pub struct GzipPage {
    pub(super) head: Head,
    pub(super) tail: Bytes,
}

impl GzipPage {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.head.len + self.tail.len() as u64
    }

    /// Never: a page of nothing has families without samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes in blocks, in order.
    pub fn into_blocks(self) -> GzipBlocks {
        GzipBlocks { page: self, next: 0, blocks: Blocks::default() }
    }

    /// Lives as long as somebody holds the page.
    pub(super) fn weak(&self) -> Weak<[Bytes]> {
        Arc::downgrade(&self.head.pieces)
    }

    /// Whether nothing that comes from the snapshot was written again between the two.
    #[cfg(test)]
    pub(super) fn shares_head_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.head.pieces, &other.head.pieces)
    }

    /// Where its pieces are in memory.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> Vec<usize> {
        self.head.pieces.iter().map(|piece| piece.as_ptr().addr()).collect()
    }

    fn piece(&self, n: usize) -> Option<&Bytes> {
        match n.checked_sub(self.head.pieces.len()) {
            None => Some(&self.head.pieces[n]),
            Some(0) => Some(&self.tail),
            Some(_) => None,
        }
    }
}

/// The blocks of a page. Pieces are gathered when they are asked for, in the same memory again and again: ready-made
/// blocks would be a second copy of all pieces.
#[derive(Debug)]
pub struct GzipBlocks {
    page: GzipPage,
    next: usize,
    blocks: Blocks,
}

impl Iterator for GzipBlocks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let block = self.blocks.begin(BLOCK + LARGE);
        while let Some(piece) = self.page.piece(self.next).filter(|_| block.len() < BLOCK) {
            if piece.len() < LARGE {
                block.extend_from_slice(piece);
                self.next += 1;
            } else if block.is_empty() {
                self.next += 1;
                return Some(piece.clone());
            } else {
                break;
            }
        }
        self.blocks.finish()
    }
}

/// The part of a page that comes from the snapshot.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) pieces: Arc<[Bytes]>,
    pub(super) checksum: Arc<Checksum>,
    pub(super) len: u64,
}

/// The beginning of a gzip member, in pieces.
pub(super) struct Stream {
    pieces: Vec<Bytes>,
    checksum: Checksum,
}

impl Stream {
    /// With room for so many pieces.
    pub(super) fn with_capacity(pieces: usize) -> Self {
        let mut stream = Self { pieces: Vec::with_capacity(pieces), checksum: Checksum::default() };
        stream.pieces.push(Bytes::from_static(&HEADER));
        stream
    }

    /// Adds one.
    pub(super) fn add(&mut self, piece: &Piece) {
        if !piece.bytes.is_empty() {
            self.checksum.add(piece);
            self.pieces.push(piece.bytes.clone());
        }
    }

    /// The end of the part that comes from the snapshot.
    pub(super) fn finish(self) -> Head {
        let len = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        Head { pieces: self.pieces.into(), checksum: Arc::new(self.checksum), len }
    }
}
