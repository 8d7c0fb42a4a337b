//! `[alert]` and `[[alert.override]]`: when something is worth telling.

use std::time::Duration;

use chrono::Weekday;

use crate::domain::duration::show_duration;
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::policy::{AlertPolicy, Digest, Remind, Thresholds};
use crate::fields::{Fault, Fields, Plain, SecretSetting, check_url};

use super::names::Names;
use super::route::channel;
use super::times::{days, time_of_day, timezone};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_hours(365 * 24);
const TEN_YEARS: Duration = Duration::from_hours(3_650 * 24);

/// What `[alert]` says: when to speak, and the address that is called while the daemon is alive.
pub(super) type Alert = (AlertPolicy, Option<SecretSetting>);

/// Reads the table. `channels` are the names of those that exist.
pub(super) fn read(fields: &mut Fields<'_>, channels: &Names) -> Alert {
    let usual = AlertPolicy::default();
    let thresholds = thresholds(fields, usual.thresholds).unwrap_or(usual.thresholds);
    let remind = fields.table("remind", |fields| Some(remind(fields))).unwrap_or(usual.remind);
    let blind_after = fields.duration("blind_after", SECOND..=YEAR).unwrap_or(usual.blind_after);
    let timezone = fields.parsed("timezone", timezone).unwrap_or(usual.timezone);
    let fallback_channel = fields.parsed("fallback_channel", |text| channel(text, channels));
    let heartbeat = fields.secret("heartbeat", heartbeat_url);
    let test = fields.table("test", |fields| {
        let at = fields.parsed("at", time_of_day).unwrap_or_else(Digest::default_time);
        Some(Digest { at, days: days(fields, &[Weekday::Mon]), send_empty: true })
    });
    let overrides = fields.tables("override", |number, fields| exception(number, fields, thresholds));
    let policy = AlertPolicy { thresholds, overrides, remind, blind_after, timezone, fallback_channel, test };
    (policy, heartbeat)
}

/// Often inside one's own network; whoever has it can pretend that the daemon is alive.
fn heartbeat_url(text: &str) -> Result<(), Fault> {
    check_url(text, Plain::Anywhere).map(drop)
}

/// The table `thresholds`; what is not named in it is as in `base`. `None` if there is none, or a broken one.
pub(super) fn thresholds(fields: &mut Fields<'_>, base: Thresholds) -> Option<Thresholds> {
    fields.table("thresholds", |fields| {
        let [info, warning, critical] = ["info", "warning", "critical"]
            .map(|key| (fields.has(key), fields.duration(key, SECOND..=TEN_YEARS)));
        // one that is there but broken must not be judged by its default
        if [info, warning, critical].contains(&(true, None)) {
            return None;
        }
        let found = Thresholds {
            info: info.1.unwrap_or(base.info),
            warning: warning.1.unwrap_or(base.warning),
            critical: critical.1.unwrap_or(base.critical),
        };
        descending(fields, &found).then_some(found)
    })
}

fn descending(fields: &mut Fields<'_>, Thresholds { info, warning, critical }: &Thresholds) -> bool {
    let pairs = [("info", info, "warning", warning), ("warning", warning, "critical", critical)];
    let mut fine = true;
    for (outer, longer, inner, shorter) in pairs {
        if shorter >= longer {
            fine = false;
            let (longer, shorter) = (show_duration(*longer), show_duration(*shorter));
            let predicate =
                format!("must be shorter than `{outer}`: found \"{shorter}\", and `{outer}` is \"{longer}\"");
            fields.problem(
                inner,
                &predicate,
                "info > warning > critical: a certificate passes them in this order",
            );
        }
    }
    fine
}

fn remind(fields: &mut Fields<'_>) -> Remind {
    let usual = Remind::default();
    let mut every = |key, usual| fields.duration(key, SECOND..=YEAR).unwrap_or(usual);
    Remind {
        warning: every("warning", usual.warning),
        critical: every("critical", usual.critical),
        expired: every("expired", usual.expired),
    }
}

fn exception(number: usize, fields: &mut Fields<'_>, base: Thresholds) -> Option<(Matcher, Thresholds)> {
    fields.set_context(&format!("alert.override {}", number + 1));
    let matcher = fields.require("match", "match = 'cloud_service=\"rds\"'");
    let matcher = matcher.parsed("match", |text| Ok(Matcher::parse(text, LabelSet::CERTIFICATE)?));
    fields.require("thresholds", "thresholds = { info = \"90d\", warning = \"60d\", critical = \"14d\" }");
    let thresholds = thresholds(fields, base);
    Some((matcher?, thresholds?))
}
