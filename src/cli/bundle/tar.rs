//! The few lines of tar that a bundle needs (POSIX ustar): plain files with short names, written and read in memory.

use std::io;

/// Everything in a tar archive comes in blocks of this size.
const BLOCK: usize = 512;

/// An archive of these files, readable by their owner alone.
pub(super) fn write<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>, modified: i64) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        archive.extend_from_slice(&header(name, bytes.len(), modified));
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn header(name: &str, length: usize, modified: i64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name.get(..name.len().min(99)).unwrap_or("file"));
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{length:011o}\0"));
    put(136, &format!("{:011o}\0", modified.max(0)));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// The files of an archive by name. What is no plain file is passed over.
pub(super) fn read(mut archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    while let Some((header, rest)) = archive.split_at_checked(BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let length = octal(&header[124..136])?;
        let (bytes, rest) =
            rest.split_at_checked(length).ok_or_else(|| odd("it ends in the middle of a file"))?;
        if matches!(header[156], 0 | b'0') {
            files.push((text(&header[..100]), bytes.to_vec()));
        }
        archive = rest.get(length.next_multiple_of(BLOCK) - length..).unwrap_or_default();
    }
    Ok(files)
}

fn octal(field: &[u8]) -> io::Result<usize> {
    let digits = text(field);
    usize::from_str_radix(digits.trim(), 8).map_err(|_| odd("it is no tar archive"))
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn odd(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nonsense_is_refused() {
        let files =
            [("a.txt", vec![1; 511]), ("b.txt", vec![2; 512]), ("empty", vec![]), ("c", vec![3; 513])];
        let archive = write(files.iter().map(|(name, bytes)| (*name, &**bytes)), 1_795_334_400);
        assert_eq!(archive.len() % BLOCK, 0);
        let read_again = read(&archive).expect("an archive");
        assert_eq!(read_again, files.map(|(name, bytes)| (name.to_owned(), bytes)));
        assert_eq!(read(&[]).expect("nothing").len(), 0);
        assert!(read(&[b'x'; 600]).is_err(), "no number for a length");
        assert!(read(&archive[..BLOCK + 100]).is_err(), "cut");
    }
}
