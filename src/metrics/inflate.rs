//! A finished page for readers who do not take gzip: unpacked while it is being read, so that it costs one block.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use flate2::read::GzDecoder;

use super::gzip::{GzipBlocks, GzipPage};

/// About this many bytes are handed out at once.
const BLOCK: u64 = 64 * 1024;

/// The page as an iterator over the blocks of its text.
#[derive(Debug)]
pub struct Inflated(GzDecoder<Packed>);

impl Inflated {
    /// The text of a page.
    pub fn new(page: GzipPage) -> Self {
        Self(GzDecoder::new(Packed { blocks: page.into_blocks(), rest: Bytes::new() }))
    }
}

impl Iterator for Inflated {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut block = Vec::new();
        (&mut self.0).take(BLOCK).read_to_end(&mut block).expect("what was packed here is whole");
        (!block.is_empty()).then(|| block.into())
    }
}

#[derive(Debug)]
struct Packed {
    blocks: GzipBlocks,
    rest: Bytes,
}

impl Read for Packed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = self.blocks.next().unwrap_or_default();
        }
        let length = self.rest.len().min(into.len());
        self.rest.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}
