use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::renewals::{RenewalItem, RenewalsQuery, renewal, renewals};
use super::*;
use crate::domain::finding::Stage;
use crate::domain::identity::CertRole;
use crate::domain::policy::Thresholds;
use crate::domain::reason::Reason;
use crate::domain::resource::Reading;
use crate::domain::testing::{moment, scope};
use crate::web::context::AccountInfo;
use crate::web::context::testing::plain_context;
use crate::web::cursor::Sort;
use crate::web::json::to_text;
use crate::web::testing::renewals::{board, garden};
use crate::web::testing::{ending_in, fleet, in_scope, small};

fn asked(snapshot: &Snapshot, query: &str) -> Value {
    let query = CertificatesQuery::parse(Some(query)).unwrap();
    serde_json::from_str(&to_text(&certificates(snapshot, &query, moment(), &plain_context()))).unwrap()
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["resource_id"].as_str().unwrap()).collect()
}

fn asked_scopes(snapshot: &Snapshot, query: &str) -> Value {
    let query = ScopesQuery::parse(Some(query)).unwrap();
    serde_json::from_str(&to_text(&scopes(snapshot, &query, moment(), &plain_context()))).unwrap()
}

#[test]
fn what_is_asked_for_is_answered_in_order() {
    let snapshot = small();
    let by_end =
        ["r-over", "r-hours", "r-days", "d-soon", "d-weeks", "d-fine", "d-fine", "r-dateless", "r-denied"];
    for (query, want) in [
        ("", &by_end[..]),
        ("within=7d", &["r-over", "r-hours", "r-days"]),
        ("within=5d", &["r-over", "r-hours", "r-days"]),
        ("within=431999s", &["r-over", "r-hours"]),
        ("match=cloud_service%3D%22dcs%22,cert_role%3D%22ca%22", &["d-fine"]),
        ("match=resource_name%3D~%22.*script.*%22", &["r-days"]),
        ("match=cert_role%3D%22%22", &["r-dateless", "r-denied"]),
        ("state=disabled", &["d-off"]),
        ("state=unknown", &["r-denied", "r-new"]),
        ("state=disabled,unsupported&sort=resource_id", &["d-off", "d-old"]),
        ("state=all&within=1d", &["r-over"]),
        ("sort=resource_id&within=30d", &["d-soon", "d-weeks", "r-days", "r-hours", "r-over"]),
        ("sort=-not_after&limit=3", &["d-fine", "d-fine", "d-weeks"]),
        ("sort=last_seen&limit=3", &["r-denied", "d-fine", "d-fine"]),
    ] {
        assert_eq!(ids(&asked(&snapshot, query)), want, "{query}");
    }
    assert_eq!(asked(&snapshot, "state=all")["items"].as_array().unwrap().len(), 12);
}

#[test]
fn a_certificate_is_told_in_full() {
    let snapshot = small();
    let list = asked(&snapshot, "match=resource_id%3D%22d-fine%22&limit=1");
    assert_eq!(
        list["items"][0],
        json!({
            "id": "huawei/core/0a1b2c/cn-north-4/dcs/d-fine/server",
            "cloud_provider": "huawei", "cloud_account": "core", "cloud_project": "0a1b2c",
            "cloud_region": "cn-north-4", "cloud_service": "dcs",
            "resource_id": "d-fine", "cert_role": "server", "resource_name": "订单缓存",
            "state": "enabled", "status": "Normal", "engine": "Redis 7.0", "stage": "ok",
            "not_after": "2027-09-18T08:00:00Z", "not_after_unix": 1_821_254_400, "seconds_left": 25_920_000,
            "not_before": "2026-09-18T08:00:00Z", "source": "x509",
            "other_not_after": "2027-12-27T08:00:00Z", "dates_disagree": true,
            "common_name": "*.dcs.example.com", "issuer": "CN=Example CA", "serial": "0a1b",
            "sha256": "9f86d081", "key": "rsa-2048", "managed_by": "customer", "renewal_required": true,
            "in_use": null, "used_by": [],
            "last_seen": "2026-11-21T23:00:00Z", "stale": true, "next_look": null, "failure": null,
            "owner": null, "tags": {},
        })
    );
    assert!(list["next"].is_string());
}

#[test]
fn a_resource_without_a_certificate_has_nulls_and_its_failure() {
    let snapshot = small();
    let list = asked(&snapshot, "match=resource_id%3D%22r-denied%22");
    let item = &list["items"][0];
    assert_eq!(item["id"], "alibaba/prod/-/cn-hangzhou/redis/r-denied/-");
    for field in ["cert_role", "not_after", "not_after_unix", "seconds_left", "stage", "source", "last_seen"]
    {
        assert_eq!(item[field], Value::Null, "{field}");
    }
    assert_eq!(
        item["failure"],
        json!({
            "reason": "unreadable", "at": "2026-11-22T07:50:00Z",
            "text": "inspect r-denied: no field `SSLExpiredTime` in the answer",
        })
    );
    assert_eq!(list["next"], Value::Null);
}

#[test]
fn the_account_names_the_owner_and_gives_labels() {
    let mut snapshot = Snapshot::default();
    let mut listing = crate::domain::testing::listing(&["r-1"]);
    listing.resources[0].facts.tags = [("owner".into(), "dba".into()), ("x".into(), "".into())].into();
    listing.resources[0].reading = Some(ending_in(TimeDelta::days(20)));
    let scope = Arc::new(scope("redis"));
    snapshot.scope_mut(&scope).absorb_listing(listing, std::time::Duration::ZERO, moment());
    snapshot.scope_mut(&scope).plan("r-1", std::time::Duration::from_hours(73));
    let labels = BTreeMap::from([("team".into(), "data".into())]);
    let account = AccountInfo { owner_tag: Some("owner".into()), labels, filtered_by: None };
    let context = PageContext { account: &|name| (name == "prod").then_some(&account), ..plain_context() };
    let ask = |text: &str| {
        let query = CertificatesQuery::parse(Some(text)).unwrap();
        let list = certificates(&snapshot, &query, moment(), &context);
        serde_json::from_str::<Value>(&to_text(&list)).unwrap()
    };
    let list = ask("match=label:team%3D%22data%22");
    assert_eq!(list["items"][0]["owner"], "dba");
    assert_eq!(list["items"][0]["tags"], json!({"owner": "dba", "x": ""}));
    assert_eq!(list["items"][0]["next_look"], "2026-11-22T09:00:00Z");
    assert_eq!(ids(&ask("match=label:team%3D%22other%22")), [""; 0]);
}

#[test]
fn the_stage_follows_the_thresholds_of_the_resource() {
    let snapshot = small();
    let far = Thresholds { critical: std::time::Duration::from_hours(24 * 365), ..Thresholds::default() };
    let context = PageContext { thresholds: &|_, _| far, ..plain_context() };
    let query = CertificatesQuery::parse(Some("match=resource_id%3D%22d-weeks%22")).unwrap();
    let list = certificates(&snapshot, &query, moment(), &context);
    assert_eq!(serde_json::to_value(&list.items[0]).unwrap()["stage"], "critical");
}

#[test]
fn scopes_are_told_with_counts_and_failures() {
    let snapshot = small();
    let list = asked_scopes(&snapshot, "match=cloud_region%3D~%22eu-.*|cn-north-4%22");
    assert_eq!(
        list,
        json!({"items": [
            {
                "id": "alibaba/prod/-/eu-central-1/rds",
                "cloud_provider": "alibaba", "cloud_account": "prod", "cloud_project": "",
                "cloud_region": "eu-central-1", "cloud_service": "rds", "up": false,
                "resources": {
                    "discovered": 0, "enabled": 0, "disabled": 0, "unsupported": 0, "unknown": 0, "stale": 0,
                    "excluded": 0
                },
                "attempted_at": "2026-11-22T07:55:00Z", "listed_at": null, "listing_took_seconds": null,
                "failure": {
                    "reason": "denied", "at": "2026-11-22T07:55:00Z",
                    "text": "list prod/alibaba/rds/eu-central-1: DescribeDBInstances: denied (Forbidden.RAM, request 1C0D)",
                },
                "look_failure": null,
            },
            {
                "id": "huawei/core/0a1b2c/cn-north-4/dcs",
                "cloud_provider": "huawei", "cloud_account": "core", "cloud_project": "0a1b2c",
                "cloud_region": "cn-north-4", "cloud_service": "dcs", "up": true,
                "resources": {
                    "discovered": 5, "enabled": 3, "disabled": 1, "unsupported": 1, "unknown": 0, "stale": 1,
                    "excluded": 0
                },
                "attempted_at": "2026-11-22T07:40:00Z", "listed_at": "2026-11-22T07:40:00Z",
                "listing_took_seconds": 1.25, "failure": null, "look_failure": null,
            },
        ], "next": null})
    );
}

#[test]
fn scopes_are_paged_in_their_order() {
    let snapshot = fleet(10);
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let list = asked_scopes(&snapshot, &format!("limit=3&cursor={next}"));
        seen.extend(list["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        match list["next"].as_str() {
            Some(cursor) => cursor.clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted());
}

#[test]
fn hostile_names_stay_data() {
    for name in ["<script>", "\"}],\"next\":\"", "a\u{202e}b", "a\nb\r\0", "\\u0041", "\u{2028}"] {
        let mut snapshot = Snapshot::default();
        in_scope(&mut snapshot, scope("redis"))
            .listed(&[("r-1", name)])
            .read("r-1", ending_in(TimeDelta::days(1)))
            .look_failed("r-1", Reason::Refused, name);
        let query = CertificatesQuery::parse(None).unwrap();
        let text = to_text(&certificates(&snapshot, &query, moment(), &plain_context()));
        assert!(!text.chars().any(crate::visible::is_invisible), "{name:?}: {text}");
        let list: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(list["items"][0]["resource_name"], name);
        assert_eq!(list["items"][0]["failure"]["text"], name);
        assert_eq!(list["next"], Value::Null);
    }
}

fn fields(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_openapi_document_has_every_field_and_parameter() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let snapshot = small();
    let certificate = asked(&snapshot, "match=resource_id%3D%22r-denied%22")["items"][0].clone();
    let scope = asked_scopes(&snapshot, "match=cloud_region%3D%22eu-central-1%22")["items"][0].clone();
    for (schema, value) in [
        ("CertificateList", &asked(&snapshot, "")),
        ("ScopeList", &asked_scopes(&snapshot, "")),
        ("Certificate", &certificate),
        ("Scope", &scope),
        ("Resources", &scope["resources"]),
        ("Failure", &scope["failure"]),
    ] {
        let described = &document["components"]["schemas"][schema];
        assert_eq!(fields(&described["properties"]), fields(value), "{schema}");
        let required = described["required"].as_array().unwrap().iter();
        let required: BTreeSet<String> = required.map(|name| name.as_str().unwrap().to_owned()).collect();
        assert_eq!(required, fields(value), "{schema}: nothing is ever left out");
    }
    for (path, parameters) in [
        ("/api/v1/certificates", &CertificatesQuery::PARAMETERS[..]),
        ("/api/v1/scopes", &ScopesQuery::PARAMETERS),
    ] {
        let described = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let described: Vec<_> =
            described.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(described, parameters, "{path}");
    }
}

#[test]
fn the_openapi_document_has_every_field_of_renewals() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schemas = &document["components"]["schemas"];
    let board = board();
    let context = PageContext { renewals: Some(&board), ..plain_context() };
    let snapshot = garden().snapshot;
    let ask = |query: &str| {
        let query = RenewalsQuery::parse(Some(query)).unwrap();
        serde_json::to_value(renewals(&snapshot, &query, moment(), &context)).unwrap()
    };
    let list = ask("");
    let of =
        |id: &str| list["items"].as_array().unwrap().iter().find(|item| item["resource_id"] == id).unwrap();
    let approved = of("r-approved");
    let id = approved["id"].as_str().unwrap();
    let detail = serde_json::to_value(renewal(id, None, moment(), &context).unwrap()).unwrap();
    for (schema, value) in [
        ("RenewalList", &list),
        ("Renewal", approved),
        ("RenewalDetail", &detail),
        ("RenewalEntry", &detail["history"][0]),
        ("RenewalReason", &approved["reason"]),
        ("RenewalWindow", &approved["window"]),
        ("RenewalCall", &approved["call"]),
        ("RenewalAttempt", &approved["attempt"]),
        ("RenewalApproval", &approved["attempt"]["approval"]),
    ] {
        let described = &schemas[schema];
        assert_eq!(fields(&described["properties"]), fields(value), "{schema}");
        let required = described["required"].as_array().unwrap().iter();
        let required: BTreeSet<String> = required.map(|name| name.as_str().unwrap().to_owned()).collect();
        assert_eq!(required, fields(value), "{schema}: nothing is ever left out");
    }
    let reasons = schemas["RenewalReason"]["properties"]["code"]["enum"].as_array().unwrap();
    let reasons: Vec<_> = reasons.iter().filter_map(Value::as_str).collect();
    assert_eq!(
        reasons,
        crate::domain::renewal::refusal::Refusal::ALL.iter().map(|why| why.code()).collect::<Vec<_>>()
    );
    let parameters = document["paths"]["/api/v1/renewals"]["get"]["parameters"].as_array().unwrap();
    let parameters: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(parameters, RenewalsQuery::PARAMETERS);
}

#[test]
fn renewals_are_listed_by_what_was_asked_and_page_by_page() {
    let (board, snapshot) = (board(), garden().snapshot);
    let context = PageContext { renewals: Some(&board), ..plain_context() };
    let ask =
        |query: &str| renewals(&snapshot, &RenewalsQuery::parse(Some(query)).unwrap(), moment(), &context);
    let ids =
        |list: &List<RenewalItem>| list.items.iter().map(|item| item.resource_id.clone()).collect::<Vec<_>>();
    let usual = ["r-running", "r-asked", "r-approved", "r-early", "r-done", "r-tried", "r-done"];
    for (query, want) in [
        ("", &usual[..]),
        ("all=false", &usual),
        (
            "all=true",
            &["r-running", "r-asked", "r-approved", "r-early", "r-done", "r-tried", "r-off", "r-done"],
        ),
        ("match=resource_id%3D%22r-asked%22", &["r-asked"]),
        ("match=resource_name%3D%22orders%22,resource_id%3D~%22r-a.*%22", &["r-asked", "r-approved"]),
        ("match=cloud_service%3D%22rds%22", &[]),
    ] {
        assert_eq!(ids(&ask(query)), want, "{query}");
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = ask(&format!("limit=2&cursor={next}"));
        seen.extend(ids(&page));
        let Some(cursor) = page.next else { break };
        next = cursor;
    }
    assert_eq!(seen, usual, "nothing is repeated or skipped");
    for query in ["all=yes", "cursor=x", "limit=0", "x=1"] {
        assert!(RenewalsQuery::parse(Some(query)).is_err(), "{query}");
    }
    let off = renewals(&snapshot, &RenewalsQuery::parse(None).unwrap(), moment(), &plain_context());
    assert!(off.items.is_empty() && off.next.is_none());
}

#[test]
fn the_openapi_document_lists_the_words_that_are_used() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schemas = &document["components"]["schemas"];
    let words = |value: &Value| {
        let words = value["enum"].as_array().unwrap().iter().filter_map(Value::as_str);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let certificate = &schemas["Certificate"]["properties"];
    assert_eq!(words(&certificate["stage"]), Stage::ALL.map(Stage::as_str));
    assert_eq!(words(&certificate["cert_role"]), CertRole::ALL.map(CertRole::as_str));
    assert_eq!(words(&certificate["state"]), crate::web::query::STATES.map(TlsState::as_str));
    assert_eq!(words(&schemas["Failure"]["properties"]["reason"]), Reason::ALL.map(Reason::as_str));
    let parameters = document["paths"]["/api/v1/certificates"]["get"]["parameters"].as_array().unwrap();
    let sort = parameters.iter().find(|parameter| parameter["name"] == "sort").unwrap();
    assert_eq!(words(&sort["schema"]), Sort::ALL.map(Sort::as_str));
}

#[test]
fn the_first_of_a_hundred_thousand_are_found_without_sorting_them() {
    let snapshot = fleet(100_000);
    let started = std::time::Instant::now();
    let list = asked(&snapshot, "within=30d&match=cloud_service%3D%22redis%22&limit=1000");
    assert_eq!(ids(&list).len(), 1000);
    // far below in a release build; this only notices a sort or a copy of everything
    assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
}

/// What happens between two answers.
#[derive(Debug, Clone)]
enum Change {
    NewOrRenewed(u8, i64),
    Gone(u8),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (any::<u8>(), -50..900_i64).prop_map(|(n, left)| Change::NewOrRenewed(n, left)),
        1 => any::<u8>().prop_map(Change::Gone),
    ]
}

fn at(left: i64) -> Reading {
    ending_in(TimeDelta::hours(left))
}

/// Applies a change to resources from 100 on; those below never change.
fn apply(snapshot: &mut Snapshot, change: &Change) {
    let scope = Arc::new(scope("redis"));
    let name = |n: u8| format!("r-{:03}", 100 + u16::from(n) % 100);
    let view = snapshot.scope_mut(&scope);
    match change {
        Change::Gone(n) => {
            view.take_out(&name(*n));
        }
        Change::NewOrRenewed(n, left) => {
            let mut listing = crate::domain::testing::listing(&[&name(*n)]);
            listing.incomplete = Some((Reason::Timeout, "one page only".to_owned()));
            listing.resources[0].reading = Some(at(*left));
            view.absorb_listing(listing, std::time::Duration::ZERO, moment());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn while_others_change_what_does_not_is_neither_repeated_nor_skipped(
        lefts in proptest::collection::vec(-50..900_i64, 1..80),
        changes in proptest::collection::vec(proptest::collection::vec(any_change(), 0..6), 1..60),
        limit in 1..20_usize,
        sort in proptest::sample::select(Sort::ALL.to_vec()),
    ) {
        let mut snapshot = Snapshot::default();
        let names: Vec<String> = (0..lefts.len()).map(|n| format!("r-{n:03}")).collect();
        let listed: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        let mut built = in_scope(&mut snapshot, scope("redis")).listed(&listed);
        for (name, left) in names.iter().zip(&lefts) {
            built = built.read(name, at(*left));
        }
        let (mut seen, mut next) = (Vec::new(), String::new());
        let mut changes = changes.iter();
        loop {
            let list = asked(&snapshot, &format!("sort={}&limit={limit}&cursor={next}", sort.as_str()));
            seen.extend(ids(&list).into_iter().filter(|id| *id < "r-100").map(str::to_owned));
            let Some(cursor) = list["next"].as_str() else { break };
            cursor.clone_into(&mut next);
            for change in changes.next().into_iter().flatten() {
                apply(&mut snapshot, change);
            }
        }
        seen.sort();
        prop_assert_eq!(seen, names);
    }
}
