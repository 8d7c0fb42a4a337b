//! How a channel is: whether it delivers, since when not, and what people have to be told of that.
//!
//! Kept in the store, so that a restart tells nothing a second time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::PROBE_EVERY;
use crate::domain::alert::message::ChannelNews;
use crate::domain::policy::Route;

/// So many failures in a row…
const FAILURES: u32 = 3;
/// … over so long a time make a channel that fails.
const OVER: TimeDelta = TimeDelta::minutes(15);

/// How a channel is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Attempts in a row that failed.
    pub failures: u32,
    /// Letters that were refused for good since something was delivered.
    pub dead_in_a_row: u32,
    /// When the first of them was.
    pub since: Option<DateTime<Utc>>,
    /// What the last of them came to, secrets removed.
    pub error: Box<str>,
    /// We, or the place, are refused: nothing is sent before then, but one probe.
    pub paused_until: Option<DateTime<Utc>>,
    /// The place is gone for good: nothing is sent before the settings are read again, or a person wants it tried.
    pub gone: bool,
    /// People were told that it fails; since when it did.
    pub told: Option<DateTime<Utc>>,
    /// Messages that came late by that, known once it delivers again.
    pub delayed: usize,
    /// Messages that were drawn together into one while it failed.
    pub folded: usize,
    /// When something was delivered last.
    pub last_success: Option<DateTime<Utc>>,
    /// When it was let in again after a pause; what waited before could not have been tried.
    pub released_at: Option<DateTime<Utc>>,
}

impl Health {
    /// An attempt failed; `barred_until` where no message would fare better before then.
    pub fn failed(&mut self, error: &str, barred_until: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        self.failures = self.failures.saturating_add(1);
        self.since.get_or_insert(now);
        self.error = error.into();
        if self.paused_until.is_some() || barred_until.is_some() {
            self.released_at = Some(now);
        }
        self.paused_until = barred_until;
        self.gone = false;
    }

    /// The place is gone for good.
    pub fn ended(&mut self, error: &str, now: DateTime<Utc>) {
        self.failed(error, None, now);
        self.gone = true;
    }

    /// Whether nothing is sent for a while, or until somebody does something.
    pub fn is_barred(&self) -> bool {
        self.gone || self.paused_until.is_some()
    }

    /// The settings may be others by now, or a person wants to know: one attempt shows it.
    pub fn let_in(&mut self, now: DateTime<Utc>) {
        if std::mem::take(&mut self.gone) {
            self.paused_until = Some(now);
        }
        self.paused_until = self.paused_until.map(|until| until.min(now));
    }

    /// A letter was refused for good. Whether that is the fault of the letter, only the next ones show.
    pub fn refused(&mut self, error: &str, now: DateTime<Utc>) {
        self.dead_in_a_row = self.dead_in_a_row.saturating_add(1);
        self.failed(error, None, now);
    }

    /// Something was delivered, and this many still wait.
    pub fn delivered(&mut self, waiting: usize, now: DateTime<Utc>) {
        if self.told.is_some() && self.since.is_some() {
            self.delayed = 1 + waiting + std::mem::take(&mut self.folded);
        }
        if self.paused_until.take().is_some() {
            self.released_at = Some(now);
        }
        (self.failures, self.dead_in_a_row) = (0, 0);
        (self.since, self.error) = (None, "".into());
        self.last_success = Some(now);
    }

    /// No pause is longer than the usual one: the clock was wrong when this one was written.
    pub fn shorten_pause(&mut self, now: DateTime<Utc>) {
        self.paused_until = self.paused_until.map(|until| until.min(now + PROBE_EVERY));
    }

    /// Whether it counts as failing.
    pub fn is_failing(&self, now: DateTime<Utc>) -> bool {
        let long = self.since.is_some_and(|since| now - since >= OVER);
        self.is_barred() || (self.failures >= FAILURES && long)
    }

    /// What people have to be told, and were not yet. `waiting` messages are queued for it.
    pub fn owed(&self, waiting: usize, now: DateTime<Utc>) -> Option<ChannelNews> {
        match (self.since, self.told) {
            (Some(since), None) if self.is_failing(now) => Some(ChannelNews::Failing {
                since,
                failures: self.failures,
                error: self.error.clone(),
                queued: waiting,
            }),
            (None, Some(since)) => Some(ChannelNews::Recovered { since, delayed: self.delayed }),
            _ => None,
        }
    }

    /// People were told what was owed.
    pub fn note_told(&mut self, news: &ChannelNews) {
        match news {
            ChannelNews::Failing { since, .. } => self.told = Some(*since),
            ChannelNews::Recovered { .. } => (self.told, self.delayed, self.folded) = (None, 0, 0),
        }
    }
}

/// A channel, as one that may tell of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Teller<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it takes messages about other channels: no pager, no replica.
    pub suits: bool,
    /// Whether it delivers at the moment.
    pub well: bool,
}

/// Through whom people are told that a channel fails: the others of its routes that deliver, else the fallback, else
/// the others of its routes. Never through itself.
pub fn tellers<'a>(
    failing: &str,
    channels: &[Teller<'a>],
    routes: &[Route],
    fallback: Option<&str>,
) -> Vec<&'a str> {
    let shares = |name: &str| {
        let both =
            |route: &Route| [failing, name].iter().all(|one| route.channels.iter().any(|has| has == one));
        routes.is_empty() || routes.iter().any(both)
    };
    let others = || channels.iter().filter(|channel| channel.name != failing);
    let siblings = || others().filter(|channel| channel.suits && shares(channel.name));
    let named = others().filter(|channel| Some(channel.name) == fallback);
    let choices: [Vec<&str>; 3] = [
        siblings().filter(|channel| channel.well).map(|channel| channel.name).collect(),
        named.map(|channel| channel.name).collect(),
        siblings().map(|channel| channel.name).collect(),
    ];
    choices.into_iter().find(|names| !names.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;

    fn at(minutes: i64) -> DateTime<Utc> {
        moment() + TimeDelta::minutes(minutes)
    }

    fn failed_at(minutes: &[i64]) -> Health {
        let mut health = Health::default();
        for minute in minutes {
            health.failed("no answer", None, at(*minute));
        }
        health
    }

    #[test]
    fn three_failures_over_a_quarter_of_an_hour_make_a_failing_channel() {
        for (name, minutes, now, want) in [
            ("one", &[0][..], 60, false),
            ("two over an hour", &[0, 60], 60, false),
            ("three within a minute", &[0, 0, 1], 1, false),
            ("three, and time passed", &[0, 0, 1], 15, true),
            ("three over a quarter", &[0, 7, 15], 15, true),
        ] {
            assert_eq!(failed_at(minutes).is_failing(at(now)), want, "{name}");
        }
    }

    #[test]
    fn a_refusal_is_told_at_once_and_only_once_until_it_is_over() {
        let mut health = Health::default();
        health.failed("HTTP 404: no_service", Some(at(30)), at(0));
        let news = health.owed(4, at(0)).expect("a refusal");
        let want = ChannelNews::Failing {
            since: at(0),
            failures: 1,
            error: "HTTP 404: no_service".into(),
            queued: 4,
        };
        assert_eq!(news, want);
        health.note_told(&news);
        health.failed("HTTP 404: no_service", Some(at(60)), at(30));
        assert_eq!(health.owed(5, at(30)), None);

        health.delivered(5, at(60));
        let news = health.owed(5, at(60)).expect("it delivers again");
        assert_eq!(news, ChannelNews::Recovered { since: at(0), delayed: 6 });
        health.note_told(&news);
        assert_eq!(health.owed(0, at(61)), None);
        assert_eq!(health.released_at, Some(at(60)));
    }

    #[test]
    fn what_is_gone_for_good_fails_until_somebody_lets_it_in() {
        let mut health = Health::default();
        health.ended("HTTP 410", at(0));
        assert!(health.is_failing(at(0)) && health.is_failing(at(100 * 24 * 60)));
        assert_eq!(health.paused_until, None, "no time ends it");
        let news = health.owed(1, at(0)).expect("told at once");
        health.note_told(&news);

        health.let_in(at(60));
        assert_eq!((health.gone, health.paused_until), (false, Some(at(60))), "one attempt");
        assert!(health.is_failing(at(60)), "until that succeeds");
        health.ended("HTTP 410", at(61));
        assert_eq!((health.gone, health.paused_until, health.owed(1, at(61))), (true, None, None));

        health.let_in(at(90));
        health.delivered(2, at(91));
        assert_eq!((health.is_failing(at(91)), health.released_at), (false, Some(at(91))));
        assert_eq!(health.owed(2, at(91)), Some(ChannelNews::Recovered { since: at(0), delayed: 3 }));
    }

    #[test]
    fn a_pause_until_next_year_is_not_believed() {
        let mut health = Health::default();
        health.failed("HTTP 404: no_service", Some(at(365 * 24 * 60)), at(0));
        health.shorten_pause(at(0));
        health.shorten_pause(at(7));
        assert_eq!(health.paused_until, Some(at(30)), "and it ends, however often it is looked at");
    }

    #[test]
    fn a_short_trouble_is_never_told() {
        let mut health = failed_at(&[0, 1]);
        health.delivered(0, at(2));
        assert_eq!(health.owed(0, at(60)), None);
        assert_eq!(health, Health { last_success: Some(at(2)), ..Health::default() });
    }

    #[test]
    fn one_that_fails_again_before_its_recovery_was_told_is_not_told_anew() {
        let mut health = failed_at(&[0, 7, 15]);
        health.note_told(&health.owed(1, at(15)).expect("failing"));
        health.delivered(0, at(20));
        health.failed("no answer", None, at(21));
        assert_eq!(health.owed(0, at(21)), None, "neither well nor failing");
        health.failed("no answer", None, at(30));
        health.failed("no answer", None, at(40));
        assert_eq!(health.owed(0, at(40)), None, "people still believe that it fails");
        health.delivered(0, at(41));
        let news = health.owed(0, at(41));
        assert_eq!(news, Some(ChannelNews::Recovered { since: at(0), delayed: 1 }));
    }

    #[test]
    fn what_was_drawn_together_counts_as_late() {
        let mut health = failed_at(&[0, 7, 15]);
        health.note_told(&health.owed(30, at(15)).expect("failing"));
        health.folded += 29;
        health.delivered(0, at(20));
        assert_eq!(health.owed(0, at(20)), Some(ChannelNews::Recovered { since: at(0), delayed: 30 }));
    }

    #[test]
    fn a_restart_remembers_everything() {
        let mut health = failed_at(&[0, 7, 15]);
        health.note_told(&health.owed(1, at(15)).expect("failing"));
        let text = serde_json::to_string(&health).expect("JSON");
        assert_eq!(serde_json::from_str::<Health>(&text).expect("the same"), health);
        assert_eq!(serde_json::from_str::<Health>("{}").expect("of an older version"), Health::default());
    }

    fn route(channels: &[&str]) -> Route {
        Route {
            matcher: None,
            channels: channels.iter().map(|name| (*name).to_owned()).collect(),
            group_wait: Route::GROUP_WAIT,
            digest: None,
            quiet: None,
            thresholds: None,
            send_renewed: true,
            proceed: false,
        }
    }

    #[test]
    fn others_tell_of_a_failing_channel_and_never_it_itself() {
        let all = ["a", "b", "c", "pager"];
        let routes = [route(&["a", "b", "pager"]), route(&["c"])];
        for (name, failing, ill, routes, fallback, want) in [
            ("a sibling", "a", &[][..], &routes[..], None, &["b"][..]),
            ("a sibling before the fallback", "a", &[], &routes, Some("c"), &["b"]),
            ("the fallback for an ill sibling", "a", &["b"], &routes, Some("c"), &["c"]),
            ("an ill sibling is better than nobody", "a", &["b"], &routes, None, &["b"]),
            ("alone on its route", "c", &[], &routes, None, &[]),
            ("alone with a fallback", "c", &[], &routes, Some("a"), &["a"]),
            ("the fallback itself", "c", &[], &routes, Some("c"), &[]),
            ("a pager only where it is asked for", "c", &[], &routes, Some("pager"), &["pager"]),
            ("without routes everybody", "a", &["a"], &[], None, &["b", "c"]),
        ] {
            let channels =
                all.map(|name| Teller { name, suits: name != "pager", well: !ill.contains(&name) });
            assert_eq!(tellers(failing, &channels, routes, fallback), want, "{name}");
        }
    }
}
