//! `status`, `silence`, `notify` and `explain`: asks the running daemon over its control socket.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use hyper::{Method, StatusCode};
use tokio::sync::watch;

use super::acknowledge::acknowledge;
use super::{Exit, environment, failed, printed};
use crate::cli::args::{AddSilence, LogLevel, Silence, TextFormat, who};
use crate::cli::client::{Client, ClientError, encoded};
use crate::cli::tell;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::alerts::{self, Delivery, Parts, Words};
use crate::domain::duration::show_duration;
use crate::domain::nearest::nearest;
use crate::metrics::MetricsPage;
use crate::notifier::desk::Desk as _;
use crate::store;
use crate::telemetry::Telemetry;
use crate::web::api::log_level::{LogLevelItem, NewLogLevel};
use crate::web::api::notifications::TestedItem;
use crate::web::api::reload::ReloadItem;
use crate::web::api::silences::{NewSilence, SilenceItem};
use crate::web::api::status::Status;
use crate::web::json::List;

const STATUS: &str = "/api/v1/status";
/// Where silences are listed and added.
pub(super) const SILENCES: &str = "/api/v1/silences";
const LOG_LEVEL: &str = "/api/v1/log-level";

/// Shows how the daemon fares.
pub(super) async fn status(socket: PathBuf, format: TextFormat) -> Exit {
    let client = Client::at(&socket);
    match format {
        TextFormat::Json => shown(client.text(Method::GET, STATUS, None).await),
        TextFormat::Text => {
            let status: Result<Status, _> = client.json(Method::GET, STATUS, None).await;
            shown(status.map(|status| tell::status(&status)))
        }
    }
}

/// Has the daemon read its configuration again.
pub(super) async fn reload(socket: PathBuf) -> Exit {
    let answer: Result<ReloadItem, _> = Client::at(&socket).json(Method::POST, "/-/reload", None).await;
    match answer {
        Ok(done) => printed(&tell::reloaded(&done), Exit::Ok),
        Err(ClientError::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, detail }) => {
            eprintln!(
                "{}\nnothing is different: the daemon goes on with the configuration from before",
                detail.trim_end()
            );
            Exit::Config
        }
        Err(error) => failed(&error),
    }
}

/// Shows what the daemon logs, or has it log something else for a while.
pub(super) async fn log_level(socket: PathBuf, wanted: &LogLevel) -> Exit {
    let client = Client::at(&socket);
    let (method, body) = match &wanted.levels {
        Some(levels) => {
            let body = NewLogLevel {
                levels: levels.to_string(),
                length: Some(show_duration(wanted.length)),
                by: who(&wanted.by).map(str::to_owned),
            };
            (Method::PUT, Some(serde_json::to_string(&body).expect("texts become JSON")))
        }
        None if wanted.reset => (Method::DELETE, None),
        None => (Method::GET, None),
    };
    let answer: Result<LogLevelItem, _> = client.json(method, LOG_LEVEL, body).await;
    shown(answer.map(|item| tell::log_level(&item)))
}

/// Adds, lists or ends a silence, or acknowledges.
pub(super) async fn silence(socket: PathBuf, silence: &Silence) -> Exit {
    let client = Client::at(&socket);
    match silence {
        Silence::Add(add) => shown(self::add(&client, add).await.map(|item| tell::added(&item))),
        Silence::Acknowledge(wanted) => match acknowledge(&client, wanted).await {
            Ok(text) => printed(&text, Exit::Ok),
            Err(error) => failed(&error),
        },
        Silence::List { format: TextFormat::Json } => {
            shown(client.text(Method::GET, &format!("{SILENCES}?limit=1000"), None).await)
        }
        Silence::List { format: TextFormat::Text } => {
            let list: Result<List<SilenceItem>, _> =
                client.json(Method::GET, &format!("{SILENCES}?limit=1000"), None).await;
            shown(list.map(|list| tell::silences(&list)))
        }
        Silence::End { id } => {
            let path = format!("{SILENCES}/{}", encoded(id));
            let ended = client.text(Method::DELETE, &path, None).await;
            shown(ended.map(|_| format!("{} ended", crate::visible::visible(id))))
        }
    }
}

async fn add(client: &Client, add: &AddSilence) -> Result<SilenceItem, ClientError> {
    let starts_at = add.from.unwrap_or_else(Utc::now);
    let length = TimeDelta::from_std(add.length).unwrap_or(TimeDelta::MAX);
    let ends_at = starts_at.checked_add_signed(length).unwrap_or(chrono::DateTime::<Utc>::MAX_UTC);
    let wanted = NewSilence {
        matcher: Some(add.matcher.to_string()),
        starts_at: add.from,
        ends_at: Some(ends_at),
        author: who(&add.author).unwrap_or_default().to_owned(),
        comment: add.comment.clone(),
        include_expired: add.include_expired,
        ..NewSilence::default()
    };
    let body = serde_json::to_string(&wanted).expect("texts and dates become JSON");
    client.json(Method::POST, SILENCES, Some(body)).await
}

/// What the daemon explains; `None`: none answers.
pub(super) async fn explain(socket: PathBuf, id: &str) -> Option<Exit> {
    let path = format!("/api/v1/explain?resource_id={}", encoded(id));
    match Client::at(&socket).text(Method::GET, &path, None).await {
        Err(ClientError::Refused { detail, .. }) => {
            eprintln!("{}", detail.trim_end());
            Some(Exit::Failed)
        }
        Err(error) => {
            looks_itself(&error);
            None
        }
        text => Some(shown(text)),
    }
}

/// Has the daemon try its channels; `None`: none answers.
pub(super) async fn test(socket: PathBuf, channel: Option<&str>) -> Option<Exit> {
    let body = channel.map(|channel| serde_json::json!({"channel": channel}).to_string());
    let client = Client::at(&socket);
    let tested: Result<List<TestedItem>, _> =
        client.json(Method::POST, "/api/v1/notifications/test", body).await;
    match tested {
        Ok(list) => Some(tested_exit(&list.items)),
        Err(ClientError::Refused { detail, .. }) => Some(failed(&detail)),
        Err(error) => {
            looks_itself(&error);
            None
        }
    }
}

/// That no daemon runs is the ordinary case of those who only begin; anything else is worth a word.
pub(super) fn looks_itself(error: &ClientError) {
    if !error.is_nobody() {
        eprintln!("notafter: {error}\n  going on without the daemon");
    }
}

/// Makes the channels and sends by itself. One that cannot be made is told and keeps no other from being tried.
pub(super) async fn test_alone(mut config: Config, channel: Option<&str>) -> Exit {
    let all = std::mem::take(&mut config.channels);
    let names: Vec<String> = all.iter().map(|channel| channel.name.clone()).collect();
    if let Err(problem) = is_known(&names, channel) {
        return failed(&problem);
    }
    let mut tested = Vec::new();
    for one in all.into_iter().filter(|one| channel.is_none_or(|name| name == one.name)) {
        let (name, kind) = (one.name.clone(), one.kind.name);
        config.channels = vec![one];
        match alerts::build_channels(&config, &environment) {
            Ok(channels) => tested.extend(send_test(&config, channels).await),
            Err(errors) => tested.extend(errors.iter().map(|error| TestedItem {
                channel: name.clone(),
                r#type: kind.to_owned(),
                place: String::new(),
                delivered: false,
                said: None,
                reason: None,
                error: Some(error.to_string()),
            })),
        }
    }
    tested_exit(&tested)
}

fn is_known(names: &[String], wanted: Option<&str>) -> Result<(), String> {
    if names.is_empty() {
        return Err("no channel is configured: add a [[channel]], see config.example.toml".to_owned());
    }
    let Some(wanted) = wanted.filter(|wanted| !names.iter().any(|name| name == wanted)) else {
        return Ok(());
    };
    let meant = nearest(wanted, names.iter().map(String::as_str));
    let meant = meant.map_or_else(String::new, |meant| format!(", did you mean `{meant}`?"));
    let wanted = crate::visible::visible(wanted).into_owned();
    Err(format!("there is no channel `{wanted}`{meant}\n  configured: {}", names.join(", ")))
}

async fn send_test(config: &Config, channels: Vec<alerts::Channel>) -> Vec<TestedItem> {
    let (clock, telemetry) = (Clock::system(), Arc::new(Telemetry::new()));
    // There is no store behind this handle: a test needs none.
    let (_holder, store) = store::handle();
    let metrics = MetricsPage::new(Arc::clone(&telemetry), config.poll.clone(), clock.now());
    let (_snapshots, nothing) = watch::channel(Arc::default());
    let delivery = Delivery::new(Parts {
        channels,
        words: Words::of(config),
        rules: alerts::rules(config),
        heartbeat: None,
        snapshots: nothing,
        store,
        metrics: Arc::new(metrics),
        telemetry,
        clock,
    });
    let tested = delivery.office().test(None).await.unwrap_or_default();
    tested.into_iter().map(TestedItem::from).collect()
}

fn tested_exit(tested: &[TestedItem]) -> Exit {
    let well = tested.iter().all(|one| one.delivered);
    printed(&tell::tested(tested), if well { Exit::Ok } else { Exit::Failed })
}

fn shown(answer: Result<String, ClientError>) -> Exit {
    match answer {
        Ok(text) => printed(&text, Exit::Ok),
        Err(error) => failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_channel_is_answered_with_the_known_ones() {
        let names = ["dba-slack", "pager"].map(str::to_owned);
        assert_eq!(is_known(&names, None), Ok(()));
        assert_eq!(is_known(&names, Some("pager")), Ok(()));
        let text = is_known(&names, Some("dba-slak")).expect_err("unknown");
        assert_eq!(
            text,
            "there is no channel `dba-slak`, did you mean `dba-slack`?\n  configured: dba-slack, pager"
        );
        assert!(is_known(&[], None).expect_err("none").starts_with("no channel is configured"));
    }
}
