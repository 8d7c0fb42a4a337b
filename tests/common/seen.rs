//! What anybody can get to see: the pages of the daemon over a running poll loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use notafter::domain::snapshot::Snapshot;
use notafter::metrics::MetricsPage;
use notafter::telemetry::Telemetry;
use notafter::web::inside::Inside;
use notafter::web::view::View;
use notafter::web::{self, AppState};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{Watch, quick};

/// The metrics page as text.
pub(crate) async fn metrics_page(telemetry: Arc<Telemetry>, snapshot: Arc<Snapshot>) -> String {
    let page = MetricsPage::new(telemetry, quick(), Utc::now());
    let page = page.plain(snapshot, Utc::now()).await.expect("rendered");
    String::from_utf8(page.flat_map(|block| block.to_vec()).collect()).expect("UTF-8")
}

/// Samples of one family on the metrics page, by the values of these labels.
pub(crate) fn samples<const N: usize>(
    page: &str,
    family: &str,
    labels: [&str; N],
) -> BTreeMap<[String; N], String> {
    let label = |line: &str, label: &str| {
        let rest = line.split_once(&format!("{label}=\"")).map(|(_, rest)| rest).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let mut found = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with(&format!("{family}{{"))) {
        let value = line.rsplit(' ').next().unwrap_or_default().to_owned();
        let key = labels.map(|name| label(line, name));
        assert!(found.insert(key, value).is_none(), "twice on the page: {line}");
    }
    found
}

/// Every place where something about the clouds can be read now, with its name: pages, lists, metrics, `Debug` text.
pub(crate) async fn everything<C>(watch: &Watch<C>, moment: &str) -> Vec<(String, String)> {
    let view = View {
        snapshot: watch.receiver(),
        settings: watch::channel(Arc::default()).1,
        now: Box::new(Utc::now),
        version: "test",
        started_at: DateTime::UNIX_EPOCH,
        timeline_start: DateTime::UNIX_EPOCH,
        inside: Inside::default(),
    };
    let metrics = Arc::new(MetricsPage::new(Arc::clone(&watch.telemetry), quick(), Utc::now()));
    let state = AppState { snapshot: watch.receiver(), metrics, now: Arc::new(Utc::now) };
    let router = web::router(state, Arc::new(view));
    let mut seen = vec![(format!("the snapshot's Debug form, {moment}"), format!("{:?}", watch.snapshot()))];
    for path in ["/", "/?stage=all", "/metrics", "/api/v1/certificates?state=all&limit=500", "/api/v1/scopes"]
    {
        let request = axum::http::Request::get(path).body(Body::empty()).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        seen.push((format!("{path}, {moment}"), String::from_utf8_lossy(&body).into_owned()));
    }
    seen
}
