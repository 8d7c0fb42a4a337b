//! Answers of the running daemon, for people.

use chrono::{DateTime, TimeDelta, Utc};

use super::renewing;
use super::text::{lasting, left, plural, utc};
use crate::domain::finding::Stage;
use crate::visible::visible;
use crate::web::api::log_level::LogLevelItem;
use crate::web::api::notifications::TestedItem;
use crate::web::api::reload::ReloadItem;
use crate::web::api::silences::SilenceItem;
use crate::web::api::status::{
    AlertsStatus, ChannelItem, ConfigurationStatus, FailingScope, ProcessStatus, Status, StoreStatus,
};
use crate::web::json::{List, Moment};

/// A configuration that is used from now on.
pub(super) fn reloaded(done: &ReloadItem) -> String {
    let (accounts, channels) = (plural(done.accounts, "account"), plural(done.channels, "channel"));
    let warnings = done.warnings.iter().map(|line| format!("{}\n", visible(line)));
    format!("{}read again and in use: {accounts}, {channels}\n", warnings.collect::<String>())
}

/// What is logged.
pub(super) fn log_level(item: &LogLevelItem) -> String {
    let levels = visible(&item.levels);
    let Some(until) = &item.until else { return format!("{levels}, as configured\n") };
    let by = item.by.as_deref().map_or_else(String::new, |by| format!(", wanted by {}", visible(by)));
    format!("{levels} until {}{by}; then {} as configured\n", utc(until.0), visible(&item.configured))
}

/// How the daemon fares.
pub(super) fn status(status: &Status) -> String {
    let now = status.clock.now.0;
    let up = lasting(now - status.started_at.0);
    let mut lines = vec![format!(
        "notafter {}, up for {up}, since {}",
        visible(&status.version),
        utc(status.started_at.0)
    )];
    lines.push(row("clock", &format!("{}, messages also in {}", utc(now), visible(&status.clock.timezone))));
    lines.extend(status.configuration.iter().flat_map(configuration));
    lines.push(row("scopes", &scopes(status)));
    lines.extend(status.failing.iter().map(|scope| failing(scope, now)));
    lines.push(row("store", &store(&status.store)));
    lines.push(row("alerts", &alerts(&status.alerts, now)));
    if !status.channels.is_empty() {
        lines.push("channels".to_owned());
    }
    lines.extend(status.channels.iter().map(|channel| self::channel(channel, now)));
    let (renewals, under_way) = renewing::status(&status.renewals, now);
    lines.push(row("renewals", &renewals));
    lines.extend(under_way);
    lines.extend(status.process.iter().map(process));
    lines.join("\n") + "\n"
}

/// What the process takes of the machine, as far as it can be known.
fn process(process: &ProcessStatus) -> String {
    let memory = process.resident_bytes.map(|bytes| format!("{} MiB of memory", bytes / (1024 * 1024)));
    let files = process.open_files.map(|files| format!("{files} files and sockets"));
    let tasks = process.tasks.map(|tasks| format!("{tasks} tasks"));
    let parts: Vec<String> = [memory, files, tasks].into_iter().flatten().collect();
    row("process", &parts.join(", "))
}

/// Said only when the last one that was read is not used.
fn configuration(status: &ConfigurationStatus) -> Vec<String> {
    let Some(at) = &status.refused_at else { return Vec::new() };
    let since = utc(status.used_since.0);
    let first = format!("THE LAST RELOAD WAS REFUSED ({}); the one read {since} is used", utc(at.0));
    let problems = status.problems.iter().flat_map(|problems| problems.lines());
    let problems = problems.map(|line| format!("  {}", visible(line)));
    std::iter::once(row("config", &first)).chain(problems).collect()
}

fn row(word: &str, text: &str) -> String {
    format!("{word:<9} {text}")
}

fn scopes(status: &Status) -> String {
    let counts = &status.scopes;
    let parts =
        [(counts.up, "read well"), (counts.failing, "failing"), (counts.pending, "not looked at yet")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let colon = if parts.is_empty() { "" } else { ": " };
    format!("{}{colon}{parts}; {}", plural(counts.total, "scope"), plural(status.resources, "resource"))
}

fn failing(scope: &FailingScope, now: DateTime<Utc>) -> String {
    let last = scope
        .listed_at
        .as_ref()
        .map_or_else(|| "never read".to_owned(), |at| format!("last read {}", ago(at, now)));
    format!("  FAILING {}: {}: {}; {last}", visible(&scope.id), visible(&scope.reason), visible(&scope.text))
}

fn store(store: &StoreStatus) -> String {
    match (&store.place, store.configured) {
        (Some(place), _) => format!("{}, in use", visible(place)),
        (None, true) => {
            "CANNOT BE USED: nothing is kept, and alerts wait; the daemon's log says why".to_owned()
        }
        (None, false) => "none: nothing is kept over a restart".to_owned(),
    }
}

fn alerts(alerts: &AlertsStatus, now: DateTime<Utc>) -> String {
    if !alerts.configured {
        return "no channel is configured: nobody is told anything".to_owned();
    }
    let looked = alerts.evaluated_at.as_ref();
    let looked =
        looked.map_or_else(|| "not looked at yet".to_owned(), |at| format!("looked at {}", ago(at, now)));
    let trouble = alerts.trouble.as_deref();
    let trouble = trouble.map_or_else(String::new, |trouble| format!("; THEY WAIT: {}", visible(trouble)));
    let AlertsStatus { queued, dead, silences, .. } = alerts;
    format!("{looked}{trouble}; {queued} queued, {dead} given up; {} in force", plural(*silences, "silence"))
}

/// A channel that is not configured, and has messages left.
fn removed(channel: &ChannelItem, now: DateTime<Utc>) -> String {
    let until = channel.given_up_at.as_ref();
    let until = until.map_or_else(String::new, |at| {
        format!("; what is queued is given up in {} unless it comes back", left(at.0 - now))
    });
    let (name, queued, dead) = (visible(&channel.name), channel.queued, channel.dead);
    format!("  {name}: NOT CONFIGURED; {queued} queued, {dead} given up{until}")
}

fn channel(channel: &ChannelItem, now: DateTime<Utc>) -> String {
    if !channel.configured {
        return removed(channel, now);
    }
    let state = match (channel.failing, channel.down.is_empty()) {
        (true, _) => "FAILING",
        (false, true) => "delivers",
        (false, false) => "DEGRADED",
    };
    let since = channel
        .failing_since
        .as_ref()
        .map_or_else(String::new, |since| format!(" for {}", lasting(now - since.0)));
    let failures =
        (channel.failures > 0).then(|| format!(", {}", plural(channel.failures as usize, "failure")));
    let paused = channel.paused_until.as_ref().filter(|until| until.0 > now);
    let paused = paused.map(|until| format!(", tried again in {}", left(until.0 - now)));
    let error = channel.error.as_deref().map(|error| format!(": {}", visible(error)));
    let down =
        channel.down.iter().map(|one| format!(", {} is down: {}", visible(&one.place), visible(&one.error)));
    let down: String = down.collect();
    let last = channel.last_success.as_ref();
    let last = last
        .map_or_else(|| "nothing delivered yet".to_owned(), |at| format!("last delivered {}", ago(at, now)));
    let details: String = [failures, paused, error].into_iter().flatten().collect();
    let since = if channel.failures > 0 { since } else { String::new() };
    format!(
        "  {} ({}, {}): {state}{since}{details}{down}; {last}; {} queued, {} given up",
        visible(&channel.name),
        visible(&channel.r#type),
        visible(&channel.place),
        channel.queued,
        channel.dead
    )
}

fn ago(at: &Moment, now: DateTime<Utc>) -> String {
    left((at.0 - now).min(TimeDelta::zero()))
}

/// A silence that was just added.
pub(super) fn added(silence: &SilenceItem) -> String {
    let (from, until) = (utc(silence.starts_at.0), utc(silence.ends_at.0));
    let expired = if silence.include_expired { "" } else { "; what is over is told all the same" };
    format!("{} holds from {from} until {until}{expired}\n", visible(&silence.id))
}

/// A certificate of which somebody knows from now on.
pub(super) fn acknowledged(silence: &SilenceItem, what: &str, stage: Stage) -> String {
    let (id, until) = (visible(&silence.id), utc(silence.ends_at.0));
    let (what, stage) = (visible(what), stage.as_str());
    format!("{id} acknowledges the {what} as {stage}, until it is worse or renewed, at most until {until}\n")
}

/// The silences that hold and those to come.
pub(super) fn silences(list: &List<SilenceItem>) -> String {
    if list.items.is_empty() {
        return "no silence holds, and none is to come\n".to_owned();
    }
    let mut text: String = list.items.iter().map(silence).collect();
    if list.next.is_some() {
        text.push_str("there are more: GET /api/v1/silences\n");
    }
    text
}

fn silence(silence: &SilenceItem) -> String {
    let about = match (&silence.matcher, silence.fingerprint, silence.stage) {
        (_, Some(fingerprint), Some(stage)) => format!("certificate {fingerprint} up to {}", stage.as_str()),
        (matcher, ..) => matcher.clone().unwrap_or_default(),
    };
    let when = if silence.state == "pending" {
        format!("from {} until {}", utc(silence.starts_at.0), utc(silence.ends_at.0))
    } else {
        format!("until {}", utc(silence.ends_at.0))
    };
    let expired = if silence.include_expired { ", also what is over" } else { "" };
    let author = if silence.author.is_empty() { "somebody" } else { &silence.author };
    format!(
        "{} {} {when}{expired}\n    {}\n    {}: {}\n",
        visible(&silence.id),
        visible(&silence.state),
        visible(&about),
        visible(author),
        visible(&silence.comment)
    )
}

/// What came of test messages.
pub(super) fn tested(tested: &[TestedItem]) -> String {
    tested.iter().map(one_tested).collect()
}

fn one_tested(tested: &TestedItem) -> String {
    let place = if tested.place.is_empty() { String::new() } else { format!(", {}", visible(&tested.place)) };
    let head = format!("{} ({}{place})", visible(&tested.channel), visible(&tested.r#type));
    let Some(error) = &tested.error else {
        let said = tested.said.as_deref().filter(|said| !said.is_empty());
        return format!(
            "{head}: delivered{}\n",
            said.map_or_else(String::new, |said| format!(": {}", visible(said)))
        );
    };
    let reason = tested.reason.as_deref();
    let named = reason.map_or_else(String::new, |reason| format!(" {}:", visible(reason)));
    let hint = reason.and_then(way_out).map_or_else(String::new, |hint| format!("  {hint}\n"));
    format!("{head}: FAILED:{named} {}\n{hint}", visible(error))
}

/// What helps, as far as the reason alone tells.
fn way_out(reason: &str) -> Option<&'static str> {
    match reason {
        "denied" => {
            Some("check the address, token or secret of the channel, and who may use it on the other side")
        }
        "throttled" => {
            Some("the other side takes no more for now: wait a minute, or lower `rate` of the channel")
        }
        "unreachable" => Some(
            "from this machine nobody answers there: check the address, the name service, the firewall, `proxy`",
        ),
        "timeout" => Some("no answer in time: check the firewall and `proxy`, or try again"),
        "refused" => {
            Some("the other side does not take it: check that the place still exists and what it allows")
        }
        "unreadable" => {
            Some("something else than the expected service answers there: check the address and `proxy`")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{HOSTILE, assert_expected, in_seconds};
    use crate::domain::testing::moment;
    use crate::web::api::renewals::of_board;
    use crate::web::api::status::{ClockStatus, PlaceDown, RenewalsStatus, ScopeCounts};
    use crate::web::testing::renewals::board;

    fn status_now() -> Status {
        Status {
            configuration: None,
            process: Some(ProcessStatus {
                resident_bytes: Some(45 * 1024 * 1024 + 1),
                open_files: Some(33),
                tasks: Some(61),
            }),
            version: "1.2.3".to_owned(),
            started_at: Moment(in_seconds(-3 * 86_400)),
            clock: ClockStatus { now: Moment(moment()), timezone: "Asia/Shanghai".to_owned() },
            ready: true,
            resources: 12,
            scopes: ScopeCounts { total: 5, up: 3, failing: 1, pending: 1 },
            failing: vec![FailingScope {
                id: "alibaba/prod/-/eu-central-1/rds".to_owned(),
                reason: "denied".to_owned(),
                text: "DescribeDBInstances: not allowed (Forbidden.RAM, request 7F2A)".to_owned(),
                at: Moment(in_seconds(-60)),
                listed_at: None,
            }],
            store: StoreStatus {
                configured: true,
                usable: true,
                place: Some("/var/lib/notafter/notafter.db".to_owned()),
            },
            alerts: AlertsStatus {
                configured: true,
                evaluated_at: Some(Moment(in_seconds(-5))),
                trouble: None,
                silences: 1,
                queued: 2,
                dead: 1,
            },
            channels: vec![
                channel_now("dba-slack", false),
                channel_now("pager", true),
                removed_now(),
                degraded_now(),
            ],
            renewals: RenewalsStatus {
                mode: "approve".to_owned(),
                planned_at: Some(Moment(in_seconds(-5))),
                trouble: None,
                under_way: of_board(&board(), moment()).items.into_iter().take(1).collect(),
                waiting: 2,
                unapproved: 1,
                refused: 1,
            },
        }
    }

    fn channel_now(name: &str, failing: bool) -> ChannelItem {
        ChannelItem {
            name: name.to_owned(),
            r#type: "webhook".to_owned(),
            place: "https://hooks.example".to_owned(),
            failing,
            failures: if failing { 3 } else { 0 },
            failing_since: failing.then(|| Moment(in_seconds(-7200))),
            paused_until: failing.then(|| Moment(in_seconds(1200))),
            down: Vec::new(),
            last_success: (!failing).then(|| Moment(in_seconds(-300))),
            error: failing.then(|| "HTTP 403: archived".to_owned()),
            queued: if failing { 2 } else { 0 },
            dead: usize::from(failing),
            configured: true,
            given_up_at: None,
        }
    }

    fn degraded_now() -> ChannelItem {
        let (place, error) = ("http://am-2.example".to_owned(), "connection refused".to_owned());
        ChannelItem { down: vec![PlaceDown { place, error }], ..channel_now("am", false) }
    }

    fn removed_now() -> ChannelItem {
        ChannelItem {
            r#type: String::new(),
            place: String::new(),
            last_success: None,
            queued: 3,
            configured: false,
            given_up_at: Some(Moment(in_seconds(71 * 3600))),
            ..channel_now("old-slack", false)
        }
    }

    fn silence_now(id: &str) -> SilenceItem {
        SilenceItem {
            id: id.to_owned(),
            state: "active".to_owned(),
            matcher: Some(r#"cloud_service="rds""#.to_owned()),
            fingerprint: None,
            stage: None,
            starts_at: Moment(in_seconds(-60)),
            ends_at: Moment(in_seconds(7 * 86_400)),
            author: "alice".to_owned(),
            comment: "moving house".to_owned(),
            include_expired: false,
        }
    }

    fn tested_now(channel: &str, error: Option<(&str, &str)>) -> TestedItem {
        TestedItem {
            channel: channel.to_owned(),
            r#type: "slack".to_owned(),
            place: "https://hooks.example".to_owned(),
            delivered: error.is_none(),
            said: error.is_none().then(|| "HTTP 200: ok".to_owned()),
            reason: error.map(|(reason, _)| reason.to_owned()),
            error: error.map(|(_, error)| error.to_owned()),
        }
    }

    #[test]
    fn the_status_is_told() {
        let troubled = Status {
            failing: Vec::new(),
            scopes: ScopeCounts { total: 0, up: 0, failing: 0, pending: 0 },
            store: StoreStatus { configured: true, usable: false, place: None },
            alerts: AlertsStatus {
                evaluated_at: None,
                trouble: Some("the store cannot be used".to_owned()),
                ..status_now().alerts
            },
            channels: Vec::new(),
            process: None,
            started_at: Moment(moment()),
            ..status_now()
        };
        assert_expected("status.txt", &format!("{}----\n{}", status(&status_now()), status(&troubled)));
    }

    #[test]
    fn silences_are_told() {
        let acknowledged = SilenceItem {
            matcher: None,
            fingerprint: "00000000000000ab".parse().ok(),
            stage: Some(Stage::Warning),
            state: "pending".to_owned(),
            include_expired: true,
            author: String::new(),
            ..silence_now("sil_2")
        };
        let known = super::acknowledged(&acknowledged, "server certificate of r-1 (prod)", Stage::Warning);
        let list = List { items: vec![silence_now("sil_1"), acknowledged], next: Some("x".to_owned()) };
        let none = List { items: Vec::new(), next: None };
        let text = [added(&silence_now("sil_1")), known, silences(&list), silences(&none)].join("----\n");
        assert_expected("silences.txt", &text);
    }

    #[test]
    fn tests_are_told_with_a_way_out() {
        let broken = TestedItem {
            place: String::new(),
            reason: None,
            ..tested_now("b", Some(("", "channel `b`: `url`: no such file")))
        };
        let items =
            [tested_now("a", None), tested_now("c", Some(("denied", "HTTP 403: invalid_token"))), broken];
        assert_expected("notify_test.txt", &tested(&items));
        for reason in crate::domain::reason::Reason::ALL.map(crate::domain::reason::Reason::as_str) {
            let known = !["too_large", "internal"].contains(&reason);
            assert_eq!(way_out(reason).is_some(), known, "{reason}");
        }
    }

    #[test]
    fn hostile_texts_stay_on_their_line() {
        let mut bad = status_now();
        bad.failing[0].text = HOSTILE.to_owned();
        bad.channels[1].error = Some(HOSTILE.to_owned());
        let silence = SilenceItem { comment: HOSTILE.to_owned(), ..silence_now(HOSTILE) };
        let list = List { items: vec![silence], next: None };
        for text in [status(&bad), silences(&list), tested(&[tested_now(HOSTILE, Some(("denied", HOSTILE)))])]
        {
            assert!(!text.contains(|c| c != '\n' && crate::visible::is_invisible(c)), "{text}");
            assert!(!text.contains("\nOK"), "{text}");
        }
    }
}
