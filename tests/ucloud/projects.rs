//! Projects and regions that go: what is enough to let a scope go, and what never is.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use notafter::clock::Clock;
use notafter::daemon::poll::{Account, Filter, Mode, Poller};
use notafter::domain::identity::Scope;
use notafter::domain::policy::PollPolicy;
use notafter::domain::snapshot::Snapshot;
use notafter::http::Http;
use notafter::metrics::MetricsPage;
use notafter::provider::ucloud::UCloud as Watched;
use notafter::shutdown::Stop;
use notafter::sim::alibaba::{Fault, Where};
use notafter::sim::ucloud::{Call, Entry, Fleet, Project, UCloud};
use notafter::telemetry::Telemetry;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::{Build, OTHER_REGION, PROJECT, REGION, SIDE_PROJECT, crypto, days, entry, find, fleet};

/// So quick that regions are asked for every second or two.
fn hasty() -> PollPolicy {
    PollPolicy {
        max_age: Duration::from_millis(600),
        min_interval: Duration::from_millis(50),
        discover_every: Duration::from_millis(80),
        timeout: Duration::from_millis(1500),
        concurrency: 64,
    }
}

/// One account with two projects in two regions, a certificate in each of the four scopes.
fn world() -> Fleet {
    let mut fleet = fleet();
    fleet.regions.truncate(2);
    for (project, region) in places() {
        fleet.insert(Entry { project: project.into(), region: region.into(), ..entry(&id(project, region)) });
    }
    fleet
}

fn places() -> impl Iterator<Item = (&'static str, &'static str)> {
    [PROJECT, SIDE_PROJECT]
        .into_iter()
        .flat_map(|project| [REGION, OTHER_REGION].map(|region| (project, region)))
}

fn id(project: &str, region: &str) -> String {
    format!("ssl-{project}-{region}")
}

fn scopes(snapshot: &Snapshot) -> Vec<(&str, &str)> {
    snapshot.scopes.keys().map(|scope| (&*scope.project, &*scope.region)).collect()
}

fn failure(snapshot: &Snapshot, project: &str, region: &str) -> String {
    let wanted = |scope: &Scope| (&*scope.project, &*scope.region) == (project, region);
    let view = snapshot.scopes.iter().find(|(scope, _)| wanted(scope)).map(|(_, view)| view);
    view.and_then(|view| view.failure()).map(|failure| failure.text.to_string()).unwrap_or_default()
}

/// This very answer.
fn answer(body: &str) -> Fault {
    Fault::Custom { status: 200, headers: vec![], body: body.to_owned().into() }
}

/// The poll loop over one account, in a hasty rhythm.
struct Running {
    cloud: UCloud,
    telemetry: Arc<Telemetry>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stop: Stop,
    task: JoinHandle<()>,
}

impl Running {
    async fn over(fleet: Fleet) -> Self {
        let cloud = UCloud::start(fleet, Utc::now).await.expect("a free port");
        let running = Self::of(cloud, Build::account("prod"), Snapshot::default());
        running.until("everything is read", |snapshot| snapshot.resources().count() == 4).await;
        running
    }

    fn of(cloud: UCloud, account: Build<'_>, restored: Snapshot) -> Self {
        crypto();
        let (clock, telemetry) = (Clock::system(), Arc::new(Telemetry::new()));
        let http = Http::new(hasty().timeout, hasty().concurrency, clock.clone(), Arc::clone(&telemetry));
        let provider = account.provider(&cloud.base_url(), &http);
        let (name, services, filter) = ("prod".into(), vec!["ulb"], Filter::default());
        let accounts =
            vec![Account { name, provider_name: Watched::NAME.into(), services, provider, filter }];
        let (mode, counters) = (Mode::Continuous, Arc::clone(&telemetry));
        let poller = Poller::resumed(accounts, hasty(), mode, clock, counters, restored);
        let (stop, snapshots) = (Stop::new(), poller.snapshots());
        let task = tokio::spawn(poller.run(stop.listener()));
        Self { cloud, telemetry, snapshots, stop, task }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.snapshots.clone();
        let seen = tokio::time::timeout(Duration::from_secs(15), snapshots.wait_for(|s| wanted(s))).await;
        assert!(seen.is_ok(), "not seen within 15 s: {what}: {:?}", scopes(&self.snapshot()));
        self.snapshot()
    }

    /// Waits until so many more calls of this name were answered.
    async fn until_called(&self, action: &str, more: usize) {
        let count = || self.cloud.calls().iter().filter(|call| call.action == action).count();
        let wanted = count() + more;
        for _ in 0..1000 {
            if count() >= wanted {
                tokio::time::sleep(Duration::from_millis(150)).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{action} was not called {more} times more within 10 s");
    }

    async fn page(&self) -> String {
        let page = MetricsPage::new(Arc::clone(&self.telemetry), hasty(), Utc::now());
        let page = page.plain(self.snapshot(), Utc::now()).await.expect("rendered");
        String::from_utf8(page.flat_map(|block| block.to_vec()).collect()).expect("UTF-8")
    }

    async fn end(self) -> (UCloud, Snapshot) {
        self.stop.request();
        self.task.await.expect("it ends well");
        let last = self.snapshots.borrow().as_ref().clone();
        (self.cloud, last)
    }

    /// Takes a project away, and with it all its certificates.
    fn delete_project(&self, id: &str) {
        self.cloud.modify(|fleet| fleet.accounts[0].projects.retain(|project| *project.id != *id));
    }

    fn close_region(&self, id: &str) {
        self.cloud.modify(|fleet| fleet.regions.retain(|region| *region.id != *id));
    }
}

#[tokio::test]
async fn a_deleted_project_goes_with_its_scopes_series_and_certificates_and_can_come_back() {
    let running = Running::over(world()).await;
    assert!(running.page().await.contains(SIDE_PROJECT));
    running.delete_project(SIDE_PROJECT);
    let left = [(PROJECT, REGION), (PROJECT, OTHER_REGION)];
    let snapshot = running.until("its scopes are gone", |snapshot| scopes(snapshot) == left).await;
    assert_eq!(snapshot.resources().count(), 2);
    assert!(snapshot.scopes.values().all(|view| view.is_up()));
    let page = running.page().await;
    assert!(!page.contains(SIDE_PROJECT), "no series of any kind is left\n{page}");

    running.cloud.forget_calls();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = |call: &Call| call.project == SIDE_PROJECT;
    assert!(!running.cloud.calls().iter().any(asked), "it is not asked for any more");

    running.cloud.modify(|fleet| fleet.accounts[0].projects.push(Project::new(SIDE_PROJECT, "side")));
    let back = running.until("it is back", |snapshot| snapshot.resources().count() == 4).await;
    assert_eq!(scopes(&back).len(), 4);
    running.end().await;
}

#[tokio::test]
async fn a_region_that_is_listed_no_more_goes() {
    let running = Running::over(world()).await;
    running.close_region(OTHER_REGION);
    let left = [(PROJECT, REGION), (SIDE_PROJECT, REGION)];
    running.until("its scopes are gone", |snapshot| scopes(snapshot) == left).await;
    running.end().await;
}

/// Nothing goes on account of a list that lacks something, or that does not come.
#[tokio::test]
async fn no_incomplete_and_no_failed_list_lets_a_scope_go() {
    let list = |count: usize, more: &str| {
        answer(&format!(
            r#"{{"RetCode":0,"ProjectCount":{count},"ProjectSet":[{{"ProjectId":"{PROJECT}"}}{more}]}}"#
        ))
    };
    for (name, fault) in [
        ("a row without an id", list(2, r#",{"ProjectName":"?"}"#)),
        ("a row that is none", list(2, ",7")),
        ("fewer rows than announced", list(2, "")),
        ("an error", Fault::Status { status: 500, json: true }),
        ("nothing", Fault::EmptyBody),
    ] {
        let running = Running::over(world()).await;
        running.cloud.inject(fault, Where::action("GetProjectList"), None);
        running.cloud.forget_calls();
        running.until_called("GetProjectList", 4).await;
        assert_eq!(scopes(&running.snapshot()).len(), 4, "{name}");
        assert_eq!(running.snapshot().resources().count(), 4, "{name}");
        running.end().await;
    }
}

/// The list is right, and the project answers: the list is wrong.
#[tokio::test]
async fn a_project_that_answers_stays_whatever_the_list_says() {
    let running = Running::over(world()).await;
    let body = format!(r#"{{"RetCode":0,"ProjectCount":1,"ProjectSet":[{{"ProjectId":"{PROJECT}"}}]}}"#);
    running.cloud.inject(answer(&body), Where::action("GetProjectList"), None);
    running.cloud.forget_calls();
    running.until_called("GetProjectList", 4).await;
    let snapshot = running.snapshot();
    assert_eq!((scopes(&snapshot).len(), snapshot.resources().count()), (4, 4));
    assert!(snapshot.scopes.values().all(|view| view.is_up()));
    running.end().await;
}

/// The calls that it answers say that the project does not exist; the list names it all the same.
#[tokio::test]
async fn a_project_that_is_denied_and_still_listed_stays_as_failing() {
    let running = Running::over(world()).await;
    let body = r#"{"RetCode":292,"Message":"Project not exist","Action":"DescribeSSLV2Response"}"#;
    let place = Where { region: Some(OTHER_REGION.into()), ..Where::action("DescribeSSLV2") };
    running.cloud.inject(answer(body), place, None);
    running.cloud.forget_calls();
    running.until_called("DescribeSSLV2", 40).await;
    let snapshot = running.snapshot();
    assert_eq!((scopes(&snapshot).len(), snapshot.resources().count()), (4, 4));
    let failing: Vec<_> = snapshot.scopes.iter().filter(|(_, view)| !view.is_up()).collect();
    assert!(
        failing.len() == 2 && failing.iter().all(|(scope, _)| &*scope.region == OTHER_REGION),
        "{failing:?}"
    );
    running.end().await;
}

/// A key that may not list projects: the cloud's own word, said twice, is enough.
#[tokio::test]
async fn where_no_list_comes_the_clouds_own_word_counts_when_it_is_said_twice() {
    let running = Running::over(world()).await;
    running.cloud.modify(|fleet| fleet.accounts[0].keys[0].denied = vec!["uaccount:GetProjectList".into()]);
    running.delete_project(SIDE_PROJECT);
    let left = [(PROJECT, REGION), (PROJECT, OTHER_REGION)];
    running.until("its scopes are gone", |snapshot| scopes(snapshot) == left).await;
    running.end().await;
}

#[tokio::test]
async fn what_the_operator_named_stays_and_says_why() {
    for (name, regions, projects) in [
        ("projects", None, Some(vec![PROJECT, SIDE_PROJECT])),
        ("both", Some(vec![REGION, OTHER_REGION]), Some(vec![PROJECT, SIDE_PROJECT])),
    ] {
        let cloud = UCloud::start(world(), Utc::now).await.expect("a free port");
        let own = |list: Option<Vec<&str>>| list.map(|list| list.into_iter().map(str::to_owned).collect());
        let account = Build { regions: own(regions), projects: own(projects), ..Build::account("prod") };
        let running = Running::of(cloud, account, Snapshot::default());
        running.until("everything is read", |snapshot| snapshot.resources().count() == 4).await;
        running.delete_project(SIDE_PROJECT);
        let told = |snapshot: &Snapshot| {
            failure(snapshot, SIDE_PROJECT, REGION).ends_with("; the scope stays because `projects` names it")
        };
        running.until("it fails and says why it stays", told).await;
        running.cloud.forget_calls();
        running.until_called("DescribeSSLV2", 40).await;
        let snapshot = running.snapshot();
        assert!(told(&snapshot), "{name}: {}", failure(&snapshot, SIDE_PROJECT, REGION));
        assert_eq!((scopes(&snapshot).len(), snapshot.resources().count()), (4, 4), "{name}");
        running.end().await;
    }
}

/// Every scope of the account is denied: it takes a third word, and then the account is still there, failing.
#[tokio::test]
async fn all_scopes_at_once_need_another_word_and_the_account_stays_in_sight() {
    let running = Running::over(world()).await;
    running.cloud.modify(|fleet| {
        fleet.accounts[0].keys[0].denied = vec!["uaccount:GetProjectList".into()];
        fleet.accounts[0].projects.clear();
    });
    running.cloud.forget_calls();
    let nothing_left = |snapshot: &Snapshot| snapshot.resources().count() == 0;
    let snapshot = running.until("all are gone", nothing_left).await;
    let denials = |project: &str, region: &str| {
        let calls = running.cloud.calls();
        let here = calls.iter().filter(|call| call.action == "DescribeSSLV2");
        let here = here.filter(|call| call.project == project && call.region == region);
        here.count()
    };
    assert!(
        places().any(|(project, region)| denials(project, region) >= 3),
        "one of them was asked three times"
    );
    assert!(snapshot.scopes.len() <= 1, "{:?}", scopes(&snapshot));
    let snapshot =
        running.until("a stand-in is there", |s| s.scopes.keys().any(|s| s.is_placeholder())).await;
    let view = snapshot.scopes.values().next().expect("the stand-in");
    assert!(view.failure().is_some(), "and says that it sees nothing");
    assert!(snapshot.is_ready());
    running.end().await;
}

/// A list that names none of the scopes that are known, but others.
#[tokio::test]
async fn a_list_of_other_projects_altogether_must_come_three_times() {
    let running = Running::over(world()).await;
    running.cloud.forget_calls();
    running.cloud.modify(|fleet| {
        fleet.accounts[0].projects = vec![Project::new("org-new", "new")];
        fleet.insert(Entry::new("ssl-new", "prod", "org-new", REGION, days(50)));
    });
    let left = [("org-new", REGION), ("org-new", OTHER_REGION)];
    let snapshot = running.until("only the new ones are left", |snapshot| scopes(snapshot) == left).await;
    assert!(find(&snapshot, "ssl-new").is_some());
    running.end().await;
}

#[tokio::test]
async fn scopes_from_before_a_restart_go_in_the_same_way() {
    let (cloud, known) = Running::over(world()).await.end().await;
    cloud.modify(|fleet| fleet.accounts[0].projects.truncate(1));
    let running = Running::of(cloud, Build::account("prod"), known);
    assert_eq!(scopes(&running.snapshot()).len(), 4, "what was known is shown at once");
    let left = [(PROJECT, REGION), (PROJECT, OTHER_REGION)];
    running.until("its scopes are gone", |snapshot| scopes(snapshot) == left).await;
    running.end().await;
}
