//! Whether and when a resource is renewed: which rule allows it, what would be called, what it waits for, or why not and
//! what helps. What the planner said is repeated; nothing is decided here.

use super::paragraphs::{Paragraph, relative};
use super::{Found, Known};
use crate::cli::text::utc;
use crate::domain::renewal::attempt::{Attempt, ResourceKey, State};
use crate::domain::renewal::plan::{Decision, Step};
use crate::domain::renewal::show::{meaning, shown};
use crate::visible::visible;
use crate::web::planned::{Entry, entries};

pub(super) fn of(found: Found<'_>, known: &Known<'_>) -> Paragraph {
    let mut paragraph = Paragraph::titled("Renewal");
    let Some(board) = known.renewals else {
        paragraph.say("mode", "this daemon renews nothing, see `mode` in [renewal]");
        return paragraph;
    };
    paragraph.say("mode", &format!("{}: {}", board.mode.as_str(), meaning(board.mode)));
    paragraph.say_known("trouble", board.trouble.as_deref().unwrap_or_default());
    let key = ResourceKey::new(found.scope, &found.resource.id);
    let mine: Vec<Entry<'_>> = entries(board).filter(|entry| entry.resource() == Some(&key)).collect();
    match mine.iter().find_map(|entry| Some((entry.step?, entry.attempt))) {
        Some((step, attempt)) => planned(step, attempt, known, &mut paragraph),
        None => paragraph.say("now", "it was not planned yet"),
    }
    for attempt in mine.iter().filter(|entry| entry.step.is_none()).filter_map(|entry| entry.attempt) {
        paragraph.say("before", &told(attempt));
    }
    paragraph
}

fn planned(step: &Step, attempt: Option<&Attempt>, known: &Known<'_>, paragraph: &mut Paragraph) {
    if let Some(number) = step.rule {
        let rule = known.allow.get(number).map(|rule| format!(": {}", rule.matcher)).unwrap_or_default();
        paragraph.say("allowed", &format!("by [[renewal.allow]] number {}{rule}", number + 1));
    }
    match &step.decision {
        Decision::Resume { overdue, .. } => {
            let late = if *overdue { ", and it takes longer than it should" } else { "" };
            paragraph
                .say("now", &format!("it is under way{late}; what became of it is read, nothing is sent"));
        }
        Decision::Renew { .. } => paragraph.say("now", "it is renewed"),
        Decision::Wait { why, until, detail } => {
            let until = until.map(|until| format!(", not before {}", relative(until, known.now)));
            let until = until.unwrap_or_default();
            paragraph.say("now", &format!("it waits, {}: {}{}{until}", why.code(), why.text(), more(detail)));
        }
        Decision::Refuse { why, detail } => {
            paragraph.say("now", &format!("refused, {}: {}{}", why.code(), why.text(), more(detail)));
            paragraph.say("to do", why.advice());
        }
    }
    if let Some(window) = step.planned {
        paragraph.say("window", &format!("{} to {}", utc(window.begin), utc(window.end)));
    }
    if let Some(call) = &step.call {
        paragraph.say("call", &shown(call, &|text| visible(text).into_owned()));
    }
    if let Some(attempt) = attempt {
        paragraph.say("attempt", &told(attempt));
    }
}

fn told(attempt: &Attempt) -> String {
    let said = match &attempt.state {
        State::Confirmed { new_not_after } => format!(", ends {} since", utc(*new_not_after)),
        State::Refused { code, request_id, .. } => format!(", {code}, request {request_id}"),
        State::FailedLater { text } | State::NotSent { text } => format!(", {text}"),
        _ => String::new(),
    };
    let approval = attempt.approval.as_ref();
    let approval = approval.map(|approval| format!("; approved by {}", approval.by)).unwrap_or_default();
    let (id, state, by) = (&attempt.id, attempt.state.as_str(), attempt.by.name());
    format!("{id}: {state}{said}, {}; wanted by {by}{approval}", utc(attempt.changed_at))
}

fn more(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}
