//! A plan as text, for `notafter plan`: one line for each step, what is done, to what, and why.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::method::{Begins, Call};
use super::plan::{Decision, Plan, Read, Step};
use super::refusal::Refusal;
use crate::domain::policy::RenewalMode;

/// The plan. `clean` makes foreign text safe to look at.
pub fn show(plan: &Plan, mode: RenewalMode, clean: &dyn Fn(&str) -> String) -> String {
    let mut out = format!("mode {}: {}\n", mode.as_str(), meaning(mode));
    for step in &plan.steps {
        // writing to a String cannot fail
        let _ = writeln!(out, "{}", line(step, clean));
    }
    out
}

/// What a mode means.
pub fn meaning(mode: RenewalMode) -> &'static str {
    match mode {
        RenewalMode::Off => "nothing is renewed",
        RenewalMode::Plan => "nothing is called; this is what would be done",
        RenewalMode::Approve => "what a person approved is renewed",
        RenewalMode::Auto => "what a rule allows is renewed",
    }
}

fn line(step: &Step, clean: &dyn Fn(&str) -> String) -> String {
    let mut what = clean(&step.resource.to_string());
    if !step.name.is_empty() {
        what = format!("{what} ({})", clean(&step.name));
    }
    if let Some(target) = step.certificate {
        what = format!("{what}, ends {}", minute(target.not_after));
    }
    format!("{:<28} {what}: {}", when(&step.decision), why(step, clean))
}

fn when(decision: &Decision) -> String {
    match decision {
        Decision::Resume { .. } => "under way".to_owned(),
        Decision::Renew { .. } => "renew now".to_owned(),
        Decision::Wait { until: Some(until), .. } => format!("wait to {}", minute(*until)),
        Decision::Wait { until: None, .. } => "wait".to_owned(),
        Decision::Refuse { .. } => "refused".to_owned(),
    }
}

fn why(step: &Step, clean: &dyn Fn(&str) -> String) -> String {
    match &step.decision {
        Decision::Resume { attempt, read, overdue } => {
            let read = match read {
                Read::Settle => "whether the order arrived is found out by reading",
                Read::Progress => "the cloud took the order",
            };
            let late = if *overdue { ", and it takes longer than it should" } else { "" };
            format!("{}: {read}{late}", attempt.state.as_str())
        }
        Decision::Renew { call, .. } => shown(call, clean),
        Decision::Wait { why, detail, .. } => {
            let then = step.call.as_ref().map(|call| format!("; then {}", shown(call, clean)));
            format!("{}{}", reason(*why, detail, clean), then.unwrap_or_default())
        }
        Decision::Refuse { why, detail } => {
            format!("{}; to do: {}", reason(*why, detail, clean), why.advice())
        }
    }
}

fn reason(why: Refusal, detail: &str, clean: &dyn Fn(&str) -> String) -> String {
    let more = if detail.is_empty() { String::new() } else { format!(" ({})", clean(detail)) };
    format!("{}: {}{more}", why.code(), why.text())
}

/// A call as it would be made, and what it does to the instance.
pub fn shown(call: &Call, clean: &dyn Fn(&str) -> String) -> String {
    let mut text = call.action.to_owned();
    for (name, value) in &call.parameters {
        let _ = write!(text, " {name}={}", clean(value));
    }
    if let Some((certificate, key, files)) = &call.material {
        let [cert_file, key_file] =
            [&files.cert_file, &files.key_file].map(|path| path.display().to_string());
        let _ = write!(text, " {certificate}=@{} {key}=@{}", clean(&cert_file), clean(&key_file));
    }
    let in_window = match call.begins {
        Begins::AtOnce => "",
        Begins::InCloudWindow => ", when its maintenance window opens",
    };
    format!("{text}; {}{in_window}", call.restarts.text())
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
