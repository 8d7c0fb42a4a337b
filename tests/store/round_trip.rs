//! Whatever is written is read back, in every field, and what went is gone.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use notafter::domain::difference::Difference;
use notafter::domain::identity::{CertRole, Scope};
use notafter::domain::reason::{Failure, Reason};
use notafter::domain::resource::{
    Certificate, DateSource, Facts, ManagedBy, Reading, Resource, Subject, TlsState,
};
use notafter::domain::shelf::CHUNK;
use notafter::domain::snapshot::{RegionList, ScopeView, Snapshot};
use notafter::store::Store;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::database::{Database, over_both};
use crate::support::moment;

fn text() -> impl Strategy<Value = String> {
    // any text, odd ones often: what separates and quotes, NUL, wide characters
    prop_oneof![
        any::<String>(),
        "[a-z]{1,8}",
        select(vec!["", "\0", "%", "a/b", "%2F", "'; --", "\u{1F600}", "\"\\"]).prop_map(str::to_owned)
    ]
}

fn short() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Into::into)
}

fn boxed() -> impl Strategy<Value = Box<str>> {
    text().prop_map(Into::into)
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    // from before 1970 to beyond the year 9999
    (-2_000_000_000_000_i64..300_000_000_000_000).prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap())
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..10_000_000_000_u64).prop_map(Duration::from_millis)
}

fn failure() -> impl Strategy<Value = Failure> {
    (select(Reason::ALL.to_vec()), boxed(), time()).prop_map(|(reason, text, at)| Failure {
        reason,
        text,
        at,
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    [short(), short(), short(), short(), short()].prop_map(|[provider, account, project, region, service]| {
        Scope { provider, account, project, region, service }
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let tags = vec((short(), short()), 0..4).prop_map(Into::into);
    let used = (option::of(any::<bool>()), vec(boxed(), 0..3).prop_map(Vec::into_boxed_slice));
    (boxed(), short(), short(), tags, option::of(boxed()), any::<bool>(), used).prop_map(
        |(name, status, engine, tags, group, locked, (in_use, used_by))| Facts {
            name,
            status,
            engine,
            tags,
            group,
            locked,
            in_use,
            used_by,
        },
    )
}

fn certificate() -> impl Strategy<Value = Certificate> {
    let names = vec(boxed(), 0..3).prop_map(Vec::into_boxed_slice);
    let subject = ([boxed(), boxed(), boxed(), boxed(), boxed()], names).prop_map(
        |([common_name, issuer, serial, sha256, key], names)| Subject {
            common_name,
            issuer,
            serial,
            sha256,
            key,
            names,
        },
    );
    let source = select(vec![DateSource::Api, DateSource::X509]);
    let role = select(CertRole::ALL.to_vec());
    (role, time(), option::of(time()), source, option::of(time()), subject).prop_map(
        |(role, not_after, not_before, source, other_not_after, subject)| Certificate {
            role,
            not_after,
            not_before,
            source,
            other_not_after,
            subject,
        },
    )
}

fn reading() -> impl Strategy<Value = Reading> {
    let state = select(vec![TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown]);
    let managed_by = option::of(select(vec![ManagedBy::Cloud, ManagedBy::Customer]));
    (state, vec(certificate(), 0..3), managed_by, option::of(any::<bool>()), time()).prop_map(
        |(state, certificates, managed_by, renewal_required, at)| Reading {
            state,
            certificates,
            managed_by,
            renewal_required,
            at,
        },
    )
}

fn resource() -> impl Strategy<Value = Resource> {
    let looks = (option::of(time()), option::of(duration()), any::<u32>(), any::<bool>());
    (facts(), option::of(reading()), option::of(failure()), looks).prop_map(
        |(facts, reading, failure, (looked_at, due, failures_in_a_row, carried))| {
            let failure = failure.map(Box::new);
            Resource {
                reading,
                failure,
                looked_at,
                due,
                failures_in_a_row,
                carried,
                ..Resource::new("".into(), facts)
            }
        },
    )
}

fn view() -> impl Strategy<Value = ScopeView> {
    let times = (option::of(time()), option::of(time()), option::of(duration()));
    let failures = ([failure(), failure(), failure()].map(option::of), any::<u32>());
    let id = short().prop_filter("no cloud lists an empty id", |id| !id.is_empty());
    let resources = btree_map(id, resource(), 0..8);
    (times, failures, resources, 0..9_usize, any::<u64>()).prop_map(
        |(
            (attempted_at, listed_at, took),
            ([key, listing, look], failures),
            resources,
            excluded,
            filtered_by,
        )| {
            let resources = resources.into_iter().map(|(id, resource)| Resource { id, ..resource });
            let mut view = ScopeView::default().with_resources(resources);
            (view.attempted_at, view.listed_at, view.listing_took) = (attempted_at, listed_at, took);
            (view.listing_failure, view.look_failure, view.listing_failures) = (listing, look, failures);
            view.key_failure = key;
            (view.excluded, view.filtered_by) = (excluded, filtered_by);
            view
        },
    )
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let list = (time(), any::<u64>()).prop_map(|(at, asked_for)| RegionList { at, asked_for });
    (
        btree_map(scope().prop_map(Arc::new), view().prop_map(Arc::new), 0..5),
        btree_map(scope().prop_map(Arc::new), list, 0..3),
    )
        .prop_map(|(scopes, regions_listed)| Snapshot { scopes, regions_listed, ..Snapshot::default() })
}

/// Everything of a snapshot that is kept, to be compared.
fn all(snapshot: &Snapshot) -> Vec<String> {
    let scopes = snapshot.scopes.iter().map(|(scope, view)| format!("{scope:?} {view:?}"));
    let lists = snapshot.regions_listed.iter().map(|(scope, list)| format!("{scope:?} {list:?}"));
    scopes.chain(lists).collect()
}

/// One snapshot after the other goes into the same database, so that each also has to erase the one before.
fn every_field_comes_back(database: &Database) {
    let runtime = Runtime::new().unwrap();
    let store: Store = runtime.block_on(database.open());
    let saved = std::cell::RefCell::new(Snapshot::default());
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(snapshot in snapshot())| {
        runtime.block_on(async {
            let before = saved.replace(snapshot.clone());
            store.save(&Difference::between(&before, &snapshot), moment()).await.unwrap();
            let loaded = store.load(moment()).await.unwrap();
            assert_eq!(loaded.odd, None);
            assert_eq!(all(&loaded.snapshot), all(&snapshot));
        });
    });
    runtime.block_on(store.close());
}

#[test]
fn every_field_comes_back_from_sqlite() {
    every_field_comes_back(&Database::sqlite());
}

#[test]
fn every_field_comes_back_from_postgres() {
    every_field_comes_back(&Database::postgres());
}

over_both!(
    many_rows_go_in_few_statements,
    a_row_that_nobody_wrote_is_left_out_and_erased,
    what_stands_in_two_rows_is_read_once_and_mended,
    resources_of_before_they_shared_rows_are_taken_over,
    what_an_older_daemon_still_writes_does_not_count,
    what_was_stored_before_the_first_listing_does_not_come_back,
    any_beginning_of_a_save_holds_all_that_is_known,
    what_is_past_is_due_now
);

fn of_size(count: usize) -> Snapshot {
    let facts = Facts {
        name: "n".into(),
        status: "s".into(),
        engine: "e".into(),
        tags: [].into(),
        group: None,
        locked: false,
        in_use: None,
        used_by: Box::default(),
    };
    let resources = (0..count).map(|n| Resource::new(format!("r-{n:06}").into(), facts.clone()));
    let scope = Scope {
        provider: "p".into(),
        account: "a".into(),
        project: "".into(),
        region: "r".into(),
        service: "s".into(),
    };
    let view = ScopeView::default().with_resources(resources);
    Snapshot { scopes: [(Arc::new(scope), Arc::new(view))].into(), ..Snapshot::default() }
}

async fn many_rows_go_in_few_statements(database: Database) {
    let store = database.open().await;
    let (none, large, small) = (Snapshot::default(), of_size(7_654), of_size(21));
    for (from, to) in [(&none, &large), (&large, &small), (&small, &large), (&large, &none)] {
        store.save(&Difference::between(from, to), moment()).await.unwrap();
        let found = store.load(moment()).await.unwrap().snapshot;
        assert_eq!(all(&found), all(to), "{} resources", to.resources().count());
    }
    store.close().await;
}

/// Its scopes were listed completely.
fn listed(mut snapshot: Snapshot) -> Snapshot {
    for scope in snapshot.scopes.keys().cloned().collect::<Vec<_>>() {
        snapshot.scope_mut(&scope).listed_at = Some(moment());
    }
    snapshot
}

/// The same without one of its resources.
fn without(mut snapshot: Snapshot, id: &str) -> Snapshot {
    for scope in snapshot.scopes.keys().cloned().collect::<Vec<_>>() {
        let view = snapshot.scope_mut(&scope);
        let mut resources = view.resources.clone();
        resources.remove(id);
        *view = std::mem::take(view).with_shelf(resources);
    }
    snapshot
}

fn ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.resources().map(|(_, resource)| &*resource.id).collect()
}

/// As after a database that was opened late: of the scope nothing counts as stored before it is listed.
async fn what_was_stored_before_the_first_listing_does_not_come_back(database: Database) {
    let store = database.open().await;
    let nothing = Snapshot::default();
    store.save(&Difference::between(&nothing, &listed(of_size(3))), moment()).await.unwrap();
    let now = without(listed(of_size(3)), "r-000000");
    store.save(&Difference::between(&nothing, &now), moment()).await.unwrap();
    assert_eq!(ids(&store.load(moment()).await.unwrap().snapshot), ["r-000001", "r-000002"]);
    let later = without(now.clone(), "r-000002");
    store.save(&Difference::between(&now, &later), moment()).await.unwrap();
    assert_eq!(ids(&store.load(moment()).await.unwrap().snapshot), ["r-000001"]);
    store.close().await;
}

/// A save that ends between two of its transactions: nothing that is in both snapshots is missing.
async fn any_beginning_of_a_save_holds_all_that_is_known(database: Database) {
    let store = database.open().await;
    let old = listed(of_size(4 * CHUNK));
    let mut new = old.clone();
    // two get another key, two keep theirs
    for n in [0, 2] {
        new = without(new, &format!("r-{:06}", n * CHUNK));
    }
    let scope = Arc::clone(new.scopes.keys().next().unwrap());
    // full chunks that get another one in their middle give their upper half away
    let view = new.scope_mut(&scope);
    let facts = view.resources.get("r-000001").unwrap().facts.clone();
    let more = (0..9).map(|n| Resource::new(format!("r-{:06}x", 100 + n * CHUNK / 3).into(), facts.clone()));
    *view = std::mem::take(view).with_resources(more);
    let whole = Difference::between(&old, &new);
    let both: Vec<_> =
        ids(&old).into_iter().filter(|id| new.scopes[&scope].resources.get(id).is_some()).collect();
    for written in 0..=whole.chunks.len() {
        store.save(&Difference::between(&Snapshot::default(), &old), moment()).await.unwrap();
        // chunks go from the last to the first
        let (_, chunks) = whole.chunks.split_at(whole.chunks.len() - written);
        let part = Difference { chunks: chunks.to_vec(), ..Difference::default() };
        store.save(&part, moment()).await.unwrap();
        let loaded = store.load(moment()).await.unwrap().snapshot;
        let known = &loaded.scopes[&scope].resources;
        let missing = both.iter().find(|id| known.get(id).is_none());
        assert_eq!(missing, None, "after {written} of {} chunks", whole.chunks.len());
    }
    store.close().await;
}

async fn what_an_older_daemon_still_writes_does_not_count(database: Database) {
    let store = database.open().await;
    let snapshot = listed(of_size(3));
    store.save(&Difference::between(&Snapshot::default(), &snapshot), moment()).await.unwrap();
    store.close().await;
    let row = "INSERT INTO resource VALUES ('p/a//r/s', 'r-000000', '{}', NULL, NULL, 0, NULL, NULL, 0)";
    database.meddle(row).await;
    let store = database.open().await;
    let loaded = store.load(moment()).await.unwrap();
    assert_eq!((loaded.odd, ids(&loaded.snapshot)), (None, ids(&snapshot)));
    store.close().await;
}

async fn a_row_that_nobody_wrote_is_left_out_and_erased(database: Database) {
    let store = database.open().await;
    let listed = listed(of_size(4 * CHUNK));
    store.save(&Difference::between(&Snapshot::default(), &listed), moment()).await.unwrap();
    store.close().await;
    database.meddle("UPDATE resource_chunk SET first_id = 'r-000255' WHERE first_id = 'r-000256'").await;
    database
        .meddle(
            "UPDATE resource_chunk SET data = (SELECT data FROM resource_chunk WHERE first_id = 'r-000000') \
             WHERE first_id = 'r-000512'",
        )
        .await;
    database
        .meddle(
            "INSERT INTO scope (scope, listing_failures, excluded, filtered_by) VALUES ('no scope', 0, 0, 0)",
        )
        .await;
    let store = database.open().await;
    let loaded = store.load(moment()).await.unwrap();
    assert_eq!(loaded.snapshot.resources().count(), 2 * CHUNK);
    let listed_at = |snapshot: &Snapshot| snapshot.scopes.values().next().unwrap().listed_at;
    assert_eq!(listed_at(&loaded.snapshot), None, "nobody takes the others for gone");
    let (count, first) = loaded.odd.expect("it is told");
    assert_eq!(count, 3, "{first}");
    let again = store.load(moment()).await.unwrap();
    assert_eq!((again.odd, again.snapshot.resources().count()), (None, 2 * CHUNK));
    store.close().await;
}

/// As after a save that ended between two of its pieces.
async fn what_stands_in_two_rows_is_read_once_and_mended(database: Database) {
    let store = database.open().await;
    let old = of_size(2 * CHUNK);
    store.save(&Difference::between(&Snapshot::default(), &old), moment()).await.unwrap();
    let scope = Arc::clone(old.scopes.keys().next().unwrap());
    let mut new = without(old.clone(), "r-000000");
    let failed = Failure { reason: Reason::Timeout, text: "slow".into(), at: moment() };
    new.scope_mut(&scope).inspection_failed("r-000001", failed);
    let whole = Difference::between(&old, &new);
    assert_eq!(whole.gone_chunks.len(), 1);
    let half = Difference { gone_chunks: Vec::new(), ..whole };
    store.save(&half, moment()).await.unwrap();
    let loaded = store.load(moment()).await.unwrap();
    assert_eq!((loaded.odd, loaded.snapshot.resources().count()), (None, 2 * CHUNK), "nothing is gone yet");
    let (_, later) = loaded.snapshot.resources().nth(1).unwrap();
    assert_eq!((&*later.id, later.failures_in_a_row), ("r-000001", 1));
    // what is saved from here on fits
    store.save(&Difference::between(&loaded.snapshot, &new), moment()).await.unwrap();
    assert!(store.load(moment()).await.unwrap().snapshot.resources().eq(new.resources()));
    let rows = store.facts().await.unwrap().rows;
    assert!(rows.contains(&("resource", i64::try_from(2 * CHUNK - 1).unwrap())), "{rows:?}");
    store.close().await;
}

async fn resources_of_before_they_shared_rows_are_taken_over(database: Database) {
    let store = database.open().await;
    let snapshot = listed(of_size(3));
    let scope = Arc::clone(snapshot.scopes.keys().next().unwrap());
    let empty = Snapshot::default();
    let change = Difference::between(&empty, &snapshot);
    store.save(&Difference { chunks: Vec::new(), ..change }, moment()).await.unwrap();
    store.close().await;
    let facts = "'{\"name\":\"n\",\"status\":\"s\",\"engine\":\"e\",\"tags\":[[\"a\",\"b\"]],\"group\":null,\"locked\":false,\"in_use\":null,\"used_by\":[]}'";
    // without names, as the first version wrote them
    let reading = "'{\"state\":\"enabled\",\"certificates\":[{\"role\":\"server\",\"not_after\":1234,\"not_before\":null,\
                   \"source\":\"api\",\"other_not_after\":null,\"common_name\":\"c\",\"issuer\":\"\",\"serial\":\"\",\"sha256\":\"\",\"key\":\"\"}],\
                   \"managed_by\":\"cloud\",\"renewal_required\":null,\"at\":99}'";
    let failure = "'{\"reason\":\"timeout\",\"text\":\"slow\",\"at\":98}'";
    let due = moment().timestamp_millis() + 5000;
    for row in [
        format!("'r-000000', {facts}, {reading}, NULL, 0, 99, {due}, 0"),
        format!("'r-000001', {facts}, NULL, {failure}, 3, 98, NULL, 1"),
        "'r-000002', '{', NULL, NULL, 0, NULL, NULL, 0".to_owned(),
    ] {
        database.meddle(format!("INSERT INTO resource VALUES ('p/a//r/s', {row})").leak()).await;
    }
    let store = database.open().await;
    let loaded = store.load(moment()).await.unwrap();
    assert_eq!(loaded.odd.map(|(count, _)| count), Some(1));
    let resources: Vec<_> = loaded.snapshot.resources().map(|(_, resource)| Arc::clone(resource)).collect();
    let [first, second] = &resources[..] else { panic!("{resources:?}") };
    let certificate = &first.reading.as_ref().unwrap().certificates[0];
    assert_eq!((certificate.not_after.timestamp_millis(), first.due), (1234, Some(Duration::from_secs(5))));
    assert_eq!((&*first.facts.tags[0].1, first.looked_at.unwrap().timestamp_millis()), ("b", 99));
    assert_eq!((second.failure.as_ref().unwrap().reason, second.failures_in_a_row), (Reason::Timeout, 3));
    assert!(second.carried && second.due.is_none() && loaded.snapshot.scopes[&scope].listed_at.is_some());
    let again = store.load(moment()).await.unwrap();
    assert!(again.odd.is_none() && again.snapshot.resources().eq(loaded.snapshot.resources()));
    store.close().await;
}

async fn what_is_past_is_due_now(database: Database) {
    let store = database.open().await;
    let mut snapshot = of_size(2);
    let scope = Arc::clone(snapshot.scopes.keys().next().unwrap());
    snapshot.scope_mut(&scope).plan("r-000000", Duration::from_hours(1));
    store.save(&Difference::between(&Snapshot::default(), &snapshot), moment()).await.unwrap();
    for (later, want) in [(0, 3600), (600, 3000), (7200, 0)] {
        let loaded = store.load(moment() + Duration::from_secs(later)).await.unwrap().snapshot;
        let due: Vec<_> = loaded.resources().map(|(_, resource)| resource.due).collect();
        assert_eq!(due, [Some(Duration::from_secs(want)), None], "{later} s later");
    }
    store.close().await;
}
