//! A hundred thousand certificates: how long it takes is printed (`--nocapture`), not judged; a test run shares its
//! machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use notafter::domain::difference::Difference;
use notafter::domain::identity::{CertRole, Scope};
use notafter::domain::listing::{Inspection, Listed, Listing};
use notafter::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, TlsState};
use notafter::domain::snapshot::Snapshot;

use crate::database::{Database, over_both};
use crate::support::moment;

over_both!(a_hundred_thousand_are_kept_and_one_change_is_one_row);

const SCOPES: usize = 20;
const EACH: usize = 5000;

async fn a_hundred_thousand_are_kept_and_one_change_is_one_row(database: Database) {
    let mut snapshot = (0..SCOPES).fold(Snapshot::default(), |mut snapshot, n| {
        add_scope(&mut snapshot, n);
        snapshot
    });
    let store = database.open().await;
    let began = Instant::now();
    store.save(&Difference::between(&Snapshot::default(), &snapshot), moment()).await.unwrap();
    let first_save = began.elapsed();
    let saved = snapshot.clone();
    let scope = Arc::clone(snapshot.scopes.keys().next().unwrap());
    snapshot.scope_mut(&scope).absorb_inspection("r-00-02500", Inspection::Read(reading(400)), moment());
    let began = Instant::now();
    let change = Difference::between(&saved, &snapshot);
    assert_eq!((change.resources.len(), change.scopes.len()), (1, 0));
    store.save(&change, moment()).await.unwrap();
    let small_save = began.elapsed();
    store.close().await;

    let began = Instant::now();
    let store = database.open().await;
    let opened = began.elapsed();
    let loaded = store.load(moment()).await.unwrap().snapshot;
    println!(
        "{}: first save {first_save:?}, one change {small_save:?}, open {opened:?}, open and read {:?}",
        if database.name.is_some() { "PostgreSQL" } else { "SQLite" },
        began.elapsed()
    );
    assert_eq!(loaded.resources().count(), SCOPES * EACH);
    assert!(loaded.resources().eq(snapshot.resources()), "each as it was");
    store.close().await;
}

fn add_scope(snapshot: &mut Snapshot, number: usize) {
    let scope = Arc::new(Scope {
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: format!("cn-region-{number:02}").into(),
        service: "redis".into(),
    });
    let ids: Vec<String> = (0..EACH).map(|n| format!("r-{number:02}-{n:05}")).collect();
    let resources = ids.iter().map(|id| listed(id)).collect();
    let view = snapshot.scope_mut(&scope);
    view.absorb_listing(Listing { resources, ..Listing::default() }, Duration::from_secs(1), moment());
    for (n, id) in ids.iter().enumerate() {
        view.absorb_inspection(id, Inspection::Read(reading(i64::try_from(n).unwrap() % 365)), moment());
        view.plan(id, Duration::from_secs(n as u64));
    }
}

fn listed(id: &str) -> Listed {
    let facts = Facts {
        name: format!("orders {id}").into(),
        status: "Normal".into(),
        engine: "Redis 7.0 redis.master.small.default".into(),
        tags: [("env".into(), "prod".into()), ("owner".into(), "payments".into())].into(),
        group: None,
        locked: false,
        in_use: None,
        used_by: Box::default(),
    };
    Listed { id: id.into(), facts, tags_known: true, reading: None, inspectable: true }
}

fn reading(days: i64) -> Reading {
    let subject = Subject { common_name: "*.redis.rds.aliyuncs.com".into(), ..Subject::default() };
    let certificate = Certificate {
        role: CertRole::Server,
        not_after: moment() + TimeDelta::days(days),
        not_before: None,
        source: DateSource::Api,
        other_not_after: None,
        subject,
    };
    Reading {
        state: TlsState::Enabled,
        certificates: vec![certificate],
        managed_by: Some(ManagedBy::Cloud),
        renewal_required: None,
        at: moment(),
    }
}
