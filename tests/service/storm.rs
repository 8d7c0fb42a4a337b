//! Reloads without end, good and bad in turn, while the clouds are polled and the page is scraped: of configurations that
//! differ in everything that a reload replaces. `NOTAFTER_RELOADS=1000` makes it longer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use notafter::sim::receivers::Reception;
use notafter::sim::receivers::webhook::Webhook;
use reqwest::Client;

use crate::certificate::{Authority, tls};
use crate::house::{House, LONG, value};
use crate::{GOOD, MINUTE, reload};

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// `wonderland`, as cheap to check as bcrypt has it.
const HASH: &str = "$2y$04$7a3HDiVqxrYZYJTBRAXZ3un8ti0mctBseTHLt2VcafENFFc3eG3Di";
/// Unless somebody wants more.
const USUAL: usize = 200;
/// On a machine that is busy with other things it is cut off after so long, but not before so many.
const ENOUGH: Duration = Duration::from_mins(1);
const LEAST: usize = 60;
/// Series that a good configuration may do without, or that come and go by themselves.
const MAY_GO: [&str; 1] = [
    // only one of the three has it
    "channel=\"second\"",
];

/// Three that differ in accounts, alerts, channels, routes, renewal, users and TLS.
fn configurations(house: &House, hook: &str) -> [String; 3] {
    // every listing is due several times while it goes on
    let accounts = house.accounts.replace("discover_every = \"10s\"", "discover_every = \"1s\"");
    assert_ne!(accounts, house.accounts);
    let channel = |name: &str, more: &str| {
        format!(
            "[[channel]]\nname = '{name}'\ntype = 'webhook'\nrate = 6000\nurl = '{hook}/{name}'\nsecret = '{SIGNING}'\n{more}"
        )
    };
    let route =
        |channels: &str, wait: u8| format!("[[route]]\nchannels = [{channels}]\ngroup_wait = '{wait}s'\n");
    let plan = |hour: u8| {
        format!(
            "[renewal]\nmode = 'plan'\n[[renewal.allow]]\nmatch = 'cloud_service=\"redis\"'\n\
             window = {{ timezone = 'UTC', from = '{hour:02}:00', to = '23:00' }}\n"
        )
    };
    let web = |users: &str, pair: &str| {
        let users = users.split(' ').map(|name| format!("{name} = '{HASH}'")).collect::<Vec<_>>().join(", ");
        format!("{}users = {{ {users} }}\n{}", house.rest(), tls(house, pair))
    };
    [
        [accounts.clone(), channel("hook", ""), route("'hook'", 1), plan(0), web("alice bob", "first")],
        [
            format!("{accounts}[alert]\ntimezone = 'Asia/Shanghai'\nheartbeat = '{hook}/beat'\n"),
            channel("hook", "locale = 'zh'\n") + &channel("second", ""),
            route("'second'", 2) + "continue = true\n" + &route("'hook'", 1),
            plan(1),
            web("alice", "other"),
        ],
        [
            accounts.replace("max_age = \"30s\"", "max_age = \"20s\""),
            channel("hook", "locale = 'zh'\n"),
            route("'hook'", 3),
            plan(2),
            web("alice carol", "first"),
        ],
    ]
    .map(|parts| parts.concat())
}

/// Every series by name and labels, but for those that may go.
fn series(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
    names.filter(|name| !MAY_GO.iter().any(|may| name.contains(may))).collect()
}

/// `kept`: on connections that stay open.
fn client(kept: bool) -> Client {
    let builder = Client::builder().tls_danger_accept_invalid_certs(true).timeout(LONG);
    builder.pool_max_idle_per_host(usize::from(kept)).build().unwrap()
}

async fn scrape(client: &Client, house: &House) -> String {
    let url = format!("https://{}/metrics", house.address);
    let answer = client.get(url).basic_auth("alice", Some("wonderland")).send().await;
    answer.expect("every scrape is answered").error_for_status().unwrap().text().await.unwrap()
}

fn rounds(page: &str) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with("notafter_scope_rounds_total"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// Scrapes that go on until told to stop: each must have all that was known.
struct Scrapers {
    over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Scrapers {
    fn begin(house: &Arc<House>, known: &BTreeSet<String>) -> Self {
        let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let one = |number: usize| {
            let (house, over, known) = (Arc::clone(house), Arc::clone(&over), known.clone());
            let (count, client) = (Arc::clone(&count), client(number > 0));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let page = scrape(&client, &house).await;
                    let lost: Vec<_> = known.difference(&series(&page)).cloned().collect();
                    assert!(lost.is_empty(), "lost: {lost:#?}");
                    count.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        let tasks = (0..3).map(one).collect();
        Self { over, count, tasks }
    }

    async fn end(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no scraper panics");
        }
        self.count.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_good_and_bad_in_turn_lose_nothing_under_scrapes_and_polls() {
    let wanted: Option<usize> = std::env::var("NOTAFTER_RELOADS").ok().map(|text| text.parse().unwrap());
    let reloads = wanted.unwrap_or(USUAL);
    let house = Arc::new(House::new(60).await);
    let authority = Authority::new();
    authority.issue(&house, "first");
    authority.issue(&house, "other");
    let receiver = Reception::start(Arc::new(Webhook::notafter(&[SIGNING])), Utc::now).await.unwrap();
    let good = configurations(&house, &receiver.base_url());
    house.configure(&good[0]);
    let running = house.start(MINUTE);
    let (calm, began) = (client(true), Instant::now());
    // nothing more comes by itself once everything was looked at and told
    let mut before = scrape(&calm, &house).await;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = scrape(&calm, &house).await;
        let is_known = crate::certificates(&now).len() >= 40 && !receiver.deliveries().is_empty();
        if is_known && series(&now) == series(&before) {
            break;
        }
        assert!(began.elapsed() < LONG, "never calm; log:\n{}", house.log());
        before = now;
    }
    let scrapers = Scrapers::begin(&house, &series(&before));
    let hearing = Arc::clone(&house);
    let over = Arc::clone(&scrapers.over);
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            hearing.hear_once();
        }
    });

    let (began, mut sizes, mut slowest) = (Instant::now(), Vec::new(), [Duration::ZERO; 2]);
    let mut done = 0;
    while done < reloads {
        let bad = done % 2 == 1;
        // of two in a row, which are a good and a bad one, each is of the next
        let text = &good[(done / 2 + 1) % good.len()];
        house.configure(&if bad { text.replace("timeout", "timeut") } else { text.clone() });
        let one = Instant::now();
        let status = reload(&house).await;
        slowest[usize::from(bad)] = slowest[usize::from(bad)].max(one.elapsed());
        assert_eq!(status, if bad { 422 } else { 200 }, "reload {done}:\n{}", house.log());
        if done % (reloads / 10).max(1) == 0 {
            sizes.push(running.size());
        }
        done += 1;
        if wanted.is_none() && done >= LEAST && began.elapsed() > ENOUGH {
            break;
        }
    }
    let took = began.elapsed();
    let answered = scrapers.end().await;
    house.configure(&good[0]);
    assert_eq!(reload(&house).await, 200);
    let (said, code) = house.says(&["notify", "test", "hook"]);
    assert_eq!(code, Some(0), "{said}");
    let after = scrape(&calm, &house).await;
    sizes.push(running.size());
    println!(
        "{done} reloads in {took:?}, slowest good and bad one {slowest:?}, {answered} scrapes, {} rounds of polling, {} deliveries; \
         KiB and files: {sizes:?}",
        rounds(&after) - rounds(&before),
        receiver.deliveries().len()
    );
    assert_eq!(value(&after, GOOD), Some(1.0));
    assert!(rounds(&after) > rounds(&before), "polls went on");
    let (first, last) = (sizes[sizes.len() / 2], *sizes.last().unwrap());
    assert!(last.0 < first.0 + first.0 / 4, "memory grows: {sizes:?}");
    assert!(last.1 < first.1 + 20, "open files grow: {sizes:?}");
    let (took, status) = running.stop();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}
