//! What people do not want to hear: silences, acknowledged certificates, quiet hours. Who may be told what is said here
//! again, from the documentation and not from the code that decides.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use notafter::domain::alert::memory::Memory;
use notafter::domain::alert::message::Fingerprint;
use notafter::domain::alert::silence::SilenceRow;
use notafter::domain::finding::Stage;
use notafter::domain::policy::{Hours, Quiet};
use notafter::store::Store;

use crate::dice::Dice;
use crate::fleet::Fleet;
use crate::ledger::Ledger;

/// Quiet hours are those of Shanghai, all year eight hours ahead.
const AHEAD: TimeDelta = TimeDelta::hours(8);

/// A silence, as the person who wanted it would say it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    id: String,
    about: About,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    include_expired: bool,
}

#[derive(Debug, Clone)]
enum About {
    One(String),
    Service(&'static str),
    Everything,
    /// Somebody knows of this end, up to this stage.
    Known(String, DateTime<Utc>, Stage),
}

/// What is to be told: channel, resource, its service, the end, and the stage by which expressions see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<'w> {
    pub(crate) channel: &'w str,
    pub(crate) id: &'w str,
    pub(crate) service: &'w str,
    pub(crate) end: DateTime<Utc>,
    pub(crate) stage: Stage,
}

#[derive(Default)]
pub(crate) struct Hush {
    all: Vec<Held>,
    /// By channel and resource: when somebody last did not want to hear what could have been told.
    pub(crate) held: HashMap<(String, String), DateTime<Utc>>,
    pub(crate) silences: usize,
    pub(crate) acknowledged: usize,
    pub(crate) ended_by_hand: usize,
}

/// Weekends, and two holidays.
pub(crate) fn quiet() -> Quiet {
    let hours = Hours { from: NaiveTime::MIN, to: NaiveTime::MIN, days: vec![Weekday::Sat, Weekday::Sun] };
    Quiet { hours: Some(hours), dates: holidays().to_vec() }
}

fn holidays() -> [NaiveDate; 2] {
    [(2026, 12, 25), (2027, 1, 1)].map(|(y, m, d)| NaiveDate::from_ymd_opt(y, m, d).expect("a day"))
}

/// By the calendar on the wall of the people in the chat.
pub(crate) fn is_quiet(now: DateTime<Utc>) -> bool {
    let day = (now + AHEAD).date_naive();
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun) || holidays().contains(&day)
}

impl Hush {
    /// Now and then somebody wants quiet, knows of something, or has enough of a silence. Tells whether that was so.
    pub(crate) async fn live(
        &mut self,
        store: &Store,
        memory: &Memory,
        dice: &mut Dice,
        now: DateTime<Utc>,
    ) -> bool {
        let before = self.silences + self.acknowledged + self.ended_by_hand;
        if dice.one_in(12) {
            let about = match dice.below(8) {
                0 => About::Everything,
                1 | 2 => About::Service(["redis", "rds", "mongodb"][pick(dice, 3)]),
                _ => About::One(format!("r-{:04}", dice.below(1000))),
            };
            self.add(store, about, None, dice, now).await;
            self.silences += 1;
        }
        if dice.one_in(4)
            && let Some((fingerprint, about)) = something_known(memory, dice)
        {
            self.add(store, about, Some(fingerprint), dice, now).await;
            self.acknowledged += 1;
        }
        if dice.one_in(40) {
            let open: Vec<&mut Held> = self.all.iter_mut().filter(|held| now < held.until).collect();
            let chosen = pick(dice, open.len().max(1));
            if let Some(held) = open.into_iter().nth(chosen) {
                held.until = now;
                assert!(store.end_silence(&held.id, now).await.expect("the store takes it"), "{held:?}");
                self.ended_by_hand += 1;
            }
        }
        before < self.silences + self.acknowledged + self.ended_by_hand
    }

    async fn add(
        &mut self,
        store: &Store,
        about: About,
        fingerprint: Option<Fingerprint>,
        dice: &mut Dice,
        now: DateTime<Utc>,
    ) {
        let longest = if matches!(about, About::One(_) | About::Known(..)) { 40 * 24 } else { 5 * 24 };
        let until = now + TimeDelta::hours(i64::try_from(dice.below(longest)).expect("small") + 1);
        let (id, include_expired) = (format!("sil_{:06}", self.silences + self.acknowledged), dice.one_in(3));
        let held = Held { id, about, from: now, until, include_expired };
        store.add_silence(&held.row(fingerprint)).await.expect("the store takes it");
        self.all.push(held);
    }

    /// Whoever does not want to hear this now.
    pub(crate) fn holds(&self, word: &Word<'_>, ledger: &Ledger, now: DateTime<Utc>) -> Option<&Held> {
        self.active(now).find(|held| held.holds(word, ledger))
    }

    fn active(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Held> {
        self.all.iter().filter(move |held| held.from <= now && now < held.until)
    }

    /// Notes what is held at the moment.
    pub(crate) fn note(&mut self, fleet: &Fleet, ledger: &Ledger, channels: &[&str], now: DateTime<Utc>) {
        self.all.retain(|held| now - held.until < TimeDelta::days(1));
        let active: Vec<Held> = self.active(now).cloned().collect();
        let soon = now + TimeDelta::days(30);
        for (id, truth) in fleet.truth.iter().filter(|(_, truth)| truth.not_after <= soon && !truth.gone) {
            let (service, end) = (fleet.service(id), truth.not_after);
            for channel in channels {
                let word = Word { channel, id, service, end, stage: stage_of(end - now) };
                if active.iter().any(|held| held.holds(&word, ledger)) {
                    self.held.insert(((*channel).to_owned(), id.clone()), now);
                }
            }
        }
    }

    /// Whether people do not want to hear of this resource, whatever there is to say.
    pub(crate) fn is_about(&self, id: &str, service: &str, now: DateTime<Utc>) -> bool {
        self.active(now).any(|held| match &held.about {
            About::One(one) => one == id,
            About::Service(all) => *all == service,
            About::Everything => true,
            About::Known(..) => false,
        })
    }

    pub(crate) fn last_held(&self, channel: &str, id: &str) -> Option<DateTime<Utc>> {
        self.held.get(&(channel.to_owned(), id.to_owned())).copied()
    }
}

impl Held {
    fn holds(&self, word: &Word<'_>, ledger: &Ledger) -> bool {
        match &self.about {
            About::Known(id, end, stage) => {
                let told = || ledger.last_told(word.channel, word.id, word.end);
                id == word.id
                    && *end == word.end
                    && word.stage <= *stage
                    && told().is_some_and(|told| told <= self.from)
            }
            _ if word.stage == Stage::Expired && !self.include_expired => false,
            About::One(id) => id == word.id,
            About::Service(service) => *service == word.service,
            About::Everything => true,
        }
    }

    fn row(&self, fingerprint: Option<Fingerprint>) -> SilenceRow {
        let (matcher, stage) = match &self.about {
            About::One(id) => (Some(format!("resource_id=\"{id}\"")), None),
            About::Service(service) => (Some(format!("cloud_service=\"{service}\"")), None),
            About::Everything => (Some("resource_id=~\"r-.*\"".to_owned()), None),
            About::Known(_, _, stage) => (None, Some(*stage)),
        };
        SilenceRow {
            id: (&*self.id).into(),
            matcher: matcher.map(Into::into),
            fingerprint,
            stage,
            starts_at: self.from,
            ends_at: self.until,
            author: "ada".into(),
            comment: "knows".into(),
            include_expired: self.include_expired,
        }
    }
}

/// One of the certificates that somebody was told of, and how deep.
fn something_known(memory: &Memory, dice: &mut Dice) -> Option<(Fingerprint, About)> {
    let known: BTreeMap<_, _> = memory.certificates.iter().collect();
    let (fingerprint, past) = known.into_iter().nth(pick(dice, memory.certificates.len().max(1)))?;
    let here = past.told.values().flatten().filter(|told| told.not_after == past.epoch);
    let stage = here.map(|told| told.stage).max().filter(|stage| *stage > Stage::Ok)?;
    Some((*fingerprint, About::Known(past.facts.resource_id.to_string(), past.epoch, stage)))
}

/// By the thresholds that hold unless somebody says otherwise.
pub(crate) fn stage_of(left: TimeDelta) -> Stage {
    match left {
        left if left <= TimeDelta::zero() => Stage::Expired,
        left if left <= TimeDelta::days(7) => Stage::Critical,
        left if left <= TimeDelta::days(14) => Stage::Warning,
        left if left <= TimeDelta::days(30) => Stage::Info,
        _ => Stage::Ok,
    }
}

fn pick(dice: &mut Dice, end: usize) -> usize {
    usize::try_from(dice.below(end as u64)).expect("small")
}
