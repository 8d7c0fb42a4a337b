//! Bodies as they go on the wire, and whether the other side takes them.

use std::fmt::Write as _;

use notafter::domain::policy::Locale;
use notafter::notifier::{Outcome, samples};
use notafter::sim::receivers::{Delivery, Request};

use crate::samples::{KEPT, many};
use crate::support::{Line, expect};
use crate::table::{self, Channel};

/// Files of expectations show this much of a body; the rest is in the sum at its end.
const SHOWN: usize = 6_000;

/// Headers that say nothing about the message.
const DULL: [&str; 5] = ["host", "user-agent", "accept", "accept-encoding", "content-length"];

#[tokio::test]
async fn every_body_is_as_expected_and_taken() {
    for channel in table::all() {
        for (name, message) in samples::all() {
            for locale in [Locale::En, Locale::Zh] {
                let line = Line { locale, ..Line::open(&channel).await };
                let outcomes = line.say(&message).await;
                let told = format!("{} {name} {}", channel.name, locale.as_str());
                taken(&channel, &line, &outcomes, &told);
                if !channel.keeps_bodies || !KEPT.contains(&name) {
                    continue;
                }
                let file = format!("{}/{name}.{}.txt", channel.name, locale.as_str());
                expect(&file, &written(&line.deliveries()));
            }
        }
    }
}

#[tokio::test]
async fn long_chinese_names_are_never_cut_apart() {
    for channel in table::all() {
        for length in [1, 7, 40, 60] {
            for count in [3, 4, 50, 500] {
                let line = Line { locale: Locale::Zh, ..Line::open(&channel).await };
                let outcomes = line.say(&many(count, &"订单数据库".repeat(length))).await;
                let told = format!("{}: {count} names of {} characters", channel.name, 5 * length);
                taken(&channel, &line, &outcomes, &told);
            }
        }
    }
}

/// Everything was delivered, within the limits, and is whole.
fn taken(channel: &Channel, line: &Line, outcomes: &[Outcome], told: &str) {
    for outcome in outcomes {
        assert!(matches!(outcome, Outcome::Delivered(_)), "{told}: {outcome:?}");
    }
    let deliveries = line.deliveries();
    let is_quiet = channel.quiet.iter().any(|sample| told.contains(&format!(" {sample} ")));
    assert_eq!(deliveries.is_empty(), is_quiet, "{told}: {} came", deliveries.len());
    assert!(deliveries.len() <= channel.most_requests, "{told}: {} requests", deliveries.len());
    for Delivery { request, answer, .. } in &deliveries {
        assert!(answer.as_ref().is_some_and(|answer| answer.accepted), "{told}: {answer:?}");
        let size = request.body.len();
        assert!(size <= channel.budget, "{told}: {size} bytes");
        let text = std::str::from_utf8(&request.body);
        assert!(text.is_ok_and(|text| !text.contains('\u{fffd}')), "{told}: a character was cut");
    }
}

fn written(deliveries: &[Delivery]) -> String {
    deliveries.iter().map(|delivery| request(&delivery.request)).collect::<Vec<_>>().join("\n\n")
}

fn request(request: &Request) -> String {
    let Request { method, path, query, headers, .. } = request;
    let mark = if query.is_empty() { "" } else { "?" };
    let mut text = format!("{method} {path}{mark}{query}\n");
    for (name, value) in headers.iter().filter(|(name, _)| !DULL.contains(&name.as_str())) {
        let _ = writeln!(text, "{name}: {value}");
    }
    text.push('\n');
    text.push_str(&body(request));
    text
}

/// JSON line by line, which is what people compare; anything else as it is. Long ones are cut, with a sum of the whole.
fn body(request: &Request) -> String {
    let text = match request.json() {
        Some(json) => serde_json::to_string_pretty(&json).expect("it was JSON"),
        None => String::from_utf8_lossy(&request.body).replace("\r\n", "\n"),
    };
    if text.len() <= SHOWN {
        return text + "\n";
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &request.body);
    let (size, sum) = (request.body.len(), hex::encode(&digest.as_ref()[..8]));
    format!("{}\n… in all {size} bytes, SHA-256 {sum}…\n", &text[..text.floor_char_boundary(SHOWN)])
}
