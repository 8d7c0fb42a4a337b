//! One gzip stream out of pieces that were compressed on their own.
//!
//! A deflate stream may be cut at a byte boundary (a sync flush makes one). A piece that starts with an empty window
//! refers to nothing before itself, so pieces can be put together in any order, and one can be replaced without
//! touching the others; their checksums combine. The result is a single ordinary gzip member: several members in a
//! row would be as legal and a little simpler, but browsers show only the first one.
//!
//! RFC 1951 (deflate), RFC 1952 (gzip).

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// Magic number, method deflate, no flags, no time, fastest, unknown system.
pub(super) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// A last block with nothing in it.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// Compressed text that can stand anywhere in a stream.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Deflate blocks, none of them the last of a stream.
    pub(super) bytes: Bytes,
    crc: Crc,
}

/// Makes pieces. Keeps its tables and its buffer: making them anew for each piece would cost more than compressing.
#[derive(Debug)]
pub(super) struct Deflater {
    compress: Compress,
    buffer: Vec<u8>,
}

impl Deflater {
    pub(super) fn new() -> Self {
        // Level 1: two and three times faster than 3 and 6, and the page repeats itself so much that it is enough.
        Self { compress: Compress::new(Compression::fast(), false), buffer: Vec::new() }
    }

    /// Compresses a text. An empty one becomes a piece of no bytes.
    pub(super) fn piece(&mut self, text: &[u8]) -> Piece {
        if text.is_empty() {
            return Piece::default();
        }
        self.compress.reset();
        self.buffer.clear();
        self.buffer.reserve(text.len() / 4 + 64);
        loop {
            #[allow(clippy::cast_possible_truncation)] // never more than the length of `text`
            let rest = &text[self.compress.total_in() as usize..];
            self.compress
                .compress_vec(rest, &mut self.buffer, FlushCompress::Sync)
                .expect("a deflate stream that was just reset takes any input");
            // Room that is left over says that everything was written, the flush included.
            if self.buffer.len() < self.buffer.capacity() {
                break;
            }
            self.buffer.reserve(self.buffer.len());
        }
        let mut crc = Crc::new();
        crc.update(text);
        Piece { bytes: Bytes::copy_from_slice(&self.buffer), crc }
    }
}

/// The checksum of a stream that is being put together.
#[derive(Debug, Default)]
pub(super) struct Checksum(Crc);

impl Checksum {
    /// Adds what a piece says.
    pub(super) fn add(&mut self, piece: &Piece) {
        self.0.combine(&piece.crc);
    }

    /// Adds what another stream, without its trailer, says.
    pub(super) fn add_stream(&mut self, stream: &Self) {
        self.0.combine(&stream.0);
    }

    /// What ends the stream.
    pub(super) fn trailer(&self) -> [u8; 10] {
        let mut trailer = [0; 10];
        trailer[..2].copy_from_slice(&LAST_BLOCK);
        trailer[2..6].copy_from_slice(&self.0.sum().to_le_bytes());
        trailer[6..].copy_from_slice(&self.0.amount().to_le_bytes());
        trailer
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn stream(pieces: &[&Piece]) -> Vec<u8> {
        let mut checksum = Checksum::default();
        let mut stream = HEADER.to_vec();
        for piece in pieces {
            checksum.add(piece);
            stream.extend_from_slice(&piece.bytes);
        }
        stream.extend_from_slice(&checksum.trailer());
        stream
    }

    /// Reads one member only, checks its checksum and its length, and refuses what follows.
    fn inflate(stream: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut decoder = GzDecoder::new(stream);
        decoder.read_to_end(&mut text).expect("a whole gzip member");
        assert!(decoder.into_inner().is_empty(), "something follows the member");
        text
    }

    #[test]
    fn pieces_fit_together_in_any_order() {
        let mut deflater = Deflater::new();
        let [a, b, none] = ["aaaaaaaaaa\n", "aaaaaaaaaab\n", ""].map(|text| deflater.piece(text.as_bytes()));
        assert!(none.bytes.is_empty());
        assert_eq!(inflate(&stream(&[&a, &b, &none, &a])), b"aaaaaaaaaa\naaaaaaaaaab\naaaaaaaaaa\n");
        assert_eq!(inflate(&stream(&[&b, &a])), b"aaaaaaaaaab\naaaaaaaaaa\n");
        assert_eq!(inflate(&stream(&[])), b"");
    }

    #[test]
    fn the_same_text_makes_the_same_piece_whatever_came_before() {
        let mut deflater = Deflater::new();
        let first = deflater.piece(b"some text, some text, some text");
        deflater.piece(&b"other text ".repeat(9999));
        assert_eq!(deflater.piece(b"some text, some text, some text").bytes, first.bytes);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9000), 0..6), repeat in 1..40_usize) {
            let mut deflater = Deflater::new();
            let texts: Vec<_> = texts.into_iter().map(|text| text.repeat(repeat)).collect();
            let pieces: Vec<_> = texts.iter().map(|text| deflater.piece(text)).collect();
            prop_assert_eq!(inflate(&stream(&pieces.iter().collect::<Vec<_>>())), texts.concat());
        }
    }
}
