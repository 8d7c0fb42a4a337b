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

/// Where a conversation ended.
pub(super) enum Broken {
    /// Before the recipient was named: it is about us, or the server.
    Before(Error),
    /// At the name of the recipient.
    Recipient(Error),
    /// At the mail itself.
    Mail(Error),
    /// The server cannot take what the mail holds.
    Unable(&'static str),
}

impl Door {
    /// Hands a mail over, once.
    pub(super) async fn hand_over(&self, mail: &Mail) -> Result<Response, Broken> {
        let mut connection = self.come_in().await.map_err(Broken::Before)?;
        let said = say(&mut connection, mail).await;
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

async fn say(connection: &mut AsyncSmtpConnection, mail: &Mail) -> Result<Response, Broken> {
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
    for to in envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(Broken::Recipient)?;
    }
    connection.command(Data).await.map_err(Broken::Mail)?;
    connection.message(&text).await.map_err(Broken::Mail)
}
