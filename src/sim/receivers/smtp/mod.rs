//! A mail server on a loopback port, without TLS: takes mails, reads them, and goes wrong to order.
//!
//! A mail becomes a [`Delivery`] like any other: its path is the recipient, its headers are those of the mail.

mod mail;
mod session;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Delivery, Fault};
use crate::sim::wire::reply::locked;

/// Where in the conversation something is said that the client does not like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Before anything else.
    Greeting,
    /// Instead of the list of what the server can do.
    Hello,
    /// To user name and password.
    Login,
    /// To the sender.
    Sender,
    /// To the recipient.
    Recipient,
    /// Before the mail itself.
    Data,
}

/// A running mail server. Clones are handles to the same one; the last to go stops it.
#[derive(Clone)]
pub struct MailServer {
    desk: Arc<Desk>,
    address: SocketAddr,
    _stop_with_the_last_handle: Arc<DropGuard>,
}

impl MailServer {
    /// Starts on a free loopback port of the current tokio runtime. `login` is the one user and password that it knows;
    /// without one it takes mails of everybody. `clock` is its own time.
    pub async fn start(
        login: Option<(&str, &str)>,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let desk = Arc::new(Desk { login, clock: Box::new(clock), state: Mutex::default() });
        let stop = CancellationToken::new();
        let guard = Arc::new(stop.clone().drop_guard());
        tokio::spawn(serve(listener, desk.clone(), stop));
        Ok(Self { desk, address, _stop_with_the_last_handle: guard })
    }

    /// Where it listens: `smtp://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Each of the next mails meets one of these, in order; later ones meet none.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        locked(&self.desk.state).script.extend(faults);
    }

    /// Every mail meets this one from now on, unless the script has one for it.
    pub fn always(&self, fault: Option<Fault>) {
        locked(&self.desk.state).always = fault;
    }

    /// From now on says this (`550 5.1.1 no such user`) at that step, to everybody, or to this recipient alone.
    pub fn refuse(&self, step: Step, recipient: Option<&str>, said: &str) {
        let refusal = (step, recipient.map(str::to_owned), said.to_owned());
        locked(&self.desk.state).refusals.push(refusal);
    }

    /// Refuses nothing any more.
    pub fn relent(&self) {
        locked(&self.desk.state).refusals.clear();
    }

    /// Every mail that came so far, the latest last.
    pub fn deliveries(&self) -> Vec<Delivery> {
        locked(&self.desk.state).book.clone()
    }

    /// How often somebody tried a user and password.
    pub fn logins(&self) -> usize {
        locked(&self.desk.state).logins
    }

    /// Forgets what came so far.
    pub fn clear(&self) {
        locked(&self.desk.state).book.clear();
    }
}

/// What all conversations share.
struct Desk {
    login: Option<(String, String)>,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Fault>,
    always: Option<Fault>,
    refusals: Vec<(Step, Option<String>, String)>,
    book: Vec<Delivery>,
    logins: usize,
}

impl Desk {
    fn refusal(&self, step: Step, recipient: &str) -> Option<String> {
        let state = locked(&self.state);
        let fits = |whom: &Option<String>| whom.as_deref().is_none_or(|whom| whom == recipient);
        state.refusals.iter().find(|(at, whom, _)| *at == step && fits(whom)).map(|(_, _, said)| said.clone())
    }

    fn fault(&self) -> Option<Fault> {
        let mut state = locked(&self.state);
        state.script.pop_front().or_else(|| state.always.clone())
    }

    fn note(&self, delivery: Delivery) {
        locked(&self.state).book.push(delivery);
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            let (desk, stop) = (desk.clone(), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    // A conversation that ends badly is the other side's affair.
                    _ended = session::talk(stream, &desk) => {}
                }
            });
        }
    }
}
