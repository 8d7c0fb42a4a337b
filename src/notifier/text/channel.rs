//! A channel that does not deliver, as told through another one, in words.

use super::moments::Voice;
use super::phrase::{code, counted, fill, joined, name, own, said, strong};
use crate::domain::alert::message::{ChannelItem, ChannelNews, Tone};
use crate::notifier::script::{Entry, Line};

/// The entry of a channel.
pub(super) fn entry(channel: &ChannelItem, tone: Tone, voice: Voice) -> Entry {
    let called = fill(voice.words.channel, &[name(&channel.channel)]);
    let (lines, short) = match &channel.news {
        ChannelNews::Failing { .. } => failing(channel, voice),
        ChannelNews::Recovered { .. } => recovered(channel, voice),
    };
    Entry { tone, head: called, lines, short, link: None, group: None }
}

fn failing(channel: &ChannelItem, voice: Voice) -> (Vec<Line>, Line) {
    let words = voice.words;
    let ChannelNews::Failing { since, failures, error, queued } = &channel.news else {
        return Default::default();
    };
    let failures = usize::try_from(*failures).unwrap_or(usize::MAX);
    let failures = own(counted(words.failures, failures, &[]));
    let queued = own(counted(words.queued, *queued, &[]));
    let mut lines = vec![
        fill(words.failing_since, &[voice.moment(*since), strong(voice.since(*since))]),
        joined([failures, queued.clone()], words.dot),
    ];
    if !error.trim().is_empty() {
        lines.push(fill(words.error, &[said(error)]));
    }
    lines.push(fill(words.to_do, &[fill(words.do_channel, &[code("notafter notify test")])]));
    (lines, short(channel, words.failing, queued, voice))
}

fn recovered(channel: &ChannelItem, voice: Voice) -> (Vec<Line>, Line) {
    let words = voice.words;
    let ChannelNews::Recovered { since, delayed } = &channel.news else { return Default::default() };
    let delayed = own(counted(words.delayed, *delayed, &[]));
    let values = [voice.moment(*since), strong(voice.since(*since))];
    let lines = vec![fill(words.delivers_again, &values), delayed.clone()];
    (lines, short(channel, words.delivering, delayed, voice))
}

fn short(channel: &ChannelItem, status: &str, count: Line, voice: Voice) -> Line {
    let called = fill(voice.words.channel, &[name(&channel.channel)]);
    let told = fill(voice.words.short_of, &[strong(status), called]);
    joined([told, count], voice.words.dot)
}
