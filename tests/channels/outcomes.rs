//! What becomes of a message when the other side does not simply take it.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use notafter::notifier::{Refusal, samples};
use notafter::sim::receivers::{Answer, Fault, TEXT};
use tokio::task::JoinSet;

use crate::support::{Line, agrees};
use crate::table::{self, Channel, Far, Want};

/// An attempt is over by then, whatever the other side does.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(32);

/// What goes wrong quickly, and what becomes of it unless an entry says otherwise.
fn quick() -> Vec<(&'static str, Fault, Want)> {
    let http_date = (Utc::now() + TimeDelta::seconds(120)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let seconds = |seconds| Want::RetryAfter(Duration::from_secs(seconds));
    let refused = |status, what| (Fault::status(status), Want::Refused(what));
    let two_hundred = |body| Fault::Answer(Answer::refused(200, TEXT, body));
    let with = |name, (fault, want)| (name, fault, want);
    vec![
        ("200 with HTML", Fault::html(), Want::Retry),
        ("200 empty", two_hundred(""), Want::Retry),
        ("204", Fault::status(204), Want::Retry),
        ("302", Fault::redirect("https://elsewhere.example.com/"), Want::Refused(Refusal::Target)),
        with("400", refused(400, Refusal::Content)),
        with("401", refused(401, Refusal::Credentials)),
        with("403", refused(403, Refusal::Credentials)),
        with("404", refused(404, Refusal::Target)),
        with("410", refused(410, Refusal::Gone)),
        ("429 with seconds", Fault::retry_after(429, "120"), seconds(120)),
        ("429 with a date", Fault::retry_after(429, http_date), seconds(120)),
        ("429 with nothing", Fault::status(429), Want::Retry),
        ("429 with a day", Fault::retry_after(429, "86400"), seconds(3600)),
        ("408", Fault::status(408), Want::Retry),
        ("500", Fault::status(500), Want::Retry),
        ("503 with seconds", Fault::retry_after(503, "90"), seconds(90)),
        ("reset before delivery", Fault::ResetBefore, Want::Retry),
        ("reset after delivery", Fault::ResetAfter, Want::Retry),
        ("endless", Fault::Endless, Want::Retry),
    ]
}

/// The same for mails.
fn by_mail() -> Vec<(&'static str, Fault, Want)> {
    vec![
        ("reset before delivery", Fault::ResetBefore, Want::Retry),
        ("reset after delivery", Fault::ResetAfter, Want::Retry),
    ]
}

fn wanted(channel: &Channel, name: &str, usual: Want) -> Want {
    channel.faults.iter().find(|(fault, _)| *fault == name).map_or(usual, |(_, want)| *want)
}

#[tokio::test]
async fn each_fault_has_its_outcome() {
    for channel in table::all() {
        let line = Line::open(&channel).await;
        let faults = if matches!(channel.far, Far::Http(_)) { quick() } else { by_mail() };
        for (name, fault, usual) in faults {
            let want = wanted(&channel, name, usual);
            let began = Instant::now();
            let outcome = line.meet(&samples::one_critical(), fault).await;
            assert!(agrees(&outcome, want), "{}: {name} became {outcome:?}, not {want:?}", channel.name);
            assert!(began.elapsed() < LONGEST_ATTEMPT, "{}: {name}: {:?}", channel.name, began.elapsed());
        }
    }
}

#[tokio::test]
async fn each_code_of_the_vendor_has_its_outcome() {
    for channel in table::all() {
        for code in &channel.codes {
            let line = Line::open(&channel).await;
            let fault = Fault::Answer(code.answer.clone());
            match code.times {
                Some(times) => line.station.script(std::iter::repeat_n(fault, times)),
                None => line.station.always(Some(fault)),
            }
            let outcome = line.say(&samples::one_critical()).await.pop().expect("at least one part");
            let want = code.want;
            assert!(
                agrees(&outcome, want),
                "{}: {} became {outcome:?}, not {want:?}",
                channel.name,
                code.name
            );
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for channel in table::all().into_iter().filter(|channel| matches!(channel.far, Far::Http(_))) {
        let line = Line::open(&channel).await;
        for status in [301, 302, 303, 307, 308] {
            let elsewhere = format!("{}/elsewhere", line.station.base_url());
            let moved = Answer::refused(status, TEXT, "").with("location", elsewhere);
            let outcome = line.meet(&samples::one_critical(), Fault::Answer(moved)).await;
            let told = format!("{}: {status}: {outcome:?}", channel.name);
            assert!(agrees(&outcome, Want::Refused(Refusal::Target)), "{told}");
            let deliveries = line.deliveries();
            assert!(deliveries.iter().all(|delivery| delivery.request.path != "/elsewhere"), "{told}");
        }
    }
}

/// All channels at once: each is only waited for.
#[tokio::test]
async fn silence_ends_and_a_slow_answer_counts() {
    let mut waiting = JoinSet::new();
    for channel in table::all() {
        let slow = Duration::from_secs(10);
        let endless =
            matches!(channel.far, Far::Mail(..)).then_some(("endless", Fault::Endless, Want::Retry));
        let waits = [("silent", Fault::Silent, Want::Retry), ("slow", Fault::Slow(slow), Want::Delivered)];
        for (name, fault, want) in waits.into_iter().chain(endless) {
            let line = Line::open(&channel).await;
            let (told, want) = (format!("{}: {name}", channel.name), wanted(&channel, name, want));
            waiting.spawn(async move {
                let began = Instant::now();
                let outcome = line.meet(&samples::one_critical(), fault).await;
                assert!(agrees(&outcome, want), "{told} became {outcome:?}, not {want:?}");
                assert!(began.elapsed() < LONGEST_ATTEMPT, "{told}: {:?}", began.elapsed());
            });
        }
    }
    while let Some(ended) = waiting.join_next().await {
        ended.expect("no assertion failed");
    }
}
