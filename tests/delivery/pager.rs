//! Incidents of many certificates, as the service of PagerDuty sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::daemon::alerts::Channel;
use notafter::domain::alert::message::{
    By, CertificateFacts, CertificateItem, Fingerprint, Item, Message, News,
};
use notafter::domain::alert::outbox::State;
use notafter::domain::finding::Stage;
use notafter::domain::identity::CertRole;
use notafter::domain::policy::Locale;
use notafter::domain::resource::{
    Certificate, DateSource, Facts, Reading, Resource, Subject, Tags, TlsState,
};
use notafter::domain::snapshot::{ScopeView, Snapshot};
use notafter::fields::{Fields, Sink};
use notafter::notifier::{self, Order, samples};
use serde_json::Value;
use toml::de::DeTable;

use crate::support::{Receiver, Rig, Running, crypto, millis};

const TAKEN: &str = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 51\r\n\r\n\
    {\"status\":\"success\",\"message\":\"ok\",\"dedup_key\":\"x\"}";
const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 53\r\n\r\n\
    {\"status\":\"invalid event\",\"message\":\"no\",\"errors\":[]}";

/// More than twenty are one incident.
const MANY: u64 = 21;

fn pager(receiver: &Receiver) -> Channel {
    crypto();
    let (base, _) = receiver.url.split_once("/hook").expect("its path");
    let text = format!("routing_key = \"{}\"\nbase_url = \"{base}\"\n", "k".repeat(32));
    let table = DeTable::parse(&text).expect("TOML");
    let mut sink = Sink::new("test", &text);
    let kind = notifier::find("pagerduty").expect("a type");
    let settings = (kind.settings)(&mut Fields::root(table.get_ref(), &mut sink)).expect("settings");
    let order = Order {
        channel: "pager",
        settings: &*settings,
        proxy: None,
        secret: &|setting| setting.load(&|_| None, None),
    };
    Channel {
        name: "pager".into(),
        kind,
        sender: kind.build.expect("it can be built")(&order).expect("a channel"),
        locale: Locale::En,
        template: None,
        per_minute: 60_000.0,
        burst: 1000,
    }
}

struct Fleet {
    end: DateTime<Utc>,
}

impl Fleet {
    fn facts(&self, number: u64, days_later: i64) -> CertificateFacts {
        let facts = samples::facts("orders", &format!("r-{number}"), TimeDelta::days(1));
        let not_after = self.end + TimeDelta::days(days_later);
        CertificateFacts { fingerprint: Fingerprint(number), not_after, ..facts }
    }

    fn message(&self, id: &str, days_later: i64, news: impl Fn() -> News) -> Message {
        let item = |number| {
            let facts = self.facts(number, days_later);
            Item::Certificate(CertificateItem { news: news(), facts })
        };
        let items = (0..MANY).map(item).collect();
        Message { id: id.into(), channel: "pager".into(), at: Utc::now(), ..samples::message(items) }
    }

    fn warning(&self) -> Message {
        let since = Utc::now();
        self.message("evt_1", 0, || News::Entered { stage: Stage::Critical, previous: None, since })
    }

    fn renewed(&self) -> Message {
        let (old_not_after, old_serial) = (self.end, "");
        let told = Stage::Critical;
        self.message("evt_2", 365, || News::Renewed {
            old_not_after,
            old_serial: old_serial.into(),
            by: By::External,
            stage: Stage::Ok,
            told,
        })
    }

    /// So many of them end a year later by now.
    fn after_renewal_of(&self, count: u64) -> Snapshot {
        let resource = |number| {
            let days = if number < count { 365 } else { 0 };
            let certificate = Certificate {
                role: CertRole::Server,
                not_after: self.end + TimeDelta::days(days),
                not_before: None,
                source: DateSource::Api,
                other_not_after: None,
                subject: Subject::default(),
            };
            let mut resource = Resource::new(format!("r-{number}").into(), plain_facts());
            resource.reading = Some(Reading {
                state: TlsState::Enabled,
                certificates: vec![certificate],
                managed_by: None,
                renewal_required: None,
                at: Utc::now(),
            });
            resource
        };
        let view = ScopeView::default().with_resources((0..MANY).map(resource));
        let mut snapshot = Snapshot::default();
        snapshot.scopes.insert(Arc::new(self.facts(0, 0).scope()), Arc::new(view));
        snapshot
    }
}

fn plain_facts() -> Facts {
    Facts {
        name: "orders".into(),
        status: "Normal".into(),
        engine: "Redis".into(),
        tags: Tags::default(),
        group: None,
        locked: false,
        in_use: None,
        used_by: Box::default(),
    }
}

/// How often each incident was opened or called again, and how often closed.
fn incidents(receiver: &Receiver) -> BTreeMap<String, (usize, usize)> {
    let mut incidents = BTreeMap::<_, (usize, usize)>::new();
    for got in receiver.got() {
        let event: Value = serde_json::from_str(&got.text).expect("JSON");
        let key = event["dedup_key"].as_str().expect("a key").to_owned();
        let (opened, closed) = incidents.entry(key).or_default();
        match event["event_action"].as_str() {
            Some("trigger") => *opened += 1,
            _ => *closed += 1,
        }
    }
    incidents
}

async fn kill(running: Running) {
    running.task.abort();
    let _ = running.task.await;
}

#[tokio::test]
async fn an_incident_of_many_is_closed_although_a_crash_came_before_it_was_written_down() {
    let receiver = Receiver::start(&[None, Some(TAKEN)]).await;
    let rig = Rig::new([pager(&receiver)]).await;
    let fleet = Fleet { end: Utc::now() + TimeDelta::days(6) };
    rig.commit([fleet.warning()]).await;
    let running = rig.start_knowing(fleet.after_renewal_of(0), None);
    while receiver.got().is_empty() {
        millis(10).await;
    }
    kill(running).await;
    let group = incidents(&receiver).into_keys().next().expect("one");

    // by now they are no more than twenty
    let again = rig.start_knowing(fleet.after_renewal_of(5), None);
    rig.until(State::Delivered, 1).await;
    assert_eq!(incidents(&receiver), [(group.clone(), (2, 0))].into());

    rig.commit([fleet.renewed()]).await;
    again.office.wake(|_| true);
    rig.until(State::Delivered, 2).await;
    let incidents = incidents(&receiver);
    assert_eq!(incidents[&group], (2, 1), "closed with the last of them");
    let open = incidents.iter().filter(|(_, (opened, closed))| *opened > 0 && *closed == 0).count();
    assert_eq!(open, 0, "{incidents:?}");
}

#[tokio::test]
async fn an_event_that_is_refused_goes_out_in_its_simplest_form_or_is_a_dead_letter() {
    for (name, answers, posts, state) in [
        ("simply", vec![Some(TAKEN), Some(REFUSED), Some(TAKEN)], 4, State::Delivered),
        ("not at all", vec![Some(TAKEN), Some(REFUSED), Some(REFUSED), Some(TAKEN)], 4, State::Dead),
    ] {
        let receiver = Receiver::start(&answers).await;
        let rig = Rig::new([pager(&receiver)]).await;
        let fleet = Fleet { end: Utc::now() + TimeDelta::days(6) };
        let mut warning = fleet.warning();
        warning.items.truncate(3);
        rig.commit([warning]).await;
        let _running = rig.start_knowing(fleet.after_renewal_of(0), None);
        rig.until(state, 1).await;
        let got = receiver.got();
        let events: Vec<Value> =
            got.iter().map(|got| serde_json::from_str(&got.text).expect("JSON")).collect();
        assert_eq!(events.len(), posts, "{name}");
        assert_eq!(events[1]["dedup_key"], events[2]["dedup_key"], "{name}");
        assert!(events[1]["payload"]["custom_details"].is_object(), "{name}");
        assert_eq!(events[2]["payload"].as_object().map(serde_json::Map::len), Some(3), "{name}");
        let row = rig.messages(state).await.remove(0);
        let error = row.last_error.unwrap_or_default();
        assert_eq!(error.contains("refused"), state == State::Dead, "{name}: {error}");
    }
}
