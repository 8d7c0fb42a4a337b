//! Messages of a channel that was taken out of the configuration: seen, kept for a while, given up, and sent again.

use std::fs;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::message::{ChannelItem, ChannelNews, Item, Kind, Message};
use notafter::store::Store;
use serde_json::Value;

use crate::items;
use crate::support::House;

impl House {
    fn old_channel(&self) -> String {
        format!(
            "[[channel]]\nname = 'old'\ntype = 'webhook'\nurl = 'http://127.0.0.1:{}/old'\n",
            self.receiver.port
        )
    }

    async fn store(&self) -> Store {
        let url = format!("sqlite:{}", self.folder.path().join("notafter.db").display());
        // a program that another test starts holds the lock of this process until it has become that program
        for _ in 0..40 {
            if let Ok(store) = Store::open(&url).await {
                return store;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Store::open(&url).await.unwrap()
    }

    /// A message that waited for `old` when the daemon ended.
    async fn left_behind(&self, id: &str, at: DateTime<Utc>) {
        let store = self.store().await;
        let news = ChannelNews::Recovered { since: at, delayed: 1 };
        let item = Item::Channel(ChannelItem { channel: "another".into(), news });
        let message = Message {
            id: id.into(),
            channel: "old".into(),
            kind: Kind::News,
            route: "".into(),
            at,
            items: vec![item],
            left_out: 0,
            overview: None,
        };
        store.commit_alerts(&[], &[message], at).await.unwrap();
        store.close().await;
    }

    async fn reload_with(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
        let said = self.says(&["reload"]).await;
        assert_eq!(said.code, 0, "{said:?}\n{}", self.log());
    }

    async fn until_delivered(&self, id: &str) {
        let is_there = |list: &Value| items(list).iter().any(|item| item["id"] == id);
        self.until("/api/v1/notifications?state=delivered", is_there).await;
    }

    async fn until_metrics(&self, wanted: &str) {
        for _ in 0..300 {
            if self.ask_port("GET", "/metrics", "").await.1.contains(wanted) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("no {wanted}: {}", self.ask_port("GET", "/metrics", "").await.1);
    }
}

impl House {
    async fn until_no_metrics(&self, unwanted: &[&str]) {
        for _ in 0..100 {
            let page = self.ask_port("GET", "/metrics", "").await.1;
            if unwanted.iter().all(|series| !page.contains(series)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("one of {unwanted:?} stays");
    }
}

fn old(status: &Value) -> Option<&Value> {
    status["channels"].as_array()?.iter().find(|channel| channel["name"] == "old")
}

fn is_left(status: &Value) -> bool {
    old(status)
        .is_some_and(|old| old["configured"] == false && old["queued"] != 0 && !old["given_up_at"].is_null())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_comes_back_goes_on_with_what_waited_for_it() {
    let house = House::new().await;
    let without = fs::read_to_string(house.config()).unwrap();
    house.left_behind("evt_old_1", Utc::now()).await;
    let first = house.start().await;
    let status = house.until("/api/v1/status", is_left).await;
    assert_eq!((&status["alerts"]["queued"], &old(&status).unwrap()["failing"]), (&1.into(), &false.into()));
    house.until_metrics("notafter_outbox_messages{channel=\"old\",state=\"queued\"} 1").await;
    assert!(house.log().contains("messages wait for a channel that is not configured"), "{}", house.log());
    let page = house.ask_port("GET", "/", "").await.1;
    assert!(page.contains("not configured") && page.contains("they are given up in 72 h"), "{page}");
    let said = house.says(&["status"]).await;
    assert!(said.out.contains("  old: NOT CONFIGURED; 1 queued, 0 given up; what is queued"), "{said:?}");
    let zh = house.ask_port("GET", "/?lang=zh", "").await.1;
    assert!(zh.contains("未配置"), "{zh}");

    house.reload_with(&(without.clone() + &house.old_channel())).await;
    house.until_delivered("evt_old_1").await;
    let status = house.ask("GET", "/api/v1/status", "").await.1;
    assert_eq!(old(&status).unwrap()["configured"], true);
    first.kill();

    // a receiver that refuses pauses the channel; taken out by a reload, its message waits all the same
    house.left_behind("evt_old_2", Utc::now()).await;
    house.receiver.fail(true);
    let second = house.start().await;
    let is_paused = |status: &Value| old(status).is_some_and(|old| !old["paused_until"].is_null());
    house.until("/api/v1/status", is_paused).await;
    house.reload_with(&without).await;
    house.until("/api/v1/status", is_left).await;
    let page = house.ask_port("GET", "/metrics", "").await.1;
    for series in ["notafter_channel_up", "notafter_notifications_total"] {
        let of = |channel: &str| format!("{series}{{channel=\"{channel}\"}}");
        assert!(!page.contains(&of("old")) && page.contains(&of("hook")), "{series}:\n{page}");
    }
    // with no channel at all there is still somebody to look after it
    let nobody = without.split("[[channel]]").next().unwrap().to_owned();
    house.reload_with(&nobody).await;
    house.until("/api/v1/status", is_left).await;
    house.receiver.fail(false);
    house.reload_with(&(nobody.clone() + &house.old_channel())).await;
    house.until_delivered("evt_old_2").await;
    let is_empty = |status: &Value| old(status).is_some_and(|old| old["queued"] == 0);
    house.until("/api/v1/status", is_empty).await;
    house.reload_with(&nobody).await;
    house.until_no_metrics(&["notafter_channel_up{", "notafter_notifications_total{"]).await;
    second.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_nobody_is_given_up_seen_and_sent_again_once_somebody_is_there() {
    let house = House::new().await;
    let without = fs::read_to_string(house.config()).unwrap();
    let long_ago = Utc::now() - TimeDelta::days(4);
    for id in ["evt_old_1", "evt_old_2"] {
        house.left_behind(id, long_ago).await;
    }
    house.left_behind("evt_old_young", Utc::now()).await;
    let store = house.store().await;
    store.keep_value("removed/old", &(72 * 3600).to_string()).await.unwrap();
    store.close().await;
    let _daemon = house.start().await;
    let dead = house.until("/api/v1/notifications?state=dead", |list| items(list).len() == 2).await;
    for item in items(&dead) {
        assert_eq!(item["error"], "the channel is not configured, and did not come back within 72 hours");
    }
    let status = house.until("/api/v1/status", is_left).await;
    assert_eq!(old(&status).unwrap()["dead"], 2, "the young one gets its time");
    assert!(house.ask_port("GET", "/", "").await.1.contains("did not come back within 72 hours"));
    let (code, refused) = house.ask("POST", "/api/v1/notifications/evt_old_1/retry", "").await;
    assert_eq!(code, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("`old` is not configured"), "{refused}");
    assert_eq!(house.ask("POST", "/api/v1/notifications/evt_old_2/discard", "").await.0, 200);
    house.reload_with(&(without + &house.old_channel())).await;
    house.until_delivered("evt_old_young").await;
    assert_eq!(house.ask("POST", "/api/v1/notifications/evt_old_1/retry", "").await.0, 200);
    house.until_delivered("evt_old_1").await;
}
