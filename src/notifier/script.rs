//! A message in words of one language, before it has the markup of a channel.
//!
//! Own words and foreign text (names, subjects, errors: chosen by others) are kept apart up to the last moment, so that
//! each channel escapes what is foreign in its own way and nothing else.

use chrono::{DateTime, Utc};

use crate::domain::alert::message::Tone;
use crate::domain::policy::Locale;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Our own words; never anything that came from outside.
    Own(String),
    /// Our own words, stressed.
    Strong(String),
    /// Chosen by others: escaped, control characters out, newlines to spaces.
    Foreign(String),
    /// Chosen by others, and the name by which it is recognised: stressed where the markup allows it.
    Name(String),
    /// An id, as code where the markup allows it. Foreign as well.
    Code(String),
    /// A moment; channels that can show it in the reader's own zone do.
    Moment {
        /// When.
        at: DateTime<Utc>,
        /// In words: UTC and the configured zone with its offset.
        shown: String,
    },
    /// A link.
    Link {
        /// Own words.
        label: String,
        /// Where to.
        url: String,
    },
}

/// One line.
pub type Line = Vec<Span>;

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Colour.
    pub tone: Tone,
    /// `[CRITICAL] 3 certificates expire within 7 days`, without markup; own words only, but for names.
    pub title: Line,
    /// Before the entries: how things stand, in a digest.
    pub opening: Vec<Line>,
    /// One for each item, in order.
    pub entries: Vec<Entry>,
    /// How many items are not among the entries.
    pub left_out: usize,
    /// Behind the entries: what to do, link to the status page.
    pub closing: Vec<Line>,
    /// Small print: `notafter · route 2 · evt_…`
    pub footer: Line,
    /// Language of what the composer itself adds (`… and N more`).
    pub locale: Locale,
}

/// One item of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its own colour.
    pub tone: Tone,
    /// Name and place.
    pub head: Line,
    /// Facts, one a line: when, how long, what to do.
    pub lines: Vec<Line>,
    /// Everything in one line, for long lists.
    pub short: Line,
    /// Where to look at it, where known.
    pub link: Option<String>,
    /// What it counts as where there is no room for it: its service, where it has one.
    pub group: Option<String>,
}

/// So many entries are shown with all their lines; more become one line each.
pub const DETAILED: usize = 3;

/// How a channel writes. Everything is pushed onto the end of a text.
pub trait Markup {
    /// One piece, escaped.
    fn span(&self, span: &Span, out: &mut String);

    /// The heading; plain by default.
    fn title(&self, title: &Line, out: &mut String) {
        self.line(title, out);
    }

    /// Before an entry (a bullet, for example).
    fn before_entry(&self, _tone: Tone, _out: &mut String) {}

    /// Small print.
    fn footer(&self, footer: &Line, out: &mut String) {
        self.line(footer, out);
    }

    /// Between two lines of one block.
    fn line_break(&self) -> &'static str {
        "\n"
    }

    /// Between two blocks.
    fn block_break(&self) -> &'static str {
        "\n\n"
    }

    /// A whole line.
    fn line(&self, line: &Line, out: &mut String) {
        for span in line {
            self.span(span, out);
        }
    }
}

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Of each part.
    pub limit: usize,
    /// What is counted.
    pub unit: Unit,
    /// So many parts at most.
    pub parts: usize,
}

/// What the limit of a channel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// UTF-8 bytes.
    Bytes,
    /// Bytes of the text as a JSON string: quotes, backslashes and newlines cost more.
    JsonBytes,
    /// Characters.
    Characters,
}
