//! One conversation with a mail server, step by step: what a refusal means depends on what it is an answer to.

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as From, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use lettre::{Address, Message as Mail};

/// The library's own time limit, which is for connecting only.
const CONNECT: Duration = Duration::from_secs(10);
/// Whoever does not answer to a goodbye is left without one.
const GOODBYE: Duration = Duration::from_secs(2);

/// A mail server, and how to come in.
pub(super) struct Door {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) lock: Lock,
    pub(super) login: Option<Credentials>,
}

/// How a conversation is kept to those who have it.
pub(super) enum Lock {
    /// Not at all.
    None,
    /// From the first byte.
    Implicit(TlsParameters),
    /// Before anything is said.
    Starttls(TlsParameters),
}

/// What became of a mail that the server has.
pub(super) struct Handed {
    /// Its last word.
    pub(super) said: Response,
    /// Recipients whom it does not take, while it takes others, and why.
    pub(super) refused: Vec<(Address, Error)>,
}

/// Where a conversation ended.
pub(super) enum Broken {
    /// Before the recipient was named: it is about us, or the server.
    Before(Error),
    /// At the name of a recipient, for a reason that is not the recipient.
    Naming(Error),
    /// The recipient is refused, and others would be taken.
    Recipient(Error),
    /// Every recipient is refused, also those of the other letters: it is about us, or the server.
    Everybody(Error),
    /// At the mail itself.
    Mail(Error),
    /// The server cannot take what the mail holds.
    Unable(&'static str),
}

impl Door {
    /// Hands a mail over, once. `others` get letters of their own.
    pub(super) async fn hand_over(&self, mail: &Mail, others: &[Address]) -> Result<Handed, Broken> {
        let mut connection = self.come_in().await.map_err(Broken::Before)?;
        let said = say(&mut connection, mail, others).await;
        // whatever becomes of the goodbye: what counts was said before
        let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
        said
    }

    async fn come_in(&self) -> Result<AsyncSmtpConnection, Error> {
        let hello = ClientId::default();
        let implicit = match &self.lock {
            Lock::Implicit(tls) => Some(tls.clone()),
            Lock::None | Lock::Starttls(_) => None,
        };
        let server = (self.host.as_str(), self.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT), &hello, implicit, None);
        let mut connection = connecting.await?;
        if let Lock::Starttls(tls) = &self.lock {
            connection.starttls(tls.clone(), &hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }
}

async fn say(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
    others: &[Address],
) -> Result<Handed, Broken> {
    let (envelope, text) = (mail.envelope(), mail.formatted());
    let mut options = Vec::new();
    let is_plain = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    if !envelope.from().into_iter().chain(envelope.to()).all(is_plain) {
        options.push(MailParameter::SmtpUtfEight);
    }
    if !text.is_ascii() {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let server = connection.server_info();
    let lacks = |option: &MailParameter| match option {
        MailParameter::SmtpUtfEight => !server.supports_feature(Extension::SmtpUtfEight),
        _ => !server.supports_feature(Extension::EightBitMime),
    };
    if options.iter().any(lacks) {
        return Err(Broken::Unable("the server takes ASCII only, and the mail or an address is not"));
    }
    let from = From::new(envelope.from().cloned(), options);
    connection.command(from).await.map_err(Broken::Before)?;
    let refused = name_recipients(connection, envelope.to(), others).await?;
    connection.command(Data).await.map_err(Broken::Mail)?;
    let said = connection.message(&text).await.map_err(Broken::Mail)?;
    Ok(Handed { said, refused })
}

/// Names those whom the mail is for, and returns the refused ones, unless that is all of them. Only then the others are named,
/// who get nothing of this mail: a server that takes nobody at the moment knows nothing of a single one.
async fn name_recipients(
    connection: &mut AsyncSmtpConnection,
    recipients: &[Address],
    others: &[Address],
) -> Result<Vec<(Address, Error)>, Broken> {
    let mut refused = Vec::new();
    for to in recipients {
        match name(connection, to).await {
            Ok(_) => {}
            Err(error) if refuses_a_recipient(&error) => refused.push((to.clone(), error)),
            Err(error) => return Err(Broken::Naming(error)),
        }
    }
    if refused.len() < recipients.len() {
        return Ok(refused);
    }
    let Some((_, error)) = refused.into_iter().next() else { return Ok(Vec::new()) };
    for other in others {
        match name(connection, other).await {
            Ok(_) => return Err(Broken::Recipient(error)),
            Err(refusal) if refuses_a_recipient(&refusal) => {}
            // one that hangs up after so many errors has not said that it takes anybody
            Err(later) => return Err(Broken::Naming(later)),
        }
    }
    Err(Broken::Everybody(error))
}

async fn name(connection: &mut AsyncSmtpConnection, to: &Address) -> Result<Response, Error> {
    connection.command(Rcpt::new(to.clone(), Vec::new())).await
}

/// Not known, moved, full, not allowed, a domain without mail: said to a name, it may be about that name.
fn refuses_a_recipient(error: &Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 550..=554 | 556))
}
