//! Many messages that wait for one channel, drawn together into one: after an outage nobody wants to read twenty.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::alert::message::{
    CertificateItem, ChannelItem, ChannelNews, Fingerprint, Item, Kind, Message, News, RenewalItem,
    SourceItem, SourceNews, Tone,
};
use crate::domain::alert::outbox::{Row, State};
use crate::domain::finding::Stage;

/// More than this many waiting messages are drawn together, where the channel is read by people as they come.
pub const BACKLOG: usize = 20;
/// So many items are carried by one message; more are counted.
const ITEMS: usize = 1000;

/// One message in the place of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// What is left to say. Without items: nothing, everything came to an end before anybody heard of it.
    pub message: Message,
    /// Ids of the messages that it stands for.
    pub instead_of: Vec<Box<str>>,
}

/// Draws waiting messages together, if there are many. Those that arrived in part, or may have arrived, because no answer
/// came or the process ended in the middle of an attempt, stay by themselves: they go out again under their own id.
pub fn fold(rows: &[Row], id: impl FnOnce() -> Box<str>, now: DateTime<Utc>) -> Option<Folded> {
    let mut whole: Vec<&Row> =
        rows.iter().filter(|row| row.state == State::Queued && !row.may_have_arrived()).collect();
    if whole.len() <= BACKLOG {
        return None;
    }
    whole.sort_by(|a, b| (a.message.at, &a.message.id).cmp(&(b.message.at, &b.message.id)));
    let mut latest: BTreeMap<About, Item> = BTreeMap::new();
    let items = whole.iter().flat_map(|row| row.message.items.iter().map(|item| (row.message.at, item)));
    for (at, item) in items {
        let about = about(item);
        let together = match latest.remove(&about) {
            None => Some(item.clone()),
            Some(earlier) => together(earlier, item.clone(), at),
        };
        latest.extend(together.map(|item| (about, item)));
    }
    let mut items: Vec<Item> = latest.into_values().collect();
    items.sort_by_key(|item| (Reverse(urgency(item)), end(item)));
    let uncounted: usize = whole.iter().map(|row| row.message.left_out).sum();
    let left_out = items.len().saturating_sub(ITEMS) + uncounted;
    items.truncate(ITEMS);
    let channel = whole.first().map(|row| row.message.channel.clone()).unwrap_or_default();
    let message = Message {
        id: id(),
        channel,
        kind: Kind::Digest,
        route: one_route(&whole),
        at: now,
        items,
        left_out,
        overview: None,
    };
    Some(Folded { message, instead_of: whole.iter().map(|row| row.message.id.clone()).collect() })
}

/// What an item is about: news of the same thing replace each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Certificate(Fingerprint),
    Source(Box<str>, Box<str>, Box<str>),
    Channel(Box<str>),
    Renewal(Box<str>),
}

fn about(item: &Item) -> About {
    match item {
        Item::Certificate(item) => About::Certificate(item.facts.fingerprint),
        Item::Source(item) => About::Source(item.provider.clone(), item.account.clone(), item.reason.clone()),
        Item::Channel(item) => About::Channel(item.channel.clone()),
        // how far it is by now says all of it; a second attempt is another story
        Item::Renewal(item) => About::Renewal(item.attempt.clone()),
    }
}

/// Two pieces of news of the same thing that nobody heard of yet, the later one of that moment. `None`: together they are
/// nothing.
fn together(earlier: Item, later: Item, at: DateTime<Utc>) -> Option<Item> {
    match (earlier, later) {
        (Item::Certificate(earlier), Item::Certificate(later)) => {
            certificates(&earlier, later, at).map(Item::Certificate)
        }
        (Item::Source(earlier), Item::Source(later)) => sources(&earlier, later).map(Item::Source),
        (
            Item::Channel(ChannelItem { news: ChannelNews::Failing { .. }, .. }),
            Item::Channel(ChannelItem { news: ChannelNews::Recovered { .. }, .. }),
        ) => None,
        (_, later) => Some(later),
    }
}

fn certificates(
    earlier: &CertificateItem,
    mut later: CertificateItem,
    at: DateTime<Utc>,
) -> Option<CertificateItem> {
    let News::Entered { stage: first, previous: heard, since } = earlier.news else { return Some(later) };
    let same_end = earlier.facts.not_after == later.facts.not_after;
    match &mut later.news {
        News::Entered { previous, .. } if same_end => *previous = heard,
        News::Reminder { stage, .. } if same_end => {
            later.news = News::Entered { stage: first.max(*stage), previous: heard, since };
        }
        // nobody heard of the old end, and the new one is near, too
        News::Renewed { stage, .. } if heard.is_none() && *stage > Stage::Ok => {
            later.news = News::Entered { stage: *stage, previous: None, since: at };
        }
        // nobody heard of the trouble, so nobody wants to hear that it is over
        News::Renewed { .. } | News::Gone { .. } if heard.is_none() => return None,
        _ => {}
    }
    Some(later)
}

fn sources(earlier: &SourceItem, mut later: SourceItem) -> Option<SourceItem> {
    match (&earlier.news, &mut later.news) {
        (SourceNews::Blind { again: false, .. }, SourceNews::Recovered { .. }) => return None,
        (SourceNews::Blind { again: heard, .. }, SourceNews::Blind { again, .. }) => *again = *heard,
        _ => {}
    }
    Some(later)
}

/// Good news behind everything that calls for something.
fn urgency(item: &Item) -> Tone {
    match item.tone() {
        Tone::Good => Tone::Health,
        tone => tone,
    }
}

fn end(item: &Item) -> DateTime<Utc> {
    match item {
        Item::Certificate(CertificateItem { facts, .. }) | Item::Renewal(RenewalItem { facts, .. }) => {
            facts.not_after
        }
        Item::Source(_) | Item::Channel(_) => DateTime::<Utc>::MAX_UTC,
    }
}

/// The route, if all came by the same one.
fn one_route(rows: &[&Row]) -> Box<str> {
    let Some(first) = rows.first() else { return Box::default() };
    let same = rows.iter().all(|row| row.message.route == first.message.route);
    if same { first.message.route.clone() } else { Box::default() }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::alert::delivery::testing::{entered, item, message, renewal};
    use crate::domain::alert::message::{By, Gone, RenewalNews, Severity};
    use crate::domain::testing::moment;

    fn row(minute: i64, items: Vec<Item>) -> Row {
        let at = moment() + TimeDelta::minutes(minute);
        let id = format!("evt_{minute:04}").into();
        Row {
            message: Message { id, at, ..message(items) },
            state: State::Queued,
            attempts: 1,
            parts_done: 0,
            next_at: at,
            last_error: Some("HTTP 503".into()),
            unanswered: false,
            settled_at: None,
        }
    }

    /// Enough others to be a backlog, each of which is about a certificate of its own.
    fn crowd() -> impl Iterator<Item = Row> {
        (100_u8..=120).map(|n| {
            let id = "z".repeat(50 + usize::from(n));
            row(i64::from(n), vec![item(&id, 29, entered(Stage::Info, None))])
        })
    }

    /// What is left of these, beside the crowd.
    fn folded(items: impl IntoIterator<Item = Item>) -> Vec<Item> {
        let rows = items.into_iter().zip(1..).map(|(item, minute)| row(minute, vec![item]));
        let rows: Vec<Row> = rows.chain(crowd()).collect();
        let folded = fold(&rows, || "evt_new".into(), moment()).expect("a backlog");
        folded
            .message
            .items
            .into_iter()
            .filter(|item| !matches!(item, Item::Certificate(c) if c.facts.resource_id.starts_with('z')))
            .collect()
    }

    #[test]
    fn up_to_twenty_stay_as_they_are() {
        let rows: Vec<Row> = crowd().collect();
        assert_eq!(fold(&rows[..BACKLOG], || "x".into(), moment()), None);
        let folded = fold(&rows, || "evt_new".into(), moment()).expect("a backlog");
        assert_eq!(folded.message.items.len(), BACKLOG + 1);
        assert_eq!((folded.message.kind, &*folded.message.route), (Kind::Digest, "route 1"));
        assert_eq!(folded.instead_of.len(), BACKLOG + 1);
    }

    #[test]
    fn what_was_sent_in_part_or_is_being_sent_stays_by_itself() {
        let mut rows: Vec<Row> = crowd().chain([row(1, vec![]), row(2, vec![]), row(3, vec![])]).collect();
        rows[3].parts_done = 1;
        rows[5].state = State::Sending;
        rows[7].unanswered = true;
        let kept = [3, 5, 7].map(|number: usize| rows[number].message.id.clone());
        let folded = fold(&rows, || "x".into(), moment()).expect("a backlog");
        assert!(kept.iter().all(|id| !folded.instead_of.contains(id)));
    }

    #[test]
    fn news_of_the_same_certificate_become_one() {
        let warning = |previous| item("r-1", 7, entered(Stage::Warning, previous));
        let critical = |previous| item("r-1", 7, entered(Stage::Critical, previous));
        let reminder = || item("r-1", 7, News::Reminder { stage: Stage::Warning, since: moment() });
        let renewed = || {
            let old_not_after = moment() + TimeDelta::days(7);
            let (by, stage, told) = (By::External, Stage::Ok, Stage::Warning);
            item("r-1", 90, News::Renewed { old_not_after, old_serial: "".into(), by, stage, told })
        };
        let gone = || item("r-1", 7, News::Gone { how: Gone::NotListed, told: Stage::Warning });
        let near = || {
            let old_not_after = moment() + TimeDelta::days(7);
            let (by, stage, told) = (By::External, Stage::Warning, Stage::Warning);
            item("r-1", 13, News::Renewed { old_not_after, old_serial: "".into(), by, stage, told })
        };
        // the news of the renewal is of the second minute
        let in_stage = |stage| {
            let since = moment() + TimeDelta::minutes(2);
            item("r-1", 13, News::Entered { stage, previous: None, since })
        };
        let deeper = || item("r-1", 13, entered(Stage::Critical, Some(Stage::Warning)));
        let next = || item("r-1", 90, entered(Stage::Info, None));
        for (name, items, want) in [
            ("alone", vec![warning(None)], vec![warning(None)]),
            ("deeper", vec![warning(None), critical(Some(Stage::Warning))], vec![critical(None)]),
            (
                "deeper than what was heard",
                vec![warning(Some(Stage::Info)), critical(Some(Stage::Warning))],
                vec![critical(Some(Stage::Info))],
            ),
            ("a reminder of what nobody heard", vec![warning(None), reminder()], vec![warning(None)]),
            ("two reminders", vec![reminder(), reminder()], vec![reminder()]),
            ("renewed before anybody heard", vec![warning(None), renewed()], vec![]),
            (
                "renewed after a shallower stage was heard",
                vec![warning(Some(Stage::Info)), renewed()],
                vec![renewed()],
            ),
            (
                "renewed unheard until an end that is near",
                vec![warning(None), near()],
                vec![in_stage(Stage::Warning)],
            ),
            (
                "and nearer since",
                vec![warning(None), near(), deeper()],
                vec![item("r-1", 13, entered(Stage::Critical, None))],
            ),
            (
                "heard of, and renewed until an end that is near",
                vec![warning(Some(Stage::Info)), near()],
                vec![near()],
            ),
            ("renewed after it was reminded of", vec![reminder(), renewed()], vec![renewed()]),
            ("gone before anybody heard", vec![warning(None), gone()], vec![]),
            ("renewed, and the new one ends soon", vec![warning(None), renewed(), next()], vec![next()]),
        ] {
            assert_eq!(folded(items), want, "{name}");
        }
    }

    fn source(news: SourceNews) -> Item {
        Item::Source(SourceItem {
            news,
            provider: "alibaba".into(),
            account: "prod".into(),
            reason: "denied".into(),
            services: vec![],
            regions: vec![],
            error: "".into(),
            last_success: None,
            certificates: 3,
            worst: Stage::Ok,
        })
    }

    #[test]
    fn troubles_that_came_and_went_unheard_are_nothing() {
        let blind = |again| source(SourceNews::Blind { since: moment(), severity: Severity::Warning, again });
        let sees = || source(SourceNews::Recovered { since: moment(), until: moment(), unwatched: false });
        let failing = || {
            let news = ChannelNews::Failing { since: moment(), failures: 3, error: "".into(), queued: 1 };
            Item::Channel(ChannelItem { channel: "b".into(), news })
        };
        let recovered = || {
            let news = ChannelNews::Recovered { since: moment(), delayed: 1 };
            Item::Channel(ChannelItem { channel: "b".into(), news })
        };
        for (name, items, want) in [
            ("blind and back", vec![blind(false), sees()], vec![]),
            ("told blind, again, and back", vec![blind(true), sees()], vec![sees()]),
            ("blind twice", vec![blind(false), blind(true)], vec![blind(false)]),
            ("failing and back", vec![failing(), recovered()], vec![]),
            ("back from what was heard", vec![recovered()], vec![recovered()]),
        ] {
            assert_eq!(folded(items), want, "{name}");
        }
    }

    #[test]
    fn of_a_renewal_the_last_word_is_said_and_none_is_lost() {
        let planned = || {
            let (from, until) = (moment(), moment() + TimeDelta::hours(4));
            renewal("r-1", 13, RenewalNews::Planned { from, until, asks: false, missed: None })
        };
        let started = || renewal("r-1", 13, RenewalNews::Started { expected_by: moment() });
        let succeeded =
            || renewal("r-1", 13, RenewalNews::Succeeded { new_not_after: moment() + TimeDelta::days(365) });
        let other = || renewal("r-2", 12, RenewalNews::Started { expected_by: moment() });
        let warning = || item("r-1", 13, entered(Stage::Warning, None));
        for (name, items, want) in [
            ("planned and begun", vec![planned(), started()], vec![started()]),
            ("all of it", vec![planned(), started(), succeeded()], vec![succeeded()]),
            ("two of them", vec![planned(), other()], vec![other(), planned()]),
            ("beside its certificate", vec![warning(), planned()], vec![warning(), planned()]),
        ] {
            assert_eq!(folded(items), want, "{name}");
        }
    }

    #[test]
    fn the_most_urgent_comes_first() {
        let stages = [Stage::Info, Stage::Expired, Stage::Warning, Stage::Critical];
        let items = stages
            .iter()
            .zip([29, -1, 13, 6])
            .map(|(stage, days)| item(&format!("r-{}", stage.as_str()), days, entered(*stage, None)));
        let tones: Vec<Tone> = folded(items).iter().map(Item::tone).collect();
        assert_eq!(tones, [Tone::Expired, Tone::Critical, Tone::Warning, Tone::Info]);
    }
}
