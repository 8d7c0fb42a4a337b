//! Prometheus Alertmanager, API v2: is told the present state again and again, and decides by itself when to speak.
//!
//! Reminders, digests, silences and the outbox do not apply here. Nothing is remembered but which alerts an instance
//! refuses; an Alertmanager that was restarted has everything again with the next post.

pub mod settings;

mod alerts;
mod instance;
mod words;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio_util::task::AbortOnDropHandle;

use self::instance::{Instance, Ready, Taken, trouble};
use self::settings::{Login, Settings};
use super::post::Post;
use super::{BuildError, NotifierKind, Order, Outcome, Receipt, Refusal, Replica, Sender, Setting};
use crate::call::BoxFuture;
use crate::domain::alert::standing::State;
use crate::domain::finding::Stage;
use crate::domain::reason::Reason;
use crate::fields::SecretSetting;
use crate::secret::Secret;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "alertmanager",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 10,
    build: Some(build),
};

/// Behind the address of an instance.
const PATH: &str = "/api/v2/alerts";

/// A cluster of Alertmanagers.
#[derive(Debug)]
struct Alertmanager {
    instances: Vec<Arc<Instance>>,
    place: String,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &dyn Any = order.settings;
    let settings = settings.downcast_ref::<Settings>().expect("the settings of this type");
    let addresses: Result<Vec<_>, _> = settings.urls.iter().map(|setting| address(setting, order)).collect();
    let addresses = addresses?;
    let mut secrets: Vec<_> = addresses.iter().flat_map(hidden).collect();
    let mut headers = HeaderMap::new();
    if let Some(login) = &settings.login {
        let (value, setting, hide) = authorization(login, order)?;
        secrets.extend(hide);
        headers.insert(AUTHORIZATION, sensitive(&value, setting)?);
    }
    let post = Post::new(order.proxy, secrets)?;
    let instance = |url: &Url| {
        let place = url.origin().ascii_serialization();
        Arc::new(Instance::new(place, Secret::new(url.as_str()), post.clone(), headers.clone()))
    };
    let instances: Vec<_> = addresses.iter().map(instance).collect();
    let place = instances.iter().map(|instance| instance.place.as_str()).collect::<Vec<_>>().join(", ");
    Ok(Sender::State(Arc::new(Alertmanager { instances, place })))
}

/// Where an instance takes alerts.
fn address(setting: &SecretSetting, order: &Order<'_>) -> Result<Url, BuildError> {
    let secret = read(setting, order)?;
    let odd = |problem: String| BuildError::OddSecret { subject: setting.subject.clone(), problem };
    super::own_url(secret.expose()).map_err(|fault| odd(fault.message))?;
    let mut url = Url::parse(secret.expose()).map_err(|error| odd(format!("is not an address: {error}")))?;
    let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// What of an address must not be seen.
fn hidden(url: &Url) -> Vec<Secret> {
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let mut hidden: Vec<_> = values.chain(url.query().map(str::to_owned)).map(Secret::new).collect();
    if let Some(password) = url.password() {
        let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
        let pair = format!("{}:{decoded}", url.username());
        hidden.extend([password, &decoded, &STANDARD.encode(pair)].map(Secret::new));
    }
    hidden
}

/// The value of the header, where its secret is written, and what must not be seen of it.
fn authorization<'a>(
    login: &'a Login,
    order: &Order<'_>,
) -> Result<(String, &'a SecretSetting, Vec<Secret>), BuildError> {
    match login {
        Login::Bearer(setting) => {
            let token = read(setting, order)?;
            Ok((format!("Bearer {}", token.expose()), setting, vec![token]))
        }
        Login::Password { username, password: setting } => {
            let password = read(setting, order)?;
            let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
            Ok((format!("Basic {pair}"), setting, vec![password, Secret::new(pair)]))
        }
    }
}

fn read(setting: &SecretSetting, order: &Order<'_>) -> Result<Secret, BuildError> {
    let subject = || setting.subject.clone();
    (order.secret)(setting).map_err(|source| BuildError::Secret { subject: subject(), source })
}

fn sensitive(value: &str, setting: &SecretSetting) -> Result<HeaderValue, BuildError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| BuildError::OddSecret {
        subject: setting.subject.clone(),
        problem: "holds characters that no header can have".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Replica for Alertmanager {
    fn replicate<'a>(
        &'a self,
        state: &'a State,
        setting: &'a Setting<'a>,
        resend: Duration,
    ) -> BoxFuture<'a, Outcome> {
        let alerts: Arc<[Ready]> = alerts::alerts(state, setting, resend).iter().map(Ready::new).collect();
        Box::pin(async move {
            let answers = self.told(&alerts).await;
            self.summed_up(alerts.len(), &answers)
        })
    }

    fn place(&self) -> &str {
        &self.place
    }
}

impl Alertmanager {
    /// What each instance says, all of them asked at the same time.
    async fn told(&self, alerts: &Arc<[Ready]>) -> Vec<Result<Taken, Outcome>> {
        let tell = |instance: &Arc<Instance>| {
            let (instance, alerts) = (Arc::clone(instance), Arc::clone(alerts));
            AbortOnDropHandle::new(tokio::spawn(async move { instance.tell(&alerts).await }))
        };
        let telling: Vec<_> = self.instances.iter().map(tell).collect();
        let mut answers = Vec::new();
        for telling in telling {
            let answer = telling.await;
            answers.push(
                answer.unwrap_or_else(|_| Err(super::post::retry(Reason::Internal, "a defect of notafter"))),
            );
        }
        answers
    }

    /// One that took it suffices: they tell each other what they said to people.
    fn summed_up(&self, count: usize, answers: &[Result<Taken, Outcome>]) -> Outcome {
        let (mut said, mut missed_by) = (Vec::new(), Vec::new());
        for (instance, answer) in self.instances.iter().zip(answers) {
            match answer {
                Ok(taken) if taken.left_out.is_empty() => {}
                Ok(taken) => {
                    let many = taken.left_out.len();
                    said.push(format!("{}: {many} left out: {}", instance.place, taken.left_out.join("; ")));
                }
                Err(outcome) => {
                    let text = trouble(outcome).map(|trouble| trouble.text.as_str()).unwrap_or_default();
                    said.push(format!("{}: {text}", instance.place));
                    missed_by.push((instance.place.clone(), text.to_owned()));
                }
            }
        }
        let taken = answers.iter().filter(|answer| answer.is_ok()).count();
        let said = said.join(" · ");
        if taken == 0 {
            return none_took_it(answers, &said);
        }
        let all = self.instances.len();
        let head = format!("{taken} of {all} instances took {count} alerts");
        let said = if said.is_empty() { head } else { format!("{head} · {said}") };
        Outcome::Delivered(Receipt { notes: missed_by, said: crate::call::clean(&said) })
    }
}

/// What may pass for one of them may pass for all.
fn none_took_it(answers: &[Result<Taken, Outcome>], said: &str) -> Outcome {
    let failed = || answers.iter().filter_map(|answer| answer.as_ref().err());
    let retry = failed().find(|outcome| matches!(outcome, Outcome::Retry { .. }));
    let waits = failed().filter_map(|outcome| match outcome {
        Outcome::Retry { after, .. } => *after,
        _ => None,
    });
    let after = waits.min();
    match retry.or(failed().next()) {
        Some(Outcome::Refused { what, .. }) => super::post::refused(*what, said),
        Some(Outcome::Retry { trouble, .. }) => {
            Outcome::Retry { after, trouble: super::Trouble::new(trouble.reason, said) }
        }
        _ => super::post::refused(Refusal::Target, "there is no instance"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_does_not_take_it_is_named_although_another_did() {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let post = Post::new(None, Vec::new()).expect("a client");
        let instance = |place: &str| {
            Arc::new(Instance::new(place.to_owned(), Secret::new(place), post.clone(), HeaderMap::new()))
        };
        let places = ["http://a:9093", "http://b:9093"];
        let cluster = Alertmanager { instances: places.map(instance).into(), place: String::new() };
        let taken = || Ok(Taken { left_out: Vec::new() });
        let dead = || Err(super::super::post::retry(Reason::Unreachable, "connection refused"));
        for (name, answers, want) in [
            ("both", [taken(), taken()], Some(vec![])),
            ("one", [taken(), dead()], Some(vec![("http://b:9093", "connection refused")])),
            ("none", [dead(), dead()], None),
        ] {
            let got = match cluster.summed_up(3, &answers) {
                Outcome::Delivered(receipt) => Some(receipt.notes),
                _ => None,
            };
            let want = want.map(|notes| {
                let text = |(place, error): &(&str, &str)| ((*place).to_owned(), (*error).to_owned());
                notes.iter().map(text).collect::<Vec<_>>()
            });
            assert_eq!(got, want, "{name}");
        }
    }
}
