//! Everything that was decided and everything that arrived, and the promises about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use notafter::domain::alert::delivery::fold::Folded;
use notafter::domain::alert::message::{CertificateItem, Item, Kind, Message, News, SourceNews};
use notafter::domain::alert::outbox::{Row, State};
use notafter::domain::alert::routing::Routing;
use notafter::domain::finding::Stage;

use crate::Time;
use crate::fleet::Fleet;
use crate::hush::{self, Hush, Word};

/// What is to be known of a certificate is known after this, unless something holds it back.
const HEARD_WITHIN: TimeDelta = TimeDelta::hours(30);
/// What is in a stage when the daemon starts for the first time is told by numbers.
const TOLD_BY_NUMBERS: TimeDelta = TimeDelta::days(32);
/// The longest silence about what is expired: a day, what joins a daily digest a little more.
const REMINDED: TimeDelta = TimeDelta::hours(52);
const A_DAY: TimeDelta = TimeDelta::days(1);

type About = (String, String);
/// Channel, resource, end.
type End = (String, String, DateTime<Utc>);

#[derive(Default)]
pub(crate) struct Ledger {
    decided: BTreeMap<String, Message>,
    /// By id: every time it arrived, and what it said.
    arrived: BTreeMap<String, Vec<(DateTime<Utc>, Message)>>,
    /// Messages that arrived, or may have: nobody knows it of the latter.
    perhaps: BTreeSet<String>,
    /// Channel and resource: ends of which something arrived, or may have.
    known: HashMap<About, BTreeSet<DateTime<Utc>>>,
    /// Channel and resource: an end that people were warned of and have not heard to be over, and since when.
    warned: HashMap<About, (DateTime<Utc>, DateTime<Utc>)>,
    /// Channel and resource: when somebody last did not want to hear of what people were warned of.
    unwanted: HashMap<About, DateTime<Utc>>,
    settled: BTreeMap<String, State>,
    /// By channel and resource: when something was decided about it last.
    last_word: HashMap<About, DateTime<Utc>>,
    /// Channel, resource, end, stage: each is told once.
    crossings: BTreeSet<(String, String, DateTime<Utc>, Stage)>,
    /// Channel and resource: ends that were told as coming.
    told: HashMap<About, BTreeSet<DateTime<Utc>>>,
    /// Channel, resource, end: the deepest stage that was told, and when something was told last.
    heard: HashMap<End, (Stage, DateTime<Utc>)>,
    /// By channel and day of Shanghai: digests.
    digests: BTreeSet<(String, NaiveDate)>,
    blind: BTreeMap<(String, String), bool>,
    /// Words that came although it was quiet.
    pub(crate) urgent: usize,
    /// Words about what had been held back.
    pub(crate) caught_up: usize,
}

impl Ledger {
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.decided.values()
    }

    /// A message was written down.
    pub(crate) fn decided(&mut self, message: &Message, fleet: &Fleet, hush: &Hush, time: Time) {
        let now = time.wall;
        assert!(time.is_trusted, "{} is decided by a clock that jumped a moment ago", message.id);
        if message.kind == Kind::Digest && !time.is_shaken {
            let day = (now + TimeDelta::hours(8)).date_naive();
            let second = !self.digests.insert((message.channel.to_string(), day));
            assert!(!second, "{}: two digests on {day}", message.channel);
        }
        let known = self.decided.insert(message.id.to_string(), message.clone());
        assert!(known.is_none(), "{} was used twice", message.id);
        assert!(!message.items.is_empty(), "{} says nothing", message.id);
        for item in &message.items {
            match item {
                Item::Certificate(item) => {
                    self.wanted(message, item, fleet, hush, now);
                    is_true(item, fleet, time);
                    self.paced(&message.channel, item, hush, time);
                    self.certificate(&message.channel, item, fleet, now, time.is_shaken);
                    self.is_over(&message.channel, item);
                    self.note_heard(&message.channel, item, now);
                }
                Item::Source(item) => {
                    let key = (message.channel.to_string(), format!("{}/{}", item.account, item.reason));
                    let open = self.blind.entry(key.clone()).or_default();
                    match item.news {
                        SourceNews::Blind { again, .. } => {
                            assert_eq!(*open, again, "{key:?}: blind is told once, and then reminded of");
                            *open = true;
                        }
                        SourceNews::Recovered { .. } => {
                            assert!(std::mem::take(open), "{key:?}: nobody knew that it was blind");
                        }
                    }
                }
                Item::Channel(_) | Item::Renewal(_) => {}
            }
        }
    }

    /// Nothing is told that somebody does not want to hear, and in quiet hours nothing that can wait.
    fn wanted(
        &mut self,
        message: &Message,
        item: &CertificateItem,
        fleet: &Fleet,
        hush: &Hush,
        now: DateTime<Utc>,
    ) {
        let (channel, facts) = (&*message.channel, &item.facts);
        let (stage, is_over) = match item.news {
            News::Entered { stage, .. } | News::Reminder { stage, .. } => (stage, false),
            News::Changed { stage, .. } => (stage.max(Stage::Warning), false),
            News::Renewed { told, stage, .. } => (told, stage == Stage::Ok),
            News::Gone { told, .. } => (told, true),
        };
        // pagers always hear that something is over, and what was renewed under a silence joins the digest
        let joins = is_over && (channel == "pager" || message.kind == Kind::Digest);
        let (id, service) = (&*facts.resource_id, fleet.service(&facts.resource_id));
        // who knows of an end does not know that it is gone
        let is_gone = matches!(item.news, News::Gone { .. });
        let end = if is_gone { DateTime::<Utc>::MIN_UTC } else { facts.not_after };
        let word = Word { channel, id, service, end, stage };
        let held = hush.holds(&word, self, now).filter(|_| !joins);
        assert!(held.is_none(), "{}: {word:?} is told under {held:?}", message.id);
        if channel == "chat" && hush::is_quiet(now) && message.kind != Kind::First {
            let can_wait = stage < Stage::Critical || matches!(item.news, News::Gone { .. });
            assert!(!can_wait, "{}: {word:?} is told in quiet hours", message.id);
            self.urgent += 1;
        }
    }

    /// Nobody hears the same again before it is time, whatever held it back meanwhile.
    fn paced(&mut self, channel: &str, item: &CertificateItem, hush: &Hush, time: Time) {
        let News::Reminder { stage, .. } = item.news else { return };
        let (id, end) = (item.facts.resource_id.to_string(), item.facts.not_after);
        let held = hush.last_held(channel, &id);
        let Some((deepest, last)) = self.heard.get(&(channel.to_owned(), id.clone(), end)) else { return };
        self.caught_up += usize::from(held.is_some_and(|held| held > *last));
        let hours = if stage == Stage::Warning { 54 } else { 18 };
        let waited = time.wall - *last;
        let early = *deepest == stage && waited < TimeDelta::hours(hours) && !time.is_shaken;
        assert!(!early, "{channel} is reminded of {id} as {stage:?} after {} h", waited.num_hours());
    }

    fn note_heard(&mut self, channel: &str, item: &CertificateItem, now: DateTime<Utc>) {
        let (News::Entered { stage, .. }
        | News::Reminder { stage, .. }
        | News::Changed { stage, .. }
        | News::Renewed { stage, .. }) = item.news
        else {
            return;
        };
        let key = (channel.to_owned(), item.facts.resource_id.to_string(), item.facts.not_after);
        let (deepest, last) = self.heard.entry(key).or_insert((stage, now));
        (*deepest, *last) = (stage.max(*deepest), now);
    }

    /// When a channel was last told of an end.
    pub(crate) fn last_told(&self, channel: &str, id: &str, end: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.heard.get(&(channel.to_owned(), id.to_owned(), end)).map(|(_, last)| *last)
    }

    /// What a channel is for it hears, after whatever held it back.
    pub(crate) fn check_heard(&self, fleet: &Fleet, hush: &Hush, began: DateTime<Utc>, now: DateTime<Utc>) {
        let quiet = (0..=HEARD_WITHIN.num_hours()).any(|hours| hush::is_quiet(now - TimeDelta::hours(hours)));
        let soon = now + TimeDelta::days(32);
        let near = fleet.truth.iter().filter(|(_, truth)| !truth.gone && truth.not_after < soon);
        for (id, truth) in near.filter(|(id, _)| fleet.is_visible(id, now)) {
            let left = truth.not_after - now;
            let must = hush::stage_of(left + HEARD_WITHIN);
            let by_numbers = truth.not_after < began + TOLD_BY_NUMBERS;
            if must < Stage::Info || left < -A_DAY * 14 || by_numbers {
                continue;
            }
            let least = |channel: &str| match channel {
                "pager" => Stage::Critical,
                "team" => Stage::Warning,
                _ if quiet => Stage::Critical,
                _ => Stage::Info,
            };
            let routed = if fleet.service(id) == "rds" { "team" } else { "chat" };
            for channel in [routed, "pager"].into_iter().filter(|channel| must >= least(channel)) {
                if hush.last_held(channel, id).is_some_and(|held| now - held < HEARD_WITHIN) {
                    continue;
                }
                let heard = self.heard.get(&(channel.to_owned(), id.clone(), truth.not_after));
                let stage = heard.map_or(Stage::Ok, |(deepest, _)| *deepest);
                assert!(
                    stage >= must,
                    "{channel} knows of {id} as {stage:?}, {} h before its end",
                    left.num_hours()
                );
            }
        }
    }

    fn certificate(
        &mut self,
        channel: &str,
        item: &CertificateItem,
        fleet: &Fleet,
        now: DateTime<Utc>,
        is_shaken: bool,
    ) {
        let id = item.facts.resource_id.to_string();
        let (about, end) = ((channel.to_owned(), id.clone()), item.facts.not_after);
        self.last_word.insert(about.clone(), now);
        let told = self.told.entry(about.clone()).or_default();
        match item.news {
            News::Entered { stage, .. } => {
                let crossing = (channel.to_owned(), id, end, stage);
                // what was told ahead of a clock that was set back since may come again
                assert!(is_shaken || !self.crossings.contains(&crossing), "told twice: {crossing:?}");
                self.crossings.insert(crossing);
                told.insert(end);
            }
            News::Reminder { .. } => {
                assert!(told.contains(&end), "{about:?}: reminded of what it never heard");
            }
            News::Renewed { old_not_after, .. } => {
                assert!(end > old_not_after, "{about:?}");
                assert!(told.contains(&old_not_after), "{about:?}: good news without the bad");
                let known = self.known.get(&about).is_some_and(|ends| ends.contains(&old_not_after));
                assert!(known || channel == "pager", "{about:?}: good news, and the bad never arrived");
                let reads = &fleet.reads[&id];
                let twice = reads.iter().rev().take(2).all(|(_, read)| *read == end);
                assert!(
                    twice,
                    "{about:?}: renewed without being read twice: {:?}",
                    reads.iter().rev().take(3)
                );
                assert!(fleet.truth[&id].ends.contains(&end), "{about:?}: no such end");
                told.insert(end);
            }
            News::Changed { .. } => {
                told.insert(end);
            }
            News::Gone { .. } => {
                assert!(fleet.truth[&id].gone, "{about:?} is still there");
                self.crossings.retain(|(to, what, ..)| (to, what) != (&about.0, &about.1));
            }
        }
    }

    /// What people were warned of is over, or goes on with another end.
    fn is_over(&mut self, channel: &str, item: &CertificateItem) {
        let about = (channel.to_owned(), item.facts.resource_id.to_string());
        let gone = matches!(item.news, News::Gone { .. });
        if self.warned.get(&about).is_some_and(|(end, _)| gone || item.facts.not_after > *end) {
            self.warned.remove(&about);
        }
    }

    /// A message arrived. It may arrive again, as the same one.
    pub(crate) fn arrived(&mut self, message: &Message, now: DateTime<Utc>) {
        self.arrived.entry(message.id.to_string()).or_default().push((now, message.clone()));
        self.may_have_arrived(message);
        for (about, item) in certificates(message) {
            if let News::Entered { .. } | News::Reminder { .. } | News::Changed { .. } = item.news {
                self.warned.insert(about, (item.facts.not_after, now));
            }
        }
    }

    /// Nobody here knows whether a message arrived.
    pub(crate) fn may_have_arrived(&mut self, message: &Message) {
        self.perhaps.insert(message.id.to_string());
        for (about, item) in certificates(message) {
            self.known.entry(about).or_default().insert(item.facts.not_after);
        }
    }

    /// Of a message only this is left to say; `None`: nothing.
    pub(crate) fn overtaken(had: &Message, left: Option<&Message>, fleet: &Fleet) {
        for (about, item) in certificates(had) {
            if left.is_some_and(|left| certificates(left).any(|(other, _)| other == about)) {
                continue;
            }
            let renewed = fleet.was_renewed(&about.1, item.facts.not_after);
            let warns = !matches!(item.news, News::Renewed { .. } | News::Gone { .. });
            assert!(renewed && warns, "{}: {about:?} is left out for nothing: {:?}", had.id, item.news);
        }
        let others = had.items.iter().any(|item| !matches!(item, Item::Certificate(_)));
        assert!(left.is_some() || !others, "{} is left out as a whole", had.id);
    }

    /// One message stands for others that waited.
    pub(crate) fn folded(&self, rows: &[Row], folded: &Folded) {
        let whole = || rows.iter().filter(|row| folded.instead_of.contains(&row.message.id));
        for row in whole() {
            let id = &*row.message.id;
            assert!(!self.perhaps.contains(id), "{id} may have arrived, and comes again under another id");
            for (about, _) in certificates(&row.message) {
                let said = certificates(&folded.message).any(|(other, _)| other == about);
                let news = || whole().flat_map(|row| certificates(&row.message)).filter(|(a, _)| *a == about);
                let unheard = news().any(|(_, item)| item.news.is_first_word());
                let over = news().any(|(_, i)| matches!(i.news, News::Renewed { .. } | News::Gone { .. }));
                assert!(said || (unheard && over), "{id}: {about:?} is lost");
            }
        }
    }

    /// Notes what nobody wants to hear of at the moment, of what people were warned of.
    pub(crate) fn note_unwanted(&mut self, fleet: &Fleet, hush: &Hush, now: DateTime<Utc>) {
        for about in self.warned.keys().filter(|(_, id)| hush.is_about(id, fleet.service(id), now)) {
            self.unwanted.insert(about.clone(), now);
        }
    }

    /// Whoever was warned hears that it is over, unless somebody does not want to hear of it.
    pub(crate) fn check_over(&self, fleet: &Fleet, now: DateTime<Utc>) {
        let quiet = (0..=HEARD_WITHIN.num_hours()).any(|hours| hush::is_quiet(now - TimeDelta::hours(hours)));
        for (about, (end, warned)) in &self.warned {
            let (channel, id) = (&*about.0, &*about.1);
            let Some(renewed) = fleet.renewed_since(id, *end).filter(|_| !fleet.truth[id].gone) else {
                continue;
            };
            let unwanted = self.unwanted.get(about).is_some_and(|at| *at > renewed - A_DAY);
            let late = now - renewed.max(*warned) > HEARD_WITHIN;
            let excused = unwanted || (quiet && channel == "chat") || !fleet.is_visible(id, now);
            assert!(
                !late || excused,
                "{channel} was warned of {id} and its end {end} on {warned}, and nobody says that it was renewed on {renewed}, \
                 by {now}: {:?}",
                self.messages_about(about)
            );
        }
    }

    /// Every message that was decided about it: the id, the news, when, and when it arrived.
    fn messages_about(&self, about: &About) -> Vec<String> {
        let all = self
            .decided
            .values()
            .flat_map(|message| certificates(message).map(move |(a, item)| (message, a, item)));
        let here = all.filter(|(_, of, _)| of == about);
        let arrived = |id: &str| {
            self.arrived.get(id).map(|all| all.iter().map(|(at, _)| at.to_string()).collect::<Vec<_>>())
        };
        here.map(|(message, _, item)| {
            format!("{} {:?} {} {:?}", message.id, item.news, message.at, arrived(&message.id))
        })
        .collect()
    }

    pub(crate) fn settled(&mut self, id: &str, state: State, must_have_arrived: bool) {
        if must_have_arrived {
            assert!(self.arrived.contains_key(id), "{id} is noted as delivered and never arrived");
        }
        let before = self.settled.insert(id.to_owned(), state);
        assert_eq!(before, None, "{id} is there twice");
    }

    /// Nobody is left alone with a certificate that is over and can be seen.
    pub(crate) fn check_expired(&self, fleet: &Fleet, hush: &Hush, routing: &Routing, now: DateTime<Utc>) {
        for (id, truth) in fleet.truth.iter().filter(|(_, truth)| !truth.gone) {
            let over = now - truth.not_after;
            if !(REMINDED < over && over < TimeDelta::days(14) && fleet.is_visible(id, now)) {
                continue;
            }
            for channel in routing.channels.iter().map(|channel| &*channel.name) {
                let for_the_team = fleet.service(id) == "rds";
                if (channel == "team" && !for_the_team) || (channel == "chat" && for_the_team) {
                    continue;
                }
                let last = self.last_word.get(&(channel.to_owned(), id.clone()));
                let silent = last.map_or(over, |last| now - *last);
                let held = hush.last_held(channel, id).map_or(silent, |held| now - held);
                let silent = silent.min(held);
                assert!(
                    silent <= REMINDED,
                    "{channel} heard nothing of {id} for {} h, over for {} h",
                    silent.num_hours(),
                    over.num_hours()
                );
            }
        }
    }

    /// The whole list at the end.
    pub(crate) fn check_all(&self, fleet: &Fleet) {
        for id in self.decided.keys() {
            assert!(self.settled.contains_key(id), "{id} is lost");
        }
        for (id, arrivals) in &self.arrived {
            let [(_, first), rest @ ..] = &arrivals[..] else { continue };
            for (_, again) in rest {
                assert_eq!((&first.channel, first.at), (&again.channel, again.at), "{id} is another message");
            }
        }
        // the chat never hears of one end more often than its stages and reminders make necessary
        let mut words: BTreeMap<(&str, &str, DateTime<Utc>), usize> = BTreeMap::new();
        for message in self.messages() {
            for item in &message.items {
                if let Item::Certificate(item) = item {
                    let key = (&*message.channel, &*item.facts.resource_id, item.facts.not_after);
                    *words.entry(key).or_default() += 1;
                }
            }
        }
        for ((channel, id, end), count) in words {
            let truth = &fleet.truth[id];
            let over = truth
                .ends
                .range(end..)
                .nth(1)
                .map_or(TimeDelta::days(40), |next| *next - TimeDelta::days(365) - end);
            let days =
                usize::try_from((over.max(TimeDelta::zero()) + A_DAY * 14).num_days()).expect("not negative");
            // four stages, three reminders of a warning, one a day from critical on
            assert!(count <= 8 + days, "{channel} heard {count} times of {id} and its end {end}");
        }
    }
}

/// The certificates of a message, by channel and resource.
fn certificates(message: &Message) -> impl Iterator<Item = (About, &CertificateItem)> {
    message.items.iter().filter_map(|item| match item {
        Item::Certificate(item) => {
            Some(((message.channel.to_string(), item.facts.resource_id.to_string()), item))
        }
        _ => None,
    })
}

/// What a message says of an end is so, by the clock on the wall, and by the last two looks.
fn is_true(item: &CertificateItem, fleet: &Fleet, time: Time) {
    let (News::Entered { stage, .. } | News::Reminder { stage, .. }) = item.news else { return };
    let (id, end) = (&*item.facts.resource_id, item.facts.not_after);
    let really = hush::stage_of(end - time.real);
    assert!(stage <= really, "{id} is told as {stage:?}, and is {really:?}");
    let mut last = fleet.reads[id].iter().rev().map(|(_, read)| *read);
    let renewed = last.next().zip(last.next()).filter(|(a, b)| a == b && *a > end);
    assert!(renewed.is_none(), "{id} is warned of, and was renewed until {renewed:?}");
}
