//! HTTP/1.1 on a loopback port: hands requests to a simulated cloud and puts its reactions on the wire.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::body::AnswerBody;
use super::reply::{Cloud, Reaction, Reply};

/// Longest body that is read from a request.
const LONGEST_BODY: usize = 1 << 20;

/// Long enough for an answer to be read before the connection is torn down.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// Serves until stopped. A connection that ends badly is the other side's affair.
pub(in crate::sim) async fn serve(listener: TcpListener, cloud: Arc<dyn Cloud>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, cloud.clone(), stop.clone()))),
            // Out of file descriptors, most likely: let some connections end first.
            Err(_) => tokio::time::sleep(LAST_WORDS).await,
        }
    }
}

/// How a connection is to end, told by the request that it carries.
#[derive(Default)]
struct Ending {
    reset: AtomicBool,
    hang_up: Notify,
}

type Served = Pin<Box<dyn Future<Output = io::Result<Response<AnswerBody>>> + Send>>;

async fn connection(stream: TcpStream, cloud: Arc<dyn Cloud>, stop: CancellationToken) {
    // Without it every small answer waits for an acknowledgement; a failure costs speed only.
    let _ = stream.set_nodelay(true);
    let ending = Arc::new(Ending::default());
    let service =
        service_fn(|request| -> Served { Box::pin(respond(cloud.clone(), ending.clone(), request)) });
    let mut connection =
        http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ended = &mut connection => {}
        () = stop.cancelled() => {}
        () = last_words(&ending) => {}
    }
    let stream = connection.into_parts().io.into_inner();
    if ending.reset.load(Ordering::Relaxed) {
        // Makes the system send RST instead of FIN; if it cannot, the connection ends politely.
        let _ = stream.set_zero_linger();
    }
}

async fn last_words(ending: &Ending) {
    ending.hang_up.notified().await;
    tokio::time::sleep(LAST_WORDS).await;
}

async fn respond(
    cloud: Arc<dyn Cloud>,
    ending: Arc<Ending>,
    request: Request<Incoming>,
) -> io::Result<Response<AnswerBody>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    match cloud.react(&parts, &body) {
        Reaction::Reply(reply) => {
            if reply.hang_up {
                ending.reset.store(true, Ordering::Relaxed);
                ending.hang_up.notify_one();
            }
            response(*reply)
        }
        Reaction::Late(wait, reply) => {
            tokio::time::sleep(wait).await;
            response(*reply)
        }
        Reaction::Silence => std::future::pending().await,
        Reaction::Reset => {
            ending.reset.store(true, Ordering::Relaxed);
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
    }
}

fn response(reply: Reply) -> io::Result<Response<AnswerBody>> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = StatusCode::from_u16(reply.status).map_err(io::Error::other)?;
    for (name, value) in reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        let value = HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(io::Error::other)?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
