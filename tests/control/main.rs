//! The control socket and the commands that use it, with the real program.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

#[path = "../common/changing.rs"]
mod changing;
mod demo;
mod removed;
mod starting;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::support::{House, SECRET, is_described, openapi};

fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap_or_else(|| panic!("a list, not {list}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_what_is_told_and_change_it() {
    let house = House::new().await;
    house.dead_letter("evt_dead_1").await;
    house.dead_letter("evt_dead_2").await;
    let _daemon = house.start().await;
    let told = house.until("/api/v1/alerts", |list| {
        list["items"].as_array().is_some_and(|items| items.iter().any(|item| !item["told"].is_null()))
    });
    let told = told.await;
    let item = items(&told).iter().find(|item| !item["told"].is_null()).unwrap();
    assert_eq!(
        (&item["channel"], &item["route"], &item["hold"]["code"]),
        (&"hook".into(), &"all".into(), &"known".into())
    );
    every_answer_is_as_described(&house).await;
    pages_follow_each_other(&house).await;
    dead_letters(&house).await;
    silences(&house, item).await;
    notify_test(&house).await;
    renewal_that_is_off(&house, item).await;
    status_and_explain(&house, item).await;
    the_port_changes_nothing(&house).await;
    nothing_secret_is_said(&house).await;
    the_log_says_who_changed_what(&house);
}

fn the_log_says_who_changed_what(house: &House) {
    let log = house.log();
    for what in [
        "a silence was added",
        "a silence was ended",
        "a message that was given up was settled",
        "channels were tested",
    ] {
        let mut lines = log.lines().filter(|line| line.contains(what)).peekable();
        assert!(lines.peek().is_some(), "{what}:\n{log}");
        assert!(lines.all(|line| line.contains("by=\"control socket\"")), "{what}:\n{log}");
    }
    assert!(log.contains("author=\"alice (control socket)\""), "{log}");
    for what in ["retried", "dropped"] {
        assert!(log.contains(&format!("what=\"{what}\"")), "{what}:\n{log}");
    }
}

async fn every_answer_is_as_described(house: &House) {
    let document = openapi();
    let add = json!({"match": "stage=\"info\"", "ends_at": "2100-01-01T00:00:00Z"}).to_string();
    let (status, silence) = house.ask("POST", "/api/v1/silences", &add).await;
    assert_eq!(status, 201, "{silence}");
    for path in ["alerts", "notifications", "silences", "status", "log-level", "certificates", "scopes"] {
        let path = format!("/api/v1/{path}");
        let (status, answer) = house.ask("GET", &path, "").await;
        assert_eq!(status, 200, "{path}: {answer}");
        let schema =
            &document["paths"][&path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        is_described(&document, schema, &answer, &path);
        assert!(answer.get("items").is_none_or(|items| !items.as_array().unwrap().is_empty()), "{path}");
    }
    let path = format!("/api/v1/silences/{}", silence["id"].as_str().unwrap());
    assert_eq!(house.ask("DELETE", &path, "").await.0, 204);
    assert_eq!(house.ask("DELETE", &path, "").await.0, 404, "it ended already");
}

async fn pages_follow_each_other(house: &House) {
    for path in ["/api/v1/alerts", "/api/v1/notifications"] {
        let whole = house.ask("GET", &format!("{path}?limit=1000"), "").await.1;
        let ids = |list: &Value| items(list).iter().map(|item| item["id"].to_string()).collect::<Vec<_>>();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.ask("GET", &format!("{path}?limit=1&cursor={cursor}"), "").await.1;
            assert_eq!(items(&page).len(), 1, "{path}");
            seen.extend(ids(&page));
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(seen, ids(&whole), "{path}");
    }
    for path in
        ["alerts?x=1", "notifications?state=lost", "silences?state=x", "status?x=1", "alerts?cursor=x"]
    {
        assert_eq!(house.ask("GET", &format!("/api/v1/{path}"), "").await.0, 400, "{path}");
    }
}

async fn dead_letters(house: &House) {
    let dead = house.ask("GET", "/api/v1/notifications?state=dead", "").await.1;
    assert_eq!(items(&dead).len(), 2);
    assert_eq!(items(&dead)[0]["error"], "HTTP 500: no");
    let (status, answer) = house.ask("POST", "/api/v1/notifications/evt_dead_1/retry", "").await;
    assert_eq!((status, &answer["state"]), (200, &"queued".into()));
    let delivered = |list: &Value| items(list).iter().any(|item| item["id"] == "evt_dead_1");
    house.until("/api/v1/notifications?state=delivered", delivered).await;
    assert_eq!(house.ask("POST", "/api/v1/notifications/evt_dead_2/discard", "").await.0, 200);
    for (path, status) in [("evt_dead_2/discard", 404), ("evt_none/retry", 404)] {
        assert_eq!(house.ask("POST", &format!("/api/v1/notifications/{path}"), "").await.0, status, "{path}");
    }
    assert!(items(&house.ask("GET", "/api/v1/notifications?state=dead", "").await.1).is_empty());
}

async fn silences(house: &House, item: &Value) {
    let id = item["resource_id"].as_str().unwrap();
    let expression = format!("resource_id=\"{id}\"");
    let add =
        ["silence", "add", &expression, "--for", "7d", "--comment", "moving house", "--include-expired"];
    let said = house.says(&add).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let silence = said.out.split_whitespace().next().unwrap().to_owned();
    assert!(silence.starts_with("sil_"), "{said:?}");
    let list = house.says(&["silence", "list"]).await;
    for want in [silence.as_str(), &expression, "alice (control socket): moving house", "also what is over"] {
        assert!(list.out.contains(want), "{want}: {list:?}");
    }
    let about = format!("/api/v1/alerts?match=resource_id%3D%22{id}%22");
    // what the page and the status show is what the last evaluation knew
    let status = house.until("/api/v1/status", |status| status["alerts"]["silences"] == 1).await;
    assert!(status["alerts"]["trouble"].is_null(), "{status}");
    let page = house.ask_port("GET", "/", "").await.1;
    assert!(page.contains("Silences") && page.contains("moving house"), "{page}");
    assert_eq!(items(&house.ask("GET", &about, "").await.1)[0]["channel"], "hook");
    let ended = house.says(&["silence", "end", &silence]).await;
    assert_eq!((ended.code, ended.out), (0, format!("{silence} ended\n")));
    house.until("/api/v1/status", |status| status["alerts"]["silences"] == 0).await;
    let again = house.says(&["silence", "end", &silence]).await;
    assert!(again.code == 1 && again.err.contains("no silence with the id"), "{again:?}");
    knowing(house, item).await;
    let acknowledge = json!({
        "fingerprint": item["fingerprint"], "stage": item["stage"], "ends_at": "2100-01-01T00:00:00Z"
    });
    assert_eq!(house.ask("POST", "/api/v1/silences", &acknowledge.to_string()).await.0, 201);
    for (body, want) in [
        (json!({"match": "clod_service=\"rds\"", "ends_at": "2100-01-01T00:00:00Z"}), "did you mean"),
        (json!({"match": "stage=\"info\""}), "`ends_at` is missing"),
        (json!({"match": "stage=\"info\"", "ends_at": "2001-01-01T00:00:00Z"}), "later than now"),
        (json!({"ends_at": "2100-01-01T00:00:00Z"}), "either `match`"),
        (json!({"match": "stage=\"info\"", "ends_at": "2100-01-01T00:00:00Z", "x": 1}), "unknown field"),
    ] {
        let (status, problem) = house.ask("POST", "/api/v1/silences", &body.to_string()).await;
        assert_eq!(status, 400, "{body}");
        assert!(problem["detail"].as_str().unwrap().contains(want), "{want}: {problem}");
    }
}

async fn knowing(house: &House, item: &Value) {
    let (id, stage) = (item["resource_id"].as_str().unwrap(), item["told"]["stage"].as_str().unwrap());
    let said = house.says(&["silence", "acknowledge", id, "--comment", "renewal is on Thursday"]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let line = said.out.lines().find(|line| line.contains(&format!(" as {stage}, "))).unwrap();
    assert!(
        line.contains(&format!(" certificate of {id} (")) && line.contains(" at most until "),
        "{said:?}"
    );
    let silence = line.split_whitespace().next().unwrap();
    let list = house.ask("GET", "/api/v1/silences", "").await.1;
    let known = items(&list).iter().find(|known| known["id"] == silence).unwrap();
    let members = ["fingerprint", "stage", "author", "comment"].map(|member| &known[member]);
    let told = &item["told"]["stage"];
    assert_eq!(
        members,
        [&item["fingerprint"], told, &"alice (control socket)".into(), &"renewal is on Thursday".into()]
    );
    let list = house.says(&["silence", "list"]).await;
    assert!(list.out.contains(&format!(" up to {stage}")), "{list:?}");
    for line in said.out.lines() {
        let ended = house.says(&["silence", "end", line.split_whitespace().next().unwrap()]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let nothing = house.says(&["silence", "ack", "no-such-thing", "--comment", "x"]).await;
    assert!(nothing.code == 1 && nothing.err.contains("there is nothing to acknowledge"), "{nothing:?}");
}

/// A daemon that renews nothing says so, whichever way it is asked.
async fn renewal_that_is_off(house: &House, item: &Value) {
    let id = item["resource_id"].as_str().unwrap();
    let mut plan = house.says(&["plan"]).await;
    // it plans every few seconds
    for _ in 0..300 {
        if plan.out.contains(id) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        plan = house.says(&["plan"]).await;
    }
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.out.starts_with("mode off: nothing is renewed\n") && plan.out.contains(id), "{plan:?}");
    let json = house.says(&["plan", "--format", "json"]).await;
    let list: Value = serde_json::from_str(&json.out).unwrap();
    assert!(items(&list).iter().any(|item| item["reason"]["code"] == "mode_off"), "{json:?}");
    for words in [
        &["renew", id, "--yes"][..],
        &["renewals", "approve", id, "--yes"],
        &["renewals", "reject", "ren_0000000000000000", "--yes"],
    ] {
        let said = house.says(words).await;
        assert!(said.code == 1 && !said.err.is_empty(), "{words:?}: {said:?}");
    }
    let said = house.says(&["renew", id, "--yes"]).await;
    assert!(said.out.contains("refused, mode_off: renewal is off"), "{said:?}");
    for (path, body, status) in [
        ("/api/v1/renewals", format!("{{\"resource_id\": \"{id}\"}}"), 409),
        ("/api/v1/renewals/ren_1/approve", String::new(), 404),
    ] {
        assert_eq!(house.ask("POST", path, &body).await.0, status, "{path}");
    }
}

async fn notify_test(house: &House) {
    let before = house.receiver.count.load(Ordering::SeqCst);
    let said = house.says(&["notify", "test"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.starts_with("hook (webhook, ") && said.out.contains("): delivered: HTTP 200"),
        "{said:?}"
    );
    assert!(house.receiver.count.load(Ordering::SeqCst) > before);
    house.receiver.fail(true);
    let said = house.says(&["notify", "test", "hook"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("FAILED: denied: HTTP 403"), "{said:?}");
    assert!(!said.out.contains(SECRET), "{said:?}");
    house.receiver.fail(false);
    let said = house.says(&["notify", "test", "hok"]).await;
    assert!(said.code == 1 && said.err.contains("there is no channel `hok`"), "{said:?}");
}

async fn status_and_explain(house: &House, item: &Value) {
    let said = house.says(&["status"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    for want in ["notafter ", "scopes ", "notafter.db, in use", "  hook (webhook, "] {
        assert!(said.out.contains(want), "{want}: {said:?}");
    }
    let json = house.says(&["status", "--format", "json"]).await;
    assert!(serde_json::from_str::<Value>(&json.out).unwrap()["channels"][0]["name"] == "hook", "{json:?}");
    let id = item["resource_id"].as_str().unwrap();
    let said = house.says(&["explain", id]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let told = format!("told as {} on ", item["told"]["stage"].as_str().unwrap());
    for want in ["Resource ", "Alerts, role ", "  hook: ", &told] {
        assert!(said.out.contains(want), "{want}: {said:?}");
    }
    let said = house.says(&["explain", "no-such-thing"]).await;
    assert!(said.code == 1 && said.err.starts_with("no resource has the id no-such-thing"), "{said:?}");
}

async fn the_port_changes_nothing(house: &House) {
    for (method, path) in &changing::routes() {
        let (status, text) = house.ask_port(method, path, "").await;
        assert_eq!(status, 403, "{method} {path}");
        assert!(text.contains("needs the control socket or an authenticated user"), "{text}");
        for header in ["origin: https://evil.example\r\n", "sec-fetch-site: cross-site\r\n"] {
            let (status, text) = house.ask_port(method, path, header).await;
            assert_eq!(status, 403, "{method} {path} {header}");
            assert!(text.contains("another site"), "{text}");
        }
    }
    for path in ["alerts", "notifications", "silences", "status"] {
        assert_eq!(house.ask_port("GET", &format!("/api/v1/{path}"), "").await.0, 200, "{path}");
        assert_eq!(house.ask_port("PUT", &format!("/api/v1/{path}"), "").await.0, 405, "{path}");
    }
}

async fn nothing_secret_is_said(house: &House) {
    for path in
        ["/", "/metrics", "/api/v1/alerts", "/api/v1/notifications", "/api/v1/silences", "/api/v1/status"]
    {
        let (status, text) = house.ask_port("GET", path, "").await;
        assert_eq!(status, 200, "{path}");
        assert!(!text.contains(SECRET), "{path}: {text}");
    }
    let (_, tested) = house.ask("POST", "/api/v1/notifications/test", "{}").await;
    assert!(!tested.to_string().contains(SECRET), "{tested}");
    assert!(!house.log().contains(SECRET), "{}", house.log());
    assert!(house.receiver.bodies.lock().unwrap().contains(SECRET), "the receiver alone knows it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_holds_what_is_to_come_until_it_ends() {
    let house = House::new().await;
    let first = house.start().await;
    let everything =
        ["silence", "add", "resource_id=~\".*\"", "--for", "1d", "--comment", "c", "--include-expired"];
    // before anything is told: the first evaluation waits for the first round
    let said = house.says(&everything).await;
    assert_eq!(said.code, 0, "{said:?}");
    let id = said.out.split_whitespace().next().unwrap().to_owned();
    let silenced = |item: &Value| item["hold"]["code"] == "silenced";
    let held = |list: &Value| items(list).iter().any(silenced);
    let list = house.until("/api/v1/alerts", held).await;
    let why = items(&list).iter().find(|item| silenced(item)).unwrap()["hold"]["text"].to_string();
    assert!(why.contains(&format!("silence {id} holds it until ")), "{why}");
    assert_eq!(house.says(&["silence", "end", &id]).await.code, 0);
    // what was held comes now, in company
    let comes = |item: &Value| !item["due"].is_null() || item["hold"]["code"] == "known";
    let free = |list: &Value| items(list).iter().any(comes) && !items(list).iter().any(silenced);
    house.until("/api/v1/alerts", free).await;
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_daemon_has_the_socket_and_a_dead_one_leaves_it() {
    let house = House::new().await;
    let nobody = house.says(&["status"]).await;
    assert_eq!(nobody.code, 1, "{nobody:?}");
    for want in ["no daemon answers on ", "control.sock", "notafter run", "--socket PATH"] {
        assert!(nobody.err.contains(want), "{want}: {nobody:?}");
    }
    let said = house.says(&["notify", "test"]).await;
    assert_eq!(said.code, 0, "without a daemon: {said:?}");
    assert!(said.out.contains("hook (webhook, ") && said.out.contains("delivered: HTTP 200"), "{said:?}");
    house.receiver.fail(true);
    let said = house.says(&["notify", "test"]).await;
    assert!(said.code == 1 && said.out.contains("FAILED") && !said.out.contains(SECRET), "{said:?}");

    let first = house.start().await;
    let mode = fs::metadata(house.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let config = fs::read_to_string(house.config()).unwrap();
    let other =
        config.replace(&format!(":{}", house.port), ":1").replace("127.0.0.1:1\"", "127.0.0.1:39809\"");
    fs::write(house.config(), other.replace("notafter.db", "other.db")).unwrap();
    let second = house.says(&["run"]).await;
    assert_eq!(second.code, 1, "{second:?}");
    assert!(
        second.err.contains("another daemon is running and answers on this control socket"),
        "{second:?}"
    );
    fs::write(house.config(), config).unwrap();

    first.kill();
    assert!(house.socket().exists(), "left behind");
    let again = house.start().await;
    assert_eq!(house.says(&["status", "--socket", house.socket().to_str().unwrap()]).await.code, 0);
    drop(again);
}

#[test]
fn an_empty_name_of_the_configuration_in_the_environment_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.toml"), "nonsense = 1\n").unwrap();
    let says = |set: Option<&str>, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
        command.args(words).current_dir(folder.path()).env_remove("NOTAFTER_CONFIG").env_remove("USER");
        command.envs(set.map(|set| ("NOTAFTER_CONFIG", set)));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for words in [&["config"][..], &["status"]] {
        assert_eq!(says(Some(""), words), says(None, words), "{words:?}");
    }
    let (code, said) = says(Some("named.toml"), &["config"]);
    assert!(code == Some(78) && said.contains("named.toml"), "{said}");
    let (code, said) = says(None, &["config", "--config", ""]);
    assert!(code == Some(64) && said.contains("--config needs the name of a file"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_had_is_a_warning() {
    let house = House::new().await;
    let config = fs::read_to_string(house.config()).unwrap();
    let socket = house.socket().display().to_string();
    fs::write(house.config(), config.replace(&socket, "/nonexistent/control.sock")).unwrap();
    let _daemon = house.run();
    let port = house.port;
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(house.ask_port("GET", "/-/healthy", "").await.0, 200, "{}", house.log());
    assert!(house.log().contains("there is no control socket"), "{}", house.log());
}
