//! The short plain form, for when the real one was refused.

use notafter::domain::policy::Locale;
use notafter::notifier::samples::{self, now, setting};
use notafter::notifier::{Outcome, Sender, Stamp};

use crate::support::Line;
use crate::table;

#[tokio::test]
async fn the_plain_form_is_taken_too() {
    for channel in table::all() {
        for (name, message) in samples::all() {
            // a robot of its own for each, because robots count
            let line = Line::open(&channel).await;
            let Sender::Messages(messenger) = &line.sender else { continue };
            for locale in [Locale::En, Locale::Zh] {
                let Some(part) = messenger.plain(&message, &setting(locale)) else { continue };
                let outcome = messenger.post(&part, Stamp { id: &message.id, now: now() }).await;
                let told = format!("{} {name}: {outcome:?}", channel.name);
                assert!(matches!(outcome, Outcome::Delivered(_)), "{told}");
                let last = line.deliveries().pop().expect("it came");
                assert!(last.answer.is_some_and(|answer| answer.accepted), "{told}");
            }
        }
    }
}
