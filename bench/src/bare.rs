//! What calls cost at least: a loop of reqwest that signs nothing and parses nothing, 64 calls in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

const IN_FLIGHT: usize = 64;

pub fn main(url: &str, calls: usize) {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
    let left = Arc::new(AtomicUsize::new(calls));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("the word to start");
    runtime.block_on(async {
        let mut callers = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            callers.spawn(call(client.clone(), url.to_owned(), Arc::clone(&left)));
        }
        callers.join_all().await;
    });
    println!("0");
    // Its processor time is read while it lives.
    std::io::stdin().read_line(&mut line).expect("the word to stop");
}

async fn call(client: reqwest::Client, url: String, left: Arc<AtomicUsize>) {
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let response = client.post(&url).header("x-acs-action", "DescribeInstanceSSL").send().await;
        let body = response.expect("an answer").bytes().await.expect("a body");
        assert!(!body.is_empty());
    }
}
