//! PEM blocks in a text that may have anything around them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::zeroize::Zeroizing;

/// A block, borrowed from the text.
pub(super) struct Block<'t> {
    /// `CERTIFICATE`, `RSA PRIVATE KEY`.
    pub(super) label: &'t str,
    /// What stands between its first and its last line; all of the rest where the last one is missing.
    pub(super) body: &'t str,
    /// It has an end.
    is_whole: bool,
}

/// Every block, in order.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    text.split("-----BEGIN ").skip(1).filter_map(|piece| {
        let (label, rest) = piece.split_once("-----")?;
        let end = rest.find("-----END ").filter(|at| rest[at + 9..].starts_with(label));
        Some(Block { label, body: &rest[..end.unwrap_or(rest.len())], is_whole: end.is_some() })
    })
}

/// A certificate as servers use it.
pub(super) fn is_certificate(label: &str) -> bool {
    label == "CERTIFICATE"
}

/// A private key of any kind.
pub(super) fn is_key(label: &str) -> bool {
    label.ends_with("PRIVATE KEY")
}

/// The blocks of one kind, on lines of their own, and nothing else.
pub(super) fn only(text: &str, wanted: fn(&str) -> bool) -> Zeroizing<String> {
    // Room for line ends where there were none: a text that grows leaves what it had behind.
    let mut kept = Zeroizing::new(String::with_capacity(text.len() + text.len() / 8 + 256));
    for block in blocks(text).filter(|block| wanted(block.label)) {
        let mut push = |parts: [&str; 3]| parts.iter().for_each(|part| kept.push_str(part));
        push(["-----BEGIN ", block.label, "-----\n"]);
        let lines = block.body.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.for_each(|line| push([line, "\n", ""]));
        if block.is_whole {
            push(["-----END ", block.label, "-----\n"]);
        }
    }
    kept
}

/// What stands within the blocks.
pub(super) fn bodies(text: &str) -> Vec<&str> {
    blocks(text).map(|block| block.body).collect()
}

impl Block<'_> {
    /// Its bytes; `None` where it is cut, or not base64.
    pub(super) fn decoded(&self) -> Option<Zeroizing<Vec<u8>>> {
        let packed: Vec<u8> = self.body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let packed = Zeroizing::new(packed);
        BASE64_STANDARD.decode(&*packed).ok().filter(|_| self.is_whole).map(Zeroizing::new)
    }
}
