//! Asks the running daemon over its control socket: HTTP over a Unix socket, one request and one answer. What a command
//! does in the place of the daemon is asked in the same way, without a socket.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tower::ServiceExt as _;

/// The daemon begins every answer within half a minute.
const PATIENCE: Duration = Duration::from_mins(1);
/// No answer is longer.
const LONGEST: usize = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Nobody listens.
    #[error(
        "no daemon answers on {}\n  start it with `notafter run`, or say with --socket PATH where it listens ([web] control_socket)",
        .0.display()
    )]
    NoDaemon(PathBuf),
    /// The socket is not for us.
    #[error(
        "{}: permission denied\n  the control socket is for its owner and its group: run this as that user (sudo), or join the group", .0.display()
    )]
    Forbidden(PathBuf),
    /// The connection broke.
    #[error("{}: {source}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The daemon says no, in these words.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What is wrong and what is possible.
        detail: String,
    },
    /// It is no daemon of ours, or of another version.
    #[error("{}: the answer is not understood: {problem}; is it the daemon of another version?", path.display())]
    Odd {
        /// The socket.
        path: PathBuf,
        /// What is odd.
        problem: String,
    },
}

impl ClientError {
    /// Nobody is there, or nobody whom we may ask.
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self, Self::NoDaemon(_))
    }
}

/// What a refusal says (RFC 9457).
#[derive(serde::Deserialize)]
struct Problem {
    detail: String,
}

/// A daemon that may be running, or what stands for it in this process.
#[derive(Clone)]
pub(super) struct Client {
    socket: PathBuf,
    inside: Option<Router>,
}

impl Client {
    /// The daemon that listens there, if one does.
    pub(super) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), inside: None }
    }

    /// These routes, in this process.
    pub(super) fn inside(routes: Router) -> Self {
        Self { socket: "notafter".into(), inside: Some(routes) }
    }

    /// The body of a good answer.
    pub(super) async fn text(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<String, ClientError> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await;
        let (status, text) = asked.unwrap_or_else(|_| Err(self.broken(ErrorKind::TimedOut.into())))?;
        if status.is_success() {
            return Ok(text);
        }
        match serde_json::from_str(&text) {
            Ok(Problem { detail }) => Err(ClientError::Refused { status, detail }),
            Err(_) => Err(self.odd(&format!("status {status}"))),
        }
    }

    /// The value in the body of a good answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<T, ClientError> {
        let text = self.text(method, path, body).await?;
        serde_json::from_str(&text).map_err(|error| self.odd(&error.to_string()))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, String), ClientError> {
        let request = Request::builder().method(method).uri(path).header("host", "notafter");
        let request =
            request.header("connection", "close").body(Full::new(Bytes::from(body.unwrap_or_default())));
        let request = request.map_err(|error| self.odd(&error.to_string()))?;
        if let Some(routes) = self.inside.clone() {
            let Ok(answer) = routes.oneshot(request).await;
            return self.read(answer).await;
        }
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.not_connected(error))?;
        let broken = |error: hyper::Error| self.broken(io::Error::other(error));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(broken)?;
        let read = self.read(answer).await;
        driver.abort();
        read
    }

    /// Status and text of an answer.
    async fn read<B>(&self, answer: Response<B>) -> Result<(StatusCode, String), ClientError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body = body.map_err(|error| self.odd(&error.to_string()))?.to_bytes();
        let text = String::from_utf8(body.to_vec()).map_err(|_| self.odd("it is no text"))?;
        Ok((status, text))
    }

    fn not_connected(&self, error: io::Error) -> ClientError {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NoDaemon(self.socket.clone()),
            ErrorKind::PermissionDenied => ClientError::Forbidden(self.socket.clone()),
            _ => self.broken(error),
        }
    }

    fn broken(&self, source: io::Error) -> ClientError {
        ClientError::Broken { path: self.socket.clone(), source }
    }

    fn odd(&self, problem: &str) -> ClientError {
        ClientError::Odd { path: self.socket.clone(), problem: problem.to_owned() }
    }
}

/// A text as a part of a path or the value of a parameter.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
