//! What happened about one resource: who was told what, and what was renewed; the latest first.

use chrono::{DateTime, Utc};

use super::renewals::{NAME, STORY};
use super::times::Stamp;
use super::words::fill;
use crate::domain::alert::facts::fingerprint;
use crate::domain::alert::memory::{Memory, Told};
use crate::domain::identity::{CertRole, Scope};
use crate::domain::renewal::ledger::Entry;
use crate::domain::resource::Resource;
use crate::visible::shortened;
use crate::web::context::PageContext;

/// The most rows.
const ROWS: usize = 60;

/// Something that happened.
#[derive(Debug)]
pub struct Happened {
    /// When.
    pub at: Stamp,
    /// The class in the style sheet.
    pub class: &'static str,
    /// What.
    pub what: String,
    /// More of it.
    pub more: String,
    /// Who did it, and the cloud's id of the request.
    pub who: String,
}

/// Everything that is remembered.
pub fn history(
    scope: &Scope,
    resource: &Resource,
    memory: Option<&Memory>,
    ledger: &[Entry],
    context: &PageContext<'_>,
) -> Vec<Happened> {
    let told = memory.into_iter().flat_map(|memory| told(scope, resource, memory, context));
    let renewed = ledger.iter().map(|entry| (entry.at, renewed(entry, context)));
    let mut all: Vec<(DateTime<Utc>, Happened)> = told.chain(renewed).collect();
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    all.truncate(ROWS);
    all.into_iter().map(|(_, happened)| happened).collect()
}

fn told(
    scope: &Scope,
    resource: &Resource,
    memory: &Memory,
    context: &PageContext<'_>,
) -> Vec<(DateTime<Utc>, Happened)> {
    let mut all = Vec::new();
    for role in CertRole::ALL {
        let Some(past) = memory.certificates.get(&fingerprint(scope, &resource.id, role)) else { continue };
        for (channel, told) in &past.told {
            all.extend(told.iter().map(|told| (told.at, one_told(channel, role, told, context))));
        }
    }
    all
}

fn one_told(channel: &str, role: CertRole, told: &Told, context: &PageContext<'_>) -> Happened {
    let (w, m) = (context.tongue.words, context.tongue.words.more);
    let end = Stamp::new(told.not_after, chrono_tz::Tz::UTC).utc;
    Happened {
        at: Stamp::new(told.at, context.timezone),
        class: told.stage.as_str(),
        what: fill(m.told_to, &[&shortened(channel, NAME), w.stage(told.stage)]),
        more: format!("{} · {}", m.role(role), fill(m.ended_at, &[&format!("{end} UTC")])),
        who: String::new(),
    }
}

fn renewed(entry: &Entry, context: &PageContext<'_>) -> Happened {
    let r = context.tongue.words.renewal;
    let short = |text: &str| shortened(text, STORY).into_owned();
    let who = [&*entry.who, &*entry.request_id].into_iter().filter(|part| !part.is_empty());
    Happened {
        at: Stamp::new(entry.at, context.timezone),
        class: "info",
        what: format!("{}: {}", r.title, r.attempt_word(&entry.state)),
        more: short(&entry.text),
        who: short(&who.collect::<Vec<_>>().join(" · ")),
    }
}
