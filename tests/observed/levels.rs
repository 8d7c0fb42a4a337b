//! What is logged changes while the daemon runs, and changes back.

use std::time::Duration;

use serde_json::json;

use crate::support::House;

const PATH: &str = "/api/v1/log-level";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_changes_for_a_while_and_says_who_wanted_it() {
    let house = House::new().await;
    let daemon = house.start().await;
    let said = house.says(&["log-level"]).await;
    assert_eq!((said.code, &*said.out), (0, "info, as configured\n"), "{said:?}");
    assert!(!house.log().contains("DEBUG"), "{}", house.log());

    let said =
        house.says(&["log-level", "info,notafter::daemon::keep=debug,reqwest=debug", "--for", "10s"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("info,notafter::daemon::keep=debug,reqwest=debug until "), "{said:?}");
    assert!(said.out.contains("wanted by alice (control socket); then info as configured"), "{said:?}");
    assert_eq!(house.says(&["notify", "test", "hook"]).await.code, 0);
    wait_for(&house, "DEBUG reqwest").await; // which writes to the interface of another library
    let log = wait_for(&house, "DEBUG notafter::daemon::keep").await;
    let others =
        |line: &&str| !line.contains("DEBUG reqwest") && !line.contains("DEBUG notafter::daemon::keep");
    assert_eq!(log.lines().filter(|line| line.contains("DEBUG")).filter(others).count(), 0, "{log}");
    let change = log.lines().find(|line| line.contains("what is logged changes")).unwrap();
    assert!(change.contains("alice (control socket)") && change.contains("reqwest=debug"), "{change}");
    let log = wait_for(&house, "what is logged is as configured again").await;
    assert_eq!(house.says(&["log-level"]).await.out, "info, as configured\n");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let debug = |log: &str| log.lines().filter(|line| line.contains("DEBUG")).count();
    assert_eq!(debug(&house.log()), debug(&log), "quiet again");

    // a later wish holds for its own time
    let wish = json!({ "levels": "warn,reqwest=trace", "for": "1h" }).to_string();
    assert_eq!(house.ask("PUT", PATH, &json!({ "levels": "error", "for": "1s" }).to_string()).await.0, 200);
    let (status, item) = house.ask("PUT", PATH, &wish).await;
    assert_eq!(
        (status, &item["levels"], &item["by"]),
        (200, &"warn,reqwest=trace".into(), &"control socket".into())
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        house.ask("GET", PATH, "").await.1["levels"],
        "warn,reqwest=trace",
        "the first one's end is not its end"
    );
    let said = house.says(&["log-level", "--reset"]).await;
    assert_eq!((said.code, &*said.out), (0, "info, as configured\n"), "{said:?}");

    house.says(&["log-level", "trace"]).await;
    drop(daemon);
    let _daemon = house.start().await;
    assert_eq!(house.says(&["log-level"]).await.out, "info, as configured\n", "a restart forgets it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_cannot_be_had_is_answered_with_what_can() {
    let house = House::new().await;
    let _daemon = house.start().await;
    for (words, want) in [
        (&["log-level", "inof"][..], "did you mean `info`?"),
        (&["log-level", "notafter::provder=debug"], "did you mean `notafter::provider`?"),
        (&["log-level", "info", "--for", "30"], "is not a duration"),
        (&["log-level", "--for", "30m"], "LEVELS"),
        (&["log-level", "info", "--reset"], "--reset"),
    ] {
        let said = house.says(words).await;
        assert!(said.code == 64 && said.err.contains(want), "{words:?}: {said:?}");
    }
    let said = house.says(&["log-level", "info", "--for", "25h"]).await;
    assert!(said.code == 1 && said.err.contains("at most \"24h\""), "{said:?}");
    for (body, want) in [
        (json!({ "levels": "inof" }), "did you mean `info`?"),
        (json!({ "levels": "info", "for": "soon" }), "`for`"),
        (json!({ "level": "info" }), "unknown field"),
        (json!({ "levels": "info", "by": "notafter" }), "`by`"),
    ] {
        let (status, answer) = house.ask("PUT", PATH, &body.to_string()).await;
        assert!(status == 400 && answer.to_string().contains(want), "{body}: {status} {answer}");
    }
    assert_eq!(house.ask("GET", PATH, "").await.1["levels"], "info", "nothing is different");
}

async fn wait_for(house: &House, text: &str) -> String {
    for _ in 0..600 {
        let log = house.log();
        if log.contains(text) {
            return log;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never logged: {text}\n{}", house.log());
}
