//! A source that cannot be read, and one that can again or is not watched any more, in words.

use super::certificate::stage_word;
use super::moments::Voice;
use super::phrase::{code, counted, fill, foreign, joined, name, own, said, say, strong};
use crate::domain::alert::message::{SourceItem, SourceNews, Tone};
use crate::domain::finding::Stage;
use crate::notifier::script::{Entry, Line};

/// Of longer lists of regions the rest is counted.
const LISTED: usize = 8;

/// The entry of a source.
pub(super) fn entry(source: &SourceItem, tone: Tone, voice: Voice) -> Entry {
    let (lines, short, reason) = match source.news {
        SourceNews::Blind { .. } => {
            let reason = own(reason_word(&source.reason, voice));
            (blind(source, voice), blind_short(source, voice), reason)
        }
        SourceNews::Recovered { .. } => {
            (recovered(source, voice), recovered_short(source, voice), Line::new())
        }
    };
    let head = joined([name(&source.account), foreign(&source.provider), reason], voice.words.dot);
    Entry { tone, head, lines, short, link: None, group: None }
}

/// A reason in words.
pub(super) fn reason_word(reason: &str, voice: Voice) -> &'static str {
    let words = voice.words;
    match reason {
        "denied" => words.denied,
        "throttled" => words.throttled,
        "unreachable" => words.unreachable,
        "timeout" => words.timeout,
        "refused" => words.refused,
        "unreadable" => words.unreadable,
        "too_large" => words.too_large,
        _ => words.internal,
    }
}

fn blind(source: &SourceItem, voice: Voice) -> Vec<Line> {
    let words = voice.words;
    let SourceNews::Blind { since, again, .. } = source.news else { return Vec::new() };
    let pattern = if again { words.blind_again } else { words.blind_since };
    let mut lines = vec![
        fill(pattern, &[voice.moment(since), strong(voice.since(since))]),
        unwatched(source, voice),
        places(source, voice),
        match source.last_success {
            Some(at) => fill(words.last_success, &[voice.moment(at), own(voice.ago(at))]),
            None => own(words.never),
        },
    ];
    if !source.error.trim().is_empty() {
        lines.push(fill(words.error, &[said(&source.error)]));
    }
    lines.push(fill(words.to_do, &[what_to_do(&source.reason, voice)]));
    lines.retain(|line| !line.is_empty());
    lines
}

fn recovered(source: &SourceItem, voice: Voice) -> Vec<Line> {
    let words = voice.words;
    let SourceNews::Recovered { since, until, unwatched } = source.news else { return Vec::new() };
    let reason = own(reason_word(&source.reason, voice));
    let pattern = if unwatched { words.left_out_since } else { words.seeing_since };
    let mut lines = vec![
        fill(pattern, &[voice.moment(until)]),
        fill(words.was_blind, &[strong(voice.lasting(until - since)), voice.moment(since), reason]),
        places(source, voice),
    ];
    if source.certificates > 0 && !unwatched {
        lines.push(own(counted(words.watched_again, source.certificates, &[])));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn unwatched(source: &SourceItem, voice: Voice) -> Line {
    let words = voice.words;
    if source.certificates == 0 {
        return own(words.unwatched_none);
    }
    let unwatched = counted(words.unwatched, source.certificates, &[]);
    match source.worst {
        Stage::Ok => strong(unwatched),
        worst => fill(words.unwatched_worst, &[strong(unwatched), own(stage_word(worst, voice))]),
    }
}

/// `Services: redis, rds · Regions: cn-hangzhou`
fn places(source: &SourceItem, voice: Voice) -> Line {
    let words = voice.words;
    let services = listed(&source.services, voice);
    let regions = if source.regions.iter().all(|region| region.is_empty()) {
        own(words.all_regions)
    } else {
        listed(&source.regions, voice)
    };
    let services = if services.is_empty() { services } else { fill(words.services, &[services]) };
    joined([services, fill(words.regions, &[regions])], words.dot)
}

fn listed(texts: &[Box<str>], voice: Voice) -> Line {
    let known = || texts.iter().filter(|text| !text.is_empty());
    let (count, words) = (known().count(), voice.words);
    let list = joined(known().take(LISTED).map(|text| foreign(text)), words.comma);
    if count <= LISTED {
        return list;
    }
    let rest = say(words.list_more, &[&(count - LISTED).to_string()]);
    joined([list, own(rest)], "")
}

fn what_to_do(reason: &str, voice: Voice) -> Line {
    let words = voice.words;
    let pattern = match reason {
        "denied" => words.do_denied,
        "throttled" => words.do_throttled,
        "unreachable" | "timeout" => words.do_reach,
        "refused" => words.do_refused,
        _ => words.do_report,
    };
    fill(pattern, &[code("notafter doctor")])
}

fn identity(source: &SourceItem, voice: Voice) -> Line {
    let services = joined(source.services.iter().map(|service| foreign(service)), voice.words.comma);
    let regions = listed(&source.regions, voice);
    joined([name(&source.account), code(&source.provider), services, regions], voice.words.dot)
}

/// How many certificates nobody looks at; nothing where there are none.
pub(super) fn short_unwatched(source: &SourceItem, voice: Voice) -> Option<Line> {
    let count = source.certificates;
    (count > 0).then(|| own(counted(voice.words.short_unwatched, count, &[])))
}

fn blind_short(source: &SourceItem, voice: Voice) -> Line {
    let words = voice.words;
    let SourceNews::Blind { since, .. } = source.news else { return Line::new() };
    let status = [words.blind, reason_word(&source.reason, voice)].join(words.joint);
    let told = fill(words.short_of, &[strong(status), identity(source, voice)]);
    let parts = [told, own(voice.since(since))].into_iter().chain(short_unwatched(source, voice));
    joined(parts, words.dot)
}

fn recovered_short(source: &SourceItem, voice: Voice) -> Line {
    let words = voice.words;
    let SourceNews::Recovered { since, until, unwatched } = source.news else { return Line::new() };
    let status = if unwatched { words.left_out } else { words.seeing };
    let told = fill(words.short_of, &[strong(status), identity(source, voice)]);
    let length = say(words.blind_for, &[&voice.lasting(until - since)]);
    joined([told, own(length)], words.dot)
}
