//! The present state as alerts: what fires, what ended, and that somebody watches at all. Pure.
//!
//! An alert is its set of labels: whatever changes by itself (days, dates, names, errors) stands in the annotations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::words::{self, Texts};
use crate::domain::alert::message::{
    CertificateFacts, CertificateItem, Item, News, Severity, SourceItem, SourceNews,
};
use crate::domain::alert::standing::{Ended, Open, State, TELL_ENDED};
use crate::notifier::Setting;

/// A firing alert outlives so many resends that fail.
const RESENDS: u32 = 4;

/// Every severity below the worst.
const SHALLOWER: [Severity; 2] = [Severity::Info, Severity::Warning];

/// Names by which alerts are told apart.
const EXPIRING: &str = "NotafterCertificateExpiring";
const BLIND: &str = "NotafterSourceBlind";
const WATCHDOG: &str = "NotafterWatchdog";

/// One alert of `POST /api/v2/alerts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    /// Who it is.
    pub(super) labels: Texts,
    /// What is known about it.
    pub(super) annotations: Texts,
    /// Since when; without it, the receiver takes `ends_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) starts_at: Option<String>,
    /// Until when; what lies in the past has ended.
    pub(super) ends_at: String,
    /// The status page; may be empty.
    #[serde(rename = "generatorURL")]
    pub(super) generator_url: String,
}

impl Alert {
    /// Which one it is, for people.
    pub(super) fn title(&self) -> String {
        let label = |name: &str| self.labels.get(name).map(String::as_str);
        let rest = label("resource_id").or_else(|| label("cloud_account")).unwrap_or_default();
        format!("{} {rest}", label("alertname").unwrap_or_default()).trim_end().to_owned()
    }
}

/// Every alert of a state, each label set once, what fires before what ended.
pub(super) fn alerts(state: &State, setting: &Setting<'_>, resend: Duration) -> Vec<Alert> {
    let make = Make { state, setting, ends: state.now + resend * RESENDS };
    let open = state.open.iter().filter_map(|open| make.open(open));
    let ended = state.ended.iter().filter_map(|ended| make.ended(ended));
    let outgrown = state.open.iter().flat_map(|open| make.outgrown(open));
    let mut seen = BTreeSet::new();
    let all = std::iter::once(make.watchdog()).chain(open).chain(ended).chain(outgrown);
    all.filter(|alert| seen.insert(alert.labels.clone())).collect()
}

struct Make<'a> {
    state: &'a State,
    setting: &'a Setting<'a>,
    ends: DateTime<Utc>,
}

impl Make<'_> {
    fn alert(
        &self,
        labels: Texts,
        annotations: Texts,
        starts: Option<DateTime<Utc>>,
        ends: DateTime<Utc>,
    ) -> Alert {
        Alert {
            labels,
            annotations,
            starts_at: starts.map(|starts| moment(starts.min(ends))),
            ends_at: moment(ends),
            generator_url: self.setting.external_url.unwrap_or_default().to_owned(),
        }
    }

    /// Always fires: when it ends, nobody watches any more.
    fn watchdog(&self) -> Alert {
        let mut labels = texts([("alertname", WATCHDOG), ("severity", "none")]);
        // Two daemons that tell the same receiver must not vouch for each other.
        if let Some(address) = self.setting.external_url {
            labels.insert("instance".to_owned(), address.to_owned());
        }
        let annotations = words::watchdog(self.setting.locale);
        self.alert(labels, annotations, Some(self.state.now), self.ends)
    }

    fn open(&self, open: &Open) -> Option<Alert> {
        let (labels, annotations) =
            (labels(&open.item, open.item.severity())?, words::item(&open.item, self.setting));
        Some(self.alert(labels, annotations, Some(open.since), self.ends))
    }

    /// What ended tells how, and what it was before.
    fn ended(&self, ended: &Ended) -> Option<Alert> {
        let was = &ended.was;
        let annotations = words::ended(ended, self.setting);
        let labels = labels(&was.item, was.item.severity())?;
        Some(self.alert(labels, annotations, Some(was.since), ended.at.min(self.state.now)))
    }

    /// The severity is part of the name, so a deeper stage is another alert, and those before it have to end. When a
    /// blind source became critical is not known, but ending what never fired is heard by nobody.
    fn outgrown(&self, open: &Open) -> Vec<Alert> {
        let (shallower, ends) = match &open.item {
            Item::Certificate(_) if self.state.now - open.since <= TELL_ENDED => (&SHALLOWER[..], open.since),
            Item::Source(_) => (&SHALLOWER[1..], self.state.now),
            _ => return Vec::new(),
        };
        let severity = open.item.severity();
        let mut annotations = words::item(&open.item, self.setting);
        annotations.insert("escalated_to".to_owned(), severity.as_str().to_owned());
        let shallower = shallower.iter().filter(|shallower| **shallower < severity);
        let labels = shallower.filter_map(|shallower| labels(&open.item, *shallower));
        labels.map(|labels| self.alert(labels, annotations.clone(), None, ends.min(self.state.now))).collect()
    }
}

/// The labels of something that stands; `None` for news that do not.
fn labels(item: &Item, severity: Severity) -> Option<Texts> {
    match item {
        Item::Certificate(CertificateItem { news: News::Entered { .. }, facts }) => {
            Some(certificate(facts, severity))
        }
        Item::Source(source) if matches!(source.news, SourceNews::Blind { .. }) => {
            Some(blind(source, severity))
        }
        _ => None,
    }
}

fn certificate(facts: &CertificateFacts, severity: Severity) -> Texts {
    let own = texts([
        ("alertname", EXPIRING),
        ("severity", severity.as_str()),
        ("cloud_provider", &facts.provider),
        ("cloud_account", &facts.account),
        ("cloud_project", &facts.project),
        ("cloud_region", &facts.region),
        ("cloud_service", &facts.service),
        ("resource_id", &facts.resource_id),
        ("cert_role", &facts.role),
    ]);
    let mut all = own.clone();
    for (name, value) in facts.labels.iter().filter(|(_, value)| !value.is_empty()) {
        let name = label_name(name);
        let name = if is_reserved(&name) { format!("label_{name}") } else { name };
        all.entry(name).or_insert_with(|| crate::call::clean(value));
    }
    all
}

fn blind(source: &SourceItem, severity: Severity) -> Texts {
    texts([
        ("alertname", BLIND),
        ("severity", severity.as_str()),
        ("cloud_provider", &source.provider),
        ("cloud_account", &source.account),
        ("reason", &source.reason),
    ])
}

/// Whether a label of that name is ours, also where it happens to be empty.
fn is_reserved(name: &str) -> bool {
    ["alertname", "severity", "resource_id", "cert_role"].contains(&name) || name.starts_with("cloud_")
}

/// Letters, digits and underscores, no digit first: everything else of a label's name becomes an underscore.
fn label_name(name: &str) -> String {
    let sound = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(sound).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name }
}

/// Names and values; those without a value are left out, because to the receiver they are not there.
fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Texts {
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>()
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::alert::message::{By, Gone};
    use crate::domain::alert::standing::How;
    use crate::domain::finding::Stage;
    use crate::domain::policy::Locale;
    use crate::notifier::samples::{self, now};

    fn open(item: Item, since: TimeDelta) -> Open {
        Open { item, since: now() - since }
    }

    fn certificate_in(stage: Stage, days: i64) -> Item {
        samples::entered(stage, None, samples::facts("订单库", "r-1", TimeDelta::days(days)))
    }

    fn blind(severity: Severity) -> Item {
        let Some(Item::Source(mut source)) = samples::blind().items.pop() else { panic!("it is one") };
        source.news = SourceNews::Blind { since: now() - TimeDelta::hours(3), severity, again: false };
        Item::Source(source)
    }

    fn of(open: Vec<Open>, ended: Vec<Ended>) -> Vec<Alert> {
        let state = State { open, ended, now: now(), ..State::default() };
        alerts(&state, &samples::setting(Locale::En), Duration::from_mins(1))
    }

    /// Severity, begin and end of all but the watchdog.
    fn brief(alerts: &[Alert]) -> Vec<(&str, &str, &str)> {
        alerts
            .iter()
            .filter(|alert| alert.labels["alertname"] != WATCHDOG)
            .map(|alert| {
                let starts = alert.starts_at.as_deref().unwrap_or("-");
                (alert.labels["severity"].as_str(), starts, alert.ends_at.as_str())
            })
            .collect()
    }

    #[test]
    fn what_fires_outlives_four_resends_and_what_it_was_before_ends() {
        let fresh = open(certificate_in(Stage::Critical, 7), TimeDelta::minutes(10));
        let old = open(certificate_in(Stage::Critical, 7), TimeDelta::minutes(16));
        let fires = ("critical", "2026-11-21T23:50:00Z", "2026-11-22T00:04:00Z");
        let over = |severity| (severity, "-", "2026-11-21T23:50:00Z");
        assert_eq!(brief(&of(vec![fresh], vec![])), [fires, over("info"), over("warning")]);
        assert_eq!(
            brief(&of(vec![old], vec![])),
            [("critical", "2026-11-21T23:44:00Z", "2026-11-22T00:04:00Z")]
        );
    }

    #[test]
    fn a_blind_source_that_became_critical_ends_its_warning() {
        let source = open(blind(Severity::Critical), TimeDelta::hours(3));
        let want = [
            ("critical", "2026-11-21T21:00:00Z", "2026-11-22T00:04:00Z"),
            ("warning", "-", "2026-11-22T00:00:00Z"),
        ];
        assert_eq!(brief(&of(vec![source], vec![])), want);
    }

    #[test]
    fn expired_stays_critical_and_says_so_in_an_annotation() {
        let alerts = of(vec![open(certificate_in(Stage::Expired, -1), TimeDelta::days(1))], vec![]);
        let [_, alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.labels["severity"], "critical");
        assert_eq!((&*alert.annotations["stage"], &*alert.annotations["days_left"]), ("expired", "-1"));
    }

    #[test]
    fn a_renewal_tells_both_dates() {
        let was = open(certificate_in(Stage::Critical, 5), TimeDelta::days(2));
        let renewed = samples::facts("订单库", "r-1", TimeDelta::days(370));
        let at = now() - TimeDelta::minutes(3);
        let how = How::Renewed { now: Box::new(renewed), stage: Stage::Ok, by: By::External };
        let alerts = of(vec![], vec![Ended { was, at, how }]);
        assert_eq!(brief(&alerts), [("critical", "2026-11-20T00:00:00Z", "2026-11-21T23:57:00Z")]);
        let annotations = &alerts[1].annotations;
        assert_eq!(annotations["old_not_after"], "2026-11-27T00:00:00Z");
        assert_eq!(annotations["not_after"], "2027-11-27T00:00:00Z");
        let description = &annotations["description"];
        assert!(description.contains("2026-11-27") && description.contains("2027-11-27"), "{description}");
    }

    #[test]
    fn each_end_is_told_as_what_it_was() {
        let facts = |days| Box::new(samples::facts("orders", "r-1", TimeDelta::days(days)));
        let renewed = |by, days, stage| How::Renewed { now: facts(days), stage, by };
        for (name, item, how, said, never) in [
            ("by us", None, renewed(By::Notafter, 370, Stage::Ok), "Renewed by notafter", "not by notafter"),
            (
                "by others",
                None,
                renewed(By::External, 370, Stage::Ok),
                "not by notafter",
                "Renewed by notafter",
            ),
            ("for a short time", None, renewed(By::External, 20, Stage::Info), "renewed, but", "still"),
            ("not listed", None, How::Gone(Gone::NotListed), "no longer lists it", "TLS was"),
            ("TLS off", None, How::Gone(Gone::TlsOff), "TLS was switched off", "lists"),
            ("not shown", None, How::Gone(Gone::NotShown), "no longer shows", "lists"),
            ("not watched", None, How::Gone(Gone::NotWatched), "is not watched any more", "lists"),
            ("in another stage", None, How::Otherwise { now: facts(5) }, "5 days", "enewed by"),
            ("read again", Some(Severity::Warning), How::Readable, "Can be read again", "Not watched"),
            ("taken out", Some(Severity::Warning), How::NotWatched, "Not watched any more", "read again"),
        ] {
            let item = item.map_or_else(|| certificate_in(Stage::Critical, 5), blind);
            let alerts = of(vec![], vec![Ended { was: open(item, TimeDelta::days(2)), at: now(), how }]);
            let told = format!("{:?}", alerts[1].annotations);
            assert!(told.contains(said) && !told.contains(never), "{name}: {told}");
        }
    }

    #[test]
    fn what_stands_again_is_not_ended() {
        let was = open(certificate_in(Stage::Critical, 5), TimeDelta::days(2));
        let again = open(certificate_in(Stage::Critical, 6), TimeDelta::hours(1));
        let alerts = of(vec![again], vec![Ended { was, at: now(), how: How::Gone(Gone::NotListed) }]);
        assert_eq!(brief(&alerts), [("critical", "2026-11-21T23:00:00Z", "2026-11-22T00:04:00Z")]);
    }

    #[test]
    fn static_labels_become_names_that_are_allowed_and_never_take_ours() {
        let mut facts = samples::facts("x", "r-1", TimeDelta::days(7));
        let labels =
            [("a-b", "1"), ("证书", "2"), ("7", "3"), ("severity", "4"), ("cloud_project", "5"), ("e", "")];
        facts.labels = labels.map(|(name, value)| (name.into(), value.into())).into();
        let made = certificate(&facts, Severity::Warning);
        let got: Vec<_> = ["a_b", "__", "_7", "label_severity", "label_cloud_project", "e", "severity"]
            .map(|name| made.get(name).map_or("-", String::as_str))
            .into();
        assert_eq!(got, ["1", "2", "3", "4", "5", "-", "warning"]);
        assert!(!made.contains_key("cloud_project"), "{made:?}");
    }

    #[test]
    fn somebody_always_says_that_we_live() {
        let alerts = of(vec![], vec![]);
        let [watchdog] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(watchdog.labels["alertname"], WATCHDOG);
        assert_eq!(watchdog.ends_at, "2026-11-22T00:04:00Z");
    }
}
