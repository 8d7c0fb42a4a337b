//! Many readers, one page.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio::time::advance;

use super::support::{
    board, inflated, plain, rate_limit, snapshot_of_everything, surroundings, without_process,
};
use crate::domain::policy::PollPolicy;
use crate::domain::renewal::board::Board;
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{moment, scope};
use crate::metrics::MetricsPage;

fn page() -> Arc<MetricsPage> {
    let around = surroundings();
    let page = MetricsPage::new(around.telemetry, PollPolicy::default(), around.started_at);
    page.config_accepted(PollPolicy::default(), moment());
    Arc::new(page)
}

async fn read(page: &Arc<MetricsPage>, snapshot: &Arc<Snapshot>) -> String {
    inflated(page.gzip(snapshot, moment()).await.expect("rendered"))
}

#[tokio::test]
async fn fifty_readers_at_once_cause_one_rendering() {
    let (page, snapshot) = (page(), Arc::new(snapshot_of_everything()));
    let mut readers = JoinSet::new();
    for _ in 0..50 {
        let (page, snapshot) = (Arc::clone(&page), Arc::clone(&snapshot));
        readers.spawn(async move { read(&page, &snapshot).await });
    }
    let pages = readers.join_all().await;
    assert!(pages.iter().all(|page| *page == pages[0]));
    assert!(page.renderings() <= 2, "{}", page.renderings());
}

#[tokio::test]
async fn a_reader_that_goes_away_leaves_no_second_rendering_behind() {
    let (page, snapshot) = (page(), Arc::new(snapshot_of_everything()));
    for _ in 0..20 {
        let (page, snapshot) = (Arc::clone(&page), Arc::clone(&snapshot));
        let reader = tokio::spawn(async move { read(&page, &snapshot).await });
        tokio::task::yield_now().await;
        reader.abort();
    }
    read(&page, &snapshot).await;
    assert_eq!(page.renderings(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_at_most_a_second_behind() {
    let page = page();
    let old = Arc::new(snapshot_of_everything());
    let before = read(&page, &old).await;

    let mut new = snapshot_of_everything();
    new.remove_scope(&scope("redis"));
    let new = Arc::new(new);
    assert_eq!(read(&page, &new).await, before, "within a second the same page is served");
    advance(Duration::from_secs(1)).await;
    assert!(!read(&page, &new).await.contains("r-both"));
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_is_written_again_when_it_changed_or_after_half_a_minute() {
    let (page, snapshot) = (page(), Arc::new(snapshot_of_everything()));
    let other = Arc::new(Snapshot::clone(&snapshot));
    let mut before = page.gzip(&snapshot, moment()).await.expect("rendered");
    for (name, wait, snapshot, same) in [
        ("soon after", 2, &snapshot, true),
        ("nearly half a minute later", 27, &snapshot, true),
        ("later, as what is stale depends on the time", 2, &snapshot, false),
        ("soon after that", 2, &snapshot, true),
        ("another snapshot", 2, &other, false),
    ] {
        advance(Duration::from_secs(wait)).await;
        let page = page.gzip(snapshot, moment()).await.expect("rendered");
        assert_eq!(page.shares_head_with(&before), same, "{name}");
        before = page;
    }
}

#[tokio::test]
async fn what_a_reload_did_is_seen_at_once() {
    let (page, snapshot) = (page(), Arc::new(snapshot_of_everything()));
    assert!(read(&page, &snapshot).await.contains("\nnotafter_config_last_reload_successful 1\n"));
    assert!(read(&page, &snapshot).await.contains("cloud_service=\"redis\",state=\"stale\"} 1\n"));
    page.config_refused();
    let refused = read(&page, &snapshot).await;
    assert!(refused.contains("\nnotafter_config_last_reload_successful 0\n"));
    assert!(refused.contains(&format!(
        "\nnotafter_config_last_reload_success_timestamp_seconds {}\n",
        moment().timestamp()
    )));

    page.config_mended();
    let mended = read(&page, &snapshot).await;
    assert!(mended.contains("\nnotafter_config_last_reload_successful 1\n"));
    assert!(mended.contains(&format!(
        "\nnotafter_config_last_reload_success_timestamp_seconds {}\n",
        moment().timestamp()
    )));

    let patient = PollPolicy { max_age: Duration::from_hours(1000), ..PollPolicy::default() };
    page.config_accepted(patient, moment() + TimeDelta::hours(1));
    let accepted = read(&page, &snapshot).await;
    assert!(accepted.contains("\nnotafter_config_last_reload_successful 1\n"));
    assert!(accepted.contains("cloud_service=\"redis\",state=\"stale\"} 0\n"), "the new policy counts");
}

#[tokio::test]
async fn both_forms_say_the_same() {
    let (page, snapshot) = (page(), Arc::new(snapshot_of_everything()));
    let gzip = read(&page, &snapshot).await;
    let plain_page = page.plain(Arc::clone(&snapshot), moment()).await.expect("rendered").flatten().collect();
    let plain_page = String::from_utf8(plain_page).expect("text");
    assert_eq!(without_process(&gzip), without_process(&plain_page));
    let mut around = surroundings();
    (around.rate_limits, around.channels, around.store_up) = (Arc::default(), Arc::default(), None);
    around.renewals = Arc::default();
    assert_eq!(without_process(&gzip), without_process(&plain(&snapshot, &around, moment())));
}

#[tokio::test]
async fn of_two_rate_limits_with_the_same_labels_the_lower_one_is_shown() {
    let page = page();
    page.show_rate_limits(vec![rate_limit("b", 9.0), rate_limit("a", 3.0), rate_limit("a", 0.25)]);
    let text = read(&page, &Arc::default()).await;
    let lines: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("notafter_api_rate_limit_per_second{")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("action=\"a\"} 0.25") && lines[1].ends_with("action=\"b\"} 9"), "{lines:?}");
}

#[tokio::test]
async fn a_plan_is_on_the_next_page_and_the_same_one_makes_none_anew() {
    let (page, snapshot) = (page(), Arc::new(Snapshot::default()));
    let planned = "notafter_renewal_planned_timestamp_seconds{";
    assert!(!read(&page, &snapshot).await.contains(planned));
    page.show_renewals(&board());
    assert!(read(&page, &snapshot).await.contains(planned), "at once");
    let made = page.renderings();
    page.show_renewals(&board());
    read(&page, &snapshot).await;
    assert_eq!(page.renderings(), made);
    page.show_renewals(&Board::default());
    assert!(!read(&page, &snapshot).await.contains(planned), "it was renewed");
}
