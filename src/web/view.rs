//! The routes that show what is known: the page, its style, and the lists of the API.
//!
//! Each handler reads its query, has one pure function of snapshot and settings called at the `desk`, and wraps the
//! result.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use tokio::sync::watch;

use crate::domain::identity::Scope;
use crate::domain::policy::{PollPolicy, Thresholds};
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;

use super::access::Access;
use super::context::{AccountInfo, PageContext, Telling};
use super::desk::Desk;
use super::form::Seal;
use super::inside::Inside;
use super::page::query::PageQuery;
use super::page::tongue::Tongue;
use super::query::{CertificatesQuery, ScopesQuery};
use super::quiet::{self, Looks, Tools};
use super::refusal::Refusal;
use super::waiting::{self, WaitingRoom};
use super::{api, calendar, changes, detail, json, operating, page, query, renewals};

/// Nothing but our own style and pictures is loaded, nothing runs, and nobody frames the page.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Decides when a certificate of a resource becomes worth telling.
pub type ThresholdsOf = Box<dyn Fn(&Scope, &Resource) -> Thresholds + Send + Sync>;

/// What the answers are made of. Everything here may change while the daemon runs, but what stands in plain fields.
pub struct View {
    /// What is known.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What is configured; replaced by a reload.
    pub settings: watch::Receiver<Arc<ViewSettings>>,
    /// The clock.
    pub now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Version of the daemon.
    pub version: &'static str,
    /// When the daemon started.
    pub started_at: DateTime<Utc>,
    /// The wall time at which the daemon's timeline ([`Resource::due`]) is zero.
    pub timeline_start: DateTime<Utc>,
    /// What only a running daemon has.
    pub inside: Inside,
}

/// The configured part of a [`View`].
pub struct ViewSettings {
    /// Times are shown in UTC and in this zone.
    pub timezone: Tz,
    /// With overrides applied.
    pub thresholds: ThresholdsOf,
    /// By name.
    pub accounts: BTreeMap<Box<str>, AccountInfo>,
    /// How often is looked.
    pub poll: PollPolicy,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            timezone: Tz::UTC,
            thresholds: Box::new(|_, _| Thresholds::default()),
            accounts: BTreeMap::new(),
            poll: PollPolicy::default(),
        }
    }
}

impl View {
    /// Calls `answer` with everything as it is now.
    fn with<T>(
        &self,
        told: Option<&Telling>,
        tools: Option<&Tools>,
        answer: impl FnOnce(&Snapshot, DateTime<Utc>, &PageContext<'_>) -> T,
    ) -> T {
        // cloned out, so that no lock is held while the answer is made
        let (snapshot, settings) = (Arc::clone(&self.snapshot.borrow()), Arc::clone(&self.settings.borrow()));
        let renewing = self.inside.renewing.as_ref();
        let reading = self.inside.reading.as_ref().map(|reading| Arc::clone(&reading.borrow()));
        let board = renewing.map(|renewing| Arc::clone(&renewing.board.borrow()));
        let context = PageContext {
            version: self.version,
            started_at: self.started_at,
            timeline_start: self.timeline_start,
            timezone: settings.timezone,
            thresholds: &*settings.thresholds,
            account: &|name| settings.accounts.get(name),
            poll: &settings.poll,
            told,
            renewals: board.as_deref(),
            reading: reading.as_deref(),
            tongue: Tongue::default(),
            hands: tools.and_then(Tools::hands),
        };
        answer(&snapshot, (self.now)(), &context)
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) view: Arc<View>,
    pub(super) access: Access,
    desk: Desk,
    pub(super) seal: Arc<Seal>,
}

impl Shown {
    /// Has an answer made of everything as it is when its turn comes.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&Snapshot, DateTime<Utc>, &PageContext<'_>) -> T + Send + 'static,
    ) -> T {
        self.make_with(None, None, answer).await
    }

    /// The same for an answer that shows what is told, or has forms about it.
    pub(super) async fn make_with<T: Send + 'static>(
        &self,
        told: Option<Telling>,
        tools: Option<Tools>,
        answer: impl FnOnce(&Snapshot, DateTime<Utc>, &PageContext<'_>) -> T + Send + 'static,
    ) -> T {
        let view = Arc::clone(&self.view);
        self.desk.make(move || view.with(told.as_ref(), tools.as_ref(), answer)).await
    }
}

/// The routes, to be merged into the table of all.
pub fn router(view: Arc<View>, access: Access) -> Router {
    changes::routes()
        .route("/", read_only(get(show_page)))
        .route("/calendar.ics", read_only(get(calendar::show)))
        .route("/resource", get(detail::show).post(quiet::keep_quiet))
        .route("/assets/style.css", read_only(get(style)))
        .route("/assets/icon.svg", read_only(get(icon)))
        .route("/api/v1/certificates", read_only(get(certificates)))
        .route("/api/v1/scopes", read_only(get(scopes)))
        .route("/api/v1/openapi.json", read_only(get(openapi)))
        .merge(renewals::routes())
        .merge(quiet::routes())
        .merge(operating::routes())
        .route_layer(from_fn_with_state(WaitingRoom::default(), waiting::wait))
        .with_state(Shown { view, access, desk: Desk::default(), seal: Seal::of_this_process() })
}

/// `get` answers HEAD as well; everything else is told what is possible.
pub(super) fn read_only(routes: MethodRouter<Shown>) -> MethodRouter<Shown> {
    routes.fallback(|| async { Refusal::method_not_allowed() })
}

async fn show_page(
    Looks(viewer): Looks,
    State(shown): State<Shown>,
    tongue: Tongue,
    RawQuery(query): RawQuery,
) -> Response {
    let tools = Tools::new(&shown, viewer, query.as_deref());
    let query = PageQuery::parse(query.as_deref());
    let told = shown.view.inside.telling().await;
    let html = shown
        .make_with(told, Some(tools), move |snapshot, now, context| {
            page::page(snapshot, &query, now, &context.speaking(tongue)).render()
        })
        .await;
    written(html)
}

/// A page for people, with what it may load and do.
pub(super) fn written(html: askama::Result<String>) -> Response {
    let Ok(html) = html else {
        let detail = "the page could not be written".to_owned();
        return Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, detail }.into_response();
    };
    let special =
        [(CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "same-origin"), (VARY, "accept-language")];
    (headers("text/html; charset=utf-8", "no-store"), special, html).into_response()
}

async fn certificates(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let query = CertificatesQuery::parse(query.as_deref())?;
    Ok(shown
        .make(move |snapshot, now, context| list(&api::certificates(snapshot, &query, now, context)))
        .await)
}

async fn scopes(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let query = ScopesQuery::parse(query.as_deref())?;
    Ok(shown.make(move |snapshot, now, context| list(&api::scopes(snapshot, &query, now, context))).await)
}

async fn openapi(RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    query::nothing(query.as_deref())?;
    Ok((headers("application/json", "no-cache"), api::OPENAPI).into_response())
}

async fn style(headers: HeaderMap) -> Response {
    asset("text/css; charset=utf-8", page::STYLE, &headers)
}

async fn icon(headers: HeaderMap) -> Response {
    asset("image/svg+xml", page::ICON, &headers)
}

pub(super) fn list(list: &impl Serialize) -> Response {
    (headers("application/json", "no-store"), json::to_text(list)).into_response()
}

/// A part of the binary: the same until the next upgrade, and after that under another link.
fn asset(content_type: &'static str, content: &'static str, request: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", page::version_of(content));
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    let same = known.any(|known| known == tag || known == "*");
    let headers = (headers(content_type, "public, max-age=86400"), [(ETAG, tag)]);
    if same {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers.0, headers.1, content).into_response()
    }
}

pub(super) fn headers(content_type: &'static str, cache: &'static str) -> [(HeaderName, &'static str); 3] {
    [(CONTENT_TYPE, content_type), (CACHE_CONTROL, cache), (X_CONTENT_TYPE_OPTIONS, "nosniff")]
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Method, Request};
    use http_body_util::BodyExt;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;
    use crate::domain::testing::moment;
    use crate::web::testing::small;

    fn view() -> (Arc<View>, watch::Sender<Arc<Snapshot>>, watch::Sender<Arc<ViewSettings>>) {
        let (snapshots, snapshot) = watch::channel(Arc::new(small()));
        let (reloads, settings) = watch::channel(Arc::new(ViewSettings::default()));
        let now = Box::new(moment);
        let (started_at, timeline_start) = (moment(), moment());
        (
            Arc::new(View {
                snapshot,
                settings,
                now,
                version: "1.2.3",
                started_at,
                timeline_start,
                inside: Inside::default(),
            }),
            snapshots,
            reloads,
        )
    }

    async fn ask(
        method: Method,
        path: &str,
        header: Option<(HeaderName, &str)>,
    ) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response =
            router(view().0, Access::Port).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    const PATHS: [(&str, &str); 6] = [
        ("/", "text/html; charset=utf-8"),
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
        ("/api/v1/certificates", "application/json"),
        ("/api/v1/scopes", "application/json"),
        ("/api/v1/openapi.json", "application/json"),
    ];

    #[tokio::test]
    async fn every_path_answers_get_and_head_and_nothing_else() {
        for (path, content_type) in PATHS {
            let (status, headers, body) = ask(Method::GET, path, None).await;
            assert_eq!(
                (status, &headers[CONTENT_TYPE]),
                (StatusCode::OK, &content_type.parse().unwrap()),
                "{path}"
            );
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            assert!(!body.is_empty(), "{path}");
            let (status, headers, nothing) = ask(Method::HEAD, path, None).await;
            assert_eq!((status, &*nothing), (StatusCode::OK, ""), "HEAD {path}");
            assert_eq!(headers["content-length"], body.len().to_string(), "HEAD {path}");
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
                let (status, headers, body) = ask(method.clone(), path, None).await;
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_eq!(headers["allow"], "GET,HEAD", "{method} {path}");
                assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{method} {path}");
                assert!(body.contains("this path only answers GET and HEAD"), "{method} {path}");
            }
        }
    }

    #[tokio::test]
    async fn the_page_ignores_what_it_does_not_know_and_the_api_refuses_it() {
        assert_eq!(ask(Method::GET, "/?utm=1&stage=&x", None).await.0, StatusCode::OK);
        for path in ["/api/v1/certificates?x=1", "/api/v1/scopes?x=1", "/api/v1/openapi.json?x=1"] {
            let (status, headers, body) = ask(Method::GET, path, None).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{path}");
            let problem: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(problem["type"], "about:blank", "{path}");
            assert_eq!(problem["title"], "Bad Request", "{path}");
            assert_eq!(problem["status"], 400, "{path}");
            assert!(
                problem["detail"].as_str().unwrap().starts_with("unknown parameter `x`"),
                "{path}: {body}"
            );
            assert_eq!(problem.as_object().unwrap().len(), 4, "{path}");
        }
    }

    #[tokio::test]
    async fn the_page_may_load_its_own_style_only() {
        let (_, headers, body) = ask(Method::GET, "/", None).await;
        assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'; "));
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert!(body.contains(&format!("assets/style.css?v={}", page::version_of(page::STYLE))));
    }

    #[tokio::test]
    async fn assets_are_sent_once() {
        for path in ["/assets/style.css?v=1", "/assets/icon.svg"] {
            let (_, headers, _) = ask(Method::GET, path, None).await;
            let tag = headers[ETAG].to_str().unwrap().to_owned();
            assert!(tag.starts_with('"'), "{path}: a strong one");
            for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
                let (status, headers, body) = ask(Method::GET, path, Some((IF_NONE_MATCH, &known))).await;
                assert_eq!((status, &*body), (StatusCode::NOT_MODIFIED, ""), "{path} {known}");
                assert_eq!(headers[ETAG], tag, "{path} {known}");
            }
            assert_eq!(
                ask(Method::GET, path, Some((IF_NONE_MATCH, "\"x\""))).await.0,
                StatusCode::OK,
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn new_snapshots_and_settings_are_seen_at_once() {
        let (view, snapshots, reloads) = view();
        let title = || {
            view.with(None, None, |snapshot, now, context| {
                let page = page::page(snapshot, &PageQuery::default(), now, context);
                page.render().unwrap().lines().find(|line| line.starts_with("<title>")).unwrap().to_owned()
            })
        };
        assert_eq!(title(), "<title>1 expired · notafter</title>");
        snapshots.send_replace(Arc::default());
        assert_eq!(title(), "<title>notafter</title>");
        let zone = || view.with(None, None, |_, _, context| context.timezone);
        assert_eq!(zone(), Tz::UTC);
        reloads
            .send_replace(Arc::new(ViewSettings { timezone: Tz::Asia__Shanghai, ..ViewSettings::default() }));
        assert_eq!(zone(), Tz::Asia__Shanghai);
    }
}
