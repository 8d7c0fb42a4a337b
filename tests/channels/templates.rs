//! Words of the operator's own: whatever shape they have, each channel takes what becomes of them, and shows it.

use notafter::domain::alert::message::Message;
use notafter::domain::policy::Locale;
use notafter::notifier::samples::{self, now, setting};
use notafter::notifier::text::Template;
use notafter::notifier::{self, Outcome, Sender, Setting};

use crate::samples::many;
use crate::support::Line;
use crate::table;

/// Stands in each template, so that it is seen where our own words took its place.
const OWN: &str = "Lorem";

/// By what they are: how many lines, lists and blocks they make.
const SHAPES: &[(&str, &str)] = &[
    ("one line", "Lorem {{ title }}"),
    (
        "a list",
        "Lorem {{ title }}\n\n{% for item in items %}\n- {{ item.name }} {{ item.left }}\n{% endfor %}",
    ),
    ("a short line for each", "Lorem\n{% for item in items %}\n{{ item.left }}\n{% endfor %}"),
    (
        "a long line for each",
        "Lorem\n{% for item in items %}\n{{ item.line }} {{ item.serial }}\n{% endfor %}",
    ),
    ("a block for each", "Lorem\n{% for item in items %}\n\n{{ item.name }}\n{% endfor %}"),
    (
        "a block of short lines for each",
        "Lorem\n{% for item in items %}\n\n{{ item.name }}\n{{ item.left }}\n{{ item.stage }}\n{% endfor %}",
    ),
    ("letters in lines", "Lorem\n{% for item in items %}\na\nb\nc\nd\ne\nf\n{% endfor %}"),
    ("letters in blocks", "Lorem\n{% for item in items %}\n\na\n\nb\n\nc\n{% endfor %}"),
];

fn told() -> Vec<(&'static str, Message)> {
    vec![
        ("one", samples::one_critical()),
        ("five hundred", samples::five_hundred()),
        ("many long names", many(200, &"订单库 orders ".repeat(8))),
        ("blind", samples::blind()),
    ]
}

#[tokio::test]
async fn words_of_any_shape_are_taken_and_shown() {
    for channel in table::all() {
        for (shape, template) in SHAPES {
            let template = Template::read(template, "own.j2").expect("it can be used");
            for (name, message) in told() {
                // a robot of its own for each, because robots count
                let line = Line::open(&channel).await;
                let Sender::Messages(messenger) = &line.sender else { continue };
                let setting = Setting { template: Some(&template), ..setting(Locale::En) };
                let parts = messenger.parts(&message, &setting);
                let outcomes = line.post(&message, &parts, now()).await;
                let told = format!("{}: {shape}, {name}", channel.name);
                assert_eq!(outcomes.len(), parts.len(), "{told}: {outcomes:?}");
                for outcome in &outcomes {
                    assert!(matches!(outcome, Outcome::Delivered(_)), "{told}: {outcome:?}");
                }
                for delivery in line.deliveries() {
                    assert!(delivery.answer.is_some_and(|answer| answer.accepted), "{told}: it is not shown");
                }
                let kind = notifier::find(channel.kind).expect("a type");
                let first = parts[0].content.to_string();
                assert!(!kind.is_chat() || first.contains(OWN), "{told}: our own words: {first}");
            }
        }
    }
}
