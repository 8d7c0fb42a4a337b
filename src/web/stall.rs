//! A connection whose reader has stopped reading ends after a while, and with it everything that waits to be sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::doorkeeper::Visit;

/// A stream that fails when nothing of what is written can be sent for a given time.
///
/// It is the time without any progress that counts and not the whole answer, so that a slow line gets a large page;
/// a reader that only takes a byte now and then does not make the kernel's buffer free and is not taken for slow.
#[derive(Debug)]
pub(super) struct StallGuard<I> {
    stream: I,
    limit: Duration,
    /// Who is to know when the other side reads and when it does not.
    visit: Option<Arc<Visit>>,
    /// Kept from one wait to the next: a large page waits for its reader many times.
    alarm: Option<Pin<Box<Sleep>>>,
    /// A write waits, and the alarm runs.
    stalled: bool,
}

impl<I> StallGuard<I> {
    pub(super) fn new(stream: I, limit: Duration) -> Self {
        Self { stream, limit, visit: None, alarm: None, stalled: false }
    }

    /// Tells of the other side's reading.
    pub(super) fn telling(self, visit: Arc<Visit>) -> Self {
        Self { visit: Some(visit), ..self }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if std::mem::take(&mut self.stalled) {
                self.visit.iter().for_each(|visit| visit.reads());
            }
            return written;
        }
        let limit = self.limit;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !std::mem::replace(&mut self.stalled, true) {
            alarm.as_mut().reset(Instant::now() + limit);
            self.visit.iter().for_each(|visit| visit.does_not_read());
        }
        ready!(alarm.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side does not read")))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for StallGuard<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for StallGuard<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        blocks: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, blocks);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        let flushed = self.watch(cx, flushed);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.visit.iter().for_each(|visit| visit.has_all());
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, closed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_is_given_up_after_the_limit() {
        let (ours, _theirs) = duplex(64);
        let mut ours = StallGuard::new(ours, LIMIT);
        let started = Instant::now();
        let error = ours.write_all(&[0; 65]).await.expect_err("given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_gets_everything() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = StallGuard::new(ours, LIMIT);
        let writing = tokio::spawn(async move { ours.write_all(&[7; 640]).await });
        for _ in 0..10 {
            tokio::time::sleep(LIMIT / 2).await;
            theirs.read_exact(&mut [0; 64]).await.expect("read");
        }
        writing.await.expect("ends").expect("written");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_request_is_no_stall() {
        let (ours, _theirs) = duplex(64);
        let mut ours = StallGuard::new(ours, LIMIT);
        assert!(timeout(LIMIT * 3, ours.read_u8()).await.is_err());
    }
}
