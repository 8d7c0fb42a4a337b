//! `silence acknowledge`: somebody knows of a certificate. Asks the running daemon what was told of it, and has it keep
//! quiet up to that stage.
//!
//! It is the deepest stage that any channel was told, not the one of this minute: what nobody has heard yet nobody can
//! know. A deeper one is told, and so is whatever comes after a renewal.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use hyper::Method;
use serde::Deserialize;

use super::talk::SILENCES;
use crate::cli::args::{Acknowledge, who};
use crate::cli::client::{Client, ClientError, encoded};
use crate::cli::tell;
use crate::domain::finding::Stage;
use crate::visible::visible;
use crate::web::api::silences::{NewSilence, SilenceItem};
use crate::web::json::{List, Moment};

/// Why nothing, or not everything, was acknowledged.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The daemon did not take it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is nothing to be known.
    #[error(
        "nobody was told that a certificate of `{0}` ends, so there is nothing to acknowledge\n  `notafter explain {0}` says \
         how it stands; `notafter silence add` keeps quiet what is to come"
    )]
    NobodyTold(String),
}

/// A certificate and a channel, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Alert {
    cloud_account: String,
    resource_id: String,
    cert_role: String,
    fingerprint: String,
    not_after: Moment,
    told: Option<Told>,
}

#[derive(Debug, Deserialize)]
struct Told {
    stage: Stage,
    not_after: Moment,
}

/// Acknowledges each certificate of a resource that somebody was told of, and says what holds from now on.
pub(super) async fn acknowledge(client: &Client, wanted: &Acknowledge) -> Result<String, Trouble> {
    let alerts = alerts(client, wanted).await?;
    let known = known(&alerts);
    if known.is_empty() {
        return Err(Trouble::NobodyTold(visible(&wanted.resource_id).into_owned()));
    }
    let length = TimeDelta::from_std(wanted.length).unwrap_or(TimeDelta::MAX);
    let ends_at = Utc::now().checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let mut text = String::new();
    for (fingerprint, (alert, stage)) in known {
        let silence = NewSilence {
            fingerprint: Some(fingerprint.to_owned()),
            stage: Some(stage),
            ends_at: Some(ends_at),
            author: who(&wanted.author).unwrap_or_default().to_owned(),
            comment: wanted.comment.clone(),
            ..NewSilence::default()
        };
        let body = serde_json::to_string(&silence).expect("texts and dates become JSON");
        let item: SilenceItem = client.json(Method::POST, SILENCES, Some(body)).await?;
        let what =
            format!("{} certificate of {} ({})", alert.cert_role, alert.resource_id, alert.cloud_account);
        text.push_str(&tell::acknowledged(&item, &what, stage));
    }
    Ok(text)
}

/// Every page of what the daemon says of a resource.
async fn alerts(client: &Client, wanted: &Acknowledge) -> Result<Vec<Alert>, ClientError> {
    let quoted = wanted.resource_id.replace('\\', "\\\\").replace('"', "\\\"");
    let more = wanted.matcher.as_ref().map_or_else(String::new, |matcher| format!(", {matcher}"));
    let expression = encoded(&format!("resource_id=\"{quoted}\"{more}"));
    let (mut alerts, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/alerts?limit=1000&match={expression}&cursor={cursor}");
        let page: List<Alert> = client.json(Method::GET, &path, None).await?;
        alerts.extend(page.items);
        match page.next {
            Some(next) => cursor = next,
            None => return Ok(alerts),
        }
    }
}

/// By certificate, the deepest stage of its present end that a channel was told.
fn known(alerts: &[Alert]) -> BTreeMap<&str, (&Alert, Stage)> {
    let mut known: BTreeMap<&str, (&Alert, Stage)> = BTreeMap::new();
    for alert in alerts {
        let told = alert.told.as_ref().filter(|told| told.not_after == alert.not_after);
        let Some(stage) = told.map(|told| told.stage).filter(|stage| *stage > Stage::Ok) else { continue };
        let (_, deepest) = known.entry(&alert.fingerprint).or_insert((alert, stage));
        *deepest = stage.max(*deepest);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(fingerprint: &str, day: u32, told: Option<(&str, u32)>) -> Alert {
        let end = |day: u32| format!("2026-12-{day:02}T00:00:00Z");
        let told =
            told.map(|(stage, day)| serde_json::json!({"stage": stage, "not_after": end(day), "at": end(1)}));
        let alert = serde_json::json!({
            "id": "a/b", "cloud_account": "prod", "resource_id": "r-1", "cert_role": "server",
            "fingerprint": fingerprint, "not_after": end(day), "stage": "critical", "told": told,
        });
        serde_json::from_value(alert).expect("as the API says it")
    }

    #[test]
    fn what_is_acknowledged_is_the_deepest_stage_of_the_present_end_that_somebody_heard_of() {
        for (name, alerts, want) in [
            ("nothing is told", vec![alert("a", 5, None)], vec![]),
            ("another end was told", vec![alert("a", 5, Some(("critical", 4)))], vec![]),
            ("it was told as well", vec![alert("a", 5, Some(("ok", 5)))], vec![]),
            (
                "told, and deeper by now",
                vec![alert("a", 5, Some(("warning", 5)))],
                vec![("a", Stage::Warning)],
            ),
            (
                "two channels and two certificates",
                vec![
                    alert("a", 5, Some(("critical", 5))),
                    alert("a", 5, Some(("info", 5))),
                    alert("b", 6, Some(("expired", 6))),
                    alert("c", 6, None),
                ],
                vec![("a", Stage::Critical), ("b", Stage::Expired)],
            ),
        ] {
            let known: Vec<_> =
                known(&alerts).into_iter().map(|(print, (_, stage))| (print, stage)).collect();
            assert_eq!(known, want, "{name}");
        }
    }
}
