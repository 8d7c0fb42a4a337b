//! What stands around every page: its language, its style, who made it when, and the way to the others.

use chrono::{DateTime, Utc};

use super::more_words::MoreWords;
use super::times::Stamp;
use super::words::{Words, fill};
use super::{STYLE, version_of};
use crate::web::context::PageContext;

/// What stands around a page.
#[derive(Debug)]
pub struct Frame {
    /// Every text.
    pub w: &'static Words,
    /// More of them.
    pub m: &'static MoreWords,
    /// The way from the page to where the overview is: empty, or `../`.
    pub root: &'static str,
    /// The version of the style sheet.
    pub style: String,
    /// The version of the daemon.
    pub version: String,
    /// For how long it runs.
    pub uptime: String,
    /// When the page was made.
    pub now: Stamp,
    /// The name of the configured zone, unless it is UTC.
    pub zone: Option<&'static str>,
    /// To the overview.
    pub home: String,
    /// To the calendar, in the language of the page.
    pub calendar: String,
    /// The same page in the other language.
    pub turned: String,
}

impl Frame {
    /// Of a page that is `here`, as a link from itself.
    pub fn new(root: &'static str, here: &str, now: DateTime<Utc>, context: &PageContext<'_>) -> Self {
        let (tongue, w) = (context.tongue, context.tongue.words);
        Self {
            w,
            m: w.more,
            root,
            style: version_of(STYLE),
            version: context.version.to_owned(),
            uptime: fill(w.up_for, &[&w.length(now - context.started_at)]),
            now: Stamp::new(now, context.timezone),
            zone: (context.timezone != chrono_tz::Tz::UTC).then(|| context.timezone.name()),
            home: tongue.keep(if root.is_empty() { "./" } else { root }),
            calendar: format!("{root}calendar.ics?lang={}", w.locale.as_str()),
            turned: tongue.turned(here),
        }
    }
}
