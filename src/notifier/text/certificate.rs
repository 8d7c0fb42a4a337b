//! A certificate and what is new about it, in words.

use chrono::{DateTime, Utc};

use super::advice::{advice, check};
use super::moments::Voice;
use super::phrase::{code, fill, foreign, joined, name, own, say, strong};
use crate::domain::alert::message::{By, CertificateFacts, CertificateItem, Gone, News, RenewalNote, Tone};
use crate::domain::finding::Stage;
use crate::notifier::script::{Entry, Line};

/// Serial numbers longer than this are shown by their ends.
const WHOLE_SERIAL: usize = 12;
/// So many characters of each end.
const SERIAL_END: usize = 4;

/// The entry of a certificate.
pub(super) fn entry(item: &CertificateItem, tone: Tone, voice: Voice) -> Entry {
    let facts = &item.facts;
    Entry {
        tone,
        head: joined([called(facts), place(facts)], voice.words.dot),
        lines: lines(item, voice),
        short: short(item, voice),
        link: facts.console_url.as_deref().map(str::to_owned),
        group: Some(facts.service.to_string()),
    }
}

/// What people call a resource: its name, or its id where it has none.
pub(super) fn label(facts: &CertificateFacts) -> &str {
    if facts.resource_name.trim().is_empty() { &facts.resource_id } else { &facts.resource_name }
}

/// The stage as of now: time passes between a decision and its telling.
pub(super) fn stage_now(stage: Stage, facts: &CertificateFacts, voice: Voice) -> Stage {
    if stage != Stage::Ok && voice.is_over(facts.not_after) { Stage::Expired } else { stage }
}

/// The word for a stage.
pub(super) fn stage_word(stage: Stage, voice: Voice) -> &'static str {
    match stage {
        Stage::Ok => voice.words.ok,
        Stage::Info => voice.words.info,
        Stage::Warning => voice.words.warning,
        Stage::Critical => voice.words.critical,
        Stage::Expired => voice.words.expired,
    }
}

/// Name and id of a resource.
pub(super) fn called(facts: &CertificateFacts) -> Line {
    let label = label(facts);
    if label == &*facts.resource_id {
        return name(label);
    }
    joined([name(label), code(&facts.resource_id)], " ")
}

/// `redis · cn-hangzhou · prod (org-abc)`
pub(super) fn place(facts: &CertificateFacts) -> Line {
    let account = match &*facts.project {
        "" => foreign(&facts.account),
        project => fill("{0} ({1})", &[foreign(&facts.account), foreign(project)]),
    };
    joined([known(&facts.service), known(&facts.region), account], " · ")
}

fn known(text: &str) -> Line {
    if text.is_empty() { Line::new() } else { foreign(text) }
}

fn lines(item: &CertificateItem, voice: Voice) -> Vec<Line> {
    let (facts, words) = (&item.facts, voice.words);
    let mut lines = news(item, voice);
    let serials = serials(item, voice);
    let in_use = facts.in_use.map(|used| own(if used { words.in_use } else { words.not_in_use }));
    lines.push(joined([role(facts, voice), serials, in_use.unwrap_or_default()], words.dot));
    lines.push(people(facts, voice));
    lines.push(match item.news {
        News::Renewed { stage: Stage::Ok, .. } | News::Gone { .. } => Line::new(),
        News::Changed { .. } => check(facts, voice),
        _ => advice(facts, voice),
    });
    if facts.stale && !matches!(item.news, News::Gone { .. }) {
        let ago = own(voice.ago(facts.last_seen));
        lines.push(fill(words.stale, &[voice.moment(facts.last_seen), ago]));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn news(item: &CertificateItem, voice: Voice) -> Vec<Line> {
    let (facts, words) = (&item.facts, voice.words);
    match &item.news {
        News::Entered { stage, previous, .. } => {
            vec![ends(facts, voice), entered(stage_now(*stage, facts, voice), *previous, voice)]
        }
        News::Reminder { stage, since } => {
            let word = own(stage_word(stage_now(*stage, facts, voice), voice));
            let values = [word, voice.moment(*since), own(voice.since(*since))];
            vec![ends(facts, voice), fill(words.stage_still, &values)]
        }
        News::Renewed { old_not_after, by, stage, .. } => {
            let by = if *by == By::Notafter { words.by_us } else { words.by_others };
            let warned = match stage_now(*stage, facts, voice) {
                Stage::Ok => Line::new(),
                stage => strong(say(words.not_enough, &[stage_word(stage, voice)])),
            };
            vec![now_ends(facts, voice), before(facts, *old_not_after, voice), warned, own(by)]
        }
        News::Changed { old_not_after, stage, .. } => {
            let stage = stage_word(stage_now(*stage, facts, voice), voice);
            let stage = fill(words.stage_new, &[own(stage)]);
            vec![now_ends(facts, voice), before(facts, *old_not_after, voice), stage]
        }
        News::Gone { how, .. } => {
            let how = match how {
                Gone::NotListed => words.gone_not_listed,
                Gone::TlsOff => words.gone_tls_off,
                Gone::NotShown => words.gone_not_shown,
                Gone::NotWatched => words.gone_not_watched,
            };
            vec![own(how), fill(words.last_end, &[voice.moment(facts.not_after)])]
        }
    }
}

/// When it ends, or ended.
pub(super) fn ends(facts: &CertificateFacts, voice: Voice) -> Line {
    let over = voice.is_over(facts.not_after);
    let pattern = if over { voice.words.expired_at } else { voice.words.expires };
    fill(pattern, &[voice.moment(facts.not_after), strong(voice.distance(facts.not_after))])
}

/// When a new one ends.
pub(super) fn now_ends(facts: &CertificateFacts, voice: Voice) -> Line {
    let distance = strong(voice.distance(facts.not_after));
    fill(voice.words.now_expires, &[voice.moment(facts.not_after), distance])
}

/// When the one before was to end, and how much was gained.
pub(super) fn before(facts: &CertificateFacts, old: DateTime<Utc>, voice: Voice) -> Line {
    let gained = facts.not_after - old;
    let longer = gained >= chrono::TimeDelta::zero();
    let pattern = if longer { voice.words.before_gained } else { voice.words.before_lost };
    fill(pattern, &[voice.moment(old), own(voice.lasting(gained.abs()))])
}

fn entered(stage: Stage, previous: Option<Stage>, voice: Voice) -> Line {
    let stage = own(stage_word(stage, voice));
    match previous {
        None => fill(voice.words.stage_first, &[stage]),
        Some(previous) => fill(voice.words.stage_was, &[stage, own(stage_word(previous, voice))]),
    }
}

fn role(facts: &CertificateFacts, voice: Voice) -> Line {
    match &*facts.role {
        "server" => own(voice.words.role_server),
        "ca" => own(voice.words.role_ca),
        "chain" => own(voice.words.role_chain),
        other => known(other),
    }
}

fn serials(item: &CertificateItem, voice: Voice) -> Line {
    let new = serial(&item.facts.serial);
    let old = match &item.news {
        News::Renewed { old_serial, .. } | News::Changed { old_serial, .. } => serial(old_serial),
        _ => String::new(),
    };
    match (&*old, &*new) {
        (_, "") => Line::new(),
        ("", new) => fill(voice.words.serial, &[code(new)]),
        (old, new) => fill(voice.words.serials, &[code(old), code(new)]),
    }
}

/// The ends of a serial number: enough to compare two of them by eye.
fn serial(serial: &str) -> String {
    let characters: Vec<char> = serial.chars().collect();
    if characters.len() <= WHOLE_SERIAL {
        return serial.to_owned();
    }
    let (first, last) = (&characters[..SERIAL_END], &characters[characters.len() - SERIAL_END..]);
    format!("{}…{}", String::from_iter(first), String::from_iter(last))
}

/// Whose it is.
pub(super) fn people(facts: &CertificateFacts, voice: Voice) -> Line {
    let words = voice.words;
    let owner = facts.owner.as_deref().map(|owner| fill(words.owner, &[foreign(owner)]));
    let labels = facts.labels.iter().map(|(key, value)| foreign(&format!("{key}={value}")));
    let labels = joined(labels, words.comma);
    let labels = if labels.is_empty() { labels } else { fill(words.labels, &[labels]) };
    joined([owner.unwrap_or_default(), labels], words.dot)
}

/// `critical (was warning), 7 days left: orders r-1 · redis · cn-hangzhou · prod · 2026-11-29 00:00 UTC`
fn short(item: &CertificateItem, voice: Voice) -> Line {
    let (facts, words) = (&item.facts, voice.words);
    let role = match &*facts.role {
        "ca" => own(words.ca),
        "chain" => own(words.chain),
        _ => Line::new(),
    };
    let identity = joined([called(facts), place(facts), role], words.dot);
    let told = fill(words.short_of, &[strong(status(item, voice)), identity]);
    let mut pieces = vec![told];
    if !matches!(item.news, News::Gone { .. }) {
        pieces.push(voice.brief(facts.not_after));
        pieces.extend(facts.owner.as_deref().map(|owner| fill(words.short_owner, &[foreign(owner)])));
    }
    if let RenewalNote::Planned { at } = facts.renewal
        && !matches!(item.news, News::Gone { .. } | News::Renewed { stage: Stage::Ok, .. })
    {
        pieces.push(fill(words.short_planned, &[voice.brief(at)]));
    }
    if facts.stale {
        pieces.push(own(say(words.short_seen, &[&voice.ago(facts.last_seen)])));
    }
    joined(pieces, words.dot)
}

fn status(item: &CertificateItem, voice: Voice) -> String {
    let (facts, words) = (&item.facts, voice.words);
    let state = voice.state(facts.not_after);
    let word = |stage: Stage| stage_word(stage_now(stage, facts, voice), voice);
    let with_state = |said: String| [said, state.clone()].join(words.joint);
    match &item.news {
        News::Entered { .. } | News::Reminder { .. } if voice.is_over(facts.not_after) => state,
        News::Entered { stage, previous: Some(previous), .. } => {
            with_state(say(words.short_was, &[word(*stage), stage_word(*previous, voice)]))
        }
        News::Entered { stage, .. } => with_state(word(*stage).to_owned()),
        News::Reminder { stage, .. } => with_state(say(words.short_still, &[word(*stage)])),
        News::Renewed { stage: Stage::Ok, old_not_after, .. } => {
            let gained = voice.lasting(facts.not_after - *old_not_after);
            say(words.short_renewed, &[&Voice::day(facts.not_after), &gained])
        }
        News::Renewed { stage, .. } => say(words.short_but, &[word(*stage), &state]),
        News::Changed { old_not_after, .. } => {
            with_state(say(words.short_changed, &[&voice.lasting(*old_not_after - facts.not_after)]))
        }
        News::Gone { how: Gone::NotListed, .. } => words.short_not_listed.to_owned(),
        News::Gone { how: Gone::TlsOff, .. } => words.short_tls_off.to_owned(),
        News::Gone { how: Gone::NotShown, .. } => words.short_not_shown.to_owned(),
        News::Gone { how: Gone::NotWatched, .. } => words.short_not_watched.to_owned(),
    }
}
