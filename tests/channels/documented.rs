//! The messages that `docs/messages.md` shows are those that channels deliver.
//!
//! A block there stands behind `<!-- message: CHANNEL SAMPLE LOCALE -->`: what people see of a sample of the library, or,
//! where programs read it, what is sent. `UPDATE_EXPECT=1` writes the blocks anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use notafter::domain::policy::Locale;
use notafter::notifier::{NOTIFIERS, samples};
use notafter::sim::receivers::Delivery;

use crate::support::Line;
use crate::table;

const PAGE: &str = "docs/messages.md";
const MARK: &str = "<!-- message: ";
/// Their receivers are programs: shown is what is sent.
const FOR_PROGRAMS: [&str; 4] = ["webhook", "webhook-alertmanager", "pagerduty", "alertmanager"];

#[tokio::test]
async fn every_message_of_the_page_is_what_is_delivered() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).expect(PAGE);
    let mut told = BTreeSet::new();
    let mut made = String::new();
    let mut rest = page.as_str();
    while let Some((before, behind)) = rest.split_once(MARK) {
        let (mark, behind) = behind.split_once(" -->\n").expect("the mark ends");
        let [channel, sample, locale] = mark.split(' ').collect::<Vec<_>>()[..] else { panic!("{mark}") };
        let (_, after) =
            behind.split_once("\n```\n").unwrap_or_else(|| panic!("{mark}: no end of the block"));
        let text = rendered(channel, sample, locale).await;
        let block = format!("{before}{MARK}{mark} -->\n{text}```\n");
        made.push_str(&block);
        told.insert((channel, locale));
        rest = after;
    }
    made += rest;
    for kind in NOTIFIERS {
        for locale in ["en", "zh"] {
            assert!(
                told.contains(&(kind.name, locale)),
                "{PAGE} shows no message of {} in {locale}",
                kind.name
            );
        }
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, made).expect("written");
        return;
    }
    let differs = page.lines().zip(made.lines()).find(|(page, made)| page != made);
    assert!(
        page == made,
        "{PAGE} is not what is delivered (UPDATE_EXPECT=1 writes it anew); first at {differs:#?}"
    );
}

/// A block as Markdown, but for its end.
async fn rendered(channel: &str, sample: &str, locale: &str) -> String {
    let known = table::all().into_iter().find(|known| known.name == channel);
    let channel = known.unwrap_or_else(|| panic!("no channel {channel}"));
    let known = samples::all().into_iter().find(|(name, _)| *name == sample);
    let (_, message) = known.unwrap_or_else(|| panic!("no sample {sample}"));
    let locale = if locale == "zh" { Locale::Zh } else { Locale::En };
    let line = Line { locale, ..Line::open(&channel).await };
    line.say(&message).await;
    let deliveries = line.deliveries();
    let for_programs = FOR_PROGRAMS.contains(&channel.name);
    // a mail goes to each receiver by itself
    let shown = deliveries.iter().take(if channel.name == "email" { 1 } else { usize::MAX });
    let texts = shown.map(|delivery| if for_programs { sent(delivery) } else { seen(delivery) });
    let text = texts.collect::<Vec<_>>().join("\n\n");
    let text = channel.secrets.iter().fold(text, |text, secret| text.replace(secret, "…"));
    format!("```{}\n{text}\n", if for_programs { "json" } else { "text" })
}

/// Of a mail the plain text is enough: its title stands above it once more, and above the HTML part for the third time.
fn seen(delivery: &Delivery) -> String {
    let shown = delivery.shown.as_ref().expect("it was taken");
    let text = shown.text();
    let title = |line: &&str| **line == shown.title;
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let third = lines.iter().enumerate().filter(|(_, line)| title(line)).nth(2).map(|(at, _)| at);
    lines[..third.unwrap_or(lines.len())].join("\n").trim_end().to_owned()
}

fn sent(delivery: &Delivery) -> String {
    let json = delivery.request.json().expect("JSON");
    serde_json::to_string_pretty(&json).expect("it was JSON")
}
