//! When a renewal may run: the operator's hours or the cloud's own window, less the blackout dates.
//!
//! Of a local time that comes twice or not at all, only what lies within the hours by every reading is open.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::domain::calendar::{day_of, hours_surely_on};
use crate::domain::policy::Hours;

/// Windows are looked for this many days ahead: a day of the week comes again after seven, a blackout may hold a season.
const AHEAD: u64 = 400;

/// A stretch of time, its end not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Its first moment.
    pub begin: DateTime<Utc>,
    /// The first moment after it.
    pub end: DateTime<Utc>,
}

impl Span {
    /// Whether a moment is in it.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.begin <= at && at < self.end
    }

    /// What is left of it from a moment on.
    pub fn left(&self, from: DateTime<Utc>) -> TimeDelta {
        self.end - self.begin.max(from)
    }

    /// What remains on both sides of another.
    fn without(self, closed: Self) -> impl Iterator<Item = Self> {
        let before = Self { end: self.end.min(closed.begin), ..self };
        let after = Self { begin: self.begin.max(closed.end), ..self };
        [before, after].into_iter().filter(|span| span.begin < span.end)
    }
}

/// When it is open, blackout dates apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// In hours of a zone.
    Local {
        /// The zone.
        zone: Tz,
        /// The hours.
        hours: Hours,
    },
    /// Every day between two times of UTC; over midnight where the second is the earlier one.
    Daily {
        /// Begin.
        from: NaiveTime,
        /// End.
        to: NaiveTime,
    },
}

impl Opening {
    /// The maintenance window as clouds report it, `18:00Z-22:00Z`. Anything else, and a window without length, is
    /// `None`: a guess might be eight hours off.
    pub fn reported(text: &str) -> Option<Self> {
        let (from, to) = text.trim().split_once('-')?;
        let time = |text: &str| {
            let digits = text.strip_suffix('Z').filter(|digits| digits.len() == 5)?;
            NaiveTime::parse_from_str(digits, "%H:%M").ok()
        };
        let (from, to) = (time(from)?, time(to)?);
        (from != to).then_some(Self::Daily { from, to })
    }

    fn zone(&self) -> Tz {
        match self {
            Self::Local { zone, .. } => *zone,
            Self::Daily { .. } => Tz::UTC,
        }
    }

    /// The stretch that begins on a day, where one does.
    fn on(&self, day: NaiveDate) -> Option<Span> {
        let (begin, end) = match self {
            Self::Local { zone, hours } => {
                if !hours.days.contains(&chrono::Datelike::weekday(&day)) {
                    return None;
                }
                hours_surely_on(hours, *zone, day)?
            }
            Self::Daily { from, to } => {
                let last = if to <= from { day.succ_opt()? } else { day };
                (day.and_time(*from).and_utc(), last.and_time(*to).and_utc())
            }
        };
        Some(Span { begin, end })
    }

    /// The stretches of the days from the one before a moment on.
    fn from(&self, from: DateTime<Utc>) -> impl Iterator<Item = Span> {
        let first = from.with_timezone(&self.zone()).date_naive().pred_opt();
        let days = (0..AHEAD).filter_map(move |ahead| first?.checked_add_days(Days::new(ahead)));
        days.filter_map(|day| self.on(day)).filter(move |span| span.end > from)
    }
}

/// When something may run, all considered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable<'a> {
    /// When it is open.
    pub opening: Opening,
    /// Except for these whole days,
    pub blackout: &'a [NaiveDate],
    /// of each of these zones.
    pub zones: Vec<Tz>,
}

/// Where a moment lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In a window with time enough left.
    Open(Span),
    /// In a window of which too little is left.
    Closing,
    /// On a blackout date.
    Blackout,
    /// In no window.
    Closed,
}

impl Timetable<'_> {
    /// Every window from a moment on of which at least `need` is left then, soonest first. The first may have begun
    /// already.
    pub fn windows(&self, from: DateTime<Utc>, need: TimeDelta) -> impl Iterator<Item = Span> {
        let pieces = self.opening.from(from).flat_map(|span| self.pieces(span));
        pieces.filter(move |piece| piece.end > from && piece.left(from) >= need)
    }

    /// The next window with time enough, now or later.
    pub fn next_window(&self, from: DateTime<Utc>, need: TimeDelta) -> Option<Span> {
        self.windows(from, need).next()
    }

    /// Where a moment lies.
    pub fn standing(&self, at: DateTime<Utc>, need: TimeDelta) -> Standing {
        if self.is_blackout(at) {
            return Standing::Blackout;
        }
        match self.next_window(at, TimeDelta::zero()) {
            Some(window) if window.contains(at) && window.left(at) >= need => Standing::Open(window),
            Some(window) if window.contains(at) => Standing::Closing,
            _ => Standing::Closed,
        }
    }

    /// Whether a moment is on a blackout date.
    pub fn is_blackout(&self, at: DateTime<Utc>) -> bool {
        let day = |zone: &Tz| at.with_timezone(zone).date_naive();
        self.zones.iter().any(|zone| self.blackout.contains(&day(zone)))
    }

    /// Whether a window is one as it was opened, nothing cut off by a blackout: what the cloud does in it stays in it.
    pub fn is_whole(&self, window: Span) -> bool {
        self.opening.from(window.begin).any(|span| span == window)
    }

    fn pieces(&self, span: Span) -> Vec<Span> {
        let near = TimeDelta::days(2);
        let mut open = vec![span];
        for zone in &self.zones {
            for day in self.blackout {
                let (begin, end) = day_of(*zone, *day);
                if end + near > span.begin && begin - near < span.end {
                    open = open.into_iter().flat_map(|piece| piece.without(Span { begin, end })).collect();
                }
            }
        }
        open
    }
}
