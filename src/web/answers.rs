//! The short answers, and what all answers have in common.

use std::any::Any;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use bytes::Bytes;
use http_body_util::Limited;
use tokio::time::timeout;
use tower::Service;
use tracing::error;

use super::AppState;
use super::refusal::Refusal;

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

/// Has a request answered by the routes, whatever happens there: in time, after a panic, with the common headers.
///
/// Not as layers of the router: each of those costs every scrape about five allocations.
pub(super) async fn answer<B>(mut routes: Router, request: Request<B>) -> Result<Response, Infallible>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let request = request.map(|body| Limited::new(body, BODY));
    let response = match timeout(BEGIN, unless_panicked(routes.call(request))).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_)) => {
            // The panic itself was told by the panic hook; the reader learns nothing of our inside.
            error!("a request was not answered because of a defect");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "a defect of notafter; its log says more")
        }
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long to begin"),
    };
    Ok(dressed(response))
}

/// With the common headers.
pub(super) fn dressed(mut response: Response) -> Response {
    response.headers_mut().reserve(HEADERS.len());
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
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
    Refusal { status, detail: detail.to_owned() }.into_response()
}

/// Where no route leads.
pub(super) async fn not_found(uri: Uri) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is nothing at {}", uri.path()))
}

/// A route with another method than it has; the router adds `Allow`.
pub(super) async fn method_not_allowed() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not answer that method; see the header Allow")
}

async fn unless_panicked<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    // What the future left half done is dropped with it.
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::header::CONTENT_TYPE;
    use axum::routing::{get, post};

    use super::*;

    async fn ask(request: Request<Body>) -> (StatusCode, String, Response<()>) {
        let routes = Router::new()
            .route("/broken", get(async || -> &'static str { panic!("secret inside") }))
            .route("/slow", get(async || tokio::time::sleep(Duration::from_hours(1)).await))
            .route("/own", get(async || [(CACHE_CONTROL, "max-age=60")]))
            .route("/length", post(async |body: Bytes| body.len().to_string()))
            .fallback(not_found);
        let (parts, body) = answer(routes, request).await.expect("always an answer").into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        (parts.status, text, Response::from_parts(parts, ()))
    }

    fn for_path(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).expect("a request")
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_shows_nothing() {
        let (status, text, answer) = ask(for_path("/broken")).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_is_given_up() {
        assert_eq!(ask(for_path("/slow")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn an_answer_may_have_its_own_headers() {
        let (_, _, answer) = ask(for_path("/own")).await;
        assert_eq!(answer.headers().get_all(CACHE_CONTROL).iter().collect::<Vec<_>>(), ["max-age=60"]);
        assert_eq!(answer.headers()[REFERRER_POLICY], "no-referrer");
    }

    #[tokio::test]
    async fn a_problem_is_json_whatever_is_asked_for() {
        let (status, text, _) = ask(for_path("/%22%0A'x")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let problem: serde_json::Value = serde_json::from_str(&text).expect("json");
        assert_eq!((&problem["status"], &problem["title"]), (&404.into(), &"Not Found".into()));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_refused_beyond() {
        for (length, want) in
            [(0, StatusCode::OK), (BODY, StatusCode::OK), (BODY + 1, StatusCode::PAYLOAD_TOO_LARGE)]
        {
            let request = Request::post("/length").body(Body::from(vec![0; length])).expect("a request");
            assert_eq!(ask(request).await.0, want, "{length}");
        }
    }
}
