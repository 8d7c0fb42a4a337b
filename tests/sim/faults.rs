//! Each fault does what its name says, where it was ordered, as often as it was ordered, and nothing else.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use notafter::sim::alibaba::{
    Charset, Engine, Fault, Hang, Outcome, Product, Reset, Total, Where, WrongType,
};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, REGION, fleet, instance, read};

const LIST: &str = "DescribeInstances";
const IN_REGION: (&str, &str) = ("RegionId", REGION);

/// 120 Redis and 120 MySQL instances.
async fn full() -> Caller {
    let mut fleet = fleet();
    for n in 0..120 {
        fleet.insert(instance(Engine::Redis, &format!("r-{n}")));
        fleet.insert(instance(Engine::MySql, &format!("rm-{n}")));
    }
    Caller::to(fleet).await
}

async fn spoilt(caller: &Caller, fault: Fault) -> reqwest::Result<reqwest::Response> {
    caller.cloud.inject(fault, Where::default(), Some(1));
    caller.raw(Product::Redis, LIST, &[IN_REGION]).await
}

async fn page(caller: &Caller, number: &str) -> Value {
    caller.ok(Product::Redis, LIST, &[IN_REGION, ("PageNumber", number), ("PageSize", "50")]).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["Instances"]["KVStoreInstance"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["InstanceId"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_fault_meets_the_calls_it_was_ordered_for_and_ends() {
    let caller = full().await;
    let place = Where { key: Some("key".into()), region: Some(REGION.into()), ..Where::resource("r-7") };
    caller.cloud.inject(Fault::EmptyBody, place, Some(2));
    let look = async |id| caller.call(Product::Redis, "DescribeInstanceSSL", &[("InstanceId", id)]).await.1;
    assert!(look("r-8").await.is_object(), "another instance");
    assert!(look("r-7").await.is_null(), "the first time");
    assert!(look("r-7").await.is_null(), "the second time");
    assert!(look("r-7").await.is_object(), "used up");
    assert_eq!(caller.cloud.calls()[1].outcome, Outcome::Faulted("empty body"));
    caller.cloud.inject(Fault::EmptyBody, Where::action("DescribeInstanceSSL"), None);
    assert!(look("r-1").await.is_null() && look("r-2").await.is_null(), "until further notice");
    caller.cloud.clear_faults();
    assert!(look("r-1").await.is_object(), "over");
}

#[tokio::test]
async fn answers_that_are_no_answer() {
    let caller = full().await;
    for (name, fault, status, kind, begin) in [
        ("html", Fault::Html { status: 502 }, 502, "text/html", &b"<html>"[..]),
        ("html and all is well", Fault::Html { status: 200 }, 200, "text/html", b"<html>"),
        ("empty", Fault::EmptyBody, 200, "application/json;charset=utf-8", b""),
        ("garbage", Fault::Garbage, 200, "application/json;charset=utf-8", b"\xff\xfe\xfd"),
        ("an error without a body", Fault::Status { status: 503, json: false }, 503, "text/plain", b""),
    ] {
        let response = spoilt(&caller, fault).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
            (status, kind),
            "{name}"
        );
        let body = response.bytes().await.unwrap();
        assert!(body.starts_with(begin) && body.is_empty() == begin.is_empty(), "{name}: {body:?}");
    }
}

#[tokio::test]
async fn errors_of_the_cloud_itself() {
    let caller = full().await;
    for (name, fault, status, code) in [
        ("unavailable", Fault::Status { status: 503, json: true }, 503, "ServiceUnavailable"),
        ("internal", Fault::Status { status: 500, json: true }, 500, "InternalError"),
        ("throttled", Fault::Throttle { retry_after_ms: None }, 400, "Throttling.User"),
        ("clock", Fault::ClockOff(TimeDelta::minutes(-20)), 400, "InvalidTimeStamp.Expired"),
        ("region", Fault::RegionRefused, 404, "InvalidRegionId.NotFound"),
    ] {
        let (got, json) = read(spoilt(&caller, fault).await.unwrap()).await;
        assert_eq!((got, &json["Code"]), (status, &code.into()), "{name}");
    }
    let response = spoilt(&caller, Fault::Throttle { retry_after_ms: Some(700) }).await.unwrap();
    assert_eq!(response.headers()["x-acs-retry-after"], "700");
    let response = spoilt(&caller, Fault::ClockOff(TimeDelta::minutes(-20))).await.unwrap();
    assert_eq!(response.headers()["date"], "Sun, 22 Nov 2026 11:40:00 GMT");
}

#[tokio::test]
async fn redirects_and_answers_to_order() {
    let caller = full().await;
    let response =
        spoilt(&caller, Fault::Redirect { to: "http://127.0.0.1:9/elsewhere".into() }).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (302, &"http://127.0.0.1:9/elsewhere".parse().unwrap())
    );
    let headers = vec![("content-type".into(), "application/xml".into()), ("x-extra".into(), "1".into())];
    let response =
        spoilt(&caller, Fault::Custom { status: 418, headers, body: "<Error/>".into() }).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["x-extra"]), (418, &"1".parse().unwrap()));
    assert_eq!(response.headers()["content-type"], "application/xml");
    assert_eq!(response.text().await.unwrap(), "<Error/>");
}

#[tokio::test]
async fn a_cut_body_is_an_error_of_the_connection() {
    let caller = full().await;
    let response = spoilt(&caller, Fault::CutBody).await.unwrap();
    let promised = response.content_length().unwrap();
    assert!(promised > 1000, "{promised}");
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn types_are_wrong() {
    let caller = full().await;
    let mut answers = Vec::new();
    for kind in [
        WrongType::ListForAnswer,
        WrongType::ListForObject,
        WrongType::NumberForString,
        WrongType::NullEverywhere,
    ] {
        answers.push(read(spoilt(&caller, Fault::WrongTypes(kind)).await.unwrap()).await.1);
    }
    assert!(answers[0][0]["Instances"].is_object());
    assert!(answers[1]["Instances"][0]["KVStoreInstance"][0][0]["InstanceId"].is_string(), "{}", answers[1]);
    assert_eq!(answers[2]["Instances"]["KVStoreInstance"][0]["InstanceId"], 7);
    assert_eq!(
        (answers[3].get("Instances"), answers[3].get("TotalCount")),
        (Some(&Value::Null), Some(&Value::Null))
    );
}

#[tokio::test]
async fn endless_bodies_go_on_and_on() {
    let caller = full().await;
    for gzip in [false, true] {
        let mut response = spoilt(&caller, Fault::EndlessBody { gzip }).await.unwrap();
        let mut read = 0;
        while read < 64 << 20 {
            read += response.chunk().await.unwrap().expect("the body never ends").len();
        }
    }
}

#[tokio::test]
async fn text_comes_in_another_charset() {
    let caller = full().await;
    let response = spoilt(&caller, Fault::WrongCharset(Charset::Gbk)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json;charset=GBK");
    let body = response.bytes().await.unwrap();
    assert!(std::str::from_utf8(&body).is_err());
    let ascii: Vec<u8> = body.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }).collect();
    let json: Value = serde_json::from_slice(&ascii).unwrap();
    assert_eq!((&json["LocalName"], &json["TotalCount"]), (&json!("??"), &json!(120)));
    let body = spoilt(&caller, Fault::WrongCharset(Charset::Utf16)).await.unwrap().bytes().await.unwrap();
    assert_eq!(body[..6], *b"\xff\xfe{\0\"\0");
}

#[tokio::test]
async fn a_hang_keeps_the_caller_waiting() {
    let caller = full().await;
    let short = Duration::from_millis(200);
    let silent = tokio::time::timeout(short, spoilt(&caller, Fault::Hang(Hang::NoAnswer))).await;
    assert!(silent.is_err(), "no answer");
    let head =
        tokio::time::timeout(short, spoilt(&caller, Fault::Hang(Hang::HeadOnly))).await.unwrap().unwrap();
    assert!(head.content_length().unwrap() > 0);
    assert!(tokio::time::timeout(short, head.bytes()).await.is_err(), "no body");
    let begun = Instant::now();
    let mut drip = spoilt(&caller, Fault::Hang(Hang::Drip)).await.unwrap();
    for expected in [&b"{"[..], b"\""] {
        assert_eq!(drip.chunk().await.unwrap().unwrap(), expected);
    }
    assert!(begun.elapsed() > Duration::from_millis(900), "a byte a second");
}

#[tokio::test]
async fn connections_are_reset() {
    let caller = full().await;
    let error = spoilt(&caller, Fault::Reset(Reset::BeforeAnswer)).await.unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    let answer: Answer = read(spoilt(&caller, Fault::Reset(Reset::KeptConnection)).await.unwrap()).await;
    assert_eq!(answer.0, 200, "the answer itself is good");
}

#[tokio::test]
async fn a_kept_connection_is_gone_after_the_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let caller = full().await;
    caller.cloud.inject(Fault::Reset(Reset::KeptConnection), Where::default(), None);
    let mut stream = tokio::net::TcpStream::connect(caller.cloud.host()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 400"), "no valid call, but answered");
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn rows_move_between_pages() {
    let caller = full().await;
    caller.cloud.inject(Fault::DuplicateRows, Where::action(LIST), Some(2));
    let (first, second) = (page(&caller, "1").await, page(&caller, "2").await);
    assert_eq!(ids(&first).last(), ids(&second).first());
    caller.cloud.inject(Fault::VanishingRows, Where::action(LIST), Some(2));
    let (first, second) = (page(&caller, "1").await, page(&caller, "2").await);
    assert_eq!((ids(&first).last(), ids(&second).first()), (Some(&"r-49"), Some(&"r-51")));
    assert_eq!((&first["TotalCount"], &second["TotalCount"]), (&json!(120), &json!(119)));
}

#[tokio::test]
async fn totals_lie() {
    let caller = full().await;
    for (total, want) in [
        (Total::TooSmall, Some(json!(60))),
        (Total::TooLarge, Some(json!(1120))),
        (Total::Negative, Some(json!(-1))),
        (Total::Absent, None),
    ] {
        caller.cloud.inject(Fault::LyingTotals(total), Where::default(), Some(2));
        assert_eq!(page(&caller, "1").await.get("TotalCount"), want.as_ref(), "{total:?}");
        let rds = caller.ok(Product::Rds, "DescribeDBInstances", &[IN_REGION]).await;
        assert_eq!(rds.get("TotalRecordCount"), want.as_ref(), "{total:?}");
    }
}

#[tokio::test]
async fn a_token_leads_in_a_circle() {
    let caller = full().await;
    caller.cloud.inject(Fault::NextTokenLoop, Where::default(), None);
    let mut tokens: Vec<String> = Vec::new();
    for _ in 0..3 {
        let token = tokens.last().cloned().unwrap_or_default();
        let params = [IN_REGION, ("MaxResults", "100"), ("NextToken", &*token)];
        let answer = caller.ok(Product::Rds, "DescribeDBInstances", &params).await;
        tokens.push(answer["NextToken"].as_str().unwrap().to_owned());
    }
    assert!(!tokens[0].is_empty() && tokens[0] == tokens[1] && tokens[1] == tokens[2], "{tokens:?}");
}

#[tokio::test]
async fn keys_come_in_lower_case() {
    let caller = full().await;
    caller.cloud.inject(Fault::LowercaseKeys, Where::default(), Some(1));
    let (status, json) =
        caller.call(Product::Redis, "DescribeInstanceSSL", &[("InstanceId", "r-none")]).await;
    assert_eq!((status, &json["code"]), (404, &json!("InvalidInstanceId.NotFound")));
    assert!(json["message"].is_string() && json["requestId"].is_string() && json.get("Code").is_none());
}
