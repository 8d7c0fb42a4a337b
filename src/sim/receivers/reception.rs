//! A receiver on a loopback port, and the book of everything that came.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper::http::request::Parts;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Delivery, Fault, Receiver, Request, fault};
use crate::sim::wire::reply::{Cloud, Reaction, locked};
use crate::sim::wire::server;

/// The book has so many lines; the oldest go first.
const LONGEST_BOOK: usize = 10_000;

/// A running receiver. Clones are handles to the same one; the last to go stops it.
#[derive(Clone)]
pub struct Reception {
    desk: Arc<Desk>,
    address: SocketAddr,
    _stop_with_the_last_handle: Arc<DropGuard>,
}

impl Reception {
    /// Starts on a free loopback port of the current tokio runtime. `clock` is the receiver's own time.
    pub async fn start(
        receiver: Arc<dyn Receiver>,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk { receiver, clock: Box::new(clock), state: Mutex::default() });
        let stop = CancellationToken::new();
        let guard = Arc::new(stop.clone().drop_guard());
        tokio::spawn(server::serve(listener, desk.clone(), stop));
        Ok(Self { desk, address, _stop_with_the_last_handle: guard })
    }

    /// Where it is served: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Which receiver it is.
    pub fn name(&self) -> &'static str {
        self.desk.receiver.name()
    }

    /// Each of the next requests meets one of these, in order; later ones meet none.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        locked(&self.desk.state).script.extend(faults);
    }

    /// Every request meets this one from now on, unless the script has one for it.
    pub fn always(&self, fault: Option<Fault>) {
        locked(&self.desk.state).always = fault;
    }

    /// Nothing goes wrong any more, whatever was ordered.
    pub fn forgive(&self) {
        let mut state = locked(&self.desk.state);
        state.script.clear();
        state.always = None;
    }

    /// Everything that came so far, the latest last.
    pub fn deliveries(&self) -> Vec<Delivery> {
        locked(&self.desk.state).book.iter().cloned().collect()
    }

    /// Forgets what came so far.
    pub fn clear(&self) {
        locked(&self.desk.state).book.clear();
    }
}

/// Where requests are handed in.
struct Desk {
    receiver: Arc<dyn Receiver>,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Fault>,
    always: Option<Fault>,
    book: VecDeque<Delivery>,
}

impl State {
    fn note(&mut self, delivery: Delivery) {
        if self.book.len() == LONGEST_BOOK {
            self.book.pop_front();
        }
        self.book.push_back(delivery);
    }
}

impl Desk {
    fn deliver(&self, request: Request, fault: Option<&Fault>) -> Delivery {
        if let Some(fault) = fault.filter(|fault| !fault.lets_through()) {
            let answer = fault.answer(&request);
            return Delivery { request, answer, fault: Some(fault.name()), shown: None };
        }
        let answer = self.receiver.judge(&request);
        let shown = if answer.accepted { self.receiver.shown(&request) } else { None };
        Delivery { request, answer: Some(answer), fault: fault.map(Fault::name), shown }
    }
}

impl Cloud for Desk {
    fn react(&self, parts: &Parts, body: &[u8]) -> Reaction {
        let now = (self.clock)();
        let mut state = locked(&self.state);
        let fault = state.script.pop_front().or_else(|| state.always.clone());
        let delivery = self.deliver(request(parts, body, now), fault.as_ref());
        let answer = delivery.answer.clone();
        state.note(delivery);
        match (fault, answer) {
            (Some(fault), answer) => fault.reaction(answer.as_ref(), now),
            (None, Some(answer)) => Reaction::Reply(Box::new(fault::reply(&answer, now))),
            (None, None) => Reaction::Silence,
        }
    }
}

fn request(parts: &Parts, body: &[u8], at: DateTime<Utc>) -> Request {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: Bytes::copy_from_slice(body),
        at,
    }
}
