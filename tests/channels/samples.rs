//! What is said beside the samples of the library.

use chrono::TimeDelta;
use notafter::domain::alert::message::{CertificateFacts, Fingerprint, Item, Message, SourceItem};
use notafter::domain::finding::Stage;
use notafter::notifier::samples;

use crate::table::HOSTILE;

/// Those whose bodies are kept.
pub(crate) const KEPT: [&str; 8] =
    ["one_critical", "five_mixed", "five_hundred", "renewed", "blind", "digest", "test", "hostile"];

/// So many certificates of one name, all critical.
pub(crate) fn many(count: u32, name: &str) -> Message {
    samples::message((0..count).map(|number| critical(number, name)).collect())
}

/// The hostile name where a name may stand, by sort.
pub(crate) fn hostile() -> Vec<(&'static str, Message)> {
    let name = format!("{HOSTILE} \n");
    let Some(Item::Source(blind)) = samples::blind().items.pop() else { panic!("it is about a source") };
    let blind = Item::Source(SourceItem { error: name.as_str().into(), ..blind });
    vec![
        ("alone", many(1, &name)),
        ("in a list", many(10, &name)),
        ("in an error", samples::message(vec![blind])),
    ]
}

fn critical(number: u32, name: &str) -> Item {
    let facts = samples::facts(name, &format!("r-bp{number:06}"), TimeDelta::days(6));
    let fingerprint = Fingerprint(number.into());
    samples::entered(Stage::Critical, Some(Stage::Warning), CertificateFacts { fingerprint, ..facts })
}
