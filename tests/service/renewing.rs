//! A renewal that is under way while the configuration is read again: the cloud is called once, it is told once, and it is
//! never out of sight.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use notafter::sim::alibaba::{
    Account, AlibabaCloud, Engine, Fault, Fleet, Hang, Instance, Key, Region, Renewal, Where,
};
use notafter::sim::receivers::Reception;
use notafter::sim::receivers::webhook::Webhook;

use crate::house::{House, LONG, Running};
use crate::{MINUTE, reload};

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const UID: &str = "1000000000000001";
const REGION: &str = "cn-hangzhou";

async fn cloud() -> AlibabaCloud {
    let mut fleet = Fleet::new(vec![Region::new(REGION, "华东", REGION)]);
    fleet.renewal = Renewal { takes: TimeDelta::seconds(6), life: TimeDelta::days(365) };
    fleet.accounts.push(Account {
        uid: UID.into(),
        name: "prod".into(),
        keys: vec![Key::new("id", "secret")],
    });
    fleet.insert(Instance::new(Engine::Redis, "r-one", UID, REGION, Utc::now() + TimeDelta::days(10)));
    AlibabaCloud::start(fleet, Utc::now).await.unwrap()
}

fn config(house: &House, cloud: &AlibabaCloud, hook: &str, days: usize) -> String {
    let hour = |hours: i64| (Utc::now() + TimeDelta::hours(hours)).format("%H:%M").to_string();
    format!(
        "[poll]\nmax_age = '8s'\nmin_interval = '3s'\ndiscover_every = '1s'\ntimeout = '3s'\n\
         [alert]\nthresholds = {{ info = '3h', warning = '2h', critical = '1h' }}\n\
         [[account]]\nname = 'prod'\nprovider = 'alibaba'\nservices = ['redis']\nrate_limit = 100\n\
         credentials = {{ access_key_id = 'id', access_key_secret = 'secret' }}\nendpoints = {{ redis = '{}' }}\n\
         [[channel]]\nname = 'hook'\ntype = 'webhook'\nrate = 6000\nurl = '{hook}/hook'\nsecret = '{SIGNING}'\n\
         [[route]]\nchannels = ['hook']\ngroup_wait = '1s'\n\
         [renewal]\nmode = 'auto'\nbefore = '{days}d'\nannounce = '1s'\n[[renewal.allow]]\nmatch = 'cloud_service=\"redis\"'\n\
         window = {{ timezone = 'UTC', from = '{}', to = '{}' }}\n{}",
        cloud.base_url(),
        hour(-6),
        hour(6),
        house.rest()
    )
}

async fn is_in_sight(house: &House) -> bool {
    house.page("/api/v1/renewals").await.is_ok_and(|list| list.contains("\"r-one\""))
}

/// How often a success was told.
fn successes(reception: &Reception) -> usize {
    let deliveries = reception.deliveries();
    let accepted = deliveries.iter().filter(|delivery| delivery.is_accepted());
    accepted.filter(|delivery| format!("{:?}", delivery.request).contains("renewal.succeeded")).count()
}

/// Reloads from the moment at which the cloud saw the call until it is over, each with another configuration.
async fn survives(name: &str, fault: Option<Fault>) {
    let (house, cloud) = (House::new(4).await, cloud().await);
    let reception = Reception::start(Arc::new(Webhook::notafter(&[SIGNING])), Utc::now).await.unwrap();
    if let Some(fault) = fault {
        cloud.inject(fault, Where::action("ModifyInstanceSSL"), Some(1));
    }
    house.configure(&config(&house, &cloud, &reception.base_url(), 60));
    let running = house.start(MINUTE);
    let began = Instant::now();
    while cloud.changes().is_empty() {
        assert!(began.elapsed() < LONG, "{name}: never called:\n{}", house.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(is_in_sight(&house).await, "{name}");
    let house = Arc::new(house);
    let (over, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (seen_house, until, counted) = (Arc::clone(&house), Arc::clone(&over), Arc::clone(&looks));
    let watching = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            assert!(is_in_sight(&seen_house).await, "the board was without it");
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut reloads = 0;
    let is_over = || house.log().contains("succeeded");
    let succeeded = || successes(&reception);
    while succeeded() == 0 {
        assert!(began.elapsed() < 2 * LONG, "{name}: never over ({}):\n{}", is_over(), house.log());
        // each reload has everything read anew, so a storm without an end would put the outcome off
        if reloads < 12 {
            house.configure(&config(&house, &cloud, &reception.base_url(), 40 + reloads % 20));
            assert_eq!(reload(&house).await, 200, "{name}: {}", house.log());
            reloads += 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // what would come twice comes soon
    for _ in 0..10 {
        assert_eq!(reload(&house).await, 200, "{name}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    over.store(true, Ordering::Relaxed);
    watching.await.expect("never out of sight");
    println!(
        "{name}: {reloads} reloads while it was under way, {} looks at the board",
        looks.load(Ordering::Relaxed)
    );
    assert!(reloads >= 5, "{name}: only {reloads} reloads");
    assert_eq!(cloud.changes().len(), 1, "{name}: the cloud was called once");
    assert_eq!(succeeded(), 1, "{name}: it is told once");
    assert!(running.stop().1.success(), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_goes_on_over_reloads_is_called_once_and_told_once() {
    survives("accepted", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_whose_answer_is_lost_during_a_reload_is_not_called_again() {
    survives("lost", Some(Fault::Hang(Hang::HeadOnly))).await;
}

async fn until(what: &str, house: &House, wanted: impl Fn() -> bool) {
    let began = Instant::now();
    while !wanted() {
        assert!(began.elapsed() < 2 * LONG, "never {what}:\n{}", house.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Stops in time, as the service manager wants it.
async fn stops(running: Running, house: &House) {
    let (took, status) = tokio::task::spawn_blocking(move || running.stop()).await.unwrap();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}\n{}", house.log());
}

/// The next start has nothing sent again, and tells of the success once.
async fn goes_on_to_succeed(house: &House, cloud: &AlibabaCloud, reception: &Reception) {
    let running = house.start(MINUTE);
    until("a success", house, || successes(reception) > 0).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((cloud.changes().len(), successes(reception)), (1, 1), "{}", house.log());
    stops(running, house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_while_a_call_hangs_and_reads_what_became_of_it_at_the_next_start() {
    let (house, cloud) = (House::new(4).await, cloud().await);
    let reception = Reception::start(Arc::new(Webhook::notafter(&[SIGNING])), Utc::now).await.unwrap();
    cloud.inject(Fault::Hang(Hang::HeadOnly), Where::action("ModifyInstanceSSL"), Some(1));
    let text = config(&house, &cloud, &reception.base_url(), 60);
    house.configure(&text.replace("timeout = '3s'", "timeout = '90s'"));
    let running = house.start(MINUTE);
    until("a call", &house, || !cloud.changes().is_empty()).await;
    stops(running, &house).await;
    assert!(house.log().contains("its answer did not come before the stop"), "{}", house.log());
    assert_eq!(successes(&reception), 0, "nobody knows yet");
    house.configure(&text);
    goes_on_to_succeed(&house, &cloud, &reception).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_while_a_hook_hangs_and_asks_it_again_at_the_next_start() {
    let (house, cloud) = (House::new(4).await, cloud().await);
    let reception = Reception::start(Arc::new(Webhook::notafter(&[SIGNING])), Utc::now).await.unwrap();
    let (started, asked) = (house.path("pid"), house.path("asked"));
    let text = config(&house, &cloud, &reception.base_url(), 60);
    let with_hook = |script: String| {
        let hook = format!(
            "[[renewal.allow]]\nhook = {{ before = ['/bin/sh', '-c', '{script}'], timeout = '300s' }}\n"
        );
        house.configure(&text.replace("[[renewal.allow]]", &hook));
    };
    with_hook(format!("echo $$ > {0}.new; mv {0}.new {0}; sleep 600", started.display()));
    let running = house.start(MINUTE);
    until("a hook", &house, || started.exists()).await;
    stops(running, &house).await;
    let id = fs::read_to_string(&started).unwrap();
    let status = || fs::read_to_string(format!("/proc/{}/status", id.trim())).unwrap_or_default();
    until("the end of the hook", &house, || status().is_empty() || status().contains("State:\tZ")).await;
    assert!(cloud.changes().is_empty(), "nothing was called without its yes");
    with_hook(format!("touch {}", asked.display()));
    goes_on_to_succeed(&house, &cloud, &reception).await;
    assert!(asked.exists(), "it was asked again");
}
