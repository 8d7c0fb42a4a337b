//! The short answers, and what all answers have in common.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::error;

use super::AppState;

/// No answer takes longer to begin, unless something is broken.
const BEGIN: Duration = Duration::from_secs(30);
/// No request needs a longer body.
const BODY: usize = 64 * 1024;

/// On every answer that does not say otherwise. Nothing is loaded, framed, sent on or kept: what is shown here names
/// databases.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The routes with everything that holds for all of them.
pub(super) fn dressed<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // All in one, outermost first: the router boxes what it is given, and copies each box for each request.
        .layer((
            map_response(with_headers),
            CatchPanicLayer::custom(panicked),
            TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, BEGIN),
            DefaultBodyLimit::max(BODY),
        ))
}

/// `/-/healthy`.
pub(super) async fn healthy() -> &'static str {
    "healthy\n"
}

/// `/-/ready`. Never depends on the clouds being well.
pub(super) async fn ready(State(state): State<AppState>) -> Response {
    let snapshot = Arc::clone(&state.snapshot.borrow());
    if snapshot.is_ready() {
        "ready\n".into_response()
    } else {
        problem(StatusCode::SERVICE_UNAVAILABLE, "some scopes had no first attempt yet")
    }
}

/// An answer that says what is wrong, for programs and people (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
    });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn not_found(uri: Uri) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is nothing at {}", uri.path()))
}

/// The router adds `Allow`.
async fn method_not_allowed() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not answer that method; see the header Allow")
}

/// The panic itself is told by the panic hook; the reader learns nothing of our inside.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    error!("a request was not answered because of a defect");
    problem(StatusCode::INTERNAL_SERVER_ERROR, "a defect of notafter; its log says more")
}

async fn with_headers<B>(mut response: Response<B>) -> Response<B> {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn answer(path: &str) -> (StatusCode, String, Response<()>) {
        let routes = Router::<()>::new()
            .route("/broken", get(async || -> &'static str { panic!("secret inside") }))
            .route("/slow", get(async || tokio::time::sleep(Duration::from_hours(1)).await))
            .route("/own", get(async || [(CACHE_CONTROL, "max-age=60")]));
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let (parts, body) = dressed(routes).oneshot(request).await.expect("an answer").into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        (parts.status, text, Response::from_parts(parts, ()))
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_shows_nothing() {
        let (status, text, answer) = answer("/broken").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_is_given_up() {
        assert_eq!(answer("/slow").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn an_answer_may_have_its_own_headers() {
        let (_, _, answer) = answer("/own").await;
        assert_eq!(answer.headers().get_all(CACHE_CONTROL).iter().collect::<Vec<_>>(), ["max-age=60"]);
        assert_eq!(answer.headers()[REFERRER_POLICY], "no-referrer");
    }

    #[tokio::test]
    async fn a_problem_is_json_whatever_is_asked_for() {
        let (status, text, _) = answer("/%22%0A'x").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let problem: serde_json::Value = serde_json::from_str(&text).expect("json");
        assert_eq!((&problem["status"], &problem["title"]), (&404.into(), &"Not Found".into()));
    }
}
