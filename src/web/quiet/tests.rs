//! Forms over HTTP, with a real store, a board that follows it, and a desk that does as it is told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

use super::*;
use crate::domain::alert::board::Rules;
use crate::domain::alert::decide::Renewal;
use crate::domain::alert::facts::fingerprint;
use crate::domain::alert::memory::{Memory, Past, Told};
use crate::domain::alert::message::{Kind, Message};
use crate::domain::alert::outbox::Row;
use crate::domain::alert::routing::{ChannelRules, Routing};
use crate::domain::finding::Stage;
use crate::domain::policy::{AlertPolicy, PollPolicy};
use crate::domain::testing::moment;
use crate::notifier::desk::{Answer as DeskAnswer, ChannelStatus, Desk, DeskError, Tested};
use crate::notifier::samples;
use crate::store::{self, Store};
use crate::web::access::Access;
use crate::web::inside::Inside;
use crate::web::rows::rows;
use crate::web::testing::small;
use crate::web::users::UserName;
use crate::web::view::{View, ViewSettings, router};

/// Messages that were given up, and what became of them.
#[derive(Default)]
struct FakeDesk {
    dead: Mutex<Vec<Row>>,
    done: Mutex<Vec<String>>,
}

impl FakeDesk {
    fn settle(&self, what: &str, id: &str) -> bool {
        let mut dead = self.dead.lock().expect("whole");
        let before = dead.len();
        dead.retain(|row| *row.message.id != *id);
        self.done.lock().expect("whole").push(format!("{what} {id}"));
        dead.len() < before
    }
}

impl Desk for FakeDesk {
    fn channels(&self) -> DeskAnswer<'_, Vec<ChannelStatus>> {
        let status = ChannelStatus {
            name: "dba".into(),
            type_name: "slack",
            place: "https://hooks.example".into(),
            replica: false,
            failing: false,
            removed: None,
            down: Vec::new(),
            health: crate::domain::alert::delivery::health::Health::default(),
            queued: 0,
            dead: self.dead.lock().expect("whole").len(),
        };
        Box::pin(async { Ok(vec![status]) })
    }

    fn messages<'a>(
        &'a self,
        _: &'a [LetterState],
        _: usize,
        _: Option<(DateTime<Utc>, &'a str)>,
    ) -> DeskAnswer<'a, Vec<Row>> {
        Box::pin(async { Ok(self.dead.lock().expect("whole").clone()) })
    }

    fn retry<'a>(&'a self, id: &'a str) -> DeskAnswer<'a, bool> {
        Box::pin(async { Ok(self.settle("retry", id)) })
    }

    fn discard<'a>(&'a self, id: &'a str) -> DeskAnswer<'a, bool> {
        Box::pin(async { Ok(self.settle("discard", id)) })
    }

    fn test<'a>(&'a self, _: Option<&'a str>) -> DeskAnswer<'a, Vec<Tested>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn probe(&self, _: Option<&str>) -> Result<(), DeskError> {
        Ok(())
    }
}

fn letter(id: &str) -> Row {
    let message = Message {
        id: id.into(),
        channel: "dba".into(),
        kind: Kind::Test,
        route: "".into(),
        at: moment() - TimeDelta::days(3),
        items: Vec::new(),
        left_out: 0,
        overview: None,
    };
    Row {
        message,
        state: LetterState::Dead,
        attempts: 12,
        parts_done: 0,
        next_at: moment(),
        last_error: Some("HTTP 500: no".into()),
        unanswered: false,
        settled_at: Some(moment()),
    }
}

struct House {
    routes: Router,
    desk: Arc<FakeDesk>,
    store: Arc<Store>,
    holder: store::Holder,
    _folder: tempfile::TempDir,
}

struct Heard {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Heard {
    fn place(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |place| place.to_str().expect("text"))
    }

    /// The hidden fields of the first form that has this action, as a body.
    fn filled(&self, action: &str) -> String {
        let mark = format!("action=\"{action}\"");
        let (_, form) = self.body.split_once(&mark).unwrap_or_else(|| panic!("{action}:\n{}", self.body));
        let form = form.split("</form>").next().expect("a form");
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1).map(|field| {
            let (name, rest) = field.split_once("\" value=\"").expect("a value");
            let value = rest.split('"').next().expect("an end").replace("&#34;", "\"");
            let value =
                percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
            format!("{name}={value}")
        });
        fields.collect::<Vec<_>>().join("&")
    }
}

/// `r-hours` is critical, and a channel was told so five hours ago.
fn memory() -> Memory {
    let snapshot = small();
    let row = rows(&snapshot).find(|row| &*row.resource.id == "r-hours").expect("listed");
    let not_after = row.not_after().expect("read");
    let told = Told { not_after, stage: Stage::Critical, at: moment() - TimeDelta::hours(5) };
    let past = Past {
        facts: samples::facts("a", "r-hours", TimeDelta::days(1)),
        epoch: not_after,
        doubt: None,
        missing: None,
        told: BTreeMap::from([("dba".into(), vec![told])]),
    };
    let mut memory = Memory::default();
    memory
        .certificates
        .insert(fingerprint(row.scope, &row.resource.id, row.role().expect("a certificate")), Arc::new(past));
    memory
}

impl House {
    async fn new(access: Access) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("notafter.db").display());
        let store = Arc::new(Store::open(&url).await.expect("a store"));
        let (holder, handle) = store::handle();
        holder.show(Some(Arc::clone(&store)));
        let channel = ChannelRules { name: "dba".into(), least: Stage::Info, pager: false, replica: false };
        let rules = Rules {
            accounts: BTreeMap::new(),
            alert: AlertPolicy::default(),
            poll: PollPolicy::default(),
            routing: Routing { channels: vec![channel], routes: Vec::new() },
        };
        let board = Board { memory: Arc::new(memory()), at: Some(moment()), ..Board::default() };
        let (show, board) = watch::channel(Arc::new(board));
        let (ask, desk) = (Arc::new(Notify::new()), Arc::new(FakeDesk::default()));
        let (kept, asked) = (Arc::clone(&store), Arc::clone(&ask));
        // the watch loop, as far as a page sees it
        tokio::spawn(async move {
            loop {
                asked.notified().await;
                let silences = kept.silences().await.expect("read").into();
                show.send_modify(|board| *board = Arc::new(Board { silences, ..Board::clone(board) }));
            }
        });
        let alerting = Alerting {
            rules: watch::channel(Arc::new(rules)).1,
            board,
            ask,
            desk: Arc::clone(&desk) as _,
            store: handle.clone(),
            renewal: Arc::new(|_, _| Renewal::default()),
            silence_id: |_| {
                use std::sync::atomic::{AtomicUsize, Ordering};
                static NEXT: AtomicUsize = AtomicUsize::new(1);
                format!("sil_{}", NEXT.fetch_add(1, Ordering::Relaxed)).into()
            },
        };
        let inside = Inside { alerting: Some(alerting), store: Some(handle), ..Inside::default() };
        let view = View {
            snapshot: watch::channel(Arc::new(small())).1,
            settings: watch::channel(Arc::new(ViewSettings::default())).1,
            now: Box::new(moment),
            version: "1.2.3",
            started_at: moment(),
            timeline_start: moment(),
            inside,
        };
        Self { routes: router(Arc::new(view), access), desk, store, holder, _folder: folder }
    }

    async fn ask(&self, method: Method, path: &str, body: &str, user: Option<&str>) -> Heard {
        self.ask_with(method, path, body, user, &[]).await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: &str,
        user: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Heard {
        let mut request = Request::builder().method(method).uri(path).header("host", "notafter");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(user) = user {
            request = request.extension(UserName(user.into()));
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let (head, body) = self.routes.clone().oneshot(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        Heard { status: head.status.as_u16(), headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Heard {
        self.ask(Method::GET, path, "", Some("alice")).await
    }

    async fn post(&self, path: &str, body: &str) -> Heard {
        self.ask(Method::POST, path, body, Some("alice")).await
    }

    async fn silences(&self) -> Vec<SilenceRow> {
        self.store.silences().await.expect("read")
    }
}

const HOURS: &str = "/resource?id=r-hours";

#[tokio::test]
async fn a_certificate_is_acknowledged_until_its_next_stage_and_only_once() {
    let house = House::new(Access::Port).await;
    let page = house.get(HOURS).await;
    assert!(page.body.contains("Acknowledge the server certificate until: expired"), "{}", page.body);
    let body = page.filled("resource") + "&what=server&comment=we+know+%3Cb%3E";
    let done = house.post("/resource", &body).await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert!(done.place().starts_with("resource?id=") && done.place().ends_with("#told"), "{}", done.place());
    assert!(done.place().contains("&done=acknowledged."), "{}", done.place());
    let [kept] = &house.silences().await[..] else { panic!("one silence") };
    assert_eq!((kept.stage, kept.matcher.as_deref()), (Some(Stage::Critical), None));
    assert_eq!((&*kept.author, &*kept.comment), ("alice", "we know <b>"));
    assert_eq!(kept.ends_at, moment() + TimeDelta::hours(30), "its end");
    let page = house.get(&format!("/{}", done.place().replace("#told", ""))).await;
    assert!(page.body.contains("role=\"status\">Acknowledged."), "{}", page.body);
    assert!(!page.body.contains("Acknowledge the server"), "somebody knows already: {}", page.body);
    let again = house.post("/resource", &body).await;
    assert!(again.place().contains("done=stale"), "{}", again.place());
    assert_eq!(house.silences().await.len(), 1);
}

#[tokio::test]
async fn a_resource_is_silenced_for_a_time_with_a_reason() {
    let house = House::new(Access::Port).await;
    for (name, more, want) in [
        ("no reason", "what=silence&for=4h&comment=++", "done=unexplained"),
        ("no such length", "what=silence&for=5h&comment=x", "for how long"),
        ("nothing to be done", "comment=x", "neither acknowledge nor silence"),
        ("a certificate that is not there", "what=chain&comment=x", "neither acknowledge nor silence"),
        ("a seal of another form", "token=00&what=silence&for=4h&comment=x", "done=stale"),
    ] {
        let fields = house.get(HOURS).await.filled("resource");
        // the first of two fields counts
        let told = house.post("/resource", &format!("{more}&{fields}")).await;
        assert!(
            (told.place().to_owned() + &told.body).contains(want),
            "{name}: {} {}",
            told.place(),
            told.body
        );
        assert_eq!(house.silences().await, [], "{name}");
    }
    let fields = house.get(HOURS).await.filled("resource");
    let body = fields + "&what=silence&for=4h&expired=yes&comment=moving";
    let (one, two) = tokio::join!(house.post("/resource", &body), house.post("/resource", &body));
    let told = [one.place(), two.place()];
    for word in ["done=silenced", "done=stale"] {
        assert_eq!(told.iter().filter(|place| place.contains(word)).count(), 1, "{word}: {told:?}");
    }
    let [kept] = &house.silences().await[..] else {
        panic!("one silence, however often the button is pressed")
    };
    assert_eq!(
        kept.matcher.as_deref(),
        Some(
            r#"cloud_provider="alibaba", cloud_account="prod", cloud_project="", cloud_region="cn-hangzhou", cloud_service="redis", resource_id="r-hours""#
        )
    );
    assert_eq!((kept.ends_at, kept.include_expired), (moment() + TimeDelta::hours(4), true));
    let page = house.get(HOURS).await;
    assert!(page.body.contains(&format!("silence {} holds it", kept.id)), "{}", page.body);
}

#[tokio::test]
async fn a_silence_is_ended_from_the_overview() {
    let house = House::new(Access::Port).await;
    let fields = house.get(HOURS).await.filled("resource");
    house.post("/resource", &(fields + "&what=silence&for=7d&comment=moving")).await;
    let overview = house.get("/?lang=zh").await;
    assert!(overview.body.contains("moving"), "{}", overview.body);
    let form = overview.filled("silences?lang=zh");
    let done = house.post("/silences?lang=zh", &form).await;
    assert_eq!(done.status, 303);
    let (link, place) = done.place().split_once('#').expect("a place on the page");
    let link =
        link.strip_prefix("./?done=ended.").and_then(|rest| rest.strip_suffix("&lang=zh")).expect(link);
    assert_eq!(place, "channels");
    assert!(house.silences().await.iter().all(|row| row.ends_at <= moment()));
    let after = house.get(&format!("/?done=ended.{link}&lang=zh")).await;
    assert!(after.body.contains("静默已结束。") && !after.body.contains("moving"), "{}", after.body);
    for foreign in ["ended".to_owned(), format!("ended.{}", "0".repeat(64)), format!("acknowledged.{link}")] {
        let page = house.get(&format!("/?done={foreign}&lang=zh")).await;
        assert!(!page.body.contains("role=\"status\""), "{foreign}: a link says what never happened");
    }
    assert!(house.post("/silences", &form).await.place().contains("done=stale"), "it counts once");
}

#[tokio::test]
async fn a_silence_over_the_api_is_of_who_is_logged_in() {
    let house = House::new(Access::Port).await;
    let wanted = |author: &str| {
        format!(
            "{{\"match\":\"stage=\\\"info\\\"\",\"ends_at\":\"2100-01-01T00:00:00Z\",\"author\":\"{author}\"}}"
        )
    };
    for author in ["bob", "rule", "alice\\u202e", &"a".repeat(101)] {
        let refused = house.post("/api/v1/silences", &wanted(author)).await;
        assert_eq!(refused.status, 400, "{author}: {}", refused.body);
        assert!(refused.body.contains("`author` is "), "{author}: {}", refused.body);
    }
    assert_eq!(house.silences().await, []);
    for author in ["", "alice", " alice "] {
        assert_eq!(house.post("/api/v1/silences", &wanted(author)).await.status, 201, "{author}");
    }
    assert!(house.silences().await.iter().all(|row| &*row.author == "alice"), "{:?}", house.silences().await);

    let house = House::new(Access::Control).await;
    for (author, want) in [("bob", "bob (control socket)"), ("", "control socket")] {
        let added = house.ask(Method::POST, "/api/v1/silences", &wanted(author), None).await;
        assert_eq!(added.status, 201, "{}", added.body);
        assert!(added.body.contains(&format!("\"author\":\"{want}\"")), "{}", added.body);
    }
}

#[tokio::test]
async fn messages_that_were_given_up_are_sent_again_or_dropped() {
    let house = House::new(Access::Port).await;
    for (what, want) in [("retry", "done=retried"), ("discard", "done=dropped")] {
        house.desk.dead.lock().expect("whole").push(letter("evt_1"));
        let overview = house.get("/").await;
        assert!(overview.body.contains("Send again<span"), "{}", overview.body);
        let form = overview.filled("letters");
        let other = form.replace("evt%5F1", "evt%5F2");
        assert!(house.post("/letters", &format!("{other}&what={what}")).await.place().contains("done=stale"));
        assert_eq!(house.post("/letters", &format!("{form}&what=burn")).await.status, 400);
        let done = house.post("/letters", &format!("{form}&what={what}")).await;
        assert!(done.place().contains(want), "{}", done.place());
        assert!(house.post("/letters", &format!("{form}&what={what}")).await.place().contains("done=stale"));
    }
    assert_eq!(*house.desk.done.lock().expect("whole"), ["retry evt_1", "discard evt_1"]);
}

#[tokio::test]
async fn who_may_not_change_anything_sees_no_forms_and_is_refused() {
    let house = House::new(Access::Port).await;
    house.desk.dead.lock().expect("whole").push(letter("evt_1"));
    let forms = [
        ("/resource", house.get(HOURS).await.filled("resource") + "&what=server&comment=x"),
        ("/letters", house.get("/").await.filled("letters") + "&what=retry"),
    ];
    for path in ["/?done=ended", &format!("{HOURS}&done=silenced")] {
        let seen = house.ask(Method::GET, path, "", None).await;
        assert!(!seen.body.contains("method=\"post\"") && !seen.body.contains("name=\"token\""), "{path}");
        assert!(!seen.body.contains("role=\"status\""), "{path}: nothing became of a form");
    }
    for (path, body) in &forms {
        let nobody = house.ask(Method::POST, path, body, None).await;
        assert_eq!(nobody.status, 403, "{path}: {}", nobody.body);
        for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let foreign = house.ask_with(Method::POST, path, body, Some("alice"), &[header]).await;
            assert_eq!(foreign.status, 403, "{path} {header:?}: {}", foreign.body);
        }
    }
    assert_eq!(house.ask(Method::POST, "/silences", "id=sil_1", None).await.status, 403);
    for path in ["/silences", "/letters"] {
        let shown = house.get(path).await;
        assert_eq!((shown.status, shown.body.contains("only answers POST")), (405, true), "{path}");
    }
    assert_eq!(house.silences().await, []);
    assert_eq!(*house.desk.done.lock().expect("whole"), [] as [&str; 0]);
}

#[tokio::test]
async fn over_the_control_socket_people_say_who_they_are_and_a_store_that_is_away_is_said() {
    let house = House::new(Access::Control).await;
    let page = house.ask(Method::GET, HOURS, "", None).await;
    assert!(page.body.contains("name=\"by\""), "{}", page.body);
    let body = page.filled("resource") + "&what=silence&for=1d&comment=x&by=bob";
    house.holder.show(None);
    let away = house.ask(Method::POST, "/resource", &body, None).await;
    assert!(away.place().contains("done=away"), "{} {}", away.place(), away.body);
    house.holder.show(Some(Arc::clone(&house.store)));
    let done = house.ask(Method::POST, "/resource", &body, None).await;
    assert!(done.place().contains("done=silenced"), "the form is still good: {}", done.place());
    assert_eq!(&*house.silences().await[0].author, "bob (control socket)");
}
