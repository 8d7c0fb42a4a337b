//! A scope that goes is erased, also one that only the store knew of.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use notafter::domain::snapshot::Snapshot;
use notafter::sim::ucloud;

use crate::database::{Database, over_both};
use crate::support::{Running, SECRET, crypto};

over_both!(a_project_that_was_deleted_is_erased, a_project_that_was_deleted_while_nobody_looked_is_erased);

const QUICK: &str =
    "[poll]\nmax_age = \"2s\"\nmin_interval = \"1s\"\ndiscover_every = \"1s\"\ntimeout = \"5s\"\n";

/// Two projects with a certificate each.
async fn two_projects() -> ucloud::UCloud {
    crypto();
    let mut fleet = ucloud::Fleet::new(vec![ucloud::Region::new("cn-bj2", "北京")]);
    let keys = vec![ucloud::Key::new("key", SECRET)];
    let projects = ["org-a", "org-b"].map(|id| ucloud::Project::new(id, id)).to_vec();
    fleet.accounts.push(ucloud::Account { name: "lb".into(), projects, keys });
    for project in ["org-a", "org-b"] {
        let ends = Utc::now() + TimeDelta::days(90);
        fleet.insert(ucloud::Entry::new(&format!("ssl-{project}"), "lb", project, "cn-bj2", ends));
    }
    ucloud::UCloud::start(fleet, Utc::now).await.expect("a free port")
}

fn config(cloud: &ucloud::UCloud, database: &Database) -> String {
    format!(
        "{QUICK}[[account]]\nname = \"lb\"\nprovider = \"ucloud\"\nrate_limit = 1000\nendpoints = {{ ulb = \"{}\" }}\n\
         credentials = {{ public_key = \"key\", private_key = \"{SECRET}\" }}\n[store]\nurl = \"{}\"\n",
        cloud.base_url(),
        database.url
    )
}

fn delete(cloud: &ucloud::UCloud) {
    cloud.modify(|fleet| fleet.accounts[0].projects.truncate(1));
}

fn projects(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.scopes.keys().map(|scope| &*scope.project).collect()
}

async fn assert_erased(daemon: Running, database: &Database) {
    daemon.until("its scope is gone", |snapshot| projects(snapshot) == ["org-a"]).await;
    let (_, page) = daemon.get("/").await;
    assert!(page.contains("ssl-org-a") && !page.contains("org-b"), "{page}");
    daemon.stop().await;
    let stored = database.content().await;
    assert_eq!((projects(&stored), stored.resources().count()), (vec!["org-a"], 1));
}

async fn a_project_that_was_deleted_is_erased(database: Database) {
    let cloud = two_projects().await;
    let daemon = Running::start(&config(&cloud, &database)).await;
    daemon.until_read(2).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    delete(&cloud);
    assert_erased(daemon, &database).await;
}

async fn a_project_that_was_deleted_while_nobody_looked_is_erased(database: Database) {
    let cloud = two_projects().await;
    let daemon = Running::start(&config(&cloud, &database)).await;
    daemon.until_read(2).await;
    daemon.stop().await;
    delete(&cloud);
    let daemon = Running::start(&config(&cloud, &database)).await;
    assert_eq!(projects(&daemon.first), ["org-a", "org-b"], "what was known is shown at once");
    assert_erased(daemon, &database).await;
}
