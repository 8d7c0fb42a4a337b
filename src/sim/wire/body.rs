//! Bodies of answers: whole ones, and those that no honest server sends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Long enough for what was written so far to reach the other side.
const DELIVERY: Duration = Duration::from_millis(20);

/// The body of an answer.
pub(in crate::sim) enum AnswerBody {
    /// All of it at once.
    Whole(Bytes),
    /// This much; then the connection ends, though more was promised.
    Cut(Option<Bytes>, Pin<Box<Sleep>>),
    /// Nothing, ever.
    Silent,
    /// A byte a second.
    Drip(Bytes, Pin<Box<Sleep>>),
    /// The first bytes once, the second for ever.
    Endless(Bytes, Bytes),
}

impl AnswerBody {
    /// Ends too early.
    pub(in crate::sim) fn cut(part: Bytes) -> Self {
        Self::Cut(Some(part), Box::pin(sleep(DELIVERY)))
    }

    /// A byte a second.
    pub(in crate::sim) fn drip(bytes: Bytes) -> Self {
        Self::Drip(bytes, Box::pin(sleep(Duration::ZERO)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let data = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => data(std::mem::take(bytes)),
            Self::Cut(part, pause) => match part.take() {
                Some(part) => data(part),
                None => pause.as_mut().poll(context).map(|()| None),
            },
            Self::Silent => Poll::Pending,
            Self::Drip(bytes, pause) => {
                if bytes.is_empty() {
                    return Poll::Ready(None);
                }
                std::task::ready!(pause.as_mut().poll(context));
                *pause = Box::pin(sleep(Duration::from_secs(1)));
                data(bytes.split_to(1))
            }
            Self::Endless(first, rest) if first.is_empty() => data(rest.clone()),
            Self::Endless(first, _) => data(std::mem::take(first)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
