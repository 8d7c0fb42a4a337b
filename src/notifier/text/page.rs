//! One text: how its pieces stand together, and how much of a limit they take.
//!
//! What every unit of a budget counts is additive, so the length of a text is the sum of its pieces.

use super::Composed;
use super::markup::plain;
use crate::notifier::script::{Line, Markup, Span, Unit};

/// How long a whole text is, as the limit of a channel counts it.
pub fn measure(text: &str, unit: Unit) -> usize {
    let quotes = if unit == Unit::JsonBytes { 2 } else { 0 };
    cost(text, unit) + quotes
}

/// How much a piece takes of a limit.
pub(super) fn cost(text: &str, unit: Unit) -> usize {
    match unit {
        Unit::Bytes => text.len(),
        Unit::Characters => text.chars().count(),
        Unit::JsonBytes => text.bytes().map(json_cost).sum(),
    }
}

/// As `serde_json` writes it.
fn json_cost(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// Lines of one block, with their markup.
pub(super) fn lines(lines: &[Line], markup: &dyn Markup) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push_str(markup.line_break());
        }
        markup.line(line, &mut text);
    }
    text
}

/// What is said on one page beside title and footer. Everything has its markup already.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) opening: String,
    pub(super) entries: Vec<String>,
    pub(super) more: String,
    pub(super) closing: String,
}

/// What is the same on every page.
pub(super) struct Frame<'a> {
    pub(super) markup: &'a dyn Markup,
    pub(super) unit: Unit,
    pub(super) title: Line,
    pub(super) footer: String,
    /// Between two entries.
    pub(super) gap: &'static str,
}

impl Frame<'_> {
    /// What title and footer take, when there are so many pages.
    pub(super) fn cost(&self, of: usize) -> usize {
        measure(&self.titled(of, of), self.unit) + self.cost_of_block(&self.footer)
    }

    /// A block and the break before it; nothing if it is empty.
    pub(super) fn cost_of_block(&self, text: &str) -> usize {
        if text.is_empty() { 0 } else { cost(text, self.unit) + cost(self.markup.block_break(), self.unit) }
    }

    /// What a page takes beside title and footer.
    pub(super) fn cost_of_page(&self, page: &Page) -> usize {
        [&page.opening, &self.list(page), &page.closing].map(|block| self.cost_of_block(block)).iter().sum()
    }

    /// So many of the entries fit.
    pub(super) fn fitting(&self, entries: &[Option<String>], room: usize) -> usize {
        let gap = cost(self.gap, self.unit);
        let mut used = cost(self.markup.block_break(), self.unit).saturating_sub(gap);
        let fits = |entry: &&Option<String>| {
            used += entry.as_ref().map_or(0, |text| cost(text, self.unit) + gap);
            used <= room
        };
        entries.iter().take_while(fits).count()
    }

    /// The text of a page.
    pub(super) fn write(&self, page: &Page, at: usize, of: usize) -> Composed {
        let (title, list) = (self.titled(at, of), self.list(page));
        let blocks = [&title, &page.opening, &list, &page.closing, &self.footer];
        let blocks: Vec<&str> =
            blocks.into_iter().filter(|block| !block.is_empty()).map(String::as_str).collect();
        Composed { title: plain(&self.numbered(at, of)), text: blocks.join(self.markup.block_break()) }
    }

    fn list(&self, page: &Page) -> String {
        let more = (!page.more.is_empty()).then_some(&page.more);
        page.entries.iter().chain(more).map(String::as_str).collect::<Vec<_>>().join(self.gap)
    }

    /// The title with its markup.
    pub(super) fn titled(&self, at: usize, of: usize) -> String {
        let mut title = String::new();
        self.markup.title(&self.numbered(at, of), &mut title);
        title
    }

    fn numbered(&self, at: usize, of: usize) -> Line {
        let mut title = self.title.clone();
        if of > 1 {
            title.push(Span::Own(format!(" ({at}/{of})")));
        }
        title
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_as_the_channels_count_them() {
        for (name, text, bytes, json, characters) in [
            ("ASCII", "abc", 3, 5, 3),
            ("Chinese", "订单", 6, 8, 2),
            ("quotes and breaks", "\"a\\\n\t", 5, 11, 5),
            ("control", "\u{1}\u{7f}", 2, 9, 2),
        ] {
            assert_eq!(measure(text, Unit::Bytes), bytes, "{name}");
            assert_eq!(measure(text, Unit::Characters), characters, "{name}");
            assert_eq!(measure(text, Unit::JsonBytes), json, "{name}");
            assert_eq!(serde_json::to_string(text).expect("a text").len(), json, "{name}");
        }
    }
}
