//! What a mail server says before the mail itself, and what a mail looks like.

use notafter::notifier::samples::{self, now};
use notafter::notifier::{Outcome, Refusal};
use notafter::sim::receivers::Request;
use notafter::sim::receivers::smtp::{MailServer, Step};

use crate::support::{Line, Station, agrees};
use crate::table::{self, Channel, Want};

fn email() -> Channel {
    table::all().into_iter().find(|channel| channel.kind == "email").expect("it is in the table")
}

async fn open() -> (Line, MailServer) {
    let line = Line::open(&email()).await;
    let Station::Mail(server) = &line.station else { panic!("it is a mail server") };
    let server = server.clone();
    (line, server)
}

#[tokio::test]
async fn each_refusal_has_its_outcome() {
    let refused = Want::Refused;
    for (name, step, said, want) in [
        ("greeting 421", Step::Greeting, "421 4.3.2 too many connections", Want::Retry),
        ("greeting 554", Step::Greeting, "554 5.7.1 go away", refused(Refusal::Content)),
        ("hello 550", Step::Hello, "550 5.7.1 who are you", refused(Refusal::Target)),
        ("login 454", Step::Login, "454 4.7.0 temporary failure", Want::Retry),
        ("login 535", Step::Login, "535 5.7.8 authentication failed", refused(Refusal::Credentials)),
        ("login 534", Step::Login, "534 5.7.9 application password required", refused(Refusal::Credentials)),
        ("sender 550", Step::Sender, "550 5.7.1 your address is blocked", refused(Refusal::Target)),
        ("sender 553", Step::Sender, "553 5.1.8 sender refused", refused(Refusal::Target)),
        ("sender 451", Step::Sender, "451 4.7.1 later", Want::Retry),
        ("sender 530", Step::Sender, "530 5.7.0 authentication required", refused(Refusal::Credentials)),
        ("recipient 450", Step::Recipient, "450 4.2.0 greylisted", Want::Retry),
        (
            "recipient 530",
            Step::Recipient,
            "530 5.7.0 authentication required",
            refused(Refusal::Credentials),
        ),
        ("every recipient 550", Step::Recipient, "550 5.1.1 no such user", refused(Refusal::Target)),
        ("every recipient 554", Step::Recipient, "554 5.7.1 relay access denied", refused(Refusal::Target)),
        ("data 550", Step::Data, "550 5.7.1 looks like spam", refused(Refusal::Content)),
        ("data 554", Step::Data, "554 5.5.1 no valid recipients", refused(Refusal::Content)),
    ] {
        let (line, server) = open().await;
        server.refuse(step, None, said);
        for outcome in line.say(&samples::one_critical()).await {
            assert!(agrees(&outcome, want), "{name} became {outcome:?}, not {want:?}");
        }
        assert!(server.deliveries().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_recipient_who_is_gone_does_not_stop_the_others() {
    let (line, server) = open().await;
    server.refuse(Step::Recipient, Some("dba@example.com"), "550 5.1.1 no such user");
    let outcomes = line.say(&samples::one_critical()).await;
    let [Outcome::Delivered(gone), Outcome::Delivered(_)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(gone.said.contains("dba@example.com") && gone.said.contains("no such user"), "{}", gone.said);
    let got: Vec<_> = server.deliveries().into_iter().map(|delivery| delivery.request.path).collect();
    assert_eq!(got, ["ops@example.com"]);

    server.refuse(Step::Recipient, Some("ops@example.com"), "550 5.1.1 no such user");
    let outcomes = line.say(&samples::one_critical()).await;
    let refused = outcomes.iter().all(|outcome| agrees(outcome, Want::Refused(Refusal::Target)));
    assert!(refused, "none is left, so none may be counted as told: {outcomes:?}");

    server.relent();
    let outcomes = line.say(&samples::one_critical()).await;
    assert!(outcomes.iter().all(|outcome| agrees(outcome, Want::Delivered)), "{outcomes:?}");
    assert_eq!(server.deliveries().len(), 3);
}

/// Servers hang up after so many refused recipients.
#[tokio::test]
async fn who_is_refused_by_a_server_that_then_hangs_up_does_not_count_as_told() {
    let (line, server) = open().await;
    server.refuse(Step::Recipient, Some("dba@example.com"), "554 5.7.1 relay access denied");
    server.refuse(Step::Recipient, Some("ops@example.com"), "421 4.7.0 too many errors");
    let outcomes = line.say(&samples::one_critical()).await;
    assert!(outcomes.iter().all(|outcome| agrees(outcome, Want::Retry)), "{outcomes:?}");
    assert!(server.deliveries().is_empty());
}

#[tokio::test]
async fn a_server_that_refuses_us_for_a_while_loses_no_recipient() {
    for step in [Step::Hello, Step::Sender, Step::Recipient] {
        let (line, server) = open().await;
        server.refuse(step, None, "550 5.7.1 blocked");
        let outcomes = line.say(&samples::one_critical()).await;
        let refused = outcomes.iter().all(|outcome| agrees(outcome, Want::Refused(Refusal::Target)));
        assert!(refused, "none of it may be counted as arrived: {outcomes:?}");
        server.relent();
        line.say(&samples::one_critical()).await;
        let got: Vec<_> = server.deliveries().into_iter().map(|delivery| delivery.request.path).collect();
        assert_eq!(got, ["dba@example.com", "ops@example.com"]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_as_such() {
    let channel = Channel { far: table::Far::Mail("notafter", "another"), ..email() };
    let line = Line::open(&channel).await;
    let outcome = line.say(&samples::one_critical()).await.remove(0);
    assert!(agrees(&outcome, Want::Refused(Refusal::Credentials)), "{outcome:?}");
    assert!(format!("{outcome:?}").contains("535"), "{outcome:?}");
}

#[tokio::test]
async fn a_mail_has_what_mail_servers_and_readers_ask_for() {
    let (line, server) = open().await;
    let outcomes = line.say(&samples::one_critical()).await;
    let request = server.deliveries().remove(0).request;
    let id = format!("<{}@example.com>", samples::ID);
    for (name, want) in [
        ("message-id", id.as_str()),
        ("auto-submitted", "auto-generated"),
        ("x-auto-response-suppress", "All"),
        ("date", "Sun, 22 Nov 2026 00:00:00 +0000"),
        ("from", "notafter <notafter@example.com>"),
        ("to", "dba@example.com"),
    ] {
        assert_eq!(header(&request, name), want, "{name}");
    }
    assert!(request.header("content-type").is_some_and(|kind| kind.starts_with("multipart/alternative")));
    let body = String::from_utf8_lossy(&request.body);
    let at = |part: &str| body.find(part).unwrap_or_else(|| panic!("no {part} in {body}"));
    assert!(at("text/plain") < at("text/html"), "plain text comes first");
    let Outcome::Delivered(receipt) = &outcomes[0] else { panic!("{outcomes:?}") };
    let [(key, value)] = &receipt.notes[..] else { panic!("{receipt:?}") };
    assert!(key.starts_with("thread:") && *value == id, "{receipt:?}");
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.header(name).unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn the_plain_form_is_one_text_to_all() {
    let (line, server) = open().await;
    let message = samples::one_critical();
    let part = line.plain(&message).expect("there is one");
    let outcomes = line.post(&message, &[part], now()).await;
    assert!(agrees(&outcomes[0], Want::Delivered), "{outcomes:?}");
    let deliveries = server.deliveries();
    assert_eq!(deliveries[0].request.path, "dba@example.com,ops@example.com");
    assert!(header(&deliveries[0].request, "content-type").starts_with("text/plain"));
}

#[tokio::test]
async fn the_plain_form_reaches_those_who_are_left() {
    let (line, server) = open().await;
    server.refuse(Step::Recipient, Some("dba@example.com"), "550 5.1.1 no such user");
    let message = samples::one_critical();
    let part = line.plain(&message).expect("there is one");
    let outcomes = line.post(&message, std::slice::from_ref(&part), now()).await;
    let [Outcome::Delivered(receipt)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(receipt.said.contains("not to dba@example.com: SMTP 550"), "{}", receipt.said);
    assert_eq!(server.deliveries()[0].request.path, "ops@example.com");

    server.refuse(Step::Recipient, None, "550 5.7.1 blocked");
    let outcomes = line.post(&message, &[part], now()).await;
    assert!(agrees(&outcomes[0], Want::Refused(Refusal::Target)), "{outcomes:?}");
}

#[tokio::test]
async fn nothing_is_said_in_clear_where_protection_was_asked_for() {
    for tls in ["implicit", "starttls"] {
        let settings: &'static str = email().settings.replace("\"none\"", &format!("{tls:?}")).leak();
        let line = Line::open(&Channel { settings, ..email() }).await;
        let Station::Mail(server) = &line.station else { panic!("it is a mail server") };
        let outcome = line.say(&samples::one_critical()).await.remove(0);
        assert!(agrees(&outcome, Want::Retry), "{tls}: {outcome:?}");
        let (mails, logins) = (server.deliveries().len(), server.logins());
        assert_eq!((mails, logins), (0, 0), "{tls}");
    }
}
