//! The way out: one place that sends requests to clouds.
//!
//! It gives every call its pace, its place among the calls in flight, its time limit and its size limit, counts it,
//! and takes addresses out of errors (an address can carry a signature). It knows no cloud and understands no answer:
//! who calls says how to read one, and what that reading says about throttling comes back to the pace.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::call::{CallError, CallErrorKind};
use crate::clock::Clock;
use crate::domain::pace::Pace;
use crate::secret::{WipedBuffer, wiped};
use crate::telemetry::Telemetry;

mod kept;
mod once;

pub use kept::{Keeping, KeptAnswer, KeptAnswers, Shown};
pub use once::Unanswered;

/// Connect at the latest after this.
const CONNECT: Duration = Duration::from_secs(5);
/// Kept connections are dropped after this; clouds close them at about half a minute.
const IDLE: Duration = Duration::from_secs(25);

/// A service on this machine or on its host answers within this, or is not there.
const NEARBY: Duration = Duration::from_secs(3);
/// Such a service is reached within this.
const NEARBY_CONNECT: Duration = Duration::from_secs(1);

/// Never reached through a proxy of the configuration.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// From this size on an answer is large.
const LARGE: usize = 1024 * 1024;
/// So many large answers are read at the same time, whatever the number of calls in flight.
const LARGE_AT_ONCE: usize = 4;
/// Shorter than the wait of the gate that lets the next probe through.
const SILENCE: Duration = Duration::from_secs(14);

/// Stands for "no answer told a date yet".
const NO_DATE: i64 = i64::MIN;

/// What all accounts share: limits, clock and counters.
#[derive(Debug, Clone)]
pub struct Http {
    /// Calls in flight, in all.
    in_flight: Arc<Semaphore>,
    concurrency: usize,
    /// Answers that grow large, at the same time.
    large: Arc<Semaphore>,
    timeout: Duration,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    clients: Arc<Mutex<HashMap<(Route, Waits), Client>>>,
    /// Of every way out that is in use: one that is made anew for the same account goes on at the same pace.
    paces: Arc<Mutex<HashMap<Way, Weak<Paces>>>>,
    kept: KeptAnswers,
}

/// Paces by region and call.
type Paces = Mutex<HashMap<(Arc<str>, &'static str), Pace>>;

/// What two ways out have in common that share their paces.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    provider: Arc<str>,
    account: Arc<str>,
    route: Route,
    /// In bits.
    rate_limit: Option<u64>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("account", &self.account).finish_non_exhaustive()
    }
}

/// How a client reaches the other side; one client per distinct route, because each loads the system's roots.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Route {
    /// Proxy of the account; without one the environment's (`HTTPS_PROXY`, `NO_PROXY`) are obeyed.
    pub proxy: Option<String>,
    /// Some addresses are plain HTTP (the configuration allows that on this machine only).
    pub plain_http: bool,
    /// Everything is on this machine: the environment's proxies are not meant for it.
    pub only_loopback: bool,
}

/// How long one call may take, and what becomes of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Waits {
    connect: Duration,
    /// Connect to last byte.
    whole: Duration,
    /// The connection is kept for the next call.
    keep: bool,
}

impl fmt::Debug for Route {
    /// Without the proxy's address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.proxy.as_ref().map(|_| "[REDACTED]");
        f.debug_struct("Route")
            .field("proxy", &proxy)
            .field("plain_http", &self.plain_http)
            .finish_non_exhaustive()
    }
}

/// The way out of one account.
#[derive(Debug)]
pub struct AccountHttp {
    http: Http,
    client: Client,
    route: Route,
    provider: Arc<str>,
    account: Arc<str>,
    /// For one call, connect to last byte.
    timeout: Duration,
    rate_limit: Option<f64>,
    paces: Arc<Paces>,
    /// How far the local clock is ahead of the other side's, in milliseconds, by the last answer that told a date.
    clock_ahead_ms: AtomicI64,
    /// After a refused key nothing is sent until then: calls that waited for their turn must not use it too.
    silent_until: Mutex<Duration>,
    /// No account takes more than half of the calls in flight, so that one that hangs leaves room for the others.
    share: Semaphore,
    /// Some call was answered, so connections may have been kept.
    answered: AtomicBool,
}

/// One call, before it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The cloud's own name for it, with its product (`rds:DescribeDBInstanceSSL`).
    pub action: &'static str,
    /// The region whose quota it uses.
    pub region: &'a Arc<str>,
    /// The most bytes an honest answer has, after decompression.
    pub limit: usize,
    /// It only reads: when a kept connection turns out to be dead it may be sent once more at once.
    pub repeatable: bool,
    /// What may be kept of the answer for a support bundle.
    pub keeping: Keeping<'a>,
}

/// A signed request. It has no `Debug` form: address, headers and body may carry tokens and signatures.
pub struct Outgoing {
    /// Where to.
    pub method: Method,
    /// Where to; may carry a signature.
    pub url: String,
    /// Headers, the signature among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What came back, whatever its status. It has no `Debug` form: there are clouds that answer with private keys.
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body, within the limit of the call.
    pub body: Bytes,
}

/// What a call may be used for now, for the gauge.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// The cloud.
    pub provider: Arc<str>,
    /// The account.
    pub account: Arc<str>,
    /// The region.
    pub region: Arc<str>,
    /// The call.
    pub action: &'static str,
    /// Calls per second allowed now.
    pub per_second: f64,
}

impl Answer {
    /// The same answer; the body is shared.
    fn again(&self) -> Self {
        Self { status: self.status, headers: self.headers.clone(), body: self.body.clone() }
    }
}

impl Http {
    /// `timeout` is for one call, connect to last byte; `concurrency` the number of calls in flight, in all.
    pub fn new(timeout: Duration, concurrency: usize, clock: Clock, telemetry: Arc<Telemetry>) -> Self {
        let concurrency = concurrency.max(1);
        let (in_flight, large) =
            (Arc::new(Semaphore::new(concurrency)), Arc::new(Semaphore::new(LARGE_AT_ONCE)));
        Self {
            in_flight,
            concurrency,
            large,
            timeout,
            clock,
            telemetry,
            clients: Arc::default(),
            paces: Arc::default(),
            kept: KeptAnswers::default(),
        }
    }

    /// The same with other limits, for accounts that are made anew: their paces go on.
    #[must_use]
    pub fn with_limits(&self, timeout: Duration, concurrency: usize) -> Self {
        let other = Self::new(timeout, concurrency, self.clock.clone(), Arc::clone(&self.telemetry));
        Self { paces: Arc::clone(&self.paces), kept: self.kept.clone(), ..other }
    }

    /// The way out for one account.
    ///
    /// # Errors
    /// The system has no root certificates, or the proxy's address is unusable.
    pub fn account(
        &self,
        provider: &Arc<str>,
        account: &Arc<str>,
        route: Route,
        rate_limit: Option<f64>,
    ) -> Result<AccountHttp, String> {
        let waits = Waits { connect: CONNECT.min(self.timeout), whole: self.timeout, keep: true };
        self.within(waits, provider, account, route, rate_limit)
    }

    /// The way to a service on this machine or on its host (metadata): plain HTTP, no proxy, short waits.
    ///
    /// # Errors
    /// The system has no root certificates.
    pub fn nearby(&self, provider: &Arc<str>, account: &Arc<str>) -> Result<AccountHttp, String> {
        let route = Route { proxy: None, plain_http: true, only_loopback: true };
        let whole = NEARBY.min(self.timeout);
        let waits = Waits { connect: NEARBY_CONNECT.min(whole), whole, keep: true };
        self.within(waits, provider, account, route, None)
    }

    /// The last answers, with their secrets removed.
    pub fn kept(&self) -> &KeptAnswers {
        &self.kept
    }

    /// The local clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn within(
        &self,
        waits: Waits,
        provider: &Arc<str>,
        account: &Arc<str>,
        route: Route,
        rate_limit: Option<f64>,
    ) -> Result<AccountHttp, String> {
        let rate = rate_limit.map(f64::to_bits);
        let (to, from) = (Arc::clone(provider), Arc::clone(account));
        let way = Way { provider: to, account: from, route: route.clone(), rate_limit: rate };
        Ok(AccountHttp {
            client: self.client(route.clone(), waits)?,
            route,
            http: self.clone(),
            provider: Arc::clone(provider),
            account: Arc::clone(account),
            timeout: waits.whole,
            rate_limit,
            paces: self.paces_of(way),
            clock_ahead_ms: AtomicI64::new(NO_DATE),
            silent_until: Mutex::default(),
            share: Semaphore::new(self.concurrency.div_ceil(2)),
            answered: AtomicBool::new(false),
        })
    }

    fn paces_of(&self, way: Way) -> Arc<Paces> {
        let mut known = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, paces| paces.strong_count() > 0);
        let paces = known.get(&way).and_then(Weak::upgrade).unwrap_or_default();
        known.insert(way, Arc::downgrade(&paces));
        paces
    }

    fn client(&self, route: Route, waits: Waits) -> Result<Client, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (route, waits);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build_client(&key.0, waits)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// A header that carries a key, a token or a signature: no `Debug` form shows its value, and it is overwritten once it
/// was sent. `None` for what cannot stand in a header; parts of keys are checked for that when they are read.
pub fn secret_header(name: &'static str, value: String) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_maybe_shared(wiped(value)).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::from_static(name), value))
}

fn build_client(route: &Route, waits: Waits) -> Result<Client, String> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(waits.connect)
        .timeout(waits.whole)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(if waits.keep { usize::MAX } else { 0 })
        .tcp_nodelay(true)
        .https_only(!route.plain_http)
        .user_agent(concat!("notafter/", env!("CARGO_PKG_VERSION")));
    if route.only_loopback {
        builder = builder.no_proxy();
    } else if let Some(proxy) = &route.proxy {
        let proxy =
            reqwest::Proxy::all(proxy).map_err(|error| format!("proxy: {}", cause(&error.without_url())))?;
        builder = builder.no_proxy().proxy(proxy.no_proxy(reqwest::NoProxy::from_string(LOOPBACK)));
    }
    builder.build().map_err(|error| format!("HTTP client: {}", cause(&error.without_url())))
}

impl AccountHttp {
    /// Makes one call: waits for its turn, signs (`sign` is asked anew for each try, for a fresh date and nonce),
    /// sends, reads within the limits, and has `read` say what the answer means.
    ///
    /// # Errors
    /// What went wrong on the way, or what `read` made of the answer.
    pub async fn call<T>(
        &self,
        call: Call<'_>,
        sign: impl Fn() -> Outgoing,
        read: impl FnOnce(Answer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.try_call(call, || Ok(sign()), read).await
    }

    /// The same for a call that may have become pointless while it waited for its turn: an error of `sign` keeps it
    /// from being made, and then it is not counted either.
    ///
    /// # Errors
    /// Those of `sign`; what went wrong on the way; what `read` made of the answer.
    pub async fn try_call<T>(
        &self,
        call: Call<'_>,
        sign: impl Fn() -> Result<Outgoing, CallError>,
        read: impl FnOnce(Answer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let turn = self.turn(&call).await?;
        let outgoing = sign()?;
        let sent = self.http.clock.elapsed();
        let answer = self.send(&call, outgoing, &sign).await;
        let answered = answer.as_ref().ok().map(Answer::again);
        let result = answer.and_then(read);
        self.keep(&call, answered.as_ref(), result.as_ref().err());
        drop(turn);
        self.account_for(&call, sent, result.as_ref().err());
        result
    }

    /// How long a call would have to wait for its turn now.
    pub fn wait(&self, region: &Arc<str>, action: &'static str) -> Duration {
        self.with_pace(region, action, |pace| pace.clone().reserve(self.http.clock.elapsed()))
    }

    /// The local clock, for signatures.
    pub fn clock(&self) -> &Clock {
        &self.http.clock
    }

    /// How far the local clock is ahead of the cloud's; to the second, which is all that the header `Date` tells.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        let ahead = self.clock_ahead_ms.load(Ordering::Relaxed);
        (ahead != NO_DATE).then(|| TimeDelta::milliseconds(ahead))
    }

    /// What each call may be used for now.
    pub fn rates(&self) -> Vec<Rate> {
        let paces = self.lock();
        let rate = |((region, action), pace): (&(Arc<str>, &'static str), &Pace)| Rate {
            provider: Arc::clone(&self.provider),
            account: Arc::clone(&self.account),
            region: Arc::clone(region),
            action,
            per_second: pace.rate(),
        };
        paces.iter().map(rate).collect()
    }

    /// Calls per second allowed now for one call in one region.
    pub fn rate(&self, region: &Arc<str>, action: &'static str) -> f64 {
        self.with_pace(region, action, |pace| pace.rate())
    }

    /// Waits for its turn; what is returned holds its place among the calls in flight.
    async fn turn(&self, call: &Call<'_>) -> Result<Turn<'_>, CallError> {
        self.wait_for_turn(call).await;
        let share = self.share.acquire().await;
        let turn = (share, self.http.in_flight.acquire().await);
        if self.http.clock.elapsed() < *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(CallError::new(CallErrorKind::NotSent, call.action, "the key was refused meanwhile"));
        }
        Ok(turn)
    }

    async fn wait_for_turn(&self, call: &Call<'_>) {
        loop {
            let wait =
                self.with_pace(call.region, call.action, |pace| pace.reserve(self.http.clock.elapsed()));
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            if !self.with_pace(call.region, call.action, |pace| pace.held(self.http.clock.elapsed())) {
                return;
            }
        }
    }

    /// A kept connection may have died unnoticed; a call that only reads is then repeated, once and at once.
    async fn send(
        &self,
        call: &Call<'_>,
        outgoing: Outgoing,
        sign: &impl Fn() -> Result<Outgoing, CallError>,
    ) -> Result<Answer, CallError> {
        match self.attempt(&self.client, call, outgoing).await {
            Err(Attempt::Dropped(_)) if call.repeatable && self.answered.load(Ordering::Relaxed) => {
                // booked, though not waited for: a host that drops every connection must not get twice the pace
                self.with_pace(call.region, call.action, |pace| pace.reserve(self.http.clock.elapsed()));
                self.http.telemetry.call(&self.provider, &self.account, call.action, Duration::ZERO);
                self.attempt(&self.client, call, sign()?).await
            }
            other => other,
        }
        .map_err(|attempt| match attempt {
            Attempt::Unsent(error) | Attempt::Failed(error) | Attempt::Dropped(error) => error,
        })
    }

    async fn attempt(&self, client: &Client, call: &Call<'_>, outgoing: Outgoing) -> Result<Answer, Attempt> {
        let request =
            client.request(outgoing.method, outgoing.url).headers(outgoing.headers).body(outgoing.body);
        let mut response = request.send().await.map_err(|error| self.explain(call, error))?;
        self.compare_clocks(response.headers());
        let mut body = WipedBuffer::default();
        let mut large = None;
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.explain(call, error).final_word())?
        {
            if body.len() + chunk.len() > call.limit {
                let text = format!("the answer is longer than {} KiB", call.limit / 1024);
                return Err(Attempt::Failed(CallError::new(CallErrorKind::TooLarge, call.action, text)));
            }
            if body.len() + chunk.len() > LARGE && large.is_none() {
                large = Some(self.http.large.acquire().await);
            }
            body.push(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
        })
    }

    fn compare_clocks(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(theirs) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) else { return };
        let ahead = self.http.clock.now() - theirs.with_timezone(&Utc);
        self.clock_ahead_ms.store(ahead.num_milliseconds(), Ordering::Relaxed);
    }

    fn explain(&self, call: &Call<'_>, error: reqwest::Error) -> Attempt {
        let error = error.without_url();
        let text = cause(&error);
        // a name that is not found, a port that is closed, a handshake that fails or takes too long
        let unsent = error.is_connect() || error.is_builder();
        if error.is_timeout() {
            let text = format!("no complete answer within {:?} ({text})", self.timeout);
            let failed = CallError::new(CallErrorKind::Timeout, call.action, text);
            return if unsent { Attempt::Unsent(failed) } else { Attempt::Failed(failed) };
        }
        if error.is_body() || error.is_decode() {
            return Attempt::Failed(CallError::new(CallErrorKind::Unreadable, call.action, text));
        }
        let failed = CallError::new(CallErrorKind::Unreachable, call.action, text);
        match () {
            () if unsent => Attempt::Unsent(failed),
            () if error.is_request() => Attempt::Dropped(failed),
            () => Attempt::Failed(failed),
        }
    }

    fn keep(&self, call: &Call<'_>, answer: Option<&Answer>, error: Option<&CallError>) {
        let (provider, account, region) = (&self.provider, &*self.account, &**call.region);
        let place = kept::Place { provider, account, action: call.action, region };
        self.http.kept.keep(&place, call.keeping, answer, error, self.http.clock.now());
    }

    fn account_for(&self, call: &Call<'_>, sent: Duration, error: Option<&CallError>) {
        let now = self.http.clock.elapsed();
        let telemetry = &self.http.telemetry;
        telemetry.call(&self.provider, &self.account, call.action, now.saturating_sub(sent));
        if let Some(error) = error {
            telemetry.call_failed(&self.provider, &self.account, call.action, error.kind.reason());
        }
        if error.is_some_and(|error| error.kind == CallErrorKind::KeyDenied) {
            *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner) = now + SILENCE;
        }
        self.with_pace(call.region, call.action, |pace| match error.map(|error| error.kind) {
            Some(CallErrorKind::Throttled(hint)) => pace.throttled(sent, now, hint),
            None
            | Some(CallErrorKind::Refused | CallErrorKind::PermissionDenied | CallErrorKind::NoSuchProject) =>
            {
                self.answered.store(true, Ordering::Relaxed);
                pace.succeeded(now);
            }
            Some(_) => {}
        });
    }

    fn with_pace<T>(
        &self,
        region: &Arc<str>,
        action: &'static str,
        use_it: impl FnOnce(&mut Pace) -> T,
    ) -> T {
        let mut paces = self.lock();
        use_it(paces.entry((Arc::clone(region), action)).or_insert_with(|| Pace::new(self.rate_limit)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Arc<str>, &'static str), Pace>> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the calls in flight, of the account's share and of all.
type Turn<'a> = (Result<SemaphorePermit<'a>, AcquireError>, Result<SemaphorePermit<'a>, AcquireError>);

enum Attempt {
    /// There was no connection: nothing of the request left this machine.
    Unsent(CallError),
    /// The connection went before anything was answered.
    Dropped(CallError),
    Failed(CallError),
}

impl Attempt {
    /// Once an answer has begun, its end is not tried again.
    fn final_word(self) -> Self {
        match self {
            Self::Unsent(error) | Self::Dropped(error) | Self::Failed(error) => Self::Failed(error),
        }
    }
}

/// The innermost cause, which is the one that tells something ("dns error", "connection refused").
fn cause(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let (outer, inner) = (error.to_string(), deepest.to_string());
    if error.source().is_none() || outer.contains(&inner) { outer } else { format!("{outer}: {inner}") }
}
