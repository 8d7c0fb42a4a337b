//! `/metrics` as HTTP: which part and which form a reader gets, and how its blocks go out.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tracing::error;

use super::query::{Given, is_not, matcher};
use super::refusal::Refusal;
use super::view::{View, ViewSettings};
use super::{AppState, answers};
use crate::domain::matcher::{LabelSet, Matcher};
use crate::metrics::selection::{AccountLabels, Part, Selection};
use crate::metrics::{CONTENT_TYPE as TEXT_FORMAT, GzipPage, Inflated, NotMade, RenderingFailed};

/// So many expressions, and so many patterns in all of them: each may have to be matched with everything that is known.
const MATCHERS: usize = 8;

/// What `/metrics` is made from.
#[derive(Clone)]
pub(super) struct Scraped {
    pub(super) state: AppState,
    pub(super) view: Arc<View>,
}

/// `/metrics`.
pub(super) async fn metrics(
    State(scraped): State<Scraped>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match selection(query.as_deref(), &scraped.view) {
        Ok(None) => whole(&scraped.state, &headers).await,
        Ok(Some(selection)) => part(&scraped.state, selection, &headers).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// What is asked for; `None`: everything.
fn selection(query: Option<&str>, view: &View) -> Result<Option<Selection>, Refusal> {
    const MANY: [&str; 2] = ["match", "part"];
    let mut given = Given::read_repeated(query, &MANY, &MANY);
    let matchers = given.take_all("match", |text| matcher(text, LabelSet::RESOURCE));
    if matchers.len() > MATCHERS || matchers.iter().map(Matcher::patterns).sum::<usize>() > MATCHERS {
        return Err(Refusal::bad_request(format!(
            "parameter `match` is given too often, or has too many patterns: {MATCHERS} at most"
        )));
    }
    let parts = given.take_all("part", parts).concat();
    let parts = Some(parts).filter(|parts| !parts.is_empty());
    let accounts = Arc::clone(&view.settings.borrow());
    let (parts, matchers) = given.finish((parts, matchers))?;
    let selection = Selection::new(parts, matchers, accounts)
        .map_err(|error| Refusal::bad_request(format!("parameter {error}")))?;
    Ok(Some(selection).filter(|selection| !selection.is_everything()))
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let part = |word: &str| Part::ALL.into_iter().find(|part| part.as_str() == word);
    let possible =
        || format!("{}, or several of them joined by commas", Part::ALL.map(Part::as_str).join(", "));
    text.split(',').map(|word| part(word).ok_or_else(|| is_not(word, possible()))).collect()
}

impl AccountLabels for ViewSettings {
    fn label(&self, account: &str, key: &str) -> Option<&str> {
        self.accounts.get(account)?.labels.get(key).map(|value| &**value)
    }
}

async fn whole(state: &AppState, headers: &HeaderMap) -> Response {
    let snapshot = Arc::clone(&state.snapshot.borrow());
    let now = (state.now)();
    let answer = if accepts_gzip(headers) {
        state.metrics.gzip(&snapshot, now).await.map(gzip)
    } else {
        let plain = state.metrics.plain(snapshot, now).await;
        plain.map(|blocks| page(Body::new(Blocks { blocks, left: None })))
    };
    answer.unwrap_or_else(|error| defect(&error))
}

async fn part(state: &AppState, selection: Selection, headers: &HeaderMap) -> Response {
    let snapshot = Arc::clone(&state.snapshot.borrow());
    match state.metrics.selected(&snapshot, selection, (state.now)()).await {
        Ok(made) if accepts_gzip(headers) => gzip(made),
        Ok(made) => page(Body::new(Blocks { blocks: Inflated::new(made), left: None })),
        Err(error @ NotMade::TooMany) => Refusal::unavailable(error.to_string()).into_response(),
        Err(NotMade::Failed(error)) => defect(&error),
    }
}

fn defect(error: &RenderingFailed) -> Response {
    error!(%error, cause = ?error.source(), "a scrape was not answered");
    answers::problem(StatusCode::INTERNAL_SERVER_ERROR, "a defect of notafter; its log says more")
}

fn gzip(gzip: GzipPage) -> Response {
    let left = Some(gzip.len());
    let mut response = page(Body::new(Blocks { blocks: gzip.into_blocks(), left }));
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

fn page(body: Body) -> Response {
    let mut response = Response::new(body);
    // Room for these and the common ones at once.
    response.headers_mut().reserve(8);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// A body out of blocks that are there, or are made, when the reader is ready for them.
struct Blocks<I> {
    blocks: I,
    /// How many bytes are still to come, where that is known.
    left: Option<u64>,
}

impl<I: Iterator<Item = Bytes> + Unpin> http_body::Body for Blocks<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let block = self.blocks.next();
        if let (Some(block), Some(left)) = (&block, &mut self.left) {
            *left = left.saturating_sub(block.len() as u64);
        }
        Poll::Ready(block.map(|block| Ok(Frame::data(block))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Whether gzip is wanted, at least as much as no encoding at all (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for item in values.flat_map(|value| value.split(',')) {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let quality = quality(parameters);
        let coding = coding.trim().to_ascii_lowercase();
        match coding.as_str() {
            "gzip" | "x-gzip" => gzip = Some(quality),
            "identity" => identity = Some(quality),
            "*" => any = Some(quality),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// The weight of an item, 1 where it has none, 0 where it cannot be understood.
fn quality(parameters: &str) -> f32 {
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::web::inside::Inside;

    fn asked(query: &str) -> Result<Option<Selection>, Refusal> {
        let view = View {
            snapshot: watch::channel(Arc::default()).1,
            settings: watch::channel(Arc::default()).1,
            now: Box::new(chrono::Utc::now),
            version: "test",
            started_at: chrono::DateTime::UNIX_EPOCH,
            timeline_start: chrono::DateTime::UNIX_EPOCH,
            inside: Inside::default(),
        };
        selection(Some(query), &view)
    }

    #[test]
    fn parts_are_asked_for_by_word_and_by_expression() {
        for (query, want) in [
            ("", None),
            ("match=&part=", None),
            ("part=resources,scopes,daemon", None),
            ("part=scopes&part=daemon", Some(&[Part::Scopes, Part::Daemon][..])),
            ("part=daemon,scopes,scopes", Some(&[Part::Scopes, Part::Daemon])),
            ("match=cloud_service=\"redis\"", Some(&[Part::Resources, Part::Scopes])),
            (
                "match=cloud_service%3D%22redis%22&match=label:team=\"dba\"",
                Some(&[Part::Resources, Part::Scopes]),
            ),
            ("match=cloud_service=\"redis\",tag:env=\"x\"", Some(&[Part::Resources])),
            ("match=cloud_service=\"redis\"&match=tag:env=\"x\"", Some(&[Part::Resources])),
            ("match=cloud_service=\"redis\"&part=scopes", Some(&[Part::Scopes])),
        ] {
            let selection = asked(query).unwrap_or_else(|refusal| panic!("{query}: {}", refusal.detail));
            let parts: Option<Vec<Part>> =
                selection.map(|found| Part::ALL.into_iter().filter(|part| found.has(*part)).collect());
            assert_eq!(parts.as_deref(), want, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_said_precisely() {
        for (query, want) in [
            ("mach=x", "unknown parameter `mach`, did you mean `match`? possible: match, part"),
            (
                "part=scope",
                "parameter `part` is `scope`, possible: resources, scopes, daemon, or several of them joined by commas",
            ),
            ("match=redis", "parameter `match` asks for an unknown label `redis`"),
            ("match=cert_role=\"ca\"", "cannot ask for `cert_role` here"),
            ("match=%FF", "parameter `match` is not UTF-8 text"),
            (
                "match=cloud_service=\"redis\"&part=daemon",
                "parameter `part=daemon` is the same whatever `match` says: ask for it without `match`",
            ),
            (
                "match=resource_id=\"r-1\"&part=resources,scopes",
                "parameter `match` asks for `resource_id`, which series of scopes do not have",
            ),
        ] {
            let refusal = asked(query).map(|_| ()).expect_err(query);
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(refusal.detail.contains(want), "{query}: {}", refusal.detail);
        }
    }

    #[test]
    fn gzip_is_sent_to_those_who_want_it() {
        for (name, values, want) in [
            ("nothing said", &[][..], false),
            ("nothing wanted", &[""], false),
            ("gzip", &["gzip"], true),
            ("a browser", &["gzip, deflate, br, zstd"], true),
            ("capitals and spaces", &[" deflate ,\tGZip "], true),
            ("its old name", &["x-gzip"], true),
            ("over two headers", &["br", "gzip"], true),
            ("with a weight", &["gzip;q=0.5"], true),
            ("with a weight and spaces", &["gzip ; Q = 0.001"], true),
            ("refused", &["gzip;q=0"], false),
            ("refused precisely", &["gzip;q=0.000"], false),
            ("anything", &["*"], true),
            ("anything else", &["*, gzip;q=0"], false),
            ("nothing else", &["gzip, *;q=0"], true),
            ("anything refused", &["*;q=0"], false),
            ("others", &["br, deflate, gzipped"], false),
            ("better plain", &["identity, gzip;q=0.5"], false),
            ("better gzip", &["identity;q=0.5, gzip"], true),
            ("a weight that is none", &["gzip;q=x"], false),
            ("a parameter that is not a weight", &["gzip;level=1"], true),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(accepts_gzip(&headers), want, "{name}");
        }
    }
}
