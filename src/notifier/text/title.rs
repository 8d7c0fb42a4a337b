//! The line that is seen first, and often alone: how bad it is, what it is, and how many.

use super::certificate::{label, stage_now, stage_word};
use super::moments::Voice;
use super::phrase::{counted, fill, form, in_title, joined, own};
use super::source::{reason_word, short_unwatched};
use crate::domain::alert::message::{
    CertificateItem, ChannelNews, Gone, Item, Kind, Message, News, Overview, RenewalNews, SourceNews, Tone,
};
use crate::domain::finding::Stage;
use crate::notifier::script::Line;

/// What an item is about; items with the same topic share one title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Expired,
    Ending(Stage),
    Short,
    Changed,
    Renewed,
    Gone,
    Blind,
    Seeing,
    LeftOut,
    Failing,
    Delivering,
    RenewalPlanned,
    RenewalAsking,
    RenewalStarted,
    RenewalHeld,
    RenewalFailed,
}

/// The title of a message.
pub(super) fn title(message: &Message, voice: Voice) -> Line {
    let words = voice.words;
    match (message.kind, &message.overview) {
        (Kind::Test, _) => own(format!("{}{}", words.tag_test, words.title_test)),
        (Kind::First, Some(overview)) => {
            let watching = counted(words.title_first, certificates(overview), &[]);
            let worst = stages(overview, Stage::Warning, voice);
            let parts = [own(watching), joined(worst, words.joint)];
            joined([own(words.tag_first), joined(parts, words.colon)], "")
        }
        (Kind::Digest, Some(overview)) => {
            let mut parts = stages(overview, Stage::Warning, voice);
            if overview.blind > 0 {
                parts.push(own(counted(words.title_blind, overview.blind, &[])));
            }
            if parts.is_empty() {
                parts.push(own(counted(words.title_fine, certificates(overview), &[])));
            }
            joined([own(words.tag_digest), joined(parts, words.joint)], "")
        }
        _ => of_items(message, voice),
    }
}

/// How an item looks, as of now.
pub(super) fn tone(item: &Item, voice: Voice) -> Tone {
    match topic(item, voice) {
        Topic::Expired => Tone::Expired,
        Topic::Short | Topic::Changed if over(item, voice) => Tone::Expired,
        _ => item.tone(),
    }
}

/// The word under which items of a topic are counted.
pub(super) fn topic_word(topic: Topic, voice: Voice) -> &'static str {
    let words = voice.words;
    match topic {
        Topic::Expired => words.expired,
        Topic::Ending(stage) => stage_word(stage, voice),
        Topic::Short => words.short,
        Topic::Changed => words.changed,
        Topic::Renewed => words.renewed,
        Topic::Gone => words.gone,
        Topic::Blind => words.blind,
        Topic::Seeing => words.seeing,
        Topic::LeftOut => words.left_out,
        Topic::Failing => words.failing,
        Topic::Delivering => words.delivering,
        Topic::RenewalPlanned => words.renewal_planned,
        Topic::RenewalAsking => words.asking,
        Topic::RenewalStarted => words.started,
        Topic::RenewalHeld => words.held,
        Topic::RenewalFailed => words.failed,
    }
}

/// What an item is about, as of now.
pub(super) fn topic(item: &Item, voice: Voice) -> Topic {
    match item {
        Item::Certificate(item) => match item.news {
            News::Entered { stage, .. } | News::Reminder { stage, .. } => {
                match stage_now(stage, &item.facts, voice) {
                    Stage::Expired => Topic::Expired,
                    stage => Topic::Ending(stage),
                }
            }
            News::Renewed { stage: Stage::Ok, .. } => Topic::Renewed,
            News::Renewed { .. } => Topic::Short,
            News::Changed { .. } => Topic::Changed,
            News::Gone { .. } => Topic::Gone,
        },
        Item::Source(source) => match source.news {
            SourceNews::Blind { .. } => Topic::Blind,
            SourceNews::Recovered { unwatched: false, .. } => Topic::Seeing,
            SourceNews::Recovered { unwatched: true, .. } => Topic::LeftOut,
        },
        Item::Channel(channel) => match channel.news {
            ChannelNews::Failing { .. } => Topic::Failing,
            ChannelNews::Recovered { .. } => Topic::Delivering,
        },
        Item::Renewal(renewal) => match renewal.news {
            RenewalNews::Planned { asks: true, .. } => Topic::RenewalAsking,
            RenewalNews::Planned { asks: false, .. } => Topic::RenewalPlanned,
            RenewalNews::Started { .. } => Topic::RenewalStarted,
            RenewalNews::Held { .. } => Topic::RenewalHeld,
            RenewalNews::Succeeded { .. } => Topic::Renewed,
            RenewalNews::Failed { .. } => Topic::RenewalFailed,
        },
    }
}

/// So many in each stage, the deepest first, down to `least`: `2 expired`, `3 critical`.
pub(super) fn stages(overview: &Overview, least: Stage, voice: Voice) -> Vec<Line> {
    let counts = overview.stages.iter().rev().filter(|(stage, count)| **stage >= least && **count > 0);
    counts.map(|(stage, count)| tally(stage_word(*stage, voice), *count, voice)).collect()
}

/// `3 critical`
pub(super) fn tally(word: &str, count: usize, voice: Voice) -> Line {
    fill(voice.words.tally, &[own(word), own(count.to_string())])
}

/// Certificates in all.
pub(super) fn certificates(overview: &Overview) -> usize {
    overview.stages.values().sum()
}

fn over(item: &Item, voice: Voice) -> bool {
    matches!(item, Item::Certificate(item) if voice.is_over(item.facts.not_after))
}

/// The worst topic, and how many items there are beside it.
fn of_items(message: &Message, voice: Voice) -> Line {
    let words = voice.words;
    let worst = message.items.iter().rev().max_by_key(|item| tone(item, voice));
    let Some(worst) = worst else { return own(format!("{}notafter", words.tag_info)) };
    let headline = topic(worst, voice);
    let same: Vec<&Item> = message.items.iter().filter(|item| topic(item, voice) == headline).collect();
    let rest = message.items.len() - same.len() + message.left_out;
    let what = match same.as_slice() {
        [one] if rest == 0 => single(one, voice),
        [one] => joined([single(one, voice), own(counted(words.rest, rest, &[]))], ""),
        _ if rest == 0 => several(headline, &same, voice),
        _ => joined([several(headline, &same, voice), own(counted(words.rest, rest, &[]))], ""),
    };
    let reminder = if same.iter().all(|item| is_reminder(item)) { words.reminder } else { "" };
    joined([own(tag(tone(worst, voice), voice)), own(reminder), what], "")
}

fn is_reminder(item: &Item) -> bool {
    match item {
        Item::Certificate(item) => matches!(item.news, News::Reminder { .. }),
        Item::Source(source) => matches!(source.news, SourceNews::Blind { again: true, .. }),
        Item::Channel(_) | Item::Renewal(_) => false,
    }
}

fn tag(tone: Tone, voice: Voice) -> &'static str {
    match tone {
        Tone::Expired | Tone::Critical => voice.words.tag_critical,
        Tone::Warning => voice.words.tag_warning,
        Tone::Info | Tone::Health => voice.words.tag_info,
        Tone::Good => voice.words.tag_good,
    }
}

fn single(item: &Item, voice: Voice) -> Line {
    let words = voice.words;
    match item {
        Item::Certificate(item) => certificate(item, voice),
        Item::Source(source) => match source.news {
            SourceNews::Blind { .. } => {
                let reason = own(reason_word(&source.reason, voice));
                let blind = fill(words.one_blind, &[in_title(&source.account), reason]);
                joined(std::iter::once(blind).chain(short_unwatched(source, voice)), words.joint)
            }
            SourceNews::Recovered { unwatched: true, .. } => {
                fill(words.one_left_out, &[in_title(&source.account)])
            }
            SourceNews::Recovered { since, until, .. } => {
                fill(words.one_seeing, &[in_title(&source.account), own(voice.lasting(until - since))])
            }
        },
        Item::Channel(channel) => {
            let failing = matches!(channel.news, ChannelNews::Failing { .. });
            let pattern = if failing { words.one_failing } else { words.one_delivering };
            fill(pattern, &[in_title(&channel.channel)])
        }
        Item::Renewal(item) => super::renewal::title(item, voice),
    }
}

fn certificate(item: &CertificateItem, voice: Voice) -> Line {
    let (facts, words) = (&item.facts, voice.words);
    let (end, ca) = (facts.not_after, &*facts.role == "ca");
    let over = voice.is_over(end);
    let just = over && voice.is_just(end);
    let pattern = match item.news {
        News::Entered { .. } | News::Reminder { .. } => match (over, just, ca) {
            (false, _, false) => words.one_ending,
            (false, _, true) => words.one_ca_ending,
            (_, true, false) => words.one_expired_now,
            (_, true, true) => words.one_ca_expired_now,
            (_, _, false) => words.one_expired,
            (_, _, true) => words.one_ca_expired,
        },
        News::Renewed { stage: Stage::Ok, .. } => words.one_renewed,
        News::Renewed { .. } if over => words.one_short_over,
        News::Renewed { .. } => words.one_short,
        News::Changed { .. } => words.one_changed,
        News::Gone { how: Gone::NotListed, .. } => words.one_not_listed,
        News::Gone { how: Gone::TlsOff, .. } => words.one_tls_off,
        News::Gone { how: Gone::NotShown, .. } => words.one_not_shown,
        News::Gone { how: Gone::NotWatched, .. } => words.one_not_watched,
    };
    let value = match item.news {
        News::Renewed { stage: Stage::Ok, .. } | News::Changed { .. } => Voice::day(end),
        _ if over => voice.since(end),
        _ => voice.left(end),
    };
    fill(pattern, &[in_title(label(facts)), own(value)])
}

fn several(topic: Topic, items: &[&Item], voice: Voice) -> Line {
    let words = voice.words;
    let (pattern, count) = (pattern(topic, words), items.len());
    let ends = items.iter().filter_map(|item| match item {
        Item::Certificate(item) => Some(item.facts.not_after),
        _ => None,
    });
    let last = ends.max().filter(|end| !voice.is_over(*end));
    let pattern = if topic == Topic::Short && last.is_none() { words.many_short_over } else { pattern };
    let within = last.map(|end| voice.within(end)).unwrap_or_default();
    fill(form(pattern, count), &[own(count.to_string()), own(within)])
}

fn pattern(topic: Topic, words: &super::words::Words) -> &'static str {
    match topic {
        Topic::Expired => words.many_expired,
        Topic::Ending(_) => words.many_ending,
        Topic::Short => words.many_short,
        Topic::Changed => words.many_changed,
        Topic::Renewed => words.many_renewed,
        Topic::Gone => words.many_gone,
        Topic::Blind => words.many_blind,
        Topic::Seeing => words.many_seeing,
        Topic::LeftOut => words.many_left_out,
        Topic::Failing => words.many_failing,
        Topic::Delivering => words.many_delivering,
        Topic::RenewalPlanned => words.many_planned,
        Topic::RenewalAsking => words.many_asking,
        Topic::RenewalStarted => words.many_started,
        Topic::RenewalHeld => words.many_held,
        Topic::RenewalFailed => words.many_failed,
    }
}
