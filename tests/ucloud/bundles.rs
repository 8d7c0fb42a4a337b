//! Looks at single certificates, and dates that nobody tells.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use notafter::clock::Clock;
use notafter::domain::identity::Scope;
use notafter::domain::listing::Inspection;
use notafter::domain::reason::Reason;
use notafter::domain::resource::TlsState;
use notafter::http::Http;
use notafter::provider::Provider;
use notafter::sim::ucloud::{Content, Date, Entry, UCloud};
use notafter::telemetry::Telemetry;

use crate::support::{Build, PROJECT, REGION, Watch, crypto, days, entry, find, fleet};

fn dateless(id: &str) -> Entry {
    let (content, not_after) = (Content::Text("******".into()), Date::Odd(0.into()));
    Entry { content, not_after, ..entry(id) }
}

async fn provider() -> (UCloud, Arc<dyn Provider>, Scope) {
    crypto();
    let mut fleet = fleet();
    fleet.insert(entry("ssl-1"));
    fleet.insert(dateless("ssl-dateless"));
    let cloud = UCloud::start(fleet, Utc::now).await.expect("a free port");
    let http = Http::new(Duration::from_secs(2), 8, Clock::system(), Arc::new(Telemetry::new()));
    let scope = Scope {
        provider: "ucloud".into(),
        account: "prod".into(),
        project: PROJECT.into(),
        region: REGION.into(),
        service: "ulb".into(),
    };
    let provider = Build::account("prod").provider(&cloud.base_url(), &http);
    (cloud, provider, scope)
}

#[tokio::test]
async fn a_look_at_one_is_one_call_with_its_id() {
    let (cloud, provider, scope) = provider().await;
    let look = async |id: &str| provider.inspect(&scope, id).await.expect("an answer");
    let Inspection::Read(reading) = look("ssl-1").await else { panic!("not read") };
    assert_eq!(reading.certificates[0].not_after, days(100));
    let Inspection::ReadInPart(reading, text) = look("ssl-dateless").await else { panic!("not in part") };
    assert_eq!((reading.state, reading.certificates), (TlsState::Enabled, vec![]));
    assert!(text.contains("`0` as NotAfter"), "{text}");
    assert_eq!(look("ssl-unknown").await, Inspection::Gone);
    let calls: Vec<_> = cloud.calls().into_iter().map(|call| (call.action, call.resource)).collect();
    let want = ["ssl-1", "ssl-dateless", "ssl-unknown"].map(|id| ("DescribeSSLV2".into(), id.into()));
    assert_eq!(calls, want);
}

#[tokio::test]
async fn a_date_that_nobody_tells_is_visibly_unknown() {
    let mut fleet = fleet();
    fleet.insert(dateless("ssl-dateless"));
    let (_, snapshot) = Watch::once(fleet).await;
    let found = find(&snapshot, "ssl-dateless").expect("listed");
    assert_eq!((found.state(), found.certificates().len()), (TlsState::Enabled, 0));
    let failure = found.failure.as_ref().expect("told");
    assert_eq!(failure.reason, Reason::Unreadable);
    assert!(failure.text.contains("found a content without a certificate"), "{failure:?}");
}

#[tokio::test]
async fn a_date_that_is_told_no_more_stays_known_and_comes_back() {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-1"));
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch.cloud.modify(|fleet| fleet.insert(dateless("ssl-1")));
    let failing = |snapshot: &notafter::domain::snapshot::Snapshot| {
        find(snapshot, "ssl-1").is_some_and(|found| found.failure.is_some())
    };
    let seen = watch.until("a date that went", failing).await;
    let found = find(&seen, "ssl-1").expect("kept");
    assert_eq!(found.certificates().first().map(|leaf| leaf.not_after), Some(days(100)), "last known");
    watch.cloud.modify(|fleet| fleet.insert(Entry::new("ssl-1", "prod", PROJECT, REGION, days(300))));
    let back = |snapshot: &notafter::domain::snapshot::Snapshot| {
        find(snapshot, "ssl-1").is_some_and(|found| {
            found.failure.is_none()
                && found.certificates().first().is_some_and(|leaf| leaf.not_after == days(300))
        })
    };
    watch.until("a date that came back", back).await;
    watch.end().await;
}
