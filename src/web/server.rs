//! Accepts connections, bounds what they may cost, and lets them end well.
//!
//! Knows no paths: it hands requests to a router. A connection has to bring a whole head in time (`head`), has to
//! read what it is sent (`stall`), and needs one of a fixed number of places (`doorkeeper`). hyper's own HTTP/1
//! connection is used and not the one that guesses the protocol: that one would wait for a silent client for ever.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::answers;
use super::doorkeeper::{Doorkeeper, Visit};
use super::stall::StallGuard;
use crate::shutdown::Shutdown;

/// What a connection may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// So many at once. Far below the number of files that a process may usually have open (1024).
    pub connections: usize,
    /// A request's head has to be whole after this; an idle connection ends after it.
    pub head: Duration,
    /// Longest head, in bytes.
    pub head_bytes: usize,
    /// A reader has to take something of its answer within this.
    pub stall: Duration,
    /// Answers under way have this long to end when the daemon stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(10),
            head_bytes: 16 * 1024,
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// As configured.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// Takes all addresses, or none. Port 0 takes any free one; `local_addr` of the listener says which.
pub async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let listener = TcpListener::bind(address).await.map_err(|source| BindError { address, source })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Answers until the shutdown is requested and the answers under way have ended, or had their time.
pub async fn serve<L: Accept>(listeners: Vec<L>, app: Router, limits: Limits, shutdown: Shutdown) {
    let house = Arc::new(House {
        app,
        door: Doorkeeper::new(limits.connections),
        limits,
        closed: CancellationToken::new(),
    });
    let mut loops = JoinSet::new();
    for listener in listeners {
        loops.spawn(accept(listener, Arc::clone(&house), shutdown.clone()));
    }
    loops.join_all().await;
}

/// Where connections come from.
pub trait Accept: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next one.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = Self::accept(self).await?;
        // The end of an answer shall not wait for the reader's acknowledgement of its beginning.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection keeps its delay");
        }
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        Self::accept(self).await.map(|(stream, _)| stream)
    }
}

/// What all connections share.
struct House {
    app: Router,
    door: Arc<Doorkeeper>,
    limits: Limits,
    /// The time for answers under way is over.
    closed: CancellationToken,
}

async fn accept(listener: impl Accept, house: Arc<House>, shutdown: Shutdown) {
    let graceful = GracefulShutdown::new();
    loop {
        let next = tokio::select! {
            biased;
            () = shutdown.requested() => break,
            next = next(&listener, &house.door) => next,
        };
        match next {
            Ok((stream, visit)) => {
                tokio::spawn(converse(stream, visit, graceful.watcher(), Arc::clone(&house)));
            }
            Err(error) => {
                // Out of files, usually. It passes, or somebody reads the log.
                warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    drain(graceful, &house).await;
}

/// The connection comes before the place, so that a silent visitor leaves only for somebody who is really there.
async fn next<L: Accept>(listener: &L, door: &Arc<Doorkeeper>) -> io::Result<(L::Stream, Visit)> {
    let stream = listener.accept().await?;
    Ok((stream, door.place().await))
}

async fn converse<S>(stream: S, visit: Visit, watcher: Watcher, house: Arc<House>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &house.limits;
    let leave = visit.asked_to_leave();
    let service = service_fn(|request| {
        visit.speaks();
        answers::answer(house.app.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(StallGuard::new(stream, limits.stall)), service);
    tokio::select! {
        ended = watcher.watch(connection) => {
            if let Err(error) = ended {
                debug!(%error, "a connection ended early");
            }
        }
        () = leave.cancelled() => debug!("a silent connection had to leave for another one"),
        () = house.closed.cancelled() => {}
    }
}

async fn drain(graceful: GracefulShutdown, house: &House) {
    let open = graceful.count();
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(house.limits.drain) => {
            warn!(open, "answers under way are cut off");
            house.closed.cancel();
        }
    }
}
