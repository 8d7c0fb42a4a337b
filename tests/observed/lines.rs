//! With `--log-format json` every line of the log is one object, whatever there is to say.

use std::fs;

use serde_json::Value;

use crate::support::House;

fn events(log: &str) -> Vec<Value> {
    let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let events: Vec<Value> = log.lines().map(event).collect();
    for event in &events {
        for member in ["timestamp", "level", "target", "message"] {
            assert!(event[member].is_string(), "{member}: {event}");
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_an_object_also_when_the_daemon_cannot_run() {
    let house = House::new().await;
    let good = fs::read_to_string(house.config()).unwrap();
    let run = ["run", "--log-format", "json"];

    fs::write(house.config(), good.replace("max_age", "max_ege")).unwrap();
    let said = house.says(&run).await;
    assert_eq!(said.code, 78, "{said:?}");
    let events = self::events(&said.err);
    assert!(events.iter().any(|event| event["problems"].to_string().contains("max_ege")), "{said:?}");

    // an address that is not on this machine
    let elsewhere = good.replace(&format!("127.0.0.1:{}", house.port), "192.0.2.1:9809");
    fs::write(house.config(), elsewhere).unwrap();
    let said = house.says(&run).await;
    assert_eq!(said.code, 1, "{said:?}");
    let events = self::events(&said.err);
    let last = events.last().unwrap();
    assert!(last["problem"].to_string().contains("192.0.2.1:9809") && last["level"] == "ERROR", "{said:?}");
}
