//! Memory for blocks that are handed out one after another.

use bytes::{Bytes, BytesMut};

/// Two buffers that take turns.
///
/// A connection asks for the next block while it still holds the end of the last one, so one buffer alone could not
/// be used again and each block would be allocated anew.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    current: BytesMut,
    other: BytesMut,
}

impl Blocks {
    /// An empty buffer with at least so much room.
    pub(super) fn begin(&mut self, room: usize) -> &mut BytesMut {
        std::mem::swap(&mut self.current, &mut self.other);
        self.current.reserve(room);
        &mut self.current
    }

    /// The buffer that was begun.
    pub(super) fn current(&mut self) -> &mut BytesMut {
        &mut self.current
    }

    /// What was written into it; `None` if that is nothing.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        (!self.current.is_empty()).then(|| self.current.split().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_block_is_used_again_while_the_next_one_is_still_held() {
        let mut blocks = Blocks::default();
        let mut held = None;
        let mut addresses = Vec::new();
        for n in 0..20_u8 {
            blocks.begin(1000).extend_from_slice(&[n; 1000]);
            let block = blocks.finish().expect("something was written");
            addresses.push(block.as_ptr());
            held.replace(block);
        }
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), 2);
        assert_eq!(held.as_deref(), Some(&[19; 1000][..]));
    }

    #[test]
    fn nothing_written_is_no_block() {
        let mut blocks = Blocks::default();
        blocks.begin(10);
        assert_eq!(blocks.finish(), None);
    }
}
