//! One conversation in SMTP (RFC 5321), with AUTH PLAIN and LOGIN (RFC 4954).

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use super::{Desk, Step, mail};
use crate::sim::receivers::{Answer, Delivery, Fault, Request};
use crate::sim::wire::reply::locked;

/// No mail may be longer.
const LONGEST: usize = 10 * 1024 * 1024;

struct Session<'a> {
    stream: BufStream<TcpStream>,
    desk: &'a Desk,
    known: bool,
    sender: Option<String>,
    recipients: Vec<String>,
}

/// How a conversation goes on.
enum Next {
    Go,
    Reset,
    Silence,
    Quit,
}

/// Speaks until the other side has enough.
pub(super) async fn talk(stream: TcpStream, desk: &Desk) -> io::Result<()> {
    let stream = BufStream::new(stream);
    let mut session = Session { stream, desk, known: false, sender: None, recipients: Vec::new() };
    let greeting = desk.refusal(Step::Greeting, "").unwrap_or_else(|| "220 sim.example ESMTP".to_owned());
    session.say(&greeting).await?;
    while let Some(line) = session.line().await? {
        match session.command(&line).await? {
            Next::Go => {}
            Next::Quit => return Ok(()),
            Next::Silence => return std::future::pending().await,
            Next::Reset => {
                // If the system cannot tear it down, it ends politely.
                let _ = session.stream.get_ref().set_zero_linger();
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Session<'_> {
    async fn say(&mut self, text: &str) -> io::Result<Next> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        self.stream.flush().await?;
        Ok(Next::Go)
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => self.hello().await,
            "AUTH" => self.login(line).await,
            "MAIL" => self.sender(line).await,
            "RCPT" => self.recipient(line).await,
            "DATA" => self.data().await,
            "RSET" | "NOOP" => self.say("250 2.0.0 ok").await,
            "QUIT" => {
                self.say("221 2.0.0 bye").await?;
                Ok(Next::Quit)
            }
            _ => self.say("500 5.5.1 unknown command").await,
        }
    }

    async fn hello(&mut self) -> io::Result<Next> {
        if let Some(refusal) = self.desk.refusal(Step::Hello, "") {
            return self.say(&refusal).await;
        }
        self.say("250-sim.example\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN").await
    }

    async fn login(&mut self, line: &str) -> io::Result<Next> {
        locked(&self.desk.state).logins += 1;
        if let Some(refusal) = self.desk.refusal(Step::Login, "") {
            return self.say(&refusal).await;
        }
        let words: Vec<_> = line.split(' ').collect();
        let said = match words[..] {
            [_, "PLAIN", initial] => plain(initial),
            [_, "LOGIN"] => {
                self.say("334 VXNlcm5hbWU6").await?;
                let user = self.line().await?.unwrap_or_default();
                self.say("334 UGFzc3dvcmQ6").await?;
                decoded(&user).zip(decoded(&self.line().await?.unwrap_or_default()))
            }
            _ => return self.say("504 5.5.4 unrecognized authentication type").await,
        };
        self.known = said.is_some() && said == self.desk.login;
        let answer = if self.known { "235 2.7.0 welcome" } else { "535 5.7.8 authentication failed" };
        self.say(answer).await
    }

    async fn sender(&mut self, line: &str) -> io::Result<Next> {
        let sender = path(line);
        if let Some(refusal) = self.desk.refusal(Step::Sender, &sender) {
            return self.say(&refusal).await;
        }
        if self.desk.login.is_some() && !self.known {
            return self.say("530 5.7.0 authentication required").await;
        }
        (self.sender, self.recipients) = (Some(sender), Vec::new());
        self.say("250 2.1.0 ok").await
    }

    async fn recipient(&mut self, line: &str) -> io::Result<Next> {
        let recipient = path(line);
        if let Some(refusal) = self.desk.refusal(Step::Recipient, &recipient) {
            return self.say(&refusal).await;
        }
        if self.sender.is_none() {
            return self.say("503 5.5.1 sender first").await;
        }
        self.recipients.push(recipient);
        self.say("250 2.1.5 ok").await
    }

    async fn data(&mut self) -> io::Result<Next> {
        if let Some(refusal) = self.desk.refusal(Step::Data, "") {
            return self.say(&refusal).await;
        }
        if self.recipients.is_empty() {
            return self.say("503 5.5.1 recipient first").await;
        }
        self.say("354 go ahead").await?;
        let Some(body) = self.content().await? else { return Ok(Next::Quit) };
        let fault = self.desk.fault();
        let request = self.request(body);
        let (answer, delivered) = match &fault {
            Some(fault) if !fault.lets_through() => (fault.answer(&request), false),
            _ => (Some(mail::judge(&request)), true),
        };
        let accepted = delivered && answer.as_ref().is_some_and(|answer| answer.accepted);
        let shown = if accepted { mail::shown(&request) } else { None };
        self.desk.note(Delivery {
            request,
            answer: answer.clone(),
            fault: fault.as_ref().map(Fault::name),
            shown,
        });
        (self.sender, self.recipients) = (None, Vec::new());
        self.answer(fault, answer).await
    }

    async fn answer(&mut self, fault: Option<Fault>, answer: Option<Answer>) -> io::Result<Next> {
        match (fault, answer) {
            (Some(Fault::ResetBefore | Fault::ResetAfter), _) => Ok(Next::Reset),
            (Some(Fault::Endless), _) => loop {
                self.say("250-and so on").await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            },
            (fault, Some(answer)) => {
                if let Some(Fault::Slow(wait)) = fault {
                    tokio::time::sleep(wait).await;
                }
                let text = String::from_utf8_lossy(&answer.body).replace(['\r', '\n'], " ");
                // A reply of SMTP has 512 bytes at most, and nothing but ASCII.
                let text: String = text.chars().filter(char::is_ascii).take(500).collect();
                self.say(&format!("{} {text}", answer.status)).await
            }
            (_, None) => Ok(Next::Silence),
        }
    }

    /// The mail, without the dots that were added to it.
    async fn content(&mut self) -> io::Result<Option<Bytes>> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await? == 0 || body.len() > LONGEST {
                return Ok(None);
            }
            if line == b".\r\n" {
                return Ok(Some(body.into()));
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn request(&self, body: Bytes) -> Request {
        Request {
            method: "MAIL".to_owned(),
            path: self.recipients.join(","),
            query: String::new(),
            headers: mail::headers(&body),
            body,
            at: (self.desk.clock)(),
        }
    }
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    let after = line.split_once('<').map(|(_, after)| after).unwrap_or_default();
    after.split('>').next().unwrap_or_default().to_owned()
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// Nothing, user and password with a zero byte before each of the last two (RFC 4616).
fn plain(initial: &str) -> Option<(String, String)> {
    let text = decoded(initial)?;
    let (user, password) = text.strip_prefix('\0')?.split_once('\0')?;
    Some((user.to_owned(), password.to_owned()))
}
