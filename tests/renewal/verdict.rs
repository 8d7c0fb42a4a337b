//! What the cloud saw, held against what was allowed, with arithmetic of our own.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use notafter::domain::alert::message::{Item, RenewalNews};
use notafter::domain::alert::outbox::{Row, State as Delivery};
use notafter::domain::policy::{RenewalMode, RenewalPolicy, Window};
use notafter::domain::renewal::attempt::{Attempt, By, State};
use notafter::sim::alibaba::{Call, Outcome};
use notafter::store::Store;

use crate::estate::Estate;
use crate::month::At;
use crate::own;

/// Two ends within this are the same one.
const SAME: TimeDelta = TimeDelta::days(1);

/// What may be done.
pub(crate) struct Allowed {
    /// Instances, with their accounts.
    pub(crate) ids: BTreeMap<String, String>,
    /// Of the window.
    pub(crate) zone: Tz,
    pub(crate) from: u32,
    pub(crate) hours: u32,
    pub(crate) policy: RenewalPolicy,
}

/// What happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) calls: usize,
    /// Of members of a group.
    pub(crate) grouped: usize,
    /// With a pair of the customer's.
    pub(crate) own: usize,
    pub(crate) confirmed: usize,
    pub(crate) failed: usize,
    pub(crate) orders: usize,
    pub(crate) crashes: usize,
    pub(crate) messages: usize,
    pub(crate) silences: u32,
    /// Renewed by somebody else.
    pub(crate) elsewhere: usize,
    /// Calls that were held against what had been announced.
    pub(crate) announced: usize,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.grouped += other.grouped;
        self.own += other.own;
        self.confirmed += other.confirmed;
        self.failed += other.failed;
        self.orders += other.orders;
        self.crashes += other.crashes;
        self.messages += other.messages;
        self.silences += other.silences;
        self.elsewhere += other.elsewhere;
        self.announced += other.announced;
    }
}

/// A person's wish that was taken.
struct Wish {
    id: String,
    at_once: bool,
    at: At,
    /// Of the certificate at that time.
    end: Option<At>,
}

/// What a person did not want to happen.
struct Hold {
    name: String,
    id: String,
    from: At,
    until: At,
}

/// One Modify.
struct Made {
    id: String,
    /// Of the certificate at that time.
    end: At,
    at: At,
    /// The attempt that it belongs to.
    attempt: String,
    /// A window, and an announcement, have to be there for it.
    planned: bool,
}

pub(crate) struct Verdict {
    allowed: Allowed,
    calls: Vec<Made>,
    wishes: Vec<Wish>,
    holds: Vec<Hold>,
    elsewhere: Vec<String>,
}

impl Verdict {
    pub(crate) fn new(allowed: Allowed) -> Self {
        let (calls, wishes, holds, elsewhere) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { allowed, calls, wishes, holds, elsewhere }
    }

    /// A person's wish was taken.
    pub(crate) fn wanted(&mut self, id: &str, at_once: bool, at: At, ends: &BTreeMap<String, At>) {
        self.wishes.push(Wish { id: id.to_owned(), at_once, at, end: ends.get(id).copied() });
    }

    pub(crate) fn silenced(&mut self, name: &str, id: &str, from: At, until: At) {
        self.holds.push(Hold { name: name.to_owned(), id: id.to_owned(), from, until });
    }

    pub(crate) fn silence_ended(&mut self, name: &str, now: At) {
        for hold in self.holds.iter_mut().filter(|hold| hold.name == name) {
            hold.until = hold.until.min(now);
        }
    }

    /// Somebody renewed it, or began to.
    pub(crate) fn renewed_elsewhere(&mut self, id: &str) {
        self.elsewhere.push(id.to_owned());
    }

    /// The cloud saw a Modify, whatever it made of it.
    pub(crate) fn called(
        &mut self,
        call: &Call,
        ends: &BTreeMap<String, At>,
        attempts: &[Attempt],
        estate: &Estate,
        changing: &BTreeSet<&str>,
    ) {
        let id = call.resource.as_deref().expect("a Modify names its instance").to_owned();
        let (at, policy) = (call.at, &self.allowed.policy);
        let account = self.allowed.ids.get(&id).unwrap_or_else(|| panic!("{id}: no rule allows it"));
        assert_eq!(*call.key_id, **account, "{id}: with the key of another account");
        let end = ends.get(&id).copied().expect("it has a certificate");
        let own = attempts.iter().filter(|attempt| *attempt.key.resource.resource_id == *id);
        let own = own.filter(|attempt| attempt.stored_at.is_some_and(|stored| stored <= at));
        let attempt = own.max_by_key(|attempt| attempt.stored_at).expect("it was written down before");
        let wishes: Vec<&Wish> = self.wishes.iter().filter(|wish| wish.id == id && wish.at <= at).collect();
        assert!(policy.mode == RenewalMode::Auto || !wishes.is_empty(), "{id}: nobody approved it");
        let hour = TimeDelta::hours(1);
        let at_once = wishes.iter().any(|wish| wish.at_once && at - wish.at <= hour);
        assert!(at_once || self.is_open(at), "{id}: {at} is outside the window, or on a blackout date");
        assert!(!at_once || !self.is_black_for_now(at), "{id}: {at} is a blackout date");
        self.is_due(&id, at, end, &wishes);
        self.is_not_held(&id, at, call, estate, changing);
        self.is_not_sent_already(&id, at, end, &wishes);
        self.is_within_limits(account, at, attempts);
        self.is_not_stopped(&id, at, attempts, attempt);
        if id == own::ID {
            estate.own.called(call);
        } else {
            own::has_none(call);
        }
        let planned = attempt.by == By::Rule && !at_once;
        self.calls.push(Made { id, end, at, attempt: attempt.id.to_string(), planned });
    }

    /// What somebody else renewed meanwhile is not near its end any more.
    fn is_due(&self, id: &str, at: At, end: At, wishes: &[&Wish]) {
        let before = TimeDelta::from_std(self.allowed.policy.before).unwrap();
        let same = |wish: &&&Wish| wish.end.is_some_and(|known| (known - end).abs() < SAME);
        let early = wishes.iter().filter(same).any(|wish| wish.at_once);
        assert!(early || end - at <= before, "{id}: at {at}, and it ends {end}");
    }

    /// Nobody silenced it, nobody else is at it, and no other member of its group is touched.
    fn is_not_held(&self, id: &str, at: At, call: &Call, estate: &Estate, changing: &BTreeSet<&str>) {
        let hold = self.holds.iter().find(|hold| hold.id == id && hold.from <= at && at < hold.until);
        assert!(hold.is_none(), "{id}: sent at {at}, and a person silenced it");
        assert!(!changing.contains(id), "{id}: somebody else was changing it");
        let busy = Outcome::Refused("IncorrectDBInstanceState".into());
        assert_ne!(call.outcome, busy, "{id}: the cloud was changing it");
        for other in estate.groups.get(id).into_iter().flatten() {
            let status = estate.status(other);
            assert!(estate.is_ready(other), "{id}: {other} of its group is {status} at {at}");
        }
    }

    fn is_not_sent_already(&self, id: &str, at: At, end: At, wishes: &[&Wish]) {
        let same = |made: &&Made| made.id == id && (made.end - end).abs() < SAME;
        let last = self.calls.iter().filter(same).map(|made| made.at).max();
        let again = last.is_none_or(|last| wishes.iter().any(|wish| wish.at >= last));
        assert!(again, "{id}: sent at {last:?} and at {at} for {end}, and no person wanted that");
    }

    fn is_within_limits(&self, account: &str, at: At, attempts: &[Attempt]) {
        let policy = &self.allowed.policy;
        let today = self.calls.iter().filter(|made| at - made.at < TimeDelta::hours(24)).count();
        assert!(today < policy.max_per_day as usize, "{today} renewals in a day already");
        let open = attempts.iter().filter(|attempt| {
            let sent = attempt.stored_at.is_some_and(|stored| stored <= at);
            let here = *attempt.key.resource.account == *account;
            here && sent && attempt.state.was_sent() && (attempt.state.is_open() || attempt.changed_at > at)
        });
        let open = open.count();
        assert!(open <= policy.max_in_progress as usize, "{open} under way in {account} at {at}");
    }

    /// So many failures in a row stop everything but what a person wanted since.
    fn is_not_stopped(&self, id: &str, at: At, attempts: &[Attempt], current: &Attempt) {
        let over = |attempt: &&Attempt| {
            attempt.id != current.id && attempt.state.was_sent() && !attempt.state.is_open()
        };
        let mut over: Vec<&Attempt> = attempts.iter().filter(over).collect();
        // where two ended at the same moment, the one in favour of the call counts as the later one
        over.sort_by_key(|attempt| (attempt.changed_at, !attempt.state.has_failed()));
        let failed: Vec<_> = over.iter().rev().take_while(|attempt| attempt.state.has_failed()).collect();
        if failed.len() < self.allowed.policy.stop_after_failures as usize {
            return;
        }
        let last = failed[0].changed_at;
        let ordered = self.wishes.iter().any(|wish| wish.id == id && wish.at >= last && wish.at <= at);
        assert!(ordered, "{id}: sent at {at} after {} failures in a row", failed.len());
    }

    /// With the 40 minutes that it may take.
    fn is_open(&self, at: At) -> bool {
        // the cloud keeps an order for its window up to two hours
        let kept = matches!(self.allowed.policy.allow[0].window, Window::Cloud);
        let soon = (0..=120).map(|minutes| at + TimeDelta::minutes(minutes)).find(|at| self.is_inside(*at));
        let early = kept
            && !self.is_inside(at)
            && soon.is_some_and(|begin| {
                let last = begin + TimeDelta::hours(i64::from(self.allowed.hours)) - TimeDelta::minutes(2);
                ![at, begin, last].into_iter().any(|at| self.is_black(at))
            });
        let end = at + TimeDelta::minutes(39);
        early || (self.is_inside(at) && self.is_inside(end) && !self.is_black_for_now(at))
    }

    /// A window is open, or opens soon.
    pub(crate) fn is_near(&self, at: At) -> bool {
        [at, at + TimeDelta::hours(1), at + TimeDelta::hours(2)].into_iter().any(|at| self.is_inside(at))
    }

    fn is_inside(&self, moment: DateTime<Utc>) -> bool {
        let hour = moment.with_timezone(&self.allowed.zone).hour();
        (hour + 24 - self.allowed.from) % 24 < self.allowed.hours
    }

    fn is_black(&self, at: At) -> bool {
        self.allowed.policy.blackout.contains(&at.with_timezone(&self.allowed.zone).date_naive())
    }

    fn is_black_for_now(&self, at: At) -> bool {
        self.is_black(at) || self.is_black(at + TimeDelta::minutes(39))
    }

    /// Everything that was begun has an end, and every end was told; nothing was begun that had not been announced.
    pub(crate) async fn judge(&self, store: &Store, estate: &Estate, now: At, seed: u64) -> Figures {
        let attempts = store.attempts(now).await.unwrap();
        let rows = store.messages(&Delivery::ALL, 100_000, None).await.unwrap();
        let mut told: BTreeMap<String, Vec<(RenewalNews, At, At)>> = BTreeMap::new();
        for row in &rows {
            for (attempt, news) in renewals(row) {
                let heard = row.message.at.max(row.next_at);
                told.entry(attempt).or_default().push((news, row.message.at, heard));
            }
        }
        let mut figures = Figures {
            calls: self.calls.len(),
            grouped: self.calls.iter().filter(|made| estate.groups.contains_key(&made.id)).count(),
            own: self.calls.iter().filter(|made| made.id == own::ID).count(),
            orders: self.wishes.len(),
            messages: rows.len(),
            elsewhere: self.elsewhere.len(),
            ..Figures::default()
        };
        for attempt in &attempts {
            let news = told.get(&*attempt.id).map_or(&[][..], |news| news);
            // whoever silenced it does not hear of it either
            let silenced = self.holds.iter().any(|hold| {
                *attempt.key.resource.resource_id == *hold.id
                    && hold.from <= attempt.changed_at
                    && attempt.changed_at < hold.until
            });
            judge_attempt(attempt, news, silenced, seed);
            println!("  {} {} {:?}", attempt.id, attempt.key.resource.service, attempt.state);
            figures.confirmed += usize::from(matches!(attempt.state, State::Confirmed { .. }));
            figures.failed += usize::from(attempt.state.has_failed());
            let own = *attempt.key.resource.resource_id == *own::ID;
            if let (true, State::Confirmed { new_not_after }, true) =
                (own, &attempt.state, self.elsewhere.iter().all(|id| id != own::ID))
            {
                assert_eq!(*new_not_after, estate.own.new_end(), "seed {seed}: the end of the pair");
            }
        }
        for made in self.calls.iter().filter(|made| made.planned) {
            figures.announced += 1;
            self.was_announced(made, told.get(&made.attempt).map_or(&[][..], |news| news), seed);
        }
        let sent = attempts.iter().filter(|attempt| attempt.state.was_sent()).count();
        assert!(
            sent >= self.calls.len(),
            "{} calls, and only {sent} attempts were written down",
            self.calls.len()
        );
        figures
    }

    /// People could hear of it so long before, and it was begun in the window that they were told of last.
    fn was_announced(&self, made: &Made, told: &[(RenewalNews, At, At)], seed: u64) {
        let about = format!("seed {seed}, {} sent at {}", made.id, made.at);
        let plans = told.iter().filter_map(|(news, at, heard)| match news {
            RenewalNews::Planned { from, until, .. } if *at <= made.at => Some((*at, *heard, *from, *until)),
            _ => None,
        });
        let (_, heard, from, until) =
            plans.max().unwrap_or_else(|| panic!("{about}: nobody heard of the plan"));
        let announce = TimeDelta::from_std(self.allowed.policy.announce).unwrap();
        assert!(heard + announce <= made.at, "{about}: people could hear of it only at {heard}");
        let kept = matches!(self.allowed.policy.allow[0].window, Window::Cloud);
        let earliest = if kept { from - TimeDelta::hours(2) } else { from };
        assert!(earliest <= made.at && made.at < until, "{about}: announced for {from} to {until}");
    }
}

/// What a message tells of renewals, by attempt.
fn renewals(row: &Row) -> impl Iterator<Item = (String, RenewalNews)> {
    row.message.items.iter().filter_map(|item| match item {
        Item::Renewal(item) => Some((item.attempt.to_string(), item.news.clone())),
        _ => None,
    })
}

fn judge_attempt(attempt: &Attempt, news: &[(RenewalNews, At, At)], silenced: bool, seed: u64) {
    let about =
        format!("seed {seed}, {} of {} is {}", attempt.id, attempt.key.resource, attempt.state.as_str());
    assert!(!attempt.state.is_open(), "{about} and never ends");
    let count = |is: fn(&RenewalNews) -> bool| news.iter().filter(|(news, ..)| is(news)).count();
    let succeeded = count(|news| matches!(news, RenewalNews::Succeeded { .. }));
    let failed = count(|news| matches!(news, RenewalNews::Failed { .. }));
    let started = count(|news| matches!(news, RenewalNews::Started { .. }));
    let planned = count(|news| matches!(news, RenewalNews::Planned { .. }));
    let confirmed = matches!(attempt.state, State::Confirmed { .. });
    if !silenced {
        assert_eq!(succeeded, usize::from(confirmed), "{about}: told {news:?}");
        assert_eq!(failed, usize::from(attempt.state.has_failed()), "{about}: told {news:?}");
    }
    if attempt.state.was_sent() {
        assert!(started >= 1, "{about}, and nobody heard that it began");
    }
    if attempt.by.name() == "rule" {
        assert!(planned >= 1, "{about}, and nobody heard of the plan");
    }
}
