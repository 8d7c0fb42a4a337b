//! What messages look like, whole, and what holds for all of them.

use std::path::PathBuf;

use chrono::{TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::domain::alert::message::{Kind, RenewalNote};
use crate::domain::finding::Stage;
use crate::domain::policy::Locale;
use crate::notifier::samples;
use crate::notifier::script::{Line, Span, Unit};

/// As in WeCom, the narrowest of the chats.
const NARROW: Budget = Budget { limit: 3900, unit: Unit::Bytes, parts: 3 };

pub(super) fn assert_expected(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, text).expect("the expectation can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{file} differs; UPDATE_EXPECT=1 rewrites it:\n{text}");
}

#[test]
fn every_message_reads_as_expected() {
    for (locale, file) in [(Locale::En, "messages.en.txt"), (Locale::Zh, "messages.zh.txt")] {
        let mut all = String::new();
        for (name, message) in samples::all() {
            for part in parts(&message, &samples::setting(locale), &PlainText, NARROW) {
                assert!(part.text.starts_with(&part.title), "{name}: {}", part.title);
                all.extend(["======== ", name, "\n", &part.text, "\n\n"]);
            }
        }
        assert_expected(file, &all);
    }
}

#[test]
fn days_left_are_those_of_the_sending() {
    let message = samples::one_critical();
    for (name, hours, title) in [
        ("at once", 0, "[CRITICAL] 订单库: certificate expires in 7 days"),
        ("a night later", 10, "[CRITICAL] 订单库: certificate expires in 6 days"),
        ("a week later", 7 * 24, "[CRITICAL] 订单库: certificate expired just now"),
        ("ten days later", 10 * 24, "[CRITICAL] 订单库: certificate expired 3 days ago"),
    ] {
        let now = samples::now() + TimeDelta::hours(hours);
        let setting = Setting { now, ..samples::setting(Locale::En) };
        let script = script(&message, &setting);
        assert_eq!(plain(&script.title), title, "{name}");
        let over = hours >= 7 * 24;
        assert_eq!(script.tone, if over { Tone::Expired } else { Tone::Critical }, "{name}");
        assert_eq!(plain(&script.entries[0].lines[1]).contains("expired"), over, "{name}");
    }
}

#[test]
fn a_zone_like_utc_is_not_shown_twice() {
    let setting = Setting { timezone: Tz::UTC, external_url: None, ..samples::setting(Locale::En) };
    let text = &parts(&samples::one_critical(), &setting, &PlainText, NARROW)[0].text;
    assert!(text.contains("Expires 2026-11-29 00:00 UTC, in 7 days\n"), "{text}");
    assert!(!text.contains("Status page"), "{text}");
}

#[test]
fn foreign_text_is_never_among_the_own_words() {
    let script = script(&samples::hostile_name(), &samples::setting(Locale::En));
    let entry = &script.entries[0];
    let all = entry.lines.iter().chain([&script.title, &entry.head, &entry.short, &script.footer]);
    for span in all.flatten() {
        if let Span::Own(text) | Span::Strong(text) = span {
            assert!(!text.contains(['<', '*', '_', '[']) || text == "[CRITICAL] ", "{text}");
        }
    }
}

#[test]
fn an_item_that_is_too_large_is_shortened_and_kept() {
    let budget = Budget { limit: 600, unit: Unit::Bytes, parts: 2 };
    let parts = parts(&samples::blind(), &samples::setting(Locale::Zh), &PlainText, budget);
    let text: String = parts.iter().map(|part| part.text.as_str()).collect();
    assert!(text.contains("prod · alibaba") && !text.contains("另有"), "{text}");
}

/// Escapes and stresses as wastefully as can be.
struct Wasteful;

impl Markup for Wasteful {
    fn span(&self, span: &Span, out: &mut String) {
        let text = plain(&vec![span.clone()]);
        let escaped = |text: &str| text.replace('&', "&#38;").replace('<', "&#60;").replace('*', "&#42;");
        match span {
            Span::Own(_) | Span::Moment { .. } => out.push_str(&text),
            _ => out.extend(["<b>", &escaped(&text), "</b>"]),
        }
    }

    fn before_entry(&self, _tone: Tone, out: &mut String) {
        out.push_str("> ");
    }

    fn footer(&self, footer: &Line, out: &mut String) {
        out.push_str("<i>");
        self.line(footer, out);
        out.push_str("</i>");
    }

    fn line_break(&self) -> &'static str {
        "  \n"
    }
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,12}(-[a-z0-9]{1,8})?",
        "[订单库缓存会话证书]{1,60}",
        "[<>&*_`\"\\\\ \n订]{1,80}",
        any::<String>().prop_map(|text| text.replace('#', "")),
    ]
}

fn any_item() -> impl Strategy<Value = (String, u8, i64, u8)> {
    (any_name(), 0..10_u8, -2000..40_000_i64, 0..6_u8)
}

/// The item, and a mark that is nowhere else.
fn item(at: usize, (name, sort, minutes, service): &(String, u8, i64, u8)) -> Item {
    let mark = format!("#{at}#");
    let left = TimeDelta::minutes(*minutes);
    let stages = [Stage::Info, Stage::Warning, Stage::Critical, Stage::Expired];
    let sample = match sort {
        5 => samples::blind().items.remove(0),
        6 => samples::renewed().items.remove(0),
        8 => samples::renewal_asks().items.remove(0),
        9 => samples::renewal_unknown().items.remove(0),
        7 => samples::gone(crate::domain::alert::message::Gone::TlsOff).items.remove(0),
        _ => samples::entered(
            stages[usize::from(*sort) % 4],
            Some(Stage::Info),
            samples::facts(name, &mark, left),
        ),
    };
    match sample {
        Item::Certificate(mut item) => {
            item.facts.resource_name = format!("{name}.").into();
            item.facts.resource_id = mark.into();
            item.facts.service = format!("service-{service}").into();
            item.facts.owner = (*sort == 1).then(|| name.as_str().into());
            item.facts.renewal =
                if *sort == 2 { RenewalNote::Planned { at: Utc::now() } } else { RenewalNote::Manual };
            Item::Certificate(item)
        }
        Item::Source(mut source) => {
            source.account = mark.into();
            source.error = name.as_str().into();
            Item::Source(source)
        }
        Item::Renewal(mut renewal) => {
            renewal.facts.resource_name = format!("{name}.").into();
            renewal.facts.resource_id = mark.into();
            renewal.facts.service = format!("service-{service}").into();
            renewal.rule = name.as_str().into();
            Item::Renewal(renewal)
        }
        channel @ Item::Channel(_) => channel,
    }
}

fn check(message: &Message, setting: &Setting<'_>, markup: &dyn Markup, budget: Budget) {
    let parts = parts(message, setting, markup, budget);
    assert!((1..=budget.parts).contains(&parts.len()));
    let mut shown = 0;
    let mut more = 0;
    for (at, part) in parts.iter().enumerate() {
        let size = page::measure(&part.text, budget.unit);
        assert!(size <= budget.limit, "{size} > {}:\n{}", budget.limit, part.text);
        assert!(part.text.contains(samples::ID), "the id is missing:\n{}", part.text);
        assert!(!part.title.is_empty() && !part.title.contains('\n'));
        let number = format!("({}/{})", at + 1, parts.len());
        assert_eq!(part.title.ends_with(&number), parts.len() > 1, "{}", part.title);
        assert_eq!(part.text.matches("<b>").count(), part.text.matches("</b>").count());
        let body = part.text.split_once(markup.block_break()).map_or("", |(_, body)| body);
        shown += (0..message.items.len()).filter(|at| body.contains(&format!("#{at}#"))).count();
        let number = body.split("… and ").nth(1).or_else(|| body.split("… 另有 ").nth(1));
        more += number.map_or(0, |rest| {
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
        });
    }
    assert_eq!(shown + more, message.items.len() + message.left_out, "{parts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_part_is_within_its_budget_and_nothing_is_lost(
        few in prop::collection::vec(any_item(), 0..8),
        copies in prop_oneof![Just(1_usize), Just(1), 2..80_usize],
        left_out in prop_oneof![Just(0_usize), 1..1000_usize],
        limit in prop_oneof![900..2000_usize, 2000..20_000_usize],
        parts in 1..4_usize,
        unit in prop_oneof![Just(Unit::Bytes), Just(Unit::JsonBytes), Just(Unit::Characters)],
        (chinese, wasteful, digest) in any::<(bool, bool, bool)>(),
    ) {
        let count = few.len() * copies;
        let items: Vec<Item> =
            few.iter().cycle().take(count).enumerate().map(|(at, facts)| item(at, facts)).collect();
        let message = if digest {
            Message { kind: Kind::Digest, items, left_out, ..samples::digest() }
        } else {
            Message { left_out, ..samples::message(items) }
        };
        let setting = samples::setting(if chinese { Locale::Zh } else { Locale::En });
        let markup: &dyn Markup = if wasteful { &Wasteful } else { &PlainText };
        check(&message, &setting, markup, Budget { limit, unit, parts });
    }
}
