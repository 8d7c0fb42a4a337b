//! A renewal that this daemon makes, in words: when, what it interrupts, who wants it, what became of it, what to do.

use super::certificate::{before, called, ends, label, now_ends, people, place};
use super::moments::Voice;
use super::phrase::{code, command, fill, foreign, joined, own, said, say, strong};
use crate::domain::alert::message::{CertificateFacts, RenewalFailure, RenewalItem, RenewalNews, Tone};
use crate::domain::renewal::method::Restarts;
use crate::notifier::script::{Entry, Line, Span};

const DAY_SECONDS: i64 = 86_400;

/// The entry of a renewal.
pub(super) fn entry(item: &RenewalItem, tone: Tone, voice: Voice) -> Entry {
    let facts = &item.facts;
    let mut lines = news(item, voice);
    lines.extend([people(facts, voice), asked(item, voice), to_do(item, voice)]);
    lines.retain(|line| !line.is_empty());
    Entry {
        tone,
        head: joined([called(facts), place(facts)], voice.words.dot),
        lines,
        short: short(item, voice),
        link: facts.console_url.as_deref().map(str::to_owned),
        group: Some(facts.service.to_string()),
    }
}

/// The title of one.
pub(super) fn title(item: &RenewalItem, voice: Voice) -> Line {
    let (words, name) = (voice.words, super::phrase::in_title(label(&item.facts)));
    match &item.news {
        RenewalNews::Planned { from, asks, .. } => {
            let pattern = if *asks { words.one_asking } else { words.one_planned };
            fill(pattern, &[name, own(voice.in_zone(*from))])
        }
        RenewalNews::Started { .. } => fill(words.one_started, &[name]),
        RenewalNews::Held { .. } => fill(words.one_held, &[name]),
        RenewalNews::Succeeded { new_not_after } => {
            fill(words.one_renewed, &[name, own(Voice::day(*new_not_after))])
        }
        RenewalNews::Failed { how, stops, .. } => {
            let failed = fill(words.one_failed, &[name, own(how_word(*how, voice))]);
            let stopped = if *stops { own(words.all_stopped) } else { Line::new() };
            joined([failed, stopped], words.joint)
        }
    }
}

/// How one failed, in few words.
fn how_word(how: RenewalFailure, voice: Voice) -> &'static str {
    let words = voice.words;
    match how {
        RenewalFailure::RefusedForNow
        | RenewalFailure::RefusedForAPerson
        | RenewalFailure::RefusedForGood => words.how_refused,
        RenewalFailure::Later => words.how_later,
        RenewalFailure::WithoutEffect => words.how_without_effect,
        RenewalFailure::Unknown => words.how_unknown,
    }
}

/// The cloud said at once that it does nothing.
fn is_refused(how: RenewalFailure) -> bool {
    !matches!(how, RenewalFailure::Later | RenewalFailure::WithoutEffect | RenewalFailure::Unknown)
}

fn news(item: &RenewalItem, voice: Voice) -> Vec<Line> {
    let (facts, words) = (&item.facts, voice.words);
    match &item.news {
        RenewalNews::Planned { asks, missed, .. } => {
            let asks = if *asks { strong(words.asks) } else { Line::new() };
            let missed = missed.map(|at| fill(words.window_missed, &[voice.moment(at)]));
            vec![window(item, voice), asks, missed.unwrap_or_default(), ends(facts, voice), call(item, voice)]
        }
        RenewalNews::Started { expected_by } => {
            let overdue = *expected_by <= voice.now;
            let pattern = if overdue { words.started_overdue } else { words.started_until };
            vec![fill(pattern, &[voice.moment(*expected_by)]), call(item, voice), ends(facts, voice)]
        }
        RenewalNews::Held { text } => {
            let why = if text.trim().is_empty() { Line::new() } else { fill(words.held_why, &[said(text)]) };
            vec![why, own(words.held_again), ends(facts, voice)]
        }
        RenewalNews::Succeeded { new_not_after } => {
            let renewed = CertificateFacts { not_after: *new_not_after, ..facts.clone() };
            vec![now_ends(&renewed, voice), before(&renewed, facts.not_after, voice)]
        }
        RenewalNews::Failed { how, stops, .. } => {
            let stopped = if *stops { strong(words.stops_all) } else { Line::new() };
            vec![
                strong(failed(*how, voice)),
                error(item, voice),
                stopped,
                ends(facts, voice),
                call(item, voice),
            ]
        }
    }
}

fn window(item: &RenewalItem, voice: Voice) -> Line {
    let RenewalNews::Planned { from, until, .. } = item.news else { return Line::new() };
    let words = voice.words;
    let distance = match voice.now {
        now if now >= until => words.window_over.to_owned(),
        now if now >= from => words.window_open.to_owned(),
        _ => say(words.window_in, &[&voice.left(from)]),
    };
    fill(words.window, &[voice.moment(from), voice.moment(until), strong(distance)])
}

/// Nothing where it is not known any more how its resource is renewed.
fn call(item: &RenewalItem, voice: Voice) -> Line {
    let words = voice.words;
    if item.call.is_empty() {
        return Line::new();
    }
    let refused = match item.news {
        RenewalNews::Failed { how, .. } => Some(is_refused(how)),
        _ => None,
    };
    let pattern = match (item.restarts, refused) {
        (_, Some(true)) => words.call_refused,
        (Restarts::Yes | Restarts::Unknown, Some(false)) => words.call_made,
        (Restarts::Yes, None) => words.call_restarts,
        (Restarts::Unknown, None) => words.call_may_restart,
        (Restarts::No, _) => words.call_restarts_nothing,
    };
    fill(pattern, &[code(&item.call)])
}

/// Who wants it, and by which rule it may be.
fn asked(item: &RenewalItem, voice: Voice) -> Line {
    let words = voice.words;
    let person = (&*item.who != "rule").then(|| fill(words.ordered_by, &[foreign(&item.who)]));
    let rule = (!item.rule.is_empty()).then(|| fill(words.allowed_by, &[code(&item.rule)]));
    joined([person, rule, Some(code(&item.attempt))].into_iter().flatten(), words.dot)
}

fn failed(how: RenewalFailure, voice: Voice) -> &'static str {
    let words = voice.words;
    match how {
        RenewalFailure::RefusedForNow => words.failed_for_now,
        RenewalFailure::RefusedForAPerson => words.failed_for_a_person,
        RenewalFailure::RefusedForGood => words.failed_for_good,
        RenewalFailure::Later => words.failed_later,
        RenewalFailure::WithoutEffect => words.failed_without_effect,
        RenewalFailure::Unknown => words.failed_unknown,
    }
}

/// The cloud's code, its words, and its number for the call, for whoever asks its support.
fn error(item: &RenewalItem, voice: Voice) -> Line {
    let RenewalNews::Failed { code: cloud, request_id, text, .. } = &item.news else { return Line::new() };
    let words = voice.words;
    let known = |text: &str, line: Line| if text.trim().is_empty() { Line::new() } else { line };
    let request = known(request_id, fill(words.request, &[code(request_id)]));
    let error = joined([known(cloud, code(cloud)), known(text, said(text)), request], words.dot);
    if error.is_empty() { error } else { fill(words.error, &[error]) }
}

/// What to do, and behind it where.
fn to_do(item: &RenewalItem, voice: Voice) -> Line {
    let words = voice.words;
    let link = |label: &str, url: &str| vec![Span::Link { label: label.to_owned(), url: url.to_owned() }];
    let renewal = item.link.as_deref().map(|url| link(words.renewal_link, url));
    let console = item.facts.console_url.as_deref().map(|url| link(words.console, url));
    let what = fill(words.to_do, &[steps(item, voice)]);
    joined([Some(what), renewal, console].into_iter().flatten(), words.dot)
}

fn steps(item: &RenewalItem, voice: Voice) -> Line {
    let (words, linked) = (voice.words, item.link.is_some());
    let renew = || command(&format!("notafter renew {}", quoted(&item.facts.resource_id)));
    match &item.news {
        RenewalNews::Planned { asks, .. } => {
            let step = match (*asks, linked) {
                (true, true) => fill(words.do_approve, &[renew()]),
                (true, false) => fill(words.do_approve_here, &[renew()]),
                (false, _) => own(words.do_nothing),
            };
            let against = match (*asks, linked) {
                (false, true) => words.do_reject,
                _ => words.do_skip,
            };
            joined([step, fill(against, &[silence(item, voice)])], words.also)
        }
        RenewalNews::Started { .. } => own(words.do_wait),
        RenewalNews::Held { .. } => own(words.do_held),
        RenewalNews::Succeeded { .. } => own(words.do_clients),
        RenewalNews::Failed { how, .. } => match how {
            RenewalFailure::RefusedForNow => fill(words.do_failed_for_now, &[renew()]),
            RenewalFailure::RefusedForAPerson => fill(words.do_failed_for_a_person, &[renew()]),
            RenewalFailure::RefusedForGood => own(words.do_failed_for_good),
            RenewalFailure::Later | RenewalFailure::WithoutEffect => fill(words.do_failed_look, &[renew()]),
            RenewalFailure::Unknown => fill(words.do_failed_unknown, &[renew()]),
        },
    }
}

/// A silence that lasts until the window is over.
fn silence(item: &RenewalItem, voice: Voice) -> Line {
    let RenewalNews::Planned { until, .. } = item.news else { return Line::new() };
    let days = ((until - voice.now).num_seconds().max(1) + DAY_SECONDS - 1) / DAY_SECONDS;
    let about = quoted(&format!("resource_id={:?}", item.facts.resource_id));
    command(&format!("notafter silence add {about} --for {days}d --comment WHY"))
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// `renewal planned: orders r-1 · redis · cn-hangzhou · prod · 2026-11-24 18:00 UTC · 13 days left`
fn short(item: &RenewalItem, voice: Voice) -> Line {
    let (facts, words) = (&item.facts, voice.words);
    let identity = joined([called(facts), place(facts)], words.dot);
    let told = fill(words.short_of, &[strong(status(item, voice)), identity]);
    let left = || own(voice.state(facts.not_after));
    let more = match &item.news {
        RenewalNews::Planned { from, .. } => vec![voice.brief(*from), left()],
        RenewalNews::Started { expected_by } => vec![fill(words.short_until, &[voice.brief(*expected_by)])],
        RenewalNews::Held { text } => vec![said(text), left()],
        RenewalNews::Succeeded { new_not_after } => vec![voice.brief(*new_not_after)],
        RenewalNews::Failed { code: cloud, .. } if cloud.is_empty() => vec![left()],
        RenewalNews::Failed { code: cloud, .. } => vec![code(cloud), left()],
    };
    let owner = facts.owner.as_deref().map(|owner| fill(words.short_owner, &[foreign(owner)]));
    joined(std::iter::once(told).chain(more).chain(owner), words.dot)
}

fn status(item: &RenewalItem, voice: Voice) -> String {
    let words = voice.words;
    match &item.news {
        RenewalNews::Planned { asks: true, .. } => words.asking.to_owned(),
        RenewalNews::Planned { asks: false, .. } => words.renewal_planned.to_owned(),
        RenewalNews::Started { .. } => words.started.to_owned(),
        RenewalNews::Held { .. } => words.held.to_owned(),
        RenewalNews::Succeeded { new_not_after } => {
            let gained = voice.lasting(*new_not_after - item.facts.not_after);
            say(words.short_renewed, &[&Voice::day(*new_not_after), &gained])
        }
        RenewalNews::Failed { how, stops, .. } => {
            let stopped = stops.then_some(words.all_stopped);
            let parts = [words.failed, how_word(*how, voice)].into_iter().chain(stopped);
            parts.collect::<Vec<_>>().join(words.joint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_is_one_word_for_a_shell() {
        for (name, text, want) in [
            ("an id", "r-bp1_x.2", "r-bp1_x.2"),
            ("nothing", "", "''"),
            ("a command in it", "x; rm -rf $HOME", "'x; rm -rf $HOME'"),
            ("a quote", "it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(text), want, "{name}");
        }
    }
}
