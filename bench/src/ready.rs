//! The least that a server can do: the bytes of two files, ready in memory, by hyper alone.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

pub fn main(plain: &str, gzip: &str) {
    let read = |path| Bytes::from(std::fs::read(path).expect("a file"));
    let (plain, gzip) = (read(plain), read(gzip));
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("bound"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a connection");
            let (plain, gzip) = (plain.clone(), gzip.clone());
            tokio::spawn(async move {
                let answer = service_fn(|request| answer(request, plain.clone(), gzip.clone()));
                // A reader that goes early is the reader's affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    plain: Bytes,
    gzip: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let zipped = request.headers().contains_key(ACCEPT_ENCODING);
    let mut response = Response::new(Full::new(if zipped { gzip } else { plain }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, "text/plain; version=0.0.4".parse().expect("a value"));
    if zipped {
        headers.insert(CONTENT_ENCODING, "gzip".parse().expect("a value"));
    }
    Ok(response)
}
