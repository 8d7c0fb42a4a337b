//! What only the chats do: call people, add a keyword, follow a group to its new number, mend a clock.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use notafter::domain::alert::message::Message;
use notafter::domain::policy::Locale;
use notafter::notifier::samples::{self, now, setting};
use notafter::notifier::{Outcome, Sender, Setting, Stamp};
use notafter::sim::receivers::dingtalk::Dingtalk;
use notafter::sim::receivers::feishu::Feishu;
use notafter::sim::receivers::telegram::Telegram;
use notafter::sim::receivers::wecom::Wecom;

use crate::support::{Line, agrees};
use crate::table::{Channel, Far, Want};

const MOVED: &str = "token = \"1:planted\"\nchat_id = -4242\nbase_url = \"{base}\"\n";

fn calling() -> [(Channel, &'static [&'static str]); 3] {
    let channel = |kind, far, settings| Channel { settings, ..Channel::new(kind, far) };
    [
        (
            channel(
                "dingtalk",
                Far::Http(|| Arc::new(Dingtalk::new("token").with_keyword("证书"))),
                "url = \"{base}/robot/send?access_token=token\"\nkeyword = \"证书\"\nmention = [\"13800000000\", \"all\"]\n",
            ),
            &["13800000000", "all"],
        ),
        (
            channel(
                "feishu",
                Far::Http(|| Arc::new(Feishu::new("hook").with_keyword("证书"))),
                "url = \"{base}/open-apis/bot/v2/hook/hook\"\nkeyword = \"证书\"\nmention = [\"ou_1\", \"all\"]\n",
            ),
            &["ou_1", "all"],
        ),
        (
            channel(
                "wecom",
                Far::Http(|| Arc::new(Wecom::new("key"))),
                "url = \"{base}/cgi-bin/webhook/send?key=key\"\nmention = [\"alice\", \"@all\", \"13800000000\"]\n",
            ),
            &["alice", "@all", "13800000000"],
        ),
    ]
}

/// Who was called, by all that came.
fn called(line: &Line) -> Vec<String> {
    line.deliveries()
        .into_iter()
        .filter_map(|delivery| delivery.shown)
        .flat_map(|shown| shown.mentions)
        .collect()
}

fn all_delivered(outcomes: &[Outcome], told: &str) {
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered(_))), "{told}: {outcomes:?}");
}

#[tokio::test]
async fn only_what_is_critical_or_expired_calls_people_and_only_once() {
    for (channel, want) in calling() {
        for (name, message, calls) in [
            ("critical", samples::one_critical(), true),
            ("expired", samples::expired(), true),
            ("hundreds", samples::five_hundred(), true),
            ("first notice", samples::first_notice(), false),
            ("renewed", samples::renewed(), false),
            ("test", samples::test(), false),
        ] {
            let line = Line::open(&channel).await;
            let told = format!("{} {name}", channel.kind);
            all_delivered(&line.say(&message).await, &told);
            assert_eq!(called(&line), if calls { want } else { &[] }, "{told}");
        }
    }
}

#[tokio::test]
async fn the_short_plain_text_is_taken_and_leads_nowhere() {
    let telegram = Channel {
        settings: "token = \"1:planted\"\nchat_id = -1\nbase_url = \"{base}\"\n",
        ..Channel::new("telegram", Far::Http(|| Arc::new(Telegram::new("1:planted", -1))))
    };
    for channel in calling().into_iter().map(|(channel, _)| channel).chain([telegram]) {
        for (name, message) in samples::all() {
            let line = Line::open(&channel).await;
            let told = format!("{} {name}", channel.kind);
            let Sender::Messages(messenger) = &line.sender else { panic!("{told}") };
            let part = messenger.plain(&message, &setting(Locale::Zh)).expect("a chat has one");
            all_delivered(&[messenger.post(&part, stamp(&message)).await], &told);
            let shown = line.deliveries().pop().and_then(|delivery| delivery.shown).expect("it was taken");
            assert!(shown.links.is_empty(), "{told}: {:?}", shown.links);
            assert!(shown.text().contains(&*message.id), "{told}: {}", shown.text());
        }
    }
}

fn stamp(message: &Message) -> Stamp<'_> {
    Stamp { id: &message.id, now: now() }
}

#[tokio::test]
async fn a_clock_that_is_off_is_mended_by_the_other_sides() {
    let channel = Channel {
        settings: "url = \"{base}/robot/send?access_token=token\"\nsecret = \"SECplanted\"\n",
        ..Channel::new("dingtalk", Far::Http(|| Arc::new(Dingtalk::new("token").signed("SECplanted"))))
    };
    let line = Line::open_at(&channel, || now() + TimeDelta::hours(3)).await;
    let outcomes = line.say(&samples::one_critical()).await;
    let [Outcome::Delivered(receipt)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(
        receipt.said.contains("our clock says 2026-11-22T00:00:00Z, theirs 2026-11-22T03:00:00Z"),
        "{}",
        receipt.said
    );
    let urls: Vec<_> = line.deliveries().into_iter().map(|delivery| delivery.request.query).collect();
    assert_eq!(urls.len(), 2);
    assert_eq!(urls[1].matches("sign=").count(), 1, "{urls:?}");
}

#[tokio::test]
async fn a_group_is_followed_to_its_new_number() {
    let far = Far::Http(|| Arc::new(Telegram::new("1:planted", -7).moved(-4242, -1_001_234_567_890)));
    let channel = Channel { settings: MOVED, ..Channel::new("telegram", far) };
    let line = Line::open(&channel).await;
    let message = samples::one_critical();
    let outcomes = line.say(&message).await;
    let [Outcome::Delivered(receipt)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(receipt.notes, [("chat_id:-4242".to_owned(), "-1001234567890".to_owned())]);
    assert!(receipt.said.contains("set chat_id = -1001234567890"), "{}", receipt.said);

    let notes = receipt.notes.clone();
    let known = |key: &str| notes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    let setting = Setting { notes: &known, ..setting(Locale::En) };
    let Sender::Messages(messenger) = &line.sender else { panic!("it takes messages") };
    let parts = messenger.parts(&message, &setting);
    assert_eq!(parts[0].content["chat_id"], -1_001_234_567_890_i64);
    all_delivered(&line.post(&message, &parts, now()).await, "to the new number");
    assert_eq!(line.deliveries().len(), 3, "twice the first time, then at once");
}

#[tokio::test]
async fn too_many_messages_wait_as_long_as_the_vendor_wants() {
    for (channel, _) in calling() {
        let wait = if channel.kind == "dingtalk" { Duration::from_mins(10) } else { Duration::from_mins(1) };
        let line = Line::open(&channel).await;
        let mut last = None;
        for _ in 0..21 {
            last = line.say(&samples::renewed()).await.pop();
        }
        let last = last.expect("an outcome");
        assert!(agrees(&last, Want::RetryAfter(wait)), "{}: {last:?}", channel.kind);
    }
}

#[tokio::test]
async fn names_of_emoji_still_fit() {
    let channel = Channel {
        settings: "token = \"1:planted\"\nchat_id = -1\nbase_url = \"{base}\"\n",
        ..Channel::new("telegram", Far::Http(|| Arc::new(Telegram::new("1:planted", -1))))
    };
    let line = Line::open(&channel).await;
    let message = crate::samples::many(500, &"👍".repeat(60));
    all_delivered(&line.say(&message).await, "emoji");
}
