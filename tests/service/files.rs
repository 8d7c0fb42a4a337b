//! Secrets of channels that change in their files while the program runs: used without a reload, or refused with a word
//! about it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use notafter::sim::receivers::Reception;
use notafter::sim::receivers::dingtalk::Dingtalk;
use notafter::sim::receivers::webhook::Webhook;

use crate::house::{House, LONG, value};
use crate::{GOOD, MINUTE, reload};

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ROBOT: &str = "SEC0123456789abcdef";
const USED: &str = "what it says now is used from here on";
const ON_PAGE: &str = "channel <code>hook</code>: <code>secret</code>";
const READ_AT: &str = "notafter_config_last_reload_success_timestamp_seconds";

/// Puts a new file in the place of the old one, or of none.
fn write(house: &House, name: &str, text: &str) {
    let beside = house.path("beside");
    fs::write(&beside, text).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(beside, house.path(name)).unwrap();
}

fn file(house: &House, name: &str) -> String {
    format!("{{ file = '{}' }}", house.path(name).display())
}

async fn until(what: &str, house: &House, wanted: impl Fn() -> bool) {
    let began = Instant::now();
    while !wanted() {
        assert!(began.elapsed() < LONG, "never {what}; log:\n{}", house.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// So many times files were read again that had changed.
async fn until_used(house: &House, times: usize) {
    until(&format!("read again {times} times"), house, || house.log().matches(USED).count() >= times).await;
}

fn send(house: &House, channel: &str) -> (bool, String) {
    let (said, code) = house.says(&["notify", "test", channel]);
    (code == Some(0), said)
}

/// Requests to this path that the receiver took.
fn taken(reception: &Reception, path: &str) -> usize {
    let deliveries = reception.deliveries();
    deliveries.iter().filter(|delivery| delivery.is_accepted() && delivery.request.path == path).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_in_its_file_is_used_for_the_next_message() {
    let house = House::new(10).await;
    let webhook = async |secret: &str| {
        Reception::start(Arc::new(Webhook::notafter(&[secret])), Utc::now).await.unwrap()
    };
    let (first, second) = (webhook(OLD).await, webhook(NEW).await);
    let chat = Arc::new(Dingtalk::new("token").signed(ROBOT));
    let chat = Reception::start(chat, Utc::now).await.unwrap();
    let url = |reception: &Reception, path: &str| format!("{}/{path}", reception.base_url());
    write(&house, "url", &url(&first, "hook"));
    write(&house, "secret", OLD);
    write(&house, "robot", "SECwrong");
    write(&house, "beat", &url(&first, "beat"));
    let channels = format!(
        "[alert]\nheartbeat = {}\n[[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = {}\nsecret = {}\n\
         [[channel]]\nname = 'robot'\ntype = 'dingtalk'\nurl = '{}/robot/send?access_token=token'\nsecret = {}\n",
        file(&house, "beat"),
        file(&house, "url"),
        file(&house, "secret"),
        chat.base_url(),
        file(&house, "robot"),
    );
    house.configure(&(house.accounts.clone() + &channels + &house.rest()));
    let running = house.start(MINUTE);
    let read_at = value(&house.page("/metrics").await.unwrap(), READ_AT);
    let (sent, said) = send(&house, "hook");
    assert!(sent && taken(&first, "/hook") > 0, "{said}");
    assert!(!send(&house, "robot").0, "the other side knows another secret");

    // a rotation in two files is one
    write(&house, "url", &url(&second, "hook"));
    write(&house, "secret", NEW);
    until_used(&house, 1).await;
    let (sent, said) = send(&house, "hook");
    assert!(sent && taken(&second, "/hook") > 0, "{said}\n{}", house.log());
    write(&house, "robot", ROBOT);
    until_used(&house, 2).await;
    let (sent, said) = send(&house, "robot");
    assert!(sent, "{said}\n{}", house.log());
    let beats = |reception: &Reception| {
        let deliveries = reception.deliveries();
        deliveries.iter().filter(|delivery| delivery.request.path == "/beat").count()
    };
    until("a sign of life", &house, || beats(&first) > 0).await;
    write(&house, "beat", &url(&second, "beat"));
    until("a sign of life at the other place", &house, || beats(&second) > 0).await;

    let page = house.page("/metrics").await.unwrap();
    assert_eq!((value(&page, GOOD), value(&page, READ_AT)), (Some(1.0), read_at), "no reload");
    let log = house.log();
    assert!(!log.contains("the configuration was read again"), "{log}");
    for secret in [OLD, NEW, ROBOT] {
        assert!(!log.contains(secret), "a secret in the log");
    }
    assert!(running.stop().1.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_changes_nothing_and_is_told_until_it_can() {
    let house = House::new(10).await;
    let webhook = Arc::new(Webhook::notafter(&[OLD, NEW]));
    let reception = Reception::start(webhook, Utc::now).await.unwrap();
    write(&house, "secret", OLD);
    let channel = format!(
        "[[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = '{}/hook'\nsecret = {}\n",
        reception.base_url(),
        file(&house, "secret")
    );
    let good = house.accounts.clone() + &channel + &house.rest();
    house.configure(&good);
    let _running = house.start(MINUTE);
    let says_why = "changed and cannot be used: nothing is different";

    write(&house, "secret", "hunter2");
    house.until("refused", |page| value(page, GOOD) == Some(0.0)).await;
    let (log, page) = (house.log(), house.page("/").await.unwrap());
    assert!(log.contains(says_why) && log.contains("channel `hook`: `secret`: must be"), "{log}");
    assert!(page.contains(ON_PAGE) && page.contains("a file that channels are made of"), "the page says why");
    assert!(!log.contains("hunter2") && !page.contains("hunter2"));
    let (sent, said) = send(&house, "hook");
    assert!(sent, "the old secret stays in use: {said}");
    fs::remove_file(house.path("secret")).unwrap();
    until("told of the next trouble", &house, || house.log().matches(says_why).count() == 2).await;
    write(&house, "secret", NEW);
    house.until("mended", |page| value(page, GOOD) == Some(1.0)).await;
    assert!(!house.page("/").await.unwrap().contains(ON_PAGE));

    // a file says nothing of a configuration that was refused
    house.configure(&good.replace("max_age", "max_ege"));
    assert_eq!(reload(&house).await, 422);
    write(&house, "secret", "hunter2");
    until("told of the third trouble", &house, || house.log().matches(says_why).count() == 3).await;
    write(&house, "secret", OLD);
    until_used(&house, 2).await;
    assert_eq!(value(&house.page("/metrics").await.unwrap(), GOOD), Some(0.0));
    assert!(house.page("/").await.unwrap().contains("max_ege"));
    house.configure(&good);
    assert_eq!(reload(&house).await, 200);
    assert_eq!(value(&house.page("/metrics").await.unwrap(), GOOD), Some(1.0));
    assert!(send(&house, "hook").0);
}

/// A pipe that gives a text so many times, and after that keeps whoever reads waiting: a disk of a network that hangs.
fn pipe(house: &House, name: &str, text: &str, times: usize) {
    let path = house.path(name);
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    let text = text.to_owned();
    std::thread::spawn(move || {
        for _ in 0..times {
            // whoever reads closes it before the next one writes
            OpenOptions::new().write(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(300));
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_waits_for_a_disk_holds_up_nothing_and_no_stop() {
    let house = House::new(10).await;
    // a configuration that is read is tried, and then used: twice at the start, and once before it hangs
    pipe(&house, "url", "http://127.0.0.1:9/hook", 3);
    let channel = format!("[[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = {}\n", file(&house, "url"));
    house.configure(&(house.accounts.clone() + &channel + &house.rest()));
    let running = house.start(Duration::from_secs(3));
    house.until("everything known", |page| !crate::certificates(page).is_empty()).await;
    let asked = tokio::spawn({
        let socket = house.socket();
        async move { crate::reload_at(&socket).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!asked.is_finished(), "it hangs");
    let calm: Vec<_> = (0..4).map(|_| house.hear_until("WATCHDOG=1")).collect();
    assert_eq!(calm.len(), 4, "the service manager hears of life");
    assert!(house.page("/metrics").await.is_ok());
    let (took, status) = tokio::task::spawn_blocking(move || running.stop()).await.unwrap();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}\n{}", house.log());
}
