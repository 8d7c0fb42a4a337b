//! Accepts connections, bounds what they may cost, and lets them end well.
//!
//! Knows no paths: it hands requests to a router, past the `guard`. A connection needs one of a fixed number of places
//! (`doorkeeper`) from its first moment on, has to end its TLS handshake and to bring a whole head in time (`head`), a
//! body too (`visit`), and has to read what it is sent (`stall`). hyper's own HTTP/1 connection is used and not the one
//! that guesses the protocol: that one would wait for a silent client for ever.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::net::sockopt::set_socket_reuseport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::answers;
use super::doorkeeper::{Doorkeeper, Visit};
use super::guard::Guard;
use super::peer::Peer;
use super::stall::StallGuard;
use super::visit::{Answered, Asked};
use crate::shutdown::Shutdown;

/// So many connections may wait to be accepted: whoever does not fit in tries again only after a second. The kernel has a
/// limit of its own, usually the same.
const BACKLOG: u32 = 4096;
/// Who was let in at the last moment before a stop has this long to say what he wants. With a socket that outlives us
/// everybody else waits for the next process, and nobody is turned away.
const LAST_WORD: Duration = Duration::from_millis(150);

/// What a connection may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// So many at once. The control socket has as many beside the web port; each is an open file, so both together, and
    /// what clouds, channels and the store need, take more than the 1024 that a process may have unless somebody says
    /// otherwise: the unit does (`LimitNOFILE=`). Where none are left, nobody is accepted for a moment.
    pub connections: usize,
    /// A request's head has to be whole after this, and before it the handshake; an idle connection ends after it.
    pub head: Duration,
    /// A request's body has to be whole this long after its head.
    pub body: Duration,
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
            body: Duration::from_secs(10),
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
#[allow(clippy::unused_async)] // only within a runtime can a listener be made
pub async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    listen_on(addresses)
}

/// The same for those who are within a runtime already.
pub fn listen_on(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for &address in addresses {
        listeners.push(listen(address).map_err(|source| BindError { address, source })?);
    }
    Ok(listeners)
}

/// The same where some of them are to take the place of what we listen on: `0.0.0.0:9809` and `127.0.0.1:9809` exclude
/// each other, and there shall be no moment without any. `leaving` is what will be let go.
pub fn listen_in_place_of(
    addresses: &[SocketAddr],
    leaving: &[(SocketAddr, Arc<TcpListener>)],
) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let listener = listen(address).or_else(|error| {
            let ours = leaving.iter().filter(|(other, _)| overlap(*other, address));
            let ours: Vec<_> = ours.map(|(_, listener)| &**listener).collect();
            if error.kind() != io::ErrorKind::AddrInUse || ours.is_empty() {
                return Err(error);
            }
            listen_beside(address, &ours)
        });
        listeners.push(listener.map_err(|source| BindError { address, source })?);
    }
    Ok(listeners)
}

/// Whether the system takes one for a part of the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_all = |address: SocketAddr| address.ip().to_canonical().is_unspecified();
    one.port() == other.port() && (one.ip() == other.ip() || is_all(one) || is_all(other))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// For as long as it takes all of them say that they share the port: only then does the system allow it.
fn listen_beside(address: SocketAddr, ours: &[&TcpListener]) -> io::Result<TcpListener> {
    let share = |yes: bool| ours.iter().try_for_each(|listener| set_socket_reuseport(listener, yes));
    let listen = || {
        share(true)?;
        let socket = socket(address)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        set_socket_reuseport(&listener, false)?;
        Ok(listener)
    };
    let listener = listen();
    share(false)?;
    listener
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The port of a daemon that has just ended can be taken at once.
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

/// Answers everybody, in plain text, until the shutdown is requested and the answers under way have ended, or had their
/// time.
pub async fn serve<L: Accept>(listeners: Vec<L>, app: Router, limits: Limits, shutdown: Shutdown) {
    serve_guarded(listeners, app, Guard::default(), limits, shutdown).await;
}

/// The same behind a guard.
pub async fn serve_guarded<L: Accept>(
    listeners: Vec<L>,
    app: Router,
    guard: Guard,
    limits: Limits,
    shutdown: Shutdown,
) {
    let (_shown, served) = watch::channel(Arc::new(Served { app, guard }));
    let port = Port::new(served, limits);
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (port, shutdown) = (port.clone(), shutdown.clone());
        loops.spawn(async move { port.serve(listener, shutdown).await });
    }
    loops.join_all().await;
}

/// What answers on a port.
pub struct Served {
    /// The routes.
    pub app: Router,
    /// What stands before them.
    pub guard: Guard,
}

/// All listeners of a port: they share the places for connections, and what answers. What answers may be replaced at any
/// time: the next request is answered by the new one, also on connections that are open. Clones are the same port.
#[derive(Clone)]
pub struct Port(Arc<House>);

impl Port {
    /// A port that nobody listens for yet.
    pub fn new(served: watch::Receiver<Arc<Served>>, limits: Limits) -> Self {
        let door = Doorkeeper::new(limits.connections);
        Self(Arc::new(House { served, door, limits }))
    }

    /// Accepts connections until asked to stop and the answers under way have ended, or had their time.
    pub async fn serve<L: Accept>(&self, listener: L, shutdown: Shutdown) {
        accept(listener, Arc::clone(&self.0), shutdown).await;
    }
}

/// Where connections come from.
pub trait Accept: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next one, and says who it is.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = Self::accept(self).await?;
        // The end of an answer shall not wait for the reader's acknowledgement of its beginning.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection keeps its delay");
        }
        Ok((stream, Peer::of(address.ip())))
    }
}

impl<L: Accept> Accept for Arc<L> {
    type Stream = L::Stream;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send {
        L::accept(self)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        Self::accept(self).await.map(|(stream, _)| (stream, Peer::LOCAL))
    }
}

/// What all connections share.
struct House {
    served: watch::Receiver<Arc<Served>>,
    door: Arc<Doorkeeper>,
    limits: Limits,
}

async fn accept(listener: impl Accept, house: Arc<House>, shutdown: Shutdown) {
    let (graceful, closed) = (GracefulShutdown::new(), CancellationToken::new());
    loop {
        let next = tokio::select! {
            biased;
            () = shutdown.requested() => break,
            next = next(&listener, &house.door) => next,
        };
        match next {
            Ok((stream, visit)) => {
                let (watcher, shutdown, closed) = (graceful.watcher(), shutdown.clone(), closed.clone());
                let guest = Guest { visit, watcher, shutdown, closed };
                tokio::spawn(guest.converse(stream, Arc::clone(&house)));
            }
            Err(error) => {
                // Out of files, usually. It passes, or somebody reads the log.
                warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    drain(graceful, &house.limits, &closed).await;
}

/// The connection comes before the place, so that a silent visitor leaves only for somebody who is really there.
async fn next<L: Accept>(listener: &L, door: &Arc<Doorkeeper>) -> io::Result<(L::Stream, Arc<Visit>)> {
    let (stream, peer) = listener.accept().await?;
    Ok((stream, door.place(peer).await))
}

/// One connection, beside its stream.
struct Guest {
    visit: Arc<Visit>,
    watcher: Watcher,
    shutdown: Shutdown,
    /// The time for answers under way is over.
    closed: CancellationToken,
}

impl Guest {
    async fn converse<S>(self, stream: S, house: Arc<House>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (leave, closed) = (self.visit.asked_to_leave(), self.closed.clone());
        let stream = StallGuard::new(stream, house.limits.stall).telling(Arc::clone(&self.visit));
        tokio::select! {
            () = self.shake_hands(stream, Arc::clone(&house)) => {}
            () = leave.cancelled() => debug!("a connection that was waited for had to make room for another one"),
            () = closed.cancelled() => {}
        }
    }

    /// A handshake is waited for here, in the task of its connection, so that it holds up nobody else.
    async fn shake_hands<S>(self, stream: S, house: Arc<House>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tls = house.now().guard.tls.clone();
        let Some(tls) = tls else { return self.talk(stream, house).await };
        let handshake = timeout(house.limits.head, TlsAcceptor::from(tls.current()).accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = last_word(&self.shutdown) => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.talk(stream, house).await,
            Ok(Err(error)) => debug!(peer = %self.visit.peer(), %error, "a TLS handshake failed"),
            Err(_) => debug!(peer = %self.visit.peer(), "a TLS handshake took too long"),
        }
    }

    async fn talk<S>(self, stream: S, house: Arc<House>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { visit, watcher, .. } = self;
        let limits = &house.limits;
        let service = service_fn(|request| house.answer(request, Arc::clone(&visit)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(limits.head_bytes)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            debug!(%error, "a connection ended early");
        }
    }
}

impl House {
    /// What answers now.
    fn now(&self) -> Arc<Served> {
        Arc::clone(&self.served.borrow())
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        visit: Arc<Visit>,
    ) -> Result<Response<Answered<Body>>, Infallible> {
        let (head, body) = request.into_parts();
        let (body, late) = Asked::new(body, Arc::clone(&visit), self.limits.body);
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(visit.peer());
        let served = self.now();
        let answer = match served.guard.admit(&mut request, visit.peer()).await {
            Ok(()) => answers::answer(served.app.clone(), request).await?,
            Err(outside) => answers::dressed(outside),
        };
        let answer = match late {
            Some(late) if late.is_given_up() => answers::dressed(answers::problem(
                StatusCode::REQUEST_TIMEOUT,
                "the body of the request did not come in time",
            )),
            _ => answer,
        };
        Ok(served.guard.announce(answer).map(|body| Answered::new(body, visit)))
    }
}

async fn last_word(shutdown: &Shutdown) {
    shutdown.requested().await;
    sleep(LAST_WORD).await;
}

async fn drain(graceful: GracefulShutdown, limits: &Limits, closed: &CancellationToken) {
    let open = graceful.count();
    if open > 0 {
        // hyper closes at once what has not asked yet
        sleep(LAST_WORD).await;
    }
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(limits.drain) => {
            warn!(open, "answers under way are cut off");
            closed.cancel();
        }
    }
}
