//! What is shown equals what the cloud has: every date of every role, over many projects, regions and pages.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{TimeDelta, Utc};
use notafter::daemon::poll::{Filter, Mode};
use notafter::domain::identity::CertRole;
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::domain::resource::{ManagedBy, TlsState};
use notafter::metrics::MetricsPage;
use notafter::sim::ucloud::{Block, Content, Date, Entry, Fleet, Relations};
use serde_json::{Value, json};

use crate::support::{
    Build, CLOSED_REGION, OTHER_REGION, PROJECT, REGION, SIDE_PROJECT, Watch, days, entry, find, fleet,
    quick, scope,
};

/// Twelve hundred entries of both accounts: every shape of a bundle, every way to write a date.
fn large_fleet() -> Fleet {
    let mut fleet = fleet();
    for n in 0..1200_usize {
        let (account, project) = match n % 5 {
            0 => ("other", "org-other"),
            1 => ("prod", SIDE_PROJECT),
            _ => ("prod", PROJECT),
        };
        let region = if n % 7 == 0 { OTHER_REGION } else { REGION };
        let ends = days(i64::try_from(n % 800).expect("small") - 100);
        let plain = Entry::new(&format!("ssl-{n:05}"), account, project, region, ends);
        fleet.insert(shaped(n, plain));
    }
    fleet
}

fn shaped(n: usize, plain: Entry) -> Entry {
    let ends = days(i64::try_from(n % 800).expect("small") - 100);
    let leaf = || Block::Leaf { host: "a.example".into(), begins: ends - TimeDelta::days(90), ends };
    let issuer = |years: i64| Block::Issuer { ends: ends + TimeDelta::days(365 * years) };
    let bundle = |blocks| Content::Bundle(blocks);
    let content = match n % 17 {
        0 => bundle(vec![leaf(), Block::Key("EC "), issuer(5), issuer(2), issuer(9)]),
        1 => bundle(vec![issuer(9), issuer(2), leaf(), Block::Key("")]),
        2 => bundle(vec![leaf()]),
        3 => bundle(vec![issuer(3)]),
        4 => bundle(vec![Block::Key("RSA "), leaf(), Block::Broken]),
        5 => bundle(vec![Block::Key("RSA "), Block::Broken, issuer(3)]),
        6 => Content::Untidy(vec![Block::Key("RSA "), leaf(), issuer(3)]),
        7 => Content::Text("".into()),
        8 => Content::Text("******".into()),
        9 => Content::Absent,
        10 => Content::Odd(Value::Null),
        11 => Content::Odd(json!(["-----BEGIN CERTIFICATE-----"])),
        12 => bundle(vec![Block::Key("RSA ")]),
        _ => plain.content.clone(),
    };
    let not_after = match n % 13 {
        0 => Date::Milliseconds(ends),
        1 => Date::AsText(ends),
        2 => Date::Odd(0.into()),
        3 => Date::Odd(Value::Null),
        4 => Date::Odd("next year".into()),
        5 => Date::Odd(json!(-1)),
        6 => Date::Absent,
        _ => Date::At(ends),
    };
    let relations = match n % 3 {
        0 => Relations::Null,
        1 => Relations::Absent,
        _ => return Entry { content, not_after, ..plain }.used_by("alb", "https"),
    };
    Entry { content, not_after, relations, ..plain }
}

#[tokio::test]
async fn every_date_on_the_metrics_page_is_the_clouds() {
    let accounts = vec![Build::account("prod"), Build::account("other")];
    let watch = Watch::with(large_fleet(), quick(), Mode::Once { only: None }, accounts).await;
    let (cloud, telemetry) = (watch.cloud.clone(), watch.telemetry.clone());
    let snapshot = watch.finished().await;
    let page = MetricsPage::new(telemetry, quick(), Utc::now())
        .plain(snapshot.clone(), Utc::now())
        .await
        .expect("rendered");
    let page = String::from_utf8(page.flat_map(|block| block.to_vec()).collect()).expect("UTF-8");
    let shown = series(&page, "notafter_certificate_not_after_timestamp_seconds");
    let mut wanted = BTreeMap::new();
    let (mut unknown, mut roles) = (0, BTreeSet::new());
    for truth in cloud.expected() {
        unknown += usize::from(truth.ends.is_empty());
        for (role, end) in &truth.ends {
            roles.insert(role.as_str());
            let place = [&truth.account, &truth.project, &truth.region, &truth.id].map(ToString::to_string);
            wanted.insert((place, role.as_str().to_owned()), end.timestamp());
        }
        let found = find(&snapshot, &truth.id).unwrap_or_else(|| panic!("{} is missing", truth.id));
        assert_eq!(found.facts.in_use, Some(truth.in_use), "{}", truth.id);
        assert_eq!(found.failure.is_some(), truth.ends.is_empty(), "{}: {:?}", truth.id, found.failure);
        assert_eq!(found.state(), TlsState::Enabled, "{}: an entry is a certificate", truth.id);
    }
    assert!(wanted.len() > 1500 && unknown > 100 && roles.len() == 3, "a fleet that proves something");
    assert_eq!(shown.len(), wanted.len());
    assert_eq!(shown, wanted);
}

/// Samples of one family by place and role.
fn series(page: &str, name: &str) -> BTreeMap<([String; 4], String), i64> {
    let label = |line: &str, label: &str| {
        let rest = line.split_once(&format!("{label}=\"")).map(|(_, rest)| rest).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let mut found = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with(&format!("{name}{{"))) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        let value: i64 = value.split('.').next().and_then(|seconds| seconds.parse().ok()).expect("a number");
        let place = ["cloud_account", "cloud_project", "cloud_region", "resource_id"];
        let key = (place.map(|name| label(line, name)), label(line, "cert_role"));
        assert!(found.insert(key, value).is_none(), "twice on the page: {line}");
    }
    found
}

#[tokio::test]
async fn projects_and_regions_are_asked_for_and_a_closed_region_is_no_failure() {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-1"));
    fleet.insert(Entry::new("ssl-2", "prod", SIDE_PROJECT, OTHER_REGION, days(9)));
    let (cloud, snapshot) = Watch::once(fleet).await;
    let scopes: Vec<_> =
        snapshot.scopes.keys().map(|scope| (scope.project.to_string(), scope.region.to_string())).collect();
    assert_eq!(scopes.len(), 6, "two projects times three regions, zones counted once: {scopes:?}");
    for (scope, view) in &snapshot.scopes {
        assert!(view.is_up(), "{scope}: {:?}", view.failure());
    }
    assert_eq!(scope(&snapshot, PROJECT, REGION).resources.len(), 1);
    assert_eq!(scope(&snapshot, SIDE_PROJECT, OTHER_REGION).resources.len(), 1);
    assert_eq!(scope(&snapshot, PROJECT, CLOSED_REGION).resources.len(), 0);
    let count = |name: &str| cloud.calls().iter().filter(|call| call.action == name).count();
    assert_eq!((count("GetRegion"), count("GetProjectList")), (1, 1));
}

#[tokio::test]
async fn what_is_configured_is_not_asked_for() {
    for (name, regions, projects, asked) in [
        ("both", true, true, vec![]),
        ("regions", true, false, vec!["GetProjectList"]),
        ("projects", false, true, vec!["GetRegion"]),
    ] {
        let mut fleet = fleet();
        fleet.insert(entry("ssl-1"));
        let account = Build {
            regions: regions.then(|| vec![REGION.to_owned()]),
            projects: projects.then(|| vec![PROJECT.to_owned()]),
            ..Build::account("prod")
        };
        let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, vec![account]).await;
        let cloud = watch.cloud.clone();
        let snapshot = watch.finished().await;
        let others: Vec<_> = cloud
            .calls()
            .into_iter()
            .map(|call| call.action)
            .filter(|name| name.starts_with("Get"))
            .collect();
        assert_eq!(others, asked, "{name}");
        assert!(find(&snapshot, "ssl-1").is_some(), "{name}");
    }
}

#[tokio::test]
async fn listings_larger_than_any_page_are_complete_whatever_a_page_holds() {
    for (name, most_rows, count, pages) in
        [("two pages", 100, 150, 3), ("exactly full", 100, 200, 3), ("a server that gives less", 7, 30, 6)]
    {
        let mut fleet = fleet();
        fleet.most_rows = most_rows;
        for n in 0..count {
            fleet.insert(entry(&format!("ssl-{n:03}")));
        }
        let (cloud, snapshot) = Watch::once(fleet).await;
        let view = scope(&snapshot, PROJECT, REGION);
        assert_eq!((view.resources.len(), view.is_up()), (count, true), "{name}");
        let here = |call: &notafter::sim::ucloud::Call| call.project == PROJECT && call.region == REGION;
        assert_eq!(cloud.calls().iter().filter(|call| here(call)).count(), pages, "{name}");
        assert!(cloud.calls().iter().all(|call| call.resource.is_empty()), "{name}: the listing tells all");
    }
}

#[tokio::test]
async fn single_entries_are_told_in_full() {
    let mut fleet = fleet();
    let apart = Entry { not_after: Date::At(days(160)), name: "官网".into(), ..entry("ssl-apart") };
    fleet.insert(apart.used_by("portal", "https-443").used_by("api", "https"));
    fleet.insert(Entry { content: Content::Text("***".into()), ..entry("ssl-masked") });
    let (_, snapshot) = Watch::once(fleet).await;
    let apart = find(&snapshot, "ssl-apart").expect("listed");
    let users: Vec<_> = apart.facts.used_by.iter().map(ToString::to_string).collect();
    assert_eq!(
        (&*apart.facts.name, users),
        ("官网", vec!["api/https".to_owned(), "portal/https-443".into()])
    );
    assert_eq!(apart.reading.as_ref().and_then(|reading| reading.managed_by), Some(ManagedBy::Customer));
    let leaf = &apart.certificates()[0];
    assert_eq!((leaf.role, leaf.not_after), (CertRole::Server, days(100)));
    assert_eq!((leaf.other_not_after, leaf.dates_disagree()), (Some(days(160)), Some(true)));
    assert_eq!(&*leaf.subject.common_name, "ssl-apart.example.com");
    assert_eq!(leaf.subject.sha256.len(), 64);
    let masked = &find(&snapshot, "ssl-masked").expect("listed").certificates()[0];
    assert_eq!((masked.not_after, masked.dates_disagree()), (days(100), None));
    assert_eq!(&*masked.subject.common_name, "ssl-masked.example.com", "from the field");
}

#[tokio::test]
async fn what_changes_at_the_cloud_is_seen() {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-old").used_by("alb", "https"));
    fleet.insert(entry("ssl-gone"));
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch.cloud.modify(|fleet| {
        fleet.insert(Entry::new("ssl-new", "prod", PROJECT, REGION, days(465)).used_by("alb", "https"));
        fleet.get_mut("ssl-old").expect("there").relations = Relations::None;
        fleet.remove("ssl-gone");
    });
    let seen = |snapshot: &notafter::domain::snapshot::Snapshot| {
        let in_use = |id| find(snapshot, id).and_then(|resource| resource.facts.in_use);
        in_use("ssl-new") == Some(true)
            && in_use("ssl-old") == Some(false)
            && find(snapshot, "ssl-gone").is_none()
    };
    watch.until("the replacement and the deletion", seen).await;
    watch.end().await;
}

#[tokio::test]
async fn rules_can_leave_out_what_nobody_uses() {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-used").used_by("alb", "https"));
    fleet.insert(entry("ssl-unused"));
    let exclude = vec![Matcher::parse(r#"in_use="false""#, LabelSet::RESOURCE).expect("valid")];
    let account = Build { filter: Filter { exclude, ..Filter::default() }, ..Build::account("prod") };
    let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, vec![account]).await;
    let cloud = watch.cloud.clone();
    let snapshot = watch.finished().await;
    drop(cloud);
    let ids: Vec<_> = snapshot.resources().map(|(_, resource)| resource.id.to_string()).collect();
    assert_eq!((ids, scope(&snapshot, PROJECT, REGION).excluded), (vec!["ssl-used".to_owned()], 1));
}
