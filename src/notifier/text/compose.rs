//! From words to texts within a budget: nothing is cut inside of an item, nothing is left out without being counted.
//!
//! One page if everything fits, else as many numbered ones as the budget allows; behind the last item stands how many
//! more there are, by service. A page that is not the last always leaves at least one item for the next.

use std::cmp::Reverse;

use super::Composed;
use super::page::{Frame, Page, cost, lines};
use super::phrase::{counted, fill, foreign, joined, own};
use super::words::{Words, words};
use crate::notifier::script::{Budget, DETAILED, Entry, Line, Markup, Script, Span};

/// A foreign piece of an item that is too large is not cut below so many characters.
const SHORTEST_PIECE: usize = 8;
/// Of what is left out so many services are counted apart.
const LISTED_GROUPS: usize = 8;
/// The title and what stands behind the items take at most this share of a budget.
const SHARE: usize = 3;

/// A message in words as texts, each within the budget. Never empty.
pub fn compose(script: &Script, markup: &dyn Markup, budget: Budget) -> Vec<Composed> {
    let composer = Composer::new(script, markup, budget);
    let pages = composer.pages();
    let of = pages.len();
    pages.iter().enumerate().map(|(at, page)| composer.frame.write(page, at + 1, of)).collect()
}

/// `… and 42 more: redis 30 · rds 12`; nothing if there are none.
pub(super) fn more(unfit: &[&Entry], left_out: usize, words: &Words) -> Line {
    let count = unfit.len() + left_out;
    if count == 0 {
        return Line::new();
    }
    let groups = groups(unfit);
    let other = count - groups.iter().map(|(_, count)| count).sum::<usize>();
    let number = |what: Line, count: usize| joined([what, own(count.to_string())], " ");
    let mut listed: Vec<Line> = groups.iter().map(|(group, count)| number(foreign(group), *count)).collect();
    if listed.is_empty() {
        return own(counted(words.more, count, &[]));
    }
    if other > 0 {
        listed.push(number(own(words.other), other));
    }
    fill(words.more_of, &[own(count.to_string()), joined(listed, words.dot)])
}

fn groups<'e>(entries: &[&'e Entry]) -> Vec<(&'e str, usize)> {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for group in entries.iter().filter_map(|entry| entry.group.as_deref()) {
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, count)) => *count += 1,
            None => groups.push((group, 1)),
        }
    }
    groups.sort_by_key(|(_, count)| Reverse(*count));
    groups.truncate(LISTED_GROUPS);
    groups
}

struct Composer<'a> {
    script: &'a Script,
    words: &'static Words,
    frame: Frame<'a>,
    budget: Budget,
    closing: String,
    /// Of a page, when there are as many as allowed.
    room: usize,
    /// What the closing and the longest number of those left out take of it.
    behind: usize,
}

impl<'a> Composer<'a> {
    fn new(script: &'a Script, markup: &'a dyn Markup, budget: Budget) -> Self {
        let budget = Budget { parts: budget.parts.max(1), ..budget };
        let mut footer = String::new();
        markup.footer(&script.footer, &mut footer);
        let detailed = script.entries.len() <= DETAILED;
        let gap = if detailed { markup.block_break() } else { markup.line_break() };
        let frame = Frame { markup, unit: budget.unit, title: script.title.clone(), footer, gap };
        let closing = lines(&script.closing, markup);
        let words = words(script.locale);
        let mut composer = Self { script, words, frame, budget, closing, room: 0, behind: 0 };
        composer.measure();
        composer
    }

    /// A title of hostile length, and a link that leaves room for nothing else, give way.
    fn measure(&mut self) {
        let (most, of) = (self.budget.limit / SHARE, self.budget.parts);
        while self.cost(&self.frame.titled(of, of)) > most
            && shorten(std::slice::from_mut(&mut self.frame.title))
        {}
        if self.cost(&self.closing) > most {
            self.closing.clear();
        }
        self.room = self.budget.limit.saturating_sub(self.frame.cost(of));
        let everything: Vec<&Entry> = self.script.entries.iter().collect();
        let more = self.more(&everything);
        self.behind = self.frame.cost_of_block(&more) + self.frame.cost_of_block(&self.closing);
    }

    /// Everything on one page, or else as many numbered ones as the budget allows.
    fn pages(&self) -> Vec<Page> {
        let entries: Vec<_> = self.script.entries.iter().map(|entry| self.entry(entry)).collect();
        let opening = self.opening();
        let single = self.budget.limit.saturating_sub(self.frame.cost(1));
        let page = self.last_page(opening.clone(), &entries, 0);
        if self.frame.cost_of_page(&page) <= single {
            return vec![page];
        }
        let mut pages: Vec<Page> = Vec::new();
        let mut at = 0;
        loop {
            let opening = if pages.is_empty() { opening.clone() } else { String::new() };
            let page = self.last_page(opening.clone(), &entries, at);
            if self.frame.cost_of_page(&page) <= self.room {
                pages.push(page);
                return pages;
            }
            if pages.len() + 1 == self.budget.parts {
                pages.push(self.overflowing_page(&opening, &entries, at));
                return pages;
            }
            let room = self.room.saturating_sub(self.frame.cost_of_block(&opening));
            let most = entries.len().saturating_sub(at + 1);
            let end = at + self.frame.fitting(&entries[at..], room).min(most);
            pages.push(Page { opening, entries: shown(&entries[at..end]), ..Page::default() });
            at = end;
        }
    }

    /// The rest, with everything that stands behind it.
    fn last_page(&self, opening: String, entries: &[Option<String>], at: usize) -> Page {
        self.page_until(opening, entries, at, entries.len())
    }

    /// As many of the rest as fit together with the number of those that do not.
    fn overflowing_page(&self, opening: &str, entries: &[Option<String>], at: usize) -> Page {
        let mut end = at + self.frame.fitting(&entries[at..], self.room);
        loop {
            let page = self.page_until(opening.to_owned(), entries, at, end);
            if end == at || self.frame.cost_of_page(&page) <= self.room {
                return page;
            }
            end -= 1;
        }
    }

    fn page_until(&self, opening: String, entries: &[Option<String>], at: usize, end: usize) -> Page {
        let all = self.script.entries.iter().zip(entries).enumerate();
        let unfit: Vec<&Entry> =
            all.filter(|(at, (_, text))| *at >= end || text.is_none()).map(|(_, (entry, _))| entry).collect();
        let more = self.more(&unfit);
        Page { opening, entries: shown(&entries[at..end]), more, closing: self.closing.clone() }
    }

    /// An entry with its markup, shortened until it fits on a page of its own; `None` if it never does.
    fn entry(&self, entry: &Entry) -> Option<String> {
        let room = self.room.saturating_sub(self.behind);
        let whole = std::iter::once(&entry.head).chain(&entry.lines).cloned().collect();
        let short = vec![entry.short.clone()];
        let detailed = self.script.entries.len() <= DETAILED;
        let forms: Vec<Vec<Line>> = if detailed { vec![whole, short] } else { vec![short] };
        forms.into_iter().find_map(|form| self.shortened(entry, form, room))
    }

    fn shortened(&self, entry: &Entry, mut form: Vec<Line>, room: usize) -> Option<String> {
        loop {
            let mut text = String::new();
            self.frame.markup.before_entry(entry.tone, &mut text);
            text.push_str(&lines(&form, self.frame.markup));
            if self.frame.cost_of_block(&text) <= room {
                return Some(text);
            }
            if !shorten(&mut form) {
                return None;
            }
        }
    }

    /// The lines of the opening, as many as leave room for what stands behind.
    fn opening(&self) -> String {
        let opening = |count: usize| lines(&self.script.opening[..count], self.frame.markup);
        let room = self.room.saturating_sub(self.behind);
        let fits = |count: &usize| self.frame.cost_of_block(&opening(*count)) <= room;
        let count = (0..=self.script.opening.len()).rev().find(fits).unwrap_or(0);
        opening(count)
    }

    fn more(&self, unfit: &[&Entry]) -> String {
        let more = more(unfit, self.script.left_out, self.words);
        lines(&[more], self.frame.markup)
    }

    fn cost(&self, text: &str) -> usize {
        cost(text, self.budget.unit)
    }
}

fn shown(entries: &[Option<String>]) -> Vec<String> {
    entries.iter().flatten().cloned().collect()
}

/// Halves the longest piece that others chose; `false` if there is none that is long.
fn shorten(lines: &mut [Line]) -> bool {
    let foreign = lines.iter_mut().flatten().filter_map(|span| match span {
        Span::Foreign(text) | Span::Name(text) | Span::Code(text) => Some(text),
        _ => None,
    });
    let longest = foreign.map(|text| (text.chars().count(), text)).max_by_key(|(count, _)| *count);
    let Some((count, text)) = longest.filter(|(count, _)| *count > SHORTEST_PIECE) else { return false };
    *text = text.chars().take(count / 2).collect::<String>() + "…";
    true
}
