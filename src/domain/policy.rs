//! What the operator wants, as plain values: how often to look, when to speak, what may be renewed.
//!
//! Decisions take these as arguments. Nothing in here knows how settings are written in a file; the defaults are
//! the documented ones.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;

use super::matcher::Matcher;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Locale {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
}

/// How often the clouds are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollPolicy {
    /// While the cloud answers, no certificate's data is older than this.
    pub max_age: Duration,
    /// The shortest time between two looks at one resource.
    pub min_interval: Duration,
    /// Each scope is listed this often.
    pub discover_every: Duration,
    /// One call, from connect to the last byte.
    pub timeout: Duration,
    /// Calls in flight, in all.
    pub concurrency: usize,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(6 * HOUR),
            min_interval: Duration::from_secs(10 * MINUTE),
            discover_every: Duration::from_secs(HOUR),
            timeout: Duration::from_secs(15),
            concurrency: 64,
        }
    }
}

/// How close to its end a certificate enters each stage; each shorter than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Worth knowing.
    pub info: Duration,
    /// Worth planning.
    pub warning: Duration,
    /// Worth being woken for.
    pub critical: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        let days = |n| Duration::from_secs(n * DAY);
        Self { info: days(30), warning: days(14), critical: days(7) }
    }
}

/// How long a stage that was told stays quiet before it is told again. Info is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remind {
    /// In stage warning.
    pub warning: Duration,
    /// In stage critical.
    pub critical: Duration,
    /// After the end.
    pub expired: Duration,
}

impl Default for Remind {
    fn default() -> Self {
        let hours = |n| Duration::from_secs(n * HOUR);
        Self { warning: hours(72), critical: hours(24), expired: hours(24) }
    }
}

/// When something is worth telling.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPolicy {
    /// For everything that no override matches.
    pub thresholds: Thresholds,
    /// First match wins.
    pub overrides: Vec<(Matcher, Thresholds)>,
    /// Reminders.
    pub remind: Remind,
    /// A scope that could not be read for this long (and three rounds) is told of.
    pub blind_after: Duration,
    /// Messages show UTC and this.
    pub timezone: Tz,
    /// Through this channel people are told that another one does not deliver, where no other does it.
    pub fallback_channel: Option<String>,
    /// Every channel gets a message then, to see that it still arrives.
    pub test: Option<Digest>,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            overrides: Vec::new(),
            remind: Remind::default(),
            blind_after: Duration::from_secs(HOUR),
            timezone: Tz::UTC,
            fallback_channel: None,
            test: None,
        }
    }
}

/// Which alerts go to which channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Everything, where there is none.
    pub matcher: Option<Matcher>,
    /// Names of channels; at least one.
    pub channels: Vec<String>,
    /// How long the first event of a round waits for others to share its message.
    pub group_wait: Duration,
    /// Reminders and what can wait are collected until then.
    pub digest: Option<Digest>,
    /// Hours in which info and warning wait.
    pub quiet: Option<Quiet>,
    /// In place of those of [`AlertPolicy`].
    pub thresholds: Option<Thresholds>,
    /// Whether good news is told as well.
    pub send_renewed: bool,
    /// Whether later routes are asked too.
    pub proceed: bool,
}

impl Route {
    /// How long a message waits for company unless a route says otherwise.
    pub const GROUP_WAIT: Duration = Duration::from_secs(MINUTE);
}

/// A message at a fixed time of day, in the zone of [`AlertPolicy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Time of day.
    pub at: NaiveTime,
    /// On these days.
    pub days: Vec<Weekday>,
    /// Also when there is nothing to say.
    pub send_empty: bool,
}

/// When info and warning wait, in the zone of [`AlertPolicy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// Hours of the week; `None`: only the dates.
    pub hours: Option<Hours>,
    /// Whole days, holidays mostly.
    pub dates: Vec<NaiveDate>,
}

impl Digest {
    /// Not on the hour, when robots are busiest (facts of the Feishu robot: never at :00 or :30).
    pub fn default_time() -> NaiveTime {
        NaiveTime::from_hms_opt(9, 37, 0).expect("09:37 exists")
    }
}

/// A part of the day on some days; `to` before `from` ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Begin.
    pub from: NaiveTime,
    /// End.
    pub to: NaiveTime,
    /// Days on which it begins.
    pub days: Vec<Weekday>,
}

/// Monday to Sunday.
pub const EVERY_DAY: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// How far renewal may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum RenewalMode {
    /// Nothing at all.
    #[default]
    Off,
    /// Show and announce, never call.
    Plan,
    /// Call after a person approved.
    Approve,
    /// Call.
    Auto,
}

impl RenewalMode {
    /// Every mode, from careful to bold.
    pub const ALL: [Self; 4] = [Self::Off, Self::Plan, Self::Approve, Self::Auto];

    /// The word used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Plan => "plan",
            Self::Approve => "approve",
            Self::Auto => "auto",
        }
    }
}

/// What may be renewed, and how carefully.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewalPolicy {
    /// How far it may go.
    pub mode: RenewalMode,
    /// Renew when this close to the end.
    pub before: Duration,
    /// Not before the plan was announced this long ago.
    pub announce: Duration,
    /// Renewals under way at the same time, per account.
    pub max_in_progress: u32,
    /// Renewals begun per day.
    pub max_per_day: u32,
    /// Failures in a row after which renewal stops by itself.
    pub stop_after_failures: u32,
    /// Whole days on which nothing is renewed, in the zone of the window; where the cloud keeps the window, in that of
    /// [`AlertPolicy`] and in UTC.
    pub blackout: Vec<NaiveDate>,
    /// Nothing is renewed that none of these allows.
    pub allow: Vec<RenewalRule>,
}

impl Default for RenewalPolicy {
    fn default() -> Self {
        Self {
            mode: RenewalMode::Off,
            before: Duration::from_secs(14 * DAY),
            announce: Duration::from_secs(24 * HOUR),
            max_in_progress: 1,
            max_per_day: 5,
            stop_after_failures: 2,
            blackout: Vec::new(),
            allow: Vec::new(),
        }
    }
}

/// One permission to renew.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewalRule {
    /// Which resources.
    pub matcher: Matcher,
    /// When.
    pub window: Window,
    /// For instances with a certificate of their own: the next one.
    pub certificate: Option<OwnCertificate>,
    /// Programs around it.
    pub hook: Option<Hook>,
}

/// Programs that run around a renewal, without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Program and arguments. An exit code other than zero means: not now.
    pub before: Option<Vec<String>>,
    /// Program and arguments, once the outcome is known.
    pub after: Option<Vec<String>>,
    /// How long each may take.
    pub timeout: Duration,
}

impl Hook {
    /// How long a program may take unless a rule says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(MINUTE);
}

/// When a renewal that interrupts connections may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// In the maintenance window that the cloud reports for the resource.
    Cloud,
    /// In these hours of this zone.
    Local {
        /// Zone of the hours and of the days.
        timezone: Tz,
        /// The hours.
        hours: Hours,
    },
}

/// Files with a certificate of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// PEM, leaf first.
    pub cert_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
}
