//! What receivers see.

use std::sync::Arc;
use std::time::Duration;

use notafter::config;
use notafter::daemon::alerts::{Channel, Heartbeat};
use notafter::domain::alert::outbox::State;
use notafter::notifier::desk::Desk as _;

use crate::support::{OK, Receiver, Rig, SECRET, channel, crypto, message, millis};

/// What messages of ours arrived, in order.
fn ids(receiver: &Receiver) -> Vec<String> {
    let ours =
        receiver.got().into_iter().filter(|got| got.id.starts_with("evt_a_") || got.id.starts_with("evt_b_"));
    ours.map(|got| got.id).collect()
}

#[tokio::test]
async fn many_messages_go_at_the_pace_of_the_channel_each_once() {
    let receiver = Receiver::start(&[Some(OK)]).await;
    let paced = Channel { per_minute: 1200.0, burst: 5, ..channel("a", &receiver) };
    let rig = Rig::new([paced]).await;
    rig.commit((0..100).map(|n| message("a", n))).await;
    let _running = rig.start();
    rig.until(State::Delivered, 100).await;
    let got = receiver.got();
    assert_eq!(ids(&receiver).len(), 100);
    for (index, start) in got.iter().enumerate() {
        let second = got[index..].iter().filter(|later| later.at - start.at < Duration::from_secs(1)).count();
        assert!(second <= 20 + 5 + 2, "{second} within a second");
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_delays_no_other_channel() {
    let (silent, willing) = (Receiver::start(&[None]).await, Receiver::start(&[Some(OK)]).await);
    let rig = Rig::new([channel("a", &silent), channel("b", &willing)]).await;
    let running = rig.start();
    rig.commit([message("a", 0)]).await;
    running.office.wake(|_| true);
    millis(300).await;
    let began = std::time::Instant::now();
    rig.commit([message("a", 1), message("b", 0)]).await;
    running.office.wake(|_| true);
    rig.until(State::Delivered, 1).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(ids(&silent), ["evt_a_000"]);
}

#[tokio::test]
async fn a_crash_between_sending_and_writing_it_down_sends_the_same_id_again() {
    let receiver = Receiver::start(&[None, Some(OK)]).await;
    let rig = Rig::new([channel("a", &receiver)]).await;
    rig.commit([message("a", 0)]).await;
    let running = rig.start();
    rig.until(State::Sending, 1).await;
    while receiver.got().is_empty() {
        millis(10).await;
    }
    running.task.abort();
    let _ = running.task.await;
    let _again = rig.start();
    rig.until(State::Delivered, 1).await;
    assert_eq!(ids(&receiver), ["evt_a_000", "evt_a_000"]);
}

#[tokio::test]
async fn the_receivers_wish_for_silence_is_obeyed() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::start(&[Some(busy), Some(OK)]).await;
    let rig = Rig::new([channel("a", &receiver)]).await;
    rig.commit([message("a", 0), message("a", 1)]).await;
    let _running = rig.start();
    rig.until(State::Delivered, 2).await;
    let got = receiver.got();
    let ours: Vec<_> = got.iter().filter(|got| got.id.starts_with("evt_a_")).collect();
    assert!(ours[1].at - ours[0].at >= Duration::from_millis(2900), "{:?}", ours[1].at - ours[0].at);
}

#[tokio::test]
async fn a_refusal_pauses_the_channel_is_told_through_another_and_shows_no_secret() {
    let gone = format!("HTTP/1.1 404 Not Found\r\ncontent-length: 35\r\n\r\nno robot at /hook/{SECRET}");
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    for (name, answer, said) in
        [("gone", gone.as_str(), "404"), ("moved", moved, "redirects are not followed")]
    {
        let (refusing, willing) =
            (Receiver::start(&[Some(answer)]).await, Receiver::start(&[Some(OK)]).await);
        let rig = Rig::new([channel("a", &refusing), channel("b", &willing)]).await;
        rig.commit([message("a", 0), message("a", 1)]).await;
        let running = rig.start();
        rig.until(State::Delivered, 1).await;
        let told = willing.got();
        assert!(told[0].text.contains("a Failing") && told[0].text.contains(said), "{name}: {told:?}");
        assert_eq!(ids(&refusing).len(), 1, "{name}: the other one waits");
        let status = running.office.channels().await.unwrap();
        assert!(status[0].failing && status[0].queued == 2 && !status[1].failing, "{name}: {status:?}");

        refusing.answer_from_now_on(OK);
        running.office.probe(Some("a")).unwrap();
        rig.until(State::Delivered, 4).await;
        assert!(willing.got()[1].text.contains("delayed: 2"), "{name}: {:?}", willing.got());
        let status = running.office.channels().await.unwrap();
        assert!(!status[0].failing && status[0].health.last_success.is_some(), "{name}");
        let rows = rig.store.messages(&State::ALL, 100, None).await.unwrap();
        assert!(!format!("{rows:?} {status:?}").contains(SECRET), "{name}");
    }
}

#[tokio::test]
async fn a_store_that_goes_away_and_comes_back_loses_nothing() {
    let receiver = Receiver::start(&[Some(OK)]).await;
    let rig = Rig::new([channel("a", &receiver)]).await;
    let running = rig.start();
    rig.commit([message("a", 0)]).await;
    running.office.wake(|_| true);
    rig.until(State::Delivered, 1).await;
    rig.holder.show(None);
    rig.commit([message("a", 1)]).await;
    running.office.wake(|_| true);
    millis(700).await;
    assert_eq!(ids(&receiver).len(), 1);
    rig.holder.show(Some(Arc::clone(&rig.store)));
    rig.until(State::Delivered, 2).await;
    assert_eq!(ids(&receiver), ["evt_a_000", "evt_a_001"]);
}

#[tokio::test]
async fn a_stop_waits_for_what_is_under_way_and_a_restart_goes_on() {
    let receiver = Receiver::start(&[Some(OK)]).await;
    let slow = Channel { per_minute: 120.0, burst: 1, ..channel("a", &receiver) };
    let rig = Rig::new([slow]).await;
    rig.commit((0..6).map(|n| message("a", n))).await;
    let running = rig.start();
    millis(700).await;
    running.stop.request();
    tokio::time::timeout(Duration::from_secs(4), running.task).await.unwrap().unwrap();
    let before = receiver.got().len();
    millis(600).await;
    assert_eq!(receiver.got().len(), before, "nothing is sent after the stop");
    let _again = rig.start();
    rig.until(State::Delivered, 6).await;
    assert_eq!(ids(&receiver).len(), 6);
}

#[tokio::test]
async fn the_sign_of_life_is_sent_and_its_failure_is_only_counted() {
    crypto();
    let down = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::start(&[Some(down)]).await;
    let text = r#"
[[account]]
name = "prod"
provider = "alibaba"
credentials = { access_key_id = { env = "ID" }, access_key_secret = { env = "ID" } }
[alert]
heartbeat = { env = "HEARTBEAT" }
"#;
    let config = config::parse(text, "config.toml").unwrap();
    let url = receiver.url.clone();
    let env = move |name: &str| (name == "HEARTBEAT").then(|| url.clone());
    assert!(Heartbeat::of(&config, &|_| None).unwrap_err().to_string().contains("`alert.heartbeat`"));
    let rig = Rig::new([]).await;
    let _running = rig.start_with(Heartbeat::of(&config, &env).unwrap());
    while receiver.got().is_empty() {
        millis(10).await;
    }
    millis(200).await;
    let text = rig.telemetry.text();
    assert!(text.of("notafter_heartbeat_failures_total").unwrap().ends_with(" 1\n"));
}
