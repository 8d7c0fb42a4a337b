//! What a connection tells the doorkeeper by its bodies: when a request is whole, and when an answer was handed over.
//! A request that is not whole in time is given up.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::doorkeeper::Visit;

/// The body of a request. Its visitor is waited for until all of it is here.
pub(super) struct Asked<B> {
    body: B,
    visit: Arc<Visit>,
    whole: bool,
    /// Not there for a body that was whole from the start, as nearly all are.
    alarm: Option<Pin<Box<Sleep>>>,
    late: Arc<AtomicBool>,
}

/// Says whether a body did not come in time.
#[derive(Debug, Clone)]
pub(super) struct Late(Arc<AtomicBool>);

/// The body of an answer.
pub(super) struct Answered<B> {
    body: B,
    visit: Arc<Visit>,
}

impl<B: HttpBody> Asked<B> {
    /// `limit` is the time for the whole body. `None` beside it: it is whole already.
    pub(super) fn new(body: B, visit: Arc<Visit>, limit: Duration) -> (Self, Option<Late>) {
        visit.asks();
        let whole = body.is_end_stream();
        if whole {
            visit.is_served();
            return (Self { body, visit, whole, alarm: None, late: Arc::default() }, None);
        }
        let (alarm, late) = (Some(Box::pin(sleep(limit))), Arc::new(AtomicBool::new(false)));
        (Self { body, visit, whole, alarm, late: Arc::clone(&late) }, Some(Late(late)))
    }
}

impl Late {
    /// It was given up.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B> HttpBody for Asked<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let Some(alarm) = &mut self.alarm else { return Poll::Pending };
            ready!(alarm.as_mut().poll(cx));
            self.late.store(true, Ordering::Relaxed);
            let late = io::Error::new(io::ErrorKind::TimedOut, "the body did not come in time");
            return Poll::Ready(Some(Err(late.into())));
        };
        if !self.whole && (frame.is_none() || self.body.is_end_stream()) {
            self.whole = true;
            self.visit.is_served();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Answered<B> {
    pub(super) fn new(body: B, visit: Arc<Visit>) -> Self {
        Self { body, visit }
    }
}

impl<B: HttpBody + Unpin> HttpBody for Answered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Answered<B> {
    fn drop(&mut self) {
        self.visit.is_answered();
    }
}
