//! The only file that talks to Alibaba Cloud: one function per call, answers in the cloud's own words.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::endpoints::base_url;
use super::errors;
use super::product::{Operation, Product};
use super::sign::{ApiCall, KeyRef, canonical_query, signed_headers};
use super::wire::{Attributes, Modified, Page, Regions, Ssl, TagPage};
use crate::call::{CallError, CallErrorKind};
use crate::http::{AccountHttp, Answer, Call, Outgoing, Unanswered, secret_header};
use crate::provider::Late;
use crate::provider::keys::{KeySource, Keys};
use crate::secret::{Secret, wiped};

/// The most bytes of an honest detail answer, and of an honest page.
const DETAIL_LIMIT: usize = 1024 * 1024;
const PAGE_LIMIT: usize = 8 * 1024 * 1024;

/// Overriding endpoint templates, by product.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// Of Redis.
    pub redis: Option<String>,
    /// Of RDS.
    pub rds: Option<String>,
    /// Of MongoDB.
    pub mongodb: Option<String>,
}

/// The calls, for one account.
#[derive(Debug)]
pub struct Api {
    http: AccountHttp,
    keys: Arc<dyn KeySource>,
    templates: Templates,
    nonces: Nonces,
}

type Query<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// What a call that changes something was answered with: the status, and what the body makes of it.
pub(super) type Told = (StatusCode, Result<Modified, CallError>);

impl Api {
    /// The calls of an account with these keys.
    pub fn new(http: AccountHttp, keys: Arc<dyn KeySource>, templates: Templates) -> Self {
        Self { http, keys, templates, nonces: Nonces::new() }
    }

    /// Where the keys come from.
    pub fn keys(&self) -> &Arc<dyn KeySource> {
        &self.keys
    }

    /// The way out, for clock and rates.
    pub fn http(&self) -> &AccountHttp {
        &self.http
    }

    /// DescribeRegions.
    pub async fn regions(&self, product: Product) -> Result<Regions, CallError> {
        self.call(product, Operation::Regions, None, vec![]).await
    }

    /// One page of DescribeInstances or DescribeDBInstances; `kind` is the part of the listing where there are parts.
    pub async fn page(
        &self,
        product: Product,
        region: &Arc<str>,
        kind: Option<&str>,
        number: usize,
    ) -> Result<Page, CallError> {
        let mut query: Query<'_> = vec![
            ("RegionId".into(), (&**region).into()),
            ("PageNumber".into(), number.to_string().into()),
            ("PageSize".into(), product.page_size().to_string().into()),
        ];
        query.extend(kind.map(|kind| ("DBInstanceType".into(), kind.into())));
        self.call(product, Operation::List, Some(region), query).await
    }

    /// DescribeInstanceSSL or DescribeDBInstanceSSL.
    pub async fn ssl(&self, product: Product, region: &Arc<str>, id: &str) -> Result<Ssl, CallError> {
        let mut query: Query<'_> = vec![(product.id_parameter().into(), id.into())];
        if product == Product::Redis {
            query.push(("RegionId".into(), (&**region).into()));
        }
        self.call(product, Operation::Ssl, Some(region), query).await
    }

    /// One page of ListTagResources for up to 50 instances of RDS, whose listing has no tags.
    pub async fn tags(
        &self,
        region: &Arc<str>,
        ids: &[&str],
        token: Option<&str>,
    ) -> Result<TagPage, CallError> {
        let mut query: Query<'_> =
            vec![("RegionId".into(), (&**region).into()), ("ResourceType".into(), "INSTANCE".into())];
        for (place, id) in ids.iter().enumerate() {
            query.push((format!("ResourceId.{}", place + 1).into(), (*id).into()));
        }
        query.extend(token.map(|token| ("NextToken".into(), token.into())));
        self.call(Product::Rds, Operation::Tags, Some(region), query).await
    }

    /// DescribeInstanceAttribute or DescribeDBInstanceAttribute.
    pub async fn attributes(
        &self,
        product: Product,
        region: &Arc<str>,
        id: &str,
    ) -> Result<Attributes, CallError> {
        let query: Query<'_> = vec![(product.id_parameter().into(), id.into())];
        self.call(product, Operation::Attribute, Some(region), query).await
    }

    /// ModifyInstanceSSL or ModifyDBInstanceSSL, once and never again. `form` travels in the body: no address that is
    /// written down anywhere has it.
    pub(super) async fn modify(
        &self,
        product: Product,
        region: &Arc<str>,
        query: &[(Cow<'_, str>, Cow<'_, str>)],
        form: &[(&str, &str)],
        late: &Late<'_>,
    ) -> Result<Told, Unanswered> {
        let action = product.action(Operation::Modify);
        let base = base_url(product, self.template(product), Some(&**region));
        let call = Call { action, region, limit: DETAIL_LIMIT, repeatable: false };
        let body = wiped(canonical_query(form));
        let keys = self.keys.keys().await.map_err(Unanswered::unsent)?;
        let asked = Asked { base: &base, action, version: product.version(), query };
        let sign = || match late() {
            Some(text) => Err(CallError::new(CallErrorKind::NotSent, action, text)),
            None => Ok(signed_with(&keys, &asked, &body, (self.http.clock().now(), &self.nonces))),
        };
        let mut status = StatusCode::OK;
        let read = |answer: Answer| {
            status = answer.status;
            errors::read(&answer, action, self.http.clock().now(), &keys)
        };
        let told = self.http.once(call, sign, read).await?;
        if told.as_ref().is_err_and(|error| error.kind == CallErrorKind::KeyDenied) {
            self.keys.refused(&keys);
        }
        Ok((status, told))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        product: Product,
        operation: Operation,
        region: Option<&Arc<str>>,
        query: Query<'_>,
    ) -> Result<T, CallError> {
        let nowhere = Arc::from("");
        let action = product.action(operation);
        let base = base_url(product, self.template(product), region.map(|region| &**region));
        let is_detail = matches!(operation, Operation::Ssl | Operation::Attribute);
        let limit = if is_detail { DETAIL_LIMIT } else { PAGE_LIMIT };
        let call = Call { action, region: region.unwrap_or(&nowhere), limit, repeatable: true };
        let keys = self.keys.keys().await?;
        let version = product.version();
        let sign = || signed(&keys, &base, action, version, &query, (self.http.clock().now(), &self.nonces));
        let read = |answer| errors::read(&answer, action, self.http.clock().now(), &keys);
        self.http.call(call, sign, read).await.inspect_err(|error| {
            if error.kind == CallErrorKind::KeyDenied {
                self.keys.refused(&keys);
            }
        })
    }

    fn template(&self, product: Product) -> Option<&str> {
        match product {
            Product::Redis => self.templates.redis.as_deref(),
            Product::Rds => self.templates.rds.as_deref(),
            Product::Mongodb => self.templates.mongodb.as_deref(),
        }
    }
}

/// The signed request for a call; `moment` is the time and where the nonce comes from.
pub(super) fn signed(
    keys: &Keys,
    base: &str,
    action: &'static str,
    version: &str,
    query: &[(Cow<'_, str>, Cow<'_, str>)],
    moment: (DateTime<Utc>, &Nonces),
) -> Outgoing {
    signed_with(keys, &Asked { base, action, version, query }, &Bytes::new(), moment)
}

/// A call before it is signed.
struct Asked<'a> {
    base: &'a str,
    action: &'static str,
    version: &'a str,
    query: &'a [(Cow<'a, str>, Cow<'a, str>)],
}

/// The signed request for a call with a body: parameters, encoded like a query, or none.
fn signed_with(keys: &Keys, asked: &Asked<'_>, body: &Bytes, moment: (DateTime<Utc>, &Nonces)) -> Outgoing {
    let Asked { base, action, version, query } = *asked;
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    let action = action.split_once(':').map_or(action, |(_, action)| action);
    let form = std::str::from_utf8(body).expect("a form is ASCII");
    let key = KeyRef {
        id: keys.id.expose(),
        secret: keys.secret.expose(),
        token: keys.token.as_ref().map(Secret::expose),
    };
    let call = ApiCall { host, action, version, query, form };
    let signed = signed_headers(&call, &key, moment.0, &moment.1.next());
    let mut headers = HeaderMap::with_capacity(signed.headers.len() + 1);
    headers.insert("accept", HeaderValue::from_static("application/json"));
    for (name, value) in signed.headers {
        headers.extend(secret_header(name, value));
    }
    Outgoing { method: Method::POST, url: format!("{base}/?{}", signed.query), headers, body: body.clone() }
}

/// Numbers used once: random for each process, counted within it.
#[derive(Debug)]
pub(super) struct Nonces {
    process: String,
    count: AtomicU64,
}

impl Nonces {
    pub(super) fn new() -> Self {
        let mut random = [0_u8; 16];
        // Without randomness the time still tells processes apart, and a repeated nonce only costs a refused call.
        if aws_lc_rs::rand::fill(&mut random).is_err() {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            random = now.as_nanos().to_be_bytes();
        }
        Self { process: hex::encode(random), count: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> String {
        format!("{}{:012x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
