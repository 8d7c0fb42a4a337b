//! Orders over the API and over forms, and pages, with a desk that does as it is told.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::*;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal::attempt::{By, State as AttemptState};
use crate::domain::renewal::ledger::Change;
use crate::domain::renewal::refusal::Refusal as Reason;
use crate::domain::testing::moment;
use crate::store::{self, Committed, Handle, Store};
use crate::web::access::Access;
use crate::web::inside::Inside;
use crate::web::testing::renewals::{FakeDesk, Garden, garden};
use crate::web::view::{View, ViewSettings, router};

struct House {
    routes: Router,
    desk: Arc<FakeDesk>,
}

struct Told {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&mark).unwrap_or_else(|| panic!("{name}:\n{}", self.body));
        rest.split('"').next().expect("a value").to_owned()
    }
}

impl House {
    fn new(access: Access, garden: Garden) -> Self {
        Self::with_store(access, garden, None)
    }

    fn with_store(access: Access, garden: Garden, store: Option<Handle>) -> Self {
        let snapshot = watch::channel(Arc::new(garden.snapshot.clone())).1;
        let settings = watch::channel(Arc::new(ViewSettings::default())).1;
        let desk = FakeDesk::new(garden);
        let inside = Inside { renewing: Some(desk.renewing()), store, ..Inside::default() };
        let now = Box::new(moment);
        let (version, started_at) = ("1.2.3", moment());
        let view = View { snapshot, settings, now, version, started_at, timeline_start: moment(), inside };
        Self { routes: router(Arc::new(view), access), desk }
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> Told {
        self.ask_with(method, path, body, &[]).await
    }

    async fn ask_with(&self, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> Told {
        let mut request = Request::builder().method(method).uri(path).header("host", "notafter");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let (head, body) = self.routes.clone().oneshot(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        Told { status: head.status.as_u16(), headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Told {
        self.ask(Method::GET, path, "").await
    }

    async fn id_of(&self, resource: &str) -> String {
        let list = self.get(&format!("/api/v1/renewals?all=true&match=resource_id%3D%22{resource}%22")).await;
        list.json()["items"][0]["id"].as_str().expect("an id").to_owned()
    }

    fn orders(&self) -> Vec<String> {
        self.desk.orders.lock().expect("whole").clone()
    }
}

#[tokio::test]
async fn the_history_is_what_was_written_down_and_without_the_store_what_the_attempt_remembers() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("notafter.db").display());
    let kept = Arc::new(Store::open(&url).await.expect("a store"));
    let (holder, handle) = store::handle();
    holder.show(Some(Arc::clone(&kept)));
    let garden = garden();
    let is_asked = |attempt: &&crate::domain::renewal::attempt::Attempt| {
        &*attempt.key.resource.resource_id == "r-asked" && attempt.number == 1
    };
    let attempt = garden.attempts.iter().find(is_asked).expect("announced").clone();
    let house = House::with_store(Access::Control, garden, Some(handle));
    let states = |told: Told| {
        let history = told.json()["history"].as_array().expect("a list").clone();
        let word = |entry: &Value| format!("{} by {}: {}", entry["state"], entry["who"], entry["text"]);
        history.iter().map(word).collect::<Vec<_>>()
    };
    let path = format!("/api/v1/renewals/{}", attempt.id);
    let remembered = states(house.get(&path).await);
    assert_eq!(remembered, [r#""announced" by "rule": null"#], "nothing is written down yet");
    // announced, held back by a hook, announced anew: more than an attempt can remember
    let first = Change::new(None, attempt.clone(), "rule", "");
    let held = Change::new(Some(&first.attempt), attempt.clone(), "hook", "backup <b> is running");
    let again = Change::new(Some(&held.attempt), attempt, "rule", "");
    for change in [first, held, again] {
        let written = kept.commit_renewals(&[change], &[], moment(), None).await.expect("written");
        assert_eq!(written, Committed::Done);
    }
    let all = [
        r#""announced" by "rule": null"#,
        r#""announced" by "hook": "backup <b> is running""#,
        r#""announced" by "rule": null"#,
    ];
    assert_eq!(states(house.get(&path).await), all);
    let page = house.get(&path.replace("/api/v1", "")).await.body;
    assert!(page.contains("backup &#60;b&#62; is running"), "{page}");
    holder.show(None);
    assert_eq!(states(house.get(&path).await), remembered, "the store is away");
}

fn control() -> House {
    House::new(Access::Control, garden())
}

#[tokio::test]
async fn programs_approve_reject_and_order() {
    let house = control();
    let id = house.id_of("r-asked").await;
    let body = r#"{"by": "alice", "now": true}"#;
    let told = house.ask(Method::POST, &format!("/api/v1/renewals/{id}/approve"), body).await;
    assert_eq!((told.status, told.json()["state"].as_str()), (200, Some("approved")), "{}", told.body);
    assert_eq!(told.json()["approval"]["by"], "alice (control socket)");
    let detail = house.get(&format!("/api/v1/renewals/{id}")).await.json();
    assert_eq!((&detail["attempt"]["state"], &detail["can_approve"]), (&"approved".into(), &false.into()));
    let told = house.ask(Method::POST, &format!("/api/v1/renewals/{id}/reject"), "").await;
    assert_eq!((told.status, told.json()["state"].as_str()), (200, Some("rejected")), "{}", told.body);
    let body = r#"{"resource_id": "r-tried", "cloud_account": "prod", "by": "bob"}"#;
    let told = house.ask(Method::POST, "/api/v1/renewals", body).await;
    assert_eq!((told.status, told.json()["number"].as_u64()), (201, Some(2)), "{}", told.body);
    assert_eq!(
        house.orders(),
        [
            format!("approve {id} by alice (control socket), at once true"),
            format!("reject {id} by control socket"),
            "order r-tried by bob (control socket), at once false".to_owned()
        ]
    );
}

#[tokio::test]
async fn orders_that_are_not_taken_say_why_with_a_code() {
    let house = control();
    let detail = Box::from("SSLModifying");
    for (error, status, code, more) in [
        (OrderError::Unknown, 404, "unknown", None),
        (OrderError::Refused { why: Reason::Locked, detail }, 409, "refused", Some(("reason", "locked"))),
        (OrderError::Over("accepted"), 409, "over", Some(("state", "accepted"))),
        (OrderError::Changed, 409, "changed", None),
        (OrderError::StoreAway, 503, "store_away", None),
    ] {
        *house.desk.refuses.lock().expect("whole") = Some(error);
        for (path, body) in [
            ("/api/v1/renewals/ren_1/approve", ""),
            ("/api/v1/renewals/ren_1/reject", "{}"),
            ("/api/v1/renewals", r#"{"resource_id": "r-early"}"#),
        ] {
            let told = house.ask(Method::POST, path, body).await;
            let problem = told.json();
            assert_eq!(told.status, status, "{path}: {}", told.body);
            assert_eq!(told.headers[CONTENT_TYPE], "application/problem+json", "{path}");
            assert_eq!(problem["code"], code, "{path}");
            assert_eq!(problem["type"], format!("urn:notafter:order:{code}"), "{path}");
            if let Some((name, value)) = more {
                assert_eq!(problem[name], value, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_orders_nothing() {
    let house = control();
    let odd = format!(r#"{{"by": "{}"}}"#, "x".repeat(101));
    for (path, body, status) in [
        ("/api/v1/renewals/ren_1/approve", r#"{"when": "now"}"#, 400),
        ("/api/v1/renewals/ren_1/approve", r#"{"by": "a\u202eb"}"#, 400),
        ("/api/v1/renewals/ren_1/approve", r#"{"by": "a\nb"}"#, 400),
        ("/api/v1/renewals/ren_1/approve", r#"{"by": "Rule"}"#, 400),
        ("/api/v1/renewals/ren_1/reject", r#"{"by": " hook "}"#, 400),
        ("/api/v1/renewals", r#"{"resource_id": "r-early", "by": "cloud"}"#, 400),
        ("/api/v1/renewals", r#"{"resource_id": "r-early", "by": "notafter"}"#, 400),
        ("/api/v1/renewals/ren_1/approve", &odd, 400),
        ("/api/v1/renewals/ren_1/reject", r#"{"now": true}"#, 400),
        ("/api/v1/renewals", "", 400),
        ("/api/v1/renewals", "[]", 400),
        ("/api/v1/renewals", r#"{"resource_id": "r-none"}"#, 404),
        ("/api/v1/renewals", r#"{"resource_id": "r-early", "cloud_account": "other"}"#, 404),
    ] {
        let told = house.ask(Method::POST, path, body).await;
        assert_eq!(told.status, status, "{path} {body}: {}", told.body);
    }
    assert_eq!(house.get("/api/v1/renewals/ren_none").await.status, 404);
    assert!(house.orders().is_empty());
}

#[tokio::test]
async fn the_port_and_other_sites_change_nothing() {
    let (port, control) = (House::new(Access::Port, garden()), control());
    let id = control.id_of("r-asked").await;
    let foreign = [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")];
    for path in [
        "/api/v1/renewals".to_owned(),
        format!("/api/v1/renewals/{id}/approve"),
        format!("/api/v1/renewals/{id}/reject"),
        format!("/renewals/{id}"),
        "/renewals/order".to_owned(),
    ] {
        assert_eq!(port.ask(Method::POST, &path, "").await.status, 403, "{path}");
        assert_eq!(control.ask_with(Method::POST, &path, "", &foreign).await.status, 403, "{path}");
    }
    let page = port.get(&format!("/renewals/{id}")).await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<form") && page.body.contains(&format!("notafter renewals approve {id}")));
    let page = control.ask_with(Method::GET, &format!("/renewals/{id}"), "", &foreign).await;
    assert!(page.body.contains("<form"), "a link in a chat leads to the form");
    assert!(port.orders().is_empty() && control.orders().is_empty());
}

#[tokio::test]
async fn a_form_counts_once_and_only_for_what_was_seen() {
    let house = control();
    let id = house.id_of("r-asked").await;
    let path = format!("/renewals/{id}");
    let token = house.get(&path).await.hidden("token");
    let body = format!("token={token}&by=alice&now=yes&what=approve");
    let told = house.ask(Method::POST, &path, &body).await;
    assert_eq!(told.status, 303, "{}", told.body);
    let back = told.headers["location"].to_str().expect("text").to_owned();
    assert!(back.starts_with(&format!("{id}?after=")), "{back}");
    let page = house.get(&format!("/renewals/{back}")).await;
    assert!(page.body.contains("It is written down."), "{}", page.body);
    for (name, body) in [
        ("again", body.as_str()),
        ("no token", "by=alice&what=approve"),
        ("a made-up one", "token=00ff&by=alice&what=approve"),
    ] {
        let told = house.ask(Method::POST, &path, body).await;
        assert_eq!(told.status, 409, "{name}: {}", told.body);
        assert!(told.body.contains("Something changed since this page was shown"), "{name}");
    }
    assert_eq!(house.orders(), [format!("approve {id} by alice (control socket), at once true")]);
    let token = house.get(&path).await.hidden("token");
    let told = house.ask(Method::POST, &path, &format!("token={token}&by=&what=reject")).await;
    assert_eq!(told.status, 303, "{}", told.body);
    assert_eq!(house.orders()[1], format!("reject {id} by control socket"));
    assert!(!house.get(&path).await.body.contains("<form"), "what is rejected is over");
}

#[tokio::test]
async fn a_desk_that_refuses_is_repeated_on_the_page() {
    let house = control();
    let path = format!("/renewals/{}", house.id_of("r-asked").await);
    let body = format!("token={}&what=approve", house.get(&path).await.hidden("token"));
    *house.desk.refuses.lock().expect("whole") = Some(OrderError::StoreAway);
    let told = house.ask(Method::POST, &path, &body).await;
    assert_eq!(told.status, 503);
    assert!(told.body.contains("The order was not taken: the store cannot be used at the moment."));
    assert_eq!(told.headers[CONTENT_TYPE], "text/html; charset=utf-8");
}

#[tokio::test]
async fn one_resource_is_ordered_by_hand_from_its_page() {
    let house = control();
    let overview = house.get("/").await;
    let link =
        "renewals/order?resource=r%2Dtried&#38;provider=alibaba&#38;account=prod&#38;region=cn%2Dhangzhou";
    assert!(overview.body.contains(link), "{}", overview.body);
    let page = house.get("/renewals/order?resource=r-tried&account=prod").await;
    assert_eq!(page.status, 200);
    for want in ["Renew by hand", "ModifyInstanceSSL", "it restarts the instance: connections break"] {
        assert!(page.body.contains(want), "{want}:\n{}", page.body);
    }
    let token = page.hidden("token");
    let body = format!("resource=r-tried&account=prod&token={token}&by=alice&what=order");
    let told = house.ask(Method::POST, "/renewals/order", &body).await;
    assert_eq!(told.status, 303, "{}", told.body);
    assert_eq!(house.orders(), ["order r-tried by alice (control socket), at once false"]);
    assert_eq!(house.ask(Method::POST, "/renewals/order", &body).await.status, 409, "a form counts once");
    assert_eq!(house.get("/renewals/order?resource=r-none").await.status, 404);
    let off = house.get("/renewals/order?resource=r-off").await;
    assert!(!off.body.contains("<form") && off.body.contains("TLS is off"), "{}", off.body);
    let port = House::new(Access::Port, garden());
    let page = port.get("/renewals/order?resource=r-tried").await;
    assert!(!page.body.contains("<form") && page.body.contains("<code>notafter renew r-tried</code>"));
}

#[tokio::test]
async fn what_was_ordered_a_moment_ago_is_waited_for() {
    let house = control();
    let now = moment().timestamp_millis();
    let soon = house.get(&format!("/renewals/ren_0?after={now}")).await;
    assert_eq!(soon.status, 200);
    assert!(soon.body.contains("http-equiv=\"refresh\"") && soon.body.contains("the next plan"));
    for query in ["", "?after=x", "?after=0", "?after=99999999999999999"] {
        assert_eq!(house.get(&format!("/renewals/ren_0{query}")).await.status, 404, "{query}");
    }
    let id = house.id_of("r-asked").await;
    let waits = house.get(&format!("/renewals/{id}?after={now}")).await;
    assert!(waits.body.contains("http-equiv=\"refresh\"") && !waits.body.contains("<form"));
}

#[tokio::test]
async fn pages_show_everything_and_nothing_foreign_is_markup() {
    let house = control();
    let id = house.id_of("r-approved").await;
    let page = house.get(&format!("/renewals/{id}")).await;
    for want in [
        "&#60;b&#62;bob&#60;/b&#62;",
        "2026-11-25 07:00 UTC",
        "2026-11-22 20:00 UTC – 2026-11-22 23:00 UTC",
        "What happened",
        "InstanceId=r-approved",
        "cloud_service=&#34;redis&#34;",
        "<button name=\"what\" value=\"reject\"",
    ] {
        assert!(page.body.contains(want), "{want}:\n{}", page.body);
    }
    assert!(!page.body.contains("<b>bob"), "{}", page.body);
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    for loaded in ["<script", "http://", "https://", " style="] {
        assert!(!page.body.contains(loaded), "{loaded}");
    }
    let overview = house.get("/").await.body;
    for want in [
        "What a person approved is renewed. Planned just now.",
        "Under way",
        "Planned",
        "Allowed by a rule, and refused",
        "Recent outcomes",
        "waits for a person&#39;s approval",
        "2 certificates more are allowed by a rule and not due yet.",
        "To do: look at the instance in the console; then let it be tried again with <code>notafter renew</code>.",
    ] {
        assert!(overview.contains(want), "{want}:\n{overview}");
    }
    assert!(!overview.contains("r-off</code> <small>prod"), "what no rule allows is no news");
}

#[tokio::test]
async fn the_plan_is_there_as_text_and_only_with_renewal() {
    let house = control();
    let plan = house.get("/api/v1/plan").await;
    assert_eq!(plan.status, 200);
    assert!(
        plan.body.starts_with("mode approve: what a person approved is renewed\nunder way "),
        "{}",
        plan.body
    );
    assert_eq!(house.get("/api/v1/plan?x=1").await.status, 400);
    let inside = Inside::default();
    let snapshot = watch::channel(Arc::default()).1;
    let settings = watch::channel(Arc::default()).1;
    let now = Box::new(moment);
    let view = View {
        snapshot,
        settings,
        now,
        version: "1",
        started_at: moment(),
        timeline_start: moment(),
        inside,
    };
    let without = House { routes: router(Arc::new(view), Access::Control), desk: FakeDesk::new(garden()) };
    assert_eq!(without.get("/api/v1/plan").await.status, 409);
    assert_eq!(without.get("/api/v1/renewals").await.json()["items"], serde_json::json!([]));
    let body = r#"{"resource_id": "r-early"}"#;
    assert_eq!(without.ask(Method::POST, "/api/v1/renewals", body).await.status, 409);
    assert!(!without.get("/").await.body.contains("id=\"renewals\""));
}

#[tokio::test]
async fn a_mode_that_only_plans_takes_no_orders_on_pages() {
    let mut garden = Garden::new();
    garden.policy.mode = RenewalMode::Plan;
    garden.add("r-1", 10);
    garden.attempt("r-1", AttemptState::Announced, By::Rule);
    let house = House::new(Access::Control, garden);
    let item = house.get("/api/v1/renewals").await.json()["items"][0].clone();
    for (member, want) in [("can_approve", false), ("can_order", false), ("can_reject", true)] {
        assert_eq!(item[member], want, "{member}");
    }
}
