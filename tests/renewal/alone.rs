//! `notafter renew` where no daemon runs: the real program and a real store. It renews one instance and no other, keeps the
//! daemon away meanwhile, and whatever ends it, nothing is sent twice and every outcome is told.

use std::process::Stdio;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use notafter::domain::renewal::attempt::State;
use notafter::sim::alibaba::{Engine, Fault, Hang, Instance, Where};
use rustix::process::Signal;

use crate::whole::home::{Home, ID, REGION};

const OTHER: &str = "pgm-other";
const NOW: [&str; 4] = ["renew", ID, "--yes", "--now"];
const AUTO: &str = "mode = \"auto\"";
const APPROVE: &str = "mode = \"approve\"";

/// No daemon begins anything by itself.
async fn home() -> Home {
    let home = Home::new(false).await;
    home.edit(AUTO, APPROVE);
    home
}

/// Ids of the instances that the cloud was asked to change.
fn changed(home: &Home) -> Vec<String> {
    home.cloud.changes().into_iter().map(|call| call.resource.unwrap_or_default().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_renewed_and_nothing_else_is_begun_or_announced() {
    let mut home = home().await;
    let soon = Utc::now() + TimeDelta::days(5);
    home.cloud.create(Instance::new(Engine::PostgreSql, OTHER, "1", REGION, soon));
    // the other one is announced, ends sooner, and is all that a daemon would begin
    home.start();
    home.until("/api/v1/renewals?all=true", |list| list.to_string().matches("\"announced\"").count() == 2)
        .await;
    home.stop();
    let later = Utc::now() + TimeDelta::days(6);
    home.cloud.create(Instance::new(Engine::PostgreSql, "pgm-third", "1", REGION, later));
    home.edit(APPROVE, AUTO);
    // slow enough to be cut off by a command that does not wait
    let touch =
        |name: &str| format!("[\"/bin/sh\", \"-c\", \"sleep 2; touch '{}'\"]", home.path(name).display());
    let hook = format!("hook = {{ before = {}, after = {} }}\n[store]", touch("before"), touch("after"));
    home.edit("[store]", &hook);

    let (code, said) = home.ends(&NOW).await;
    assert_eq!(code, Some(0), "{said}");
    for words in ["no daemon runs", "ModifyDBInstanceSSL", "confirmed", "the daemon sends them"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(changed(&home), [ID], "{said}");
    let end = home.cloud.expected().into_iter().find(|row| &*row.id == ID).and_then(|row| row.truth.expires);
    assert!(end.is_some_and(|end| end > Utc::now() + TimeDelta::days(300)));
    assert!(home.path("before").exists() && home.path("after").exists(), "the hooks ran: {said}");
    let attempts = home.attempts().await;
    let state = |id: &str| {
        let of = attempts.iter().find(|attempt| &*attempt.key.resource.resource_id == id);
        of.map(|attempt| attempt.state.as_str())
    };
    assert_eq!((state(ID), state(OTHER), state("pgm-third")), (Some("confirmed"), Some("announced"), None));
    assert_eq!(home.kept_end(ID).await, end, "the daemon begins with the new end");
    assert!(!home.told().contains("renewal.started"), "nobody delivers yet");

    home.edit(AUTO, APPROVE);
    home.start();
    home.until_told("renewal.succeeded").await;
    assert_eq!(changed(&home), [ID]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_somebody_works_with_is_left_to_them() {
    let mut home = home().await;
    home.start();
    home.until_state("announced").await;
    let (code, said) = home.ends(&[&NOW[..], &["--socket", "/nowhere/control.sock"]].concat()).await;
    assert!(
        code == Some(1) && said.contains("a daemon, or another `notafter renew`, works with this store"),
        "{said}"
    );
    home.stop();

    home.cloud.inject(Fault::Hang(Hang::HeadOnly), modify(), Some(1));
    let mut first = home.command(&NOW).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    called(&home).await;
    let (code, said) = home.ends(&NOW).await;
    assert!(code == Some(1) && said.contains(&format!("(process {})", first.id())), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(changed(&home), [ID]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_speaks_against_it_is_named_and_nothing_is_sent() {
    let home = home().await;
    for (name, old, new, words, want, code) in [
        ("renewal only plans", APPROVE, "mode = \"plan\"", &NOW[..], "renewal mode is \"plan\"", 1),
        (
            "no rule",
            "match = 'cloud_service=\"rds\"'",
            "match = 'cloud_service=\"redis\"'",
            &NOW,
            "not_allowed",
            1,
        ),
        (
            "no such resource",
            APPROVE,
            APPROVE,
            &["renew", "r-no", "--yes"],
            "no resource with the id `r-no`",
            1,
        ),
        ("nobody to ask", APPROVE, APPROVE, &NOW[..2], "say --yes", 64),
        (
            "not followed",
            APPROVE,
            APPROVE,
            &["renew", ID, "--yes", "--no-wait"],
            "--no-wait needs a daemon",
            64,
        ),
    ] {
        home.edit(old, new);
        let (ended, said) = home.ends(words).await;
        assert!(ended == Some(code) && said.contains(want), "{name}: {ended:?} {said}");
        home.edit(new, old);
    }
    assert!(changed(&home).is_empty() && home.attempts().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_is_not_waited_for_and_the_order_stays_for_the_daemon() {
    let home = home().await;
    let hour = |hours: i64| (Utc::now() + TimeDelta::hours(hours)).format("%H:%M").to_string();
    home.edit(&format!("from = \"{}\"", hour(-6)), &format!("from = \"{}\"", hour(8)));
    home.edit(&format!("to = \"{}\"", hour(6)), &format!("to = \"{}\"", hour(12)));
    let (code, said) = home.ends(&["renew", ID, "--yes"]).await;
    assert!(code == Some(1) && said.contains("outside_window") && said.contains("stays ordered"), "{said}");
    assert!(changed(&home).is_empty());
    assert_eq!(home.attempts().await[0].state, State::Approved);
    let (code, said) = home.ends(&NOW).await;
    assert_eq!((code, changed(&home)), (Some(0), vec![ID.to_owned()]), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_ends_between_call_and_answer_sends_nothing_twice() {
    for (name, signal, again) in [
        ("killed, and the command again", Signal::KILL, true),
        ("killed, and the daemon", Signal::KILL, false),
        ("interrupted, and the command again", Signal::INT, true),
    ] {
        let mut home = home().await;
        home.cloud.inject(Fault::Hang(Hang::HeadOnly), modify(), Some(1));
        let mut first = home.command(&NOW).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        called(&home).await;
        rustix::process::kill_process(rustix::process::Pid::from_child(&first), signal).unwrap();
        let status = tokio::task::spawn_blocking(move || first.wait().unwrap()).await.unwrap();
        assert!(!status.success(), "{name}");
        assert_eq!(
            home.attempts().await[0].state,
            State::Stored,
            "{name}: it was written down before the call"
        );
        if again {
            let (code, said) = home.ends(&NOW).await;
            assert!(said.contains("it was sent before") && said.contains("confirmed"), "{name}: {said}");
            assert_eq!(code, Some(0), "{name}: {said}");
        }
        home.start();
        home.until_told("renewal.succeeded").await;
        assert_eq!(changed(&home), [ID], "{name}");
        assert_eq!(home.ids_told("renewal.succeeded").len(), 1, "{name}");
        home.stop();
    }
}

fn modify() -> Where {
    Where { action: Some("ModifyDBInstanceSSL".into()), ..Where::default() }
}

/// Waits until the cloud saw the call.
async fn called(home: &Home) {
    for _ in 0..600 {
        if !home.cloud.changes().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the cloud saw no call");
}
