//! Who is let in, and what the others are told.

use chrono::TimeDelta;
use notafter::provider::alibaba::sign::SignedCall;
use notafter::sim::alibaba::{Engine, Key, Outcome, Product, Quota, Refusal, Rights};

use crate::support::{Caller, REGION, UID, days, fleet, instance, noon, read};

const LIST: (&str, &[(&str, &str)]) =
    ("DescribeDBInstances", &[("RegionId", REGION), ("SearchKey", "a b*c~d+e/f=g&h%i订单")]);

async fn refusal(caller: &Caller, signed: &SignedCall) -> (u16, String) {
    let (status, json) = caller.send(signed).await;
    (status, json["Code"].as_str().unwrap_or_default().to_owned())
}

fn list(caller: &Caller) -> SignedCall {
    caller.sign(Product::Rds, LIST.0, LIST.1)
}

#[tokio::test]
async fn a_right_signature_opens_every_product() {
    let caller = Caller::to(fleet()).await;
    for product in Product::ALL {
        caller.ok(product, "DescribeRegions", &[]).await;
    }
    caller.ok(Product::Rds, LIST.0, LIST.1).await;
    let temporary = caller.with_key("STS.key", "sts-secret", Some("CAIS+token/with=specials"));
    temporary.ok(Product::Rds, LIST.0, LIST.1).await;
}

#[tokio::test]
async fn a_query_encoded_in_another_way_has_the_same_signature() {
    let caller = Caller::to(fleet()).await;
    let mut signed = list(&caller);
    signed.query = signed.query.replace("%20", "+").replace("%2A", "*");
    assert_eq!(caller.send(&signed).await.0, 200);
}

#[tokio::test]
async fn parameters_in_a_form_body_count_and_are_hashed() {
    let caller = Caller::to(fleet()).await;
    let body = "RegionId=cn-hangzhou";
    let hash = notafter::provider::alibaba::sign::payload_hash(body.as_bytes());
    let (host, nonce, date) = (caller.cloud.host(), caller.nonce(), "2026-11-22T12:00:00Z");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", &*host),
        ("x-acs-action", "DescribeDBInstances"),
        ("x-acs-content-sha256", &*hash),
        ("x-acs-date", date),
        ("x-acs-signature-nonce", &*nonce),
        ("x-acs-version", "2014-08-15"),
    ];
    let signed = notafter::provider::alibaba::sign::SignRequest::new("POST", "/", "", &headers, &hash);
    let mut request = caller.http.post(caller.cloud.base_url()).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let again = request.try_clone().unwrap().body("RegionId=cn-beijing");
    let authorization = signed.authorization("key", "secret");
    let response = request.header("authorization", &authorization).send().await.unwrap();
    assert_eq!(read(response).await.0, 200);
    let response = again.header("authorization", &authorization).send().await.unwrap();
    assert_eq!(
        read(response).await.1["Code"],
        "SignatureDoesNotMatch",
        "another body under the same signature"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let caller = Caller::to(fleet()).await;
    let with = |id, secret, token| list(&caller.with_key(id, secret, token));
    let at = |minutes| {
        caller.sign_at(Product::Rds, LIST.0, LIST.1, noon() + TimeDelta::minutes(minutes), &caller.nonce())
    };
    let changed = |name: &str, value: &str| {
        let mut signed = list(&caller);
        signed.headers.iter_mut().filter(|(n, _)| *n == name).for_each(|(_, v)| value.clone_into(v));
        signed
    };
    let mut other_query = list(&caller);
    other_query.query.push_str("&Engine=MySQL");
    let mut unsigned_header = list(&caller);
    unsigned_header.headers.push(("x-acs-extra", "1".into()));
    let token = Some("CAIS+token/with=specials");
    for (name, signed, want) in [
        ("unknown key", with("nobody", "secret", None), (404, "InvalidAccessKeyId.NotFound")),
        ("disabled key", with("off", "off-secret", None), (400, "InvalidAccessKeyId.Inactive")),
        ("wrong secret", with("key", "wrong", None), (400, "SignatureDoesNotMatch")),
        ("another query", other_query, (400, "SignatureDoesNotMatch")),
        ("another action", changed("x-acs-action", "DescribeRegions"), (400, "SignatureDoesNotMatch")),
        ("another payload hash", changed("x-acs-content-sha256", "00"), (400, "SignatureDoesNotMatch")),
        ("a header that is not signed", unsigned_header, (400, "IncompleteSignature")),
        ("no signature", changed("authorization", "Bearer x"), (400, "IncompleteSignature")),
        ("no nonce", changed("x-acs-signature-nonce", ""), (400, "IncompleteSignature")),
        ("too old", at(-16), (400, "InvalidTimeStamp.Expired")),
        ("too new", at(16), (400, "InvalidTimeStamp.Expired")),
        ("no date", changed("x-acs-date", "yesterday"), (400, "InvalidTimeStamp.Format")),
        ("unknown version", changed("x-acs-version", "2020-01-01"), (400, "InvalidVersion")),
        ("unknown action", changed("x-acs-action", "DropEverything"), (404, "InvalidAction.NotFound")),
        ("no token", with("STS.key", "sts-secret", None), (400, "MissingSecurityToken")),
        ("an empty token", with("STS.key", "sts-secret", Some("")), (400, "InvalidSecurityToken.Malformed")),
        (
            "another token",
            with("STS.key", "sts-secret", Some("x")),
            (400, "InvalidSecurityToken.MismatchWithAccessKey"),
        ),
        (
            "a token too many",
            with("key", "secret", token),
            (400, "InvalidSecurityToken.MismatchWithAccessKey"),
        ),
    ] {
        assert_eq!(refusal(&caller, &signed).await, (want.0, want.1.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_token_ends() {
    let caller = Caller::to(fleet()).await;
    let temporary = caller.with_key("STS.key", "sts-secret", Some("CAIS+token/with=specials"));
    caller.pass(TimeDelta::days(1));
    assert_eq!(refusal(&temporary, &list(&temporary)).await, (400, "InvalidSecurityToken.Expired".into()));
}

#[tokio::test]
async fn a_mismatch_echoes_the_canonical_request_with_the_token_in_it() {
    let caller = Caller::to(fleet()).await;
    let temporary = caller.with_key("STS.key", "wrong", Some("CAIS+token/with=specials"));
    let (_, json) = temporary.send(&list(&temporary)).await;
    let message = json["Message"].as_str().unwrap();
    assert!(message.contains("server StringToSign is [ACS3-HMAC-SHA256\n"), "{message}");
    assert!(message.contains("x-acs-security-token:CAIS+token/with=specials\n"), "{message}");
}

#[tokio::test]
async fn a_nonce_is_taken_once_and_only_by_a_request_that_is_right() {
    let caller = Caller::to(fleet()).await;
    let wrong = caller.with_key("key", "wrong", None).sign_at(Product::Rds, LIST.0, LIST.1, noon(), "n");
    assert_eq!(refusal(&caller, &wrong).await.1, "SignatureDoesNotMatch");
    let signed = caller.sign_at(Product::Rds, LIST.0, LIST.1, noon(), "n");
    assert_eq!(caller.send(&signed).await.0, 200);
    assert_eq!(refusal(&caller, &signed).await, (400, "SignatureNonceUsed".into()));
}

#[tokio::test]
async fn the_clock_of_the_cloud_can_be_off_and_shows_in_the_date_header() {
    let caller = Caller::to(fleet()).await;
    caller.cloud.set_clock_offset(TimeDelta::hours(1));
    let response = caller.raw(Product::Rds, LIST.0, LIST.1).await.unwrap();
    assert_eq!(response.headers()["date"], "Sun, 22 Nov 2026 13:00:00 GMT");
    assert_eq!(read(response).await.1["Code"], "InvalidTimeStamp.Expired");
}

#[tokio::test]
async fn a_key_without_the_right_is_told_which_one() {
    let mut fleet = fleet();
    let rights = Rights::Except(vec!["rds:ListTagResources".into()]);
    fleet.accounts[0].keys.push(Key { rights, ..Key::new("few", "few-secret") });
    let caller = Caller::to(fleet).await.with_key("few", "few-secret", None);
    caller.ok(Product::Rds, LIST.0, LIST.1).await;
    let (status, json) = caller.call(Product::Rds, "ListTagResources", &[]).await;
    assert_eq!((status, &json["Code"]), (403, &"Forbidden.RAM".into()));
    assert_eq!(json["AccessDeniedDetail"]["AuthAction"], "rds:ListTagResources");
    assert_eq!(json["AccessDeniedDetail"]["AuthPrincipalOwnerId"], UID);
}

#[tokio::test]
async fn a_quota_counts_the_account_per_region_and_api_and_tells_when_to_come_again() {
    let mut fleet = fleet();
    let per = TimeDelta::seconds(60);
    fleet.quotas.push(Quota {
        action: Some("DescribeDBInstances".into()),
        calls: 2,
        per,
        retry_after_ms: Some(1500),
    });
    let caller = Caller::to(fleet).await;
    let temporary = caller.with_key("STS.key", "sts-secret", Some("CAIS+token/with=specials"));
    caller.ok(Product::Rds, LIST.0, LIST.1).await;
    temporary.ok(Product::Rds, LIST.0, LIST.1).await;
    let response = caller.raw(Product::Rds, LIST.0, LIST.1).await.unwrap();
    assert_eq!(response.headers()["x-acs-retry-after"], "1500");
    let (status, json) = read(response).await;
    assert_eq!((status, &json["Code"]), (400, &"Throttling.User".into()));
    caller.ok(Product::Rds, LIST.0, &[("RegionId", "eu-central-1")]).await;
    caller.ok(Product::MongoDb, LIST.0, LIST.1).await;
    caller.with_key("other", "other-secret", None).ok(Product::Rds, LIST.0, LIST.1).await;
    caller.pass(per);
    caller.ok(Product::Rds, LIST.0, LIST.1).await;
    let kind = ("key".into(), "DescribeDBInstances".into(), REGION.into());
    let count = caller.cloud.counts()[&kind];
    assert_eq!((count.answered, count.throttled, count.total()), (3, 1, 4));
}

#[tokio::test]
async fn calls_are_noted_with_what_they_were_about() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    let caller = Caller::to(fleet).await;
    caller.ok(Product::Redis, "DescribeInstanceSSL", &[("InstanceId", "r-1")]).await;
    caller.err(Product::Redis, "DescribeInstanceSSL", &[("InstanceId", "r-2")]).await;
    let calls = caller.cloud.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(
        (&*calls[0].region, calls[0].resource.as_deref()),
        (REGION, Some("r-1")),
        "the region of the instance"
    );
    assert_eq!((&*calls[0].key_id, &calls[0].outcome), ("key", &Outcome::Answered));
    assert_eq!(calls[1].outcome, Outcome::Refused("InvalidInstanceId.NotFound".into()));
}

#[tokio::test]
async fn a_region_out_of_service_refuses_lists_and_its_instances() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    fleet.regions[0].refuses = Some(Refusal::new(403, "RegionDissolvedEOM"));
    let caller = Caller::to(fleet).await;
    let want = (403, "RegionDissolvedEOM".to_owned());
    assert_eq!(caller.err(Product::Redis, "DescribeInstances", &[("RegionId", REGION)]).await, want);
    assert_eq!(caller.err(Product::Redis, "DescribeInstanceSSL", &[("InstanceId", "r-1")]).await, want);
    caller.ok(Product::Redis, "DescribeInstances", &[("RegionId", "eu-central-1")]).await;
    let unknown = caller.err(Product::Redis, "DescribeInstances", &[("RegionId", "mars-1")]).await;
    assert_eq!(unknown, (404, "InvalidRegionId.NotFound".into()));
}

#[tokio::test]
async fn another_accounts_instance_looks_like_none() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::MySql, "rm-1"));
    let caller = Caller::to(fleet).await;
    let params = [("DBInstanceId", "rm-1")];
    caller.ok(Product::Rds, "DescribeDBInstanceSSL", &params).await;
    let want = (404, "InvalidDBInstanceId.NotFound".to_owned());
    let other = caller.with_key("other", "other-secret", None);
    assert_eq!(other.err(Product::Rds, "DescribeDBInstanceSSL", &params).await, want);
    assert_eq!(
        caller.err(Product::MongoDb, "DescribeDBInstanceSSL", &params).await,
        want,
        "of another product"
    );
    let missing = caller.err(Product::Rds, "DescribeDBInstanceSSL", &[]).await;
    assert_eq!(missing, (400, "MissingDBInstanceId".into()));
}

#[tokio::test]
async fn the_last_handle_stops_the_server() {
    let caller = Caller::to(fleet()).await;
    let (url, http) = (caller.cloud.base_url(), caller.http.clone());
    assert!(http.get(&url).send().await.is_ok());
    drop(caller);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(http.get(&url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn what_people_do_shows_in_the_truth() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    let caller = Caller::to(fleet).await;
    assert!(caller.cloud.renew("r-1", days(300)) && caller.cloud.set_status("r-1", "Rebooting"));
    assert_eq!(caller.cloud.expected()[0].truth.expires, Some(days(300)));
    assert_eq!(&*caller.cloud.expected()[0].account, "prod");
    assert!(caller.cloud.delete("r-1") && !caller.cloud.delete("r-1"));
    assert!(caller.cloud.expected().is_empty());
}
