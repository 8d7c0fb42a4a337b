//! `/api/v1/status`: how the daemon fares, in one answer; also what the command `status` shows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::context::{PageContext, Telling};
use super::super::json::Moment;
use super::super::planned::{Entry, entries};
use super::super::rows::scope_id;
use super::renewals::RenewalItem;
use super::silences::state_of;
use crate::domain::alert::delivery::health::Health;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal::board::Board;
use crate::domain::renewal::plan::Decision;
use crate::domain::renewal::refusal::Refusal;
use crate::domain::snapshot::Snapshot;
use crate::metrics::Usage;
use crate::notifier::desk::ChannelStatus;

/// So many scopes that fail are told one by one.
const FAILING: usize = 100;
/// So many renewals that are under way are told one by one.
const RUNNING: usize = 100;

/// How the daemon fares.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // here and below named as the members, which the OpenAPI document explains
pub struct Status {
    pub version: String,
    pub started_at: Moment,
    pub clock: ClockStatus,
    pub ready: bool,
    pub resources: usize,
    pub scopes: ScopeCounts,
    pub failing: Vec<FailingScope>,
    pub store: StoreStatus,
    pub alerts: AlertsStatus,
    pub channels: Vec<ChannelItem>,
    pub renewals: RenewalsStatus,
    /// Unknown to daemons of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConfigurationStatus>,
    /// Unknown to daemons of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessStatus>,
}

/// What the process takes of the machine; null where the system does not say.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ProcessStatus {
    pub resident_bytes: Option<u64>,
    pub open_files: Option<u64>,
    pub tasks: Option<u64>,
}

impl ProcessStatus {
    /// As it is now.
    pub fn now() -> Self {
        let Usage { resident_bytes, open_fds: open_files, tasks, .. } = Usage::now();
        Self { resident_bytes, open_files, tasks }
    }
}

/// Whether the configuration that is used is the one that was read last.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ConfigurationStatus {
    pub used_since: Moment,
    pub refused_at: Option<Moment>,
    pub problems: Option<String>,
}

/// The daemon's idea of time.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ClockStatus {
    pub now: Moment,
    pub timezone: String,
}

/// How many scopes there are.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ScopeCounts {
    pub total: usize,
    pub up: usize,
    pub failing: usize,
    pub pending: usize,
}

/// A scope that fails.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FailingScope {
    pub id: String,
    pub reason: String,
    pub text: String,
    pub at: Moment,
    pub listed_at: Option<Moment>,
}

/// Whether what is known outlives the daemon.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StoreStatus {
    pub configured: bool,
    pub usable: bool,
    pub place: Option<String>,
}

/// Whether people are told.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AlertsStatus {
    pub configured: bool,
    pub evaluated_at: Option<Moment>,
    pub trouble: Option<String>,
    pub silences: usize,
    pub queued: usize,
    pub dead: usize,
}

/// Whether anything is renewed.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RenewalsStatus {
    pub mode: String,
    pub planned_at: Option<Moment>,
    pub trouble: Option<String>,
    pub under_way: Vec<RenewalItem>,
    pub waiting: usize,
    pub unapproved: usize,
    pub refused: usize,
}

/// How a channel fares.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ChannelItem {
    pub name: String,
    pub r#type: String,
    pub place: String,
    pub failing: bool,
    pub failures: u32,
    pub failing_since: Option<Moment>,
    pub paused_until: Option<Moment>,
    pub last_success: Option<Moment>,
    pub error: Option<String>,
    pub queued: usize,
    pub dead: usize,
    /// Daemons of before told of configured channels only.
    #[serde(default = "yes")]
    pub configured: bool,
    #[serde(default)]
    pub given_up_at: Option<Moment>,
    #[serde(default)]
    pub down: Vec<PlaceDown>,
}

/// One of several places of a channel, which does not take what another does.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PlaceDown {
    pub place: String,
    pub error: String,
}

fn yes() -> bool {
    true
}

impl ChannelItem {
    /// A channel.
    pub fn new(status: &ChannelStatus) -> Self {
        let Health { failures, since, error, paused_until, last_success, .. } = &status.health;
        Self {
            name: status.name.to_string(),
            r#type: status.type_name.to_owned(),
            place: status.place.to_string(),
            failing: status.failing,
            failures: *failures,
            failing_since: since.map(Moment),
            paused_until: paused_until.map(Moment),
            last_success: last_success.map(Moment),
            error: (!error.is_empty()).then(|| error.to_string()),
            queued: status.queued,
            dead: status.dead,
            configured: status.removed.is_none(),
            given_up_at: status.removed.and_then(|removal| removal.given_up_at).map(Moment),
            down: status.down.iter().cloned().map(|(place, error)| PlaceDown { place, error }).collect(),
        }
    }
}

/// Builds the answer.
pub fn status(
    snapshot: &Snapshot,
    store: StoreStatus,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> Status {
    let failing = snapshot.scopes.iter().filter_map(|(scope, view)| Some((scope, view, view.failure()?)));
    let failing = failing.take(FAILING).map(|(scope, view, failure)| FailingScope {
        id: scope_id(scope),
        reason: failure.reason.as_str().to_owned(),
        text: failure.text.to_string(),
        at: Moment(failure.at),
        listed_at: view.listed_at.map(Moment),
    });
    Status {
        version: context.version.to_owned(),
        started_at: Moment(context.started_at),
        clock: ClockStatus { now: Moment(now), timezone: context.timezone.name().to_owned() },
        ready: snapshot.is_ready(),
        resources: snapshot.resources().count(),
        scopes: scopes(snapshot),
        failing: failing.collect(),
        store,
        alerts: alerts(context.told, now),
        channels: channels(context.told).iter().map(ChannelItem::new).collect(),
        renewals: renewals(context.renewals, now),
        process: Some(ProcessStatus::now()),
        configuration: context.reading.map(|reading| ConfigurationStatus {
            used_since: Moment(reading.used_since),
            refused_at: reading.refused.as_ref().map(|(at, _)| Moment(*at)),
            problems: reading.refused.as_ref().map(|(_, problems)| problems.to_string()),
        }),
    }
}

/// Of what waits, only what was announced: the rest is not due. Of what is refused, only what a rule allows.
fn renewals(board: Option<&Board>, now: DateTime<Utc>) -> RenewalsStatus {
    let found: Vec<Entry<'_>> = board.map(|board| entries(board).collect()).unwrap_or_default();
    let is = |entry: &Entry<'_>, wanted: fn(&Decision) -> bool| {
        entry.step.is_some_and(|step| step.rule.is_some() && wanted(&step.decision))
    };
    let count = |wanted: fn(&Decision) -> bool| found.iter().filter(|entry| is(entry, wanted)).count();
    let under_way = found.iter().filter(|entry| entry.word() == Some("under_way"));
    let waits =
        |decision: &Decision| matches!(decision, Decision::Wait { why, .. } if *why != Refusal::TooEarly);
    RenewalsStatus {
        mode: board.map_or(RenewalMode::Off, |board| board.mode).as_str().to_owned(),
        planned_at: board.and_then(|board| board.at).map(Moment),
        trouble: board.and_then(|board| board.trouble.as_deref()).map(str::to_owned),
        under_way: under_way.take(RUNNING).map(|entry| RenewalItem::new(entry, now)).collect(),
        waiting: count(waits),
        unapproved: count(|decision| decision.why() == Some(Refusal::NotApproved)),
        refused: count(|decision| matches!(decision, Decision::Refuse { .. })),
    }
}

fn scopes(snapshot: &Snapshot) -> ScopeCounts {
    let total = snapshot.scopes.len();
    let failing = snapshot.scopes.values().filter(|view| view.failure().is_some()).count();
    let up = snapshot.scopes.values().filter(|view| view.is_up()).count();
    ScopeCounts { total, up, failing, pending: total.saturating_sub(up + failing) }
}

fn channels(told: Option<&Telling>) -> &[ChannelStatus] {
    told.and_then(|told| told.channels.as_ref().ok()).map_or(&[], |channels| channels)
}

fn alerts(told: Option<&Telling>, now: DateTime<Utc>) -> AlertsStatus {
    let board = told.map(|told| &*told.board);
    let trouble = board.and_then(|board| board.trouble.as_deref()).map(str::to_owned);
    let unknown = told.and_then(|told| told.channels.as_ref().err()).map(ToString::to_string);
    let silences = board.map_or(&[][..], |board| &board.silences);
    AlertsStatus {
        configured: told.is_some(),
        evaluated_at: board.and_then(|board| board.at).map(Moment),
        trouble: trouble.or(unknown),
        silences: silences.iter().filter(|row| state_of(row, now) == "active").count(),
        queued: channels(told).iter().map(|channel| channel.queued).sum(),
        dead: channels(told).iter().map(|channel| channel.dead).sum(),
    }
}
