//! What to do about a certificate, and what it costs: the differences between the clouds that whoever acts must know.
//!
//! Sources: `docs/clouds`; a renewal at Alibaba Cloud restarts the instance, UCloud takes a new certificate in the
//! place of the old one, Huawei Cloud has nothing to offer.

use super::moments::Voice;
use super::phrase::{fill, joined, own};
use crate::domain::alert::message::{CertificateFacts, RenewalNote};
use crate::notifier::script::{Line, Span};

/// The line that says what to do about an end that comes near, with the link to the console last.
pub(super) fn advice(facts: &CertificateFacts, voice: Voice) -> Line {
    let words = voice.words;
    let restarts = restarts(facts);
    let (action, then) = match facts.renewal {
        _ if facts.in_use == Some(false) => (own(words.do_unused), None),
        RenewalNote::Planned { at } if at <= voice.now => {
            (fill(words.do_planned_past, &[voice.moment(at)]), None)
        }
        RenewalNote::Planned { at } => {
            (fill(words.do_planned, &[voice.moment(at)]), restarts.then_some(words.restart_then))
        }
        RenewalNote::Manual | RenewalNote::NoApi => by_hand(facts, voice),
    };
    let trust = (&*facts.role == "ca" && facts.in_use != Some(false)).then_some(words.trust_file);
    let steps = std::iter::once(action).chain([then, trust].into_iter().flatten().map(own));
    with_console(facts, voice, fill(words.to_do, &[joined(steps, words.also)]))
}

/// The same for a certificate that was replaced by one that ends earlier.
pub(super) fn check(facts: &CertificateFacts, voice: Voice) -> Line {
    with_console(facts, voice, fill(voice.words.to_do, &[own(voice.words.do_check)]))
}

fn by_hand(facts: &CertificateFacts, voice: Voice) -> (Line, Option<&'static str>) {
    let words = voice.words;
    let customers = facts.managed_by.as_deref() == Some("customer");
    let action = match (&*facts.provider, &facts.renewal) {
        ("ucloud", _) => words.do_upload,
        ("huawei", _) => words.do_support,
        _ if customers => words.do_own,
        (_, RenewalNote::NoApi) => words.do_other,
        _ => words.do_renew,
    };
    let then = match () {
        () if restarts(facts) => Some(words.restart),
        () if &*facts.provider == "ucloud" => Some(words.no_restart),
        () => None,
    };
    (own(action), then)
}

fn restarts(facts: &CertificateFacts) -> bool {
    &*facts.provider == "alibaba" && matches!(&*facts.service, "redis" | "rds" | "mongodb")
}

fn with_console(facts: &CertificateFacts, voice: Voice, line: Line) -> Line {
    let console = |url: &str| Span::Link { label: voice.words.console.to_owned(), url: url.to_owned() };
    let console = facts.console_url.as_deref().map(|url| vec![console(url)]);
    joined([line, console.unwrap_or_default()], voice.words.dot)
}
