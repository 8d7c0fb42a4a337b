//! A simulated metadata service on a loopback port, in the words of each of the three clouds.
//!
//! It hands out one key, with or without a token (version 2, version 1), or says that there is no role; tests change
//! its mind while it runs. What it was asked is kept.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Whose metadata service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Alibaba Cloud: a token by `PUT`, role, then keys.
    Alibaba,
    /// Huawei Cloud: a token by `PUT`, then keys.
    Huawei,
    /// UCloud: no token.
    UCloud,
}

/// What it says.
#[derive(Clone)]
pub struct Machine {
    /// The role of the machine; `None`: it has none.
    pub role: Option<String>,
    /// The keys of that role: id, secret, token.
    pub keys: [String; 3],
    /// When they end.
    pub expires: DateTime<Utc>,
    /// Answers without a token.
    pub v1: bool,
    /// Hands out tokens.
    pub v2: bool,
    /// UCloud: asked for no role in particular, it names the role instead of giving its keys.
    pub names_role_first: bool,
    /// Everything is answered with this status.
    pub broken: Option<u16>,
}

impl Machine {
    /// A machine with a role; both versions are served.
    pub fn new(role: &str, keys: [&str; 3], expires: DateTime<Utc>) -> Self {
        Self {
            role: Some(role.to_owned()),
            keys: keys.map(str::to_owned),
            expires,
            v1: true,
            v2: true,
            names_role_first: false,
            broken: None,
        }
    }
}

/// A running metadata service; the last clone to go stops it.
#[derive(Clone)]
pub struct Metadata {
    state: Arc<State>,
    address: SocketAddr,
    _stop: Arc<DropGuard>,
}

struct State {
    cloud: Cloud,
    machine: Mutex<Machine>,
    asked: Mutex<BTreeMap<String, usize>>,
}

/// The only token that it hands out.
const TOKEN: &str = "METADATA-TOKEN==";

impl Metadata {
    /// Starts on a free loopback port of the current tokio runtime.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start(cloud: Cloud, machine: Machine) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { cloud, machine: Mutex::new(machine), asked: Mutex::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Ok(Self { state, address, _stop: Arc::new(stop.drop_guard()) })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it says.
    pub fn modify(&self, change: impl FnOnce(&mut Machine)) {
        change(&mut locked(&self.state.machine));
    }

    /// How often each thing was asked (`GET /path`).
    pub fn asked(&self) -> BTreeMap<String, usize> {
        locked(&self.state.asked).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Reply = (StatusCode, String);

async fn answer(Shared(state): Shared<Arc<State>>, method: Method, uri: Uri, headers: HeaderMap) -> Reply {
    *locked(&state.asked).entry(format!("{method} {}", uri.path())).or_default() += 1;
    let machine = locked(&state.machine).clone();
    if let Some(status) = machine.broken.and_then(|status| StatusCode::from_u16(status).ok()) {
        return (status, String::new());
    }
    match state.cloud {
        Cloud::Alibaba => alibaba(&machine, &method, uri.path(), &headers),
        Cloud::Huawei => huawei(&machine, &method, uri.path(), &headers),
        Cloud::UCloud => ucloud(&machine, &method, uri.path()),
    }
}

/// Hands out a token to whoever says how long it is to live; `None`: the request is about something else.
fn token(machine: &Machine, method: &Method, ttl: bool) -> Option<Reply> {
    (*method == Method::PUT).then(|| match (machine.v2, ttl) {
        (false, _) => (StatusCode::NOT_FOUND, String::new()),
        (true, false) => (StatusCode::BAD_REQUEST, String::new()),
        (true, true) => (StatusCode::OK, TOKEN.to_owned()),
    })
}

/// Whether a question without, or with this token, is answered.
fn admitted(machine: &Machine, token: Option<&str>) -> bool {
    match token {
        Some(token) => machine.v2 && token == TOKEN,
        None => machine.v1,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn alibaba(machine: &Machine, method: &Method, path: &str, headers: &HeaderMap) -> Reply {
    const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
    let ttl = header(headers, "x-aliyun-ecs-metadata-token-ttl-seconds").is_some();
    if path == "/latest/api/token"
        && let Some(reply) = token(machine, method, ttl)
    {
        return reply;
    }
    if !admitted(machine, header(headers, "x-aliyun-ecs-metadata-token")) {
        return (StatusCode::FORBIDDEN, "<html>403</html>".to_owned());
    }
    match (path.strip_prefix(ROLES), &machine.role) {
        (Some(""), Some(role)) => (StatusCode::OK, role.clone()),
        (Some(asked), Some(role)) if asked == role => {
            let [id, secret, token] = &machine.keys;
            let ends = machine.expires.to_rfc3339_opts(SecondsFormat::Secs, true);
            good(&json!({"AccessKeyId": id, "AccessKeySecret": secret, "SecurityToken": token,
                "Expiration": ends, "LastUpdated": ends, "Code": "Success"}))
        }
        _ => (StatusCode::NOT_FOUND, "<html>404</html>".to_owned()),
    }
}

fn huawei(machine: &Machine, method: &Method, path: &str, headers: &HeaderMap) -> Reply {
    let ttl = header(headers, "x-metadata-token-ttl-seconds").is_some();
    if path == "/meta-data/latest/api/token"
        && let Some(reply) = token(machine, method, ttl)
    {
        return reply;
    }
    if path != "/openstack/latest/securitykey" {
        return (StatusCode::NOT_FOUND, String::new());
    }
    if !admitted(machine, header(headers, "x-metadata-token")) {
        return (StatusCode::UNAUTHORIZED, "token required".to_owned());
    }
    if machine.role.is_none() {
        return (StatusCode::UNAUTHORIZED, "Cloud Service Agency is not set".to_owned());
    }
    let [access, secret, token] = &machine.keys;
    let ends = machine.expires.to_rfc3339_opts(SecondsFormat::Micros, true);
    good(
        &json!({"credential": {"access": access, "secret": secret, "securitytoken": token, "expires_at": ends}}),
    )
}

fn ucloud(machine: &Machine, method: &Method, path: &str) -> Reply {
    const V1: &str = "/meta-data/v1/uam/security-credentials";
    const V2: &str = "/meta-data/v2/iam/security-credentials/";
    let Some(role) = machine.role.as_ref().filter(|_| *method == Method::GET) else {
        return (StatusCode::NOT_FOUND, String::new());
    };
    let [id, secret, token] = &machine.keys;
    if machine.v2 && path.strip_prefix(V2) == Some(role) {
        let ends = machine.expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        return good(&json!({"RetCode": 0, "AccessKeyId": id, "AccessKeySecret": secret,
            "SecurityToken": token, "Expiration": ends}));
    }
    match path.strip_prefix(V1).map(|rest| rest.trim_start_matches('/')) {
        Some("") if machine.names_role_first => (StatusCode::OK, role.clone()),
        Some(asked) if machine.v1 && (asked.is_empty() || asked == role) => {
            good(&json!({"RetCode": 0, "Data": {"PublicKey": id, "PrivateKey": secret,
                "SecurityToken": token, "ProjectID": "org-sim", "Expiration": machine.expires.timestamp()}}))
        }
        _ => good(&json!({"RetCode": 230, "Message": "Params [Role] not available"})),
    }
}

fn good(body: &Value) -> Reply {
    (StatusCode::OK, body.to_string())
}
