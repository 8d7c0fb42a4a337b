//! What people see and do.

use std::sync::Arc;

use chrono::Utc;
use notafter::domain::alert::outbox::{Settled, State};
use notafter::domain::snapshot::Snapshot;
use notafter::notifier::desk::{Desk, DeskError};

use crate::support::{OK, Receiver, Rig, channel, message, millis};

#[tokio::test]
async fn a_dead_letter_is_listed_sent_again_or_dropped() {
    let receiver = Receiver::start(&[Some(OK)]).await;
    let rig = Rig::new([channel("a", &receiver)]).await;
    rig.commit([message("a", 0), message("a", 1)]).await;
    for id in ["evt_a_000", "evt_a_001"] {
        rig.store
            .settle(id, &Settled::Dead { error: "too late".into(), unanswered: false }, Utc::now())
            .await
            .unwrap();
    }
    let running = rig.start();
    let desk: &dyn Desk = &running.office;
    let dead = desk.messages(&[State::Dead], 10, None).await.unwrap();
    assert_eq!(dead.len(), 2);
    let behind = (dead[0].message.at, &*dead[0].message.id);
    assert_eq!(desk.messages(&[State::Dead], 10, Some(behind)).await.unwrap().len(), 1);
    assert_eq!(desk.channels().await.unwrap()[0].dead, 2);

    assert!(desk.retry("evt_a_000").await.unwrap());
    assert!(!desk.retry("evt_a_999").await.unwrap());
    rig.until(State::Delivered, 1).await;
    assert!(desk.discard("evt_a_001").await.unwrap());
    assert!(!desk.discard("evt_a_001").await.unwrap());
    assert_eq!(desk.channels().await.unwrap()[0].dead, 0);
}

#[tokio::test]
async fn a_test_message_goes_at_once_and_brings_back_what_was_said() {
    let refusing = "HTTP/1.1 400 Bad Request\r\ncontent-length: 7\r\n\r\nno text";
    let (willing, refusing) = (Receiver::start(&[Some(OK)]).await, Receiver::start(&[Some(refusing)]).await);
    let rig = Rig::new([channel("a", &willing), channel("b", &refusing)]).await;
    let running = rig.start();
    let tested = running.office.test(None).await.unwrap();
    assert_eq!(tested[0].outcome.as_deref(), Ok("HTTP 200: ok"));
    assert_eq!(tested[1].outcome.as_ref().map_err(|trouble| &*trouble.text), Err("HTTP 400: no text"));
    assert!(willing.got().iter().any(|got| got.text.contains(r#""type":"test""#)));
    let unknown = running.office.test(Some("c")).await;
    assert_eq!(unknown, Err(DeskError::NoSuchChannel("c".into())));
    rig.holder.show(None);
    assert_eq!(running.office.channels().await, Err(DeskError::StoreAway));
    assert_eq!(running.office.test(Some("a")).await.unwrap().len(), 1, "a test needs no store");
}

#[tokio::test]
async fn every_series_of_a_channel_exists_from_the_start_and_follows() {
    let receiver = Receiver::start(&[Some(OK)]).await;
    let rig = Rig::new([channel("a", &receiver)]).await;
    rig.commit([message("removed", 0)]).await;
    let running = rig.start();
    let page = || async {
        let snapshot = Arc::new(Snapshot::default());
        let page = running.metrics.plain(snapshot, Utc::now()).await.unwrap();
        String::from_utf8(page.flatten().collect()).unwrap()
    };
    let first = page().await;
    for want in [
        "\nnotafter_notifications_total{channel=\"a\"} 0\n",
        "\nnotafter_notifications_failed_total{channel=\"a\",reason=\"denied\"} 0\n",
        "\nnotafter_channel_up{channel=\"a\"} 1\n",
        "\nnotafter_outbox_messages{channel=\"a\",state=\"queued\"} 0\n",
        "\nnotafter_outbox_messages{channel=\"a\",state=\"dead\"} 0\n",
    ] {
        assert!(first.contains(want), "{want}:\n{first}");
    }
    rig.commit([message("a", 0)]).await;
    running.office.wake(|_| true);
    rig.until(State::Delivered, 1).await;
    millis(4500).await;
    let later = page().await;
    for want in [
        "notafter_notification_last_success_timestamp_seconds{channel=\"a\"} 1",
        "\nnotafter_outbox_messages{channel=\"removed\",state=\"queued\"} 1\n",
    ] {
        assert!(later.contains(want), "{want}:\n{later}");
    }
}
