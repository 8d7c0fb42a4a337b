//! No secret is ever to be seen, whatever the other side says.

use std::io::Write;
use std::sync::{Arc, Mutex};

use notafter::notifier::{Outcome, Sender, samples};
use notafter::sim::receivers::{Answer, Fault};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Line, built};
use crate::table::{self, Channel};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("whole")).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn planted_secrets_are_in_no_outcome_no_log_and_no_debug_text() {
    for channel in table::all() {
        let log = Captured::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let mut seen = outcomes(&channel).await;
        drop(guard);
        seen.push(("the log at trace level".to_owned(), log.text()));
        assert!(!channel.secrets.is_empty(), "{}: nothing is planted", channel.name);
        for secret in channel.secrets {
            assert!(channel.settings.contains(secret), "{}: {secret} is not planted", channel.name);
            for (place, text) in &seen {
                assert!(!text.contains(secret), "{}: {secret} is in {place}: {text}", channel.name);
            }
        }
    }
}

/// Everything that could be seen of a channel in trouble: place and text.
async fn outcomes(channel: &Channel) -> Vec<(String, String)> {
    let line = Line::open(channel).await;
    let place = match &line.sender {
        Sender::Messages(messenger) => messenger.place().to_owned(),
        Sender::State(replica) => replica.place().to_owned(),
    };
    let mut seen = vec![
        ("the sender's Debug form".to_owned(), format!("{:?}", line.sender)),
        ("the configuration's Debug form".to_owned(), line.config.clone()),
        ("its place".to_owned(), place),
    ];
    let mut note = |what: &str, outcome: &Outcome| seen.push((what.to_owned(), format!("{outcome:?}")));
    note("a delivery", &line.say(&samples::one_critical()).await[0]);
    for status in [200, 202, 400, 401, 403, 404, 422, 429, 500] {
        let outcome = line.meet(&samples::one_critical(), Fault::Echo(status)).await;
        note(&format!("the echo with {status}"), &outcome);
    }
    for fault in [Fault::ResetBefore, Fault::Endless, Fault::redirect("/elsewhere")] {
        note(fault.name(), &line.meet(&samples::one_critical(), fault.clone()).await);
    }
    for code in &channel.codes {
        let fault = Fault::Answer(leaky(&code.answer, &channel.secrets.join(" ")));
        note(code.name, &line.meet(&samples::one_critical(), fault).await);
    }
    let nowhere = Line { sender: built(channel, "http://127.0.0.1:1").0, ..line };
    seen.push(("a closed port".to_owned(), format!("{:?}", nowhere.say(&samples::one_critical()).await)));
    seen
}

/// The same answer; whatever is text in it tells the secrets, too.
fn leaky(answer: &Answer, secrets: &str) -> Answer {
    let body = match serde_json::from_slice(&answer.body) {
        Ok(json) => with_secrets(json, secrets).to_string(),
        Err(_) => format!("{} {secrets}", String::from_utf8_lossy(&answer.body)),
    };
    Answer { body: body.into(), ..answer.clone() }
}

fn with_secrets(json: Value, secrets: &str) -> Value {
    match json {
        Value::String(text) => format!("{text} {secrets}").into(),
        Value::Array(items) => items.into_iter().map(|item| with_secrets(item, secrets)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, with_secrets(value, secrets))).collect()
        }
        plain => plain,
    }
}
