//! The real program from the file on the disk to the later end at the cloud: a pair of the customer's, and a store that
//! cannot be written while the answer of the cloud waits.

#[path = "whole/home.rs"]
pub(crate) mod home;

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use home::{HOST, Home, ID, SECRET};
use notafter::provider::alibaba::sign::payload_hash;
use sqlx::{Connection as _, SqliteConnection};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_of_the_customers_goes_from_the_disk_to_the_cloud_and_its_key_nowhere_else() {
    let mut home = Home::new(true).await;
    let (soon, later) = (Utc::now() + TimeDelta::days(9), Utc::now() + TimeDelta::days(95));
    let mut keys = Vec::new();
    // each kind of unfit pair is refused in its own words; it is neither announced nor sent. A start reads it at once
    for (name, host, end, other, words) in [
        ("for another host", "another.example", later, false, "it is not for"),
        ("with another key", HOST, later, true, "key"),
        ("that ends no later", HOST, soon, false, "end"),
    ] {
        keys.push(home.pair(host, end, other));
        home.start();
        let list = home.until("/api/v1/renewals?all=true", |list| {
            let reason = &list["items"][0]["reason"];
            reason["code"] == "own_certificate_unfit" && reason.to_string().contains(words)
        });
        let item = list.await["items"][0].clone();
        assert!(home.says(&["plan"]).await.contains("own_certificate_unfit"), "{name}: {item}");
        assert_eq!(home.cloud.changes().len(), 0, "{name}");
        assert!(item["attempt"].is_null() && !home.told().contains("renewal.planned"), "{name}: {item}");
        home.stop();
    }
    keys.push(home.pair(HOST, later, false));
    home.start();
    let item = home.until_state("confirmed").await;

    let calls = home.cloud.changes();
    assert_eq!(calls.len(), 1, "{calls:?}");
    let value = |name: &str| {
        let found = calls[0].parameters.iter().find(|parameter| &*parameter.name == name);
        found.map_or("", |parameter| &*parameter.value).to_owned()
    };
    assert_eq!((value("CAType").as_str(), value("ConnectionString").as_str()), ("custom", HOST));
    assert!(!value("ServerKey").is_empty() && value("ServerCert").contains("BEGIN CERTIFICATE"));
    let good = keys.last().expect("the last one").trim_end();
    let sent = [good.to_owned(), format!("{good}\n")].map(|text| payload_hash(text.as_bytes()));
    assert!(sent.contains(&value("ServerKey")), "another key than the one on the disk");
    let end = home.cloud.expected()[0].truth.expires.expect("a date");
    assert_eq!(end.date_naive(), later.date_naive());
    let planned = item["attempt"]["id"].as_str().expect("an id").to_owned();
    for _ in 0..100 {
        if home.told().contains("renewal.succeeded") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for word in ["renewal.planned", "renewal.started", "renewal.succeeded"] {
        assert!(home.told().contains(word), "nobody heard {word}");
    }

    let mut seen = vec![("messages", home.told())];
    for path in ["/", "/metrics", "/api/v1/renewals?all=true", "/api/v1/status", "/calendar.ics"] {
        seen.push((path, home.visit(path).await));
    }
    seen.push(("detail", home.ask(&format!("/api/v1/renewals/{planned}")).await));
    seen.push(("page of it", home.visit(&format!("/renewals/{planned}")).await));
    seen.push(("explain", home.says(&["explain", ID]).await));
    seen.push(("plan", home.says(&["plan"]).await));
    home.stop();
    seen.push(("log", home.log()));
    assert!(home.log().contains("TRACE"), "it was logged at trace");
    for file in ["notafter.db", "notafter.db-wal", "notafter.db-shm"] {
        let bytes = std::fs::read(home.path(file)).unwrap_or_default();
        seen.push((file, String::from_utf8_lossy(&bytes).into_owned()));
    }
    for (place, text) in &seen {
        assert!(text.len() > 20 || place.starts_with("notafter.db-"), "{place}: nothing was seen: {text:?}");
        assert!(!text.contains(SECRET), "the key of the account is in {place}");
        for key in &keys {
            for line in key.lines().filter(|line| !line.starts_with('-')) {
                let coded = line.replace('+', "%2B").replace('/', "%2F");
                assert!(!text.contains(line) && !text.contains(&coded), "a private key is in {place}");
            }
        }
        assert!(!text.contains("PRIVATE KEY"), "a private key is in {place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_take_the_clouds_answer_is_shown_everywhere() {
    let mut home = Home::new(false).await;
    home.start();
    home.until_state("announced").await;
    let url = format!("sqlite:{}", home.path("notafter.db").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE ON renewal WHEN NEW.state <> 'stored' \
                BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    sqlx::query(full).execute(&mut database).await.unwrap();
    let status = home.until("/api/v1/status", |status| {
        let trouble = status["renewals"]["trouble"].as_str().unwrap_or_default();
        trouble.contains("what became of a renewal cannot be written down")
            && trouble.contains("disk is full")
    });
    status.await;
    assert_eq!(home.cloud.changes().len(), 1);
    let (mut page, mut command, mut metric) = (false, false, false);
    for _ in 0..200 {
        page |= home.visit("/").await.contains("what became of a renewal cannot be written down");
        command |= home.says(&["status"]).await.contains("NOTHING IS BEGUN");
        metric |= home.visit("/metrics").await.contains("notafter_store_up 0");
        if page && command && metric {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(page && command && metric, "page {page}, command {command}, metric {metric}");
    sqlx::query("DROP TRIGGER full").execute(&mut database).await.unwrap();
    home.until_state("confirmed").await;
    home.until("/api/v1/status", |status| status["renewals"]["trouble"].is_null()).await;
    assert_eq!(home.cloud.changes().len(), 1, "it was sent once");
}
