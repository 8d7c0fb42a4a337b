//! From words to texts within a budget: nothing is cut inside of an item, nothing is left out without being counted.
//!
//! What every unit of a budget counts is additive, so the length of a text is the sum of its pieces, and a list of
//! hundreds is laid out in one pass.

use super::Composed;
use super::markup::plain;
use super::phrase::{counted, fill, foreign, joined, own};
use super::words::{Words, words};
use crate::notifier::script::{Budget, DETAILED, Entry, Line, Markup, Script, Span, Unit};

/// A foreign piece of an item that is too large is not cut below so many characters.
const SHORTEST_PIECE: usize = 8;
/// Of what is left out so many kinds are counted apart.
const LISTED_GROUPS: usize = 8;
/// The title takes at most this share of a budget.
const TITLE_SHARE: usize = 3;

/// A message in words as texts, each within the budget. Never empty.
pub fn compose(script: &Script, markup: &dyn Markup, budget: Budget) -> Vec<Composed> {
    let composer = Composer::new(script, markup, budget);
    let pages = composer.pages();
    let of = pages.len();
    pages.iter().enumerate().map(|(at, page)| composer.write(page, at + 1, of)).collect()
}

/// How much a text takes of a limit, without what stands around the whole.
pub fn cost(text: &str, unit: Unit) -> usize {
    match unit {
        Unit::Bytes => text.len(),
        Unit::Characters => text.chars().count(),
        Unit::JsonBytes => text.bytes().map(json_cost).sum(),
    }
}

/// How long a whole text is, as the limit of a channel counts it.
pub fn measure(text: &str, unit: Unit) -> usize {
    cost(text, unit) + if unit == Unit::JsonBytes { 2 } else { 0 }
}

fn json_cost(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// What one text holds.
#[derive(Debug, Default)]
struct Page {
    opening: String,
    entries: Vec<String>,
    more: String,
    closing: String,
}

struct Composer<'a> {
    script: &'a Script,
    markup: &'a dyn Markup,
    budget: Budget,
    words: &'static Words,
    /// Between two entries.
    gap: &'static str,
    title: Line,
    closing: String,
    /// What the closing and the longest number of those left out take.
    behind: usize,
}

impl<'a> Composer<'a> {
    fn new(script: &'a Script, markup: &'a dyn Markup, budget: Budget) -> Self {
        let budget = Budget { parts: budget.parts.max(1), ..budget };
        let detailed = script.entries.len() <= DETAILED;
        let gap = if detailed { markup.block_break() } else { markup.line_break() };
        let mut composer = Self {
            script,
            markup,
            budget,
            words: words(script.locale),
            gap,
            title: script.title.clone(),
            closing: lines(&script.closing, markup),
            behind: 0,
        };
        composer.shorten_frame();
        let everything: Vec<&Entry> = script.entries.iter().collect();
        composer.behind =
            composer.cost_of_block(&composer.more(&everything)) + composer.cost_of_block(&composer.closing);
        composer
    }

    /// A title of hostile length, and a link that leaves room for nothing else, give way.
    fn shorten_frame(&mut self) {
        while self.cost(&self.titled(self.budget.parts, self.budget.parts)) > self.budget.limit / TITLE_SHARE
            && shorten(std::slice::from_mut(&mut self.title))
        {}
        if self.cost(&self.closing) > self.budget.limit / TITLE_SHARE {
            self.closing.clear();
        }
    }

    /// Everything on one page, or else as many numbered ones as the budget allows.
    fn pages(&self) -> Vec<Page> {
        let opening = self.opening();
        let entries: Vec<Option<String>> =
            self.script.entries.iter().map(|entry| self.entry(entry)).collect();
        let room = self.room(1).saturating_sub(self.cost_of_block(&opening));
        if let Some(page) = self.last_page(&entries, 0, room) {
            return vec![Page { opening, ..page }];
        }
        let mut pages: Vec<Page> = Vec::new();
        let mut at = 0;
        loop {
            let opening = if pages.is_empty() { opening.clone() } else { String::new() };
            let room = self.room(self.budget.parts).saturating_sub(self.cost_of_block(&opening));
            if let Some(page) = self.last_page(&entries, at, room) {
                pages.push(Page { opening, ..page });
                return pages;
            }
            if pages.len() + 1 == self.budget.parts {
                pages.push(Page { opening, ..self.overflowing_page(&entries, at, room) });
                return pages;
            }
            let most = entries.len().saturating_sub(at + 1);
            let count = self.fitting(&entries[at..], room).min(most);
            pages.push(Page { opening, entries: shown(&entries[at..at + count]), ..Page::default() });
            at += count;
        }
    }

    /// The rest, with everything that stands behind it; `None` if that is too much.
    fn last_page(&self, entries: &[Option<String>], at: usize, room: usize) -> Option<Page> {
        let unfit: Vec<&Entry> = self.unfit(entries, entries.len());
        let page = Page {
            entries: shown(&entries[at..]),
            more: self.more(&unfit),
            closing: self.closing.clone(),
            ..Page::default()
        };
        (self.cost_of_page(&page) <= room).then_some(page)
    }

    /// As many of the rest as fit together with the number of those that do not.
    fn overflowing_page(&self, entries: &[Option<String>], at: usize, room: usize) -> Page {
        let mut count = self.fitting(&entries[at..], room);
        loop {
            let page = Page {
                entries: shown(&entries[at..at + count]),
                more: self.more(&self.unfit(entries, at + count)),
                closing: self.closing.clone(),
                ..Page::default()
            };
            if count == 0 || self.cost_of_page(&page) <= room {
                return page;
            }
            count -= 1;
        }
    }

    /// Those that are on no page: too large for any, or behind the last.
    fn unfit(&self, entries: &[Option<String>], end: usize) -> Vec<&Entry> {
        let all = self.script.entries.iter().zip(entries).enumerate();
        all.filter(|(at, (_, text))| *at >= end || text.is_none()).map(|(_, (entry, _))| entry).collect()
    }

    /// So many of the entries fit.
    fn fitting(&self, entries: &[Option<String>], room: usize) -> usize {
        let (mut used, mut any) = (self.cost(self.markup.block_break()), false);
        for (at, entry) in entries.iter().enumerate() {
            let Some(text) = entry else { continue };
            used += self.cost(text) + if any { self.cost(self.gap) } else { 0 };
            any = true;
            if used > room {
                return at;
            }
        }
        entries.len()
    }

    /// An entry with its markup, shortened until it fits on a page of its own; `None` if it never does.
    fn entry(&self, entry: &Entry) -> Option<String> {
        let breaks = self.cost(self.markup.block_break());
        let room = self.room(self.budget.parts).saturating_sub(self.behind + breaks);
        let whole = std::iter::once(&entry.head).chain(&entry.lines).cloned().collect();
        let short = vec![entry.short.clone()];
        let forms = if self.script.entries.len() <= DETAILED { vec![whole, short] } else { vec![short] };
        forms.into_iter().find_map(|mut form: Vec<Line>| {
            loop {
                let mut text = String::new();
                self.markup.before_entry(entry.tone, &mut text);
                text.push_str(&lines(&form, self.markup));
                if self.cost(&text) <= room {
                    return Some(text);
                }
                if !shorten(&mut form) {
                    return None;
                }
            }
        })
    }

    /// The lines of the opening, as many as leave room for what stands behind.
    fn opening(&self) -> String {
        let room = self.room(self.budget.parts).saturating_sub(self.behind);
        let most = self.script.opening.len();
        let fits =
            |count: &usize| self.cost_of_block(&lines(&self.script.opening[..*count], self.markup)) <= room;
        let count = (0..=most).rev().find(fits).unwrap_or(0);
        lines(&self.script.opening[..count], self.markup)
    }

    /// `… and 42 more: redis 30 · rds 12`
    fn more(&self, unfit: &[&Entry]) -> String {
        let count = unfit.len() + self.script.left_out;
        if count == 0 {
            return String::new();
        }
        let mut groups: Vec<(&str, usize)> = Vec::new();
        for group in unfit.iter().filter_map(|entry| entry.group.as_deref()) {
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, count)) => *count += 1,
                None => groups.push((group, 1)),
            }
        }
        groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        groups.truncate(LISTED_GROUPS);
        let other = count - groups.iter().map(|(_, count)| count).sum::<usize>();
        let number = |count: usize| own(format!(" {count}"));
        let mut listed: Vec<Line> =
            groups.iter().map(|(group, count)| joined([foreign(group), number(*count)], "")).collect();
        let line = if listed.is_empty() {
            own(counted(self.words.more, count, &[]))
        } else {
            if other > 0 {
                listed.push(joined([own(self.words.other), number(other)], ""));
            }
            fill(self.words.more_of, &[own(count.to_string()), joined(listed, self.words.dot)])
        };
        lines(&[line], self.markup)
    }

    /// What is left of a page beside title and footer, when there are so many.
    fn room(&self, of: usize) -> usize {
        let mut footer = String::new();
        self.markup.footer(&self.script.footer, &mut footer);
        let frame = measure(&self.titled(of, of), self.budget.unit) + self.cost_of_block(&footer);
        self.budget.limit.saturating_sub(frame)
    }

    fn cost(&self, text: &str) -> usize {
        cost(text, self.budget.unit)
    }

    /// A block and the break before it; nothing if it is empty.
    fn cost_of_block(&self, text: &str) -> usize {
        if text.is_empty() { 0 } else { self.cost(text) + self.cost(self.markup.block_break()) }
    }

    fn cost_of_page(&self, page: &Page) -> usize {
        [self.list(page), page.closing.clone()].iter().map(|block| self.cost_of_block(block)).sum()
    }

    fn list(&self, page: &Page) -> String {
        let more = (!page.more.is_empty()).then_some(&page.more);
        page.entries.iter().chain(more).map(String::as_str).collect::<Vec<_>>().join(self.gap)
    }

    fn numbered(&self, at: usize, of: usize) -> Line {
        let mut title = self.title.clone();
        if of > 1 {
            title.push(Span::Own(format!(" ({at}/{of})")));
        }
        title
    }

    fn titled(&self, at: usize, of: usize) -> String {
        let mut title = String::new();
        self.markup.title(&self.numbered(at, of), &mut title);
        title
    }

    fn write(&self, page: &Page, at: usize, of: usize) -> Composed {
        let mut footer = String::new();
        self.markup.footer(&self.script.footer, &mut footer);
        let blocks =
            [self.titled(at, of), page.opening.clone(), self.list(page), page.closing.clone(), footer];
        let blocks: Vec<String> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
        let text = blocks.join(self.markup.block_break());
        Composed { title: plain(&self.numbered(at, of)), text }
    }
}

fn shown(entries: &[Option<String>]) -> Vec<String> {
    entries.iter().flatten().cloned().collect()
}

fn lines(lines: &[Line], markup: &dyn Markup) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push_str(markup.line_break());
        }
        markup.line(line, &mut text);
    }
    text
}

/// Halves the longest piece that others chose; `false` if there is none that is long.
fn shorten(lines: &mut [Line]) -> bool {
    let longest = lines.iter_mut().flatten().filter_map(|span| match span {
        Span::Foreign(text) | Span::Name(text) | Span::Code(text) => Some(text),
        _ => None,
    });
    let Some(text) = longest.max_by_key(|text| text.chars().count()) else { return false };
    let count = text.chars().count();
    if count <= SHORTEST_PIECE {
        return false;
    }
    *text = text.chars().take(count / 2).collect::<String>() + "…";
    true
}
