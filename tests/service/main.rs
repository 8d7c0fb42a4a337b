//! The service side of the real program: what the service manager hears, reloads, sockets that are handed over, and the
//! end. `NOTAFTER_RELOADS=1000` makes the storm of reloads longer.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod certificate;
mod files;
mod house;
mod renewing;
mod storm;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use house::{House, Running, certificates, free_address, value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MINUTE: Duration = Duration::from_mins(1);
const GOOD: &str = "notafter_config_last_reload_successful";

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_hears_of_start_life_reload_refusal_and_end() {
    let house = House::new(30).await;
    let good = house.accounts.clone() + &house.rest();
    house.configure(&good);
    let running = house.start(Duration::from_secs(3));
    house.hear_until("STATUS=");
    house.hear_until("WATCHDOG=1");
    let pings = Instant::now();
    house.hear_until("WATCHDOG=1");
    assert!(pings.elapsed() < Duration::from_secs(3), "a third of the interval: {:?}", pings.elapsed());
    running.signal("HUP");
    let said = house.hear_until("RELOADING=1").pop().unwrap();
    let at = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("in one datagram");
    assert!(at.parse::<u64>().unwrap() > 0);
    house.hear_until("READY=1");
    assert!(!house.hear_until("STATUS=").pop().unwrap().contains("REFUSED"));
    house.configure(&good.replace("max_age", "max_ege"));
    running.signal("HUP");
    house.hear_until("RELOADING=1");
    house.hear_until("READY=1");
    assert!(house.hear_until("STATUS=").pop().unwrap().contains("REFUSED"));
    house.hear_until("WATCHDOG=1");
    running.signal("TERM");
    house.hear_until("STOPPING=1");
    let (took, status) = running.stop();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_changes_nothing_and_says_why_everywhere() {
    let house = House::new(30).await;
    let good = house.accounts.clone() + &house.rest();
    house.configure(&good);
    let _running = house.start(MINUTE);
    let before = house.until("everything known", |page| certificates(page).len() >= 20).await;
    assert_eq!(value(&before, GOOD), Some(1.0));
    house.configure(&good.replace("max_age = \"30s\"", "max_ege = \"30s\"").replace("timeout", "timeut"));
    let (said, code) = house.says(&["reload"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("max_ege") && said.contains("timeut") && said.contains("nothing is different"),
        "{said}"
    );
    let after = house.page("/metrics").await.unwrap();
    assert_eq!(value(&after, GOOD), Some(0.0));
    assert!(certificates(&after).is_superset(&certificates(&before)), "series went");
    assert!(house.log().contains("max_ege"), "the log says why");
    assert!(house.page("/").await.unwrap().contains("max_ege"), "the page says why");
    let (status, _) = house.says(&["--socket", house.socket().to_str().unwrap(), "status"]);
    assert!(status.contains("max_ege") || status.contains("max_age"), "{status}");
    let moved = good.replace("notafter.db", "other.db");
    house.configure(&moved);
    let (said, code) = house.says(&["reload"]);
    assert!(code == Some(78) && said.contains("restart to use another store"), "{said}");
    house.configure(&good);
    let (said, code) = house.says(&["reload"]);
    assert!(code == Some(0) && said.contains("read again and in use"), "{said}");
    assert_eq!(value(&house.page("/metrics").await.unwrap(), GOOD), Some(1.0));
    assert!(!house.page("/").await.unwrap().contains("max_ege"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_without_users_refuses_to_reload() {
    let house = House::new(30).await;
    house.configure(&(house.accounts.clone() + &house.rest()));
    let _running = house.start(MINUTE);
    let client = reqwest::Client::new();
    let answer = client.post(format!("http://{}/-/reload", house.address)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_in_use_after_a_reload() {
    let house = House::new(60).await;
    let good = house.accounts.clone() + &house.rest();
    house.configure(&good);
    let _running = house.start(MINUTE);
    let before = house.until("everything known", |page| certificates(page).len() >= 40).await;
    let reload = || {
        let (said, code) = house.says(&["reload"]);
        assert_eq!(code, Some(0), "{said}\n{}", house.log());
    };

    // an account that goes leaves with its series, the others keep theirs
    let names = |page: &str| -> BTreeSet<String> {
        let of = |line: &str| Some(line.split_once("cloud_account=\"")?.1.split_once('"')?.0.to_owned());
        certificates(page).iter().filter_map(|line| of(line)).collect()
    };
    let gone = names(&before).into_iter().next().unwrap();
    let tables: Vec<&str> = house.accounts.split("[[account]]").collect();
    let kept: Vec<&str> =
        tables.iter().copied().filter(|table| !table.contains(&format!("name = \"{gone}\""))).collect();
    assert_eq!(kept.len() + 1, tables.len(), "{}", house.accounts);
    house.configure(&(kept.join("[[account]]") + &house.rest()));
    reload();
    let page = house.until("without it", |page| !names(page).contains(&gone)).await;
    let others: BTreeSet<_> =
        certificates(&before).into_iter().filter(|line| !line.contains(&format!("\"{gone}\""))).collect();
    assert!(certificates(&page).is_superset(&others), "the others lost series");
    assert!(
        !page.contains(&format!("notafter_scope_up{{cloud_provider=\"alibaba\",cloud_account=\"{gone}\""))
    );

    // and comes back; another address, users, a channel with its route, renewal and thresholds come with it
    let second = free_address();
    let hook = TcpListener::bind("127.0.0.1:0").unwrap();
    let rest = house.rest().replace("listen = [", &format!("listen = ['{second}', "));
    let user = "alice = '$2y$10$.....................................................'";
    let all = format!(
        "{}[alert]\nthresholds = {{ info = '900d', warning = '800d', critical = '700d' }}\ntimezone = 'Asia/Shanghai'\n\
         [[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = 'http://{}/x'\n[[route]]\nchannels = ['hook']\n\
         [renewal]\nmode = 'plan'\n{rest}users = {{ {user} }}\n",
        house.accounts,
        hook.local_addr().unwrap()
    );
    house.configure(&all);
    reload();
    let (status, _) = house.says(&["--socket", house.socket().to_str().unwrap(), "status"]);
    assert!(status.contains("Asia/Shanghai") && status.contains("hook"), "{status}");
    for address in [house.address, second] {
        let answer = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{address}");
        let answer = reqwest::get(format!("http://{address}/-/healthy")).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{address}");
    }
    // back to the beginning: the address is free again, and nobody is asked
    house.configure(&good);
    reload();
    house
        .until("everything known again", |page| certificates(page).is_superset(&certificates(&before)))
        .await;
    let began = Instant::now();
    while TcpStream::connect(second).await.is_ok() {
        assert!(began.elapsed() < MINUTE, "{second} is still listened on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // an address that is taken refuses the whole
    let taken = TcpListener::bind("127.0.78.1:0").unwrap();
    let rest = house.rest().replace("listen = [", &format!("listen = ['{}', ", taken.local_addr().unwrap()));
    house.configure(&(kept.join("[[account]]") + &rest));
    let (said, code) = house.says(&["reload"]);
    assert!(code == Some(78) && said.contains("cannot listen on"), "{said}");
    assert!(names(&house.page("/metrics").await.unwrap()).contains(&gone), "all or nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_takes_the_place_of_one_that_it_is_a_part_of() {
    let house = House::new(10).await;
    let listening = |addresses: &[SocketAddr]| {
        let all: Vec<_> = addresses.iter().map(|address| format!("'{address}'")).collect();
        let one = format!("listen = ['{}']", house.address);
        house.accounts.clone() + &house.rest().replace(&one, &format!("listen = [{}]", all.join(", ")))
    };
    let own = house.address;
    let all = SocketAddr::from(([0, 0, 0, 0], own.port()));
    house.configure(&listening(&[own]));
    let _running = house.start(MINUTE);
    // from another address of this machine, which only one of both has
    let is_open = async || TcpStream::connect(("127.0.78.2", own.port())).await.is_ok();
    for _ in 0..3 {
        house.configure(&listening(&[all]));
        assert_eq!(reload(&house).await, 200, "{}", house.log());
        assert!(is_open().await && house.page("/-/healthy").await.is_ok());
        house.configure(&listening(&[own]));
        assert_eq!(reload(&house).await, 200, "{}", house.log());
        assert!(house.page("/-/healthy").await.is_ok());
        let began = Instant::now();
        while is_open().await {
            assert!(began.elapsed() < MINUTE, "{all} is still listened on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // both at once exclude each other, and so does somebody else: nothing is different then
    let other = TcpListener::bind(("127.0.78.3", own.port())).unwrap();
    for (name, addresses) in [("both", &[own, all][..]), ("taken by another", &[all])] {
        house.configure(&listening(addresses));
        assert_eq!(reload(&house).await, 422, "{name}: {}", house.log());
        assert!(house.page("/-/healthy").await.is_ok() && !is_open().await, "{name}");
    }
    drop(other);
    house.configure(&listening(&[all]));
    assert_eq!(reload(&house).await, 200, "{}", house.log());
    assert!(is_open().await);
}

/// The status of one reload over the control socket.
async fn reload(house: &House) -> u16 {
    reload_at(&house.socket()).await.expect("answered")
}

/// `None`: the program ended before it answered.
async fn reload_at(socket: &Path) -> Option<u16> {
    let mut stream = tokio::net::UnixStream::connect(socket).await.expect("no connection is refused");
    let request = "POST /-/reload HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waited_is_delivered_once_after_reloads() {
    let house = House::new(30).await;
    let (fails, got) = (Arc::new(AtomicBool::new(true)), Arc::new(std::sync::Mutex::new(Vec::new())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (failing, received) = (Arc::clone(&fails), Arc::clone(&got));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (failing, received) = (Arc::clone(&failing), Arc::clone(&received));
            tokio::spawn(async move {
                let (mut text, mut piece) = (String::new(), vec![0; 65536]);
                while !is_whole(&text) {
                    match stream.read(&mut piece).await {
                        Ok(length @ 1..) => text.push_str(&String::from_utf8_lossy(&piece[..length])),
                        _ => return,
                    }
                }
                let refuses = failing.load(Ordering::SeqCst);
                if !refuses {
                    received.lock().unwrap().push(text);
                }
                let status = if refuses { "503 Later" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                drop(stream.write_all(answer.as_bytes()).await);
            });
        }
    });
    let channel = format!("[[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = 'http://127.0.0.1:{port}/'\n");
    let text = house.accounts.clone() + &channel + &house.rest();
    house.configure(&text);
    let _running = house.start(MINUTE);
    let queued = "notafter_outbox_messages{channel=\"hook\",state=\"queued\"}";
    house.until("something queued", |page| value(page, queued).is_some_and(|queued| queued > 0.0)).await;
    for _ in 0..5 {
        assert_eq!(reload(&house).await, 200);
    }
    fails.store(false, Ordering::SeqCst);
    let (said, code) = house.says(&["notify", "test", "hook"]);
    assert_eq!(code, Some(0), "{said}");
    house.until("everything delivered", |page| value(page, queued) == Some(0.0)).await;
    let ids: Vec<String> = got
        .lock()
        .unwrap()
        .iter()
        .filter_map(|text: &String| Some(text.split_once("evt_")?.1.chars().take(26).collect()))
        .collect();
    let once: BTreeSet<_> = ids.iter().collect();
    assert!(!ids.is_empty() && once.len() == ids.len(), "{ids:?}");
}

fn is_whole(text: &str) -> bool {
    let lower = text.to_lowercase();
    let Some((head, body)) = lower.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_within_five_seconds_while_everything_hangs() {
    let house = House::new(30).await;
    // accepts, and never says anything: cloud and channel
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = hole.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = hole.accept().await {
            held.push(stream);
        }
    });
    // first it learns something that is worth telling, then it is told where nobody answers
    house.configure(&(house.accounts.clone() + &house.rest()));
    let running = house.start(MINUTE);
    house.until("everything known", |page| certificates(page).len() >= 20).await;
    let hanging = format!(
        "[poll]\nmax_age = '2s'\nmin_interval = '1s'\ndiscover_every = '1s'\ntimeout = '60s'\n\
         [[account]]\nname = 'hanging'\nprovider = 'alibaba'\nservices = ['redis']\n\
         credentials = {{ access_key_id = 'a', access_key_secret = 'b' }}\nendpoints = {{ redis = 'http://127.0.0.1:{port}' }}\n\
         [[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = 'http://127.0.0.1:{port}/'\n"
    );
    let accounts = house.accounts.split_once("[[account]]").unwrap().1;
    house.configure(&format!("{hanging}[[account]]{accounts}{}", house.rest()));
    assert_eq!(reload(&house).await, 200, "{}", house.log());
    let mut slow = Vec::new();
    for number in 0..50 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let text: &[u8] =
            if number % 2 == 0 { b"GET / HTT" } else { b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n" };
        stream.write_all(text).await.unwrap();
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (took, status) = tokio::task::spawn_blocking(move || running.stop()).await.unwrap();
    println!("ended after {took:?}");
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}\n{}", house.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_handed_over_is_listened_on() {
    let house = House::new(30).await;
    let opened = TcpListener::bind("127.0.78.1:0").unwrap();
    let address = opened.local_addr().unwrap();
    house.configure(&(house.accounts.clone() + &house.rest()));
    let script =
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$0\" run --config \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_notafter")]).arg(house.path("config.toml"));
    command.stdin(OwnedFd::from(opened)).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    // whoever connects before it listens is answered too: that is what the socket is for
    let answer = reqwest::get(format!("http://{address}/-/healthy")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(TcpStream::connect(house.address).await.is_err(), "instead of `[web] listen`");
    assert_eq!(reload(&house).await, 200);
    let answer = reqwest::get(format!("http://{address}/-/healthy")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "also after a reload");
    assert!(running.stop().1.success());
}
