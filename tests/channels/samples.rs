//! What is said beside the samples of the library.

use chrono::TimeDelta;
use notafter::domain::alert::message::{
    CertificateFacts, Fingerprint, Item, Message, RenewalFailure, RenewalItem, RenewalNews, SourceItem,
};
use notafter::domain::finding::Stage;
use notafter::notifier::samples;

use crate::table::HOSTILE;

/// Those whose bodies are kept.
pub(crate) const KEPT: [&str; 11] = [
    "one_critical",
    "five_mixed",
    "five_hundred",
    "renewed",
    "renewal_asks",
    "renewal_unknown",
    "renewals",
    "blind",
    "digest",
    "test",
    "hostile",
];

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

/// The same where texts of a renewal may stand; for channels that tell of renewals.
pub(crate) fn hostile_renewals() -> Vec<(&'static str, Message)> {
    let name: Box<str> = format!("{HOSTILE} \n").into();
    let renewal = |news| samples::renewal(news, samples::facts("orders", "r-bp1", TimeDelta::days(6)));
    let (how, code, request_id) = (RenewalFailure::RefusedForAPerson, "Code".into(), "1".into());
    let failed = RenewalNews::Failed { how, code, request_id, text: name.clone(), stops: true };
    let (from, until) = (samples::now(), samples::now() + TimeDelta::hours(4));
    let planned = RenewalNews::Planned { from, until, asks: true, missed: None };
    let rule = RenewalItem { rule: name.clone(), who: name.clone(), ..renewal(planned.clone()) };
    let id =
        CertificateFacts { resource_id: name.clone(), resource_name: name.clone(), ..rule.facts.clone() };
    let item = |item: RenewalItem| samples::message(vec![Item::Renewal(item)]);
    vec![
        ("what the cloud said", item(renewal(failed))),
        ("why it was held back", item(renewal(RenewalNews::Held { text: name }))),
        ("what is to be typed", item(RenewalItem { facts: id, ..renewal(planned) })),
        ("who wants it", item(rule)),
    ]
}

fn critical(number: u32, name: &str) -> Item {
    let facts = samples::facts(name, &format!("r-bp{number:06}"), TimeDelta::days(6));
    let fingerprint = Fingerprint(number.into());
    samples::entered(Stage::Critical, Some(Stage::Warning), CertificateFacts { fingerprint, ..facts })
}
