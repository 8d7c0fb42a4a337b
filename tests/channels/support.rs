//! A channel as the daemon builds it, and the receiver at its other end.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::message::{Item, Message, News, SourceNews};
use notafter::domain::alert::standing::{Open, State};
use notafter::domain::policy::Locale;
use notafter::fields::{Fields, Sink};
use notafter::notifier::samples::{now, setting};
use notafter::notifier::{self, ChannelSettings, Order, Outcome, Part, Receipt, Sender, Stamp};
use notafter::sim::receivers::smtp::MailServer;
use notafter::sim::receivers::{Delivery, Fault, Reception};
use toml::de::DeTable;

use crate::table::{Channel, Far, Want};

/// How soon a channel that is told the state is told again.
const RESEND: std::time::Duration = std::time::Duration::from_mins(1);

/// A channel and its receiver.
pub(crate) struct Line {
    pub(crate) sender: Sender,
    pub(crate) station: Station,
    /// The settings that it was made of, as they show themselves.
    pub(crate) config: String,
    pub(crate) locale: Locale,
}

impl Line {
    /// Both, with the clock of the receiver at [`now`].
    pub(crate) async fn open(channel: &Channel) -> Self {
        Self::open_at(channel, now).await
    }

    /// The same with another clock.
    pub(crate) async fn open_at(
        channel: &Channel,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        let station = Station::start(&channel.far, clock).await;
        let (sender, config) = built(channel, &station.base_url());
        Self { sender, station, config, locale: Locale::En }
    }

    /// Says a message: every part, until one does not arrive.
    pub(crate) async fn say(&self, message: &Message) -> Vec<Outcome> {
        self.say_at(message, now()).await
    }

    /// The same at another moment. The words are those of [`now`], as if made in that second.
    pub(crate) async fn say_at(&self, message: &Message, at: DateTime<Utc>) -> Vec<Outcome> {
        let setting = setting(self.locale);
        match &self.sender {
            Sender::Messages(_) => {
                let parts = self.parts(message);
                self.post(message, &parts, at).await
            }
            Sender::State(replica) => {
                vec![replica.replicate(&state(message), &setting, RESEND).await]
            }
        }
    }

    /// What has to be posted for a message; nothing for a channel that takes no messages.
    pub(crate) fn parts(&self, message: &Message) -> Vec<Part> {
        match &self.sender {
            Sender::Messages(messenger) => messenger.parts(message, &setting(self.locale)),
            Sender::State(_) => Vec::new(),
        }
    }

    /// A message as short plain text.
    pub(crate) fn plain(&self, message: &Message) -> Option<Part> {
        match &self.sender {
            Sender::Messages(messenger) => messenger.plain(message, &setting(self.locale)),
            Sender::State(_) => None,
        }
    }

    /// Posts parts, until one does not arrive.
    pub(crate) async fn post(&self, message: &Message, parts: &[Part], at: DateTime<Utc>) -> Vec<Outcome> {
        let Sender::Messages(messenger) = &self.sender else { return Vec::new() };
        let mut outcomes = Vec::new();
        for part in parts {
            let outcome = messenger.post(part, Stamp { id: &message.id, now: at }).await;
            let arrived = matches!(outcome, Outcome::Delivered(_));
            outcomes.push(outcome);
            if !arrived {
                break;
            }
        }
        outcomes
    }

    /// Says the first part of a message while the receiver does this to every request.
    pub(crate) async fn meet(&self, message: &Message, fault: Fault) -> Outcome {
        self.station.clear();
        self.station.always(Some(fault));
        let outcome = self.say(message).await.pop().expect("at least one part");
        self.station.always(None);
        outcome
    }

    /// Everything that came.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.station.deliveries()
    }
}

/// The other end, whatever it speaks.
pub(crate) enum Station {
    Http(Reception),
    Mail(MailServer),
}

impl Station {
    async fn start(far: &Far, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        match far {
            Far::Http(receiver) => Self::Http(Reception::start(receiver(), clock).await.expect("a receiver")),
            Far::Mail(user, password) => {
                Self::Mail(MailServer::start(Some((user, password)), clock).await.expect("a mail server"))
            }
        }
    }

    pub(crate) fn base_url(&self) -> String {
        match self {
            Self::Http(reception) => reception.base_url(),
            Self::Mail(server) => server.base_url(),
        }
    }

    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        match self {
            Self::Http(reception) => reception.script(faults),
            Self::Mail(server) => server.script(faults),
        }
    }

    pub(crate) fn always(&self, fault: Option<Fault>) {
        match self {
            Self::Http(reception) => reception.always(fault),
            Self::Mail(server) => server.always(fault),
        }
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        match self {
            Self::Http(reception) => reception.deliveries(),
            Self::Mail(server) => server.deliveries(),
        }
    }

    fn clear(&self) {
        match self {
            Self::Http(reception) => reception.clear(),
            Self::Mail(server) => server.clear(),
        }
    }
}

/// A channel as the daemon builds it: from text to settings to a sender. Also what the settings show of themselves.
pub(crate) fn built(channel: &Channel, base: &str) -> (Sender, String) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let kind = notifier::find(channel.kind).unwrap_or_else(|| panic!("no type {}", channel.kind));
    let settings = settings(channel, base);
    let order = Order {
        channel: "under-test",
        settings: &*settings,
        proxy: None,
        secret: &|setting| setting.load(&|_| None, None),
    };
    let build = kind.build.unwrap_or_else(|| panic!("{} cannot be built", channel.kind));
    let sender = build(&order).unwrap_or_else(|error| panic!("{}: {error}", channel.name));
    (sender, format!("{settings:?} {:?}", settings.effective()))
}

/// The keys of its table, read by the type itself.
fn settings(channel: &Channel, base: &str) -> Box<dyn ChannelSettings> {
    let (_, address) = base.split_once("://").expect("an address with a scheme");
    let (host, port) = address.rsplit_once(':').expect("an address with a port");
    let text = channel.settings.replace("{base}", base).replace("{host}", host).replace("{port}", port);
    let table = DeTable::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", channel.name));
    let mut sink = Sink::new(channel.name, &text);
    let mut fields = Fields::root(table.get_ref(), &mut sink);
    let kind = notifier::find(channel.kind).expect("it was found before");
    let settings = (kind.settings)(&mut fields);
    fields.finish();
    let (problems, _) = sink.into_parts();
    assert!(problems.is_empty(), "{problems}");
    settings.unwrap_or_else(|| panic!("{}: no settings", channel.name))
}

/// A message as a state: what entered a stage stands, what else is told has no place in one.
fn state(message: &Message) -> State {
    let open = message.items.iter().filter_map(|item| {
        let since = match item {
            Item::Certificate(certificate) => match certificate.news {
                News::Entered { since, .. } => since,
                _ => return None,
            },
            Item::Source(source) => match source.news {
                SourceNews::Blind { since, .. } => since,
                SourceNews::Recovered { .. } => return None,
            },
            Item::Channel(_) | Item::Renewal(_) => return None,
        };
        Some(Open { item: item.clone(), since })
    });
    State { open: open.collect(), now: now(), ..State::default() }
}

/// Whether an outcome is as it must be.
pub(crate) fn agrees(outcome: &Outcome, want: Want) -> bool {
    let tolerance = TimeDelta::seconds(5).to_std().expect("positive");
    match (outcome, want) {
        (Outcome::Delivered(Receipt { .. }), Want::Delivered) | (Outcome::Retry { .. }, Want::Retry) => true,
        (Outcome::Retry { after: Some(after), .. }, Want::RetryAfter(wanted)) => {
            after.abs_diff(wanted) <= tolerance
        }
        (Outcome::Refused { what, .. }, Want::Refused(wanted)) => *what == wanted,
        _ => false,
    }
}

/// Compares with a file of `tests/expected/channels`; `UPDATE_EXPECT=1` writes it anew.
pub(crate) fn expect(file: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expected/channels").join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, actual).expect("written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(actual.lines()).find(|(expected, actual)| expected != actual);
    assert!(
        actual == expected,
        "tests/expected/channels/{file} differs (UPDATE_EXPECT=1 writes it anew); first at {differs:#?}"
    );
}
