//! What slow clients cost a scrape: so many open a connection, say something, then a byte now and then, and come again
//! when they are sent away. Beside them somebody scrapes over a new connection each time.
//!
//! `slow CLIENTS CERT KEY`: in plain text, and over TLS with a user.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::child::Child;
use crate::table::{ms, percentile, row, short, verdict};

const RESOURCES: &str = "1000";
/// A scrape each time after this; the page itself stays the same.
const APART: Duration = Duration::from_millis(50);
const SCRAPES: usize = 400;
/// A slow client says a byte after this, at least; each has a time of its own.
const A_BYTE: Duration = Duration::from_secs(2);

/// What slow clients begin with: nothing, a part of a head, a head that promises a body, a whole request, the beginning
/// of a TLS handshake.
const WORDS: [&[u8]; 5] = [
    b"",
    b"GET /metrics HTTP/1.1\r\nx: ",
    b"POST /api/v1/silences HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n",
    b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n",
    &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
];

pub fn main(arguments: &[&str]) {
    let [clients, cert, key] = arguments else { panic!("slow CLIENTS CERT KEY") };
    let clients = crate::number(clients);
    let runtime = Runtime::new().expect("a runtime");
    for pair in [None, Some((*cert, *key))] {
        let server = server(pair);
        let scraper = Scraper::new(&server.address, pair.map(|(cert, _)| cert));
        let name = if pair.is_some() { "TLS and a user" } else { "plain" };
        let (alone, _) = runtime.block_on(scraper.measure(&server));
        tell(&format!("scrape over a new connection, {name}, nobody else: median"), &alone);
        let (crowd, mut slow) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        for number in 0..clients {
            let handle = runtime.handle();
            slow.spawn_on(dribble(server.address.clone(), number, Arc::clone(&crowd)), handle);
        }
        runtime.block_on(async {
            while crowd.load(Ordering::Relaxed) < clients {
                sleep(APART).await;
            }
        });
        let before = crowd.load(Ordering::Relaxed);
        let (beside, busy) = runtime.block_on(scraper.measure(&server));
        tell(&format!("… {name}, beside {clients} slow clients: median"), &beside);
        let again = crowd.load(Ordering::Relaxed) - before;
        row("", &format!("– {name}: connections that they made anew meanwhile; processors kept busy"), &format!("{again}; {}", short(busy)));
        let what = format!("scrape beside {clients} slow clients, {name}: 99 of 100, more than the median alone");
        verdict("", &what, percentile(&beside, 99) - percentile(&alone, 50), 100.0, "ms");
        runtime.block_on(slow.shutdown());
    }
}

/// The server may open as many files as a process usually may.
fn server(pair: Option<(&str, &str)>) -> Child {
    let itself = std::env::current_exe().expect("our own path");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 1024; exec \"$@\"", "sh"]).arg(itself).args(["serve", RESOURCES]);
    Child::start(command.args(pair.iter().flat_map(|(cert, key)| [cert, key])))
}

struct Scraper {
    client: reqwest::Client,
    url: String,
}

impl Scraper {
    fn new(address: &str, cert: Option<&str>) -> Self {
        // As Prometheus, whose connections were closed between two scrapes.
        let mut client = reqwest::Client::builder().no_gzip().no_proxy().pool_max_idle_per_host(0);
        if let Some(cert) = cert {
            let pem = std::fs::read(cert).expect("a certificate");
            client = client.tls_certs_only([reqwest::Certificate::from_pem(&pem).expect("PEM")]);
        }
        let scheme = if cert.is_some() { "https" } else { "http" };
        Self { client: client.build().expect("a client"), url: format!("{scheme}://{address}/metrics") }
    }

    /// Milliseconds of each scrape, and how many processors the server kept busy.
    async fn measure(&self, server: &Child) -> (Vec<f64>, f64) {
        let (started, cpu) = (Instant::now(), server.cpu());
        let mut times = Vec::with_capacity(SCRAPES);
        for _ in 0..SCRAPES {
            sleep(APART).await;
            let begun = Instant::now();
            let request = self.client.get(&self.url).header("accept-encoding", "gzip");
            let answer = request.basic_auth("alice", Some("wonderland")).send().await.expect("answered");
            assert_eq!(answer.status(), 200);
            answer.bytes().await.expect("a page");
            times.push(ms(begun.elapsed()));
        }
        (times, (server.cpu() - cpu).as_secs_f64() / started.elapsed().as_secs_f64())
    }
}

fn tell(what: &str, times: &[f64]) {
    let [median, most, all] = [50, 99, 100].map(|percent| short(percentile(times, percent)));
    row("", what, &format!("{median} ms; 99 of 100 within {most} ms; longest {all} ms"));
}

async fn dribble(address: String, number: usize, connected: Arc<AtomicUsize>) {
    let a_byte = A_BYTE + Duration::from_millis(number as u64 * 7 % 3000);
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            connected.fetch_add(1, Ordering::Relaxed);
            let mut said = stream.write_all(WORDS[number % WORDS.len()]).await;
            while said.is_ok() {
                sleep(a_byte).await;
                said = stream.write_all(b"y").await;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}
