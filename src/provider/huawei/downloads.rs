//! What was downloaded for each instance, and when it is worth downloading again.
//!
//! Every download makes an object in a bucket of the cloud, and a CA lives for years. So one is due when nothing was
//! downloaded yet, when the end that the detail shows is another one, and else about once a week, spread by a hash of
//! the instance. A refused one (the key may not) is not tried again for a day; where a project refused three and gave
//! none, it is not asked for the others either. One that failed is tried again after an hour; where three in a row got
//! no answer, the project's downloads rest for a sixth of that. Pure: times are points on the daemon's timeline.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::api::Place;
use super::mapping::{self, Downloaded};
use crate::domain::hash::stable_fraction;

/// After so many refusals and no success a project is believed to refuse all; after so many in a row without an
/// answer, nobody is believed to be there.
const ENOUGH: u32 = 3;
/// Downloads are repeated up to this fraction of the interval earlier.
const SPREAD: f64 = 1.0 / 7.0;

/// How often to download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Again after this at the latest.
    pub again: Duration,
    /// Again after a refusal.
    pub refused: Duration,
    /// Again after a failure.
    pub failed: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self { again: 7 * day, refused: day, failed: Duration::from_hours(1) }
    }
}

/// How a download ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Read.
    Done(Arc<Downloaded>),
    /// The key may not.
    Refused,
    /// No answer, or one that asks for silence: the next instance would fare no better.
    Unanswered,
    /// Anything else; concerns the instance alone.
    Failed,
}

/// What was downloaded so far.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    rhythm: Rhythm,
    instances: HashMap<(Place, Arc<str>), Entry>,
    projects: HashMap<Place, Standing>,
}

#[derive(Debug, Default)]
struct Entry {
    last: Option<Arc<Downloaded>>,
    /// The end that the detail showed at the last try.
    shown: Shown,
    next: Duration,
    refused: bool,
}

/// An end as the detail shows it.
#[derive(Debug, PartialEq)]
enum Shown {
    Text(Option<Arc<str>>),
    /// As it was understood before a restart.
    Recalled(Option<DateTime<Utc>>),
}

impl Default for Shown {
    fn default() -> Self {
        Self::Text(None)
    }
}

impl Shown {
    fn is(&self, text: Option<&str>) -> bool {
        match self {
            Self::Text(before) => before.as_deref() == text,
            Self::Recalled(before) => *before == text.and_then(mapping::time),
        }
    }
}

#[derive(Debug, Default)]
struct Standing {
    succeeded: bool,
    refusals: u32,
    /// In a row.
    unanswered: u32,
    closed_until: Duration,
    /// A failure was told, and no success came since.
    told: bool,
}

impl Downloads {
    /// Nothing yet.
    pub(super) fn new(rhythm: Rhythm) -> Self {
        Self { rhythm, ..Self::default() }
    }

    /// What was downloaded for an instance.
    pub(super) fn last(&self, place: &Place, id: &str) -> Option<Arc<Downloaded>> {
        self.instances.get(&key(place, id))?.last.clone()
    }

    /// TLS is on at this instance.
    pub(super) fn is_on(&mut self, place: &Place, id: &str) {
        self.instances.entry(key(place, id)).or_default();
    }

    /// What was downloaded before a restart, when nobody knows: asking again is spread over the whole interval.
    pub(super) fn recall(
        &mut self,
        place: &Place,
        id: &str,
        last: Downloaded,
        shown: Option<DateTime<Utc>>,
        now: Duration,
    ) {
        let spread = stable_fraction(["recalled", &*place.project, id]);
        let entry = self.instances.entry(key(place, id)).or_default();
        entry.last = Some(Arc::new(last));
        entry.shown = Shown::Recalled(shown);
        entry.next = now + self.rhythm.again.mul_f64(spread);
    }

    /// Whether TLS was seen on at this instance.
    pub(super) fn knows(&self, place: &Place, id: &str) -> bool {
        self.instances.contains_key(&key(place, id))
    }

    /// Whether a download is due; `shown` is the end that the detail shows now.
    pub(super) fn is_due(&self, place: &Place, id: &str, shown: Option<&str>, now: Duration) -> bool {
        if self.projects.get(place).is_some_and(|standing| now < standing.closed_until) {
            return false;
        }
        match self.instances.get(&key(place, id)) {
            Some(entry) => now >= entry.next || !entry.refused && !entry.shown.is(shown),
            None => true,
        }
    }

    /// Takes in how a download ended. Returns whether a failure is news for its project.
    pub(super) fn note(
        &mut self,
        place: &Place,
        id: &str,
        shown: Option<&str>,
        outcome: Outcome,
        now: Duration,
    ) -> bool {
        let wait = match outcome {
            Outcome::Done(_) => {
                let spread = stable_fraction(["download", &*place.project, id]);
                self.rhythm.again.mul_f64(1.0 - SPREAD * spread)
            }
            Outcome::Refused => self.rhythm.refused,
            Outcome::Unanswered | Outcome::Failed => self.rhythm.failed,
        };
        let entry = self.instances.entry(key(place, id)).or_default();
        entry.next = now + wait;
        entry.shown = Shown::Text(shown.map(Into::into));
        entry.refused = matches!(outcome, Outcome::Refused);
        let standing = self.projects.entry(place.clone()).or_default();
        match outcome {
            Outcome::Done(downloaded) => {
                entry.last = Some(downloaded);
                *standing = Standing { succeeded: true, ..Standing::default() };
                return false;
            }
            Outcome::Refused => {
                standing.refusals = standing.refusals.saturating_add(1);
                if standing.refusals >= ENOUGH && !standing.succeeded {
                    standing.closed_until = now + wait;
                }
            }
            Outcome::Unanswered => {
                standing.unanswered = standing.unanswered.saturating_add(1);
                if standing.unanswered >= ENOUGH {
                    standing.closed_until = now + wait / 6;
                }
            }
            Outcome::Failed => standing.unanswered = 0,
        }
        !std::mem::replace(&mut standing.told, true)
    }

    /// Forgets a project and its instances.
    pub(super) fn forget(&mut self, place: &Place) {
        self.keep_only(place, &HashSet::new());
        self.projects.remove(place);
    }

    /// Forgets instances of a project that are not listed any more.
    pub(super) fn keep_only(&mut self, place: &Place, listed: &HashSet<&str>) {
        self.instances.retain(|(of, id), _| of != place || listed.contains(&**id));
    }
}

fn key(place: &Place, id: &str) -> (Place, Arc<str>) {
    (place.clone(), id.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resource::Subject;
    use crate::domain::testing::moment;
    use crate::provider::x509::Parsed;

    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    fn place(project: &str) -> Place {
        Place { region: "cn-north-4".into(), project: project.into() }
    }

    fn done() -> Outcome {
        let ca = Parsed {
            not_before: moment(),
            not_after: moment(),
            subject: Subject::default(),
            is_ca: true,
            host: None,
        };
        Outcome::Done(Arc::new(Downloaded { ca, server_ends: None }))
    }

    #[test]
    fn a_download_is_repeated_weekly_and_when_the_shown_end_changes() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        assert!(known.is_due(&p, "a", Some("2027"), Duration::ZERO), "nothing was downloaded yet");
        known.note(&p, "a", Some("2027"), done(), Duration::ZERO);
        for (name, shown, at, due) in [
            ("the next look", Some("2027"), HOUR, false),
            ("after five days", Some("2027"), 5 * DAY, false),
            ("after a week", Some("2027"), 7 * DAY, true),
            ("another end", Some("2028"), HOUR, true),
            ("no end any more", None, HOUR, true),
        ] {
            assert_eq!(known.is_due(&p, "a", shown, at), due, "{name}");
        }
    }

    #[test]
    fn downloads_spread_over_a_day() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        for n in 0..100 {
            known.note(&p, &n.to_string(), None, done(), Duration::ZERO);
        }
        let due = |at| (0..100).filter(|n: &i32| known.is_due(&p, &n.to_string(), None, at)).count();
        assert_eq!((due(143 * HOUR), due(7 * DAY)), (0, 100));
        assert!((25..75).contains(&due(6 * DAY + 12 * HOUR)), "{}", due(6 * DAY + 12 * HOUR));
    }

    #[test]
    fn a_refusal_is_remembered_for_a_day_and_three_for_the_whole_project() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        let told: Vec<_> =
            ["a", "b"].map(|id| known.note(&p, id, None, Outcome::Refused, Duration::ZERO)).into();
        assert_eq!(told, [true, false], "told once");
        assert!(!known.is_due(&p, "a", Some("another end"), HOUR), "even when the end changes");
        assert!(known.is_due(&p, "c", None, HOUR));
        known.note(&p, "c", None, Outcome::Refused, HOUR);
        assert!(!known.is_due(&p, "d", None, 2 * HOUR));
        assert!(known.is_due(&place("other"), "d", None, 2 * HOUR));
        assert!(known.is_due(&p, "a", None, DAY + HOUR) && known.is_due(&p, "d", None, DAY + HOUR));
    }

    #[test]
    fn where_one_is_given_the_others_are_asked_for() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        known.note(&p, "good", None, done(), Duration::ZERO);
        for id in ["a", "b", "c", "d"] {
            known.note(&p, id, None, Outcome::Refused, Duration::ZERO);
        }
        assert!(known.is_due(&p, "e", None, HOUR) && known.is_due(&p, "good", None, 7 * DAY));
    }

    #[test]
    fn a_failure_keeps_the_last_one_and_is_told_once() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        known.note(&p, "a", Some("1"), done(), Duration::ZERO);
        assert!(known.note(&p, "a", Some("2"), Outcome::Failed, 8 * DAY));
        assert!(!known.note(&p, "a", Some("2"), Outcome::Failed, 8 * DAY + HOUR));
        assert!(known.last(&p, "a").is_some());
        assert!(!known.is_due(&p, "a", Some("2"), 8 * DAY + HOUR + HOUR / 2));
        assert!(known.is_due(&p, "a", Some("2"), 8 * DAY + 2 * HOUR));
        known.note(&p, "a", Some("2"), done(), 8 * DAY + 2 * HOUR);
        assert!(known.note(&p, "a", Some("2"), Outcome::Failed, 20 * DAY), "news again after a success");
    }

    #[test]
    fn three_in_a_row_without_an_answer_let_the_project_rest() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        for (id, outcome) in [("a", Outcome::Unanswered), ("b", Outcome::Unanswered), ("c", Outcome::Failed)]
        {
            known.note(&p, id, None, outcome, Duration::ZERO);
        }
        assert!(known.is_due(&p, "d", None, Duration::ZERO), "they were not in a row");
        for id in ["d", "e", "f"] {
            known.note(&p, id, None, Outcome::Unanswered, Duration::ZERO);
        }
        assert!(!known.is_due(&p, "g", None, HOUR / 7));
        assert!(known.is_due(&p, "g", None, HOUR / 6));
    }

    #[test]
    fn what_was_downloaded_before_a_restart_is_kept_until_its_end_changes_or_a_week_is_over() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        let Outcome::Done(last) = done() else { unreachable!("it is done") };
        for n in 0..100 {
            known.recall(&p, &n.to_string(), (*last).clone(), Some(moment()), Duration::ZERO);
        }
        let same = moment().format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let due = |shown: Option<&str>, at| {
            (0..100).filter(|n: &i32| known.is_due(&p, &n.to_string(), shown, at)).count()
        };
        assert!(due(Some(&same), HOUR) < 5, "{} of a hundred in the first hour", due(Some(&same), HOUR));
        assert_eq!((due(Some(&same), 7 * DAY), due(Some("2099-01-01T00:00:00.000Z"), HOUR)), (100, 100));
        assert_eq!(known.last(&p, "7"), Some(last));
    }

    #[test]
    fn what_is_not_listed_any_more_is_forgotten() {
        let (mut known, p) = (Downloads::new(Rhythm::default()), place("p"));
        for (project, id) in [("p", "a"), ("p", "b"), ("q", "b")] {
            known.note(&place(project), id, None, done(), Duration::ZERO);
        }
        known.keep_only(&p, &HashSet::from(["a"]));
        let there = [("p", "a"), ("p", "b"), ("q", "b")].map(|(p, id)| known.last(&place(p), id).is_some());
        assert_eq!(there, [true, false, true]);
    }
}
