//! What stands before and behind the items: how things stand in numbers, the way to the status page, small print.

use std::cmp::Reverse;

use super::moments::Voice;
use super::phrase::{code, counted, fill, foreign, joined, own};
use super::title::{Topic, stages, tally, topic, topic_word};
use crate::domain::alert::message::{Kind, Message, Overview};
use crate::domain::finding::Stage;
use crate::notifier::script::{DETAILED, Line, Span};

/// The lines before the items.
pub(super) fn opening(message: &Message, voice: Voice) -> Vec<Line> {
    let words = voice.words;
    let mut lines = match message.kind {
        Kind::Test => vec![fill(words.test_body, &[foreign(&message.channel)])],
        Kind::First => vec![own(words.first_body)],
        Kind::News | Kind::Digest => Vec::new(),
    };
    match &message.overview {
        Some(overview) => lines.extend(numbers(overview, voice)),
        None => lines.extend(tallies(message, voice)),
    }
    lines
}

/// The lines behind the items.
pub(super) fn closing(external_url: Option<&str>, voice: Voice) -> Vec<Line> {
    let link = |url: &str| Span::Link { label: voice.words.status_page.to_owned(), url: url.to_owned() };
    external_url.map(|url| vec![link(url)]).into_iter().collect()
}

/// `notafter · route 2 · evt_…`
pub(super) fn footer(message: &Message) -> Line {
    let route = if message.route.is_empty() { Line::new() } else { foreign(&message.route) };
    joined([own("notafter"), route, code(&message.id)], " · ")
}

fn numbers(overview: &Overview, voice: Voice) -> Vec<Line> {
    let words = voice.words;
    let stages = joined(stages(overview, Stage::Ok, voice), words.dot);
    let mut services: Vec<_> = overview.services.iter().filter(|(_, count)| **count > 0).collect();
    services.sort_by_key(|(_, count)| Reverse(**count));
    let services =
        services.into_iter().map(|(service, count)| joined([foreign(service), own(count.to_string())], " "));
    let services = joined(services, words.dot);
    let mut lines = Vec::new();
    if !stages.is_empty() {
        lines.push(fill(words.by_stage, &[stages]));
    }
    if !services.is_empty() {
        lines.push(fill(words.by_service, &[services]));
    }
    if overview.blind > 0 {
        lines.push(vec![Span::Strong(counted(words.blind_scopes, overview.blind, &[]))]);
    }
    if overview.planned > 0 {
        lines.push(own(counted(words.planned, overview.planned, &[])));
    }
    lines
}

/// `2 expired · 12 warning · 1 renewed`, where there are more items than can be taken in at once, and of several
/// topics.
fn tallies(message: &Message, voice: Voice) -> Option<Line> {
    let mut counts: Vec<(Topic, usize)> = Vec::new();
    for item in &message.items {
        let topic = topic(item, voice);
        match counts.iter_mut().find(|(known, _)| *known == topic) {
            Some((_, count)) => *count += 1,
            None => counts.push((topic, 1)),
        }
    }
    if message.items.len() <= DETAILED || counts.len() < 2 {
        return None;
    }
    let tallies = counts.iter().map(|(topic, count)| tally(topic_word(*topic, voice), *count, voice));
    let more = (message.left_out > 0).then(|| own(counted(voice.words.tally_more, message.left_out, &[])));
    Some(joined(tallies.chain(more), voice.words.dot))
}
