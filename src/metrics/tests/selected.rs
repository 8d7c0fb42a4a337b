//! Parts of the page.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio::time::advance;

use super::support::{inflated, snapshot_of_everything, surroundings, without_process};
use crate::domain::identity::Scope;
use crate::domain::listing::{Listed, Listing};
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::policy::PollPolicy;
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{certificate, facts, moment, reading, scope};
use crate::metrics::selected::Selected;
use crate::metrics::selection::{AccountLabels, Part, Selection};
use crate::metrics::{Inflated, MetricsPage, NotMade};

struct Accounts;

impl AccountLabels for Accounts {
    fn label(&self, account: &str, key: &str) -> Option<&str> {
        (account == "prod" && key == "team").then_some("dba")
    }
}

fn page() -> MetricsPage {
    let around = surroundings();
    let page = MetricsPage::new(around.telemetry, PollPolicy::default(), around.started_at);
    page.config_accepted(PollPolicy::default(), moment());
    page.show_channels(around.channels.to_vec());
    page.show_rate_limits(around.rate_limits.to_vec());
    page.show_renewals(&super::support::board());
    page
}

fn accounts() -> Arc<dyn AccountLabels> {
    Arc::new(Accounts)
}

fn of(parts: &[Part], expression: &str, accounts: &Arc<dyn AccountLabels>) -> Selection {
    let expressions = expression.split(" or ").filter(|expression| !expression.is_empty());
    let read = |expression| Matcher::parse(expression, LabelSet::RESOURCE).expect("an expression");
    let matchers = expressions.map(read).collect();
    let parts = (!parts.is_empty()).then(|| parts.to_vec());
    Selection::new(parts, matchers, Arc::clone(accounts)).expect("it can be wanted")
}

async fn read(page: &Arc<MetricsPage>, snapshot: &Arc<Snapshot>, selection: &Selection) -> String {
    let made = page.selected(snapshot, selection.clone(), moment()).await.expect("made");
    let plain: Vec<u8> = Inflated::new(made.clone()).flatten().collect();
    let text = inflated(made);
    assert_eq!(String::from_utf8(plain).expect("text"), text, "both forms");
    text
}

/// Every series of a text, with its value.
fn lines(text: &str) -> BTreeSet<String> {
    without_process(text).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// So many resources in each of two scopes, more than a chunk has.
fn large() -> Snapshot {
    let mut snapshot = Snapshot::default();
    for service in ["redis", "rds"] {
        let scope = Arc::new(scope(service));
        let resources = (0..700_i64).map(|n| Listed {
            id: format!("{service}-{n:05}").into(),
            facts: facts("Normal"),
            tags_known: true,
            reading: Some(reading(vec![certificate(moment() + TimeDelta::days(n - 5))])),
            inspectable: true,
        });
        let listing = Listing { resources: resources.collect(), ..Listing::default() };
        snapshot.scope_mut(&scope).absorb_listing(listing, Duration::from_secs(1), moment());
    }
    snapshot
}

#[tokio::test]
async fn parts_together_are_the_page_and_no_series_is_in_two() {
    let accounts = accounts();
    let (page, snapshot) = (Arc::new(page()), Arc::new(snapshot_of_everything()));
    let whole = lines(&inflated(page.gzip(&snapshot, moment()).await.expect("made")));
    let every = |parts: &[&[Part]]| parts.iter().map(|parts| of(parts, "", &accounts)).collect::<Vec<_>>();
    let by_scope = |part: &[Part]| {
        [
            "cloud_service=\"redis\"",
            "cloud_service!=\"redis\", cloud_service=~\"r.*\"",
            "cloud_service!~\"r.*\"",
        ]
        .map(|expression| of(part, expression, &accounts))
    };
    let daemon = of(&[Part::Daemon], "", &accounts);
    let by_id = ["[a-m].*", "[^a-m].*"].map(|half| of(&[], &format!("resource_id=~\"{half}\""), &accounts));
    for (name, jobs) in [
        ("each part", every(&[&[Part::Resources], &[Part::Scopes], &[Part::Daemon]])),
        ("two jobs", every(&[&[Part::Resources], &[Part::Daemon, Part::Scopes]])),
        ("by scope", by_scope(&[]).into_iter().chain([daemon]).collect()),
        (
            "by scope and by resource",
            by_id.into_iter().chain(every(&[&[Part::Scopes, Part::Daemon]])).collect(),
        ),
    ] {
        let mut together = Vec::new();
        for selection in &jobs {
            let text = read(&page, &snapshot, selection).await;
            super::check_metrics(&text);
            together.extend(lines(&text));
        }
        let count = together.len();
        let together: BTreeSet<String> = together.into_iter().collect();
        assert_eq!(together.len(), count, "{name}: a series is in two");
        assert_eq!(together, whole, "{name}");
    }
}

#[tokio::test]
async fn an_expression_chooses_resources_and_scopes() {
    let accounts = accounts();
    let (page, snapshot) = (Arc::new(page()), Arc::new(large()));
    for (expression, resources, scopes) in [
        ("cloud_service=\"redis\"", 700, 1),
        ("label:team=\"dba\"", 1400, 2),
        ("label:team!=\"dba\"", 0, 0),
        ("resource_id=~\"redis-0000.\"", 10, 0),
        ("resource_id=~\".*7\"", 140, 0),
        ("cloud_service=\"rds\", resource_id!=\"rds-00300\"", 699, 0),
        ("tag:env=\"prod\"", 0, 0),
        ("cloud_service=\"redis\" or cloud_service=\"rds\"", 1400, 2),
        ("cloud_service=\"redis\" or cloud_service=\"none\"", 700, 1),
        ("cloud_service=\"redis\" or resource_id=\"rds-00007\"", 701, 0),
        ("resource_id=\"redis-00001\" or resource_id=~\"redis-0000[12]\"", 2, 0),
    ] {
        let text = read(&page, &snapshot, &of(&[], expression, &accounts)).await;
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("notafter_certificate_not_after_timestamp_seconds{"), resources, "{expression}");
        assert_eq!(count("notafter_scope_up{"), scopes, "{expression}");
        assert_eq!(count("notafter_scope_certificates{"), 5 * scopes, "{expression}");
        assert_eq!(count("notafter_build_info"), 0, "{expression}");
    }
    let scopes = read(&page, &snapshot, &of(&[Part::Scopes], "", &accounts)).await;
    for (left, count) in [("expired", 6), ("7d", 7), ("30d", 23), ("90d", 60), ("later", 604)] {
        let line = format!("cloud_service=\"redis\",left=\"{left}\"}} {count}\n");
        assert!(scopes.contains(&line), "{line}:\n{scopes}");
    }
    let soonest = (moment() - TimeDelta::days(5)).timestamp();
    assert_eq!(scopes.matches(&format!(" {soonest}\n")).count(), 2, "the earliest end of each scope");
    assert!(!scopes.contains("resource_id"), "{scopes}");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_again_is_kept_for_a_second_and_what_changed_is_seen_then() {
    let accounts = accounts();
    let (page, old) = (Arc::new(page()), Arc::new(large()));
    let redis = of(&[], "cloud_service=\"redis\"", &accounts);
    let mut readers = JoinSet::new();
    for _ in 0..40 {
        let (page, old, redis) = (Arc::clone(&page), Arc::clone(&old), redis.clone());
        readers.spawn(async move { read(&page, &old, &redis).await });
    }
    readers.join_all().await;
    assert_eq!(page.renderings(), 1, "forty readers at once");
    let mut new = Snapshot::clone(&old);
    new.remove_scope(&scope("redis"));
    let new = Arc::new(new);
    assert!(read(&page, &new, &redis).await.contains("redis-00000"));
    advance(Duration::from_secs(1)).await;
    assert!(!read(&page, &new, &redis).await.contains("redis-00000"));
    let before = page.selected(&new, redis.clone(), moment()).await.expect("made");
    advance(Duration::from_secs(5)).await;
    let after = page.selected(&new, redis.clone(), moment()).await.expect("made");
    assert!(after.shares_head_with(&before), "the same snapshot is not written again");
    let other = of(&[], "cloud_service=\"redis\"", &self::accounts());
    let made = page.renderings();
    page.selected(&new, other, moment()).await.expect("made");
    assert_eq!(page.renderings(), made + 1, "the labels of accounts were read again");
}

#[tokio::test]
async fn chunks_that_are_wanted_whole_are_made_once_for_all_parts() {
    let accounts = accounts();
    let (page, snapshot) = (Arc::new(page()), Arc::new(large()));
    let addresses = async |expression: &str| {
        let selection = of(&[Part::Resources], expression, &accounts);
        let page = page.selected(&snapshot, selection, moment()).await.expect("made");
        page.addresses()
    };
    let redis = addresses("cloud_service=\"redis\"").await;
    let all = addresses("cloud_service=~\".*\"").await;
    let nearly = addresses("cloud_service=\"redis\", resource_id!=\"redis-00699\"").await;
    let shared = |some: &[usize]| some.iter().filter(|address| redis.contains(address)).count();
    let families = redis.iter().filter(|address| all.contains(address)).count();
    assert_eq!(families, redis.len(), "nothing is made twice: {redis:?}");
    assert!(shared(&nearly) > redis.len() / 2, "of three chunks one is made anew: {nearly:?}");
    assert!(shared(&nearly) < redis.len(), "and one is: {nearly:?}");
}

#[tokio::test]
async fn many_different_parts_take_no_more_memory_than_a_few() {
    let accounts = accounts();
    let mut page = page();
    let snapshot = Arc::new(large());
    let one = Arc::new(self::page());
    let one =
        one.selected(&snapshot, of(&[], "resource_id!=\"x\"", &accounts), moment()).await.expect("made");
    page.selected = Selected::with_most(one.len() * 3);
    let page = Arc::new(page);
    // read to the end at once: any number of them
    for n in 0..100 {
        let selection = of(&[], &format!("resource_id!=\"x{n}\""), &accounts);
        page.selected(&snapshot, selection, moment()).await.expect("what is only kept makes place");
    }
    // held by who reads slowly: so many and no more
    let mut held = Vec::new();
    let refused = loop {
        let selection = of(&[], &format!("resource_id!=\"y{}\"", held.len()), &accounts);
        match page.selected(&snapshot, selection, moment()).await {
            Ok(page) => held.push(page),
            Err(refused) => break refused,
        }
        assert!(held.len() < 10, "no end");
    };
    assert!(matches!(refused, NotMade::TooMany), "{refused}");
    assert_eq!(held.len(), 4, "three that fit, and the one during which it was noticed");
    page.gzip(&snapshot, moment()).await.expect("the page itself is there for everybody");
    held.clear();
    let selection = of(&[], "resource_id!=\"z\"", &accounts);
    page.selected(&snapshot, selection, moment()).await.expect("there is room again");
}

#[tokio::test]
async fn counters_of_scopes_with_awkward_names_are_told_apart() {
    let accounts = accounts();
    let page = Arc::new(page());
    let odd = |account: &str| Arc::new(Scope { account: account.into(), ..scope("redis") });
    let names = ["a\",reason=\"denied", "a", "b\\", "订单\n\"} 1"];
    let mut snapshot = Snapshot::default();
    let telemetry = page.around().0.telemetry;
    for name in names {
        snapshot.scope_mut(&odd(name));
        telemetry.preset_scope(&odd(name));
    }
    let snapshot = Arc::new(snapshot);
    for name in names {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let text = read(&page, &snapshot, &of(&[], &format!("cloud_account=\"{quoted}\""), &accounts)).await;
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("notafter_scope_rounds_total{"), 1, "{name}:\n{text}");
        assert_eq!(count("notafter_scope_errors_total{"), 8, "{name}:\n{text}");
    }
}
