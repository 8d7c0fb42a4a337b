//! What is shown equals what the cloud has: every date of every role, over many projects, regions and pages.

use notafter::daemon::poll::{Filter, Mode};
use notafter::domain::identity::CertRole;
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::domain::resource::ManagedBy;
use notafter::sim::ucloud::{Content, Date, Entry, Relations};

use crate::support::{
    Build, CLOSED_REGION, OTHER_REGION, PROJECT, REGION, SIDE_PROJECT, Watch, days, entry, find, fleet,
    quick, scope,
};

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
