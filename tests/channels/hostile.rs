//! Names are chosen by others.

use notafter::domain::policy::Locale;
use notafter::notifier::Outcome;
use notafter::sim::receivers::Shown;

use crate::samples;
use crate::support::Line;
use crate::table;

/// They follow the stages of certificates.
const TELL_NO_RENEWALS: [&str; 2] = ["pagerduty", "alertmanager"];

#[tokio::test]
async fn a_hostile_name_is_shown_literally_and_harms_nobody() {
    for channel in table::all() {
        let renewals =
            if TELL_NO_RENEWALS.contains(&channel.kind) { vec![] } else { samples::hostile_renewals() };
        for (sort, message) in samples::hostile().into_iter().chain(renewals) {
            for locale in [Locale::En, Locale::Zh] {
                let line = Line { locale, ..Line::open(&channel).await };
                let told = format!("{}: {sort}", channel.name);
                for outcome in line.say(&message).await {
                    assert!(matches!(outcome, Outcome::Delivered(_)), "{told}: {outcome:?}");
                }
                let shown: Vec<_> =
                    line.deliveries().into_iter().filter_map(|delivery| delivery.shown).collect();
                let text = shown.iter().map(Shown::text).collect::<Vec<_>>().join("\n");
                assert!(text.contains(channel.hostile), "{told}: not literally in\n{text}");
                for shown in shown {
                    assert!(shown.mentions.is_empty(), "{told}: calls {:?}", shown.mentions);
                    let forged: Vec<_> =
                        shown.links.iter().filter(|link| !link.starts_with("https://")).collect();
                    assert!(forged.is_empty(), "{told}: leads to {forged:?}");
                }
            }
        }
    }
}
