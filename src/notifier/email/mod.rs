//! E-mail by SMTP: one letter for each recipient, over a connection of its own.
//!
//! Connections are not kept: letters are rare, and a stale connection is one more thing that goes wrong at night.

pub mod settings;

mod html;
mod letter;
mod server;
mod talk;

use std::any::Any;
use std::sync::Arc;

use lettre::Address;
use lettre::message::Mailbox;

use self::letter::Letter;
use self::server::{Server, Verdict};
use self::settings::Settings;
use super::{
    BuildError, Messenger, NotifierKind, Order, Outcome, Part, Receipt, Refusal, Sender, Setting, Stamp, post,
};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::domain::hash::stable_hash;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "email",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 30.0,
    burst: 5,
    build: Some(build),
};

/// A server, and whom it sends to.
#[derive(Debug)]
struct Email {
    channel: String,
    server: Server,
    from: Mailbox,
    to: Vec<String>,
    addresses: Vec<Address>,
    place: String,
    robot: u64,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &dyn Any = order.settings;
    let settings = settings.downcast_ref::<Settings>().expect("the settings of this type");
    if order.proxy.is_some() {
        return Err(BuildError::Client("mail does not go through a proxy: take `proxy` away".to_owned()));
    }
    let from = mailbox("from", &settings.from)?;
    let addresses = settings.to.iter().map(|to| mailbox("to", to).map(|mailbox| mailbox.email));
    let addresses = addresses.collect::<Result<_, _>>()?;
    let scheme = if settings.tls == settings::Tls::Implicit { "smtps" } else { "smtp" };
    let place = format!("{scheme}://{}:{}", settings.host, settings.port);
    let user = settings.login.as_ref().map(|(user, _)| user.as_str()).unwrap_or_default();
    Ok(Sender::Messages(Arc::new(Email {
        channel: order.channel.to_owned(),
        server: Server::new(settings, order)?,
        from,
        to: settings.to.clone(),
        addresses,
        robot: stable_hash([place.as_str(), user]),
        place,
    })))
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, BuildError> {
    text.parse()
        .map_err(|error| BuildError::Client(format!("`{key}`: {text} is not a mail address: {error}")))
}

impl Messenger for Email {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        letter::parts(message, setting, &self.to)
    }

    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        Some(letter::plain(message, setting, &self.to))
    }

    fn post<'a>(&'a self, part: &'a Part, stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let letter: Letter = match serde_json::from_value(part.content.clone()) {
                Ok(letter) => letter,
                Err(error) => return post::refused(Refusal::Content, format!("not a letter: {error}")),
            };
            let id = self.message_id(stamp.id);
            let mail = match server::mail(&letter, &self.from, &id, stamp.now) {
                Ok(mail) => mail,
                Err(error) => return post::refused(Refusal::Content, format!("not a mail: {error}")),
            };
            let named = mail.envelope().to();
            let others = self.addresses.iter().filter(|address| !named.contains(address));
            let others: Vec<_> = others.cloned().collect();
            self.judged(self.server.send(mail, &others).await, letter, &id)
        })
    }

    fn robot(&self) -> u64 {
        self.robot
    }

    fn place(&self) -> &str {
        &self.place
    }
}

impl Email {
    /// The same for every attempt and recipient, so that copies are recognised as such.
    fn message_id(&self, event: &str) -> String {
        format!("<{event}@{}>", self.from.email.domain())
    }

    fn judged(&self, verdict: Verdict, letter: Letter, id: &str) -> Outcome {
        match verdict {
            Verdict::Taken(said, refused) => {
                let notes = letter.threads.into_iter().map(|key| (key, id.to_owned())).collect();
                let without = refused.iter().map(|text| format!("; not to {text}"));
                let said = std::iter::once(said).chain(without).collect();
                for text in &refused {
                    self.tell_refused(text);
                }
                Outcome::Delivered(Receipt { notes, said })
            }
            // one who is gone must not keep the message from the others
            Verdict::Unknown(said) => {
                let text = format!("{}: {said}", letter.to.join(", "));
                self.tell_refused(&text);
                Outcome::Delivered(Receipt { notes: Vec::new(), said: format!("not to {text}") })
            }
            Verdict::Other(outcome) => outcome,
        }
    }

    fn tell_refused(&self, recipient: &str) {
        let channel = &self.channel;
        tracing::warn!(channel, recipient, "a mail server refuses a recipient; the others are told");
    }
}
