//! What the answers need to know beside the snapshot: settings, and the daemon's own beginnings.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::alert::board::Board;
pub use crate::domain::alert::decide::AccountWords as AccountInfo;
use crate::domain::alert::outbox::Row;
use crate::domain::identity::Scope;
use crate::domain::policy::{PollPolicy, Thresholds};
use crate::domain::renewal;
use crate::domain::resource::Resource;
use crate::notifier::desk::{ChannelStatus, DeskError};
use crate::web::inside::Reading;

use super::page::quiet::Hands;
use super::page::tongue::Tongue;

/// The surroundings of one answer.
#[derive(Clone, Copy)]
pub struct PageContext<'a> {
    /// Version of the daemon.
    pub version: &'a str,
    /// When the daemon started.
    pub started_at: DateTime<Utc>,
    /// The wall time at which the daemon's timeline ([`Resource::due`]) is zero.
    pub timeline_start: DateTime<Utc>,
    /// Times are shown in UTC and in this zone.
    pub timezone: Tz,
    /// When a certificate of this resource becomes worth telling.
    pub thresholds: &'a dyn Fn(&Scope, &Resource) -> Thresholds,
    /// What is configured for the account of this name.
    pub account: &'a dyn Fn(&str) -> Option<&'a AccountInfo>,
    /// How often is looked; decides what counts as stale.
    pub poll: &'a PollPolicy,
    /// What is told and by whom; `None`: no channel is configured.
    pub told: Option<&'a Telling>,
    /// What is renewed; `None`: this program watches only.
    pub renewals: Option<&'a renewal::board::Board>,
    /// How the last reading of the configuration ended; `None`: nobody says.
    pub reading: Option<&'a Reading>,
    /// The language of pages.
    pub tongue: Tongue,
    /// Who may change something from the page; `None`: nobody may, or there is nothing to change.
    pub hands: Option<Hands<'a>>,
}

/// How things stand with what is told, gathered for one answer.
#[derive(Debug)]
pub struct Telling {
    /// Channels in the order of the configuration, or why nobody can tell.
    pub channels: Result<Vec<ChannelStatus>, DeskError>,
    /// Messages that were given up, the youngest first; not all of them.
    pub dead: Vec<Row>,
    /// What the last evaluation knew.
    pub board: Arc<Board>,
}

impl PageContext<'_> {
    /// The same for a reader of this language.
    #[must_use]
    pub fn speaking(self, tongue: Tongue) -> Self {
        Self { tongue, ..self }
    }

    /// Who owns a resource, where the account says which tag tells.
    pub fn owner<'r>(&self, scope: &Scope, resource: &'r Resource) -> Option<&'r str> {
        resource.tag((self.account)(&scope.account)?.owner_tag.as_deref()?)
    }

    /// A label of an account.
    pub fn account_label<'v>(&'v self, account: &str, key: &str) -> Option<&'v str> {
        (self.account)(account)?.labels.get(key).map(|value| &**value)
    }

    /// When a resource is looked at next; `None` where its listing carries everything.
    pub fn next_look(&self, resource: &Resource) -> Option<DateTime<Utc>> {
        after(self.timeline_start, resource.due?)
    }
}

fn after(start: DateTime<Utc>, wait: Duration) -> Option<DateTime<Utc>> {
    start.checked_add_signed(TimeDelta::from_std(wait).ok()?)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::domain::testing::moment;

    /// The context of small tests: default thresholds, no accounts.
    pub(crate) fn plain_context<'a>() -> PageContext<'a> {
        const POLL: PollPolicy = PollPolicy {
            max_age: Duration::from_hours(6),
            min_interval: Duration::from_mins(10),
            discover_every: Duration::from_hours(1),
            timeout: Duration::from_secs(15),
            concurrency: 64,
        };
        PageContext {
            version: "1.2.3",
            started_at: moment() - TimeDelta::days(3),
            timeline_start: moment() - TimeDelta::days(3),
            timezone: Tz::UTC,
            thresholds: &|_, _| Thresholds::default(),
            account: &|_| None,
            poll: &POLL,
            told: None,
            renewals: None,
            reading: None,
            tongue: Tongue::default(),
            hands: None,
        }
    }
}
