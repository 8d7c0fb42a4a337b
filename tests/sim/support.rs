//! A small fleet, a clock that can be set, and a caller that signs for real.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::provider::alibaba::sign::{ApiCall, KeyRef, SignedCall, signed_headers};
use notafter::sim::alibaba::{Account, AlibabaCloud, Engine, Fleet, Instance, Key, Product, Region, Token};
use serde_json::Value;

pub(crate) const UID: &str = "1000000000000001";
pub(crate) const OTHER_UID: &str = "1000000000000002";
pub(crate) const REGION: &str = "cn-hangzhou";

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(crate) fn days(days: i64) -> DateTime<Utc> {
    noon() + TimeDelta::days(days)
}

/// Two accounts, two regions, no instances.
pub(crate) fn fleet() -> Fleet {
    let mut fleet = Fleet::new(vec![
        Region::new(REGION, "华东1（杭州）", "China (Hangzhou)"),
        Region::new("eu-central-1", "德国", "Germany"),
    ]);
    let temporary = Token { text: "CAIS+token/with=specials".into(), expires: days(1) };
    let sts = Key { token: Some(temporary), ..Key::new("STS.key", "sts-secret") };
    let off = Key { disabled: true, ..Key::new("off", "off-secret") };
    let keys = vec![Key::new("key", "secret"), sts, off];
    fleet.accounts.push(Account { uid: UID.into(), name: "prod".into(), keys });
    let keys = vec![Key::new("other", "other-secret")];
    fleet.accounts.push(Account { uid: OTHER_UID.into(), name: "other".into(), keys });
    fleet
}

pub(crate) fn instance(engine: Engine, id: &str) -> Instance {
    Instance::new(engine, id, UID, REGION, days(100))
}

/// One row of an answer: status and JSON (null where there is none).
pub(crate) type Answer = (u16, Value);

#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) cloud: AlibabaCloud,
    pub(crate) http: reqwest::Client,
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    seconds: Arc<AtomicI64>,
    nonce: Arc<AtomicU32>,
}

impl Caller {
    pub(crate) async fn to(fleet: Fleet) -> Self {
        let seconds = Arc::new(AtomicI64::new(noon().timestamp()));
        let clock = seconds.clone();
        let now = move || DateTime::from_timestamp(clock.load(Ordering::Relaxed), 0).unwrap();
        let cloud = AlibabaCloud::start(fleet, now).await.unwrap();
        Self {
            cloud,
            http: client(),
            id: "key".into(),
            secret: "secret".into(),
            token: None,
            seconds,
            nonce: Arc::default(),
        }
    }

    pub(crate) fn with_key(&self, id: &str, secret: &str, token: Option<&str>) -> Self {
        let (id, secret, token) = (id.to_owned(), secret.to_owned(), token.map(str::to_owned));
        Self { id, secret, token, ..self.clone() }
    }

    /// Lets time pass for the cloud and for the caller.
    pub(crate) fn pass(&self, time: TimeDelta) {
        self.seconds.fetch_add(time.num_seconds(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.seconds.load(Ordering::Relaxed), 0).unwrap()
    }

    pub(crate) fn nonce(&self) -> String {
        format!("nonce-{}", self.nonce.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn sign(&self, product: Product, action: &str, params: &[(&str, &str)]) -> SignedCall {
        self.sign_at(product, action, params, self.now(), &self.nonce())
    }

    pub(crate) fn sign_at(
        &self,
        product: Product,
        action: &str,
        params: &[(&str, &str)],
        date: DateTime<Utc>,
        nonce: &str,
    ) -> SignedCall {
        let query: Vec<(Cow<str>, Cow<str>)> = params.iter().map(|&(k, v)| (k.into(), v.into())).collect();
        let host = self.cloud.host();
        let call = ApiCall { host: &host, action, version: product.version(), query: &query, form: "" };
        let key = KeyRef { id: &self.id, secret: &self.secret, token: self.token.as_deref() };
        signed_headers(&call, &key, date, nonce)
    }

    pub(crate) fn request(&self, signed: &SignedCall) -> reqwest::RequestBuilder {
        let url = format!("{}/?{}", self.cloud.base_url(), signed.query);
        signed.headers.iter().fold(self.http.post(url), |request, (name, value)| request.header(*name, value))
    }

    pub(crate) async fn send(&self, signed: &SignedCall) -> Answer {
        read(self.request(signed).send().await.unwrap()).await
    }

    pub(crate) async fn call(&self, product: Product, action: &str, params: &[(&str, &str)]) -> Answer {
        self.send(&self.sign(product, action, params)).await
    }

    /// A call that must succeed.
    pub(crate) async fn ok(&self, product: Product, action: &str, params: &[(&str, &str)]) -> Value {
        let (status, json) = self.call(product, action, params).await;
        assert_eq!(status, 200, "{action} {params:?}: {json}");
        json
    }

    /// A call that must fail: status and code.
    pub(crate) async fn err(&self, product: Product, action: &str, params: &[(&str, &str)]) -> (u16, String) {
        let (status, json) = self.call(product, action, params).await;
        assert_ne!(status, 200, "{action} {params:?}: {json}");
        (status, json["Code"].as_str().unwrap_or_default().to_owned())
    }

    /// The answer as it comes, or the error of the HTTP client.
    pub(crate) async fn raw(
        &self,
        product: Product,
        action: &str,
        params: &[(&str, &str)],
    ) -> reqwest::Result<reqwest::Response> {
        self.request(&self.sign(product, action, params)).send().await
    }
}

pub(crate) async fn read(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

pub(crate) fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_secs(5)).build().unwrap()
}
