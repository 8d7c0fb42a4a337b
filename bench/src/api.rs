//! An API that answers at once: one scope of Redis instances, no check of anything, bodies ready-made. What is left
//! is what a call costs the caller. Obeys lines: `details` answers with the number of certificate calls so far,
//! `took` with the microseconds from the first to the last of them, `reset` begins anew.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{BufRead, stdin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use chrono::Utc;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::fleet::Member;

const PAGE: usize = 50;

struct Answers {
    pages: Vec<Bytes>,
    none: Bytes,
    detail: Bytes,
    details: AtomicU64,
    began: OnceLock<Instant>,
    /// Microseconds after `began`.
    first: AtomicU64,
    last: AtomicU64,
}

pub fn main(resources: usize) {
    let answers = Arc::new(Answers {
        pages: (0..resources.div_ceil(PAGE).max(1)).map(|page| listing(page, resources)).collect(),
        none: listing(resources.div_ceil(PAGE), resources),
        detail: detail(),
        details: AtomicU64::new(0),
        began: OnceLock::from(Instant::now()),
        first: AtomicU64::new(u64::MAX),
        last: AtomicU64::new(0),
    });
    let served = Arc::clone(&answers);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    println!("{}", listener.local_addr().expect("bound"));
    runtime.spawn(serve(listener, served));
    for line in stdin().lock().lines() {
        match &*line.expect("text") {
            "details" => println!("{}", answers.details.load(Ordering::Relaxed)),
            "took" => {
                let (first, last) =
                    (answers.first.load(Ordering::Relaxed), answers.last.load(Ordering::Relaxed));
                println!("{}", last.saturating_sub(first));
            }
            "reset" => {
                answers.details.store(0, Ordering::Relaxed);
                answers.first.store(u64::MAX, Ordering::Relaxed);
                println!("0");
            }
            other => panic!("not understood: {other}"),
        }
    }
}

async fn serve(listener: TcpListener, answers: Arc<Answers>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(request, Arc::clone(&answers)));
            // A caller that goes is the caller's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    answers: Arc<Answers>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let action = request.headers().get("x-acs-action").and_then(|value| value.to_str().ok());
    let body = if action == Some("DescribeInstances") {
        let query = request.uri().query().unwrap_or_default();
        let number =
            query.split('&').find_map(|pair| pair.strip_prefix("PageNumber=")?.parse::<usize>().ok());
        // Behind the last page there is an empty one.
        answers.pages.get(number.unwrap_or(1) - 1).unwrap_or(&answers.none).clone()
    } else {
        let at = answers.began.get().expect("set").elapsed().as_micros() as u64;
        answers.first.fetch_min(at, Ordering::Relaxed);
        answers.last.store(at, Ordering::Relaxed);
        answers.details.fetch_add(1, Ordering::Relaxed);
        answers.detail.clone()
    };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("content-type", "application/json;charset=utf-8".parse().expect("a value"));
    response
        .headers_mut()
        .insert("x-acs-request-id", "51A0FA7E-0000-4000-8000-000000000001".parse().expect("a value"));
    Ok(response)
}

fn listing(page: usize, resources: usize) -> Bytes {
    let now = Utc::now();
    let mut text = format!(
        r#"{{"RequestId":"51A0FA7E-0000-4000-8000-000000000001","PageNumber":{},"PageSize":{PAGE},"TotalCount":{resources},"Instances":{{"KVStoreInstance":["#,
        page + 1,
    );
    for number in page * PAGE..resources.min((page + 1) * PAGE) {
        let member = Member::new(number, now);
        let comma = if number % PAGE == 0 { "" } else { "," };
        let written = write!(
            text,
            r#"{comma}{{"InstanceId":"{}","RegionId":"cn-hangzhou","InstanceStatus":"Normal","EngineVersion":"7.0","InstanceType":"Redis","ArchitectureType":"standard","NetworkType":"VPC","ChargeType":"PrePaid","InstanceName":"{}","ConnectionDomain":"{0}.redis.rds.aliyuncs.com","Port":6379,"Tags":{{"Tag":[{{"Key":"env","Value":"prod"}},{{"Key":"owner","Value":"dba@example.com"}},{{"Key":"team","Value":"orders"}}]}}}}"#,
            member.id, member.name,
        );
        written.expect("a string takes anything");
    }
    (text + "]}}").into()
}

fn detail() -> Bytes {
    Bytes::from_static(
        br#"{"RequestId":"51A0FA7E-0000-4000-8000-000000000001","InstanceId":"r-bp1zxszhcgatnx****","SSLEnabled":"Enable","SSLExpiredTime":"2027-11-20T08:08:08Z","CertCommonName":"r-bp1zxszhcgatnx****.redis.rds.aliyuncs.com","CertDownloadURL":"https://apsaradb-public.oss-ap-southeast-1.aliyuncs.com/ApsaraDB-CA-Chain.zip"}"#,
    )
}
