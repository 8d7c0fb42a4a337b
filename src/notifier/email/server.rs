//! The mail server: how it is reached, what a letter looks like on its way there, and what its answers mean.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::TlsParameters;
use lettre::{Address, Message as Mail};

use super::letter::Letter;
use super::settings::{Settings, Tls};
use super::talk::{Broken, Door, Handed, Lock};
use crate::domain::reason::Reason;
use crate::notifier::post::{clean, refused, retry};
use crate::notifier::{BuildError, Order, Outcome, Refusal};
use crate::secret::Secret;

/// One attempt, from connect to the last answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A mail server.
pub(super) struct Server {
    door: Door,
    secrets: Vec<Secret>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// What the server makes of a letter.
pub(super) enum Verdict {
    /// It has it, but not for these recipients.
    Taken(String, Vec<String>),
    /// It does not take the recipient, and does take others.
    Unknown(String),
    /// Anything else.
    Other(Outcome),
}

impl Server {
    /// As the settings say.
    pub(super) fn new(settings: &Settings, order: &Order<'_>) -> Result<Self, BuildError> {
        let (mut login, mut secrets) = (None, Vec::new());
        if let Some((user, setting)) = &settings.login {
            let subject = || setting.subject.clone();
            let password = (order.secret)(setting)
                .map_err(|source| BuildError::Secret { subject: subject(), source })?;
            login = Some(Credentials::new(user.clone(), password.expose().to_owned()));
            let encoded = [
                STANDARD.encode(password.expose()),
                STANDARD.encode(format!("\0{user}\0{}", password.expose())),
            ];
            secrets.push(password);
            secrets.extend(encoded.map(Secret::new));
        }
        let door = Door { host: settings.host.clone(), port: settings.port, lock: lock(settings)?, login };
        Ok(Self { door, secrets })
    }

    /// Sends a letter, once. A server that goes silent in the middle would hold the library for ever.
    /// `others` get letters of their own.
    pub(super) async fn send(&self, mail: Mail, others: &[Address]) -> Verdict {
        match tokio::time::timeout(TIMEOUT, self.door.hand_over(&mail, others)).await {
            Ok(Ok(Handed { said: response, refused })) => {
                let said = response.message().collect::<Vec<_>>().join(" ");
                let said = clean(&self.secrets, &format!("{} {said}", response.code()));
                let refused = refused.iter().map(|(to, error)| format!("{to}: {}", words(error)));
                Verdict::Taken(said, refused.map(|text| clean(&self.secrets, &text)).collect())
            }
            Ok(Err(broken)) => self.failed(&broken),
            Err(_) => {
                let text = format!("no answer within {} s", TIMEOUT.as_secs());
                Verdict::Other(retry(Reason::Timeout, text))
            }
        }
    }

    /// Only an answer to the name of a recipient says anything of one, and only where others are taken.
    fn failed(&self, broken: &Broken) -> Verdict {
        let error = match broken {
            Broken::Before(error)
            | Broken::Naming(error)
            | Broken::Recipient(error)
            | Broken::Everybody(error)
            | Broken::Mail(error) => error,
            Broken::Unable(why) => return Verdict::Other(refused(Refusal::Content, why)),
        };
        let text = clean(&self.secrets, &words(error));
        let Some(code) = error.status() else {
            let reason = if error.is_timeout() { Reason::Timeout } else { Reason::Unreachable };
            return Verdict::Other(retry(reason, text));
        };
        if !error.is_permanent() {
            return Verdict::Other(retry(Reason::Refused, text));
        }
        match (u16::from(code), broken) {
            (530 | 534 | 535 | 538, _) => Verdict::Other(refused(Refusal::Credentials, text)),
            (_, Broken::Recipient(_)) => Verdict::Unknown(text),
            (_, Broken::Everybody(_)) => {
                Verdict::Other(refused(Refusal::Target, format!("no recipient is taken: {text}")))
            }
            (550 | 551 | 553, Broken::Mail(_)) if !is_about_an_address(error) => {
                Verdict::Other(refused(Refusal::Content, text))
            }
            (521 | 556 | 550 | 551 | 553, _) => Verdict::Other(refused(Refusal::Target, text)),
            _ => Verdict::Other(refused(Refusal::Content, text)),
        }
    }
}

/// By the status that stands behind the code (RFC 3463): some look at addresses only once they have the mail.
fn is_about_an_address(error: &Error) -> bool {
    error.source().is_some_and(|said| said.to_string().starts_with("5.1."))
}

fn lock(settings: &Settings) -> Result<Lock, BuildError> {
    let odd = |error: Error| BuildError::Client(format!("no TLS can be set up: {}", words(&error)));
    let tls = || TlsParameters::new(settings.host.clone()).map_err(odd);
    Ok(match settings.tls {
        Tls::Implicit => Lock::Implicit(tls()?),
        Tls::Starttls => Lock::Starttls(tls()?),
        Tls::None => Lock::None,
    })
}

/// The error and what is behind it; the code comes first, as people look for it.
fn words(error: &Error) -> String {
    let code = error.status().map(|code| format!("SMTP {code}: ")).unwrap_or_default();
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    format!("{code}{cause}")
}

/// A letter as a mail, with the time of this attempt.
pub(super) fn mail(
    letter: &Letter,
    from: &Mailbox,
    id: &str,
    now: DateTime<Utc>,
) -> Result<Mail, Box<dyn std::error::Error + Send + Sync>> {
    let mut mail = Mail::builder()
        .from(from.clone())
        .subject(letter.subject.clone())
        .message_id(Some(id.to_owned()))
        .date(now.into())
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    for to in &letter.to {
        mail = mail.to(to.parse()?);
    }
    if let Some(first) = letter.answers.first() {
        mail = mail.in_reply_to(first.clone()).references(letter.answers.join(" "));
    }
    let text = SinglePart::plain(letter.text.clone());
    if letter.html.is_empty() {
        return Ok(mail.singlepart(text)?);
    }
    // Whoever chooses a name does not know the id of the event, so no line of the text can be this one.
    let event = id.trim_start_matches('<').split('@').next().unwrap_or_default();
    let boundary = format!("notafter_{event}");
    let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(letter.html.clone());
    Ok(mail.multipart(MultiPart::alternative().boundary(boundary).singlepart(text).singlepart(html))?)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
